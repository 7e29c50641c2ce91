"""Tasks of lm-evaluation-harness on a model in memory against its own command on the same model saved."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from effdsl_runtime.checkpoints.directory import write_checkpoint
from effdsl_runtime.data.codec import make
from effdsl_runtime.data.text_files import DataError
from effdsl_runtime.evaluating import Evaluated, evaluate, evaluate_all
from effdsl_runtime.evaluating.cloze_task import export
from effdsl_runtime.model.build import build
from effdsl_runtime.observation import Progress
from transformers import AutoModelForCausalLM

from effdsl import BPE, NSA, Cloze, LMEval, Perplexity
from effdsl.harness_tasks import tasks_folder
from effdsl.shapes import Shape
from effdsl.techniques.backbone import Parts, Transformer

from .conftest import CPU, unheard

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # of lm-eval, of its data sets and of the code of its tasks
]
OFFLINE = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
CHOICES = """\
task: capitals
dataset_path: json
dataset_kwargs: {{data_files: {{test: {rows}}}}}
test_split: test
fewshot_split: test
output_type: multiple_choice
doc_to_text: "Where is {{{{place}}}}?"
doc_to_choice: choices
doc_to_target: answer
metric_list:
  - metric: {metric}
    aggregation: mean
    higher_is_better: true
"""
WRITTEN = """\
task: echoes
dataset_path: json
dataset_kwargs: {{data_files: {{test: {rows}}}}}
test_split: test
output_type: generate_until
doc_to_text: "{{{{place}}}} is"
doc_to_target: "{{{{choices[answer]}}}}"
generation_kwargs: {{until: ["."], max_gen_toks: 4, do_sample: false}}
metric_list:
  - metric: exact_match
    aggregation: mean
    higher_is_better: true
"""
ROLLING = """\
task: tales
dataset_path: json
dataset_kwargs: {{data_files: {{test: {rows}}}}}
test_split: test
output_type: loglikelihood_rolling
doc_to_text: ""
doc_to_target: "{{{{place}}}} lies in the north"
metric_list:
  - metric: word_perplexity
"""
PLACES = ["the harbour", "a ship", "the old king", "winter", "the grey sky", "a gull", "silver fish", "a net"]


@pytest.fixture(autouse=True)
def _data_sets_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "datasets"))


@pytest.fixture
def task(tmp_path: Path) -> Callable[..., Path]:
    """Writes a task file over rows of one's own."""

    def write(content: str, **more: str) -> Path:
        answers = ["in the sea", "over the boats", "to the king", "cold"]
        rows = [
            {"place": place, "choices": answers[i % 4 :] + answers[: i % 4], "answer": i % 3}
            for i, place in enumerate(PLACES)
        ]
        file = tmp_path / "rows.jsonl"
        file.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
        path = tmp_path / f"{content.split()[1]}.yaml"
        path.write_text(content.format(rows=file, **more), encoding="utf-8")
        return path

    return write


