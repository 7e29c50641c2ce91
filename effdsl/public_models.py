"""The paper's public models: what they are called, where they are, and the shape that each was trained in."""

from __future__ import annotations

from typing import Any

import attrs

from effdsl.language_model import LanguageModel, language_model


@attrs.frozen
class PublicModel:
    """A model whose weights anyone can get, some under a licence to accept.

    Attributes:
        name: as the paper's tables spell it, in lower case.
        hub_id: where Hugging Face keeps its weights.
        model_type: as transformers calls its architecture.
    """

    name: str
    hub_id: str
    model_type: str
    layers: int
    hidden_size: int
    heads: int
    kv_heads: int
    intermediate_size: int
    vocab_size: int
    tied_embeddings: bool = False
    head_dim: int | None = None

    def config(self) -> dict[str, Any]:
        """What its ``config.json`` says of its shape."""
        said = {
            "model_type": self.model_type,
            "num_hidden_layers": self.layers,
            "hidden_size": self.hidden_size,
            "num_attention_heads": self.heads,
            "num_key_value_heads": self.kv_heads,
            "intermediate_size": self.intermediate_size,
            "vocab_size": self.vocab_size,
            "tie_word_embeddings": self.tied_embeddings,
        }
        return said if self.head_dim is None else said | {"head_dim": self.head_dim}

    def language_model(self) -> LanguageModel:
        """Its matrices, for closed forms."""
        model = language_model(self.config())
        if model is None:
            raise ValueError(f"{self.name}: nothing here knows a {self.model_type}")
        return model


_LLAMA_8B = ("llama", 32, 4096, 32, 8, 14336, 128256)
_QWEN_1_5B = ("qwen2", 28, 1536, 12, 2, 8960, 151936)
_QWEN_14B = ("qwen2", 48, 5120, 40, 8, 13824, 152064)

PUBLIC_MODELS: tuple[PublicModel, ...] = (
    PublicModel(
        "llama-3.2-1b",
        "meta-llama/Llama-3.2-1B",
        "llama",
        16,
        2048,
        32,
        8,
        8192,
        128256,
        tied_embeddings=True,
    ),
    PublicModel(
        "llama-3.2-3b", "meta-llama/Llama-3.2-3B", "llama", 28, 3072, 24, 8, 8192, 128256, True, head_dim=128
    ),
    PublicModel("llama-3.1-8b", "meta-llama/Llama-3.1-8B", *_LLAMA_8B),
    PublicModel(
        "llama-3.3-70b", "meta-llama/Llama-3.3-70B-Instruct", "llama", 80, 8192, 64, 8, 28672, 128256
    ),
    PublicModel("qwen2.5-1.5b", "Qwen/Qwen2.5-1.5B", *_QWEN_1_5B, tied_embeddings=True),
    PublicModel("qwen2.5-7b", "Qwen/Qwen2.5-7B", "qwen2", 28, 3584, 28, 4, 18944, 152064),
    PublicModel("qwen2.5-14b", "Qwen/Qwen2.5-14B", *_QWEN_14B),
    PublicModel("qwen2.5-32b", "Qwen/Qwen2.5-32B", "qwen2", 64, 5120, 40, 8, 27648, 152064),
    PublicModel("deepseek-r1-distill-qwen-1.5b", "deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B", *_QWEN_1_5B),
    PublicModel("deepseek-r1-distill-llama-8b", "deepseek-ai/DeepSeek-R1-Distill-Llama-8B", *_LLAMA_8B),
    PublicModel("deepseek-r1-distill-qwen-14b", "deepseek-ai/DeepSeek-R1-Distill-Qwen-14B", *_QWEN_14B),
    PublicModel("mistral-7b", "mistralai/Mistral-7B-v0.3", "mistral", 32, 4096, 32, 8, 14336, 32768),
    PublicModel(
        "mistral-small-24b",
        "mistralai/Mistral-Small-24B-Base-2501",
        *("mistral", 40, 5120, 32, 8, 32768, 131072),
        head_dim=128,
    ),
    PublicModel("yi-34b", "01-ai/Yi-34B", "llama", 60, 7168, 56, 8, 20480, 64000),
    PublicModel("phi-3.5-mini", "microsoft/Phi-3.5-mini-instruct", "phi3", 32, 3072, 32, 32, 8192, 32064),
    PublicModel("phi-4", "microsoft/phi-4", "phi3", 40, 5120, 40, 10, 17920, 100352),
)

_BY_NAME = {word.lower(): model for model in PUBLIC_MODELS for word in (model.name, model.hub_id)}


def public_model(name_or_hub_id: str) -> PublicModel | None:
    """The model of this name or hub id, in any case of letters; ``None`` where the paper has none."""
    return _BY_NAME.get(name_or_hub_id.lower())
