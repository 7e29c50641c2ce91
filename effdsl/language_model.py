"""A causal language model with weights, as transformers builds it from a ``config.json``: the matrices of a
layer and how they feed one another, from which parameters and FLOPs of fine-tuning are closed forms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from effdsl.declare import evolve, identity, keyed


@keyed("linear")
class Linear:
    """One linear layer of a decoder layer.

    Attributes:
        name: as its module is called, e.g. ``"q_proj"``.
        reads: linears of the same layer whose outputs reach its input; all of them read the layer's input.
    """

    name: str = identity()
    inputs: int = identity()
    outputs: int = identity()
    bias: bool = identity(default=False)
    reads: tuple[str, ...] = identity(default=())

    @property
    def weights(self) -> int:
        """Elements of its matrix."""
        return self.inputs * self.outputs

    @property
    def parameters(self) -> int:
        return self.weights + self.bias * self.outputs


@keyed("language-model")
class LanguageModel:
    """A decoder whose layers are alike.

    Attributes:
        linears: of one layer, each after those that it reads; the last is the feed-forward's output.
        key_dim: size of a head's query and key, as they are multiplied.
        value_dim: size of a head's value.
        queries: the linear that gives the queries; likewise ``keys`` and ``values``.
        tied_embeddings: whether the output layer is the embedding.
        layer_norms: parameters of a layer beside its linears.
        final_norm: parameters outside the layers beside embedding and output layer.
        no_lora: linears for which peft has no low-rank adapter.
    """

    layers: int = identity()
    linears: tuple[Linear, ...] = identity()
    hidden_size: int = identity()
    heads: int = identity()
    kv_heads: int = identity()
    key_dim: int = identity()
    value_dim: int = identity()
    queries: str = identity()
    keys: str = identity()
    values: str = identity()
    vocab_size: int = identity()
    tied_embeddings: bool = identity()
    layer_norms: int = identity()
    final_norm: int = identity()
    no_lora: tuple[str, ...] = identity(default=())

    @property
    def names(self) -> tuple[str, ...]:
        """The names of a layer's linears, in order."""
        return tuple(linear.name for linear in self.linears)

    def linear(self, name: str) -> Linear:
        """The linear of a layer that is called ``name``."""
        return next(linear for linear in self.linears if linear.name == name)

    @property
    def layer_parameters(self) -> int:
        return self.layer_norms + sum(linear.parameters for linear in self.linears)

    @property
    def embedding(self) -> int:
        """Elements of the embedding, which are also those of the output layer."""
        return self.vocab_size * self.hidden_size

    @property
    def parameters(self) -> int:
        """All parameters, a tied embedding counted once."""
        embeddings = self.embedding if self.tied_embeddings else 2 * self.embedding
        return self.layers * self.layer_parameters + embeddings + self.final_norm


Config = Mapping[str, Any]
"""What a ``config.json`` holds."""


def language_model(config: Config) -> LanguageModel | None:
    """The model that transformers builds from ``config``; ``None`` where its type or variant is not known
    here, e.g. where it has experts or where its weights are quantized."""
    read = _READERS.get(config.get("model_type", ""))
    if read is None or config.get("quantization_config") is not None:
        return None
    return read(config)


def why_unknown(config: Config) -> str:
    """Why :func:`language_model` knows nothing of ``config``, and what it knows."""
    kind = config.get("model_type")
    if kind in _READERS:
        return f"this variant of {kind} is not known here, e.g. with experts or quantized weights"
    return f"its model_type {kind!r} is not known here; known are {', '.join(sorted(_READERS))}"


def _llama(config: Config) -> LanguageModel:
    biased = bool(config.get("attention_bias"))
    feed_forward = _swiglu(config, bias=bool(config.get("mlp_bias")))
    attention = _separate(config, config.get("num_key_value_heads"), biased, biased)
    return _grouped_query(config, (*attention, *feed_forward), config.get("num_key_value_heads"))


def _mistral(config: Config) -> LanguageModel:
    kv_heads = config.get("num_key_value_heads", 8)
    return _grouped_query(config, (*_separate(config, kv_heads), *_swiglu(config)), kv_heads)


def _qwen2(config: Config) -> LanguageModel:
    kv_heads = config.get("num_key_value_heads", 32)
    attention = _separate(config, kv_heads, biased=True)
    return _grouped_query(config, (*attention, *_swiglu(config)), kv_heads)


def _phi3(config: Config) -> LanguageModel:
    width, inner = config["hidden_size"], config["intermediate_size"]
    heads, size = config["num_attention_heads"], _head_dim(config)
    kv_heads = config.get("num_key_value_heads")
    linears = (
        Linear("qkv_proj", width, (heads + 2 * (kv_heads or heads)) * size),
        Linear("o_proj", heads * size, width, reads=("qkv_proj",)),
        Linear("gate_up_proj", width, 2 * inner, reads=("o_proj",)),
        Linear("down_proj", inner, width, reads=("gate_up_proj",)),
    )
    model = _grouped_query(config, linears, kv_heads)
    return evolve(model, queries="qkv_proj", keys="qkv_proj", values="qkv_proj")


