"""``effdsl env``: what is said, and the exit codes."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner, Result
from effdsl_runtime.environments.commands import env
from effdsl_runtime.environments.version_lists import NAMES


def ran(*args: str) -> Result:
    return CliRunner().invoke(env, args)


def test_what_can_be_made_is_listed_with_the_command_that_makes_it(environments: Path) -> None:
    """As text, and for machines."""
    needs = "vllm  needs the environment vllm: effdsl env create vllm"
    assert f"{needs}  {environments / 'vllm'}" in ran("ls").output
    rows = {row["name"]: row for row in json.loads(ran("ls", "--json").output)["environments"]}
    assert set(rows) == set(NAMES)
    assert rows["vllm"] == {
        "name": "vllm",
        "folder": str(environments / "vllm"),
        "problem": "needs the environment vllm: effdsl env create vllm",
        "kind": None,
        "python": None,
        "bytes": None,
    }


def test_an_unknown_name_is_a_mistake_that_names_those_there_are(environments: Path) -> None:
    """Exit code 2, as everywhere."""
    made, removed = ran("create", "vlm"), ran("rm", "vllm")
    assert (made.exit_code, removed.exit_code) == (2, 2)
    assert f"no environment 'vlm'; did you mean 'vllm'? there are {', '.join(NAMES)}" in made.output
    assert "no environment 'vllm'; there are none" in removed.output


def test_a_check_of_what_is_not_there_fails_and_without_any_says_so(environments: Path) -> None:
    """The exit code is for scripts."""
    one, every = ran("check", "vllm"), ran("check")
    assert one.exit_code == 1
    assert "needs the environment vllm: effdsl env create vllm" in one.output
    assert every.exit_code == 0
    assert f"there are none; `effdsl env create NAME` makes one of {', '.join(NAMES)}" in every.output


def test_a_folder_that_is_no_environment_is_listed_as_damaged_and_can_be_removed(environments: Path) -> None:
    """As after a disk was full in the middle of a copy."""
    (environments / "vllm").mkdir(parents=True)
    assert "the environment vllm is damaged: effdsl env create vllm" in ran("ls").output
    assert ran("rm", "vllm").exit_code == 0
    assert list(environments.iterdir()) == []
