"""MLA with the maps from its latent absorbed, as with a cache, against keys and values rebuilt."""

import pytest
import torch
from effdsl_runtime.model.cache import Cache
from torch.testing import assert_close

from effdsl.techniques.attention.mla import MLA
from effdsl.techniques.position import NoPE, RoPE

EXAMPLES = [MLA(), MLA(q_rank=24, v_dim=8, nope_dim=12)]
"""What is held to what every attention is held to, see ``test_every_attention.py``."""


@pytest.mark.parametrize("position", [RoPE(), NoPE()], ids=str)
@pytest.mark.parametrize("technique", EXAMPLES, ids=str)
def test_absorbed_maps_give_what_rebuilt_keys_and_values_give(lively, shape, technique, position):
    """One layer, the whole context at once: only the order of the matrix products differs."""
    mixer = lively(technique, position).blocks[0].mixer
    x_btd = torch.randn(2, 13, shape.hidden_size, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        assert_close(mixer(x_btd, Cache()), mixer(x_btd), atol=1e-5, rtol=1e-4)
