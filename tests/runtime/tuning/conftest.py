"""Small models of transformers, examples of unlike lengths, and methods put into models as a run does it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pytest
import torch
from effdsl_runtime.data.model_tokenizer import Example
from effdsl_runtime.tuning.methods import applied
from effdsl_runtime.tuning.tuner import Tuner
from torch import Tensor
from torch.nn import functional as F
from transformers import AutoConfig, AutoModelForCausalLM

from effdsl.built_in import built_in
from effdsl.language_model import LanguageModel, language_model
from effdsl.techniques.fine_tuning.adapter import Adapter
from effdsl.techniques.fine_tuning.method import Method
from effdsl.training import TrainingRecipe

Tensors = Mapping[str, Tensor]
M = TypeVar("M", bound=Method)
SMALL: dict[str, Any] = {
    "num_hidden_layers": 3,
    "hidden_size": 32,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 64,
    "vocab_size": 67,
    "max_position_embeddings": 64,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 2,
}
LATENT: dict[str, Any] = {
    "num_key_value_heads": 4,
    "first_k_dense_replace": 3,
    "kv_lora_rank": 16,
    "qk_rope_head_dim": 4,
    "qk_nope_head_dim": 8,
    "v_head_dim": 8,
    "q_lora_rank": 20,
    "num_nextn_predict_layers": 0,
}
KINDS: dict[str, dict[str, Any]] = {
    "llama": SMALL,
    "qwen2": SMALL | {"tie_word_embeddings": True},
    "deepseek_v3": SMALL | LATENT,
    "gpt_neox": SMALL,
}
METHODS: list[Method] = [cls() for cls in built_in(Method)]
"""Every method with its defaults, which the small llama can bear."""
ADAPTERS = [method for method in METHODS if isinstance(method, Adapter)]
CPU = torch.device("cpu")
RECIPE = TrainingRecipe(
    learning_rate=3e-3,
    warmup=0.4,
    final_learning_rate=0.1,
    weight_decay=0.3,
    beta1=0.8,
    beta2=0.98,
    gradient_clip=0.7,
)
"""Unlike any default; the small models' gradients are longer than the clip."""


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def built(kind: str = "llama", **changes: Any) -> Any:
    """A model in which every weight counts: biases and norms as well."""
    torch.manual_seed(0)
    config = AutoConfig.for_model(kind, **KINDS[kind] | changes)
    model: Any = AutoModelForCausalLM.from_config(config, dtype=torch.float32)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        for parameter in model.parameters():
            scale = parameter.shape[-1] ** -0.5 if parameter.dim() > 1 else 0.2
            parameter.add_(torch.randn_like(parameter) * scale)
    return model


def shape_of(model: Any) -> LanguageModel:
    """What closed forms know of a model."""
    shape = language_model(model.config.to_dict())
    assert shape is not None
    return shape


def put(method: M, model: Any, steps: int = 5, seed: int = 0) -> tuple[M, Any]:
    """The method resolved for ``model``, and the model with it, in training."""
    shape = shape_of(model)
    resolved: Any = method.resolve(shape)
    torch.manual_seed(seed)
    return resolved, applied(resolved, model, shape, steps).train()


def tuner(
    method: Method, model: Any, steps: int = 5, micro: int = 4, recipe: TrainingRecipe = RECIPE
) -> Tuner:
    """A tuner on the CPU."""
    return Tuner(method, model, recipe, steps, micro, CPU)


def batches(count: int, size: int = 8) -> list[list[Example]]:
    """Examples of 5 to 18 tokens; of each a prompt of some length is not predicted, in one all but the last
    token."""
    generator = torch.Generator().manual_seed(7)

    def number(low: int, high: int) -> int:
        return int(torch.randint(low, high, (), generator=generator))

    def example(lone: bool) -> Example:
        length = number(5, 19)
        prompt = length - 1 if lone else number(1, length)
        tokens = torch.randint(3, 67, (length,), generator=generator).tolist()
        return Example(tokens, [i >= prompt for i in range(length)])

    return [[example(lone=i == 0) for i in range(size)] for _ in range(count)]


