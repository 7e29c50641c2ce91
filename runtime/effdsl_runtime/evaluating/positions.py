"""How long a text a model can read."""

from __future__ import annotations

from typing import Any


def positions_of(model: Any) -> int | None:
    """How many tokens the model has positions for; ``None`` where its configuration does not say."""
    config = model.config.get_text_config()
    found = getattr(config, "max_position_embeddings", None)
    return found if isinstance(found, int) and found > 0 else None
