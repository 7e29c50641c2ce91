"""What positions do inside attention."""

from __future__ import annotations

from torch import Tensor, nn


class Encoding(nn.Module):
    """Called, it turns heads by the positions of their tokens; ``bias`` adds to scores. Here neither."""

    def forward(self, x_bhte: Tensor, positions: slice) -> Tensor:
        """``x_bhte`` turned; ``positions`` are those of its ``t`` tokens, start and stop given."""
        return x_bhte

    def bias(self, keys: int) -> Tensor | None:
        """``(h, s)``, float32: what is added to the score of the key ``s`` positions back, ``s < keys``."""
        return None
