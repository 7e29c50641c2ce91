"""GPTQ: columns are rounded one after the other, and those to come make up for the error."""

from __future__ import annotations

import torch
from torch import Tensor

from effdsl.techniques.precision import GPTQ
from effdsl_runtime.quantizing.few_bits import stored_integers
from effdsl_runtime.quantizing.linear_map import LinearMap
from effdsl_runtime.quantizing.rounding import Integers, Lattice, fitted, rounded
from effdsl_runtime.quantizing.stored import Inputs, Stored, stored

BLOCK = 128
"""Columns whose errors are carried to all later ones together."""


@stored.register
def _(weight_format: GPTQ, linear: LinearMap, dtype: torch.dtype, inputs: Inputs | None) -> Stored | None:
    """A matrix that multiplied nothing is rounded to the nearest."""
    bits, size, symmetric = weight_format.bits, weight_format.group_size, weight_format.symmetric
    if linear.weight_oi.shape[1] % size:
        return None
    if inputs is None:
        integers = rounded(linear.weight_oi, bits, size, symmetric, dtype)
    else:
        integers = compensated(weight_format, linear.weight_oi, inputs.hessian_ii, dtype)
    return stored_integers(integers, linear.bias_o, dtype)


def compensated(weight_format: GPTQ, weight_oi: Tensor, hessian_ii: Tensor, dtype: torch.dtype) -> Integers:
    """Algorithm 1 of the paper (section 3.3): each column's error of rounding, over the diagonal of the
    upper Cholesky factor of the inverse Hessian, is subtracted from the columns to come, weighted by the
    factor's row.

    A group's lattice is fitted when its first column's turn comes, to the weights as they are then; blocks
    are of whole groups, so that they are up to date.
    """
    rest_oi, upper_ii = weight_oi.float().clone(), _upper(hessian_ii, weight_format.damping)
    size = weight_format.group_size
    width = size * max(1, BLOCK // size)
    codes, lattices = [], []
    for start in range(0, rest_oi.shape[1], width):
        block = slice(start, start + width)
        errors = []
        for first in range(start, min(start + width, rest_oi.shape[1]), size):
            group = slice(first, first + size)
            lattice = fitted(rest_oi[:, None, group], weight_format.bits, weight_format.symmetric, dtype)
            lattices.append(lattice)
            for column in range(first, first + size):
                code_o, error_o = _rounded_column(rest_oi[:, column], lattice, upper_ii[column, column])
                codes.append(code_o)
                errors.append(error_o)
                later = slice(column, min(start + width, rest_oi.shape[1]))
                rest_oi[:, later] -= torch.outer(error_o, upper_ii[column, later])
        after = slice(block.stop, None)
        rest_oi[:, after] -= torch.stack(errors, 1) @ upper_ii[block, after]
    scale_og = torch.cat([lattice.scale_og for lattice in lattices], 1)
    zero_og = torch.cat([lattice.zero_og for lattice in lattices], 1)
    whole = Lattice(weight_format.bits, scale_og, zero_og, lattices[0].lowest)
    return Integers(torch.stack(codes, 1).to(torch.uint8), whole)


def _rounded_column(weight_o: Tensor, lattice: Lattice, diagonal: Tensor) -> tuple[Tensor, Tensor]:
    """Its codes, and by how much they miss it over ``diagonal``."""
    codes = lattice.codes(weight_o[:, None, None])
    return codes.flatten(), (weight_o - lattice.values(codes).flatten()) / diagonal


def _upper(hessian_ii: Tensor, damping: float) -> Tensor:
    """The upper Cholesky factor of the inverse of the damped Hessian; of inputs that were all zero it is the
    identity."""
    added = damping * hessian_ii.diagonal().mean()
    damped_ii = hessian_ii.clone()
    damped_ii.diagonal().add_(torch.where(added > 0, added, 1.0))
    inverse_ii = torch.cholesky_inverse(torch.linalg.cholesky(damped_ii))
    upper_ii: Tensor = torch.linalg.cholesky(inverse_ii, upper=True)
    return upper_ii
