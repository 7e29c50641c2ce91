"""``effdsl execute``: nothing runs twice, nothing done is lost, every ending is a row.

The commands run as a user runs them, as processes; the engine pretends, so that they are quick.
"""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import psutil
import pytest

from .conftest import Start, effdsl, either, executed, records, rows, wait_for, write_study

pytestmark = pytest.mark.slow  # every test is a few processes that load torch


def test_what_has_run_is_not_run_again_and_nothing_is_written(project: Path) -> None:
    write_study(project)
    ran = executed()
    assert ran["ran"] == {"ok": 4}, ran["stderr"]
    before = {path: path.stat().st_mtime_ns for path in (project / ".effdsl").rglob("*")}
    again = executed()
    assert (again["ran"], again["planned"]["cached"], again["code"]) == ({}, 4, 0)
    assert {path: path.stat().st_mtime_ns for path in (project / ".effdsl").rglob("*")} == before


def test_an_added_technique_runs_alone(project: Path) -> None:
    write_study(project)
    executed()
    write_study(project, "MQA, GQA, GQA(kv_heads=4)")
    assert executed()["ran"] == {"ok": 2}


def test_a_budget_is_refused_until_the_speed_is_known_and_then_kept(project: Path) -> None:
    write_study(project, "MQA", seconds=1, repeats=1)
    refused = effdsl("execute", "mine.py", "--limit", "1h")
    assert refused.returncode == 2
    assert "run one task of it first" in " ".join(refused.stderr.split())
    executed()
    write_study(project, "MQA, GQA", seconds=1, repeats=3)
    planned = effdsl("plan", "mine.py", "--limit", "3s")
    assert planned.stdout.splitlines()[-1].endswith("left out")
    ran = effdsl("execute", "mine.py", "--limit", "3s")
    assert "left out by the limit of 3s; run again for more." in ran.stdout
    assert 2 <= len(records(project)) < 6


def test_predictions_are_shown_beside_what_finished_tasks_took(project: Path) -> None:
    write_study(project)
    executed()
    (group,) = json.loads(effdsl("plan", "mine.py", "--calibration", "--json").stdout)["groups"]
    assert (group["tasks"], group["group"]["engine"]) == (4, "pretend")
    assert group["time"]["low"] <= 1 <= group["time"]["high"]
    assert effdsl("plan", "mine.py", "--calibration").stdout.count("–") >= 2  # ranges
    assert effdsl("plan", "--calibration").returncode == 0  # where no engine of a study has run
    write_study(project, repeats=3)
    assert "speed calibrated from 4 tasks: " in effdsl("plan", "mine.py").stdout


@either
def test_killed_in_the_middle_only_what_was_missing_runs(project: Path, start: Start, engine: str) -> None:
    write_study(project, seconds=0.3, engine=engine)
    process = start("execute", "mine.py")
    wait_for(lambda: len(records(project)) >= 1)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    done = len(records(project))
    assert 1 <= done < 4
    assert executed()["ran"] == {"ok": 4 - done}
    assert rows(project, "SELECT count(*) FROM attempts") == [(4,)]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL])
def test_a_signal_to_the_whole_group_leaves_no_record_of_the_task_it_cut_short(
    project: Path, start: Start, number: signal.Signals
) -> None:
    """A scheduler signals every process of a job, the fork server among them."""
    write_study(project, "MQA", seconds=3, repeats=1)
    process = start("execute", "mine.py")
    wait_for(lambda: list((project / ".effdsl").glob("logs/*")))
    os.killpg(process.pid, number)
    time.sleep(0.3)
    if process.poll() is None:  # Ctrl-C once finishes the task
        os.killpg(process.pid, number)
    process.communicate(timeout=20)
    assert not records(project)
    write_study(project, "MQA", seconds=3, repeats=1)
    assert executed()["ran"] == {"ok": 1}


def test_a_group_that_is_ended_while_data_are_prepared_is_interrupted(project: Path, start: Start) -> None:
    (project / "0.txt").write_text("To be, or not to be. " * 2_000_000)
    write_study(project, "MQA", repeats=1)
    process = start("execute", "mine.py", "--progress", "plain")
    wait_for(lambda: list((project / "cache").glob("corpora/.*")))
    os.killpg(process.pid, signal.SIGTERM)
    out, errors = process.communicate(timeout=20)
    assert process.returncode == 128 + signal.SIGTERM, errors
    assert "1 left to run; `effdsl execute mine.py` goes on." in out


@either
def test_no_worker_outlives_a_killed_executor(project: Path, start: Start, engine: str) -> None:
    write_study(project, seconds=30, engine=engine)
    process = start("execute", "mine.py")
    wait_for(lambda: list((project / ".effdsl").glob("logs/*")))
    mine = psutil.Process(process.pid).children(recursive=True)
    assert len(mine) >= 2  # the fork server and the worker
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    wait_for(lambda: not any(child.is_running() for child in mine), 20)


