"""The axis of fine-tuning: a file for each family; what the files declare can be imported from here.

A new file needs no list: see ``docs/contributing.md``.
"""

from typing import TYPE_CHECKING, Any

from effdsl.built_in import declared_in
from effdsl.techniques.fine_tuning.method import Method

globals().update(declared_in(__name__, Method))

if TYPE_CHECKING:

    def __getattr__(name: str) -> Any: ...
