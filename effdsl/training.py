"""How long and how a model is trained: budget and recipe, as declared and as resolved."""

from __future__ import annotations

import math
from typing import Any

from effdsl.declare import Invalid, evolve, identity, keyed, language, transport, values_of
from effdsl.shapes import SMALL
from effdsl.units import Count
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


@keyed("recipe")
class Recipe:
    """AdamW with linear warm-up, cosine decay and gradient clipping; the same for every technique.

    Attributes:
        learning_rate: peak; ``None`` takes 0.003239 - 0.0001395 ln(parameters), which is Kaplan et
            al. 2020 (arXiv 2001.08361), eq. D.1, and no less than 1e-4, which it reaches at 6B.
        warmup: fraction of the steps.
        final_learning_rate: fraction of the peak at the last step.
        dtype: of the matrix products; weights and optimizer states stay float32. ``"auto"`` is
            bfloat16 (autocast) where the hardware has it natively, else float32.
    """

    learning_rate: float | None = identity(default=None, converter=number, validator=optional(positive))
    warmup: float = identity(default=0.05, converter=number, validator=fraction)
    final_learning_rate: float = identity(default=0.1, converter=number, validator=fraction)
    weight_decay: float = identity(default=0.1, converter=number, validator=fraction)
    beta1: float = identity(default=0.9, converter=number, validator=below_one)
    beta2: float = identity(default=0.95, converter=number, validator=below_one)
    gradient_clip: float = identity(default=1.0, converter=number, validator=positive)
    dtype: str = identity(default="auto", validator=one_of("auto", "float32", "bfloat16"))

    def resolve(self, scale: Count, bf16: bool) -> Recipe:
        """The recipe with learning rate and dtype closed."""
        kaplan = max(LOWEST_RATE, 0.003239 - 0.0001395 * math.log(scale.value))
        rate = self.learning_rate or float(f"{kaplan:.3g}")
        dtype = ("bfloat16" if bf16 else "float32") if self.dtype == "auto" else self.dtype
        return evolve(self, learning_rate=rate, dtype=dtype)


def learning_rate_at(step: int, steps: int, recipe: Recipe) -> float:
    """Learning rate of optimizer step ``step`` (0-based): linear warm-up to the peak, then cosine decay that
    ends with the last step."""
    peak: Any = recipe.learning_rate
    warmup = max(1, round(recipe.warmup * steps))
    if step < warmup:
        return float(peak) * (step + 1) / warmup
    progress = (step + 1 - warmup) / (steps - warmup)
    floor = recipe.final_learning_rate
    return float(peak) * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * progress)))
