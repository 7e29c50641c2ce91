"""A hit whose code has changed since is noticed."""

from __future__ import annotations

import effdsl_runtime.recording  # noqa: F401  something that is loaded and is not measuring code
from effdsl_runtime.lookup import MEASURING, changed_files, code_digests


def test_the_code_that_may_change_a_result_is_recorded_and_nothing_else() -> None:
    recorded = code_digests()
    assert "effdsl.training" in recorded
    assert all(name.startswith(MEASURING) for name in recorded)
    assert "effdsl_runtime.recording" not in recorded


def test_unchanged_code_is_unchanged_and_changed_or_removed_code_is_named() -> None:
    recorded = code_digests()
    assert changed_files(recorded) == ()
    edited = {**recorded, "effdsl.training": "0" * 64, "effdsl_runtime.model.gone": "1" * 64}
    assert set(changed_files(edited)) == {"effdsl.training", "effdsl_runtime.model.gone"}
