"""What the vLLM engine makes of what a server gives: by a server that stands in for vLLM, in no hurry."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import pytest
from effdsl_runtime.data.model_tokenizer import Example
from effdsl_runtime.engines.vllm_engine import Service, check_loaded
from effdsl_runtime.engines.vllm_server import Loaded, NotAsAskedError, set_variables
from effdsl_runtime.generating.given import Given, GivenText, warm_ups
from effdsl_runtime.observation import Observation, Progress

from effdsl import BF16, FP32, GQA, INT4, VLLM, Attention, Budget, Load, M, Precision, Study, Trained
from effdsl.hardware import Hardware
from effdsl.planner import make_plan
from effdsl.stages.generation import ROUNDS, Inference
from effdsl.task import Task

LAPTOP = Hardware(name="a laptop", kind="cpu", bf16=True)
BLOCK = 4096


@attrs.define
class StandIn:
    """Gives every request a token a step, and every predicted token half a nat."""

    loaded: Loaded | None = attrs.field(factory=lambda: Loaded({"embedding": "float32"}, 12_000, ()))
    pool_bytes: int = 10 * BLOCK
    kv_bytes_per_token: float = 32.0
    used_bytes: float = 0.0
    first_tokens: list[int] = attrs.field(factory=list)
    prompts: list[Sequence[int]] = attrs.field(factory=list)
    have: dict[int, int] = attrs.field(factory=dict)
    new_tokens: int = 0

    def start(self, new_tokens: int) -> None:
        self.new_tokens, self.have = new_tokens, {}

    def add(self, name: int, prompt: Sequence[int]) -> None:
        self.prompts.append(prompt)
        self.have[name] = 0
        self.used_bytes = len(self.have) * BLOCK

    def step(self) -> Mapping[int, int]:
        running = {name: tokens + 1 for name, tokens in self.have.items() if tokens < self.new_tokens}
        self.have |= running
        return running

    def summed_losses(self, examples: Sequence[Example]) -> Iterator[float]:
        return (0.5 * sum(example.predicted) for example in examples)


def task_of(format: Any = FP32, **load: Any) -> Task:
    base = Study(Attention([GQA]), [3 * M], budget=Budget(steps=10), repeats=1, name="base")
    study = Study(Precision([format]), models=Trained(base), repeats=1, engine=VLLM(), load=Load(**load))
    (cell,) = make_plan(study, LAPTOP).cells
    assert cell.cell is not None
    return Task(cell.cell, 0)


def observed(task: Task, prompts: int, server: StandIn) -> Observation:
    work = task.workload
    assert isinstance(work, Inference)
    text = GivenText(
        "perplexity", [Example([1, 2, 3], [False, True, True]), Example([4, 5], [False, True])], 6
    )
    given = Given("model", "no tokenizer", 1000, [[n, n + 1] for n in range(prompts)], [text])
    said: list[Progress] = []
    return Service(task, work, given, server, said.append).observe(threads=3)  # type: ignore[arg-type]


def test_batches_warm_up_once_a_size_and_metrics_are_of_the_first_size() -> None:
    """Every prompt is used once; a batch that is measured is an iteration and a window."""
    task, server = task_of(prompt_tokens=2, new_tokens=3, batch_size=[2, 5]), StandIn()
    seen = observed(task, (ROUNDS + 1) * 7, server)
    assert sorted(map(tuple, server.prompts)) == [(n, n + 1) for n in range((ROUNDS + 1) * 7)]
    assert len(seen.iterations) == len(seen.windows) == ROUNDS
    small, large = seen.tables["loads"]
    assert (small["batch_size"], large["batch_size"]) == (2, 5)
    assert seen.values["it_tokens_per_s"] == small["it_tokens_per_s"]
    assert seen.values["batched_tokens_per_s"] == large["it_tokens_per_s"]
    seconds = math.fsum(iteration.seconds for iteration in seen.iterations)
    assert small["it_tokens_per_s"] == pytest.approx(ROUNDS * 2 * 3 / seconds)
    assert large["kv_cache_used_gb"] == pytest.approx(5 * BLOCK / 1e9)


def test_requests_warm_up_together_and_each_that_follows_is_an_iteration() -> None:
    """Of the whole stretch from the first arrival to the last token."""
    task, server = task_of(prompt_tokens=2, new_tokens=3, requests=6, concurrency=2), StandIn()
    warm = warm_ups(task.workload.load)  # type: ignore[attr-defined]
    seen = observed(task, warm + 6, server)
    assert len(server.prompts) == warm + 6
    assert (len(seen.iterations), len(seen.windows), len(seen.tables["requests"])) == (6, 1, 6)
    start, end = seen.windows[0]
    assert seen.values["time_to_finish_s"] == pytest.approx((end - start) * 1e-9)
    assert seen.values["it_tokens_per_s"] == pytest.approx(18 / ((end - start) * 1e-9))
    assert all(row["new_tokens"] == 3 for row in seen.tables["requests"])


def test_perplexity_is_of_the_predicted_tokens_and_its_items_are_the_examples() -> None:
    """Half a nat each; six bytes of text for three tokens."""
    seen = observed(task_of(prompt_tokens=2, new_tokens=3), ROUNDS + 1, StandIn())
    assert seen.values["held_out_loss"] == pytest.approx(0.5)
    assert seen.values["ppl"] == pytest.approx(math.exp(0.5))
    assert seen.values["bits_per_byte"] == pytest.approx(1.5 / math.log(2) / 6)
    assert [tuple(item) for item in seen.items["perplexity"]] == [(0, 1.0, 2), (1, 0.5, 1)]


def test_memory_is_weights_and_the_part_of_the_pool_that_was_used_and_the_pool() -> None:
    """Preallocated memory says nothing of what is needed."""
    seen = observed(task_of(prompt_tokens=2, new_tokens=3), ROUNDS + 1, StandIn())
    assert seen.values["weight_bytes"] == 12_000
    assert seen.values["kv_cache_used_gb"] == pytest.approx(BLOCK / 1e9)
    assert seen.values["kv_cache_reserved_gb"] == pytest.approx(10 * BLOCK / 1e9)
    assert seen.values["kv_bytes_per_token"] == 32


def test_weights_that_several_processes_loaded_are_said_not_to_be_known() -> None:
    """Rather than counted as none."""
    seen = observed(task_of(prompt_tokens=2, new_tokens=3), ROUNDS + 1, StandIn(loaded=None))
    assert "weight_bytes" not in seen.values
    assert seen.flags == ("weights not looked at: several processes loaded them",)


@pytest.mark.parametrize(
    ("format", "loaded", "reason"),
    [
        (
            BF16,
            Loaded({"a": "bfloat16", "b": "float32"}, 1, ()),
            "has loaded b in float32, and not in bfloat16",
        ),
        (
            INT4,
            Loaded({"a": "int32"}, 1, ("layers.0.up", "layers.0.down")),
            "2 linears as they are, e.g. layers.0.up",
        ),
    ],
)
def test_what_was_loaded_in_another_format_is_a_failure(format: Any, loaded: Loaded, reason: str) -> None:
    """vLLM leaves layers as they are without a word."""
    work = task_of(format).workload
    assert isinstance(work, Inference)
    with pytest.raises(NotAsAskedError, match=reason):
        check_loaded(loaded, work)


@pytest.mark.parametrize(
    ("format", "loaded"),
    [
        (BF16, Loaded({"a": "bfloat16"}, 1, ("layers.0.up",))),
        (INT4, Loaded({"a": "int32", "b": "bfloat16"}, 1, ())),
    ],
)
def test_what_was_loaded_as_it_was_asked_for_is_none(format: Any, loaded: Loaded) -> None:
    """Norms and embeddings stay in the dtype of the products."""
    work = task_of(format).workload
    assert isinstance(work, Inference)
    check_loaded(loaded, work)


def test_vllm_starts_alone_and_offline_in_this_process() -> None:
    """Whatever torchrun, or a shell, has left in the environment."""
    environment = {
        "RANK": "3",
        "WORLD_SIZE": "8",
        "MASTER_ADDR": "far",
        "OMP_NUM_THREADS": "1",
        "HOME": "here",
    }
    set_variables(environment, threads=4)
    assert environment["VLLM_ENABLE_V1_MULTIPROCESSING"] == "0"
    assert environment["OMP_NUM_THREADS"] == "4"
    assert environment["HOME"] == "here"
    assert not {"RANK", "WORLD_SIZE", "MASTER_ADDR"} & set(environment)


def test_what_is_handed_over_comes_back_as_it_was(tmp_path: Path) -> None:
    """Through the file in the folder of the task."""
    from effdsl_registry.checkpoints import Checkpoints
    from effdsl_registry.layout import Layout
    from effdsl_runtime.generating.given import given

    from effdsl.key import canonical_json, key_of

    task = task_of()
    text = GivenText("perplexity", [Example([1, 2], [False, True])], 3)
    mine = Given("m", "t", 7, [[1, 2, 3]], [text])
    folder = Layout(tmp_path).handover(key_of(canonical_json(task)))
    folder.mkdir(parents=True)
    mine.write(folder)
    assert given(task, Checkpoints(tmp_path / "artifacts")) == mine
