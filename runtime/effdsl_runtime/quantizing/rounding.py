"""Weights as integers and scales: rounded to the nearest."""

from __future__ import annotations

import attrs
import torch
from torch import Tensor

LARGEST_INT8 = 127


@attrs.frozen
class Int8Rows:
    """A matrix of 8-bit integers, symmetric: -127 to 127.

    Attributes:
        values_oi: int8.
        scale_o: of each row.
    """

    values_oi: Tensor
    scale_o: Tensor


def rounded_rows(weight_oi: Tensor, dtype: torch.dtype) -> Int8Rows:
    """The largest weight of each row becomes 127; scales in ``dtype``."""
    weight_oi = weight_oi.float()
    scale_o = _usable(weight_oi.abs().amax(1) / LARGEST_INT8, dtype)
    values_oi = (weight_oi / scale_o.float().unsqueeze(1)).round_()
    return Int8Rows(values_oi.clamp_(-LARGEST_INT8, LARGEST_INT8).to(torch.int8), scale_o)


@attrs.frozen
class Lattice:
    """Evenly spaced numbers that each group of weights is rounded to: ``(code - zero) * scale``.

    Attributes:
        bits: of a code, which is at least ``lowest`` and less than ``2 ** bits``.
        scale_og: of each group ``g`` of neighbours in a row.
        zero_og: the code of zero, in the same dtype.
        lowest: 1 where the lattice is symmetric: the range is restricted so that it ends as far from zero on
            either side.
    """

    bits: int
    scale_og: Tensor
    zero_og: Tensor
    lowest: int

    def codes(self, weight_ogi: Tensor) -> Tensor:
        """The nearest code of each weight, as float32."""
        scale, zero = (x.float().unsqueeze(2) for x in (self.scale_og, self.zero_og))
        return (weight_ogi / scale).round_().add_(zero).clamp_(self.lowest, 2**self.bits - 1)

    def values(self, codes_ogi: Tensor) -> Tensor:
        """What the codes stand for, as float32."""
        scale, zero = (x.float().unsqueeze(2) for x in (self.scale_og, self.zero_og))
        return (codes_ogi.float() - zero) * scale


def fitted(weight_ogi: Tensor, bits: int, symmetric: bool, dtype: torch.dtype) -> Lattice:
    """The lattice of groups of weights, ``(o, g, i)`` in float32; scales in ``dtype``.

    Symmetric: the largest weight of a group becomes the largest integer, ``2 ** (bits - 1) - 1``, and its
    negative the smallest, so that of two bits -1, 0 and 1 are left. Else the smallest and the largest
    weight, and zero between them, become the ends of the range, and zero is one of the integers.
    """
    if symmetric:
        half = 2 ** (bits - 1)
        scale_og = _usable(weight_ogi.abs().amax(2) / (half - 1), dtype)
        return Lattice(bits, scale_og, torch.full_like(scale_og, half), 1)
    low_og, high_og = weight_ogi.amin(2).clamp_(max=0), weight_ogi.amax(2).clamp_(min=0)
    largest = 2**bits - 1
    scale_og = _usable((high_og - low_og) / largest, dtype)
    zero_og = (-low_og / scale_og.float()).round_().clamp_(0, largest)
    return Lattice(bits, scale_og, zero_og.to(dtype), 0)


def _usable(scale: Tensor, dtype: torch.dtype) -> Tensor:
    """In ``dtype``, and 1 where all weights are zero."""
    scale = scale.to(dtype)
    return torch.where(scale > 0, scale, 1)


@attrs.frozen
class Integers:
    """A matrix of integers of few bits.

    Attributes:
        codes_oi: uint8.
        lattice: whose codes they are.
    """

    codes_oi: Tensor
    lattice: Lattice

    @property
    def group_size(self) -> int:
        return self.codes_oi.shape[1] // self.lattice.scale_og.shape[1]

    def values(self) -> Tensor:
        """What they stand for: ``(o, i)``, float32."""
        return self.lattice.values(torch.unflatten(self.codes_oi, 1, (-1, self.group_size))).flatten(1)


def rounded(weight_oi: Tensor, bits: int, group_size: int, symmetric: bool, dtype: torch.dtype) -> Integers:
    """Each weight as the nearest number of the lattice of its group."""
    weight_ogi = torch.unflatten(weight_oi.float(), 1, (-1, group_size))
    lattice = fitted(weight_ogi, bits, symmetric, dtype)
    return Integers(lattice.codes(weight_ogi).to(torch.uint8).flatten(1), lattice)
