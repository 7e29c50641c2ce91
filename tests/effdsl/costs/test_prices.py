"""FLOPs, bytes, seconds, joules, money and CO2e, predicted before anything runs."""

from __future__ import annotations

import json

import attrs
import pytest

from effdsl import (
    GB,
    GH200,
    GQA,
    MLA,
    MQA,
    NSA,
    Attention,
    B,
    Budget,
    M,
    NoPE,
    Recipe,
    RoPE,
    Study,
    StudyError,
)
from effdsl.costs import (
    Price,
    Rates,
    Speed,
    decode_bytes_per_token,
    decode_flops_per_token,
    lower_bound_s,
    price_of,
    together,
)
from effdsl.costs.words import duration, emission, energy, money
from effdsl.display import plan_json, plan_table, setting, totals
from effdsl.hardware import Hardware
from effdsl.metrics import BY_NAME
from effdsl.planner import make_plan
from effdsl.shapes import Shape
from effdsl.task import Cell
from effdsl.techniques.architecture import Architecture, Decoder

SHAPE = Shape(2, 64, 4, 16, 96, 100)
GPU = Hardware(
    name="a GPU", memory=80 * GB, peak_flops={"float32": 1e12}, bandwidth=1e10, power_limit_w=500.0
)
LAPTOP = Hardware(name="a laptop", kind="cpu")
SMALL = Study(
    Attention([MQA, GQA]), [1 * M], budget=Budget(steps=10), recipe=Recipe(dtype="float32"), name="small"
)


def decoder(attention: MQA | GQA | MLA | NSA = GQA()) -> Decoder:  # noqa: B008  frozen
    return Decoder(SHAPE, attention.resolve(SHAPE), RoPE())


def a_cell(hardware: Hardware = GPU) -> Cell:
    cell = make_plan(SMALL, hardware).cells[0].cell
    assert cell is not None
    return cell


