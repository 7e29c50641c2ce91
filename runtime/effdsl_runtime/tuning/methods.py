"""How each fine-tuning method is put into a model of transformers, by peft or by freezing."""

from __future__ import annotations

import warnings
from functools import singledispatch
from typing import Any

import attrs
import peft
import torch
from torch import Tensor, nn

from effdsl.language_model import LanguageModel
from effdsl.techniques.fine_tuning import (
    IA3,
    OFT,
    AdaLoRA,
    DoRA,
    Freeze,
    Full,
    GLoRA,
    LoHa,
    LoKr,
    LoRA,
    LoRAPlus,
    PiSSA,
    RSLoRA,
    VeRA,
)
from effdsl.techniques.fine_tuning.adapter import Adapter
from effdsl.techniques.fine_tuning.low_rank import LowRank
from effdsl.techniques.fine_tuning.method import Method
from effdsl_runtime.quantizing.normal_floats import put_normal_floats, round_to_normal_floats


@attrs.frozen
class Group:
    """Parameters that learn at one rate.

    Attributes:
        rate: over the learning rate of the recipe.
    """

    parameters: list[nn.Parameter]
    rate: float = 1.0


@singledispatch
def stored_for(method: Method, model: Any, dtype: torch.dtype) -> None:
    """Store the weights of ``model`` as ``method`` trains beside them; usually as they are.

    Args:
        model: of transformers, as it was loaded, on the CPU.
        dtype: of the matrix products.
    """


@stored_for.register
def _(method: LoRA, model: Any, dtype: torch.dtype) -> None:
    if method.quantize is not None:
        put_normal_floats(model, method.quantize, dtype)
        model.is_loaded_in_4bit = True  # by which peft knows


@singledispatch
def as_stored_for(method: Method, model: Any) -> None:
    """Give ``model`` the weights beside which ``method`` trained, unpacked, to merge what it trained into
    them; usually they are its own."""


@as_stored_for.register
def _(method: LoRA, model: Any) -> None:
    if method.quantize is not None:
        round_to_normal_floats(model, method.quantize)


@singledispatch
def applied(method: Method, model: Any, shape: LanguageModel, steps: int) -> Any:
    """``model`` with ``method`` in it; what is to be trained, and nothing else, requires a gradient, and is
    in float32.

    Args:
        method: resolved.
        model: of transformers, as it was loaded.
        shape: the same as closed forms know it.
        steps: of the training.

    Returns:
        What ``save_pretrained`` is called on: the model, or peft's model around it.
    """
    raise TypeError(f"nothing here applies a {type(method).__name__}")


@applied.register
def _full(method: Full, model: Any, shape: LanguageModel, steps: int) -> Any:
    return model.requires_grad_(True).float()


@applied.register
def _freeze(method: Freeze, model: Any, shape: LanguageModel, steps: int) -> Any:
    model.requires_grad_(False)
    for layer in layers_of(model)[-method.trained() :]:
        layer.requires_grad_(True).float()
    return model


@applied.register
def _adapter(method: Adapter, model: Any, shape: LanguageModel, steps: int) -> Any:
    config = peft_config(method, shape, steps)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*is_gradient_checkpointing.*", FutureWarning)
        return peft.get_peft_model(model, config)


@singledispatch
def peft_config(method: Adapter, shape: LanguageModel, steps: int) -> Any:
    """The configuration that peft has for ``method``."""
    raise TypeError(f"peft has nothing like a {type(method).__name__}")


def _lora(method: LowRank, **more: Any) -> Any:
    return peft.LoraConfig(
        r=method.rank,
        lora_alpha=method.alpha,
        lora_dropout=method.dropout,
        target_modules=list(method.names()),
        task_type="CAUSAL_LM",
        **more,
    )


@peft_config.register(LoRA)
@peft_config.register(LoRAPlus)
def _(method: LowRank, shape: LanguageModel, steps: int) -> Any:
    return _lora(method)


@peft_config.register
def _(method: RSLoRA, shape: LanguageModel, steps: int) -> Any:
    return _lora(method, use_rslora=True)


@peft_config.register
def _(method: DoRA, shape: LanguageModel, steps: int) -> Any:
    return _lora(method, use_dora=True)