def command(folder: Path, file: Path, out: Path, *more: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Results and samples of ``lm-eval run`` in a process of its own."""
    given = f"pretrained={folder},dtype=float32"
    words = ["run", "--model", "hf", "--model_args", given, "--tasks", str(file), "--device", "cpu"]
    words += ["--batch_size", "8", "--log_samples", "--output_path", str(out), *more]
    environment = {**os.environ, **OFFLINE, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "lm_eval", *words],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    results = json.loads(next(out.rglob("results_*.json")).read_text("utf-8"))["results"]
    samples = next(out.rglob("samples_*.jsonl")).read_text("utf-8").splitlines()
    return results, sorted(map(json.loads, samples), key=lambda sample: sample["doc_id"])


def ours(evaluation: LMEval, model: Any, folder: Path, text: Any) -> Evaluated:
    return evaluate(evaluation.resolve(text), model, folder, CPU, unheard)


@pytest.mark.parametrize(
    ("content", "metric", "more"),
    [(CHOICES, "acc_norm", {"few_shot": 2, "limit": 5}), (WRITTEN, "exact_match", {})],
)
def test_scores_and_items_are_those_of_its_own_command(
    model: Any, folder: Path, text: Any, task: Any, tmp_path: Path, content: str, metric: str, more: Any
) -> None:
    """By likelihood and by what is written, with examples and a limit; the score is the mean of the items."""
    file = task(content, metric=metric)
    found = ours(LMEval(str(file), **more), model, folder, text)
    options = {"few_shot": "--num_fewshot", "limit": "--limit"}
    words = [word for name, value in more.items() for word in (options[name], str(value))]
    results, samples = command(folder, file, tmp_path / "out", *words)
    (name,) = results
    assert found.scores == {name: pytest.approx(results[name][f"{metric},none"])}
    assert [item.value for item in found.items[name]] == [sample[metric] for sample in samples]
    assert [item.item for item in found.items[name]] == [sample["doc_id"] for sample in samples]
    rows = found.items[name]
    assert sum(r.value for r in rows) / sum(r.weight for r in rows) == pytest.approx(found.scores[name])
    assert len(rows) == more.get("limit", len(PLACES))


def test_a_cloze_that_is_exported_has_the_same_items_right(
    model: Any, folder: Path, text: Any, tmp_path: Path
) -> None:
    """By lm-eval's own command on the saved model, as a whole and by bytes."""
    asked = Cloze(items=24, prompt_words=14, continuation_words=4).resolve(text)
    found = evaluate(asked, model, folder, CPU, unheard)
    results, samples = command(folder, export(asked, tmp_path / "task"), tmp_path / "out")
    for name, metric in (("cloze", "acc"), ("cloze_per_byte", "acc_bytes")):
        assert [item.value for item in found.items[name]] == [sample[metric] for sample in samples]
        assert found.values[name] == pytest.approx(results["cloze"][f"{metric},none"])
    assert 0 < found.values["cloze"] < 1


def test_a_text_has_its_nats_and_words_and_is_no_benchmark(
    model: Any, folder: Path, text: Any, task: Any
) -> None:
    """Their quotient is the logarithm of lm-eval's perplexity, which no mean over benchmarks contains."""
    found = ours(LMEval(str(task(ROLLING))), model, folder, text)
    rows = found.items["tales"]
    mean = sum(row.value for row in rows) / sum(row.weight for row in rows)
    assert found.scores["tales"] == pytest.approx(2.718281828459045**mean)
    assert [row.weight for row in rows] == [len(f"{place} lies in the north".split()) for place in PLACES]
    assert found.averaged == ()


def test_a_task_of_the_paper_runs_on_rows_of_ones_own(
    model: Any, folder: Path, text: Any, tmp_path: Path
) -> None:
    """The official prompts and scoring; GPQA has four choices in an order of its own."""
    wrong = {f"Incorrect Answer {i}": f"at {i}" for i in (1, 2, 3)}
    rows = [{"Question": f"Where is {place}?", "Correct Answer": "here", **wrong} for place in PLACES]
    data, file = tmp_path / "gpqa.jsonl", tmp_path / "mine.yaml"
    data.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    official = tasks_folder() / "leaderboard" / "gpqa" / "gpqa_main_zeroshot.yaml"
    file.write_text(
        f"include: {official}\ntask: my_gpqa\ndataset_path: json\ndataset_name: null\n"
        f"dataset_kwargs: {{data_files: {{train: {data}}}}}\n",
        encoding="utf-8",
    )
    found = ours(LMEval(str(file)), model, folder, text)
    assert len(found.items["my_gpqa"]) == len(PLACES)
    assert found.averaged == ("my_gpqa",)
    assert found.flags[0].endswith("of 32 prompts of lm-eval truncated")


def test_a_decoder_that_transformers_has_no_class_for_is_evaluated_too(text: Any, tmp_path: Path) -> None:
    """One with NSA, loaded by our own class: lm-eval finds right what our cloze finds right."""
    import effdsl_runtime.checkpoints.auto  # noqa: F401

    shape = Shape(layers=2, hidden_size=32, heads=4, head_dim=8, intermediate_size=48, vocab_size=300)
    attention = NSA(window=16, select_block=8, compress_block=8, compress_stride=4, select_count=3)
    architecture = Transformer().resolve(shape).assemble(shape, Parts(attention=attention))
    codec = make(BPE(vocab_size=300), [Path(text.paths[0]).read_text("utf-8")])
    write_checkpoint(tmp_path, architecture, build(architecture, 64, seed=0), codec)
    model = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert type(model).__name__ == "EffdslForCausalLM"
    asked = Cloze(items=16, prompt_words=10, continuation_words=4).resolve(text)
    found = evaluate(asked, model, tmp_path, CPU, unheard).items["cloze"]
    task = export(asked, tmp_path / "task")
    assert list(ours(LMEval(str(task)), model, tmp_path, text).items["cloze"]) == list(found)


def test_all_together_have_one_mean_and_say_how_far_they_are(
    model: Any, folder: Path, text: Any, task: Any
) -> None:
    """Of the benchmarks, and not of the perplexity."""
    said: list[Progress] = []
    asked = [
        Perplexity(tokens=300),
        Cloze(items=8, prompt_words=10),
        LMEval(str(task(CHOICES, metric="acc"))),
    ]
    found = evaluate_all([one.resolve(text) for one in asked], model, folder, CPU, said.append)
    assert set(found.items) == {"perplexity", "cloze", "cloze_per_byte", "capitals"}
    mean = (found.scores["cloze"] + found.scores["capitals"]) / 2
    assert found.values["avg_perf"] == pytest.approx(mean)
    done = [(p.done, p.total) for p in said if p.phase == "lm-eval" and p.total]
    assert done[-1] == (32, 32)
    assert done == sorted(done)


def test_a_file_that_changed_since_it_was_planned_is_refused(
    model: Any, folder: Path, text: Any, task: Any
) -> None:
    """And one whose data have."""
    planned = LMEval(str(task(CHOICES, metric="acc"))).resolve(text)
    task(CHOICES, metric="acc_norm")
    with pytest.raises(DataError, match="has changed since it was planned; plan again"):
        evaluate(planned, model, folder, CPU, unheard)


def test_without_a_network_one_sentence_says_what_to_do() -> None:
    """Where the hub's cache has nothing of a task."""
    program = (
        "from effdsl.harness import HarnessData, HarnessTask\n"
        "from effdsl_runtime.data.text_files import DataError\n"
        "from effdsl_runtime.inputs import make_ready\n"
        "import effdsl_runtime.stages\n"
        "try:\n"
        "    make_ready(HarnessData((HarnessTask('leaderboard_musr'),)), lambda said: None)\n"
        "except DataError as error:\n"
        "    print(error)\n"
    )
    environment = {**os.environ, **OFFLINE, "HF_HOME": "/nonexistent"}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    (line,) = done.stdout.splitlines()
    assert line.startswith("what lm-eval's leaderboard_musr asks is not to be had: ")
    assert "TAUR-Lab/MuSR" in line
    assert line.endswith("or give a task file with data of your own: LMEval('mine.yaml')")
