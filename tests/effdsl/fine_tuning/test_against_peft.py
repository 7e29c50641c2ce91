"""Closed forms of each method against transformers' model with peft's adapter in it."""

from __future__ import annotations

from pathlib import Path

import peft
import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from effdsl.techniques.fine_tuning.low_rank import LoRA, PiSSA
from effdsl.techniques.fine_tuning.method import Method
from effdsl.techniques.fine_tuning.scaled import IA3, OFT, AdaLoRA
from effdsl.techniques.fine_tuning.whole_layers import Freeze, Full
from effdsl.techniques.technique import Unsupported

from .conftest import CONFIGS, METHODS, Config, apply, build, modelled, on_meta, trainable

pytestmark = [
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning"),
]
BATCHES = [(1, 5), (2, 5), (2, 8)]
IN_FULL = ("llama", "qwen2", "deepseek_v3", "gpt_neox")
"""With each kind of attention, with and without biases; of their kin what differs is the layers' order."""
EACH = [
    pytest.param(config, method, id=f"{name}-{method}")
    for name, config in CONFIGS.items()
    for method in (METHODS if name in IN_FULL else (LoRA(), Freeze(), Full()))
    if not (isinstance(method, OFT) and name == "deepseek_v3")
]
EACH_TARGET = [
    pytest.param(config, method(targets=[target]), id=f"{name}-{method.__name__}-{target}")
    for name, config in CONFIGS.items()
    for target in modelled(config).names
    for method in ((LoRA, IA3) if name == "deepseek_v3" else (LoRA,))
    if method is not LoRA or target not in modelled(config).no_lora
]


def counted(module: nn.Module, sequences: int, context_length: int) -> float:
    """FLOPs of one forward and backward pass."""
    ids = torch.randint(0, 60, (sequences, context_length))
    module.train()
    with FlopCounterMode(display=False) as counter:
        module(input_ids=ids, labels=ids).loss.backward()
    return counter.get_total_flops()


@pytest.mark.parametrize(("config", "method"), EACH)
def test_parameters_flops_and_bytes_are_those_of_the_built_model(config: Config, method: Method) -> None:
    """At every batch and context, masked scores in full; of an adapter the tensors that peft returns."""
    model = modelled(config)
    method = method.resolve(model)
    torch.manual_seed(0)
    trained = apply(method, config, build(config))
    assert method.trainable_parameters(model) == trainable(trained)
    for sequences, context_length in BATCHES:
        flops = method.step_flops(model, sequences, context_length)
        assert flops == counted(trained, sequences, context_length)
    if not isinstance(method, PiSSA | AdaLoRA):
        assert method.adapter_bytes(model) == saved_bytes(trained)


def saved_bytes(trained: nn.Module) -> int:
    if isinstance(trained, peft.PeftModel):
        return sum(4 * tensor.numel() for tensor in peft.get_peft_model_state_dict(trained).values())
    return 4 * trainable(trained)


@pytest.mark.parametrize(("config", "method"), EACH_TARGET)
def test_gradients_reach_no_further_down_than_to_the_first_target(config: Config, method: Method) -> None:
    """Whichever linear of the first layer it is, what is below it costs its forward pass."""
    model = modelled(config)
    method = method.resolve(model)
    trained = apply(method, config, build(config))
    assert method.trainable_parameters(model) == trainable(trained)
    assert method.step_flops(model, 2, 5) == counted(trained, 2, 5)


@pytest.mark.parametrize("name", IN_FULL)
def test_a_large_model_has_the_parameters_that_peft_trains(name: str) -> None:
    """Sizes that real models have, on the meta device."""
    config = CONFIGS[name] | {"hidden_size": 960, "intermediate_size": 2592, "head_dim": 240}
    model = modelled(config)
    for method in METHODS:
        if not (isinstance(method, OFT) and name == "deepseek_v3"):
            method = method.resolve(model)
            with torch.device("meta"):
                assert method.trainable_parameters(model) == trainable(
                    apply(method, config, on_meta(config))
                ), method


@pytest.mark.parametrize("name", ["llama", "deepseek_v3", "gpt_neox"])
def test_pissa_is_saved_as_a_lora_of_twice_the_rank(name: str, tmp_path: Path) -> None:
    """As peft converts it, so that it fits the model as it was."""
    config = CONFIGS[name]
    model = modelled(config)
    method = PiSSA(rank=4).resolve(model)
    trained = apply(method, config, build(config))
    trained.peft_config["default"].init_lora_weights = True
    trained.save_pretrained(str(tmp_path / "initial"))
    trained.peft_config["default"].init_lora_weights = "pissa_niter_16"
    trained.save_pretrained(
        str(tmp_path / "after"), path_initial_model_for_weight_conversion=str(tmp_path / "initial")
    )
    saved = load_file(tmp_path / "after" / "adapter_model.safetensors")
    assert sum(4 * tensor.numel() for tensor in saved.values()) == method.adapter_bytes(model)


@pytest.mark.parametrize("name", ["deepseek_v3", "deepseek_v3-no-q-rank"])
def test_peft_cannot_turn_what_mla_keeps_of_keys_and_values(name: str) -> None:
    """OFT takes the latent's four dimensions for an image; without that target it is exact too."""
    config = CONFIGS[name]
    model = modelled(config)
    with pytest.raises(Unsupported, match="the latent that kv_b_proj reads"):
        OFT(block_size=2).resolve(model)
    others = [target for target in model.names if target != "kv_b_proj"]
    method = OFT(block_size=2, targets=others).resolve(model)
    trained = apply(method, config, build(config))
    assert method.trainable_parameters(model) == trainable(trained)
    assert method.step_flops(model, 2, 5) == counted(trained, 2, 5)
