"""Results of fine-tuning for tests, a method with its repeats in a line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from effdsl_registry.records import Identity, Row

from effdsl.task import ChosenTechnique

from .conftest import Shelf

RATES = {
    "LoRA": 1e-4,
    "LoRAPlus": 1e-4,
    "RSLoRA": 1e-4,
    "DoRA": 1e-4,
    "PiSSA": 1e-4,
    "Freeze": 5e-5,
    "Full": 1e-5,
}
"""The usual learning rate of each method."""
METHODS = tuple(RATES)


def tuned_identity(
    method: str,
    seed: int = 0,
    *,
    model: str = "llama-3.2-1b",
    parameters: int = 1_000_000,
    trained: int | None = None,
    data: str = "OpenO1SFT",
    tried: str = "",
    rate: float | None = None,
    edge: str = "",
    stage: str = "fine-tuning",
    technique: str = "",
    base: str = "",
) -> Identity:
    """A method on a model; one with the same ``base`` is the same model. A sweep that is ``tried`` is written
    as settings write it: "0.001, 0.01"."""
    trials = len(tried.split(", ")) if tried else 0
    return Identity(
        stage=stage,
        technique=technique or method,
        scale=model,
        parameters=parameters,
        active_parameters=parameters,
        seed=seed,
        hardware="AMD EPYC x2",
        dtype="bfloat16",
        engine="transformers",
        engine_version=1,
        choices={"fine_tuning": ChosenTechnique(method, method)},
        setting={
            "base": base or model,
            "data": data,
            "data_revision": "abc",
            "context_length": 128,
            "batch_size": 8,
            "steps": 10,
            "learning_rates_tried": tried,
        },
        details={
            "micro_batch_size": 8,
            "trained_parameters": trained or (parameters if method == "Full" else parameters // 50),
            "learning_rate": rate or RATES[method],
            "trials": trials,
            "tuning_steps": trials * 10,
            "edge_of_sweep": edge,
        },
    )


def counted(*, training: int = 800, truncated: int = 0, tokens: int = 9_000, bytes_: int = 30_000) -> Row:
    """What the tokenizer and the context made of the data."""
    return {
        "training": training,
        "truncated": truncated,
        "held_out_tokens": tokens,
        "held_out_bytes": bytes_,
    }


def tune(
    shelf: Shelf,
    method: str,
    *,
    study: str = "",
    held_out: Sequence[Sequence[tuple[int, float | None]]] = (),
    outcome: str = "ok",
    identity: dict[str, Any] | None = None,
    examples: Row | None = None,
    **metrics: Any,
) -> list[str]:
    """The repeats of a method, one per value of its metrics or curve of its held-out loss; their keys."""
    lists = [value for value in metrics.values() if isinstance(value, list)]
    repeats = len(held_out) or (len(lists[0]) if lists else 1)
    return [
        shelf.add(
            method,
            study=study,
            outcome=outcome,
            identity=tuned_identity(method, seed, **(identity or {})),
            held_out=held_out[seed] if held_out else (),
            examples=examples,
            **{name: value[seed] if isinstance(value, list) else value for name, value in metrics.items()},
        )
        for seed in range(repeats)
    ]
