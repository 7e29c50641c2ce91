"""The parts that every decoder shares."""

import pytest
import torch
import torch.nn.functional as F
from effdsl_runtime.model.feed_forward import gated


def test_the_gradients_of_the_gated_product_are_those_of_finite_differences():
    gate, up = (torch.randn(3, 5, dtype=torch.float64, requires_grad=True) for _ in range(2))
    assert torch.autograd.gradcheck(gated, (gate, up))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_gated_product_and_its_gradients_equal_pytorchs_to_the_last_bit(dtype):
    torch.manual_seed(0)
    gate, up, slope = (torch.randn(64, 96, dtype=dtype) * 3 for _ in range(3))

    def run(product):
        leaves = [gate.clone().requires_grad_(), up.clone().requires_grad_()]
        out = product(*leaves)
        return out.detach(), *torch.autograd.grad(out, leaves, slope)

    ours, theirs = run(gated), run(lambda g, u: F.silu(g) * u)
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))
