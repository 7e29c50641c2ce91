"""The SQL cookbook: every question can be asked, has the columns it shows, and a right answer."""

from __future__ import annotations

import csv
import re
import runpy
import statistics
from collections import Counter, defaultdict
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from effdsl_registry.guarded_sql import ask
from effdsl_registry.records import Row
from effdsl_registry.schema import PUBLIC_VIEWS

DOCS = Path(__file__).parents[2] / "docs"
COOKBOOK = (DOCS / "cookbook.md").read_text(encoding="utf-8")
EXAMPLES = list(runpy.run_path(str(DOCS / "answers.py"))["examples"](COOKBOOK))
QUESTIONS = [example for example in EXAMPLES if example.language == "sql"]
NAMES = [line[3:] for line in COOKBOOK.splitlines() if line.startswith("## ")]
SEEDS = (0, 1, 2)
PPL = {
    "MQA": (61.0, 63.0, 62.5),
    "GQA": (60.0, 61.0, 59.0),
    "MLA": (57.0, 58.0, 56.5),
    "NSA": (55.0, 54.0, 56.0),
}
SECONDS = {"MQA": 0.10, "GQA": 0.11, "MLA": 0.15, "NSA": 0.30, "Mamba": 0.5, "RWKV4": 0.125}
CACHE = {
    "MQA": (0, 512),
    "GQA": (0, 1024),
    "MLA": (0, 1152),
    "NSA": (77_568, 1280),
    "Mamba": (7, 0),
    "RWKV4": (5, 0),
}
SHARES = {0: (0.25, 0.5, 0.125, 0.125), 1: (0.75, 0.25, 0.0, 0.0), 2: (0.25, 0.25, 0.25, 0.25)}
TRAINER = "effdsl_runtime.engines.trainer"


def curve(technique: str, seed: int) -> list[tuple[int, float]]:
    return [(step, 6 - (len(technique) + seed) * step / 1000) for step in range(3, 151, 3)]


def decoded(technique: str, seed: int) -> tuple[Row, ...]:
    fixed, per_token = CACHE[technique]
    return tuple(
        {
            "context": n,
            "prefill_s": 0.1,
            "decode_s_per_token": SECONDS[technique] * (1 + seed) / 1000 + n / 1e6,
            "cache_bytes": fixed + per_token * n,
        }
        for n in (64, 128, 256)
    )


@pytest.fixture(scope="module")
def full(shared_shelf: Any) -> Any:
    """Two small studies of three repeats, a mixture of experts, two failures, two versions of the code."""
    for technique, seed in product(CACHE, SEEDS):
        shared_shelf.add(
            technique,
            study="small/attention" if technique in PPL else "small/attention_free",
            seed=seed,
            kernel="reference" if technique == "NSA" else "sdpa",
            code={TRAINER: ("b" if seed == 2 else "a") * 64, "effdsl.shapes": "c" * 64},
            missing={"aec_w": "no power meter"},
            ppl=PPL[technique][seed] if technique in PPL else None,
            al_s_per_iter=SECONDS[technique] * (1 + seed / 10),
            loss_curve=curve(technique, seed),
            decoding=decoded(technique, seed),
        )
    for seed, shares in SHARES.items():
        shared_shelf.add("MoE", seed=seed, amu_gb=2.0, expert_shares=(shares,))
    shared_shelf.add("MHA", study="small/attention", outcome="oom", reason="out of memory at step 3")
    shared_shelf.add("MHA", seed=1, study="small/attention", outcome="oom", reason="out of memory at step 3")
    return shared_shelf


def answer(store: Any, number: int) -> list[dict[str, Any]]:
    found = ask(store, QUESTIONS[number - 1].asked)
    return [dict(zip((c.name for c in found.columns), row, strict=True)) for row in found.rows]


def printed(paper: Any, file: str = "table03_attention.csv") -> dict[str, dict[str, dict[str, float]]]:
    """The numbers of a table by size and method."""
    table: dict[str, dict[str, dict[str, float]]] = defaultdict(dict)
    with (paper.folder / file).open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            numbers = {
                k: float(v) for k, v in row.items() if k in ("ppl", "amu_gb", "aec_w", "al_s_per_iter")
            }
            numbers["hours"] = float(row["gpu_hours_per_gpu"]) * int(row["gpus"])
            table[row["parameters_printed"]][row["method"]] = numbers
    return table


