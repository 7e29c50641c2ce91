"""The key: what changes it, what never does, and that it stays what it was."""

from __future__ import annotations

import enum
import importlib
import json
import os
import pkgutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

import effdsl
from effdsl import (
    GQA,
    H200,
    ISO_FLOP,
    MHA,
    MLA,
    MQA,
    NSA,
    RWKV4,
    ALiBi,
    Attention,
    B,
    Backbone,
    Budget,
    FeedForward,
    Learned,
    M,
    Mamba,
    Mamba2,
    MoBA,
    MoE,
    NoPE,
    Position,
    Pythia,
    Recipe,
    RoPE,
    Seeds,
    Sinusoidal,
    Study,
    SwiGLU,
    T5Bias,
)
from effdsl.declare import ROLE, TAGS, identity, keyed, transport
from effdsl.hardware import Hardware
from effdsl.key import CanonicalForms, KeyFieldError, canonical_json, key_of
from effdsl.planner import make_plan
from effdsl.task import Task
from effdsl.units import Count

LAPTOP = Hardware(name="a laptop", kind="cpu")
GOLDEN = Path(__file__).parent / "golden_keys.json"


def studies() -> list[Study]:
    """The studies whose keys are pinned: every technique, tokenizer, data default and override."""
    small = Budget(steps=10)
    longer = [Budget(steps=3), Recipe(learning_rate=1e-3)]
    mixed = Attention([GQA(kv_heads=4), MLA(kv_rank=64)]) * Position([RoPE(theta=1e4), NoPE])
    positions = [Sinusoidal, Learned, T5Bias, T5Bias(buckets=16, max_distance=64), ALiBi, RoPE(fraction=0.25)]
    return [
        Study(Attention([MHA, MQA, GQA, MLA, NSA]), [3 * M], budget=small),
        Study(mixed, [3 * M], budget=small),
        Study(Attention([MQA, GQA, MLA, NSA]), [0.5 * B, 1.5 * B, 3 * B], hw=H200, repeats=Seeds(7)),
        Study(Attention([GQA]), [3 * M, 10 * M], per_scale={10 * M: longer}),
        Study(Attention([MoBA, MoBA(kv_heads=4, block=16, top_k=2)]), [3 * M], budget=small),
        Study(FeedForward([SwiGLU, MoE, MoE(top_k=3, expert_width=ISO_FLOP)]), [3 * M], repeats=1),
        Study(Backbone([RWKV4, Pythia]), [3 * M], budget=small, repeats=1),
        Study(Position(positions), [3 * M], budget=small, repeats=1),
        Study(Backbone([Mamba, Mamba2, Mamba2(state_size=32)]), [3 * M], budget=small, repeats=1),
    ]


def keys_of(study: Study) -> dict[str, str]:
    plan = make_plan(study, LAPTOP)
    return {
        f"{t.task.labels.technique} {t.task.labels.scale} {t.task.seed}": t.address.key for t in plan.tasks
    }


def all_keys() -> dict[str, str]:
    return {f"{i} {name}": key for i, study in enumerate(studies()) for name, key in keys_of(study).items()}


def test_keys_are_what_they_were_when_first_released() -> None:
    """A changed key loses every stored result of that task: bump an engine's version instead."""
    assert all_keys() == json.loads(GOLDEN.read_text())


@pytest.mark.slow
@pytest.mark.parametrize("hash_seed", ["1", "77"])
def test_hash_seed_and_working_directory_never_change_a_key(hash_seed: str, tmp_path: Path) -> None:
    code = f"import json, sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import test_key\n"
    code += "print(json.dumps(test_key.all_keys()))"
    environment = os.environ | {"PYTHONHASHSEED": hash_seed}
    ran = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(ran.stdout) == all_keys()


def declared_classes() -> list[type]:
    """Every class of the language, whichever module declares it."""
    for module in pkgutil.walk_packages(effdsl.__path__, "effdsl."):
        if module.name != "effdsl.__main__":
            importlib.import_module(module.name)
    return [cls for cls in TAGS.values() if cls.__module__.startswith("effdsl.")]


def test_every_field_of_a_class_in_the_key_is_classified() -> None:
    """A new field must say whether it is in the key before it can be used."""
    unclassified = [
        f"{cls.__module__}.{cls.__qualname__}.{field.name}: use identity(since=…, absent=…) or transport()"
        for cls in declared_classes()
        for field in attrs.fields(cls)
        if ROLE not in field.metadata
    ]
    assert not unclassified


def test_tags_are_not_class_names_so_that_renaming_a_class_is_free() -> None:
    renamed = attrs.make_class("Renamed", {}, bases=(GQA,))
    assert '"$":"gqa"' in canonical_json(GQA())
    assert all(tag == cls.__tag__ for tag, cls in TAGS.items())
    assert renamed.__tag__ == "gqa"


