"""At 0.5B, 1.5B and 3B: every architecture builds, and docs/architectures.md says what it is."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from effdsl_runtime.model.build import assemble
from effdsl_runtime.model.decoder import parameter_count

from effdsl import MLA

SCRIPT = Path(__file__).parents[3] / "docs" / "architectures.py"
DOCUMENT = runpy.run_path(str(SCRIPT))


@pytest.mark.slow
@pytest.mark.parametrize("scale", DOCUMENT["SCALES"], ids=str)
@pytest.mark.parametrize("row", DOCUMENT["ROWS"], ids=lambda row: f"{row.group}-{row.name}")
def test_the_model_on_the_meta_device_has_the_parameters_that_the_formula_gives(row: Any, scale: Any) -> None:
    architecture = row.at(scale)
    context = DOCUMENT["CONTEXT"]
    with torch.device("meta"):
        model = assemble(architecture, context)
    assert parameter_count(model) == architecture.parameters(context)


def test_the_committed_table_is_the_one_that_is_computed() -> None:
    assert SCRIPT.with_suffix(".md").read_text(encoding="utf-8") == DOCUMENT["document"]()


@pytest.mark.slow
@pytest.mark.parametrize("scale", DOCUMENT["SCALES"], ids=str)
@pytest.mark.parametrize("name", ["MHA()", "MQA()", "GQA()", "MLA()"])
def test_transformers_own_model_of_the_same_shape_has_as_many_parameters(name: str, scale: Any) -> None:
    (row,) = (row for row in DOCUMENT["ROWS"] if row.name == name)
    architecture = row.at(scale)
    with torch.device("meta"):
        theirs = transformers.AutoModelForCausalLM.from_config(_config(architecture))
    assert parameter_count(theirs) == architecture.parameters(DOCUMENT["CONTEXT"])


def _config(architecture: Any) -> Any:
    shape, attention = architecture.shape, architecture.attention
    common = {
        "num_hidden_layers": shape.layers,
        "hidden_size": shape.hidden_size,
        "num_attention_heads": shape.heads,
        "intermediate_size": shape.intermediate_size,
        "vocab_size": shape.vocab_size,
        "tie_word_embeddings": True,
    }
    if not isinstance(attention, MLA):
        return transformers.Qwen2Config(num_key_value_heads=attention.kv_heads, **common)
    kv_rank, rope_dim, nope_dim, v_dim = attention.sizes()
    return transformers.DeepseekV3Config(
        kv_lora_rank=kv_rank,
        q_lora_rank=None,
        qk_rope_head_dim=rope_dim,
        qk_nope_head_dim=nope_dim,
        v_head_dim=v_dim,
        num_key_value_heads=shape.heads,
        first_k_dense_replace=shape.layers,
        **common,
    )
