"""How long and how a model is trained: budget and recipe, as declared and as resolved."""

from __future__ import annotations

import math
from typing import Any

from effdsl.declare import Invalid, evolve, identity, keyed, language, transport, values_of
from effdsl.problems import spelled
from effdsl.shapes import SMALL
from effdsl.units import Count, plain
from effdsl.validate import (
    a_count,
    below_one,
    fraction,
    number,
    one_of,
    optional,
    positive,
    positive_int,
    whole,
)

TOKENS_PER_PARAMETER = 20
LOWEST_RATE = 1e-4
FEWEST_RATES = 2


@language
class Budget:
    """How much to train. What is left open gets a default for the scale (see ``resolve``).

    Attributes:
        steps: optimizer steps; or
        tokens: tokens to train on, e.g. ``350*B``, rounded up to whole steps. With neither, 20 tokens
            per parameter (Hoffmann et al. 2022, arXiv 2203.15556).
        batch_size: sequences per optimizer step, over all devices.
        context_length: tokens per sequence.
        micro_batch_size: sequences per forward pass and device; default the device's share of the batch
            below 100M parameters, 1 from there on.
    """

    steps: int | None = transport(default=None, converter=whole, validator=optional(positive_int))
    tokens: Count | None = transport(default=None, validator=optional(a_count("tokens", "tokens=350*B")))
    batch_size: int | None = transport(default=None, converter=whole, validator=optional(positive_int))
    context_length: int | None = transport(default=None, converter=whole, validator=optional(positive_int))
    micro_batch_size: int | None = transport(default=None, converter=whole, validator=optional(positive_int))

    def __attrs_post_init__(self) -> None:
        if self.steps is not None and self.tokens is not None:
            raise Invalid("give steps or tokens, not both")

    def overridden_by(self, other: Budget) -> Budget:
        """This budget with what ``other`` gives; steps and tokens replace each other."""
        given = {name: value for name, value in values_of(other).items() if value is not None}
        if "steps" in given or "tokens" in given:
            given = {"steps": None, "tokens": None} | given
        return evolve(self, **given)

    def resolve(self, scale: Count, devices: int) -> TrainingBudget:
        """The budget with every choice closed; it depends on the scale, never on the technique.

        Below 100M parameters: context 256 and batches of 16 sequences, which a laptop can bear; from
        there on the paper's context of 8192 and batches of 2,048 sequences (its 16.8M tokens), rounded
        up to what the devices divide, one sequence at a time.

        Raises:
            Invalid: when the micro-batches of all devices do not divide the batch.
        """
        small = scale.value < SMALL
        context_length = self.context_length or (256 if small else 8192)
        micro = self.micro_batch_size or (math.ceil((self.batch_size or 16) / devices) if small else 1)
        together = micro * devices
        batch_size = self.batch_size or math.ceil((16 if small else 2048) / together) * together
        if batch_size % together:
            raise Invalid(
                f"batch_size={batch_size} is not a multiple of micro_batch_size={micro} x {devices} devices",
                f"e.g. batch_size={math.ceil(batch_size / together) * together}",
            )
        tokens = self.tokens.value if self.tokens else TOKENS_PER_PARAMETER * scale.value
        steps = self.steps or math.ceil(tokens / (batch_size * context_length))
        return TrainingBudget(steps, batch_size, context_length, micro)


@keyed("training-budget")
class TrainingBudget:
    """A budget with every choice closed."""

    steps: int = identity()
    batch_size: int = identity()
    context_length: int = identity()
    micro_batch_size: int = identity()

    @property
    def tokens_per_step(self) -> int:
        return self.batch_size * self.context_length

    @property
    def tokens(self) -> int:
        return self.steps * self.tokens_per_step


def _rates(value: Any) -> Any:
    if not isinstance(value, (list, tuple)):
        raise Invalid("expected a list of learning rates", "e.g. Sweep([1e-4, 3e-4, 1e-3])")
    return tuple(sorted(map(number, value))) if all(map(_is_number, value)) else tuple(value)


def _is_number(value: object) -> bool:
    return isinstance(plain(value), (int, float)) and not isinstance(value, bool)


def _several_rates(_: Any, field: Any, value: Any) -> None:
    for rate in value:
        positive(_, field, rate)
    if len(set(value)) != len(value) or len(value) < FEWEST_RATES:
        raise Invalid("needs at least two different learning rates", "e.g. Sweep([1e-4, 3e-4, 1e-3])")


