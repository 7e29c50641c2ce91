"""What a plan says of each task, and why."""

from __future__ import annotations

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from effdsl import (
    GB,
    GH200,
    GQA,
    H200,
    MHA,
    MLA,
    MQA,
    NSA,
    Attention,
    B,
    Budget,
    Count,
    FeedForward,
    M,
    MoBA,
    MoE,
    NoPE,
    Position,
    Recipe,
    RoPE,
    Seeds,
    Study,
    StudyError,
    SwiGLU,
)
from effdsl.display import plan_table
from effdsl.hardware import Hardware
from effdsl.outcome import Outcome
from effdsl.plan import History, PastResult, Plan, TaskState
from effdsl.planner import make_plan
from effdsl.task import Address

LAPTOP = Hardware(name="a laptop", kind="cpu")
SMALL = Study(Attention([MQA, GQA, MLA]), [3 * M], budget=Budget(steps=10), name="small")


def knowing(plan: Plan, outcome: Outcome = Outcome.OK, **also: object) -> History:
    """A store that knows every task of ``plan``."""
    from effdsl.key import canonical_json

    return History({t.address.key: PastResult(outcome, canonical_json(t.task), **also) for t in plan.tasks})  # type: ignore[arg-type]


def test_the_card_study_plans_as_written() -> None:
    study = Study(axis=Attention([MQA, GQA, MLA, NSA]), scales=[0.5 * B, 1.5 * B, 3 * B], hw=GH200)
    plan = make_plan(study, LAPTOP, unavailable=lambda cell: f"needs {cell.hardware}")
    assert len(plan.cells) == 12
    assert plan.counts()[TaskState.UNAVAILABLE] + plan.counts()[TaskState.INFEASIBLE] == 36
    gqa = [cell for cell in plan.cells if cell.labels.technique == "GQA"]
    # Qwen2.5's own counts, as transformers reports them.
    assert [c.cell.workload.size().parameters for c in gqa if c.cell] == [
        494_032_768,
        1_543_714_304,
        3_085_938_688,
    ]


def test_every_task_is_new_until_the_store_knows_it() -> None:
    plan = make_plan(SMALL, LAPTOP)
    assert plan.summary() == "Plan: 9 new, 0 cached, 0 stale, 0 infeasible, 0 unavailable"
    again = make_plan(SMALL, LAPTOP, lambda addresses: knowing(plan))
    assert again.summary() == "Plan: 0 new, 9 cached, 0 stale, 0 infeasible, 0 unavailable"
    assert again.to_run() == ()


def test_the_store_is_asked_once_per_plan() -> None:
    asked: list[int] = []

    def look_up(addresses: object) -> History:
        asked.append(len(addresses))  # type: ignore[arg-type]
        return History()

    make_plan(SMALL, LAPTOP, look_up)
    assert asked == [9]


def test_adding_a_technique_leaves_everything_else_cached() -> None:
    before = make_plan(SMALL, LAPTOP)
    more = SMALL.derive(axis=Attention([MQA, GQA, GQA(kv_heads=4), MLA]))
    plan = make_plan(more, LAPTOP, lambda addresses: knowing(before))
    assert plan.counts()[TaskState.CACHED] == 9
    assert {t.task.labels.technique for t in plan.to_run()} == {"GQA(kv_heads=4)"}


def test_a_result_of_an_older_engine_is_stale_and_runs_again() -> None:
    plan = make_plan(SMALL, LAPTOP)
    old = History(engine_versions={t.address.lineage: 0 for t in plan.tasks})
    stale = make_plan(SMALL, LAPTOP, lambda addresses: old)
    assert stale.counts()[TaskState.STALE] == 9
    assert "version 0 of the engine torch, now 1" in stale.tasks[0].reason
    assert len(stale.to_run()) == 9


def test_the_lineage_survives_a_new_engine_version_and_the_key_does_not() -> None:
    task = make_plan(SMALL, LAPTOP).tasks[0]
    engine = attrs.evolve(task.task.cell.engine)
    object.__setattr__(engine, "version", 99)
    from effdsl.key import CanonicalForms
    from effdsl.task import address_of

    newer: Address = address_of(
        attrs.evolve(task.task, cell=attrs.evolve(task.task.cell, engine=engine)), CanonicalForms()
    )
    assert newer.lineage == task.address.lineage
    assert newer.key != task.address.key


def test_a_hit_whose_code_changed_says_which_file() -> None:
    plan = make_plan(SMALL, LAPTOP)
    changed = make_plan(
        SMALL,
        LAPTOP,
        lambda a: knowing(plan, changed=("effdsl_runtime.model.mixers.latent", "effdsl.shapes")),
    )
    assert changed.tasks[0].reason == "code changed: effdsl_runtime.model.mixers.latent and 1 more"
    assert changed.to_run() == ()


def test_failures_are_kept_until_a_retry_names_them() -> None:
    plan = make_plan(SMALL, LAPTOP)
    failed = make_plan(SMALL, LAPTOP, lambda a: knowing(plan, Outcome.FAILED, reason="boom"))
    assert failed.to_run() == ()
    assert failed.tasks[0].reason == "failed: boom"
    assert failed.summary() == "Plan: 0 new, 0 cached, 9 failed, 0 stale, 0 infeasible, 0 unavailable"
    assert {row[-2] for row in plan_table(failed).rows} == {"3 failed"}
    assert failed.retrying({Outcome.OOM}).to_run() == ()
    assert len(failed.retrying({Outcome.FAILED}).to_run()) == 9


