"""NSA against a naive implementation written from the paper's equations, and in its limits.

The naive one goes query by query, block by block and token by token, knows no masks and no tensors
beyond one head's vectors, and rotates by complex numbers.
"""

import pytest
import torch
from effdsl_runtime.model.blocks import block_scores, near_attention, windowed_attention
from effdsl_runtime.model.mixer import heads
from torch import Tensor
from torch.testing import assert_close

from effdsl.shapes import Shape
from effdsl.techniques.attention import GQA, NSA
from effdsl.techniques.attention.nsa import Blocks, visible_keys
from effdsl.techniques.position import NoPE, RoPE

THETA = 1e6
TOKENS = 41
ONE_LAYER = Shape(layers=1, hidden_size=24, heads=4, head_dim=8, intermediate_size=16, vocab_size=11)
BLOCKS = {"compress_block": 6, "compress_stride": 2, "select_block": 4, "select_count": 4, "window": 7}
SMALL = {"window": 16, "select_block": 8, "compress_block": 8, "compress_stride": 4, "select_count": 3}
SHARED = {"window": 12, "select_block": 6, "compress_block": 4, "compress_stride": 2, "select_count": 4}
EXAMPLES = [NSA(**SMALL), NSA(**SHARED, phi="mean", shared_kv=True, gate="linear")]
"""What is held to what every attention is held to, see ``test_every_attention.py``."""


def turned(vector: Tensor, position: int) -> Tensor:
    """RoPE: the pair (i, i + e/2) as a complex number, times exp(i * position * theta ** (-2i/e))."""
    half = len(vector) // 2
    angle = position * THETA ** (-torch.arange(half, dtype=torch.float64) * 2 / len(vector))
    number = torch.complex(vector[:half], vector[half:]) * torch.polar(torch.ones_like(angle), angle)
    return torch.cat((number.real, number.imag))


def attention(query: Tensor, keys: list[Tensor], values: list[Tensor]) -> tuple[list[Tensor], Tensor]:
    """Chances and output of one query; no key, no output."""
    if not keys:
        return [], torch.zeros_like(query)
    scores = torch.stack([query @ key / len(query) ** 0.5 for key in keys])
    chances = scores.exp() / scores.exp().sum()
    return list(chances), sum(chance * value for chance, value in zip(chances, values, strict=True))


