"""Runs tasks of lm-evaluation-harness on a model in memory."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from effdsl.declare import Invalid
from effdsl.harness import COLUMNS, IFEVAL, HarnessTask, LMEval
from effdsl.harness_tasks import folders_of, installed_version
from effdsl.installing import how_to_install
from effdsl_runtime.data.text_files import DataError
from effdsl_runtime.evaluating.evaluate import Evaluated, Report, evaluate
from effdsl_runtime.observation import EvaluatedItem, Progress
from effdsl_runtime.taking_long import beating

Results = Mapping[str, Any]
"""What lm-eval returns."""


@evaluate.register
def _(evaluation: LMEval, model: Any, tokenizer: Path, device: torch.device, report: Report) -> Evaluated:
    check_version(evaluation)
    training = model.training
    with beating(lambda said: report(Progress(said)), "loading the tasks of lm-eval"):
        from lm_eval import simple_evaluate
        from lm_eval.tasks import TaskManager

        from effdsl_runtime.evaluating.reporting_lm import ReportingLM

        asked = {task.name: loaded(task) for task in evaluation.tasks}
        lm = ReportingLM(model, tokenizer, evaluation.batch_size, report)
    with beating(lambda _: report(lm.progress), "lm-eval"):
        results = simple_evaluate(
            model=lm,
            tasks=[part for parts in asked.values() for part in parts],
            num_fewshot=evaluation.few_shot,
            limit=evaluation.limit,
            log_samples=True,
            bootstrap_iters=0,
            task_manager=TaskManager(include_defaults=False),  # the usual one reads 14,000 files
        )
    model.train(training)
    flags = (f"{lm.truncated:,} of {lm.prompts:,} prompts of lm-eval truncated",) * bool(lm.truncated)
    return read(results, {name: _leaves(parts) for name, parts in asked.items()}, flags)


def check_version(evaluation: LMEval) -> None:
    """Refuse another lm-eval than the one that was planned with.

    Raises:
        DataError: saying so.
    """
    here = installed_version()
    if not here:
        raise DataError(f"lm-eval is not installed; run: {how_to_install('lm_eval')}")
    if evaluation.version not in ("", here):
        raise DataError(f"this was planned with lm-eval {evaluation.version}, and here is {here}; plan again")


def loaded(task: HarnessTask) -> list[Any]:
    """The tasks and groups of lm-eval that ``task`` names, with the data that they ask about.

    Raises:
        DataError: when their data, or what scores them, is not to be had; or a file has changed.
    """
    from lm_eval.tasks import TaskManager

    _check_unchanged(task)
    where = list(map(str, folders_of([task.name]))) if not task.path else None
    with _said_in_one_sentence(task):
        manager = TaskManager(include_path=where, include_defaults=False)
        found = manager.load([task.path or task.name])
    group = found.get("groups", {}).get(task.name)
    tasks = list(found["tasks"].values())
    if any(one.task_name in (IFEVAL, "ifeval") for one in tasks):
        _check_sentences()
    return tasks if group is None else [group]


def _check_unchanged(task: HarnessTask) -> None:
    try:
        unchanged = task.resolve() == task
    except Invalid as error:
        raise DataError(f"{error}; {error.hint}") from None
    if not unchanged:
        raise DataError(f"{task.path}, or what it names, has changed since it was planned; plan again")


@contextmanager
def _said_in_one_sentence(task: HarnessTask) -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        command = how_to_install("lm_eval")
        raise DataError(f"lm-eval's {task.name} needs {error.name or error}; run: {command}") from error
    except Exception as error:  # whatever data sets, hubs and the code of tasks raise
        raise DataError(
            f"what lm-eval's {task.name} asks is not to be had: {' '.join(str(error).split())}; run once "
            "where https://huggingface.co can be reached, or give a task file with data of your own: "
            "LMEval('mine.yaml')"
        ) from error


def _check_sentences() -> None:
    """IFEval counts sentences with data that nltk fetches by itself, or fails in the middle of scoring."""
    import nltk

    try:
        nltk.data.find("tokenizers/punkt_tab")
    except LookupError:
        raise DataError(
            "IFEval counts sentences with punkt_tab of nltk, which is not here; run once where "
            "https://raw.githubusercontent.com can be reached: python -m nltk.downloader punkt_tab"
        ) from None


def _leaves(parts: Sequence[Any]) -> list[str]:
    """The names of the tasks that groups and tasks are made of."""
    return [
        leaf.task_name
        for part in parts
        for leaf in (part.get_all_tasks() if hasattr(part, "get_all_tasks") else [part])
    ]


def read(results: Results, leaves: Mapping[str, Sequence[str]], flags: tuple[str, ...] = ()) -> Evaluated:
    """Scores and items of what lm-eval returned; a task's own is the first metric that it lists.

    Args:
        leaves: by the names that were asked for, the tasks that each is made of.
    """
    items = {leaf: found for some in leaves.values() for leaf in some if (found := _items(results, leaf))}
    scores = {name: _score(results, name, some, items) for name, some in leaves.items()}
    scores = {name: score for name, score in scores.items() if math.isfinite(score)}
    averaged = tuple(
        name for name, score in scores.items() if 0 <= score <= 1 and _is_of_shares(results, leaves[name])
    )
    values = {COLUMNS[name]: score for name, score in scores.items() if name in COLUMNS}
    return Evaluated(values=values, scores=scores, averaged=averaged, items=items, flags=flags)


def _metric(results: Results, leaf: str) -> tuple[str, str]:
    """The metric that a task lists first, and the first of its filters."""
    sample = results["samples"][leaf][0]
    listed = [said["metric"] for said in results["configs"][leaf].get("metric_list") or []]
    known = (str(name) for name in listed if str(name) in sample)
    return next(known, sample["metrics"][0]), sample["filter"]


def _items(results: Results, leaf: str) -> list[EvaluatedItem]:
    """One by one; none where a score is of all documents together alone."""
    metric, chosen = _metric(results, leaf)
    samples = [sample for sample in results["samples"][leaf] if sample["filter"] == chosen]
    found = [_item(sample["doc_id"], sample[metric]) for sample in samples]
    return sorted(item for item in found if item is not None) if all(found) else []


def _item(number: int, value: Any) -> EvaluatedItem | None:
    """Of a text a metric is its log-likelihood, and how many words or bytes it has."""
    if isinstance(value, tuple) and len(value) == 2:
        log_likelihood, size = value
        return EvaluatedItem(number, -float(log_likelihood), float(size))
    try:
        return EvaluatedItem(number, float(value))
    except (TypeError, ValueError):
        return None


def _score(
    results: Results, name: str, leaves: Sequence[str], items: Mapping[str, Sequence[EvaluatedItem]]
) -> float:
    """As lm-eval gives it; of a group or a tag that it gives none for, the mean over all documents."""
    metric, chosen = _metric(results, leaves[0])
    official = results["results"].get(name, {}).get(f"{metric},{chosen}")
    if isinstance(official, (int, float)):
        return float(official)
    rows = [item for leaf in leaves for item in items.get(leaf, ())]
    return sum(r.value for r in rows) / sum(r.weight for r in rows) if rows else math.nan


def _is_of_shares(results: Results, leaves: Sequence[str]) -> bool:
    """Whether more is better of the metric of each task."""
    return all(results["higher_is_better"][leaf].get(_metric(results, leaf)[0]) for leaf in leaves)
