"""lm-eval's interface to a model of transformers that is in memory. Importing this imports lm-eval."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lm_eval.models.huggingface import HFLM
from torch import Tensor
from transformers import AutoTokenizer

from effdsl_runtime.evaluating.evaluate import Report
from effdsl_runtime.observation import Progress

PHASE = "lm-eval"
Request = tuple[Any, list[int], list[int]]
"""The texts, and the tokens of prompt and continuation."""


class ReportingLM(HFLM):  # type: ignore[misc]  # of a module without types
    """Says how far it is, takes probabilities in float32, and leaves the model as it is.

    Attributes:
        prompts, truncated: how many continuations were asked for, and before how many of them the prompt has
            lost its beginning, for want of positions.
    """

    def __init__(self, model: Any, tokenizer: Path, batch_size: int, report: Report) -> None:
        self._report, self._done, self._total = report, 0, 0
        self.prompts = self.truncated = 0
        loaded = AutoTokenizer.from_pretrained(tokenizer)
        with _tied_as_it_is(model):
            super().__init__(
                pretrained=model,
                backend="causal",
                tokenizer=loaded,
                batch_size=batch_size,
                softmax_dtype="float32",
            )

    @property
    def progress(self) -> Progress:
        """How many of the sequences that were asked for last it has read; some are read together."""
        return Progress(PHASE, self._done, max(self._done, self._total) if self._total else 0)

    def get_model_info(self) -> dict[str, Any]:
        """Nothing: lm-eval's own asks the hub."""
        return {}

    def loglikelihood(self, requests: list[Any], disable_tqdm: bool = True) -> list[tuple[float, bool]]:
        self._begin(len(requests))
        found: list[tuple[float, bool]] = super().loglikelihood(requests, disable_tqdm=True)
        return found

    def loglikelihood_rolling(self, requests: list[Any], disable_tqdm: bool = True) -> list[float]:
        self._begin(0)
        found: list[float] = super().loglikelihood_rolling(requests, disable_tqdm=True)
        return found

    def generate_until(self, requests: list[Any], disable_tqdm: bool = True) -> list[str]:
        self._begin(len(requests))
        found: list[str] = super().generate_until(requests, disable_tqdm=True)
        return found

    def _loglikelihood_tokens(
        self, requests: list[Request], disable_tqdm: bool = True, **options: Any
    ) -> list[tuple[float, bool]]:
        longest = self.max_length + 1
        self.prompts += len(requests)
        self.truncated += sum(len(prompt) + len(rest) > longest for _, prompt, rest in requests)
        found: list[tuple[float, bool]] = super()._loglikelihood_tokens(requests, True, **options)
        return found

    def _model_call(self, inps: Tensor, *rest: Any, **options: Any) -> Tensor:
        logits: Tensor = super()._model_call(inps, *rest, **options)
        self._read(len(inps))
        return logits

    def _model_generate(self, context: Tensor, *rest: Any, **options: Any) -> Tensor:
        tokens: Tensor = super()._model_generate(context, *rest, **options)
        self._read(len(context))
        return tokens

    def _begin(self, total: int) -> None:
        self._done, self._total = 0, total

    def _read(self, sequences: int) -> None:
        self._done += sequences
        self._report(self.progress)


@contextmanager
def _tied_as_it_is(model: Any) -> Iterator[None]:
    """lm-eval ties output layer and embedding anew, which a format may have untied."""
    model.tie_weights = lambda *_, **__: None
    try:
        yield
    finally:
        del model.tie_weights