def test_two_executors_side_by_side_run_each_task_once(project: Path, start: Start) -> None:
    write_study(project, "MQA, GQA, MHA", seconds=0.2)
    both = [start("execute", "mine.py", "--json") for _ in range(2)]
    ran = [json.loads(process.communicate(timeout=120)[0])["ran"] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sum(r.get("ok", 0) for r in ran) == 6
    assert rows(project, "SELECT count(*), count(DISTINCT key) FROM attempts") == [(6, 6)]


def test_the_store_answers_while_execute_runs(project: Path, start: Start) -> None:
    write_study(project, seconds=2.0, repeats=30)
    process = start("execute", "mine.py")
    wait_for(lambda: records(project))
    asked = effdsl("sql", "SELECT count(*) AS n FROM results", "--json")
    ranked = effdsl("rank", "mine", "--metric", "ppl")
    running = effdsl("status", "mine.py")
    assert process.poll() is None
    assert asked.returncode == 0, asked.stderr
    assert ranked.returncode == 0, ranked.stderr
    assert "running: " in running.stdout


@either
@pytest.mark.parametrize(
    ("ends", "outcome", "reason"),
    [
        ("ok", "ok", ""),
        ("diverged", "diverged", "the loss is nan at step 3"),
        ("oom", "oom", "can't allocate memory"),
        ("failed", "failed", "KeyError: 'no such thing'"),
        ("odd", "failed", "TypeError: '<=' not supported"),
        ("killed", "failed", "killed by signal 9"),
        ("exits", "failed", "exited with code 7"),
    ],
)
def test_every_ending_is_a_row_with_its_reason(
    project: Path, engine: str, ends: str, outcome: str, reason: str
) -> None:
    write_study(project, "MQA", ends=ends, repeats=1, engine=engine)
    ran = executed()
    assert (ran["ran"], ran["code"]) == ({outcome: 1}, int(outcome != "ok"))
    ((stored, why, ppl),) = rows(project, "SELECT outcome, reason, ppl FROM results")
    assert (stored, ppl is None) == (outcome, outcome != "ok")
    assert reason in why
    ((log,),) = [[path.read_text() for path in (project / ".effdsl" / "logs").iterdir()]]
    assert "what the engine printed" in log
    assert not list((project / ".effdsl").glob("running/*/result.json"))


def test_a_study_of_which_one_technique_ended_well_is_a_success(project: Path) -> None:
    """What does not fit or diverges is a result; where nothing else is, there is nothing to rank."""
    write_study(project, "MQA", ends="oom", repeats=1)
    assert "None ended well; `effdsl rank mine` says how each ended." in effdsl("execute", "mine.py").stdout
    write_study(project, "MQA, GQA", ends="ok", repeats=1)
    more = executed()
    assert (more["ran"], more["planned"]["oom"], more["code"]) == ({"ok": 1}, 1, 0)


def test_a_name_that_meant_another_file_is_said_to_mean_this_one_now(project: Path) -> None:
    write_study(project, "MQA", repeats=1)
    (project / "other").mkdir()
    (project / "other" / "mine.py").write_text((project / "mine.py").read_text())
    assert "from now on" not in effdsl("execute", "mine.py").stderr
    said = f"'mine' meant {project / 'mine.py'} so far; from now on it means this file"
    assert said in effdsl("execute", "other/mine.py").stderr


def test_a_failure_is_kept_and_run_again_only_when_asked(project: Path) -> None:
    write_study(project, "MQA", ends="failed", repeats=1)
    executed()
    write_study(project, "MQA", ends="ok", repeats=1)
    kept = executed()
    assert (kept["ran"], kept["code"]) == ({}, 1)
    assert kept["planned"]["failed"] == 1
    assert kept["planned"]["cached"] == 0
    write_study(project, "MQA, GQA", ends="ok", repeats=1)
    more = effdsl("execute", "mine.py")
    assert more.returncode == 1
    assert "mine: 1 ok, 1 failed earlier." in more.stdout
    assert "`effdsl execute mine.py --retry failed` runs it again." in more.stdout
    write_study(project, "MQA", ends="ok", repeats=1)
    retried = effdsl("execute", "mine.py", "--retry", "failed,oom", "--json")
    assert json.loads(retried.stdout)["ran"] == {"ok": 1}
    assert rows(project, "SELECT outcome FROM results") == [("ok",), ("ok",)]
    assert rows(project, "SELECT count(*) FROM attempts") == [(3,)]


def test_a_failed_task_shows_its_log_and_the_others_still_run(project: Path) -> None:
    write_study(project, "MQA, GQA", ends="failed", repeats=1)
    ran = executed()
    assert ran["ran"] == {"failed": 2}
    assert "KeyError" in ran["stderr"]
    assert "what the engine printed" in ran["stderr"]
    write_study(project, "MHA, MLA", ends="failed", repeats=1)
    stopped = effdsl("execute", "mine.py", "--fail-fast", "--json")
    assert json.loads(stopped.stdout)["ran"] == {"failed": 1}
    assert json.loads(stopped.stdout)["left"] == 1
    assert stopped.returncode == 1


@either
def test_a_task_whose_input_is_at_fault_says_so_in_a_sentence(project: Path, engine: str) -> None:
    """What to do is in it; the traceback is in the log alone, whose name is said."""
    write_study(project, "MQA", ends="unreadable", repeats=1, engine=engine)
    ran = executed()
    assert (ran["ran"], ran["code"]) == ({"failed": 1}, 1)
    (log,) = (project / ".effdsl" / "logs").iterdir()
    assert "failed: the weights in mine/ are damaged; copy them again\n" in ran["stderr"]
    assert f"log: {log}" in ran["stderr"]
    assert "Traceback" not in ran["stderr"]
    assert "Traceback" in log.read_text(encoding="utf-8")
    assert rows(project, "SELECT reason FROM results") == [
        ("the weights in mine/ are damaged; copy them again",)
    ]


@either
def test_a_task_that_takes_too_long_is_stopped_and_recorded(project: Path, engine: str) -> None:
    write_study(project, "MQA", seconds=60, repeats=1, engine=engine)
    ran = effdsl("execute", "mine.py", "--timeout", "1s", "--json")
    assert json.loads(ran.stdout)["ran"] == {"timeout": 1}
    assert rows(project, "SELECT outcome, reason FROM results") == [("timeout", "stopped after 1 s")]
    modules = rows(project, "SELECT module FROM results JOIN code USING (code)")
    assert ("effdsl_runtime.model.decoder",) in modules  # a change there is a change of what ran


def test_ctrl_c_once_finishes_the_task_and_twice_stops_at_once(project: Path, start: Start) -> None:
    write_study(project, seconds=1.0)
    process = start("execute", "mine.py")
    wait_for(lambda: list((project / ".effdsl").glob("logs/*")))
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "press Ctrl-C again" in errors
    assert "mine: 1 ok, 3 left to run." in out
    assert "3 left to run; `effdsl execute mine.py` goes on." in out
    assert len(records(project)) == 1
    write_study(project, seconds=50)
    process = start("execute", "mine.py")
    wait_for(lambda: len(list((project / ".effdsl").glob("logs/*"))) == 2)
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=20)
    assert process.returncode == 130
    assert out.startswith("mine: 4 left to run.")
    assert len(records(project)) == 1


