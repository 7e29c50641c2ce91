"""``effdsl plan`` and ``execute`` as a user types them: what is refused, and how names are shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from effdsl_runtime.kernel_option import KERNEL, refusal

from effdsl import GH200, GQA, NSA, Attention, Budget, M, Study
from effdsl.cli import group
from effdsl.hardware import Hardware
from effdsl.planner import make_plan

LAPTOP = Hardware(name="a laptop", kind="cpu")
STUDY = """from effdsl import *
study = Study(Attention([GQA]), [1*M], budget=Budget(steps=4), repeats=1{more})
"""


@pytest.fixture(autouse=True)
def no_kernel_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KERNEL, "")  # and put back whatever --kernel leaves there


def invoke(folder: Path, *words: str, more: str = "") -> Result:
    file = folder / "one.py"
    file.write_text(STUDY.format(more=more))
    command, *options = words
    return CliRunner().invoke(group, [command, str(file), *options, "--store", str(folder / "store")])


@pytest.mark.parametrize("kernel", ["flex", "fla"])
def test_a_kernel_that_cannot_train_here_is_refused_before_anything_is_stored(
    kernel: str, tmp_path: Path
) -> None:
    """It would be stored as the tasks' result, and stand in the way of a run without the option."""
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


def test_a_plan_for_other_hardware_has_a_total_and_keeps_to_a_budget(tmp_path: Path) -> None:
    elsewhere = ", hw=GH200, price_per_device_hour=2.5"
    whole = json.loads(invoke(tmp_path, "plan", "--json", more=elsewhere).output)["estimated"]
    assert whole["to_run"] is None
    assert (whole["to_run_elsewhere"]["tasks"], whole["to_run_elsewhere"]["seconds"] > 0) == (1, True)
    assert "To run elsewhere: 1 task, " in invoke(tmp_path, "plan", "--limit", "$10", more=elsewhere).output
    nothing = invoke(tmp_path, "plan", "--limit", "$0", more=elsewhere).output
    assert "To run elsewhere" not in nothing
    assert "0 unavailable, 1 left out" in nothing


def test_a_plan_shows_how_several_devices_could_divide_each_cell(tmp_path: Path) -> None:
    """With memory and step of each way, and why it is not taken; of one device that there is none."""
    result = invoke(tmp_path, "plan", "--layout", more=", hw=8*H200, engine=Megatron()")
    assert result.exit_code == 0
    assert "GQA at 1M on 8 × H200 SXM by megatron" in result.output
    (taken,) = [line for line in result.output.splitlines() if line.endswith("yes")]
    assert taken.startswith("8 data parallel ")
    assert "% slower" in result.output
    found = json.loads(invoke(tmp_path, "plan", "--layout", "--json", more=", hw=8*H200").stdout)
    assert [one["taken"] for one in found["cells"][0]["layouts"]] == [True, False]
    assert "Nothing here runs on several devices" in invoke(tmp_path, "plan", "--layout").output


def test_execute_suggests_commands_that_work_from_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "`effdsl plan one.py` says why" in invoke(tmp_path, "execute", more=", hw=GH200").output
    (tmp_path / "studies").mkdir()
    assert "`effdsl plan one` says why" in invoke(tmp_path / "studies", "execute", more=", hw=GH200").output


def test_what_a_study_prints_is_no_part_of_the_answer(tmp_path: Path) -> None:
    result = invoke(tmp_path, "plan", "--json", more=", keep=lambda cell: print('hello') or True")
    assert json.loads(result.stdout)["schema"] == "effdsl/plan"
    assert "hello" in result.stderr


@pytest.mark.slow
@pytest.mark.parametrize("text", ["2h30m", "1m15s", "0.03s"])
def test_a_duration_is_read_as_it_is_printed(text: str, tmp_path: Path) -> None:
    result = invoke(tmp_path, "execute", "--timeout", text, more=", hw=GH200")
    assert (result.exit_code, "unavailable" in result.output) == (1, True)


@pytest.mark.parametrize("text", ["0s", "2", "-1h", "1s2h", "soon"])
def test_what_is_no_duration_is_refused_with_examples(text: str, tmp_path: Path) -> None:
    result = invoke(tmp_path, "execute", "--timeout", text)
    assert (result.exit_code, "write e.g. 90s, 20m or 2h30m" in result.output) == (2, True)


@pytest.mark.parametrize("threads", ["abc", "0", "-2", "1.5", "²"])
def test_what_is_no_number_of_threads_is_refused_before_anything_runs(
    threads: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EFFDSL_THREADS", threads)
    result = invoke(tmp_path, "execute")
    assert (result.exit_code, f"EFFDSL_THREADS={threads!r} is no number of threads" in result.output) == (
        2,
        True,
    )
    assert not (tmp_path / "store").exists()
