"""Predicted training memory."""

import attrs
import pytest

from effdsl.costs import (
    decoder_training_memory,
    generation_memory,
)
from effdsl.costs.memory import ON_CPU, ON_GPU
from effdsl.shapes import shape_for
from effdsl.techniques.architecture import Decoder
from effdsl.techniques.attention import GQA, MHA
from effdsl.techniques.attention.moba import MoBA
from effdsl.techniques.attention.nsa import NSA
from effdsl.techniques.backbone import Parts
from effdsl.techniques.mamba import Mamba2
from effdsl.techniques.position import RoPE, T5Bias
from effdsl.units import B, M

SMALL = Decoder(shape_for(3 * M, 2048), GQA(), RoPE())
LARGE = Decoder(shape_for(3 * B, 151_936), GQA(), RoPE())


def test_weights_and_adam_take_twelve_bytes_a_parameter_in_float32():
    memory = decoder_training_memory(SMALL, 4, 256, "float32")
    assert memory.weights + memory.optimizer == 12 * SMALL.parameters(256)


def test_after_the_forward_pass_only_the_output_layer_has_a_gradient():
    memory = decoder_training_memory(SMALL, 4, 256, "float32")
    assert memory.gradients == 4 * SMALL.shape.vocab_size * SMALL.shape.hidden_size


def test_gradients_of_earlier_micro_batches_are_held_during_a_forward_pass():
    once = decoder_training_memory(SMALL, 4, 256, "float32")
    again = decoder_training_memory(SMALL, 4, 256, "float32", accumulates=True)
    assert again.gradients - once.gradients == 4 * SMALL.parameters(256)


def test_with_few_tokens_memory_is_largest_when_the_optimizer_steps():
    memory = decoder_training_memory(SMALL, 1, 8, "bfloat16")
    assert memory.total == 16 * SMALL.parameters(8)
    assert memory.activations == memory.logits == 0


def test_autocast_adds_a_copy_of_the_weights_and_halves_the_activations_of_matrix_products():
    single = decoder_training_memory(SMALL, 4, 256, "float32")
    mixed = decoder_training_memory(SMALL, 4, 256, "bfloat16")
    assert mixed.weights - single.weights == 2 * SMALL.parameters(256)
    assert 0.5 < mixed.activations / single.activations < 0.75


@pytest.mark.parametrize("part", ["activations", "logits"])
def test_activations_and_logits_grow_with_the_sequences_and_the_rest_does_not(part):
    one, eight = (decoder_training_memory(SMALL, n, 256, "bfloat16") for n in (4, 32))
    assert getattr(eight, part) == pytest.approx(8 * getattr(one, part), abs=8)
    assert attrs.evolve(one, activations=0, logits=0) == attrs.evolve(eight, activations=0, logits=0)


def test_on_a_cpu_autocast_keeps_what_attention_needs_in_float32_too():
    copied, plain = (
        decoder_training_memory(SMALL, 4, 256, "bfloat16", scheme=scheme)
        for scheme in (ON_CPU, attrs.evolve(ON_CPU, attends_in_float32=False))
    )
    kept = 2 * (8 + 2) * 32 * SMALL.shape.layers  # queries, output, keys and values, elements per token
    assert copied.activations - plain.activations == 4 * 256 * 4 * kept


@pytest.mark.parametrize(
    ("attention", "position", "rows"),
    [(NSA(), RoPE(), 2), (MoBA(), RoPE(), 8), (GQA(), T5Bias(), 8), (GQA(), RoPE(), 0)],
    ids=repr,
)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_only_on_a_cpu_a_float32_mask_is_kept_for_each_that_chooses_or_has_a_bias(
    attention, position, rows, dtype
):
    """``rows``: groups for NSA, query heads for MoBA and T5's bias; each has a number per query and key."""
    decoder = Decoder(SMALL.shape, attention.resolve(SMALL.shape), position)
    on_cpu, without, on_gpu = (
        decoder_training_memory(decoder, 4, 256, dtype, scheme=scheme).activations
        for scheme in (ON_CPU, attrs.evolve(ON_CPU, dense_masks=False), ON_GPU)
    )
    assert on_cpu - without == 4 * 4 * 256 * 256 * rows * SMALL.shape.layers
    assert on_gpu <= without


def test_the_code_of_bfloat16_products_is_kept_on_a_cpu_forward_and_for_either_gradient():
    products = 5  # q, k and v; attention's output; into and out of SwiGLU; the output layer
    kept = {
        (dtype, scheme): decoder_training_memory(SMALL, 4, 256, dtype, scheme=scheme).kernels
        for dtype in ("float32", "bfloat16")
        for scheme in (ON_CPU, ON_GPU)
    }
    assert kept.pop(("bfloat16", ON_CPU)) == 3 * products * ON_CPU.compiled_product
    assert set(kept.values()) == {0}


