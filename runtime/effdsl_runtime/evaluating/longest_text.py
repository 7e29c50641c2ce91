"""How long a text a model can read."""

from __future__ import annotations

from typing import Any


def positions_of(model: Any) -> int | None:
    """How many tokens the model has positions for; ``None`` where its configuration does not say."""
    return positions_in(model.config)


def positions_in(config: Any) -> int | None:
    """The same of the model that a configuration of transformers is of."""
    found = getattr(config.get_text_config(), "max_position_embeddings", None)
    return found if isinstance(found, int) and found > 0 else None


def cut_to(wanted: int, positions: int | None) -> tuple[str, ...]:
    """What to say of examples of ``wanted`` tokens to a model of so many ``positions``; nothing where they
    fit."""
    if positions is None or wanted <= positions:
        return ()
    return (f"perplexity of examples of {positions:,} tokens, and not {wanted:,}: it has no more positions",)
