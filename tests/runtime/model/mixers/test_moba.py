"""MoBA against a naive implementation of the paper's algorithm 1, and in its limits.

The naive one goes query by query and block by block, knows no masks, and rotates by complex numbers.
"""

import pytest
import torch
from effdsl_runtime.model.build import build
from effdsl_runtime.model.mixers.moba import chosen_blocks
from torch import Tensor
from torch.testing import assert_close

from effdsl.shapes import Shape
from effdsl.techniques.architecture import Decoder
from effdsl.techniques.attention import GQA, MoBA
from effdsl.techniques.block_selection import selected_keys
from effdsl.techniques.position import NoPE, RoPE

THETA = 1e6
TOKENS = 41
EXAMPLES = [MoBA(block=8, top_k=2)]
"""What is held to what every attention is held to, see ``test_every_attention.py``."""
ONE_LAYER = Shape(layers=1, hidden_size=24, heads=4, head_dim=8, intermediate_size=16, vocab_size=11)


def turned(vector: Tensor, position: int) -> Tensor:
    """RoPE: the pair (i, i + e/2) as a complex number, times exp(i * position * theta ** (-2i/e))."""
    half = len(vector) // 2
    angle = position * THETA ** (-torch.arange(half, dtype=torch.float64) * 2 / len(vector))
    number = torch.complex(vector[:half], vector[half:]) * torch.polar(torch.ones_like(angle), angle)
    return torch.cat((number.real, number.imag))


def naive(x: Tensor, weights: dict[str, Tensor], technique: MoBA, shape: Shape) -> Tensor:
    """One sequence ``x_td`` through one MoBA layer, in float64."""
    groups, size = technique.kv_heads, shape.head_dim
    out = x @ weights["qkv.weight"].T + weights["qkv.bias"]
    counts = (shape.heads, groups, groups)
    q, k, v = (
        part.unflatten(1, (n, size))
        for part, n in zip(out.split([n * size for n in counts], dim=1), counts, strict=True)
    )
    rows = []
    for t in range(len(x)):
        row = []
        for head in range(shape.heads):
            group = head * groups // shape.heads
            query = turned(q[t, head], t)
            keys = [turned(k[s, group], s) for s in range(t + 1)]
            seen = [
                s for block in chosen(query, keys, technique) for s in block_of(block, technique) if s <= t
            ]
            scores = torch.stack([query @ keys[s] for s in seen]) / size**0.5
            chances = scores.exp() / scores.exp().sum()
            row.append(sum(chance * v[s, group] for chance, s in zip(chances, seen, strict=True)))
        rows.append(weights["out.weight"] @ torch.cat(row))
    return torch.stack(rows)


def block_of(block: int, technique: MoBA) -> range:
    return range(block * technique.block, (block + 1) * technique.block)


def chosen(query: Tensor, keys: list[Tensor], technique: MoBA) -> list[int]:
    """The query's own block and the earlier ones of largest score; later blocks do not exist yet."""
    own = (len(keys) - 1) // technique.block
    score = {}
    for block in range(own):
        members = [keys[s] for s in block_of(block, technique)]
        score[block] = (query @ (sum(members) / len(members))).item()
    return [own, *sorted(score, key=lambda block: -score[block])[: technique.top_k - 1]]


@pytest.mark.slow
@pytest.mark.parametrize(
    "technique",
    [
        MoBA(block=6, top_k=3),
        MoBA(block=5, top_k=2, kv_heads=1),
        MoBA(block=8, top_k=3, kv_heads=4),
        MoBA(block=1, top_k=4),
        MoBA(block=3, top_k=1),
    ],
    ids=str,
)
def test_moba_equals_the_papers_algorithm_in_output_and_gradients(lively, technique):
    mixer = lively(technique, RoPE(), ONE_LAYER).blocks[0].mixer
    weights = {name: p.detach().double().requires_grad_() for name, p in mixer.named_parameters()}
    x_td = torch.randn(TOKENS, 24, generator=torch.Generator().manual_seed(3))
    ours_in, theirs_in = x_td.clone().requires_grad_(), x_td.double().requires_grad_()
    found, expected = mixer(ours_in[None])[0], naive(theirs_in, weights, technique, ONE_LAYER)
    assert_close(found.double(), expected, atol=2e-5, rtol=1e-4)
    direction = torch.randn(found.shape, generator=torch.Generator().manual_seed(4))
    found.backward(direction)
    expected.backward(direction.double())
    assert_close(ours_in.grad.double(), theirs_in.grad, atol=5e-5, rtol=1e-3)
    gradients = {name: p.grad.double() for name, p in mixer.named_parameters()}
    assert_close(gradients, {name: w.grad for name, w in weights.items()}, atol=2e-4, rtol=1e-3)


def moba_and_gqa(lively, technique: MoBA):
    """The two with the same weights."""
    sparse = lively(technique, RoPE(), ONE_LAYER).blocks[0].mixer
    dense = lively(GQA(technique.kv_heads), RoPE(), ONE_LAYER).blocks[0].mixer
    dense.load_state_dict(sparse.state_dict())
    return sparse, dense


