"""``effdsl plan`` and ``execute`` as a user types them: what is refused, and how names are shown."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from effdsl_runtime.kernels import refusal

from effdsl import GH200, GQA, NSA, Attention, Budget, M, Study
from effdsl.cli import group
from effdsl.hardware import Hardware
from effdsl.plan import make_plan

LAPTOP = Hardware(name="a laptop", kind="cpu")
STUDY = """from effdsl import *
study = Study(Attention([GQA]), [1*M], budget=Budget(steps=4), repeats=1{more})
"""


def invoke(folder: Path, *words: str, more: str = "") -> Result:
    file = folder / "one.py"
    file.write_text(STUDY.format(more=more))
    command, *options = words
    return CliRunner().invoke(group, [command, str(file), *options, "--store", str(folder / "store")])


@pytest.mark.parametrize("kernel", ["flex", "fla"])
def test_a_kernel_that_cannot_train_here_is_refused_before_anything_is_stored(
    kernel: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would be stored as the tasks' result, and stand in the way of a run without the option."""
    monkeypatch.delenv("EFFDSL_KERNEL", raising=False)
    result = invoke(tmp_path, "execute", "--kernel", kernel)
    assert result.exit_code == 2
    assert f"the kernel {kernel} cannot train on a CPU; leave out --kernel" in result.output
    assert not (tmp_path / "store").exists()


def test_fla_is_refused_where_something_else_than_nsa_is_to_run() -> None:
    gpu = GH200
    both = make_plan(Study(Attention([GQA, NSA]), [1 * M], budget=Budget(steps=1)), gpu)
    alone = make_plan(Study(Attention([NSA]), [1 * M], budget=Budget(steps=1)), gpu)
    assert "computes NSA and nothing else" in refusal("fla", both)
    assert (refusal("fla", alone), refusal("flex", both), refusal("math", both)) == ("", "", "")


def test_a_name_with_brackets_is_shown_as_it_is_spelled(tmp_path: Path) -> None:
    result = invoke(tmp_path, "plan", more=", name='[bold]x[/nope]'")
    assert result.exit_code == 0
    assert result.output.startswith("[bold]x[/nope] · ")


def test_a_plan_for_other_hardware_has_a_total_and_a_budget_that_says_it_leaves_nothing_out(
    tmp_path: Path,
) -> None:
    result = invoke(tmp_path, "plan", "--budget", "2h", more=", hw=48 * GH200")
    assert "To run elsewhere: 1 task, " in result.output
    assert "it leaves nothing out" in result.output