def _deepseek_v3(config: Config) -> LanguageModel | None:
    """Multi-head latent attention; only with as many dense layers as it has layers."""
    if config.get("first_k_dense_replace", 3) < config["num_hidden_layers"]:
        return None
    width, heads = config["hidden_size"], config["num_attention_heads"]
    kv_rank, q_rank = config.get("kv_lora_rank", 512), config.get("q_lora_rank", 1536)
    rotated = config.get("qk_rope_head_dim", 64)
    key, value = config.get("qk_nope_head_dim", 128), config.get("v_head_dim", 128)
    biased = bool(config.get("attention_bias"))
    to_queries: tuple[Linear, ...] = (Linear("q_proj", width, heads * (key + rotated)),)
    if q_rank is not None:
        to_queries = (
            Linear("q_a_proj", width, q_rank, biased),
            Linear("q_b_proj", q_rank, heads * (key + rotated), reads=("q_a_proj",)),
        )
    linears = (
        *to_queries,
        Linear("kv_a_proj_with_mqa", width, kv_rank + rotated, biased),
        Linear("kv_b_proj", kv_rank, heads * (key + value), reads=("kv_a_proj_with_mqa",)),
        Linear("o_proj", heads * value, width, biased, reads=(to_queries[-1].name, "kv_b_proj")),
        *_swiglu(config),
    )
    return evolve(
        _grouped_query(config, linears, heads),
        key_dim=key + rotated,
        value_dim=value,
        queries=to_queries[-1].name,
        keys="kv_b_proj",
        values="kv_b_proj",
        layer_norms=2 * width + kv_rank + (q_rank or 0),
        no_lora=("gate_proj", "up_proj", "down_proj"),  # peft 0.21 takes them for experts, and loads none
    )


def _gpt_neox(config: Config) -> LanguageModel:
    width, inner = config["hidden_size"], config["intermediate_size"]
    biased = config.get("attention_bias", True)
    parallel = config.get("use_parallel_residual", True)
    linears = (
        Linear("query_key_value", width, 3 * width, biased),
        Linear("dense", width, width, biased, reads=("query_key_value",)),
        Linear("dense_h_to_4h", width, inner, True, reads=() if parallel else ("dense",)),
        Linear("dense_4h_to_h", inner, width, True, reads=("dense_h_to_4h",)),
    )
    return evolve(
        _grouped_query(config, linears, None),
        queries="query_key_value",
        keys="query_key_value",
        values="query_key_value",
        layer_norms=4 * width,
        final_norm=2 * width,
    )


_READERS: dict[str, Callable[[Config], LanguageModel | None]] = {
    "llama": _llama,
    "mistral": _mistral,
    "qwen2": _qwen2,
    "phi3": _phi3,
    "deepseek_v3": _deepseek_v3,
    "gpt_neox": _gpt_neox,
}


def _head_dim(config: Config) -> int:
    size: int = config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"]
    return size


def _separate(
    config: Config, kv_heads: int | None, biased: bool = False, output_biased: bool = False
) -> tuple[Linear, ...]:
    """Grouped-query attention with a matrix each for queries, keys, values and output."""
    width, heads, size = config["hidden_size"], config["num_attention_heads"], _head_dim(config)
    shared = (kv_heads or heads) * size
    return (
        Linear("q_proj", width, heads * size, biased),
        Linear("k_proj", width, shared, biased),
        Linear("v_proj", width, shared, biased),
        Linear("o_proj", heads * size, width, output_biased, reads=("q_proj", "k_proj", "v_proj")),
    )


def _swiglu(config: Config, bias: bool = False) -> tuple[Linear, ...]:
    """The feed-forward after attention's residual sum."""
    width, inner = config["hidden_size"], config["intermediate_size"]
    return (
        Linear("gate_proj", width, inner, bias, reads=("o_proj",)),
        Linear("up_proj", width, inner, bias, reads=("o_proj",)),
        Linear("down_proj", inner, width, bias, reads=("gate_proj", "up_proj")),
    )


def _grouped_query(config: Config, linears: tuple[Linear, ...], kv_heads: int | None) -> LanguageModel:
    """Llama's decoder of these linears: RMSNorm before attention, before the feed-forward and at the end."""
    width, heads = config["hidden_size"], config["num_attention_heads"]
    return LanguageModel(
        layers=config["num_hidden_layers"],
        linears=linears,
        hidden_size=width,
        heads=heads,
        kv_heads=kv_heads or heads,
        key_dim=_head_dim(config),
        value_dim=_head_dim(config),
        queries="q_proj",
        keys="k_proj",
        values="v_proj",
        vocab_size=config["vocab_size"],
        tied_embeddings=bool(config.get("tie_word_embeddings")),
        layer_norms=2 * width,
        final_norm=width,
    )
