"""A checkpoint is loaded by transformers as the model it equals, and computes and cuts text as ours."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from effdsl_runtime.checkpoints.directory import write_checkpoint
from effdsl_runtime.data.codec import Codec, make
from effdsl_runtime.model.build import build
from effdsl_runtime.model.decoder import DecoderLM
from torch.testing import assert_close
from transformers import AutoModelForCausalLM, AutoTokenizer

from effdsl.data import BPE, ByteTokenizer
from effdsl.shapes import Shape
from effdsl.techniques.attention import GQA, MHA, MLA, MQA, NSA
from effdsl.techniques.backbone import BackboneTechnique, Parts, Pythia, Transformer
from effdsl.techniques.feed_forward import MoE
from effdsl.techniques.mamba import Mamba, Mamba2
from effdsl.techniques.position import ALiBi, RoPE
from effdsl.techniques.rwkv import RWKV4

CONTEXT = 64
SHAPE = Shape(layers=4, hidden_size=64, heads=4, head_dim=16, intermediate_size=96, vocab_size=256)
TEXT = "To be, or not to be: that is the question.\n\nWhether 'tis nobler — to suffer 1,234 ills…\tÿ"
SPARSE = NSA(window=16, select_block=8, compress_block=8, compress_stride=4, select_count=3)
DECODERS: list[tuple[BackboneTechnique, Parts, str]] = [
    (Transformer(), Parts(attention=GQA()), "Qwen2ForCausalLM"),
    (Transformer(), Parts(attention=MHA()), "Qwen2ForCausalLM"),
    (Transformer(), Parts(attention=MQA(), position=RoPE(theta=1e4)), "Qwen2ForCausalLM"),
    (Transformer(), Parts(attention=MLA()), "DeepseekV3ForCausalLM"),
    (Transformer(), Parts(attention=MLA(q_rank=24)), "DeepseekV3ForCausalLM"),
    (Pythia(), Parts(), "GPTNeoXForCausalLM"),
    (Mamba(), Parts(), "MambaForCausalLM"),
    (Mamba2(), Parts(), "Mamba2ForCausalLM"),
    (RWKV4(), Parts(), "RwkvForCausalLM"),
    (Transformer(), Parts(attention=SPARSE), "EffdslForCausalLM"),
    (Transformer(), Parts(position=ALiBi()), "EffdslForCausalLM"),
    (Transformer(), Parts(position=RoPE(fraction=0.5)), "EffdslForCausalLM"),
    (Transformer(), Parts(feed_forward=MoE(experts=4)), "EffdslForCausalLM"),
    (Pythia(), Parts(attention=MQA()), "EffdslForCausalLM"),
]
EVERY = pytest.mark.parametrize(
    ("backbone", "parts", "model"), DECODERS, ids=[f"{b}-{p}" for b, p, _ in DECODERS]
)


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., tuple[DecoderLM, Path]]:
    """A decoder in which every weight counts, and the directory that it was written to."""

    def write(backbone: BackboneTechnique, parts: Parts, codec: Codec) -> tuple[DecoderLM, Path]:
        architecture = backbone.resolve(SHAPE).assemble(SHAPE, parts)
        model = build(architecture, CONTEXT, seed=0)
        generator = torch.Generator().manual_seed(1)
        with torch.no_grad():
            for parameter in model.parameters():
                noise = torch.randn(parameter.shape, generator=generator)
                parameter.add_(noise * (parameter.shape[-1] ** -0.5 if parameter.dim() > 1 else 0.2))
        write_checkpoint(tmp_path, architecture, model, codec)
        return model, tmp_path

    return write


@EVERY
def test_it_loads_as_the_model_that_it_equals_with_the_same_logits(
    written: Callable[..., tuple[DecoderLM, Path]], backbone: BackboneTechnique, parts: Parts, model: str
) -> None:
    """Without remote code; every tensor is used, and none is made up."""
    import effdsl_runtime.checkpoints.auto  # noqa: F401

    ours, folder = written(backbone, parts, make(ByteTokenizer(), []))
    theirs, told = AutoModelForCausalLM.from_pretrained(folder, output_loading_info=True)
    assert type(theirs).__name__ == model
    assert not any(told.values()), told
    tokens_bt = torch.randint(0, 256, (2, 40), generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        assert_close(theirs(tokens_bt, use_cache=False).logits, ours(tokens_bt), atol=2e-5, rtol=1e-5)


@pytest.mark.parametrize("tokenizer", [ByteTokenizer(), BPE(vocab_size=300)], ids=str)
@pytest.mark.parametrize(("backbone", "parts", "model"), [DECODERS[0], DECODERS[5], DECODERS[9]], ids=str)
def test_its_tokenizer_cuts_text_as_ours(
    written: Callable[..., tuple[DecoderLM, Path]],
    tokenizer: ByteTokenizer | BPE,
    backbone: BackboneTechnique,
    parts: Parts,
    model: str,
) -> None:
    """And gives the text back; the mark between documents is what ends a text."""
    import effdsl_runtime.checkpoints.auto  # noqa: F401

    codec = make(tokenizer, [TEXT] * 50)
    _, folder = written(backbone, parts, codec)
    theirs = AutoTokenizer.from_pretrained(folder)
    (expected,) = codec.encode([TEXT])
    found = theirs(TEXT, add_special_tokens=False).input_ids
    assert found == list(expected)
    assert theirs.decode(found) == TEXT
    assert theirs.eos_token_id == codec.separator
    assert json.loads((folder / "config.json").read_text())["eos_token_id"] == codec.separator