def test_data_that_cannot_be_had_say_so_before_any_task(project: Path) -> None:
    write_study(project, "MQA", repeats=1)
    for path in project.glob("*.txt"):
        path.write_text("")
    ran = effdsl("execute", "mine.py")
    assert ran.returncode == 1
    assert "1 infeasible; `effdsl plan mine.py` says why" in ran.stdout + ran.stderr
    assert "Traceback" not in ran.stderr
    assert not records(project)
    why = " ".join(effdsl("plan", "mine.py").stdout.split())
    assert "too few to train on context_length=256" in why


def test_a_context_longer_than_the_text_is_refused_before_any_task_and_from_then_on_by_the_plan(
    project: Path,
) -> None:
    write_study(project, "MQA", repeats=1)
    study = (project / "mine.py").read_text()
    (project / "mine.py").write_text(
        study.replace("[1*M]", "[1*M, 2*M]").replace(
            "repeats", "per_scale={2*M: Budget(context_length=20_000)}, repeats"
        )
    )
    ran = effdsl("execute", "mine.py")
    assert "mine: 1 ok, 1 infeasible." in ran.stdout
    assert "tokens, fewer than context_length=20,000 + 1" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert "1 cached, 0 stale, 1 infeasible" in effdsl("plan", "mine.py").stdout
    (project / "mine.py").write_text(study.replace("steps=10", "steps=10, context_length=20_000"))
    (project / "other.txt").write_text("To be. " * 10)  # another text, to prepare anew
    refused = effdsl("execute", "mine.py")
    assert (refused.returncode, "Nothing was run: the held-out part has" in refused.stderr) == (1, True)
    assert len(records(project)) == 1


def test_status_counts_and_show_tells_what_was_measured(project: Path) -> None:
    write_study(project, "MQA", repeats=2)
    executed()
    counted = json.loads(effdsl("status", "mine.py", "--json").stdout)
    assert [task["state"] for task in counted["tasks"]] == ["ok", "ok"]
    shown = effdsl("show", counted["tasks"][0]["key"][:10])
    assert "al_s_per_iter" in shown.stdout
    assert "to be" in shown.stdout
    assert "aec_w" in shown.stdout
