"""Declarations of hardware: what is refused, what follows from what, and what is in the key."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import pytest

from effdsl import GB, GH200, GQA, H200, THIS_MACHINE, Attention, M, Study, StudyError
from effdsl.hardware import CATALOG, Hardware
from effdsl.key import canonical_json
from effdsl.planner import make_plan


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": 3}, "must be text in quotes"),
        ({"name": " "}, "must be text in quotes, not empty"),
        ({"count": 0}, "whole number of at least 1"),
        ({"kind": "x"}, "allowed: 'gpu', 'cpu'"),
        ({"memory": 3}, "must be memory above 0, with its unit\n.*80\\*GB"),
        ({"memory": 3 * M}, "must be memory above 0"),
        ({"peak_flops": 3}, "must map a dtype to FLOP/s"),
        ({"peak_flops": {"fp32": 1e12}}, "no dtype 'fp32'; allowed: float32, float16, bfloat16"),
        ({"peak_flops": {"bfloat16": "x"}}, "'x' FLOP/s in bfloat16: must be a number above 0"),
        ({"bandwidth": -1}, "must be a number above 0"),
        ({"power_limit_w": -700}, "must be a number above 0"),
        ({"power_limit_w": "x"}, "must be a number above 0"),
        ({"per_node": 0}, "whole number of at least 1"),
        ({"interconnect": 0}, "must be a number above 0"),
        ({"network": "fast"}, "must be a number above 0"),
        ({"bf16": "yes"}, "allowed: True, False"),
        ({"source": 3}, "must be text in quotes"),
    ],
    ids=str,
)
def test_a_wrong_number_of_hardware_is_refused_with_what_is_allowed(
    fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(StudyError, match=message) as caught:
        Hardware(**({"name": "mine"} | fields))
    assert next(iter(fields)) in str(caught.value)


def test_all_of_the_catalog_can_be_declared_as_it_is_shown() -> None:
    for each in CATALOG:
        assert eval(repr(each), {"Hardware": Hardware, "GB": GB}) == each  # noqa: S307  our own repr


def test_hardware_with_a_rate_in_bfloat16_computes_in_it() -> None:
    """A peak for bfloat16 is enough: a plan for it takes that dtype, and so knows its time."""
    mine = Hardware("mine", peak_flops={"bfloat16": 1e15})
    assert mine.bf16
    assert not Hardware("mine", peak_flops={"float32": 1e13}).bf16
    (cell,) = make_plan(Study(Attention([GQA]), [1 * M], hw=mine), mine).cells
    assert cell.cell is not None
    assert cell.cell.workload.recipe.dtype == "bfloat16"
    assert cell.price.seconds is not None


def test_only_name_and_count_are_in_the_key() -> None:
    plain = Hardware("mine")
    told = Hardware(
        "mine",
        memory=8 * GB,
        peak_flops={"float32": 1},
        bandwidth=2,
        power_limit_w=3,
        per_node=4,
        interconnect=5,
        network=6,
    )
    assert canonical_json(plain) == canonical_json(told)
    assert canonical_json(plain) != canonical_json(2 * plain)


@pytest.mark.parametrize(
    ("hardware", "nodes", "each"),
    [
        (GH200, 1, 1),
        (48 * GH200, 12, 4),
        (8 * H200, 1, 8),
        (3 * H200, 1, 3),
        (12 * H200, 2, 8),
        (5 * Hardware("mine"), 1, 5),
    ],
    ids=str,
)
def test_devices_fill_machines_of_as_many_as_one_has(hardware: Hardware, nodes: int, each: int) -> None:
    """48 GH200 are the paper's twelve nodes of four; devices of which nothing is said are in one machine."""
    assert (hardware.nodes, hardware.devices_of_a_node) == (nodes, each)


def test_a_number_of_devices_may_stand_on_either_side() -> None:
    assert 4 * GH200 == GH200 * 4
    assert (2 * (GH200 * 4)).count == 8


@pytest.mark.parametrize("multiply", [operator.mul, lambda hardware, n: n * hardware])
@pytest.mark.parametrize("count", [2.5, "4", True])
def test_a_number_of_devices_is_a_whole_number(multiply: Callable[[Any, Any], Any], count: Any) -> None:
    with pytest.raises(StudyError, match=r"a whole number\n.*4 \* GH200"):
        multiply(GH200, count)
    with pytest.raises(StudyError, match="this machine is one"):
        multiply(THIS_MACHINE, count)
