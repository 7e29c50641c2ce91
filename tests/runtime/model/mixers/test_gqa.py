"""MHA, MQA and GQA against each head's attention, written out."""

import torch
from torch.nn.functional import softmax
from torch.testing import assert_close

from effdsl.techniques.attention.gqa import GQA, MHA, MQA
from effdsl.techniques.position import NoPE

EXAMPLES = [MHA(), GQA(), MQA()]
"""What is held to what every attention is held to, see ``test_every_attention.py``."""


def test_each_head_attends_to_the_keys_of_its_group(lively, shape):
    """Head ``h`` of four takes keys and values of group ``h // 2`` of two, earlier tokens and its own."""
    mixer = lively(GQA(), NoPE()).blocks[0].mixer
    x_td = torch.randn(13, shape.hidden_size, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        q, k, v = (x_td @ mixer.qkv.weight.T + mixer.qkv.bias).split([64, 32, 32], dim=1)
        out = []
        for head in range(4):
            mine, group = slice(16 * head, 16 * head + 16), slice(16 * (head // 2), 16 * (head // 2) + 16)
            score_ts = q[:, mine] @ k[:, group].T / 4
            unseen_ts = torch.ones(13, 13, dtype=torch.bool).triu(1)
            out.append(softmax(score_ts.masked_fill(unseen_ts, -torch.inf), 1) @ v[:, group])
        expected_td = torch.cat(out, 1) @ mixer.out.weight.T
        assert_close(mixer(x_td[None])[0], expected_td, atol=1e-5, rtol=1e-4)
