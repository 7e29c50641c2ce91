"""The axis of precision: formats of weights, from 32 bits to two; what the files declare can be imported from
here.

A new file needs no list: see ``docs/contributing.md``.
"""

from typing import TYPE_CHECKING, Any

from effdsl.built_in import declared_in
from effdsl.techniques.precision.weight_format import WeightFormat

globals().update(declared_in(__name__, WeightFormat))

if TYPE_CHECKING:

    def __getattr__(name: str) -> Any: ...
