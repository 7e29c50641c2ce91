"""A step of our fine-tuning loop against trl's SFTTrainer and against a plain loop around peft's model.

The same weights, method, examples, optimizer and clipping. Steps of the three alternate in one process on one
thread, and so does their order, so that whatever else the machine does meets all alike. Compared is CPU time,
by the median of the ratios within the rounds.
"""

import copy
import statistics
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from datasets import Dataset
from effdsl_runtime.data.example_batches import padded
from effdsl_runtime.data.model_tokenizer import Example
from effdsl_runtime.device import DTYPES, autocast
from effdsl_runtime.tuning.methods import applied, keep_frozen_in
from effdsl_runtime.tuning.tuner import Tuner
from reporting import Result, report
from tokenizers import Tokenizer
from tokenizers.models import BPE
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM
from trl import SFTConfig, SFTTrainer

from effdsl.language_model import language_model
from effdsl.techniques.fine_tuning import Full, LoRA
from effdsl.techniques.fine_tuning.method import Method
from effdsl.training import TrainingRecipe

ROUNDS, WARM_UP = 15, 3
BATCH, CONTEXT, PROMPT, VOCABULARY = 8, 256, 64, 2048
CPU = torch.device("cpu")
Step = Callable[[int], None]
CONFIG = Qwen2Config(
    vocab_size=VOCABULARY,
    hidden_size=256,
    num_hidden_layers=4,
    num_attention_heads=8,
    num_key_value_heads=2,
    intermediate_size=672,
    tie_word_embeddings=True,
    use_cache=False,
    attn_implementation="sdpa",
)


def examples(count: int) -> list[Example]:
    """Ragged examples whose prompts are not predicted."""
    draws = torch.Generator().manual_seed(0)
    made = []
    for _ in range(count):
        length = int(torch.randint(CONTEXT // 2, CONTEXT + 1, (), generator=draws))
        tokens = torch.randint(3, VOCABULARY, (length,), generator=draws).tolist()
        made.append(Example(tokens, [i >= PROMPT for i in range(length)]))
    return made


def put_in(method: Method, model: Qwen2ForCausalLM, recipe: TrainingRecipe) -> Any:
    """The model with the method in it, as all three train it: frozen weights in the dtype of the products."""
    shape = language_model(CONFIG.to_dict())
    tuned = applied(method.resolve(shape), model, shape, 1000)
    keep_frozen_in(DTYPES[recipe.dtype], tuned)
    return tuned


def ours(method: Method, model: Qwen2ForCausalLM, recipe: TrainingRecipe, batch: Sequence[Example]) -> Step:
    shape = language_model(CONFIG.to_dict())
    tuned = put_in(method, model, recipe).train()
    tuner = Tuner(method.resolve(shape), tuned, recipe, 1000, BATCH, CPU)
    return lambda step: tuner.step(step, batch)


def plain(method: Method, model: Qwen2ForCausalLM, recipe: TrainingRecipe, batch: Sequence[Example]) -> Step:
    """As peft's examples train: the model's own loss."""
    tuned = put_in(method, model, recipe).train()
    trained = [p for p in tuned.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-4, weight_decay=0.0, fused=True)

    def step(_: int) -> None:
        input_ids_bt, labels_bt = padded(batch)
        with autocast(CPU, recipe.dtype):
            loss = tuned(input_ids=input_ids_bt, labels=labels_bt).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0, foreach=True)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return step


def sft_trainer(
    method: Method, model: Qwen2ForCausalLM, recipe: TrainingRecipe, batch: Sequence[Example], folder: Path
) -> Step:
    """trl's trainer on the same batch, step by step as its loop calls it."""
    tuned = put_in(method, model, recipe)
    rows = [
        {"input_ids": tokens, "labels": [t if p else -100 for t, p in zip(tokens, predicted, strict=True)]}
        for tokens, predicted in batch
    ]
    bf16 = recipe.dtype == "bfloat16"
    settings = SFTConfig(
        str(folder), use_cpu=True, bf16=bf16, gradient_checkpointing=False, report_to=[], max_length=CONTEXT,
        dataset_kwargs={"skip_prepare_dataset": True},
        per_device_train_batch_size=BATCH, optim="adamw_torch_fused", learning_rate=1e-4, max_steps=1000,
    )  # fmt: skip
    known = Tokenizer(BPE({f"t{i}": i for i in range(VOCABULARY)}, []))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=known, eos_token="t1", pad_token="t2")  # noqa: S106
    trainer = SFTTrainer(tuned, settings, train_dataset=Dataset.from_list(rows), processing_class=tokenizer)
    inputs = trainer.data_collator(rows)
    trainer.create_optimizer_and_scheduler(1000)
    predicted = torch.tensor(sum(sum(example.predicted) for example in batch))
    trained = [p for p in tuned.parameters() if p.requires_grad]
    tuned.train()

    def step(_: int) -> None:
        trainer.training_step(tuned, dict(inputs), predicted)
        torch.nn.utils.clip_grad_norm_(trained, 1.0, foreach=True)
        trainer.optimizer.step()
        trainer.lr_scheduler.step()
        trainer.optimizer.zero_grad(set_to_none=True)

    return step


def compare(method: Method, dtype: str, folder: Path) -> list[Result]:
    torch.manual_seed(0)
    model = Qwen2ForCausalLM(CONFIG)
    recipe, batch = TrainingRecipe(learning_rate=1e-4, weight_decay=0.0, dtype=dtype), examples(BATCH)
    contenders = [
        ours(method, copy.deepcopy(model), recipe, batch),
        plain(method, copy.deepcopy(model), recipe, batch),
        sft_trainer(method, copy.deepcopy(model), recipe, batch, folder),
    ]
    seconds = alternating(contenders)
    mine = statistics.median(seconds[0])
    name = type(method).__name__
    results = []
    for what, theirs in (("a loop around peft", seconds[1]), ("trl's SFTTrainer", seconds[2])):
        ratio = statistics.median(b / a for a, b in zip(seconds[0], theirs, strict=True))
        note = (
            f"3,247,872 parameters, batch {BATCH}, {mine:.3f} against {statistics.median(theirs):.3f} CPU s"
        )
        what = f"speed of our {name} step over {what}, {dtype}"
        results.append(Result(what, ratio, "×", at_least=1.0, note=note))
    return results


def alternating(steps: Sequence[Step]) -> list[list[float]]:
    """CPU seconds of each of ``steps`` in every round; the order within a round turns on."""
    seconds: list[list[float]] = [[] for _ in steps]
    for turn in range(WARM_UP + ROUNDS):
        for i in range(len(steps)):
            which = (turn + i) % len(steps)
            before = time.process_time()
            steps[which](turn)
            if turn >= WARM_UP:
                seconds[which].append(time.process_time() - before)
    return seconds


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    with TemporaryDirectory() as made:
        report(
            "fine_tuning_step",
            [
                result
                for dtype in ("float32", "bfloat16")
                for method in (LoRA(), Full())
                for result in compare(method, dtype, Path(made))
            ],
        )
