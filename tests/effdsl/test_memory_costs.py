"""Predicted training memory."""

import attrs
import pytest

from effdsl.architecture import Decoder
from effdsl.costs import decoder_training_memory
from effdsl.shapes import shape_for
from effdsl.techniques.attention import GQA, MHA
from effdsl.techniques.position import RoPE
from effdsl.units import B, M

SMALL = Decoder(shape_for(3 * M, 2048), GQA(), RoPE())


def test_weights_gradients_and_adam_take_sixteen_bytes_a_parameter_in_float32():
    memory = decoder_training_memory(SMALL, 4, 256, "float32")
    assert memory.weights + memory.gradients + memory.optimizer == 16 * SMALL.parameters(256)


def test_autocast_adds_a_copy_of_the_weights_and_halves_the_activations_of_matrix_products():
    single = decoder_training_memory(SMALL, 4, 256, "float32")
    mixed = decoder_training_memory(SMALL, 4, 256, "bfloat16")
    assert mixed.weights - single.weights == 2 * SMALL.parameters(256)
    assert 0.5 < mixed.activations / single.activations < 0.75


@pytest.mark.parametrize("part", ["activations", "logits"])
def test_activations_and_logits_grow_with_the_sequences_and_the_rest_does_not(part):
    one, eight = (decoder_training_memory(SMALL, n, 256, "bfloat16") for n in (1, 8))
    assert getattr(eight, part) == pytest.approx(8 * getattr(one, part), abs=8)
    assert attrs.evolve(one, activations=0, logits=0) == attrs.evolve(eight, activations=0, logits=0)


def test_the_total_is_the_sum_of_the_parts_it_explains():
    memory = decoder_training_memory(SMALL, 4, 256, "bfloat16")
    assert memory.total == sum(memory.parts().values())
    assert list(memory.parts()) == ["weights", "gradients", "optimizer", "activations", "logits"]
    assert str(memory).startswith(f"{memory.total / 1e9:.3g} GB (weights ")


def test_three_billion_parameters_do_not_fit_24_gb_and_fit_80_gb():
    shape = shape_for(3 * B, 151_936)
    total = decoder_training_memory(Decoder(shape, MHA().resolve(shape), RoPE()), 1, 2048, "bfloat16").total
    assert 24e9 < total < 80e9
