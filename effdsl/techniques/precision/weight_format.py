"""What every format of weights answers of a language model, without being built.

The matrices of the layers are stored in the format; embedding, output layer, norms and biases stay in the
dtype of the matrix products. Bytes are those of the tensors, as the runtime holds them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from effdsl.language_model import LanguageModel, Linear
from effdsl.techniques.precision.calibration import Calibration
from effdsl.techniques.technique import BYTES_PER_ELEMENT, Technique, Unsupported


class WeightFormat(Technique):
    """How weights are stored, and what multiplies them. A format leaves nothing open."""

    axis = "precision"
    packages: ClassVar[tuple[str, ...]] = ()
    """Modules that must be importable where weights are stored so."""
    bits: int
    """Of a stored weight, without scales: the nominal width."""

    @property
    def fitted_to(self) -> Calibration | None:
        """The text that is run through the model first; ``None`` where it is stored without a look at any."""
        return None

    def check(self, model: LanguageModel) -> None:
        """Refuse a model whose matrices cannot be stored so.

        Raises:
            Unsupported: saying which.
        """

    def label(self, shape: object = None) -> str:
        """The short name people read in tables: the class, plus what differs from its defaults."""
        return repr(self).removesuffix("()")

    def dtype(self, bf16: bool) -> str:
        """Of what is multiplied, and of all that is not stored in the format: bfloat16 where the hardware
        has it natively, else float32."""
        return "bfloat16" if bf16 else "float32"

    def matrix_bytes(self, linear: Linear, dtype: str) -> int:
        """Bytes of the matrix of ``linear`` with scales and zero points, in memory."""
        raise NotImplementedError

    def matrix_file_bytes(self, linear: Linear, dtype: str) -> int:
        """Bytes of the same in a checkpoint that other engines read.

        Raises:
            Unsupported: where no engine reads such weights.
        """
        raise self.unwritten()

    def unwritten(self) -> Unsupported:
        """What is said where weights are to be written that no other engine reads."""
        return Unsupported(
            f"{self.label()} has no form in compressed-tensors that engines read",
            "BF16, FP16, FP32, FP8, INT8, W8A8, INT4 and GPTQ of 4 bits have one",
        )

    def weight_bytes(self, model: LanguageModel, dtype: str) -> int:
        """Bytes of all parameters in memory."""
        return _bytes(model, dtype, self.matrix_bytes)

    def file_bytes(self, model: LanguageModel, dtype: str) -> int:
        """Bytes of all parameters in a checkpoint that other engines read.

        Raises:
            Unsupported: where no engine reads such weights.
        """
        return _bytes(model, dtype, self.matrix_file_bytes)


def _bytes(model: LanguageModel, dtype: str, matrix_bytes: Callable[[Linear, str], int]) -> int:
    matrices = model.layers * sum(matrix_bytes(linear, dtype) for linear in model.linears)
    others = model.parameters - model.layers * sum(linear.weights for linear in model.linears)
    return matrices + others * BYTES_PER_ELEMENT[dtype]


def whole_groups(technique: str, group_size: int, model: LanguageModel) -> None:
    """Refuse a group size that does not divide the inputs of every matrix.

    Raises:
        Unsupported: with group sizes that do.
    """
    wrong = next((linear for linear in model.linears if linear.inputs % group_size), None)
    if wrong is None:
        return
    fitting = [size for size in (16, 32, 64, 128, 256) if not any(x.inputs % size for x in model.linears)]
    raise Unsupported(
        f"{technique}: group_size={group_size} does not divide the {wrong.inputs} inputs of {wrong.name}",
        f"allowed: {', '.join(map(str, fitting)) or 'a divisor of the inputs of every linear'}",
    )