@pytest.mark.parametrize("tokens", [1, 2, 17])
def test_the_flops_of_a_generated_token_are_two_per_weight_and_four_per_key_and_channel(tokens: int) -> None:
    model = decoder()
    matrices = 2 * SHAPE.layers * (64 * (4 + 2) * 16 + 3 * 64 * 96 // 2) + 64 * 100
    keys = 4 * tokens * 4 * 16 * SHAPE.layers
    assert decode_flops_per_token(model, tokens) == pytest.approx(2 * matrices + keys)


@pytest.mark.parametrize(
    "attention",
    [
        MQA(),
        GQA(),
        MLA(),
        NSA(compress_block=8, compress_stride=4, select_block=16, select_count=3, window=12),
    ],
)
def test_generating_token_by_token_takes_the_forward_pass_of_the_whole(attention: MQA) -> None:
    model: Architecture = decoder(attention)
    one_by_one = sum(decode_flops_per_token(model, token) for token in range(1, 65))
    assert one_by_one == pytest.approx(64 * model.causal_train_flops_per_token(64) / 3)


def test_a_generated_token_reads_the_weights_and_the_cache_and_adds_to_the_cache() -> None:
    model = decoder()
    cached = SHAPE.layers * 2 * 2 * 16 * 4
    assert decode_bytes_per_token(model, 10, "float32") == 4 * model.parameters(10) + 11 * cached


def test_sparse_attention_reads_its_window_and_unfinished_blocks_too() -> None:
    sparse = NSA(compress_block=8, compress_stride=4, select_block=16, select_count=3, window=12)
    model = decoder(sparse)
    per_token = SHAPE.layers * 2 * model.attention.kv_heads * 16 * 4
    read, written = 75 + 17 + 12 + 7, 1 + 1 / 4  # a compressed token every fourth
    expected = 4 * model.parameters(75) + (read + written) * per_token
    assert decode_bytes_per_token(model, 75, "float32") == expected


def test_a_step_moves_weights_twice_a_micro_batch_activations_twice_and_seven_times_for_adam() -> None:
    work = a_cell().workload
    halved = attrs.evolve(work, budget=attrs.evolve(work.budget, micro_batch_size=8))
    per_token = work.architecture.activation_bytes_per_token(256, 4)
    expected = 2 * 4 * work.size().parameters + 2 * 16 * 256 * per_token + 7 * 4 * work.size().parameters
    assert work.bytes_per_step() == pytest.approx(expected)
    assert halved.bytes_per_step() - work.bytes_per_step() == pytest.approx(8 * work.size().parameters)


def test_the_lower_bound_is_the_longer_of_compute_and_memory() -> None:
    work = a_cell().workload
    by_memory = 10 * work.bytes_per_step() / 1e10
    assert lower_bound_s(work.cost(GPU), work.dtype, GPU) == pytest.approx(by_memory)
    wide = attrs.evolve(GPU, bandwidth=1e15)
    assert lower_bound_s(work.cost(wide), work.dtype, wide) == pytest.approx(work.train_flops / 1e12)
    assert lower_bound_s(
        work.cost(attrs.evolve(wide, bandwidth=None)), work.dtype, attrs.evolve(wide, bandwidth=None)
    ) == pytest.approx(work.train_flops / 1e12)


def test_four_devices_share_the_flops() -> None:
    work, wide = a_cell().workload, attrs.evolve(GPU, bandwidth=None)
    assert lower_bound_s(work.cost(4 * wide), work.dtype, 4 * wide) == pytest.approx(work.train_flops / 4e12)


def test_seconds_joules_money_and_emissions_follow_from_each_other() -> None:
    cell = attrs.evolve(a_cell(), hardware=2 * GPU)
    price = price_of(cell, cell.workload.cost(cell.hardware), Speed(of_bound=0.5), Rates(3.60, 400.0))
    assert price.lower_bound_s
    assert price.seconds == 2 * price.lower_bound_s
    assert price.joules == price.seconds * 500 * 2
    assert price.usd == pytest.approx(price.seconds * 2 * 0.001)
    assert price.gco2e == pytest.approx(price.joules / 3.6e6 * 400)


def test_what_is_unknown_is_empty_and_never_zero() -> None:
    plan = make_plan(SMALL.derive(price_per_device_hour=1, gco2e_per_kwh=1), LAPTOP)
    assert plan.cells[0].price == Price()
    assert {"time", "energy", "cost", "CO2e"}.isdisjoint(plan_table(plan).columns)
    assert totals(plan).endswith("PFLOP (estimated; speed not known before a task has run)")


def test_a_total_is_unknown_when_a_part_of_it_is() -> None:
    known, unknown = Price(1, 2, 3, 4, 5), Price(1, 2)
    assert together([known, known]) == Price(2, 4, 6, 8, 10)
    assert together([known, unknown]) == Price(2, 4)
    assert together([]) == Price()


def test_a_plan_shows_time_energy_money_and_emissions_where_they_are_known() -> None:
    study = SMALL.derive(hw=GH200, price_per_device_hour=2.50, gco2e_per_kwh=380)
    plan = make_plan(study, LAPTOP)
    assert plan_table(plan).columns[6:10] == ("time", "energy", "cost", "CO2e")
    assert all(row[6:10] != ("", "", "", "") for row in plan_table(plan).rows)
    assert "6 tasks" in totals(plan)
    assert "$" in totals(plan)
    assert totals(plan).endswith("assumed 40% of peak)")
    without = make_plan(SMALL.derive(hw=GH200), LAPTOP)
    assert {"cost", "CO2e"}.isdisjoint(plan_table(without).columns)


def test_the_json_of_a_plan_has_the_same_under_estimated() -> None:
    plan = make_plan(SMALL.derive(hw=GH200, price_per_device_hour=2.50), LAPTOP)
    document = json.loads(json.dumps(plan_json(plan)))
    first, cell = document["cells"][0]["estimated"], plan.cells[0]
    assert first["seconds"] == cell.price.seconds
    assert first["usd"] == cell.price.usd
    assert first["gco2e"] is None
    assert document["estimated"]["to_run"]["usd"] == pytest.approx(
        together(task.price for task in plan.to_run()).usd
    )
    (speed,) = document["estimated"]["speed"]
    assert (speed["of_bound"], speed["flops_per_s"], speed["tasks"]) == (0.4, None, 0)


def test_what_differs_by_scale_is_given_for_each() -> None:
    same = make_plan(SMALL, LAPTOP)
    assert setting(same).endswith(" · context 256 · 10 steps of 16 sequences · float32 · 3 repeats")
    wider = {2 * M: Budget(context_length=512)}
    both = make_plan(SMALL.derive(scales=[1 * M, 2 * M], per_scale=wider), LAPTOP)
    assert " · context 256 / context 512 · 10 steps of 16 sequences · " in setting(both)


def test_the_column_of_memory_is_called_as_the_metric_that_it_predicts() -> None:
    """What a process takes anyway is in ``peak memory`` and not in it."""
    assert BY_NAME["memory_over_baseline_gb"].label in plan_table(make_plan(SMALL, LAPTOP)).columns


def test_the_papers_hours_lie_above_the_bound_and_below_two_and_a_half_times_it() -> None:
    """Table 3 (arXiv 2505.13840): GQA at 1.5B took 38.03 hours on 48 GH200."""
    study = Study(Attention([GQA]), [1.5 * B], hw=48 * GH200, budget=Budget(tokens=350 * B))
    bound = make_plan(study, LAPTOP).cells[0].price.lower_bound_s
    assert bound is not None
    assert 0.4 * 38.03 < bound / 3600 < 38.03


def test_prices_are_never_in_a_key() -> None:
    priced = make_plan(SMALL.derive(price_per_device_hour=2.5, gco2e_per_kwh=380), LAPTOP)
    plain = make_plan(SMALL, LAPTOP)
    assert [t.address for t in priced.tasks] == [t.address for t in plain.tasks]


def test_a_price_below_zero_is_refused() -> None:
    with pytest.raises(StudyError, match="price_per_device_hour"):
        Study(Attention([GQA]), [1 * M], price_per_device_hour=-1)


def test_amounts_in_words() -> None:
    assert [duration(s) for s in (9.4, 75, 3700, 4e6)] == ["9s", "1m15s", "1h01m", "1,111h06m"]
    assert [duration(s) for s in (0, 0.031, 0.94, 0.96)] == ["0s", "0.03s", "0.9s", "1s"]
    assert [energy(j) for j in (3600, 3.6e6, 9e9)] == ["1 Wh", "1 kWh", "2,500 kWh"]
    assert [money(usd) for usd in (0, 0.0012, 1234.5)] == ["$0.00", "$0.0012", "$1,234.50"]
    assert [emission(g) for g in (0.5, 1500)] == ["0.5 g", "1.5 kg"]


def test_no_position_encoding_changes_no_flops() -> None:
    assert decode_flops_per_token(decoder(), 8) == decode_flops_per_token(Decoder(SHAPE, GQA(), NoPE()), 8)