def test_there_are_ten_questions_each_with_its_answer() -> None:
    assert [name.partition(".")[0] for name in NAMES[:-1]] == [str(n) for n in range(1, 11)]
    assert len(QUESTIONS) == 10
    assert COOKBOOK.count("```sql") == 10
    assert all(question.answer.count("\n") >= 2 for question in QUESTIONS)


@pytest.mark.parametrize("question", QUESTIONS, ids=NAMES[:-1])
def test_a_question_asks_public_views_only(question: Any) -> None:
    named = set(re.findall(r"\b(?:FROM|JOIN)\s+([\w.]+)", question.asked))
    steps = set(re.findall(r"^(?:WITH )?(\w+) AS \($", question.asked, re.MULTILINE))
    assert named - steps <= set(PUBLIC_VIEWS)


@pytest.mark.slow
@pytest.mark.parametrize("question", QUESTIONS, ids=NAMES[:-1])
def test_a_question_has_the_columns_it_shows_and_rows_where_there_is_evidence(
    question: Any, full: Any
) -> None:
    found = ask(full.store, question.asked)
    assert [column.name for column in found.columns] == question.answer.splitlines()[0].split()
    assert len(found) > 0


@pytest.mark.slow
@pytest.mark.parametrize("question", QUESTIONS, ids=NAMES[:-1])
def test_where_nothing_was_measured_a_question_has_its_columns_and_only_printed_rows(
    question: Any, nothing: Any
) -> None:
    found = ask(nothing, question.asked)
    assert [column.name for column in found.columns] == question.answer.splitlines()[0].split()
    assert (len(found) == 0) == question.measured


def test_the_cheapest_near_the_best_is_that_of_the_csv_file(nothing: Any, paper: Any) -> None:
    expected = []
    for size, runs in printed(paper).items():
        best = min(run["ppl"] for run in runs.values())
        for pct in (2, 5):
            near = {name: run for name, run in runs.items() if run["ppl"] <= best * (100 + pct) / 100}
            name = min(near, key=lambda name: near[name]["hours"])
            expected.append([size, pct, name, near[name]["ppl"], pytest.approx(near[name]["hours"])])
    assert [list(row.values()) for row in answer(nothing, 1)] == expected


def test_nothing_beats_what_is_on_the_front_and_something_beats_the_rest(nothing: Any, paper: Any) -> None:
    found = {(row["size"], row["technique"]) for row in answer(nothing, 2)}
    table = printed(paper)
    for size, runs in table.items():
        points = {name: (run["ppl"], run["amu_gb"]) for name, run in runs.items()}
        for name, (ppl, gb) in points.items():
            beaten = any(p <= ppl and g <= gb and (p, g) != (ppl, gb) for p, g in points.values())
            assert ((size, name) in found) == (not beaten)
    assert len(found) == len(answer(nothing, 2))


def test_energy_per_percent_is_power_times_hours_over_the_gain(nothing: Any, paper: Any) -> None:
    expected = {}
    for size, runs in printed(paper).items():
        base = runs["gqa"]
        for name, run in runs.items():
            gain = 100 * (base["ppl"] - run["ppl"]) / base["ppl"]
            more = (run["aec_w"] * run["hours"] - base["aec_w"] * base["hours"]) / 1e6
            if gain > 0:
                expected[size, name] = pytest.approx([gain, more, more / gain])
    found = {(row["size"], row["technique"]): list(row.values())[2:] for row in answer(nothing, 3)}
    assert found == expected


def test_every_reading_note_of_a_table_of_results_is_counted(nothing: Any, paper: Any) -> None:
    lines = defaultdict(list)
    for file in sorted(paper.folder.glob("table*.csv")):
        with file.open(encoding="utf-8", newline="") as text:
            for line, row in enumerate(csv.DictReader(text), start=1):
                for note in filter(None, (row.get("reading_note") or "").split("; ")):
                    lines[note, int(file.name[5:7])].append(line)
    results = {place: where for place, where in lines.items() if place[1] not in (1, 2, 14, 15)}
    found = {
        (row["note"], row["table_number"]): (row["lines"], row["first_line"]) for row in answer(nothing, 4)
    }
    assert found == {place: (len(where), min(where)) for place, where in results.items()}