class Naive:
    """One sequence through one NSA layer; weights from our module by name, in float64."""

    def __init__(self, mixer, technique: NSA, shape: Shape) -> None:
        self.w = {name: p.detach().double().requires_grad_() for name, p in mixer.named_parameters()}
        self.technique, self.shape, self.blocks = technique, shape, technique.blocks()

    def project(self, x: Tensor) -> dict[str, Tensor]:
        """Queries, keys and values by name: ``[token][head]`` vectors."""
        out = x @ self.w["qkv.weight"].T + self.w["qkv.bias"]
        branches = [""] if self.technique.shared_kv else ["_compressed", "_selected", "_near"]
        names = ["q"] + [f"{part}{branch}" for branch in branches for part in "kv"]
        counts = [self.shape.heads] + [self.technique.kv_heads] * (len(names) - 1)
        pieces = out.split([count * self.shape.head_dim for count in counts], dim=1)
        found = {
            name: piece.unflatten(1, (count, self.shape.head_dim))
            for name, count, piece in zip(names, counts, pieces, strict=True)
        }
        for branch in ("_compressed", "_selected", "_near"):
            for part in "kv":
                found.setdefault(part + branch, found.get(part, found["q"]))
        return found

    def phi(self, which: str, block: Tensor) -> Tensor:
        """Eq. 7 for one block ``(l, e)``."""
        if self.technique.phi == "mean":
            return sum(block) / len(block)
        flat = (block + self.w[f"{which}.code_le"]).reshape(-1)
        if self.technique.phi == "linear":
            return self.w[f"{which}.layers.weight"] @ flat
        hidden = self.w[f"{which}.layers.0.weight"] @ flat
        return self.w[f"{which}.layers.2.weight"] @ (hidden * torch.sigmoid(hidden))

    def gates(self, x_t: Tensor) -> Tensor:
        """``[branch][head]`` of one token."""
        if self.technique.gate == "linear":
            logits = self.w["gate.weight"] @ x_t
        else:
            hidden = self.w["gate.0.weight"] @ x_t
            logits = self.w["gate.2.weight"] @ (hidden * torch.sigmoid(hidden))
        return torch.sigmoid(logits).reshape(3, self.shape.heads)

    def compressed(self, p: dict[str, Tensor], t: int, group: int) -> tuple[list[Tensor], list[Tensor]]:
        length, stride = self.blocks.compress_block, self.blocks.compress_stride
        starts = [i for i in range(0, t + 1, stride) if i + length - 1 <= t]
        keys = [turned(self.phi("compress_k", p["k_compressed"][i : i + length, group]), i) for i in starts]
        return keys, [self.phi("compress_v", p["v_compressed"][i : i + length, group]) for i in starts]

    def chosen(self, chances: list[list[Tensor]], t: int) -> list[int]:
        """Blocks a group selects for query ``t``: eq. 9 with + m - n, eq. 10, and those always taken."""
        length, stride, size, count, _ = self.blocks
        own = t // size
        scores = {}
        for j in range(own + 1):
            scores[j] = 0.0
            for m in range(size // stride):
                for n in range(length // stride):
                    i = size // stride * j + m - n
                    for head in chances:
                        scores[j] += head[i].item() if 0 <= i < len(head) else 0.0
        always = {0, own, max(0, own - 1)}
        rest = sorted(set(scores) - always, key=lambda j: -scores[j])
        return sorted(always) + rest[: max(0, count - len(always))]

    def __call__(self, x: Tensor) -> Tensor:
        p = self.project(x)
        per_group = self.shape.heads // self.technique.kv_heads
        rows = []
        for t in range(len(x)):
            gates, out = self.gates(x[t]), []
            for group in range(self.technique.kv_heads):
                members = range(group * per_group, (group + 1) * per_group)
                queries = [turned(p["q"][t, head], t) for head in members]
                keys, values = self.compressed(p, t, group)
                branch_c = [attention(query, keys, values) for query in queries]
                size = self.blocks.select_block
                blocks = self.chosen([chances for chances, _ in branch_c], t)
                tokens = [s for j in blocks for s in range(j * size, (j + 1) * size) if s <= t]
                near = range(max(0, t - self.blocks.window + 1), t + 1)
                for query, head, (_, compressed) in zip(queries, members, branch_c, strict=True):
                    outputs = [compressed]
                    for name, seen in (("selected", tokens), ("near", near)):
                        keys = [turned(p[f"k_{name}"][s, group], s) for s in seen]
                        outputs.append(attention(query, keys, [p[f"v_{name}"][s, group] for s in seen])[1])
                    out.append(sum(g * o for g, o in zip(gates[:, head], outputs, strict=True)))
            rows.append(self.w["out.weight"] @ torch.cat(out))
        return torch.stack(rows)


@pytest.mark.slow
@pytest.mark.parametrize(
    "technique",
    [
        NSA(**BLOCKS),
        NSA(**BLOCKS, kv_heads=1, phi="linear", gate="linear"),
        NSA(**BLOCKS, kv_heads=4, phi="mean", shared_kv=True),
        NSA(**{**BLOCKS, "compress_block": 2, "select_block": 2, "select_count": 5, "window": 1}),
    ],
    ids=["paper", "mqa-linear", "mha-mean-shared", "smallest-blocks"],
)
def test_nsa_equals_the_papers_equations_in_output_and_gradients(lively, technique):
    technique = technique.resolve(ONE_LAYER)
    mixer = lively(technique, RoPE(), ONE_LAYER).blocks[0].mixer
    naive = Naive(mixer, technique, ONE_LAYER)
    x_td = torch.randn(TOKENS, 24, generator=torch.Generator().manual_seed(3))
    ours_in, theirs_in = x_td.clone().requires_grad_(), x_td.double().requires_grad_()
    found, expected = mixer(ours_in[None])[0], naive(theirs_in)
    assert_close(found.double(), expected, atol=2e-5, rtol=1e-4)
    direction = torch.randn(found.shape, generator=torch.Generator().manual_seed(4))
    found.backward(direction)
    expected.backward(direction.double())
    assert_close(ours_in.grad.double(), theirs_in.grad, atol=5e-5, rtol=1e-3)
    gradients = {name: p.grad.double() for name, p in mixer.named_parameters()}
    assert_close(gradients, {name: w.grad for name, w in naive.w.items()}, atol=2e-4, rtol=1e-3)


class Gates(torch.nn.Module):
    """Gates that are shut or open whatever the input."""

    def __init__(self, *open_branches: bool) -> None:
        super().__init__()
        self.open_branches = open_branches

    def forward(self, x_btd: Tensor) -> Tensor:
        logits = [torch.inf if is_open else -torch.inf for is_open in self.open_branches]
        return torch.tensor(logits).repeat_interleave(ONE_LAYER.heads).expand(*x_btd.shape[:2], -1)


def nsa_and_gqa(lively, branch: str, **sizes: int):
    """An NSA that is open to one branch only, and a GQA with the weights of that branch."""
    technique = NSA(**{**BLOCKS, **sizes}).resolve(ONE_LAYER)
    sparse = lively(technique, RoPE(), ONE_LAYER).blocks[0].mixer
    dense = lively(GQA(), RoPE(), ONE_LAYER).blocks[0].mixer
    sparse.gate = Gates(*(branch == name for name in ("compressed", "selected", "near")))
    state = {"out.weight": sparse.out.weight.detach()}
    names = list(sparse.qkv.parts)
    for kind in ("weight", "bias"):
        rows = getattr(sparse.qkv, kind).detach().split(list(sparse.qkv.parts.values()))
        kept = [rows[names.index(name)] for name in ("q", f"k_{branch}", f"v_{branch}")]
        state[f"qkv.{kind}"] = torch.cat(kept)
    dense.load_state_dict(state)
    return sparse, dense


@pytest.mark.parametrize(
    ("branch", "sizes"),
    [
        ("selected", {"select_count": 11}),
        ("near", {"window": TOKENS}),
        ("near", {"window": 64}),
        ("compressed", {"compress_block": 1, "compress_stride": 1}),
    ],
    ids=str,
)
def test_a_branch_that_leaves_nothing_out_is_grouped_query_attention(lively, branch, sizes):
    if branch == "compressed":
        sizes = {**sizes, "phi": "mean"}
    sparse, dense = nsa_and_gqa(lively, branch, **sizes)
    x_btd = torch.randn(2, TOKENS, 24, generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        assert_close(sparse(x_btd), dense(x_btd), atol=1e-5, rtol=1e-4)


def test_a_branch_that_leaves_something_out_is_not(lively):
    for branch in ("compressed", "selected", "near"):
        sparse, dense = nsa_and_gqa(lively, branch)
        x_btd = torch.randn(2, TOKENS, 24, generator=torch.Generator().manual_seed(5))
        with torch.no_grad():
            assert (sparse(x_btd) - dense(x_btd)).abs().max() > 0.01


def test_a_query_before_the_first_complete_block_gets_zero_from_the_compressed_branch(lively):
    sparse, _ = nsa_and_gqa(lively, "compressed")
    x_btd = torch.randn(1, TOKENS, 24, requires_grad=True)
    out_btd = sparse(x_btd)
    assert not out_btd[:, : BLOCKS["compress_block"] - 1].any()
    assert out_btd[:, BLOCKS["compress_block"] - 1].any()
    out_btd.sum().backward()
    assert torch.isfinite(x_btd.grad).all()


def test_a_block_scores_its_own_tokens_and_no_others():
    """All attention on one compressed block goes to the selectable blocks that overlap it."""
    blocks = Blocks(8, 4, 16, 4, 64)
    for i in range(15):
        chance = torch.zeros(1, 1, 1, 15)
        chance[..., i] = 1
        scores = block_scores(chance, blocks, 64)[0, 0, 0]
        tokens = range(4 * i, 4 * i + 8)
        expected = [sum(token // 16 == j for token in tokens) / 4 for j in range(4)]
        assert scores.tolist() == expected


def test_a_window_in_chunks_is_the_window_by_mask():
    generator = torch.Generator().manual_seed(6)
    for tokens in (1, 5, 6, 7, 12, 31):
        q, k, v = (heads(torch.randn(2, tokens, n, generator=generator), 8) for n in (32, 16, 16))
        assert_close(windowed_attention(q, k, v, 6), near_attention(q, k, v, 6))


def test_the_first_token_alone_passes_through_every_branch(lively):
    mixer = lively(NSA(**BLOCKS), NoPE(), ONE_LAYER).blocks[0].mixer
    assert mixer(torch.randn(1, 1, 24)).shape == (1, 1, 24)


@pytest.mark.parametrize("context", [1, 5, 16, 64, 100])
@pytest.mark.parametrize(
    "blocks", [Blocks(8, 4, 16, 4, 64), Blocks(4, 2, 6, 3, 5), Blocks(32, 16, 64, 16, 512)], ids=str
)
def test_visible_keys_are_those_counted_one_by_one(blocks, context):
    length, stride, size, count, window = blocks
    total = 0
    for t in range(context):
        total += sum(i + length - 1 <= t for i in range(0, context, stride))
        chosen = [t // size, *range(t // size)][:count]
        total += sum(s // size in chosen for s in range(t + 1))
        total += sum(t - window < s <= t for s in range(context))
    assert visible_keys(blocks, context) == total