def filled_up(batch: Sequence[Example]) -> dict[str, Tensor]:
    """What transformers takes for a batch: filled up on the right with what is masked and not predicted."""
    longest = max(len(example.tokens) for example in batch)
    short = [longest - len(example.tokens) for example in batch]
    labels = [[t if p else -100 for t, p in zip(*example, strict=True)] for example in batch]
    return {
        "input_ids": torch.tensor([e.tokens + [2] * n for e, n in zip(batch, short, strict=True)]),
        "attention_mask": torch.tensor([[1] * (longest - n) + [0] * n for n in short]),
        "labels": torch.tensor([row + [-100] * n for row, n in zip(labels, short, strict=True)]),
    }


def train(method: Method, model: Any, steps: int = 5, micro: int = 4) -> list[float]:
    """The losses of some steps."""
    training = tuner(method, model, steps, micro)
    return [training.step(step, batch) for step, batch in enumerate(batches(steps))]


def stirred(model: Any) -> Any:
    """``model`` with noise added to what is trained, so that nothing of an adapter is zero."""
    torch.manual_seed(11)
    with torch.no_grad():
        for parameter in trained(model).values():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    return model


def trained(model: Any) -> dict[str, Tensor]:
    """What requires a gradient."""
    return {name: p for name, p in model.named_parameters() if p.requires_grad}


def copied(tensors: Tensors) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in tensors.items()}


def assert_moved_alike(found: Tensors, expected: Tensors, start: Tensors) -> None:
    """Of each tensor the error is at most a hundredth of the way that it has gone, by their norms.

    Not element by element: AdamW moves an element whose gradient is no more than a rounding as far as others.
    """
    assert set(found) == set(expected)
    for name, tensor in expected.items():
        way = (tensor - start[name]).norm()
        assert way > 0, name
        assert (found[name] - tensor).norm() <= 1e-2 * way, name


def tokens_bt(seed: int = 3) -> Tensor:
    """Two sequences of 12."""
    return torch.randint(3, 67, (2, 12), generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def logits_of(model: Any) -> Tensor:
    """Of two sequences, with nothing dropped out."""
    logits: Tensor = model.eval()(input_ids=tokens_bt(), use_cache=False).logits
    return logits


def by_hand(logits_btv: Sequence[Tensor], batch: Sequence[Example]) -> Tensor:
    """Mean cross-entropy of what is predicted in each example, of the logits of each."""
    losses = [
        F.cross_entropy(row_tv[i - 1], torch.tensor(example.tokens[i]))
        for row_tv, example in zip(logits_btv, batch, strict=True)
        for i, predicted in enumerate(example.predicted)
        if predicted
    ]
    return torch.stack(losses).mean()


class AdamWByHand:
    """Loshchilov & Hutter (2019), algorithm 2, with clipping and a learning rate given at each step."""

    def __init__(self, parameters: Sequence[Tensor], recipe: TrainingRecipe = RECIPE) -> None:
        self._recipe, self._parameters = recipe, parameters
        self._moments = [(torch.zeros_like(p), torch.zeros_like(p)) for p in parameters]
        self._step = 0

    @torch.no_grad()
    def step(self, gradients: Sequence[Tensor], learning_rate: float) -> None:
        recipe, self._step = self._recipe, self._step + 1
        norm = math.sqrt(sum(float(g.double().square().sum()) for g in gradients))
        clip = min(1.0, recipe.gradient_clip / norm)
        for p, gradient, (first, second) in zip(self._parameters, gradients, self._moments, strict=True):
            g = gradient * clip
            first.copy_(recipe.beta1 * first + (1 - recipe.beta1) * g)
            second.copy_(recipe.beta2 * second + (1 - recipe.beta2) * g * g)
            unbiased = first / (1 - recipe.beta1**self._step)
            spread = (second / (1 - recipe.beta2**self._step)).sqrt() + 1e-8
            p.copy_(p - learning_rate * (unbiased / spread + recipe.weight_decay * p))


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of a kind of small model, saved once."""
    folder = tmp_path_factory.mktemp("bases")

    def saved(kind: str = "llama") -> Path:
        if not (folder / kind).exists():
            built(kind).save_pretrained(folder / kind)
        return folder / kind

    return saved
