"""Lists of versions that the test writes."""

from __future__ import annotations

from pathlib import Path

from effdsl_runtime.environments.version_lists import VersionList

MACHINE = "cpu"


def listed(environments: Path, wanted: str = "", imports: tuple[str, ...] = ()) -> VersionList:
    """What ``vllm`` is made from, with other versions."""
    (environments.parent / f"vllm-{MACHINE}.txt").write_text(wanted)
    return VersionList("vllm", MACHINE, whole=True, imports=imports, hint="try another index")