def test_name_notes_axis_order_and_scale_order_never_change_a_key() -> None:
    plain = Study(Attention([MQA, GQA]) * Position([RoPE, NoPE]), [3 * M, 10 * M], budget=Budget(steps=5))
    turned = Study(
        Position([NoPE, RoPE]) * Attention([GQA, MQA]), [10 * M, 3 * M],
        budget=Budget(steps=5), name="other", notes="anything",
    )  # fmt: skip
    assert set(keys_of(plain).values()) == set(keys_of(turned).values())


def test_techniques_that_mean_the_same_share_a_key() -> None:
    one = keys_of(Study(Attention([MQA, MHA]), [3 * M]))
    other = keys_of(Study(Attention([GQA(kv_heads=1), GQA(kv_heads=8)]), [3 * M]))
    assert one == other


def leaves(value: Any, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    """Every identity field in ``value`` that holds a plain value, with its path."""
    found = []
    for field in attrs.fields(type(value)):
        held = getattr(value, field.name)
        if not field.metadata[ROLE].in_key:
            continue
        if attrs.has(type(held)):
            found += leaves(held, (*path, field.name))
        else:
            found.append(((*path, field.name), held))
    return found


def other(value: Any) -> Any:
    """A different value of the same kind."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, (int, float)):
        return value + 1
    if isinstance(value, str):
        return value + "x"
    if value is None:
        return 1
    return (*value, "x")


def changed(value: Any, path: tuple[str, ...], new: Any) -> Any:
    """``value`` with the field at ``path`` replaced, validators aside: keys are about values."""
    copy = object.__new__(type(value))
    for field in attrs.fields(type(value)):
        object.__setattr__(copy, field.name, getattr(value, field.name))
    held = getattr(value, path[0])
    object.__setattr__(copy, path[0], changed(held, path[1:], new) if path[1:] else new)
    return copy


def some_tasks() -> list[Task]:
    return [planned.task for study in studies()[:3] for planned in make_plan(study, LAPTOP).tasks[:8]]


@pytest.mark.parametrize(
    "task", some_tasks(), ids=lambda t: f"{t.labels.technique}-{t.labels.scale}-{t.seed}"
)
def test_any_identity_field_changes_the_key(task: Task) -> None:
    key = key_of(canonical_json(task))
    for path, held in leaves(task):
        assert key_of(canonical_json(changed(task, path, other(held)))) != key, path


def test_what_is_known_of_hardware_beyond_its_class_never_changes_a_key() -> None:
    corrected = attrs.evolve(
        LAPTOP, memory=5 * effdsl.GB, bandwidth=1e9, power_limit_w=3.0, source="measured"
    )
    assert canonical_json(LAPTOP) == canonical_json(corrected)


@keyed("test-before")
class Before:
    rate: float = identity(converter=float)


@keyed("test-after")
class After:
    rate: float = identity(converter=float)
    shift: float = identity(since=2, absent=0.5, default=0.5, converter=float)
    note: str = transport(default="")


def test_a_field_added_later_keeps_old_keys_only_at_its_pinned_value() -> None:
    """The default may move; the pinned value, at which the field is left out, never does."""
    before = canonical_json(Before(1)).replace("test-before", "test-after")
    assert canonical_json(After(1)) == before
    assert canonical_json(After(1, shift=0.7)) != before


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_floats_are_canonical(value: float) -> None:
    assert canonical_json(Before(value)) == canonical_json(Before(value + 0.0))
    assert json.loads(canonical_json(Before(value)))["rate"] == value


def test_integers_given_where_a_float_is_meant_are_floats() -> None:
    assert canonical_json(Before(1)) == canonical_json(Before(1.0))
    assert canonical_json(Before(-0.0)) == canonical_json(Before(0.0))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), b"x", Path("x"), lambda: 0])
def test_what_cannot_be_part_of_a_key_is_refused_with_its_path(value: object) -> None:
    holder = changed(Before(1), ("rate",), value)
    with pytest.raises(KeyFieldError, match=r"\$\.rate: .* cannot be part of a key"):
        canonical_json(holder)


def test_a_subclass_does_not_write_itself_as_its_base() -> None:
    class Other(Before):
        def __init__(self) -> None:
            object.__setattr__(self, "rate", 1.0)

    with pytest.raises(KeyFieldError, match="Other has no registered tag"):
        canonical_json(Other())


def test_sets_are_sorted_and_enums_are_their_values() -> None:
    class Colour(enum.Enum):
        RED = "red"

    assert canonical_json(frozenset({"b", "a"})) == '["a","b"]'
    assert canonical_json(Colour.RED) == '"red"'


@given(st.integers(1, 10**6), st.sampled_from(["K", "M", "B"]))
def test_a_quantity_is_written_as_its_number(number: int, unit: str) -> None:
    count: Count = number * getattr(effdsl, unit)
    assert canonical_json(count) == str(count.value)


def test_parts_shared_by_many_tasks_are_written_as_if_alone() -> None:
    forms = CanonicalForms()
    for task in some_tasks():
        assert forms(task) == canonical_json(task)
