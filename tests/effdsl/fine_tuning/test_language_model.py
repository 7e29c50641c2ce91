"""Language models read from a ``config.json``: sizes as transformers builds them, and what is not known."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from effdsl.language_model import language_model
from effdsl.public_models import PUBLIC_MODELS, public_model

from .conftest import CONFIGS, SMALL, Config, modelled, on_meta, size

PUBLISHED = {
    "llama-3.2-1b": 1_235_814_400,
    "llama-3.2-3b": 3_212_749_824,
    "llama-3.1-8b": 8_030_261_248,
    "llama-3.3-70b": 70_553_706_496,
    "qwen2.5-1.5b": 1_543_714_304,
    "qwen2.5-7b": 7_615_616_512,
    "qwen2.5-14b": 14_770_033_664,
    "qwen2.5-32b": 32_763_876_352,
    "deepseek-r1-distill-qwen-1.5b": 1_777_088_000,
    "deepseek-r1-distill-llama-8b": 8_030_261_248,
    "deepseek-r1-distill-qwen-14b": 14_770_033_664,
    "mistral-7b": 7_248_023_552,
    "mistral-small-24b": 23_572_403_200,
    "yi-34b": 34_388_917_248,
    "phi-3.5-mini": 3_821_079_552,
    "phi-4": 14_659_507_200,
}
SIZES = st.integers(1, 5)


@st.composite
def shapes(draw: st.DrawFn) -> Config:
    """Any shape that all types share, with what may be left out sometimes left out."""
    heads = draw(SIZES)
    optional: dict[str, Any] = {
        "num_key_value_heads": draw(st.sampled_from([heads, 1])),
        "tie_word_embeddings": draw(st.booleans()),
    }
    left_out = draw(st.sets(st.sampled_from(sorted(optional))))
    return {
        "num_hidden_layers": draw(SIZES),
        "num_attention_heads": heads,
        "hidden_size": heads * 4 * draw(SIZES),
        "intermediate_size": 4 * draw(SIZES),
        "vocab_size": draw(st.integers(3, 40)),
        "pad_token_id": 0,
        **{key: value for key, value in optional.items() if key not in left_out},
    }


HEAD_DIM = st.fixed_dictionaries({}, optional={"head_dim": st.sampled_from([None, 4, 6])})
FLAG = st.booleans()
VARIANTS: dict[str, st.SearchStrategy[Config]] = {
    "llama": st.tuples(
        HEAD_DIM,
        st.fixed_dictionaries(
            {}, optional={"attention_bias": FLAG, "mlp_bias": FLAG, "num_key_value_heads": st.none()}
        ),
    ).map(lambda two: two[0] | two[1]),
    "mistral": HEAD_DIM,
    "qwen2": st.just({}),
    "phi3": st.just({}),
    "gpt_neox": st.fixed_dictionaries({}, optional={"attention_bias": FLAG, "use_parallel_residual": FLAG}),
    "deepseek_v3": st.fixed_dictionaries(
        {"first_k_dense_replace": st.just(5), "num_nextn_predict_layers": st.just(0)},
        optional={
            "q_lora_rank": st.sampled_from([None, 3]),
            "kv_lora_rank": SIZES,
            "qk_rope_head_dim": st.just(2),
            "qk_nope_head_dim": SIZES,
            "v_head_dim": SIZES,
            "attention_bias": FLAG,
        },
    ),
}


@pytest.mark.parametrize("model_type", VARIANTS)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_a_config_has_the_parameters_that_transformers_builds_from_it(
    model_type: str, data: st.DataObject
) -> None:
    """Of any shape and variant, in all and in each layer's linears."""
    config = data.draw(shapes()) | data.draw(VARIANTS[model_type]) | {"model_type": model_type}
    built = on_meta(config)
    model = modelled(config)
    assert model.parameters == size(built)
    linears = {name.split(".")[-1]: module for name, module in built.named_modules() if ".0." in name}
    for linear in model.linears:
        found = linears[linear.name]
        assert (linear.inputs, linear.outputs) == (found.in_features, found.out_features)
        assert linear.bias == (found.bias is not None)


def test_a_public_model_has_its_published_size() -> None:
    """Every model of the table, to the parameter."""
    assert {public.name: public.language_model().parameters for public in PUBLIC_MODELS} == PUBLISHED


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_public_model_is_what_transformers_builds(name: str) -> None:
    """The mapping that stands for its ``config.json`` is one that transformers reads alike."""
    public = public_model(name)
    assert public is not None
    assert size(on_meta(public.config() | {"pad_token_id": 0})) == PUBLISHED[name]


def test_a_public_model_is_found_by_name_and_by_hub_id_in_any_case() -> None:
    """Names are unique, and an unknown one is nothing."""
    for public in PUBLIC_MODELS:
        assert public_model(public.name.upper()) is public_model(public.hub_id.lower()) is public
    assert public_model("gpt-4") is None


@pytest.mark.parametrize(
    "config",
    [
        {},
        SMALL | {"model_type": "mixtral"},
        SMALL | {"model_type": "deepseek_v3", "first_k_dense_replace": 1},
        CONFIGS["llama"] | {"quantization_config": {"quant_method": "awq"}},
    ],
    ids=["no type", "another type", "experts", "quantized"],
)
def test_what_is_not_known_here_is_no_language_model(config: Config) -> None:
    """Rather than a guess."""
    assert language_model(config) is None