def test_a_chunk_bounds_the_logits_that_are_held():
    memory = decoder_training_memory(
        SMALL, 64, 256, "float32", scheme=attrs.evolve(ON_GPU, logits_at_once=1000)
    )
    assert memory.logits == 1000 * 8


def test_the_total_is_the_sum_of_the_parts_it_explains():
    memory = decoder_training_memory(SMALL, 4, 256, "bfloat16")
    assert memory.total == sum(memory.parts().values())
    assert list(memory.parts()) == ["weights", "gradients", "optimizer", "activations", "logits"]
    assert str(memory).startswith(f"{memory.total / 1e9:.3g} GB (weights ")


def test_generating_needs_the_weights_and_a_cache_per_sequence():
    memory = generation_memory(SMALL, 256, "bfloat16", sequences=3)
    per_token = 2 * 2 * 32 * 2 * SMALL.shape.layers  # keys and values of two heads of 32, two bytes each
    assert memory.parts() == {"weights": 2 * SMALL.parameters(256), "cache": 3 * 256 * per_token}


def test_a_cache_of_sparse_attention_holds_what_its_window_and_unfinished_blocks_need():
    attention = NSA(compress_block=8, compress_stride=4, select_block=16, select_count=3, window=12)
    model = Decoder(SMALL.shape, attention.resolve(SMALL.shape), RoPE())
    tokens = 75 + 17 + 12 + 7  # raw; (75 - 8) // 4 + 1 compressed; in the window; raw from 17 * 4 on
    per_token = 2 * model.attention.kv_heads * 32 * 2 * SMALL.shape.layers
    assert generation_memory(model, 75, "bfloat16", sequences=3).cache == 3 * tokens * per_token


@pytest.mark.parametrize("context_length", [16, 256])
def test_a_recurrent_state_is_as_large_at_every_context(context_length):
    shape = SMALL.shape
    model = Mamba2(state_size=16).assemble(shape, Parts())
    inner, layers = 2 * shape.hidden_size, model.shape.layers
    convolved = inner + 2 * 16  # the channels, B and C: three tokens of them in bfloat16; the scan in float32
    state = 3 * convolved * 2 + inner * 16 * 4
    assert generation_memory(model, context_length, "bfloat16").cache == layers * state


def test_on_a_cpu_scans_leave_twice_the_holes_between_their_tensors():
    for model, share in ((SMALL, 1 / 8), (Mamba2().assemble(SMALL.shape, Parts()), 1 / 4)):
        memory = decoder_training_memory(model, 4, 256, "bfloat16", scheme=ON_CPU)
        tensors = memory.total - memory.slack - memory.kernels
        assert memory.slack == pytest.approx(share * tensors, abs=1)
        assert decoder_training_memory(model, 4, 256, "bfloat16", scheme=ON_GPU).slack == 0


def test_three_billion_parameters_do_not_fit_24_gb_and_fit_80_gb():
    shape = shape_for(3 * B, 151_936)
    total = decoder_training_memory(Decoder(shape, MHA().resolve(shape), RoPE()), 1, 2048, "bfloat16").total
    assert 24e9 < total < 80e9


def test_shards_divide_what_a_copy_holds_of_every_parameter_but_what_is_gathered_and_cast():
    """On eight devices an eighth of weights and states; beside it in float32 two layers and the embedding,
    which FSDP2 has gathered, and autocast's copy of all. In steps of several micro-batches the gradients of
    all parameters, which meet at the last of them."""
    whole = LARGE.parameters(8192)
    layer = LARGE.non_embedding_parameters(8192) // 36
    embedding = LARGE.shape.vocab_size * LARGE.shape.hidden_size
    memory = decoder_training_memory(LARGE, 1, 8192, "bfloat16", shards=8)
    copied = decoder_training_memory(LARGE, 1, 8192, "bfloat16")
    assert memory.weights == whole // 2 + 4 * (embedding + 2 * layer) + 2 * whole
    assert memory.optimizer == copied.optimizer // 8
    assert memory.activations == copied.activations
    assert memory.gradients == copied.gradients
    later = decoder_training_memory(LARGE, 1, 8192, "bfloat16", shards=8, accumulates=True)
    assert later.gradients - memory.gradients == 4 * whole


def test_what_is_sharded_is_whole_once_when_it_is_measured():
    """With few tokens nothing else takes as much: the model in float32 beside its shards and their states."""
    memory = decoder_training_memory(LARGE, 1, 8, "float32", shards=64)
    assert memory.weights == 4 * LARGE.parameters(8) + 4 * LARGE.parameters(8) // 64
    assert memory.gradients == 0
