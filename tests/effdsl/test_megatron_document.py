"""docs/megatron.md says what the code does today."""

import runpy
from pathlib import Path

from effdsl.built_in import built_in
from effdsl.techniques.technique import AttentionTechnique, FeedForwardTechnique, PositionTechnique

SCRIPT = Path(__file__).parents[2] / "docs" / "megatron.py"


def test_the_table_of_techniques_is_what_its_script_writes() -> None:
    """And has every built-in one."""
    written = runpy.run_path(str(SCRIPT))["document"]()
    assert SCRIPT.with_suffix(".md").read_text(encoding="utf-8") == written
    for kind in (AttentionTechnique, PositionTechnique, FeedForwardTechnique):
        assert all(f"\n| `{technique.__name__}` |" in written for technique in built_in(kind))
