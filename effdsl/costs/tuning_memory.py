"""Memory that fine-tuning needs on one device, part by part.

The scheme is the runtime's: what is trained is in float32 with two Adam states, what is frozen in the dtype
of the matrix products. Kept for the backward pass is what transformers' layers keep with attention by SDPA,
from the lowest layer on of which something is trained. Memory is largest when the forward pass has ended, or
when the optimizer steps. The allocator of a CPU keeps room beside the tensors, more of it where small ones
lie between large ones, as those of adapters do. Not counted: workspaces of single operations.
"""

from __future__ import annotations

import attrs

from effdsl.costs.memory import FLOAT32, SCHEMES, Scheme
from effdsl.language_model import LanguageModel
from effdsl.techniques.fine_tuning.adapter import Adapter
from effdsl.techniques.fine_tuning.method import Method
from effdsl.techniques.technique import BYTES_PER_ELEMENT
from effdsl.training import TrainingBudget
from effdsl.workload import MemoryEstimate

SLACK_OF_LAYERS, SLACK_OF_ADAPTERS = 0.3, 0.6
"""What glibc keeps beside the tensors, as a fraction of them: resident memory of fine-tunings of 3M
parameters stood 26% to 41% above the live tensors where whole layers are trained, 36% to 91% with adapters,
most in float32 (two cores of an AMD EPYC; live is what is resident with MALLOC_MMAP_THRESHOLD_=65536)."""
LOADED = 34_000_000
"""Bytes of what a task loads on a CPU beside its tensors, in the same runs: tokenizer, examples, text of both
domains, the model's own modules."""


def tuning_memory(
    method: Method,
    model: LanguageModel,
    budget: TrainingBudget,
    dtype: str,
    kind: str,
    devices: int = 1,
    recomputes: bool = False,
) -> MemoryEstimate:
    """Predicted memory of one of ``devices`` of a ``kind`` (``"cpu"`` or ``"gpu"``), in bytes.

    Args:
        method: resolved.
        recomputes: whether layers are computed again in the backward pass; their inputs alone are kept.
    """
    scheme = SCHEMES[kind]
    element = BYTES_PER_ELEMENT[dtype]
    sequences = min(budget.micro_batch_size, -(-budget.batch_size // devices))
    tokens = sequences * budget.context_length
    trained = method.trainable_parameters(model)
    weights = method.frozen_bytes(model, dtype) + trained * FLOAT32
    gradients = trained * FLOAT32
    optimizer = 2 * FLOAT32 * trained
    copies = trained * element if element != FLOAT32 else 0
    layer = tokens * kept_bytes_per_token(method, model, element)
    layers = method.layers_that_keep(model)
    inputs = layers * tokens * model.hidden_size * element
    kept = inputs + layer if recomputes else layers * layer
    forward = MemoryEstimate(
        weights=weights + copies,
        optimizer=optimizer,
        activations=round(kept),
        logits=_logits(model, tokens, element, scheme),
        kernels=_kernels(method, model, element, scheme),
    )
    step = attrs.evolve(forward, weights=weights, gradients=gradients, activations=0, logits=0)
    fullest = max(forward, step, key=lambda moment: moment.total)
    share = SLACK_OF_ADAPTERS if isinstance(method, Adapter) else SLACK_OF_LAYERS
    slack = share * (fullest.total - fullest.kernels) + LOADED if scheme.slack else 0
    return attrs.evolve(fullest, slack=round(slack))


def kept_bytes_per_token(method: Method, model: LanguageModel, element: int) -> float:
    """Bytes per token that one layer keeps for the backward pass, with ``element`` bytes in a product."""
    attention = model.heads * model.key_dim + model.kv_heads * (model.key_dim + model.value_dim)
    products = attention + _inside_feed_forward(model) + method.kept_beside(model)
    norms = 2 * model.hidden_size + 2 + model.heads  # what they read, their scales, the sums of attention
    if method.replaces_weights:
        norms += 2 * model.hidden_size  # a norm's own weight needs what it is multiplied with
    if element == FLOAT32:
        products += sum(_distinct_inputs(model).values())
    else:
        products += sum(linear.inputs for linear in model.linears)  # each casts its own copy
        products += 0 if method.replaces_weights else model.heads * model.value_dim
    return norms * FLOAT32 + products * element


def _distinct_inputs(model: LanguageModel) -> dict[tuple[str, ...], int]:
    """Sizes of the tensors that linears read, by what they come from."""
    return {linear.reads: linear.inputs for linear in model.linears}


def _inside_feed_forward(model: LanguageModel) -> int:
    """Elements per token between the feed-forward's matrices: the factors of a gated one and what its gate
    makes, or what goes into a plain activation function."""
    last = model.linears[-1]
    into = sum(model.linear(name).outputs for name in last.reads)
    return into + last.inputs if into > last.inputs else into


def _logits(model: LanguageModel, tokens: int, element: int, scheme: Scheme) -> int:
    at_once = min(tokens * model.vocab_size, scheme.logits_at_once)
    return at_once * (2 * FLOAT32 + (element if element != FLOAT32 else 0))


def _kernels(method: Method, model: LanguageModel, element: int, scheme: Scheme) -> int:
    """Code that is compiled for each matrix product that differs in shape, forward and backward."""
    if element == FLOAT32:
        return 0
    shapes = {(linear.inputs, linear.outputs) for linear in model.linears} | method.products_beside(model)
    return 3 * (len(shapes) + 1) * scheme.compiled_product
