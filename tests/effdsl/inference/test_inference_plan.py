"""Plans of inference: what is in them, what is refused, and what waits for what."""

from __future__ import annotations

import re

import pytest

from effdsl import (
    BF16,
    FP16,
    FP32,
    GQA,
    INT4,
    INT8,
    NSA,
    Attention,
    Budget,
    ByteTokenizer,
    FineTuning,
    Hub,
    Load,
    LoRA,
    M,
    Perplexity,
    Precision,
    PythonHelp,
    Shakespeare,
    Study,
    StudyError,
    Trained,
)
from effdsl.hardware import GH200, Hardware
from effdsl.plan import Plan, TaskRole, TaskState
from effdsl.planner import make_plan
from effdsl.stages.generation import Inference
from effdsl.subject import Subject
from effdsl.units import Bytes

LAPTOP = Hardware(name="a laptop", kind="cpu")
BASE = Study(Attention([GQA, NSA]), [3 * M], budget=Budget(steps=10), repeats=2, name="base")


def plan_of(*formats: object, models: Subject | None = None, **more: object) -> Plan:
    study = Study(
        Precision(list(formats) or [BF16, INT8]),  # type: ignore[arg-type]  # classes stand for defaults
        models=models or Trained(BASE),
        **{"repeats": 2, **more},  # type: ignore[arg-type]
    )
    return make_plan(study, more.pop("machine", LAPTOP))  # type: ignore[arg-type]


def works(plan: Plan) -> list[Inference]:
    return [
        task.task.workload
        for task in plan.tasks
        if task.role is TaskRole.RESULT and isinstance(task.task.workload, Inference)
    ]


def test_every_model_meets_every_format() -> None:
    """Two upstream models, two formats, two repeats; and what they start from, once."""
    plan = plan_of()
    assert len(works(plan)) == 8
    assert len(plan.tasks) == 12


def test_tasks_wait_for_the_weights_of_their_own_repeat() -> None:
    """What is not trained yet is not measured, and no task needs another repeat's weights."""
    waiting = [task for task in plan_of().tasks if task.state is TaskState.WAITING]
    assert len(waiting) == 8
    assert all(f"seed {task.task.seed}" in task.reason for task in waiting)


def test_prompts_are_of_the_text_that_the_weights_were_trained_on() -> None:
    """Where a study names none; else of what it names, cut by the model either way."""
    assert {type(work.data) for work in works(plan_of())} == {Shakespeare}
    named = works(plan_of(data=PythonHelp()))
    assert {(type(work.data), str(work.data.tokenizer)) for work in named} == {
        (PythonHelp, "the model's tokenizer")
    }


def test_unless_something_else_is_asked_the_models_are_judged_by_perplexity() -> None:
    """On the data of the prompts."""
    (asked,) = {work.evaluation for work in works(plan_of(BF16, models=Trained(BASE)))}
    assert asked == (Perplexity(asked[0].data),)  # type: ignore[attr-defined]
    assert isinstance(asked[0].data, Shakespeare)  # type: ignore[attr-defined]


def test_a_model_whose_matrices_nobody_knows_is_planned_all_the_same() -> None:
    """NSA has no price in closed form; that keeps nothing from being run."""
    nsa = [work for work in works(plan_of()) if "NSA" in str(work.weights)]
    assert len(nsa) == 4
    assert all(work.model is None and work.cost(LAPTOP).flops is None for work in nsa)
    assert all(work.size().parameters > 3_000_000 for work in nsa)


def test_a_group_size_that_does_not_divide_says_which_do() -> None:
    """3M has a feed-forward of 672: 64 does not divide it."""
    plan = plan_of(INT4(group_size=64), models=Trained(Study(Attention([GQA]), [3 * M])))
    (reason,) = {task.reason for task in plan.tasks if task.state is TaskState.UNSUPPORTED} or {
        cell.unsupported for cell in plan.cells if cell.unsupported
    }
    assert "group_size=64 does not divide the 672 inputs of down_proj; allowed: 16, 32" in reason


def test_what_does_not_fit_is_infeasible_with_the_arithmetic() -> None:
    """70B in bfloat16 is 141 GB; in four bits it fits a GH200, and transformers reads it as it is first."""
    plan = make_plan(
        Study(Precision([BF16, INT4]), models=Hub("llama-3.3-70b"), hw=GH200, repeats=1, data=PythonHelp()),
        GH200,
    )
    large, small = (task for task in plan.tasks)
    assert large.state is small.state is TaskState.INFEASIBLE
    assert "weights 141" in large.reason
    assert "weights 47 " in small.reason
    assert "loading" in small.reason


