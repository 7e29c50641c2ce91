"""docs/fine_tuning.md says what the formulas say today."""

import runpy
from pathlib import Path

SCRIPT = Path(__file__).parents[1] / "docs" / "fine_tuning.py"


def test_the_document_is_what_its_script_writes() -> None:
    written = runpy.run_path(str(SCRIPT))["document"]()
    assert SCRIPT.with_suffix(".md").read_text(encoding="utf-8") == written
