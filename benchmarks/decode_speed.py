"""How fast one sequence is continued on a CPU: effdsl beside llama.cpp, onnxruntime-genai and vLLM.

The same weights, SmolLM2-135M, in bfloat16 and in 4-bit integers in groups of 32; one thread each. The
package holds those integers, which llama.cpp reads as they are; all others start from what they stand for in
bfloat16, and find them again. Of the layer that is embedding and output in one everybody makes what is usual
for him: ours and vLLM's stays in bfloat16, llama.cpp's and onnxruntime's has fewer bits. Every
decoder is a process in a Python that suits it and stays loaded; they take turns, in an order that turns on
from round to round, and compared is the CPU time of a token, by the median of the ratios within the rounds.

    make decoders                               # their Pythons and the weights: llama.cpp is compiled
    .venv/bin/python benchmarks/decode_speed.py
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from effdsl_runtime.environments.places import python_of, variables_with_source
from effdsl_runtime.quantizing import quantize
from effdsl_runtime.quantizing.compressed import write_compressed
from reporting import Result, report
from smollm import FILE, FOLDER, packaged, write
from transformers import AutoModelForCausalLM

from effdsl.techniques.precision import INT4

HERE = Path(__file__).parent
OTHERS = HERE.parent / ".venv-decoders" / "bin" / "python"
WEIGHTS = HERE.parent / "models" / "decoders"
PROMPT_TOKENS, NEW_TOKENS = 128, 32
ROUNDS, WARM_UP = 9, 1
Said = dict[str, Any]


class Contender:
    """A decoder that has its weights and waits for prompts."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._answer()

    def go_on(self, prompt: list[int]) -> Said:
        """What continuing ``prompt`` took, and its tokens."""
        assert self._process.stdin is not None
        print(json.dumps([NEW_TOKENS, prompt]), file=self._process.stdin, flush=True)
        said: Said = json.loads(self._answer())
        return said

    def _answer(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"{self._process.args} ended with {self._process.wait()}")
        return line


@contextmanager
def contender(python: Path, script: str, *arguments: str) -> Iterator[Contender]:
    with TemporaryDirectory() as folder:
        variables = variables_with_source(Path(folder))
        variables |= {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
        command = [str(python), str(HERE / "decoders" / f"{script}.py"), *arguments]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8", env=variables
        ) as process:
            yield Contender(process)
            process.communicate()


def prompts(folder: str) -> list[list[int]]:
    """Pieces of Python's help, one for each round."""
    from pydoc_data.topics import topics

    from transformers import AutoTokenizer

    tokens = AutoTokenizer.from_pretrained(folder)("\n".join(topics.values())).input_ids
    rounds = range(WARM_UP + ROUNDS)
    return [tokens[n * PROMPT_TOKENS : (n + 1) * PROMPT_TOKENS] for n in rounds]


def measured(decoders: Mapping[str, Contender], asked: list[list[int]]) -> dict[str, list[Said]]:
    """What each said in every round that counts."""
    found: dict[str, list[Said]] = {name: [] for name in decoders}
    names = list(decoders)
    for turn, prompt in enumerate(asked):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            said = decoders[name].go_on(prompt)
            if turn >= WARM_UP:
                found[name].append(said)
    return found


def compared(what: str, found: Mapping[str, list[Said]]) -> Iterator[Result]:
    """Ours, the first, over each of the others."""
    first, *others = found
    for name in others:
        ratio = statistics.median(
            b["decode_cpu_s"] / a["decode_cpu_s"] for a, b in zip(found[first], found[name], strict=True)
        )
        alike = statistics.mean(
            x == y
            for a, b in zip(found[first], found[name], strict=True)
            for x, y in zip(a["tokens"], b["tokens"], strict=True)
        )
        rates = [
            1 / statistics.median(said["decode_cpu_s"] for said in found[each]) for each in (first, name)
        ]
        note = (
            f"{rates[0]:.0f} against {rates[1]:.0f} tokens per CPU s; {alike:.0%} of the tokens are the same"
        )
        yield Result(f"speed of our decoding in {what} over {name}", ratio, "×", note=note)


def compressed(folder: Path) -> Path:
    """The model in ``folder`` as INT4, as compressed-tensors lays it out, for vLLM; made once."""
    made, making = WEIGHTS / "int4", WEIGHTS / "making-int4"
    if not made.exists():
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16).eval()
        quantize(model, INT4(), torch.bfloat16)
        write_compressed(model, INT4(), making)
        making.rename(made)
    return made


def weights() -> dict[str, str]:
    """Where what each decoder reads is."""
    WEIGHTS.mkdir(parents=True, exist_ok=True)
    write(FOLDER)
    integers = packaged() / FILE
    script = HERE / "decoders" / "weights.py"
    told = subprocess.run(
        [OTHERS, script, WEIGHTS, FOLDER, integers], stdout=subprocess.PIPE, check=True, encoding="utf-8"
    )
    made: dict[str, str] = json.loads(told.stdout)
    return {"bf16": str(FOLDER), "gguf_int4": str(integers), "int4": str(compressed(FOLDER)), **made}


def main() -> None:
    if not OTHERS.exists():
        raise SystemExit("nothing to compare with yet: make decoders")
    at = weights()
    ours, vllm = Path(sys.executable), python_of("vllm")
    asked = prompts(at["bf16"])
    results: list[Result] = []
    for what, contenders in {
        "bfloat16": {
            "ours": (ours, "ours", at["bf16"], "BF16"),
            "llama.cpp": (OTHERS, "by_llama_cpp", at["gguf_bf16"]),
            "vLLM": (vllm, "by_vllm", at["bf16"]),
            "onnxruntime-genai, in float32": (OTHERS, "by_onnxruntime", at["onnx_fp32"]),
        },
        "INT4": {
            "ours": (ours, "ours", at["bf16"], "INT4"),
            "llama.cpp": (OTHERS, "by_llama_cpp", at["gguf_int4"]),
            "vLLM": (vllm, "by_vllm", at["int4"]),
            "onnxruntime-genai": (OTHERS, "by_onnxruntime", at["onnx_int4"]),
        },
    }.items():
        with ExitStack() as stack:
            decoders = {name: stack.enter_context(contender(*how)) for name, how in contenders.items()}
            results += compared(what, measured(decoders, asked))
    report("decode_speed", results)


if __name__ == "__main__":
    main()
