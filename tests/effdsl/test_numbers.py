"""Numbers of a study: whatever makes them, they are the numbers that they are, finite, and Python's own."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from effdsl import (
    BPE,
    GB,
    GQA,
    NSA,
    AspectRatio,
    Attention,
    Budget,
    M,
    MoE,
    Recipe,
    RoPE,
    Seeds,
    Study,
    T5Bias,
)
from effdsl.declare import identity, keyed
from effdsl.display import plan_json
from effdsl.engines.torch import Torch
from effdsl.hardware import GH200, Hardware
from effdsl.key import canonical_json
from effdsl.loading import load_study
from effdsl.planner import make_plan
from effdsl.problems import StudyError
from effdsl.training import TrainingRecipe
from effdsl.units import plain

LAPTOP = Hardware(name="a laptop", kind="cpu")


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (np.float64(1e-3), 1e-3),
        (np.float32(1e-3), 0.0010000000474974513),  # what the nearest float32 is
        (np.float16(0.5), 0.5),
        (np.longdouble("0.5"), 0.5),
        (np.int64(2), 2.0),
        (np.logspace(-3, 0, 4)[0], 1e-3),
        (Fraction(1, 4), 0.25),
        (1, 1.0),
    ],
)
def test_any_real_number_is_the_python_number_with_its_key(given: Any, meant: float) -> None:
    recipe = TrainingRecipe(learning_rate=given)
    assert type(recipe.learning_rate) is float
    assert canonical_json(recipe) == canonical_json(TrainingRecipe(learning_rate=meant))
    assert Recipe(learning_rate=given) == Recipe(learning_rate=meant)


@pytest.mark.parametrize(
    ("cls", "field", "given", "meant"),
    [
        (Budget, "steps", np.int64(20), 20),
        (Budget, "batch_size", np.uint8(4), 4),
        (GQA, "kv_heads", np.int32(2), 2),
        (T5Bias, "buckets", np.int16(16), 16),
        (BPE, "vocab_size", np.int64(512), 512),
        (MoE, "expert_width", np.int64(64), 64),
        (NSA, "shared_kv", np.True_, True),
        (RoPE, "theta", np.logspace(4, 6, 3)[1], 1e5),
        (RoPE, "theta", np.int64(10_000), 1e4),
        (AspectRatio, "ratio", np.float32(24), 24.0),
        (Recipe, "dtype", np.str_("float32"), "float32"),
    ],
)
def test_numpys_scalars_are_python_values_in_every_field(
    cls: type, field: str, given: Any, meant: object
) -> None:
    made = cls(**{field: given})
    assert type(getattr(made, field)) is type(meant)
    assert getattr(made, field) == meant
    assert repr(made) == repr(cls(**{field: meant}))
    if hasattr(cls, "__tag__"):
        assert canonical_json(made) == canonical_json(cls(**{field: meant}))


def test_a_study_made_with_numpy_is_the_study_made_without() -> None:
    with_numpy = Study(
        Attention([GQA(kv_heads=k) for k in np.array([1, 2])]),
        np.array([1, 3]) * M,
        repeats=Seeds(*np.arange(2)),
        budget=Budget(steps=np.int64(5)),
        hw=np.int64(4) * GH200,
    )
    without = Study(
        Attention([GQA(kv_heads=1), GQA(kv_heads=2)]),
        [1 * M, 3 * M],
        repeats=2,
        budget=Budget(steps=5),
        hw=4 * GH200,
    )
    plans = [make_plan(study, LAPTOP) for study in (with_numpy, without)]
    assert json.dumps(plan_json(plans[0])) == json.dumps(plan_json(plans[1]))


def test_sizes_and_devices_may_be_counted_by_numpy() -> None:
    assert np.float32(0.5) * M == 0.5 * M
    assert np.int64(80) * GB == 80 * GB
    assert GH200 * np.int64(2) == 2 * GH200
    assert Study(Attention([GQA]), [1 * M], repeats=np.int64(2)).repeats == Seeds(0, 1)
    known = Hardware("x", peak_flops={"float32": np.float64(1e12)}, bf16=np.False_)
    assert json.dumps([known.peak_flops, known.bf16]) == '[{"float32": 1000000000000.0}, false]'


@given(st.one_of(st.integers(), st.floats(), st.booleans(), st.text(), st.none()))
def test_pythons_own_values_stay_the_same_objects(value: object) -> None:
    assert plain(value) is value


@pytest.mark.parametrize("number", [float("inf"), np.inf, np.float32("inf"), 10**400])
@pytest.mark.parametrize(
    ("cls", "field"),
    [(Recipe, "learning_rate"), (Recipe, "gradient_clip"), (RoPE, "theta"), (MoE, "balance")],
)
def test_infinity_is_refused_with_what_is_allowed(cls: type, field: str, number: Any) -> None:
    with pytest.raises(StudyError, match=rf"{cls.__name__}\({field}=.*\): must be a number .*, and finite"):
        cls(**{field: number})


@pytest.mark.parametrize("number", [float("nan"), np.nan, -np.inf, np.float32("nan")])
@pytest.mark.parametrize("field", [field.name for field in attrs.fields(Recipe) if "float" in field.type])
def test_what_is_no_number_of_the_range_is_refused_in_every_field(field: str, number: Any) -> None:
    with pytest.raises(StudyError, match=rf"Recipe\({field}=.*\): must be "):
        Recipe(**{field: number})


@pytest.mark.parametrize(
    "value", [np.array([1.0, 2.0]), np.array(1.0), np.complex64(1), True, np.True_, "1", None.__class__]
)
def test_what_is_no_real_number_is_still_refused(value: Any) -> None:
    with pytest.raises(StudyError, match="must be a number above 0"):
        Recipe(learning_rate=value)
    with pytest.raises(StudyError, match="must be a whole number of at least 1"):
        Budget(steps=value)
    with pytest.raises(StudyError, match="allowed: 'auto', 'float32', 'bfloat16'"):
        Recipe(dtype=value)


def test_one_is_not_true_which_is_another_key() -> None:
    with pytest.raises(StudyError, match="allowed: True, False"):
        NSA(shared_kv=1)


def test_infinity_in_a_file_is_refused_with_its_line_and_everything_else_that_is_wrong(
    tmp_path: Path,
) -> None:
    file = tmp_path / "study.py"
    file.write_text(
        "from effdsl import *\n"
        "recipe = Recipe(learning_rate=float('inf'))\n"
        "hw = Hardware('x', peak_flops={'float32': float('inf')})\n"
        "study = Study(Attention([GQA]), [1*M], recipe=recipe, price_per_device_hour=1e999)\n",
        encoding="utf-8",
    )
    with pytest.raises(StudyError) as refused:
        load_study(str(file))
    assert [problem.line for problem in refused.value.problems] == [2, 3, 4]


@keyed("engine-of-a-user")
class Own(Torch):
    """An engine that a study brings, without converters or validators."""

    rate: float = identity(default=1.0)


def test_fields_of_a_users_own_class_are_python_numbers_too() -> None:
    assert canonical_json(Own(rate=np.float32(0.5))) == canonical_json(Own(rate=0.5))
    assert repr(Own(rate=np.float64(0.5))) == "Own(rate=0.5)"


@pytest.mark.parametrize("rate", [np.inf, b"0.5", [object()]])
def test_what_cannot_be_in_a_key_is_a_mistake_in_the_study(rate: Any) -> None:
    study = Study(Attention([GQA]), [1 * M], engine=Own(rate=rate))
    with pytest.raises(StudyError, match=r"\.rate.* cannot be part of a key\n.*a finite number"):
        make_plan(study, LAPTOP)
