"""Results of inference for tests: a precision of a model, with its items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from effdsl_registry.records import Identity

from effdsl.task import ChosenTechnique

from .conftest import Shelf

BITS = {"FP32": 32, "BF16": 16, "FP16": 16, "INT8": 8, "INT4": 4, "INT2": 2, "NF4": 4}
DTYPES = {"FP32": "float32", "FP16": "float16"}
OWN, SHARED = "one per repeat", "one for all repeats"
Items = Sequence[float | tuple[float, float]]
"""Values of items, those of texts with how many tokens are predicted."""


def stored_identity(
    precision: str,
    seed: int = 0,
    *,
    model: str = "7M",
    parameters: int = 7_000_000,
    base: str = "",
    checkpoints: str = OWN,
    hardware: str = "AMD EPYC x2",
    new_tokens: int = 48,
    load: str = "batch 1",
    evaluation: str = "perplexity",
) -> Identity:
    """A precision, by its name or its label, e.g. ``INT4(group_size=128)``."""
    family = precision.partition("(")[0]
    return Identity(
        stage="inference",
        technique=precision,
        scale=model,
        parameters=parameters,
        active_parameters=parameters,
        seed=seed,
        hardware=hardware,
        dtype=DTYPES.get(family, "bfloat16"),
        engine="transformers",
        engine_version=1,
        choices={"precision": ChosenTechnique(family, precision, usual=precision == "BF16")},
        setting={
            "base": base or f"of {model}",
            "data": "Shakespeare",
            "data_revision": "abc",
            "prompt_tokens": 128,
            "new_tokens": new_tokens,
            "load": load,
        },
        details={"bits": BITS[family], "evaluation": evaluation, "checkpoints": checkpoints},
    )


def store(
    shelf: Shelf,
    precision: str,
    *,
    study: str = "",
    items: Sequence[Mapping[str, Items]] = (),
    identity: dict[str, Any] | None = None,
    **columns: Any,
) -> list[str]:
    """The repeats of a precision, one per mapping of items or value of its metrics; their keys."""
    lists = [value for value in columns.values() if isinstance(value, list)]
    repeats = len(items) or (len(lists[0]) if lists else 1)
    return [
        shelf.add(
            precision,
            study=study,
            identity=stored_identity(precision, seed, **(identity or {})),
            items=items[seed] if items else {},
            **{name: value[seed] if isinstance(value, list) else value for name, value in columns.items()},
        )
        for seed in range(repeats)
    ]
