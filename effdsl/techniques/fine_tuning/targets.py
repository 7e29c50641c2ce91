"""Which linears of each layer an adapter changes."""

from __future__ import annotations

from typing import Any, Final

import attrs

from effdsl.declare import Invalid
from effdsl.language_model import LanguageModel
from effdsl.techniques.technique import Unsupported


@attrs.frozen(repr=False)
class AllLinear:
    """The type of :data:`ALL_LINEAR`."""

    def __repr__(self) -> str:
        return "ALL_LINEAR"

    def among(self, model: LanguageModel) -> tuple[str, ...]:
        """Their names in ``model``."""
        return model.names


@attrs.frozen(repr=False)
class KeysValuesAndOutput:
    """The type of :data:`KEYS_VALUES_AND_OUTPUT`."""

    def __repr__(self) -> str:
        return "KEYS_VALUES_AND_OUTPUT"

    def among(self, model: LanguageModel) -> tuple[str, ...]:
        """Their names in ``model``; keys and values may come from one matrix."""
        wanted = {model.keys, model.values, model.linears[-1].name}
        return tuple(name for name in model.names if name in wanted)


ALL_LINEAR: Final = AllLinear()
"""Every linear of a layer; never the output layer."""

KEYS_VALUES_AND_OUTPUT: Final = KeysValuesAndOutput()
"""The linears that give keys and values, and the feed-forward's output."""

Targets = tuple[str, ...] | AllLinear | KeysValuesAndOutput


def as_targets(value: Any) -> Any:
    """Converter: a list of names as a tuple."""
    return tuple(value) if isinstance(value, list) else value


def targets(_: Any, field: Any, value: Any) -> None:
    """Validator: names in a list, or a constant that stands for some."""
    if isinstance(value, (AllLinear, KeysValuesAndOutput)):
        return
    if not isinstance(value, tuple) or not value or not all(isinstance(name, str) for name in value):
        raise Invalid("must be a list of names of linear layers", 'e.g. ["q_proj", "v_proj"] or ALL_LINEAR')


def resolved(method: str, given: Targets, model: LanguageModel) -> tuple[str, ...]:
    """The names of the linears that ``given`` means in ``model``, in the model's order.

    Raises:
        Unsupported: when the model has no linear of a name.
    """
    wanted = given if isinstance(given, tuple) else given.among(model)
    missing = [name for name in wanted if name not in model.names]
    if missing:
        raise Unsupported(
            f"{method}: no layer has a linear called {', '.join(missing)}",
            f"allowed: {', '.join(model.names)}",
        )
    return tuple(name for name in model.names if name in wanted)
