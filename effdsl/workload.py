"""What one task does, whatever its stage: the questions that planning, measuring and comparing ask of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import attrs

from effdsl.declare import HasTag

if TYPE_CHECKING:
    from effdsl.hardware import Hardware
    from effdsl.units import Bytes

Plain = str | int | float | None
"""A value of a setting as it is written into a record."""


@attrs.frozen
class Size:
    """Exact parameters of a model, and those that one token meets."""

    parameters: int
    active: int


@attrs.frozen
class Features:
    """What decides how well a task uses its hardware, as far as one can see: kinds of parts, and size.

    Attributes:
        parts: what it is made of, e.g. ``("attention", "MLA")``.
        flops_per_step: of one iteration.
    """

    parts: frozenset[tuple[str, str]] = frozenset()
    flops_per_step: float | None = None


@attrs.frozen
class Cost:
    """What one task takes of its hardware. ``None`` is unknown, which keeps no task from being planned.

    Attributes:
        flops: of the whole task, on all devices together.
        bytes_moved: that each device reads and writes at the least.
        features: tell which finished tasks say most of its speed.
    """

    flops: float | None = None
    bytes_moved: float | None = None
    features: Features = Features()


@attrs.frozen
class MemoryEstimate:
    """Bytes on one device when it is fullest, by what they hold."""

    weights: int = 0
    gradients: int = 0
    optimizer: int = 0
    activations: int = 0
    logits: int = 0
    cache: int = 0
    kernels: int = 0
    loading: int = 0
    slack: int = 0

    @property
    def total(self) -> int:
        return sum(self.parts().values())

    def parts(self) -> dict[str, int]:
        """The parts that are not empty, by name, in the order in which they are explained."""
        return {name: size for name, size in attrs.asdict(self).items() if size}

    def against(self, most: Bytes | None, part: float = 1.0) -> str:
        """That it is more than ``part`` of what a device has, in words; empty where it is not, or where that
        is not known."""
        if most is None or self.total <= part * most.value:
            return ""
        share = "" if part == 1 else f"{part:.0%} of "
        return f"more than {share}{most.value / 1e9:,.3g} GB"

    def __str__(self) -> str:
        shown = " + ".join(f"{name} {size / 1e9:,.3g}" for name, size in self.parts().items())
        return f"{self.total / 1e9:,.3g} GB ({shown})"


class Input(ABC):
    """Something that must be there before a task starts: a text, a checkpoint.

    The runtime dispatches on its type to get it. Inputs that are equal are got once.
    """

    @property
    @abstractmethod
    def packages(self) -> tuple[str, ...]:
        """Modules that must be importable where it is got."""


class Workload(HasTag, ABC):
    """What one task does, with everything resolved; declared with ``@keyed``, for it is in the key."""

    stage: ClassVar[str]

    @property
    @abstractmethod
    def dtype(self) -> str:
        """The type of the numbers that are multiplied, e.g. ``"bfloat16"``."""

    @abstractmethod
    def size(self) -> Size:
        """How large its model is."""

    @abstractmethod
    def setting(self) -> Mapping[str, Plain]:
        """What must agree for two cells to be compared, beside stage, scale, hardware and dtype; the names
        are those of its stage's ``settings``."""

    def details(self) -> Mapping[str, Plain]:
        """What may differ between cells that are compared, and tells apart those of one name; the names are
        those of its stage's ``details``."""
        return {}

    def left_bytes(self) -> int:
        """About how large the files are that it leaves: weights in float32."""
        return 4 * self.size().parameters

    def inputs(self) -> tuple[Input, ...]:
        """What must be there first."""
        return ()

    @property
    def packages(self) -> tuple[str, ...]:
        """Modules that must be importable where it runs, beside those of its engine."""
        return ()

    def cost(self, hardware: Hardware) -> Cost:
        """What it takes on ``hardware``, as far as that can be foreseen."""
        return Cost()

    def amounts(self) -> Mapping[str, str]:
        """What a plan's table shows of it beside its parameters, by the name of the column."""
        return {}

    def facts(self) -> Iterator[str]:
        """What a plan says of it in its first line, each fact a few words."""
        yield self.dtype

    def described(self) -> dict[str, Any]:
        """The same for ``plan --json``, and whatever else describes it, as plain values."""
        return {}

    def estimates(self, hardware: Hardware) -> dict[str, Any]:
        """Further predictions for ``plan --json``, as plain values."""
        return {}
