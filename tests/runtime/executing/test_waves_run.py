"""``effdsl execute`` of a study that starts from weights, and has learning rates to choose: wave by wave.

The commands run as a user runs them, as processes; the engine pretends, so that they are quick.
"""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from .conftest import Start, effdsl, executed, records, rows, wait_for

pytestmark = pytest.mark.slow  # every test is a few processes that load torch

TEXT = "LocalText('*.txt', held_out_fraction=0.3{})"
BASE = f"""
from effdsl import *
from pretend_waves import *
study = Study(
    Attention([GQA]), [1*M], budget=Budget(steps=10), repeats=1,
    data={TEXT.format(", tokenizer=ByteTokenizer()")}, engine=PretendWaves({{engine}}),
)
"""
MINE = f"""
from effdsl import *
from pretend_waves import *
study = Study(
    FineTuning([{{methods}}]), models={{models}}, budget=Budget(steps=10), repeats={{repeats}},
    data={TEXT.format("")}, engine=PretendWaves({{engine}}), recipe=Recipe({{recipe}}), {{also}}
)
"""
SWEEP = "learning_rate=Sweep([1e-4, 1e-3, 1e-2])"


def write_base(engine: str = "") -> None:
    """The study that leaves the weights: one task a repeat."""
    Path("base.py").write_text(BASE.format(engine=engine), encoding="utf-8")


def write_mine(
    methods: str = "LoRA",
    recipe: str = SWEEP,
    engine: str = "",
    repeats: int | str = 1,
    models: str = "",
    also: str = "",
) -> None:
    """The study that starts from them: with the sweep three trials, then a task a repeat."""
    given = {"methods": methods, "recipe": recipe, "engine": engine, "repeats": repeats, "also": also}
    text = MINE.format(models=models or "Trained('base.py')", **given)
    Path("mine.py").write_text(text, encoding="utf-8")


@pytest.fixture(autouse=True)
def studies(project: Path) -> None:
    write_base()
    write_mine()


def status() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(effdsl("status", "mine.py", "--json").stdout)["tasks"]
    return found


def test_one_command_runs_all_waves_and_a_second_one_nothing(project: Path) -> None:
    write_mine(engine="best=1e-2")
    planned = status()
    assert [task["state"] for task in planned] == ["new", *["waiting"] * 4]
    assert [task["key"] is None for task in planned] == [False] * 4 + [True]
    assert "1 new, 4 waiting" in effdsl("status", "mine.py").stdout
    ran = executed()
    assert (ran["ran"], ran["left"], ran["code"]) == ({"ok": 5}, 0, 0), ran["stderr"]
    assert (ran["planned"]["new"], ran["planned"]["waiting"]) == (1, 4)
    for wave in (
        "1 new, 0 cached, 0 stale, 4 waiting",
        "3 new, 1 cached, 0 stale, 1 waiting",
        "1 new, 4 cached",
    ):
        assert f"mine: {wave}" in ran["stderr"]
    before = {path: path.stat().st_mtime_ns for path in (project / ".effdsl").rglob("*")}
    again = executed()
    assert (again["ran"], again["planned"]["cached"], again["code"]) == ({}, 5, 0)
    assert {path: path.stat().st_mtime_ns for path in (project / ".effdsl").rglob("*")} == before
    asked = rows(project, "SELECT technique, scale FROM study_tasks WHERE study = 'mine'")
    assert asked == [("LoRA", "GQA 1M")], "its own results alone, which are decided last"
    shown = effdsl("plan", "mine.py").stdout
    assert shown.splitlines()[-1] == "Plan: 0 new, 5 cached, 0 stale, 0 infeasible, 0 unavailable"
    assert "the best learning rate is the sweep's highest" in " ".join(shown.split())
    assert [task["state"] for task in status()] == ["ok"] * 5
    assert rows(project, "SELECT stage, count(*) FROM results GROUP BY stage ORDER BY stage") == [
        ("fine-tuning", 1), ("pretraining", 1), ("tuning", 3),
    ]  # fmt: skip


def test_what_the_other_study_has_run_already_is_not_run_again(project: Path) -> None:
    assert effdsl("execute", "base.py").returncode == 0
    write_mine(recipe="")
    ran = executed()
    assert (ran["ran"], ran["planned"]["cached"]) == ({"ok": 1}, 1)


