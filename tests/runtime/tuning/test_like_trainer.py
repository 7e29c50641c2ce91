"""The loss curve of the tuner against that of transformers' own ``Trainer`` on the same batches."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import Any

import peft
import pytest
import torch
from effdsl_runtime.data.model_tokenizer import Example
from torch import Tensor
from torch.utils.data import Dataset
from transformers import Trainer, TrainingArguments

from effdsl.techniques.fine_tuning import Full, LoRA
from effdsl.training import learning_rate_at

from .conftest import RECIPE, assert_moved_alike, batches, built, copied, put, trained, tuner

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning"),
]
STEPS, SIZE = 6, 8


class Rows(Dataset[dict[str, list[int]]]):
    """Examples in order, with the labels that transformers expects."""

    def __init__(self, examples: list[Example]) -> None:
        self._examples = examples

    def __len__(self) -> int:
        return len(self._examples)

    def __getitem__(self, index: int) -> dict[str, list[int]]:
        tokens, predicted = self._examples[index]
        labels = [token if counts else -100 for token, counts in zip(tokens, predicted, strict=True)]
        return {"input_ids": tokens, "attention_mask": [1] * len(tokens), "labels": labels}


def losses_of_trainer(model: Any, micro: int, folder: Path) -> list[float]:
    """Of each step, with torch's AdamW and our schedule."""
    arguments = TrainingArguments(
        output_dir=str(folder),
        max_steps=STEPS,
        per_device_train_batch_size=micro,
        gradient_accumulation_steps=SIZE // micro,
        train_sampling_strategy="sequential",
        max_grad_norm=RECIPE.gradient_clip,
        logging_steps=1,
        save_strategy="no",
        report_to="none",
        use_cpu=True,
        disable_tqdm=True,
        dataloader_pin_memory=False,
        average_tokens_across_devices=False,
    )
    peak = learning_rate_at(0, 1, RECIPE)
    optimizer = torch.optim.AdamW(
        [parameter for parameter in model.parameters() if parameter.requires_grad],
        lr=peak,
        betas=(RECIPE.beta1, RECIPE.beta2),
        weight_decay=RECIPE.weight_decay,
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: learning_rate_at(min(step, STEPS - 1), STEPS, RECIPE) / peak
    )
    trainer = Trainer(
        model=model,
        args=arguments,
        train_dataset=Rows(list(chain(*batches(STEPS, SIZE)))),
        data_collator=collated,
        optimizers=(optimizer, schedule),
    )
    trainer.train()
    return [log["loss"] for log in trainer.state.log_history if "loss" in log]


def collated(rows: list[dict[str, list[int]]]) -> dict[str, Tensor]:
    """Rows as a batch, filled up on the right."""
    longest = max(len(row["input_ids"]) for row in rows)
    fill = {"input_ids": 2, "attention_mask": 0, "labels": -100}
    return {
        name: torch.tensor([row[name] + [value] * (longest - len(row[name])) for row in rows])
        for name, value in fill.items()
    }


@pytest.mark.parametrize("micro", [SIZE, 2])
@pytest.mark.parametrize("kind", ["llama", "gpt_neox"])
def test_full_fine_tuning_has_the_losses_of_trainer(kind: str, micro: int, tmp_path: Path) -> None:
    """Step by step, and in the end the same parameters."""
    method, model = put(Full(), built(kind))
    theirs = built(kind)
    expected = losses_of_trainer(theirs, micro, tmp_path)
    training = tuner(method, model, STEPS, micro)
    losses = [training.step(step, batch) for step, batch in enumerate(batches(STEPS, SIZE))]
    assert losses == pytest.approx(expected, rel=1e-5)
    start, end, found = (copied(dict(each.named_parameters())) for each in (built(kind), theirs, model))
    for name in list(end):
        if name.endswith("query_key_value.bias"):  # of keys alike no gradient is left but a rounding
            del end[name], found[name]
    assert_moved_alike(found, end, start)


@pytest.mark.parametrize("micro", [SIZE, 2])
def test_lora_has_the_losses_of_trainer_with_peft(micro: int, tmp_path: Path) -> None:
    """With an adapter that peft makes on its own, of which only the random start is shared."""
    method, model = put(LoRA(rank=4, alpha=8), built())
    config = peft.LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", task_type="CAUSAL_LM")
    theirs = peft.get_peft_model(built(), config)
    start: dict[str, Tensor] = copied(trained(model))
    assert set(start) == set(trained(theirs))
    with torch.no_grad():
        for name, values in start.items():
            theirs.get_parameter(name).copy_(values)
    expected = losses_of_trainer(theirs, micro, tmp_path)
    training = tuner(method, model, STEPS, micro)
    losses = [training.step(step, batch) for step, batch in enumerate(batches(STEPS, SIZE))]
    assert losses == pytest.approx(expected, rel=1e-5)
    assert losses[-1] < losses[0]
    assert_moved_alike(trained(model), trained(theirs), start)