@keyed("sweep")
class Sweep:
    """Learning rates to try: every technique gets the same number of trials, and then its own best.

    A trial is a whole training with one of them; the best is the one with the lowest loss on the tuning part
    of the data, which is neither trained on nor held out.
    """

    learning_rates: tuple[float, ...] = identity(converter=_rates, validator=_several_rates)

    def __str__(self) -> str:
        return ", ".join(f"{rate:g}" for rate in self.learning_rates)


def _rate_or_sweep(_: Any, field: Any, value: Any) -> None:
    if isinstance(value, Sweep) or value is None:
        return
    positive(_, field, value)


def _number_or_sweep(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        raise Invalid(
            "several learning rates are a Sweep, of which each method of a fine-tuning gets its best",
            f"learning_rate=Sweep({spelled(list(value))})",
        )
    return value if isinstance(value, Sweep) else number(value)


@language
class Recipe:
    """How to train. What is left open gets what is usual for the stage and the scale.

    Attributes:
        learning_rate: peak of linear warm-up and cosine decay; or, of fine-tuning, a :class:`Sweep`.
        warmup: fraction of the steps.
        final_learning_rate: fraction of the peak at the last step.
        weight_decay, beta1, beta2: of AdamW.
        gradient_clip: the most that the norm of the gradient may be.
        dtype: of the matrix products; what is trained and its optimizer states stay float32. ``"auto"`` is
            bfloat16 (autocast) where the hardware has it natively, else float32.
    """

    learning_rate: float | Sweep | None = transport(
        default=None, converter=_number_or_sweep, validator=_rate_or_sweep
    )
    warmup: float | None = transport(default=None, converter=number, validator=optional(fraction))
    final_learning_rate: float | None = transport(
        default=None, converter=number, validator=optional(fraction)
    )
    weight_decay: float | None = transport(default=None, converter=number, validator=optional(fraction))
    beta1: float | None = transport(default=None, converter=number, validator=optional(below_one))
    beta2: float | None = transport(default=None, converter=number, validator=optional(below_one))
    gradient_clip: float | None = transport(default=None, converter=number, validator=optional(positive))
    dtype: str = transport(default="auto", validator=one_of("auto", "float32", "bfloat16"))

    @property
    def sweep(self) -> Sweep | None:
        """The learning rates to try, where there are several."""
        return self.learning_rate if isinstance(self.learning_rate, Sweep) else None

    def resolve(self, usual: TrainingRecipe, bf16: bool) -> TrainingRecipe:
        """The recipe with every choice closed, by what is ``usual``; with a sweep its learning rate is
        ``None``."""
        given = {name: value for name, value in values_of(self).items() if value is not None}
        given["dtype"] = ("bfloat16" if bf16 else "float32") if self.dtype == "auto" else self.dtype
        if self.sweep is not None:
            given["learning_rate"] = None
        return evolve(usual, **given)


@keyed("recipe")
class TrainingRecipe:
    """A recipe with every choice closed: AdamW with linear warm-up, cosine decay and gradient clipping.

    The defaults are those of pretraining.
    """

    learning_rate: float | None = identity(converter=number, validator=optional(positive))
    warmup: float = identity(default=0.05, converter=number, validator=fraction)
    final_learning_rate: float = identity(default=0.1, converter=number, validator=fraction)
    weight_decay: float = identity(default=0.1, converter=number, validator=fraction)
    beta1: float = identity(default=0.9, converter=number, validator=below_one)
    beta2: float = identity(default=0.95, converter=number, validator=below_one)
    gradient_clip: float = identity(default=1.0, converter=number, validator=positive)
    dtype: str = identity(default="float32", validator=one_of("float32", "bfloat16"))


def pretraining_recipe(scale: Count) -> TrainingRecipe:
    """What is usual at ``scale``: a peak of 0.003239 - 0.0001395 ln(parameters), which is Kaplan et al. 2020
    (arXiv 2001.08361), eq. D.1, and no less than 1e-4, which it reaches at 6B."""
    kaplan = max(LOWEST_RATE, 0.003239 - 0.0001395 * math.log(scale.value))
    return TrainingRecipe(learning_rate=float(f"{kaplan:.3g}"))


def learning_rate_at(step: int, steps: int, recipe: TrainingRecipe) -> float:
    """Learning rate of optimizer step ``step`` (0-based): linear warm-up to the peak, then cosine decay that
    ends with the last step."""
    peak: Any = recipe.learning_rate
    warmup = max(1, round(recipe.warmup * steps))
    if step < warmup:
        return float(peak) * (step + 1) / warmup
    progress = (step + 1 - warmup) / (steps - warmup)
    floor = recipe.final_learning_rate
    return float(peak) * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * progress)))