@peft_config.register
def _(method: PiSSA, shape: LanguageModel, steps: int) -> Any:
    how = "pissa" if method.iterations is None else f"pissa_niter_{method.iterations}"
    return _lora(method, init_lora_weights=how)


@peft_config.register
def _(method: LoHa, shape: LanguageModel, steps: int) -> Any:
    return peft.LoHaConfig(r=method.rank, alpha=method.alpha, target_modules=list(method.names()))


@peft_config.register
def _(method: LoKr, shape: LanguageModel, steps: int) -> Any:
    return peft.LoKrConfig(r=method.rank, alpha=method.alpha, target_modules=list(method.names()))


@peft_config.register
def _(method: GLoRA, shape: LanguageModel, steps: int) -> Any:
    return peft.GloraConfig(r=method.rank, target_modules=list(method.names()))


@peft_config.register
def _(method: IA3, shape: LanguageModel, steps: int) -> Any:
    return peft.IA3Config(
        target_modules=list(method.names()),
        feedforward_modules=list(method.feed_forward(shape)),
        task_type="CAUSAL_LM",
    )


@peft_config.register
def _(method: VeRA, shape: LanguageModel, steps: int) -> Any:
    return peft.VeraConfig(r=method.rank, target_modules=list(method.names()), task_type="CAUSAL_LM")


@peft_config.register
def _(method: OFT, shape: LanguageModel, steps: int) -> Any:
    return peft.OFTConfig(oft_block_size=method.block_size, r=0, target_modules=list(method.names()))


@peft_config.register
def _(method: AdaLoRA, shape: LanguageModel, steps: int) -> Any:
    """Ranks fall from a tenth of the steps on, and for the last quarter stay as they are."""
    return peft.AdaLoraConfig(
        target_r=method.rank,
        init_r=method.initial_rank,
        lora_alpha=method.alpha,
        lora_dropout=method.dropout,
        tinit=steps // 10,
        tfinal=steps // 4,
        total_step=steps,
        target_modules=list(method.names()),
        task_type="CAUSAL_LM",
    )


@singledispatch
def groups(method: Method, model: nn.Module) -> list[Group]:
    """What the optimizer trains, by how fast it learns."""
    return [Group(_trained(model))]


@groups.register
def _(method: LoRAPlus, model: nn.Module) -> list[Group]:
    fast = [p for name, p in model.named_parameters() if p.requires_grad and "lora_B" in name]
    known = {id(p) for p in fast}
    slow = [p for p in _trained(model) if id(p) not in known]
    return [Group(slow), Group(fast, method.ratio)]


def _trained(model: nn.Module) -> list[nn.Parameter]:
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


@singledispatch
def penalty(method: Method, model: Any) -> Tensor | None:
    """What is added to the loss that is minimised; usually nothing."""
    return None


@penalty.register
def _(method: AdaLoRA, model: Any) -> Tensor:
    """How far the outer matrices are from orthogonal (eq. 4 of its paper), as peft weighs and adds it."""
    config = model.peft_config["default"]
    found = []
    for name, parameter in model.named_parameters():
        if "lora_A" in name or "lora_B" in name:
            square = parameter @ parameter.T if "lora_A" in name else parameter.T @ parameter
            found.append(torch.dist(square, torch.eye(len(square), device=square.device)))
    weight: float = config.orth_reg_weight
    return torch.stack(found).mean() * weight


@singledispatch
def after_step(method: Method, model: Any, step: int) -> None:
    """What follows the optimizer's step ``step`` (0-based), before gradients are freed; usually nothing."""


@after_step.register
def _(method: AdaLoRA, model: Any, step: int) -> None:
    model.base_model.update_and_allocate(step)


def keep_frozen_in(dtype: torch.dtype, model: nn.Module) -> None:
    """Have weights that are not trained in ``dtype``; packed ones, and tables, e.g. of positions, stay as
    they are."""
    for parameter in model.parameters():
        if not parameter.requires_grad and parameter.is_floating_point():
            parameter.data = parameter.data.to(dtype)


def layers_of(model: Any) -> nn.ModuleList:
    """The decoder layers of a model of transformers."""
    lists = [module for module in model.base_model.children() if isinstance(module, nn.ModuleList)]
    (layers,) = lists
    return layers