def test_only_weights_that_others_start_from_are_kept_against_the_studys_word(project: Path) -> None:
    """Of upstream tasks always, of trials never."""
    write_mine(also="keep_checkpoints=False")
    executed()
    ((upstream,),) = rows(project, "SELECT key FROM results WHERE stage = 'pretraining'")
    assert [path.name for path in (project / ".effdsl" / "artifacts").iterdir()] == [upstream]
    assert executed()["ran"] == {}


def test_killed_between_waves_the_same_command_goes_on(project: Path, start: Start) -> None:
    write_mine(engine="seconds=10")
    process = start("execute", "mine.py")
    wait_for(lambda: len(records(project)) == 1 and len(list((project / ".effdsl").glob("logs/*"))) == 2)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    write_mine()
    ran = executed()
    assert (ran["ran"], ran["planned"]["cached"]) == ({"ok": 4}, 1)
    assert rows(project, "SELECT count(*), count(DISTINCT key) FROM attempts") == [(5, 5)]


def test_ctrl_c_in_the_last_task_of_a_wave_starts_no_other_wave(project: Path, start: Start) -> None:
    write_base("seconds=2")
    process = start("execute", "mine.py")
    wait_for(lambda: list((project / ".effdsl").glob("logs/*")))
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=60)
    assert "press Ctrl-C again" in errors
    assert process.returncode == 130
    assert "mine: 1 ok, 3 left to run." in out
    assert len(records(project)) == 1
    assert executed()["ran"] == {"ok": 4}


