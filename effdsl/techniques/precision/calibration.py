"""What a format is fitted to."""

from __future__ import annotations

from effdsl.declare import identity, keyed
from effdsl.validate import positive_int, whole


@keyed("calibration")
class Calibration:
    """Text that a format is fitted to: pieces of the training part of the study's data.

    Attributes:
        samples: how many pieces.
        tokens: of each.
        seed: of which pieces.
    """

    samples: int = identity(default=64, converter=whole, validator=positive_int)
    tokens: int = identity(default=256, converter=whole, validator=positive_int)
    seed: int = identity(default=0, converter=whole)
