"""A hit whose code has changed since is noticed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import effdsl_runtime.model.build  # noqa: F401
import effdsl_runtime.model.kernel  # noqa: F401
import effdsl_runtime.recording.run_record  # noqa: F401  something that is loaded and is not measuring code
import pytest
from effdsl_runtime.recording import fingerprint
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


def test_a_changed_mixer_is_changed_code_though_nothing_imports_it_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder of mixers is imported by discovery; each of its files is in the code of a result."""
    folder = shutil.copytree(fingerprint.FOLDERS["effdsl_runtime"], tmp_path / "effdsl_runtime")
    files = sorted(file.stem for file in (folder / "model" / "mixers").glob("[a-z]*.py"))
    recorded = loaded_code()
    mixers = "effdsl_runtime.model.mixers"
    assert [name for name in recorded if name.startswith(f"{mixers}.")] == [f"{mixers}.{f}" for f in files]
    with (folder / "model" / "mixers" / "latent.py").open("a", encoding="utf-8") as file:
        file.write("# changed")
    monkeypatch.setitem(fingerprint.FOLDERS, "effdsl_runtime", folder)
    fingerprint._current.cache_clear()
    assert changed_files(recorded) == (f"{mixers}.latent",)
    fingerprint._current.cache_clear()


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
