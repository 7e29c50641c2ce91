"""A hit whose code has changed since is noticed."""

from __future__ import annotations

import subprocess
import sys

import effdsl_runtime.model.kernel  # noqa: F401
import effdsl_runtime.recording.run_record  # noqa: F401  something that is loaded and is not measuring code
from effdsl_runtime.recording.fingerprint import changed_files, installed_code, loaded_code

import effdsl.training  # noqa: F401


def test_code_that_may_change_a_result_is_recorded_and_nothing_else() -> None:

    recorded = loaded_code()
    assert {"effdsl.training", "effdsl_runtime.model.kernel"} <= set(recorded)
    assert "effdsl_runtime.recording.run_record" not in recorded


def test_unchanged_code_is_unchanged_and_changed_or_removed_code_is_named() -> None:
    recorded = loaded_code()
    assert changed_files(recorded) == ()
    edited = {**recorded, "effdsl.training": "0" * 64, "effdsl_runtime.model.gone": "1" * 64}
    assert set(changed_files(edited)) == {"effdsl.training", "effdsl_runtime.model.gone"}


def test_where_a_process_cannot_say_what_it_loaded_all_that_it_could_have_counts() -> None:
    """An executor, which loads no engine, writes the record of a task whose process was killed."""
    asked = (
        "from effdsl_runtime.recording.fingerprint import *; print(*installed_code(), '|', *loaded_code())"
    )
    ran = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    installed, loaded = (set(names.split()) for names in ran.stdout.split("|"))
    assert {
        "effdsl.techniques",
        "effdsl_runtime.model.mixers.sparse",
        "effdsl_runtime.engines.trainer",
    } <= installed
    assert not any(name.startswith("effdsl_runtime.model") for name in loaded)
    assert changed_files(installed_code()) == ()
