"""What devices that share a training send each other in an optimizer step, and how long that takes.

Bytes are those that one device sends, of ring algorithms (Patarasu and Yuan 2009, doi
10.1016/j.jpdc.2008.09.002), as NCCL counts them; activations are sent in the dtype of the matrix products.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import attrs

from effdsl.costs.divided import embedding_parameters, layer_parameters
from effdsl.techniques.technique import BYTES_PER_ELEMENT

if TYPE_CHECKING:
    from effdsl.costs.divided import DecoderTraining
    from effdsl.hardware import Hardware
    from effdsl.parallelism import Parallelism

FLOAT32 = BYTES_PER_ELEMENT["float32"]
OF_A_LINK = 0.85
"""What collectives reach of a link's rate: 360 to 390 of NVLink 4's 450 GB/s (NVIDIA/nccl#1264), 45 of
400 Gb/s, 22 of Slingshot's 200 Gb/s."""
LATENCY_S = 15e-6
"""Of one collective; NCCL's are 10 to 20 microseconds where little is sent."""


@attrs.frozen
class Sent:
    """What one device sends in an optimizer step, and the seconds that it takes if nothing hides it."""

    bytes: float = 0.0
    seconds: float = 0.0


@attrs.frozen
class Communication:
    """By what is shared: batches, matrices, the layers, the experts, sequences."""

    data: Sent = Sent()
    tensor: Sent = Sent()
    pipeline: Sent = Sent()
    expert: Sent = Sent()
    context: Sent = Sent()


class Replication(ABC):
    """How the devices that share a batch keep their weights in step."""

    @abstractmethod
    def bytes_per_parameter(self, micro_batches: int, element: int) -> float:
        """Bytes that a device would send of each parameter that it computes with, were there very many
        devices: of ``D`` it sends ``(D - 1) / D`` of them."""


@attrs.frozen
class Averaged(Replication):
    """Every device has all states; gradients are all-reduced in float32 (PyTorch's DDP)."""

    def bytes_per_parameter(self, micro_batches: int, element: int) -> float:
        return 2 * FLOAT32


@attrs.frozen
class ShardedOptimizer(Replication):
    """Gradients are reduced in float32 to the device that has a parameter's optimizer states, which hands the
    new weight out: Megatron-Core's distributed optimizer, ZeRO's first stage (Rajbhandari et al. 2019, arXiv
    1910.02054)."""

    def bytes_per_parameter(self, micro_batches: int, element: int) -> float:
        return FLOAT32 + element


@attrs.frozen
class HandedOut(Replication):
    """Gradients are all-reduced; each device updates some of the weights, whose states it alone has, and
    hands them out, all in float32 (PyTorch's ZeroRedundancyOptimizer)."""

    def bytes_per_parameter(self, micro_batches: int, element: int) -> float:
        return 3 * FLOAT32


@attrs.frozen
class FullySharded(Replication):
    """Every device has a part of the weights, gradients and states; a layer's weights are gathered when it is
    computed with, forward and backward (ZeRO's third stage; PyTorch's FSDP2).

    Attributes:
        gathered: bytes of a weight that is sent.
        reduced: bytes of a gradient that is sent.
        accumulates: whether gradients are sent once a step, not with every micro-batch.
    """

    gathered: int = FLOAT32
    reduced: int = FLOAT32
    accumulates: bool = True

    def bytes_per_parameter(self, micro_batches: int, element: int) -> float:
        return 2 * self.gathered * micro_batches + self.reduced * (1 if self.accumulates else micro_batches)


def communication(
    work: DecoderTraining, hardware: Hardware, parallelism: Parallelism, replication: Replication
) -> Communication | None:
    """Of one optimizer step; ``None`` where a link that is needed is not known."""
    parts = (
        _data(work, hardware, parallelism, replication),
        _tensor(work, hardware, parallelism),
        _pipeline(work, hardware, parallelism),
        _expert(work, hardware, parallelism),
        _context(work, hardware, parallelism),
    )
    data, tensor, pipeline, expert, context = parts
    if data is None or tensor is None or pipeline is None or expert is None or context is None:
        return None
    return Communication(data, tensor, pipeline, expert, context)


def rate_among(hardware: Hardware, members: int, apart: int) -> float | None:
    """Bytes/s that each of ``members`` devices, so many numbers ``apart``, sends in a collective.

    Beyond one machine a ring leaves it once for each member that the machine has, through an adapter of each.
    """
    inside = max(1, hardware.devices_of_a_node // apart)
    if members <= inside:
        return _of_link(hardware.interconnect)
    if hardware.network is None or hardware.interconnect is None:
        return _of_link(hardware.network if inside == 1 else None)
    return _of_link(min(hardware.interconnect, inside * hardware.network))


def _of_link(rate: float | None) -> float | None:
    return None if rate is None else OF_A_LINK * rate


def _sent(volume: float, collectives: float, rate: float | None) -> Sent | None:
    return None if rate is None else Sent(volume, volume / rate + collectives * LATENCY_S)


def _data(
    work: DecoderTraining, hardware: Hardware, parallelism: Parallelism, replication: Replication
) -> Sent | None:
    """``(D - 1) / D`` of what each parameter takes; an expert's are shared by fewer copies."""
    copies = parallelism.data * parallelism.context
    if copies == 1:
        return Sent()
    experts, rest = _parameters_of_a_device(work, parallelism)
    each = replication.bytes_per_parameter(
        parallelism.micro_batches(work.budget), BYTES_PER_ELEMENT[work.dtype]
    )
    of_experts = copies // parallelism.expert
    volume = each * (rest * (copies - 1) / copies + experts * (of_experts - 1) / of_experts)
    return _sent(volume, 2, rate_among(hardware, copies, parallelism.tensor))


def _parameters_of_a_device(work: DecoderTraining, parallelism: Parallelism) -> tuple[float, float]:
    """Of the stage that has the most: experts, and everything else."""
    divided = parallelism.tensor * parallelism.pipeline
    experts = work.architecture.expert_parameters
    rest = (layer_parameters(work) - experts) / divided
    outside = work.architecture.embeddings if parallelism.pipeline == 1 else 1
    rest += outside * embedding_parameters(work) / parallelism.tensor
    return experts / divided / parallelism.expert, rest


def _tensor(work: DecoderTraining, hardware: Hardware, parallelism: Parallelism) -> Sent | None:
    """Four all-reduces of a layer's width per token and layer, two forward and two backward, or as many pairs
    of gathering and scattering; the forward ones once more where layers are computed again."""
    shared = parallelism.tensor
    if shared == 1:
        return Sent()
    passes = parallelism.micro_batches(work.budget) * work.architecture.shape.layers / parallelism.pipeline
    collectives = passes * 8 * (1.5 if parallelism.recomputes else 1)
    volume = collectives * (shared - 1) / shared * _activations(work, parallelism)
    return _sent(volume, collectives, rate_among(hardware, shared, 1))


def _pipeline(work: DecoderTraining, hardware: Hardware, parallelism: Parallelism) -> Sent | None:
    """Activations come and gradients go, at either boundary of a stage in the middle."""
    if parallelism.pipeline == 1:
        return Sent()
    passes = 4 * parallelism.micro_batches(work.budget)
    apart = parallelism.devices // parallelism.pipeline
    volume = passes * _activations(work, parallelism) / parallelism.tensor
    return _sent(volume, passes, rate_among(hardware, parallelism.pipeline, apart))


def _expert(work: DecoderTraining, hardware: Hardware, parallelism: Parallelism) -> Sent | None:
    """Each token to the experts that it goes to and back, forward and backward; what leaves the machine goes
    through the device's own adapter."""
    shared = parallelism.expert
    if shared == 1:
        return Sent()
    passes = (
        4 * parallelism.micro_batches(work.budget) * work.architecture.shape.layers / parallelism.pipeline
    )
    chosen = work.architecture.experts_per_token
    each = (
        chosen
        * _activations(work, parallelism)
        / (parallelism.tensor if parallelism.sequence_parallel else 1)
    )
    inside = min(shared, max(1, hardware.devices_of_a_node // (parallelism.tensor * parallelism.context)))
    volume = passes * each * (shared - 1) / shared
    if inside == shared:
        return _sent(volume, passes, _of_link(hardware.interconnect))
    return _sent(passes * each * (shared - inside) / shared, passes, _of_link(hardware.network))


def _context(work: DecoderTraining, hardware: Hardware, parallelism: Parallelism) -> Sent | None:
    """Keys and values round a ring, forward, and with their gradients backward (Liu et al. 2023, arXiv
    2310.01889)."""
    shared = parallelism.context
    if shared == 1:
        return Sent()
    tokens = parallelism.micro_batches(work.budget) * parallelism.tokens(work.budget)
    kept = work.architecture.kv_bytes_per_token(work.dtype) / parallelism.pipeline / parallelism.tensor
    collectives = 3 * (shared - 1) * work.architecture.shape.layers / parallelism.pipeline
    return _sent(
        3 * (shared - 1) * tokens * kept, collectives, rate_among(hardware, shared, parallelism.tensor)
    )


def _activations(work: DecoderTraining, parallelism: Parallelism) -> float:
    """Bytes of what a layer hands on of a micro-batch."""
    width = work.architecture.shape.hidden_size * BYTES_PER_ELEMENT[work.dtype]
    return parallelism.tokens(work.budget) * width
