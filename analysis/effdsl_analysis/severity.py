"""How sure an audit's findings are. Importing this loads nothing else."""

from __future__ import annotations

import enum


class Severity(enum.Enum):
    """How sure a finding is, given what its explanation assumes."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"

    @property
    def meaning(self) -> str:
        """What the word stands for."""
        return {
            Severity.ERROR: "impossible, or against a definition",
            Severity.WARNING: "not credible",
            Severity.NOTE: "to be read with care",
        }[self]
