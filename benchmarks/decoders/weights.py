"""What llama.cpp and onnxruntime-genai read, made once by their own tools; prints where it is, as JSON.

python weights.py PLACE FOLDER GGUF         # of a model in bfloat16, and in 4-bit integers
"""

import json
import subprocess
import sys
from collections.abc import Callable
from ctypes import c_int
from pathlib import Path

THREADS = "intra_op_num_threads"


def gguf_in_bfloat16(place: Path, integers: Path) -> Path:
    """What llama.cpp makes of ``integers``."""
    import llama_cpp

    def make(made: Path) -> None:
        asked = llama_cpp.llama_model_quantize_default_params()
        asked.ftype, asked.allow_requantize, asked.nthread = c_int(llama_cpp.LLAMA_FTYPE_MOSTLY_BF16), True, 1
        wrong = llama_cpp.llama_model_quantize(str(integers).encode(), str(made).encode(), asked)
        if wrong:
            raise SystemExit(f"llama.cpp wrote no {made}: {wrong}")

    return once(place / "bf16.gguf", make)


def onnx(place: Path, folder: Path, precision: str) -> Path:
    """As onnxruntime-genai's own builder makes it for a CPU, to run on one thread."""

    def make(made: Path) -> None:
        command = [sys.executable, "-m", "onnxruntime_genai.models.builder", "-i", folder, "-o", made]
        subprocess.run([*command, "-p", precision, "-e", "cpu"], check=True, stdout=sys.stderr)
        said = json.loads((made / "genai_config.json").read_text("utf-8"))
        said["model"]["decoder"].setdefault("session_options", {})[THREADS] = 1
        (made / "genai_config.json").write_text(json.dumps(said), "utf-8")

    return once(place / f"onnx-{precision}", make)


def once(wanted: Path, make: Callable[[Path], None]) -> Path:
    """``wanted``, made under another name and then renamed unless it is there."""
    if not wanted.exists():
        making = wanted.with_name(f"making-{wanted.name}")
        make(making)
        making.rename(wanted)
    return wanted


if __name__ == "__main__":
    place, folder, integers = map(Path, sys.argv[1:])
    made = {
        "gguf_bf16": gguf_in_bfloat16(place, integers),
        "onnx_int4": onnx(place, folder, "int4"),
        "onnx_fp32": onnx(place, folder, "fp32"),
    }
    print(json.dumps({name: str(path) for name, path in made.items()}))
