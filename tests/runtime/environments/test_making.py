"""Environments are made whole or not at all, and what is wrong with one is said in a sentence."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from effdsl_runtime.environments import version_lists
from effdsl_runtime.environments.checking import what_is_wrong
from effdsl_runtime.environments.making import CannotMakeError, create, remove
from effdsl_runtime.environments.places import python_of, variables_with_source
from effdsl_runtime.environments.state import MADE, made_as, there, why_unusable
from effdsl_runtime.environments.version_lists import VERSION_LISTS

import effdsl

sys.path.insert(0, str(Path(__file__).parent))
from listed import MACHINE, listed

CREATE = "effdsl env create vllm"


def silent(text: str) -> None:
    """Nobody listens."""


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of an environment with nothing in it but Python."""
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EFFDSL_ENVIRONMENTS", str(folder / "environments"))
        patch.setattr(version_lists, "LIST_FOLDER", folder)
        return create(listed(folder / "environments"), silent).parent


@pytest.fixture
def made(empty: Path, environments: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, in a folder of the test's own."""
    monkeypatch.setitem(VERSION_LISTS, ("vllm", MACHINE), listed(environments))
    shutil.copytree(empty, environments, symlinks=True)
    return environments / "vllm"


@pytest.mark.slow
def test_an_environment_is_a_python_that_says_how_it_was_made(made: Path, environments: Path) -> None:
    """Nothing else is left in the folder but its lock."""
    found = made_as("vllm")
    assert found is not None
    assert (found.kind, found.python) == (MACHINE, ".".join(map(str, sys.version_info[:3])))
    assert found.bytes > 1_000_000
    assert (there(), why_unusable("vllm", MACHINE)) == (["vllm"], "")
    assert sorted(path.name for path in environments.iterdir()) == [".vllm.lock", "vllm"]
    remove("vllm")
    assert there() == []


@pytest.mark.slow
def test_another_list_or_machine_or_half_an_environment_is_found(made: Path, environments: Path) -> None:
    """Each with the command that mends it, before anything is started."""
    assert why_unusable("vllm", "gpu") == f"the environment vllm is for a CPU: {CREATE}"
    (environments.parent / f"vllm-{MACHINE}.txt").write_text("another==1\n")
    VERSION_LISTS["vllm", MACHINE].__dict__.pop("pins", None)
    assert why_unusable("vllm", MACHINE) == f"the environment vllm is of another version: {CREATE}"
    (made / MADE).unlink()
    assert why_unusable("vllm", MACHINE) == f"the environment vllm is damaged: {CREATE}"
    remove("vllm")
    assert why_unusable("vllm", MACHINE) == f"needs the environment vllm: {CREATE}"


@pytest.mark.slow
def test_a_check_names_the_package_that_is_of_another_version(made: Path) -> None:
    """As after somebody has used pip in it: the digest is still that of the list."""
    wanted = VERSION_LISTS["vllm", MACHINE]
    wanted.__dict__["pins"] = {"nowhere": "1.0"}
    said = json.loads((made / MADE).read_text()) | {"pins": wanted.digest}
    (made / MADE).write_text(json.dumps(said))
    assert what_is_wrong("vllm", MACHINE, silent) == f"the environment vllm has no nowhere: {CREATE}"


@pytest.mark.slow
def test_a_check_says_which_import_fails(made: Path) -> None:
    """An environment without attrs runs no worker."""
    wrong = what_is_wrong("vllm", MACHINE, silent)
    why = "ModuleNotFoundError: No module named 'attrs'"
    assert wrong == f"the environment vllm is damaged ({why}): {CREATE}"


@pytest.mark.slow
def test_what_cannot_be_installed_leaves_what_is_there(made: Path, environments: Path) -> None:
    """And says what pip said, and the hint; nothing half is left."""
    before = (made / MADE).read_bytes()
    with pytest.raises(CannotMakeError) as error:
        create(listed(environments, "there-is-no-such-package-0==1.0\n"), silent)
    assert "there-is-no-such-package-0==1.0" in str(error.value)
    assert str(error.value).endswith("the environment vllm was not made\ntry another index")
    assert (made / MADE).read_bytes() == before
    assert sorted(path.name for path in environments.iterdir()) == [".vllm.lock", "vllm"]


def test_an_environment_that_effdsl_does_not_make_is_anybodys_python(environments: Path) -> None:
    """Only that there is one is asked."""
    assert str(python_of("theirs")) in why_unusable("theirs", MACHINE)
    python_of("theirs").parent.mkdir(parents=True)
    python_of("theirs").touch()
    assert why_unusable("theirs", MACHINE) == ""


def test_another_python_imports_the_effdsl_that_is_running_and_nothing_else_from_here(tmp_path: Path) -> None:
    """Whatever lies in the working directory."""
    (tmp_path / "effdsl").mkdir()
    (tmp_path / "effdsl" / "__init__.py").write_text("")
    asked = "import effdsl, importlib.util as u; print(effdsl.__path__[0]); print(u.find_spec('duckdb'))"
    base = os.path.realpath(sys.executable)  # the Python of the virtual environment, without it
    done = subprocess.run(
        [base, "-P", "-c", asked],
        cwd=tmp_path,
        env=variables_with_source(tmp_path / "links") | {"PYTHONHOME": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    place, duckdb = done.stdout.split()
    assert Path(place).resolve() == Path(effdsl.__path__[0]).resolve()
    assert duckdb == "None"
