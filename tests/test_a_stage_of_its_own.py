"""A stage is added by adding files: every command works on one that no product file knows."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
ROOMS = ("effdsl", "registry", "runtime", "analysis")
STUDY = """
from effdsl import Study
from sorting_stage import Bubble, Hasty, Numbers, Sorting

study = Study(axis=Sorting([Bubble, Hasty]), models=[Numbers(2), Numbers(12), Numbers(20)], repeats=3)
"""

Run = Callable[..., str]
WITH_THE_STAGE = "import sys, sorting_stage; from effdsl.cli import main; sys.exit(main())"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the study stands."""
    folder = tmp_path_factory.mktemp("sorting")
    (folder / "sorting.py").write_text(STUDY, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def effdsl(folder: Path) -> Run:
    """Runs a command where the study has been executed, in a process that has the stage."""

    def run(*arguments: str, code: int = 0) -> str:
        environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent), "COLUMNS": "200"}
        command = [sys.executable, "-c", WITH_THE_STAGE, *arguments]
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == code, done.stderr
        return done.stderr if code else done.stdout

    assert "15 new" in run("plan", "sorting.py")
    assert "15 ok" in run("execute", "sorting.py")
    return run


def test_the_plan_names_its_subjects_and_says_what_cannot_be_built(effdsl: Run) -> None:
    plan = effdsl("plan", "sorting.py")
    assert "12 numbers" in plan
    assert "Hasty: 2 numbers take fewer than 3 passes" in plan
    assert "15 cached" in plan
    document = json.loads(effdsl("plan", "sorting.py", "--json"))
    assert {cell["algorithm"] for cell in document["cells"] if "algorithm" in cell} == {"Bubble", "Hasty"}


def test_executed_again_nothing_runs(effdsl: Run) -> None:
    assert "nothing to run" in effdsl("execute", "sorting.py")


def test_rankings_take_the_metrics_of_its_stage_with_their_directions(effdsl: Run) -> None:
    found = json.loads(effdsl("rank", "sorting.py", "--json"))
    firsts = {
        (block["metric"], block["comparison"]["scale"]): [
            c["technique"] for c in block["cells"] if c["rank"] == 1
        ]
        for block in found["blocks"]
    }
    assert firsts["sorted_share", "20 numbers"] == ["Bubble"]
    assert firsts["comparisons", "20 numbers"] == ["Hasty"]
    assert "ppl" not in {metric for metric, _ in firsts}


def test_both_are_pareto_optimal(effdsl: Run) -> None:
    found = json.loads(effdsl("pareto", "sorting.py", "--on", "sorted_share,comparisons", "--json"))
    last = found["groups"][-1]
    assert {cell["technique"]: cell["place"] for cell in last["cells"]} == {
        "Bubble": "front",
        "Hasty": "front",
    }


def test_a_recommendation_flips_with_the_bound(effdsl: Run) -> None:
    asked = ("recommend", "sorting.py", "--best", "sorted_share", "--scale", "20 numbers")
    assert "Bubble" in effdsl(*asked)
    bounded = effdsl(*asked, "--where", "comparisons <= 100")
    assert "choice         Hasty" in bounded


def test_the_report_shows_it(effdsl: Run, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    effdsl("report", "-o", str(page))
    text = page.read_text(encoding="utf-8")
    assert "Bubble" in text
    assert "sorted" in text


def test_its_axis_its_setting_and_its_metrics_are_columns(effdsl: Run) -> None:
    columns = 'algorithm, "order", comparisons, ppl'
    query = f"SELECT {columns} FROM results WHERE seed = 0 AND parameters = 20 ORDER BY 1"  # noqa: S608
    rows = json.loads(effdsl("sql", query, "--json"))
    assert rows == [
        {"algorithm": "Bubble", "order": "random", "comparisons": 380.0, "ppl": None},
        {"algorithm": "Hasty", "order": "random", "comparisons": 57.0, "ppl": None},
    ]


def test_a_task_has_reasons_for_metrics_of_its_stage_only(effdsl: Run) -> None:
    (row,) = json.loads(effdsl("sql", "SELECT map_keys(missing) AS missing FROM results LIMIT 1", "--json"))
    assert "aec_w" in row["missing"]
    assert not {"ppl", "fid", "mmlu_pro"} & set(row["missing"])


def test_two_of_its_results_differ_in_what_differs(effdsl: Run) -> None:
    query = "SELECT short_key FROM results WHERE seed = 0 AND parameters = 20 ORDER BY algorithm"
    bubble, hasty = (row["short_key"] for row in json.loads(effdsl("sql", query, "--json")))
    output = effdsl("diff", bubble, hasty)
    assert "algorithm" in output
    assert "comparisons" in output


def test_what_is_exported_has_its_rows(effdsl: Run) -> None:
    exported = list(csv.DictReader(io.StringIO(effdsl("export", "results", "-f", "csv"))))
    assert {row["algorithm"] for row in exported} == {"Bubble", "Hasty"}


def test_a_field_of_another_stage_is_a_mistake_that_says_which_to_give(effdsl: Run, folder: Path) -> None:
    given = STUDY.replace("models=[Numbers(2), Numbers(12), Numbers(20)]", "scales=[3*M]")
    (folder / "mistaken.py").write_text(given.replace("import Study", "import M, Study"), encoding="utf-8")
    assert "Sorting takes models=, not scales=" in effdsl("plan", "mistaken.py", code=2)


def test_no_file_of_the_product_knows_of_it() -> None:
    """It could not be an exception that somebody made for it."""
    found = subprocess.run(
        [
            "git",
            "grep",
            "-il",
            "sorting_stage\\|sorted_share",
            "--",
            "effdsl",
            "registry",
            "runtime",
            "analysis",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.stdout == ""
