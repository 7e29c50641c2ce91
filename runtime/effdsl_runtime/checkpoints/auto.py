"""Our decoders for transformers' auto classes: import this, and ``AutoModelForCausalLM`` loads them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    GenerationMixin,
    PretrainedConfig,
    PreTrainedModel,
)
from transformers.modeling_outputs import CausalLMOutput

from effdsl.from_canonical import decoded
from effdsl_runtime.checkpoints.directory import OWN_TYPE
from effdsl_runtime.model.build import assemble
from effdsl_runtime.model.loss import linear_cross_entropy

IGNORED = -100  # of labels, as everywhere in transformers


class EffdslConfig(PretrainedConfig):  # type: ignore[no-untyped-call]
    """An architecture in its canonical form, and how many positions it has."""

    model_type = OWN_TYPE

    def __init__(self, architecture: str = "", max_position_embeddings: int = 0, **rest: Any) -> None:
        self.architecture = architecture
        self.max_position_embeddings = max_position_embeddings
        super().__init__(**rest)


class EffdslForCausalLM(PreTrainedModel, GenerationMixin):  # type: ignore[no-untyped-call]
    """A decoder of ours with the interface of transformers; it generates without a cache."""

    config_class = EffdslConfig
    _supports_sdpa = True

    def __init__(self, config: EffdslConfig) -> None:
        super().__init__(config)
        self.decoder = assemble(decoded(config.architecture), config.max_position_embeddings)
        self.post_init()  # type: ignore[no-untyped-call]

    def _init_weights(self, module: torch.nn.Module) -> None:
        """Weights are in the checkpoint; tables of positions, which are not, are computed."""
        if not list(module.buffers(recurse=False)):
            return
        name = next(name for name, held in self.decoder.named_modules() if held is module)
        with torch.device("cpu"):  # its weights are pages that nobody touches
            whole = assemble(decoded(self.config.architecture), self.config.max_position_embeddings)
        for table, values in whole.get_submodule(name).named_buffers(recurse=False):
            module.get_buffer(table).copy_(values)

    def get_input_embeddings(self) -> torch.nn.Module:
        return self.decoder.embedding

    def prepare_inputs_for_generation(  # type: ignore[override]  # a cache is none of it
        self, input_ids: Tensor, **rest: Any
    ) -> dict[str, Any]:
        return {"input_ids": input_ids}

    def forward(self, input_ids: Tensor, labels: Tensor | None = None, **rest: Any) -> CausalLMOutput:
        """``logits`` of ``input_ids`` ``(b, t)``; with ``labels`` also the mean cross-entropy of what follows
        each token, those of -100 left out."""
        x_btd = self.decoder.hidden(input_ids)
        loss = None
        if labels is not None:
            targets_n = labels[:, 1:].flatten()
            kept_n = targets_n != IGNORED
            x_nd = x_btd[:, :-1].flatten(0, 1)[kept_n]
            loss = linear_cross_entropy(x_nd, self.decoder.output_weight, targets_n[kept_n])
        return CausalLMOutput(loss=loss, logits=self.decoder.logits(x_btd))


AutoConfig.register(OWN_TYPE, EffdslConfig)
AutoModelForCausalLM.register(EffdslConfig, EffdslForCausalLM)
