"""Which kernel is picked, that all of them agree, and what is refused."""

import sys
from types import ModuleType, SimpleNamespace

import pytest
import torch
from effdsl_runtime.kernel_option import KERNEL, KERNELS, kernel_asked
from effdsl_runtime.model import fla, kernel
from effdsl_runtime.model.chosen import ChosenBlocks
from effdsl_runtime.model.fla import attend_selected, check_fla
from effdsl_runtime.model.kernel import attend, kernel_on, use_fastest_flash, use_kernel
from torch import Tensor
from torch.testing import assert_close

from effdsl.techniques.attention import GQA, MLA, NSA, MoBA
from effdsl.techniques.position import ALiBi, RoPE, T5Bias
from effdsl.techniques.technique import Unsupported

CPU, GPU = torch.device("cpu"), torch.device("cuda")
UNCOMPILED = pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")


def some(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def qkv(queries: int, keys: int) -> tuple[Tensor, Tensor, Tensor]:
    """Four heads share two of keys and values."""
    return some(2, 4, queries, 16, seed=1), some(2, 2, keys, 16, seed=2), some(2, 2, keys, 16, seed=3)


def by(name: kernel.Kernel, *args: object, **rest: object) -> Tensor:
    with torch.no_grad(), use_kernel(name):
        return attend(*args, **rest)  # type: ignore[arg-type]


def choice(choosers: int, queries: int, keys: int, block: int) -> ChosenBlocks:
    """Random blocks, and every query's own."""
    blocks = -(-keys // block)
    own_t = torch.arange(keys - queries, keys) // block
    chosen = some(2, choosers, queries, blocks, seed=4) > 0
    return ChosenBlocks(chosen.scatter(3, own_t.expand(2, choosers, queries)[..., None], True), block)


@pytest.mark.slow
@UNCOMPILED
@pytest.mark.parametrize(("queries", "keys"), [(37, 37), (5, 37), (1, 37)])
@pytest.mark.parametrize("kind", ["causal", "bias", "own blocks", "shared blocks"])
def test_flex_attends_as_the_math_kernel_does(queries: int, keys: int, kind: str) -> None:
    rest: dict[str, object] = {
        "causal": {},
        "bias": {"bias_hs": some(4, keys, seed=5)},
        "own blocks": {"chosen": choice(4, queries, keys, 6)},
        "shared blocks": {"chosen": choice(1, queries, keys, 6)},
    }[kind]
    q, k, v = qkv(queries, keys)
    expected = by("math", q, k, v, scale=0.3, **rest)
    assert_close(by("flex", q, k, v, scale=0.3, **rest), expected, atol=2e-6, rtol=1e-5)
    assert_close(by("sdpa", q, k, v, scale=0.3, **rest), expected, atol=2e-6, rtol=1e-5)


def test_a_mask_goes_to_pytorch_whatever_kernel_is_asked_for() -> None:
    q, k, v = qkv(5, 9)
    mask = torch.ones(5, 9, dtype=torch.bool).tril(3)
    assert torch.equal(by("flex", q, k, v, mask), by("sdpa", q, k, v, mask))


@pytest.mark.slow
@UNCOMPILED
@pytest.mark.parametrize("position", [RoPE(), ALiBi(), T5Bias()], ids=str)
@pytest.mark.parametrize("technique", [GQA(), MLA(), MoBA(block=8, top_k=2), NSA()], ids=str)
def test_a_whole_model_gives_the_same_logits_by_flex(lively, technique, position, tokens_bt) -> None:
    if technique.refuses(position):
        return
    model = lively(technique, position)
    with torch.no_grad():
        with use_kernel("math"):
            expected = model(tokens_bt)
        with use_kernel("flex"):
            assert_close(model(tokens_bt), expected, atol=2e-5, rtol=1e-4)


def test_by_default_a_cpu_takes_sdpa_and_a_gpu_flex_where_there_is_a_bias_or_a_choice() -> None:
    assert [kernel_on(CPU), kernel_on(CPU, structured=True), kernel_on(GPU)] == ["sdpa"] * 3
    assert kernel_on(GPU, structured=True) == "flex"
    with use_kernel("sdpa"):
        assert kernel_on(GPU, structured=True) == "sdpa"
    with use_kernel("flex"):
        assert kernel_on(GPU) == "flex"


@pytest.mark.parametrize(
    ("technique", "usual", "math"),
    [
        (GQA(), "sdpa", "math"),
        (MLA(), "sdpa", "math"),
        (NSA(), "reference", "reference"),
        (MoBA(), "reference", "reference"),
    ],
    ids=str,
)
def test_a_model_names_the_kernel_that_trains_it(lively, technique, usual, math) -> None:
    model = lively(technique)
    assert model.kernel == usual
    with use_kernel("math"):
        assert model.kernel == math
    with use_kernel("flex"), pytest.raises(Unsupported, match="flex cannot train on a CPU"):
        _ = model.kernel


@pytest.mark.parametrize("technique", [GQA(), MLA(), MoBA()], ids=str)
def test_fla_is_refused_for_what_it_does_not_compute(lively, technique) -> None:
    model = lively(technique).to("meta")  # anything but a CPU
    with use_kernel("fla"), pytest.raises(Unsupported, match="computes NSA and nothing else"):
        _ = model.kernel


def test_fla_is_refused_where_it_cannot_run_with_what_to_do(lively, monkeypatch) -> None:
    with use_kernel("fla"), pytest.raises(Unsupported, match="fla cannot train on a CPU"):
        _ = lively(NSA()).kernel
    monkeypatch.setattr(fla, "find_spec", lambda name: None)
    with pytest.raises(Unsupported, match="needs the module fla") as refused:
        check_fla(16)
    assert refused.value.hint == "pip install 'effdsl[fla]'"
    monkeypatch.setattr(fla, "find_spec", lambda name: object())
    for group in (1, 8, 24):
        with pytest.raises(Unsupported, match=f"16 or more, not {group}"):
            check_fla(group)
    for group in (16, 32):
        check_fla(group)


def stand_in_nsa(
    q: Tensor, k: Tensor, v: Tensor, *, block_indices: Tensor, block_counts: int, block_size: int
) -> Tensor:
    """What ``fla.ops.nsa.parallel.parallel_nsa`` documents of its selection, token by token.

    q ``[B, T, HQ, K]``, k and v ``[B, T, H, K]``, block_indices ``[B, T, H, S]``, less than 0 for none.
    """
    out, per_key = torch.zeros_like(q), q.shape[2] // k.shape[2]
    assert block_indices.shape == (*q.shape[:2], k.shape[2], block_counts)
    for b, t, h in torch.cartesian_prod(*(torch.arange(n) for n in q.shape[:3])).tolist():
        blocks = {i for i in block_indices[b, t, h // per_key].tolist() if i >= 0}
        seen = [s for s in range(t + 1) if s // block_size in blocks]
        chances = (k[b, seen, h // per_key] @ q[b, t, h] / q.shape[3] ** 0.5).softmax(0)
        out[b, t, h] = chances @ v[b, seen, h // per_key]
    return out


def test_what_is_handed_to_fla_means_the_same_there(monkeypatch) -> None:
    """Against a stand-in for its interface: layout, and that unused places of the choice are skipped."""
    module = ModuleType("fla.ops.nsa.parallel")
    module.parallel_nsa = stand_in_nsa  # type: ignore[attr-defined]
    for name in ("fla", "fla.ops", "fla.ops.nsa"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    q, k, v = qkv(21, 21)
    chosen = choice(2, 21, 21, 4)
    every_head = ChosenBlocks(chosen.chosen_bhtj.repeat_interleave(2, 1), 4)
    found = attend_selected(q, k, v, chosen.chosen_bhtj, count=6, block=4)
    assert_close(found, by("math", q, k, v, chosen=every_head), atol=1e-6, rtol=1e-5)


def test_flash_attention_3_is_used_on_a_hopper_that_has_it(monkeypatch) -> None:
    used: list[str] = []
    monkeypatch.setattr(kernel, "activate_flash_attention_impl", used.append)
    monkeypatch.setattr(kernel, "list_flash_attention_impls", lambda: ["FA3"])
    use_fastest_flash(CPU)
    for capability, installed in (((9, 0), False), ((8, 0), True), ((9, 0), True)):
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device, c=capability: c)
        monkeypatch.setattr(kernel, "find_spec", lambda name, i=installed: SimpleNamespace() if i else None)
        use_fastest_flash(GPU)
    assert used == ["FA3"]


def test_the_environment_names_a_kernel_and_a_wrong_name_is_refused(monkeypatch) -> None:
    monkeypatch.delenv(KERNEL, raising=False)
    assert kernel_asked() == "auto"
    for name in KERNELS:
        monkeypatch.setenv(KERNEL, name)
        assert kernel_asked() == name
    monkeypatch.setenv(KERNEL, "cudnn")
    with pytest.raises(Unsupported, match="'cudnn'") as refused:
        kernel_asked()
    assert refused.value.hint == "allowed: auto, math, sdpa, flex, fla"
