"""Mistakes in a study that starts from others are sentences with their places."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from effdsl import (
    StudyError,
    Trained,
)
from effdsl.loading import load_study
from effdsl.planner import make_plan

from .conftest import LAPTOP, result_keys, tuned


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where studies are, and the hub's cache is empty."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    (tmp_path / "studies").mkdir()
    write_study("base", "Attention([GQA]), [3*M]")
    (tmp_path / "some.jsonl").write_text('{"prompt": "1 + 1 =", "completion": " 2"}\n')
    return tmp_path


def write_study(name: str, fields: str) -> None:
    text = f"from effdsl import *\n\nstudy = Study(\n{textwrap.indent(fields, '    ')},\n)\n"
    Path("studies", f"{name}.py").write_text(text, encoding="utf-8")


def problems(study: str) -> list[str]:
    """What is wrong with the study of a name, as the command line prints it."""
    try:
        loaded = load_study(study)
        make_plan(loaded.study, LAPTOP, place=loaded.place)
    except StudyError as error:
        return [str(problem) for problem in error.problems]
    return []


@pytest.mark.parametrize(
    ("fields", "line", "says"),
    [
        (
            "FineTuning([LoRA]), scales=[3*M],\nmodels=Trained('base'), data=Shakespeare()",
            3,
            "FineTuning takes models=, data=, budget=, recipe=, not scales=",
        ),
        (
            "FineTuning([LoRA]), data=Shakespeare()",
            3,
            "FineTuning needs something to be applied to\n    e.g. models=[...]",
        ),
        ("Attention([GQA]), models=Trained('base')", 3, "not models="),
        (
            "Attention([GQA]), [3*M],\nrecipe=Recipe(learning_rate=Sweep([1e-3, 1e-2]))",
            5,
            "pretraining takes one learning rate for all techniques, not a Sweep",
        ),
        (
            "Attention([GQA]), [3*M],\ndata=Instructions('some.jsonl')",
            5,
            "Instructions is to fine-tune on, and pretraining takes text",
        ),
        (
            "FineTuning([LoRA]), models=Trained('base'),\ndata=Shakespeare(tokenizer=ByteTokenizer())",
            5,
            "fine-tuning cuts text as the model does, and takes no tokenizer",
        ),
        (
            "FineTuning([LoRA]), models=Trained('base'), data=Shakespeare(),\nbudget=Budget(tokens=1*M)",
            5,
            "fine-tuning takes steps=, not tokens=",
        ),
        (
            "FineTuning([LoRA]), models=Trained('base'),\nbudget=Budget(batch_size=3, micro_batch_size=2)",
            5,
            "batch_size=3 is not a multiple of micro_batch_size=2",
        ),
        (
            "FineTuning([LoRA]),\nmodels=Trained('bases')",
            5,
            "bases: there is no such study\n    did you mean",
        ),
        ("FineTuning([LoRA]),\nmodels=Trained(GQA)", 5, "GQA is not a study"),
        ("FineTuning([LoRA]),\nmodels=Hub('nonsense'), data=Shakespeare()", 5, "no model 'nonsense'"),
        (
            "FineTuning([LoRA]),\nmodels=Hub('owner/unknown'), data=Shakespeare()",
            5,
            "run: hf download owner/unknown config.json --revision main",
        ),
        (
            "FineTuning([LoRA]),\nmodels=Local('nowhere'), data=Shakespeare()",
            5,
            "nowhere/config.json: No such file or directory",
        ),
        ("FineTuning([GQA]),\nmodels=Trained('base')", 4, "GQA is a technique of the axis attention"),
        ("FineTuning([LoRA]) * Attention([GQA]),\nmodels=Trained('base')", 3, "FineTuning is of fine-tuning"),
        (
            "FineTuning([LoRA]), models=Trained('base'),\nrecipe=Recipe(learning_rate=Sweep([1e-3]))",
            5,
            "needs at least two different learning rates",
        ),
        (
            "FineTuning([LoRA]), models=Trained('base'),\nrecipe=Recipe(learning_rate=[1e-3, 1e-2])",
            5,
            "of which each method of a fine-tuning gets its best\n    learning_rate=Sweep([0.001, 0.01])",
        ),
        (
            "FineTuning([LoRA]), models=Trained('base'),\nper_scale={3*M: Budget(steps=5)}",
            3,
            "per_scale= is for the scales= of a study, and this one has none\n    models that exist share",
        ),
        (
            "FineTuning([LoRA]),\nmodels=Study(Attention([GQA]), [3*M])",
            3,
            "a study is no model, but trains some\n    models=Trained(study), for each model that it trains",
        ),
        (
            "FineTuning([LoRA, LoRA(rank=8)]), models=Trained('base'), data=Shakespeare()",
            4,
            "are the same cell at GQA 3M",
        ),
    ],
)
def test_a_mistake_is_one_sentence_with_its_place(folder: Path, fields: str, line: int, says: str) -> None:
    write_study("mistaken", fields)
    found = problems("mistaken")
    assert [problem for problem in found if says in problem], found
    assert any(problem.startswith(f"studies/mistaken.py:{line}: ") for problem in found), found


def test_a_study_with_mistakes_gives_no_weights_and_its_mistakes_are_said(folder: Path) -> None:
    write_study("wrong", "Attention([GQAA]), [3*M], budget=Budget(steps=-1)")
    write_study("of", "FineTuning([LoRA]),\nmodels=Trained('wrong')")
    (only,) = problems("of")
    assert only.startswith("studies/of.py:5: Trained(study='wrong'): the study 'wrong' has mistakes: ")
    assert "studies/wrong.py:4: GQAA is not defined" in only
    assert "studies/wrong.py:4: Budget(steps=-1)" in only
    assert only.endswith("mend it first")


def test_mistakes_that_show_when_the_other_study_is_worked_out_are_said_where_it_is_named(
    folder: Path,
) -> None:
    write_study("wrong", "Attention([GQA]), [3*M], data=LocalText('none.txt')")
    write_study("of", "FineTuning([LoRA]),\nmodels=Trained('wrong')")
    (only,) = [problem for problem in problems("of") if "none.txt" in problem]
    assert only.startswith("studies/of.py:5: at Trained(wrong): data: none.txt: no such file")


@pytest.mark.parametrize("way", [("of",), ("between", "of"), ("between", "further", "of")])
def test_a_study_that_would_start_from_its_own_weights_is_refused(folder: Path, way: tuple[str, ...]) -> None:
    for study, other in zip(("of", *way), way, strict=False):
        write_study(study, f"FineTuning([LoRA]), models=Trained('{other}')")
    (only,) = problems("of")
    assert "the study 'of' would start from its own weights" in only


def test_a_study_of_a_file_is_the_study_of_its_name(folder: Path) -> None:
    by_name, by_file = (
        tuned(Trained(name))
        for name in ("base", folder / "studies" / "base.py")  # type: ignore[arg-type]
    )
    assert result_keys(by_name) == result_keys(by_file)


def test_all_mistakes_come_at_once(folder: Path) -> None:
    write_study(
        "mistaken",
        "FineTuning([LoRA]),\nmodels=[Hub('nonsense'), Local('nowhere')],\n"
        "data=Shakespeare(tokenizer=ByteTokenizer()),\nbudget=Budget(tokens=1*M)",
    )
    assert [problem.split(": ")[0] for problem in problems("mistaken")] == [
        "studies/mistaken.py:5", "studies/mistaken.py:5", "studies/mistaken.py:6", "studies/mistaken.py:7",
    ]  # fmt: skip