@pytest.mark.slow
def test_printed_and_measured_values_are_multiples_of_the_best_in_each(full: Any, paper: Any) -> None:
    table = printed(paper)["3B"]
    for row in answer(full.store, 5):
        name = row["technique"]
        assert row["printed_ppl"] == pytest.approx(table[name.lower()]["ppl"] / 7.29)
        assert row["printed_al"] == pytest.approx(table[name.lower()]["al_s_per_iter"] / 0.1458)
        assert row["measured_ppl"] == pytest.approx(statistics.fmean(PPL[name]) / 55)
        assert row["measured_al"] == pytest.approx(SECONDS[name] / SECONDS["MQA"])
    assert [row["technique"] for row in answer(full.store, 5)] == ["MLA", "NSA", "GQA", "MQA"]


def test_losses_at_equal_time_are_read_off_each_curve(full: Any) -> None:
    expected = {}
    for technique in ("Mamba", "RWKV4"):
        ends, losses, steps = [], [], []
        for seed in SEEDS:
            points = curve(technique, seed)
            in_time = [(n, loss) for n, loss in points if n * SECONDS[technique] * (1 + seed / 10) <= 15]
            ends.append(statistics.fmean(loss for _, loss in points[-5:]))
            losses.append(statistics.fmean(loss for _, loss in in_time[-5:]))
            steps.append(in_time[-1][0])
        expected[technique] = pytest.approx([statistics.fmean(each) for each in (ends, losses, steps)])
    assert {row["technique"]: list(row.values())[1:] for row in answer(full.store, 6)} == expected


def test_spreads_are_sample_deviations_over_means(full: Any) -> None:
    spreads = [100 * statistics.stdev(each) / statistics.fmean(each) for each in PPL.values()]
    (ppl,) = (row for row in answer(full.store, 7) if row["label"] == "PPL")
    assert (ppl["cells"], ppl["widest_pct"]) == (4, pytest.approx(max(spreads)))
    assert ppl["typical_pct"] == pytest.approx(statistics.median(spreads))
    (memory,) = (row for row in answer(full.store, 7) if row["label"] == "AMU")
    assert list(memory.values()) == ["AMU", 1, 0, 0]


def test_caches_grow_by_the_slope_of_their_sizes(full: Any) -> None:
    for row in answer(full.store, 8):
        fixed, per_token = CACHE[row["technique"]]
        assert row["bytes_per_token"] == pytest.approx(per_token)
        assert row["bytes_at_longest"] == fixed + per_token * 256
        middle = SECONDS[row["technique"]] * 2
        assert row["ms_at_shortest"] == pytest.approx(middle + 0.064)
        assert row["ms_at_longest"] == pytest.approx(middle + 0.256)
    assert len(answer(full.store, 8)) == len(CACHE)


def test_results_are_counted_by_version_of_a_module_and_kernel(full: Any) -> None:
    found = {
        (row["version"], row["kernel"]): (row["results"], row["techniques"]) for row in answer(full.store, 9)
    }
    assert found == {
        ("aaaaaaaa", "sdpa"): (10, 5),
        ("aaaaaaaa", "reference"): (2, 1),
        ("bbbbbbbb", "sdpa"): (5, 5),
        ("bbbbbbbb", "reference"): (1, 1),
    }


def test_failures_and_missing_metrics_are_counted_with_their_reasons(full: Any) -> None:
    found = Counter({(row["what"], row["why"]): row["tasks"] for row in answer(full.store, 10)})
    assert found == {("oom", "out of memory at step 3"): 2, ("no aec_w", "no power meter"): 18}
    assert [row["techniques"] for row in answer(full.store, 10)] == [1, 6]


def test_what_leaves_as_markdown_is_the_balance_of_experts(full: Any) -> None:
    (example,) = (example for example in EXAMPLES if example.language == "bash")
    assert example.ask(full.root).splitlines()[2:] == ["| MoE | 0 | 3 | 0 |"]
