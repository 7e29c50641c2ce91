"""How long an optimizer step takes on several devices, before anything has run.

Four constants were fitted to published runs on H100 (``scaling_rows.csv``; docs/several_devices.md has the
error of each row): the rate of matrix products, that of attention, what passes element by element, and how
much of the communication is hidden behind the computing. Not modelled: what a step needs besides (launching
kernels, the optimizer, reading data), small matrices that leave a device idle, stages of a pipeline that
take unequally long, power limits below the vendor's, kernels of attention made for one kind of device.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from effdsl.costs.communication import Communication, Replication, communication
from effdsl.costs.divided import attention_flops_per_token, matrix_flops_per_token, output_flops_per_token

if TYPE_CHECKING:
    from effdsl.costs.divided import DecoderTraining
    from effdsl.hardware import Hardware
    from effdsl.parallelism import Parallelism

MATRICES_OF_PEAK = 0.60
"""What products with weights reach of the peak rate."""
ATTENTION_OF_PEAK = 0.15
"""What attention reaches of it, counting only the keys that a query may see."""
BYTES_PER_ELEMENT_OF_WIDTH = 300
"""What a layer reads and writes element by element (norms, residual sums, activation functions, rotations)
for each token and element of its width, forward and backward."""
BYTES_PER_LOGIT = 24
"""What the loss reads and writes for each token and word of the vocabulary."""
HIDDEN_BEHIND_COMPUTE = 0.8
"""The part of the computing behind which gradients and weights are sent."""
EXPOSED_OF_TENSOR, EXPOSED_OF_PIPELINE = 0.3, 0.2
"""The parts of these that are not hidden: Megatron-Core overlaps them."""
AGAIN = 4 / 3
"""Computing of a layer whose forward pass is made twice, of three passes' worth."""


@attrs.frozen
class StepTime:
    """Seconds of an optimizer step.

    Attributes:
        compute_s: of one device, busy all the time.
        bubble_s: that it waits for the other stages of its pipeline.
        exposed_s: of communication that nothing hides.
        communication: all that is sent.
    """

    compute_s: float
    bubble_s: float
    exposed_s: float
    communication: Communication

    @property
    def seconds(self) -> float:
        return self.compute_s + self.bubble_s + self.exposed_s


def step_time(
    work: DecoderTraining, hardware: Hardware, parallelism: Parallelism, replication: Replication
) -> StepTime | None:
    """Of ``work``, divided by ``parallelism``; ``None`` where a rate of ``hardware`` that is needed is not
    known."""
    per_token = seconds_per_token(work, hardware, recomputes=parallelism.recomputes)
    sent = communication(work, hardware, parallelism, replication)
    if per_token is None or sent is None:
        return None
    micro_batches = parallelism.micro_batches(work.budget)
    share = parallelism.tensor * parallelism.pipeline
    compute_s = micro_batches * parallelism.tokens(work.budget) * per_token / share
    hidden_s = HIDDEN_BEHIND_COMPUTE * compute_s
    return StepTime(
        compute_s=compute_s,
        bubble_s=compute_s * (parallelism.pipeline - 1) / micro_batches,
        exposed_s=(
            EXPOSED_OF_TENSOR * sent.tensor.seconds
            + EXPOSED_OF_PIPELINE * sent.pipeline.seconds
            + sent.expert.seconds
            + max(0.0, sent.data.seconds + sent.context.seconds - hidden_s)
        ),
        communication=sent,
    )


def seconds_per_token(work: DecoderTraining, hardware: Hardware, *, recomputes: bool = False) -> float | None:
    """Of one device that computes the whole model; ``None`` where its rates are not known."""
    peak, bandwidth = hardware.peak_flops.get(work.dtype), hardware.bandwidth
    if peak is None or bandwidth is None:
        return None
    shape = work.architecture.shape
    output = output_flops_per_token(work) / (MATRICES_OF_PEAK * peak)
    layers = (
        (matrix_flops_per_token(work) - output_flops_per_token(work)) / (MATRICES_OF_PEAK * peak)
        + attention_flops_per_token(work) / (ATTENTION_OF_PEAK * peak)
        + BYTES_PER_ELEMENT_OF_WIDTH * shape.layers * shape.hidden_size / bandwidth
    )
    return layers * (AGAIN if recomputes else 1) + output + BYTES_PER_LOGIT * shape.vocab_size / bandwidth
