"""What the models are that workloads leave; each stage that trains registers its own."""

from __future__ import annotations

from functools import singledispatch

from effdsl.data import Data
from effdsl.language_model import LanguageModel
from effdsl.workload import Workload


@singledispatch
def language_model_left(workload: Workload) -> LanguageModel | None:
    """The matrices of the model that ``workload`` trains; ``None`` where nothing here knows them."""
    return None


@singledispatch
def positions_left(workload: Workload) -> int | None:
    """Tokens of the longest sequence that this model is made for; ``None`` where nothing here knows."""
    return None


@singledispatch
def text_trained_on(workload: Workload) -> Data | None:
    """The text that it trains on first."""
    return None