def test_a_cache_that_does_not_fit_is_infeasible_too() -> None:
    """8B fits a GH200, and a thousand sequences of 8,192 tokens do not."""
    load = Load(prompt_tokens=8000, new_tokens=192, batch_size=1024)
    plan = make_plan(
        Study(
            Precision([INT4]), models=Hub("llama-3.1-8b"), hw=GH200, repeats=1, data=PythonHelp(), load=load
        ),
        GH200,
    )
    (task,) = plan.tasks
    assert task.state is TaskState.INFEASIBLE
    assert "cache" in task.reason


def test_requests_that_come_one_by_one_are_not_for_transformers() -> None:
    """No machine changes that; the reason names the engine that serves them."""
    served, fixed = (plan_of(BF16, load=load) for load in (Load(requests=8, concurrency=2), Load()))
    assert (works(served), {cell.cell for cell in served.cells}) == ([], {None})
    assert all("VLLM() does" in cell.unsupported for cell in served.cells)
    assert works(fixed)


def test_perplexity_is_evaluated_unless_nothing_is_asked_for() -> None:
    """`evaluation=[]` is for weights whose quality says nothing."""
    assert {one.evaluation for one in works(plan_of(BF16, evaluation=[]))} == {()}
    (asked,) = {one.evaluation for one in works(plan_of(BF16))}
    assert [one.name for one in asked] == ["perplexity"]


def test_loads_formats_and_evaluations_are_in_the_key() -> None:
    """Another batch size, group size or text to judge by is another task."""
    one = Trained(Study(Attention([GQA]), [3 * M], budget=Budget(steps=10), repeats=1))
    studies = [
        {},
        {"load": Load(batch_size=2)},
        {"load": Load(new_tokens=32)},
        {"evaluation": Perplexity(tokens=1000)},
        {"data": PythonHelp()},
    ]
    keys = {
        task.address.key
        for more in studies
        for task in plan_of(INT4, models=one, **more).tasks
        if isinstance(task.task.workload, Inference)
    }
    assert len(keys) == 2 * len(studies)


def test_fine_tuned_weights_are_measured_like_any_others() -> None:
    """A pipeline of three stages: pretraining, fine-tuning, inference, in one plan."""
    base = Trained(Study(Attention([GQA]), [3 * M], budget=Budget(steps=10), repeats=1, name="base"))
    tuned = Study(FineTuning([LoRA]), models=base, budget=Budget(steps=5), repeats=1, name="tuned")
    plan = plan_of(INT8, models=Trained(tuned), repeats=1)
    assert [task.task.workload.stage for task in plan.tasks] == ["pretraining", "fine-tuning", "inference"]


def test_bf16_alone_is_the_usual_precision() -> None:
    """By which qualities and compressions are told, where nothing else is asked for."""
    plan = plan_of(FP32, BF16, FP16, INT8, INT4, INT4(group_size=64))
    choices = [cell.labels.choices for cell in plan.cells]
    usual = {of["precision"].label: of["precision"].usual for of in choices if "precision" in of}
    assert {name for name, is_usual in usual.items() if is_usual} == {"BF16"}
    assert len(usual) == 6


def test_a_batch_that_does_not_fit_says_which_would() -> None:
    """And nothing of training."""
    plan = plan_of(BF16, load=Load(prompt_tokens=8, new_tokens=4, batch_size=10**9), hw=GH200)
    reasons = [task.reason for task in plan.tasks if task.state is TaskState.INFEASIBLE]
    assert reasons
    for reason in reasons:
        (fits,) = re.findall(r"\(batch_size=(\d+) would fit\)", reason)
        assert "checkpointing" not in reason
        would = plan_of(BF16, load=Load(prompt_tokens=8, new_tokens=4, batch_size=int(fits)), hw=GH200)
        assert not [task for task in would.tasks if task.state is TaskState.INFEASIBLE]


def test_weights_that_do_not_fit_as_they_are_read_are_not_blamed_on_the_batch() -> None:
    """A batch of one would not fit either, however few bits its weights have in the end."""
    small = Hardware("small", memory=Bytes(5_000_000), bf16=True)
    plan = plan_of(INT4, load=Load(prompt_tokens=8, new_tokens=4), hw=small)
    (reason,) = {task.reason for task in plan.tasks if task.state is TaskState.INFEASIBLE}
    assert reason.startswith("all weights are read, as they are, before the first is stored in its format")
    assert "would fit" not in reason


def test_a_prompt_of_one_token_is_a_mistake() -> None:
    with pytest.raises(StudyError, match=r"prompt_tokens=1.*must be at least 2"):
        Load(prompt_tokens=1)


def test_a_tokenizer_of_ones_own_is_a_mistake() -> None:
    """Text is cut as the model cuts it."""
    with pytest.raises(StudyError, match="cuts text as the model does"):
        plan_of(data=Shakespeare(tokenizer=ByteTokenizer()))
