"""Integers of few bits in bytes, without gaps."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

BYTE = 8


def pack(codes_oi: Tensor, bits: int) -> Tensor:
    """Rows of integers of ``bits`` bits as bytes, the first integer in the lowest bits.

    The fewest integers that fill whole bytes stand together: eight of three bits in three bytes, the first
    byte lowest. A row that does not fill its last bytes ends with zeros.

    Args:
        codes_oi: uint8, each at least 0 and less than ``2 ** bits``; at most 4 bits.

    Returns:
        ``(o, bytes)``, uint8.
    """
    values, size = _unit(bits)
    padded_oi = F.pad(codes_oi, (0, -codes_oi.shape[1] % values))
    codes_ouv = torch.unflatten(padded_oi, 1, (-1, values)).int()
    word_ou = (codes_ouv << _steps(values, bits, codes_oi)).sum(2, dtype=torch.int32)
    bytes_ous: Tensor = (word_ou.unsqueeze(2) >> _steps(size, BYTE, codes_oi)) & 0xFF
    return bytes_ous.to(torch.uint8).flatten(1)


def unpack(packed_ob: Tensor, bits: int, columns: int) -> Tensor:
    """The first ``columns`` integers of each row that :func:`pack` packed, as uint8."""
    values, size = _unit(bits)
    bytes_ous = torch.unflatten(packed_ob, 1, (-1, size)).int()
    word_ou = (bytes_ous << _steps(size, BYTE, packed_ob)).sum(2, dtype=torch.int32)
    codes_ouv: Tensor = (word_ou.unsqueeze(2) >> _steps(values, bits, packed_ob)) & (2**bits - 1)
    return codes_ouv.to(torch.uint8).flatten(1)[:, :columns]


def _unit(bits: int) -> tuple[int, int]:
    """The fewest integers that fill whole bytes, and how many bytes."""
    values = BYTE // math.gcd(BYTE, bits)
    return values, values * bits // BYTE


def _steps(count: int, bits: int, like: Tensor) -> Tensor:
    """Where each of ``count`` parts of a word begins."""
    return torch.arange(count, device=like.device, dtype=torch.int32) * bits
