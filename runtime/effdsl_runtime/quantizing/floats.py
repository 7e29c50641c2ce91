"""Weights as 8-bit floating-point numbers."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from effdsl.techniques.precision import FP8
from effdsl_runtime.quantizing.linear_map import LinearMap
from effdsl_runtime.quantizing.stored import Inputs, Stored, StoredLinear, stored

E4M3 = torch.float8_e4m3fn
LARGEST = torch.finfo(E4M3).max
MULTIPLE = 16
"""Inputs and outputs come in as many where a GPU multiplies FP8."""
ADA = (8, 9)
"""Compute capability of the first GPUs that do."""


def scaled(rows_ni: Tensor) -> tuple[Tensor, Tensor]:
    """Each row in E4M3, scaled so that its largest becomes the format's largest; and the scales, float32."""
    rows_ni = rows_ni.float()
    scale_n = rows_ni.abs().amax(1) / LARGEST
    scale_n = torch.where(scale_n > 0, scale_n, 1)
    # Rounding a quotient may end beyond the largest, which E4M3 takes for no number.
    return (rows_ni / scale_n.unsqueeze(1)).clamp_(-LARGEST, LARGEST).to(E4M3), scale_n


class UpcastFloat8Linear(StoredLinear):
    """E4M3 with a scale for each output, upcast at each call; activations stay as they are."""

    values_oi: Tensor
    scale_o: Tensor

    def __init__(self, linear: LinearMap, dtype: torch.dtype) -> None:
        super().__init__(linear.bias_o, dtype)
        values_oi, scale_o = scaled(linear.weight_oi)
        self.register_buffer("values_oi", values_oi)
        self.register_buffer("scale_o", scale_o)

    @property
    def weight(self) -> Tensor:
        return (self.values_oi.float() * self.scale_o.unsqueeze(1)).to(self.dtype)

    def product(self, x_ni: Tensor) -> Tensor:
        y_no = F.linear(x_ni, self.values_oi.to(self.dtype))  # E4M3 is exact in every dtype of activations
        return (y_no * self.scale_o).to(self.dtype)


class Float8Linear(UpcastFloat8Linear):
    """Both sides in E4M3, each token with a scale that is found as it comes."""

    kernel = "torch-scaled-mm"

    def product(self, x_ni: Tensor) -> Tensor:
        tokens_ni, scale_n = scaled(x_ni)
        scales = scale_n.unsqueeze(1), self.scale_o.unsqueeze(0)
        return torch._scaled_mm(tokens_ni, self.values_oi.T, *scales, out_dtype=self.dtype)


@stored.register
def _(weight_format: FP8, linear: LinearMap, dtype: torch.dtype, inputs: Inputs | None) -> Stored:
    native = _multiplies_float8(linear.weight_oi, dtype)
    kind = Float8Linear if native else UpcastFloat8Linear
    return Stored(kind(linear, dtype), kind.kernel, emulated=not native)


def _multiplies_float8(weight_oi: Tensor, dtype: torch.dtype) -> bool:
    on_gpu = weight_oi.device.type == "cuda" and torch.version.hip is None
    fits = dtype == torch.bfloat16 and not any(size % MULTIPLE for size in weight_oi.shape)
    return on_gpu and fits and torch.cuda.get_device_capability(weight_oi.device) >= ADA
