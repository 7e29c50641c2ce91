"""The paper's shapes, and the rule for every other size."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from effdsl.declare import Invalid
from effdsl.shapes import reference_parameters, shape_for
from effdsl.units import B, Count, M

# parameters, layers, hidden size, heads, intermediate size: the paper's table of hyper-parameters
PAPER = """0.5,24,896,14,4864
1.5,28,1536,12,8960
3,36,2048,16,11008"""
SCALES = st.floats(6, 11).map(lambda exponent: Count(round(10**exponent)))


@pytest.mark.parametrize("row", list(csv.reader(io.StringIO(PAPER))), ids=lambda row: row[0])
def test_the_papers_sizes_have_the_papers_shapes(row):
    billions, *expected = map(float, row)
    shape = shape_for(billions * B, 151_936)
    assert [shape.layers, shape.hidden_size, shape.heads, shape.intermediate_size] == expected
    assert shape.head_dim * shape.heads == shape.hidden_size


@given(SCALES)
def test_every_size_from_a_million_comes_within_16_percent_of_its_name(scale):
    assert reference_parameters(shape_for(scale, 2048)) == pytest.approx(scale.value, rel=0.16)


@given(SCALES, st.floats(1.3, 100))
def test_a_clearly_larger_scale_is_a_larger_model(scale, factor):
    larger = Count(round(scale.value * factor))
    assert reference_parameters(shape_for(larger, 2048)) > reference_parameters(shape_for(scale, 2048))


@given(SCALES, st.sampled_from([256, 2048, 32_000]))
def test_heads_make_the_width_and_share_four_two_or_one_key_value_heads(scale, vocab_size):
    try:
        shape = shape_for(scale, vocab_size)
    except Invalid:
        return
    if scale.value not in (5 * 10**8,):  # Qwen2.5's 0.5B has 14 heads
        assert shape.heads % 4 == 0
    assert shape.heads * shape.head_dim == shape.hidden_size
    assert shape.head_dim == (32 if shape.hidden_size < 512 else 64 if shape.hidden_size < 1536 else 128)
    assert shape.intermediate_size % 32 == 0
    assert shape.vocab_size == vocab_size


def test_three_million_is_four_layers_of_eight_heads():
    shape = shape_for(3 * M, 2048)
    assert (shape.layers, shape.hidden_size, shape.heads, shape.head_dim) == (4, 256, 8, 32)


@pytest.mark.parametrize(
    ("scale", "vocab_size", "nearest"),
    [
        (Count(300_000), 2048, "447K"),
        (3 * M, 151_936, "19.6M"),
        (30 * M, 151_936, "20.9M, 40.3M"),
    ],
    ids=str,
)
def test_a_size_without_a_shape_is_refused_with_the_nearest_that_have_one(scale, vocab_size, nearest):
    with pytest.raises(Invalid, match=f"no shape of {scale}") as refused:
        shape_for(scale, vocab_size)
    assert f"nearest: {nearest};" in refused.value.hint


def test_the_sizes_named_by_a_refusal_are_accepted():
    assert reference_parameters(shape_for(20.9 * M, 151_936)) == pytest.approx(20.9e6, rel=0.05)
    assert reference_parameters(shape_for(40.3 * M, 151_936)) == pytest.approx(40.3e6, rel=0.05)