def test_two_executors_side_by_side_run_each_task_once(project: Path, start: Start) -> None:
    write_base("seconds=0.3")
    write_mine(engine="seconds=0.3")
    both = [start("execute", "mine.py", "--json") for _ in range(2)]
    ran = [json.loads(process.communicate(timeout=120)[0])["ran"] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sum(one.get("ok", 0) for one in ran) == 5
    assert rows(project, "SELECT count(*), count(DISTINCT key) FROM attempts") == [(5, 5)]


def test_weights_that_were_removed_are_made_again_for_a_method_more(project: Path) -> None:
    executed()
    assert "checkpoint" in effdsl("store", "gc", "--artifacts", "--delete").stdout
    assert executed()["ran"] == {}
    write_mine("LoRA, Full")
    assert "others start from its weights, which are not kept" in " ".join(
        effdsl("plan", "mine.py").stdout.split()
    )
    ran = executed()
    assert (ran["ran"], ran["planned"]["new"], ran["code"]) == ({"ok": 5}, 1, 0), ran["stderr"]
    assert rows(project, "SELECT count(*), count(DISTINCT key) FROM attempts") == [(10, 9)]


def test_what_starts_from_a_task_that_failed_is_infeasible_and_a_retry_runs_all_of_it(project: Path) -> None:
    write_base("ends='failed'")
    first = effdsl("execute", "mine.py")
    assert first.returncode == 1
    assert "mine: 1 failed." in first.stdout
    assert "4 infeasible; `effdsl plan mine.py` says why." in first.stdout
    assert "1 failed; `effdsl execute mine.py --retry failed` runs it again." in first.stdout
    shown = " ".join(effdsl("plan", "mine.py").stdout.split())
    assert "starts from the weights of GQA 1M seed 0, which ended as failed" in shown
    assert "waiting" not in shown
    kept = executed()
    assert (kept["ran"], kept["planned"]["infeasible"], kept["code"]) == ({}, 4, 1)
    write_base()
    retried = effdsl("execute", "mine.py", "--retry", "failed", "--json")
    assert json.loads(retried.stdout)["ran"] == {"ok": 5}
    assert retried.returncode == 0


def test_a_retry_makes_the_weights_again_that_it_starts_from(project: Path) -> None:
    write_mine(recipe="", engine="ends='failed'")
    assert executed()["ran"] == {"ok": 1, "failed": 1}
    effdsl("store", "gc", "--artifacts", "--delete")
    write_mine(recipe="")
    retried = effdsl("execute", "mine.py", "--retry", "failed", "--json")
    assert json.loads(retried.stdout)["ran"] == {"ok": 2}, retried.stderr


def test_a_retry_of_trials_goes_on_to_what_they_decide(project: Path) -> None:
    write_mine(engine="ends='diverged'")
    first = effdsl("execute", "mine.py")
    assert "mine: 1 ok, 3 diverged." in first.stdout
    assert "1 infeasible; `effdsl plan mine.py` says why." in first.stdout
    assert "no trial of LoRA GQA 1M ended well" in " ".join(effdsl("plan", "mine.py").stdout.split())
    write_mine(engine="ends='diverged', at_rates=[1e-3, 1e-2]")
    retried = effdsl("execute", "mine.py", "--retry", "diverged", "--json")
    assert json.loads(retried.stdout)["ran"] == {"ok": 2, "diverged": 2}
    assert "the sweep's lowest" in " ".join(effdsl("plan", "mine.py").stdout.split())


def test_weights_that_find_no_room_are_not_tried_again_and_again(project: Path) -> None:
    write_base("ends='full'")
    first = effdsl("execute", "mine.py")
    assert first.returncode == 1
    assert "GQA 1M seed 0: its weights could not be kept, so nothing can start from them" in first.stderr
    assert "mine: 1 ok." in first.stdout
    assert "4 waiting; `effdsl plan mine.py` says why." in first.stdout
    assert len(records(project)) == 1
    write_base()
    assert executed()["ran"] == {"ok": 5}


def test_a_study_may_start_from_weights_that_it_leaves_itself(project: Path) -> None:
    """They are kept for that, whatever the study says, and are results of it all the same."""
    write_mine(recipe="")
    (project / "first.py").write_text((project / "mine.py").read_text())
    models = "[Trained('base.py'), Trained('first.py')]"
    write_mine(recipe="", models=models, also="keep_checkpoints=False")
    ran = executed()
    assert (ran["ran"], ran["code"]) == ({"ok": 3}, 0), ran["stderr"]
    assert executed()["ran"] == {}
    remembered = rows(project, "SELECT technique, scale FROM study_tasks WHERE study = 'mine'")
    assert sorted(remembered) == [("LoRA", "GQA 1M"), ("LoRA", "LoRA GQA 1M")]


def test_a_limit_holds_for_all_waves_together(project: Path) -> None:
    refused = effdsl("execute", "mine.py", "--limit", "1h")
    assert refused.returncode == 2
    assert "run one task of it first" in " ".join(refused.stderr.split())
    write_base("seconds=1")
    write_mine(recipe="", engine="seconds=1")
    assert executed()["ran"] == {"ok": 2}
    write_mine(recipe="", engine="seconds=1", repeats=4)
    limited = effdsl("execute", "mine.py", "--limit", "3s")
    assert "left out by the limit of 3s" in limited.stdout
    assert limited.returncode == 0
    done = len(records(project))
    assert 2 < done < 8
    ran = executed()
    assert (ran["ran"], ran["planned"]["cached"]) == ({"ok": 8 - done}, done)


def test_a_wave_whose_price_is_not_known_ends_a_run_with_a_limit_and_says_so(project: Path) -> None:
    effdsl("execute", "base.py")
    write_mine(recipe="", repeats="Seeds(1)")
    limited = effdsl("execute", "mine.py", "--limit", "1h")
    assert limited.returncode == 2
    assert "Nothing more was run: a limit of " in limited.stderr
    assert "needs the time of LoRA GQA 1M, not known yet" in limited.stderr
    assert "mine: 1 ok." in limited.stdout
    assert executed()["ran"] == {"ok": 1}


def test_a_study_may_start_from_one_task_by_its_key(project: Path) -> None:
    """Each repeat from the same weights; they are not made again, whatever is retried, and what was removed
    is a mistake in the study."""
    effdsl("execute", "base.py")
    ((key,),) = rows(project, "SELECT short_key FROM results")
    write_mine(models=f"Trained('{key}')", repeats=2)
    ran = executed()
    assert (ran["ran"], ran["code"]) == ({"ok": 5}, 0), ran["stderr"]
    assert rows(project, "SELECT DISTINCT scale FROM results WHERE stage = 'fine-tuning'") == [
        ("GQA 1M seed 0",)
    ]
    retried = json.loads(effdsl("execute", "mine.py", "--retry", "ok", "--json").stdout)
    assert retried["ran"] == {"ok": 5}
    effdsl("store", "gc", "--artifacts", "--delete")
    refused = effdsl("plan", "mine.py")
    assert refused.returncode == 2
    assert (
        f"mine.py:5: at Trained({key}): the weights of {key}, GQA 1M seed 0, were removed" in refused.stderr
    )