@pytest.mark.parametrize("top_k", [6, 7, 40])
def test_with_every_block_selected_it_is_grouped_query_attention(lively, top_k):
    """41 tokens are six blocks of seven; nothing is left out, to the last bit."""
    sparse, dense = moba_and_gqa(lively, MoBA(block=7, top_k=top_k))
    x_btd = torch.randn(2, TOKENS, 24, generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        assert torch.equal(sparse(x_btd), dense(x_btd))


def test_with_one_block_left_out_it_is_not(lively):
    sparse, dense = moba_and_gqa(lively, MoBA(block=7, top_k=5))
    x_btd = torch.randn(2, TOKENS, 24, generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        difference = (sparse(x_btd) - dense(x_btd)).abs()
    assert difference[:, 35:].max() > 0.01
    assert difference[:, :35].max() < 1e-5, "the first five blocks have no more than five to choose from"


def test_with_its_own_block_only_each_block_attends_to_itself_alone(lively):
    """RoPE is relative, so a block inside a context is the same as that block by itself."""
    sparse, dense = moba_and_gqa(lively, MoBA(block=7, top_k=1))
    x_btd = torch.randn(2, TOKENS, 24, generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        alone = torch.cat([dense(part) for part in torch.split(x_btd, 7, dim=1)], 1)
        assert_close(sparse(x_btd), alone, atol=2e-5, rtol=1e-4)


def test_of_equal_tokens_the_choice_is_valid_and_always_holds_the_own_block():
    """Ties and blocks that have not begun never make a query choose more, later or fewer blocks."""
    q_bhte, means_bgne = torch.zeros(2, 4, 23, 8), torch.zeros(2, 2, 5, 8)
    choice_bhtj = chosen_blocks(q_bhte, means_bgne, block=5, top_k=3, keys=28)
    own_t = torch.arange(5, 28) // 5
    assert choice_bhtj.shape == (2, 4, 23, 6)
    assert torch.equal(choice_bhtj.sum(3), (own_t + 1).clamp(max=3).expand(2, 4, 23))
    assert choice_bhtj.gather(3, own_t.expand(2, 4, 23)[..., None]).all()
    assert not (choice_bhtj & (torch.arange(6) > own_t[:, None])).any()


def test_heads_that_share_keys_choose_for_themselves():
    """Two heads of one group look at opposite blocks."""
    means_bgne = torch.tensor([[[[1.0, 0.0], [-1.0, 0.0]]]])
    q_bhte = torch.tensor([[[[2.0, 0.0]], [[-2.0, 0.0]]]])
    choice_bhtj = chosen_blocks(q_bhte, means_bgne, block=4, top_k=2, keys=9)
    assert choice_bhtj[0, :, 0].tolist() == [[True, False, True], [False, True, True]]


@pytest.mark.parametrize("parts", [(41,), (1,) * 20, (7, 1, 6, 8), (3, 30)], ids=str)
def test_the_cache_holds_a_key_and_a_value_per_token_and_a_mean_per_complete_block(lively, parts):
    model = lively(MoBA(block=6, top_k=2), NoPE(), ONE_LAYER)
    caches = model.new_caches()
    with torch.no_grad():
        for part in parts:
            model(torch.zeros(1, part, dtype=torch.long), caches)
    seen, of_a_key = sum(parts), 4 * 2 * 8
    assert caches[0].bytes == of_a_key * (2 * seen + seen // 6)
    if seen % 6 == 0:
        assert caches[0].bytes == seen * MoBA(block=6).kv_bytes_per_token(ONE_LAYER, 4)


def test_a_few_steps_of_training_reduce_the_loss(lively, tokens_bt):
    model = lively(MoBA(block=8, top_k=2))
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    losses = []
    for _ in range(12):
        loss = model.loss(tokens_bt[:, :-1], tokens_bt[:, 1:])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]


@pytest.mark.parametrize("position", [RoPE(), NoPE()], ids=str)
@pytest.mark.parametrize("technique", [MoBA(block=16, top_k=2), MoBA(block=32, top_k=4)], ids=str)
def test_predicted_activations_are_within_a_tenth_of_what_autograd_keeps(technique, position):
    """Of the mixer alone: its input and its weights are counted elsewhere."""
    shape = Shape(1, 128, 4, 32, 352, 300)
    mixer = build(Decoder(shape, technique, position), 128, seed=0).blocks[0].mixer
    x_btd = torch.randn(4, 128, 128, requires_grad=True)
    elsewhere = {x.untyped_storage().data_ptr() for x in (x_btd, *mixer.parameters(), *mixer.buffers())}
    kept: dict[int, Tensor] = {}

    def keep(x: Tensor) -> Tensor:
        kept[x.untyped_storage().data_ptr()] = x
        return x

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda x: x):
        mixer(x_btd).sum()
    held = sum(x.untyped_storage().nbytes() for place, x in kept.items() if place not in elsewhere)
    elements = technique.activations_per_token(shape, 128)
    elements += technique.dense_masks_per_token(shape, 128)
    elements += position.activations_per_token(technique, shape, 128)
    assert held == pytest.approx(4 * (4 * 128) * elements, rel=0.1)


@pytest.mark.parametrize("context", [1, 5, 16, 64, 100])
@pytest.mark.parametrize(("block", "count"), [(16, 4), (6, 3), (64, 16), (7, 1), (1, 5)])
def test_selected_keys_are_those_counted_one_by_one(context, block, count):
    total = 0
    for t in range(context):
        own = t // block
        chosen = [own, *range(own)][:count]
        total += sum(s // block in chosen for s in range(t + 1))
    assert selected_keys(context, block, count) == total


@pytest.mark.parametrize("context", [5, 24, 25, 40])
def test_causal_flops_count_the_keys_a_query_sees_and_the_blocks_it_may_choose_from(context):
    technique, width = MoBA(block=8, top_k=3), ONE_LAYER.heads * ONE_LAYER.head_dim
    products = 12 * width * selected_keys(context, 8, 3)
    gate = sum(2 * width * (t // 8) for t in range(context)) if context > 24 else 0
    per_token = 6 * (technique.parameters(ONE_LAYER) - (4 + 4) * 8) + (products + gate) / context
    assert technique.causal_train_flops_per_token(ONE_LAYER, context) == pytest.approx(per_token, rel=1e-12)