def test_a_key_that_holds_another_task_is_an_error_not_a_hit() -> None:
    plan = make_plan(SMALL, LAPTOP)
    wrong = History({t.address.key: PastResult(Outcome.OK, "{}") for t in plan.tasks})
    with pytest.raises(RuntimeError, match="effdsl store verify"):
        make_plan(SMALL, LAPTOP, lambda a: wrong)


def test_what_cannot_fit_is_infeasible_with_the_arithmetic() -> None:
    study = Study(Attention([GQA]), [3 * B], hw=attrs.evolve(H200, memory=20 * GB), repeats=1)
    plan = make_plan(study, LAPTOP)
    assert plan.counts()[TaskState.INFEASIBLE] == 1
    reason = plan.tasks[0].reason
    assert "optimizer" in reason
    assert "more than the 20.0 GB" in reason
    assert plan.to_run() == ()


def test_repeats_are_interleaved_each_in_an_order_of_its_own() -> None:
    plan = make_plan(SMALL.derive(axis=Attention([MHA, MQA, GQA, MLA, NSA])), LAPTOP)
    seeds = [t.task.seed for t in plan.tasks]
    assert seeds == [0] * 5 + [1] * 5 + [2] * 5
    orders = {tuple(t.task.labels.technique for t in plan.tasks[i : i + 5]) for i in (0, 5, 10)}
    assert len(orders) > 1


def test_a_study_without_an_axis_for_a_dimension_uses_the_base() -> None:
    plan = make_plan(Study(Position([RoPE, NoPE]), [3 * M], repeats=1), LAPTOP)
    assert sorted(t.task.labels.technique for t in plan.tasks) == ["NoPE", "RoPE"]
    assert sorted(t.task.labels.full_name for t in plan.tasks) == ["GQA", "NoPE"]


def test_overrides_hold_at_their_scale_only() -> None:
    study = Study(
        Attention([GQA]), [3 * M, 10 * M], budget=Budget(steps=10, batch_size=8),
        per_scale={10 * M: [Budget(batch_size=4), Recipe(learning_rate=1e-4)]}, repeats=1,
    )  # fmt: skip
    by_scale = {t.task.labels.scale: t.task.workload for t in make_plan(study, LAPTOP).tasks}
    assert by_scale["3M"].budget.batch_size == 8
    assert by_scale["10M"].budget.batch_size == 4
    assert by_scale["10M"].budget.steps == 10
    assert by_scale["10M"].recipe.learning_rate == 1e-4


def test_every_variant_of_a_scale_sees_the_same_tokens_and_learning_rate() -> None:
    plan = make_plan(Study(Attention([MHA, MQA, MLA, NSA]), [3 * M], repeats=Seeds(5)), LAPTOP)
    assert len({(t.task.workload.budget, t.task.workload.recipe) for t in plan.tasks}) == 1
    assert plan.tasks[0].task.workload.budget.tokens >= 20 * 3 * 10**6


def test_native_bfloat16_decides_the_dtype() -> None:
    for bf16, dtype in ((True, "bfloat16"), (False, "float32")):
        plan = make_plan(SMALL, attrs.evolve(LAPTOP, bf16=bf16))
        assert plan.tasks[0].task.workload.recipe.dtype == dtype


def test_a_batch_that_devices_cannot_share_is_refused_with_one_they_can() -> None:
    study = Study(
        Attention([GQA]), [0.5 * B], hw=48 * GH200, budget=Budget(batch_size=100, micro_batch_size=4)
    )
    with pytest.raises(
        StudyError, match=r"(?s)not a multiple of micro_batch_size=4 x 48 devices.*e\.g\. batch_size=192"
    ):
        make_plan(study, LAPTOP)


@given(st.integers(1, 999), st.integers(1, 999))
def test_sizes_multiply_exactly(whole: int, tenths: int) -> None:
    assert (whole * B).value == whole * 10**9
    assert (tenths / 10 * B).value == tenths * 10**8
    assert isinstance(whole * M, Count)


@pytest.mark.parametrize(
    ("size", "text"), [(0.5 * B, "0.5B"), (3 * M, "3M"), (1.5 * B, "1.5B"), (80 * GB, "80GB")]
)
def test_sizes_print_as_people_say_them(size: Count, text: str) -> None:
    assert str(size) == text


def test_the_plan_says_where_a_sparse_attention_leaves_nothing_out() -> None:
    """At a short context MoBA is dense, and its time says nothing of sparsity."""
    for context, expected in ((96, True), (97, False)):
        budget = Budget(steps=1, context_length=context)
        plan = make_plan(Study(Attention([MoBA, GQA]), [1 * M], budget=budget), LAPTOP)
        table = plan_table(plan)
        said = {row[0]: row[-1] for row in table.rows}
        assert ("not sparse: 3 blocks of 32 hold the whole context" in said["MoBA"]) is expected
        assert "sparse" not in said["GQA"]


def test_active_parameters_are_shown_where_a_token_does_not_meet_all() -> None:
    dense = plan_table(make_plan(Study(FeedForward([SwiGLU]), [1 * M]), LAPTOP))
    assert "active" not in dense.columns
    mixed = plan_table(make_plan(Study(FeedForward([SwiGLU, MoE]), [1 * M]), LAPTOP))
    active = [row[mixed.columns.index("active")] for row in mixed.rows]
    assert active[0] == ""
    assert 0 < int(active[1].replace(",", "")) < int(mixed.rows[1][2].replace(",", ""))
