"""Formats of weights as declared: the bytes of a matrix, counted by hand, in memory and in a file."""

from __future__ import annotations

import pytest

from effdsl.language_model import Linear, language_model
from effdsl.techniques.precision import AWQ, BF16, FP8, FP32, GPTQ, INT2, INT3, INT4, INT8, NF4, W8A8
from effdsl.techniques.precision.weight_format import WeightFormat
from effdsl.techniques.technique import Unsupported

WIDE = Linear("wide", inputs=96, outputs=10, bias=True)
IN_MEMORY: dict[WeightFormat, int] = {
    FP32(): 960 * 4,
    BF16(): 960 * 2,
    FP8(): 960 + 10 * 4,
    INT8(): 960 + 10 * 2,
    W8A8(): 960 + 10 * 4,
    INT4(): 480 + 10 * 3 * 2 * 2,
    INT4(48, True): 480 + 10 * 2 * 2 * 2,
    INT3(): 360 + 10 * 3 * 2 * 2,
    INT2(): 240 + 10 * 3 * 2 * 2,
    GPTQ(3): 360 + 10 * 3 * 2 * 2,
    AWQ(): 480 + 10 * 3 * 2 * 2 + 96 * 2,
    NF4(): 480 + 15 * 4,
    NF4(128): 480 + 8 * 4,
    NF4(double_quantization=True): 480 + 15 + 4 + 4,
}
"""With scales in bfloat16 but for those that are float32 always; 960 weights, of which 96 in a row."""
IN_FILE: dict[WeightFormat, int] = {
    BF16(): 960 * 2,
    FP8(): 960 + 10 * 4,
    W8A8(): 960 + 10 * 4,
    INT8(): 960 + 10 * 2 + 16,
    INT4(symmetric=True): 480 + 10 * 3 * 2 + 16,
    INT4(): 480 + 10 * 3 * 2 + 16 + 3 * 2 * 4,
    GPTQ(): 480 + 10 * 3 * 2 + 16 + 3 * 2 * 4,
}
"""The shape as two numbers of 8 bytes, and ten zero points of a column of groups in two words of 4."""


@pytest.mark.parametrize("weight_format", IN_MEMORY, ids=repr)
def test_bytes_in_memory_are_those_counted_by_hand(weight_format: WeightFormat) -> None:
    """Of the matrix alone; its bias is another matter."""
    dtype = "float32" if weight_format == FP32() else "bfloat16"
    assert weight_format.matrix_bytes(WIDE, dtype) == IN_MEMORY[weight_format]


@pytest.mark.parametrize("weight_format", IN_FILE, ids=repr)
def test_bytes_in_a_file_are_those_counted_by_hand(weight_format: WeightFormat) -> None:
    """As compressed-tensors lays them out."""
    assert weight_format.matrix_file_bytes(WIDE, "bfloat16") == IN_FILE[weight_format]


@pytest.mark.parametrize("bits", [2, 3, 4])
@pytest.mark.parametrize("inputs", [20, 36, 96])
def test_rows_that_fill_no_whole_bytes_are_filled_up(bits: int, inputs: int) -> None:
    """With as many integers as fill whole bytes together: 8 of three bits, 4 of two, 2 of four."""
    kind = {2: INT2, 3: INT3, 4: INT4}[bits]
    together = {2: 4, 3: 8, 4: 2}[bits]
    filled = (inputs + together - 1) // together * together
    scales = 5 * 2 * 2
    assert kind(inputs).matrix_bytes(Linear("row", inputs, 5), "bfloat16") == 5 * filled * bits // 8 + scales


@pytest.mark.parametrize("weight_format", [NF4(), INT3(), INT2(), AWQ(), GPTQ(2)], ids=repr)
def test_what_no_engine_reads_has_no_bytes_in_a_file(weight_format: WeightFormat) -> None:
    """The refusal names the format, and what can be written."""
    with pytest.raises(Unsupported, match=type(weight_format).__name__) as refused:
        weight_format.matrix_file_bytes(WIDE, "bfloat16")
    assert "INT4" in refused.value.hint


@pytest.mark.parametrize(
    "weight_format", [INT4(48), INT3(48), GPTQ(group_size=48), AWQ(group_size=48)], ids=repr
)
def test_groups_that_do_not_divide_a_matrix_are_refused(weight_format: WeightFormat) -> None:
    """With the sizes that do; 64 inputs are no groups of 48."""
    llama = {"model_type": "llama", "num_hidden_layers": 2, "hidden_size": 64, "num_attention_heads": 4}
    model = language_model(llama | {"intermediate_size": 96, "vocab_size": 67})
    assert model is not None
    with pytest.raises(Unsupported, match="group_size=48 does not divide the 64 inputs") as refused:
        weight_format.check(model)
    assert refused.value.hint == "allowed: 16, 32"
