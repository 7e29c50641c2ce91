"""A cloze as a task of lm-evaluation-harness, so that its own command can run it."""

from __future__ import annotations

import json
from pathlib import Path

from effdsl.evaluation import Cloze
from effdsl_runtime.evaluating.cloze import cloze_items

TASK = """\
# {items} items of {cloze}; `acc` is what effdsl calls cloze, `acc_bytes` cloze_per_byte.
# lm-eval run --model hf --model_args pretrained=MODEL --tasks {file}
task: {name}
dataset_path: json
dataset_kwargs:
  data_files:
    test: {data}
test_split: test
output_type: multiple_choice
doc_to_text: "{{{{prompt}}}}"
target_delimiter: ""  # a choice begins with the space that follows the prompt
doc_to_choice: choices
doc_to_target: answer
num_fewshot: 0
metric_list:
  - metric: acc
    aggregation: mean
    higher_is_better: true
  - metric: acc_bytes
    aggregation: mean
    higher_is_better: true
metadata:
  version: 1.0
"""


def export(cloze: Cloze, folder: Path) -> Path:
    """Write the items of a resolved ``cloze`` as JSON Lines and a task file beside them; returns the latter.

    Raises:
        DataError: when the data has too little text, or cannot be read.
    """
    asked = cloze_items(cloze)
    folder.mkdir(parents=True, exist_ok=True)
    data, task = folder.resolve() / "cloze.jsonl", folder / "cloze.yaml"
    data.write_text("".join(f"{json.dumps(item._asdict())}\n" for item in asked), encoding="utf-8")
    said = {"items": len(asked), "cloze": " ".join(repr(cloze).split()), "file": task, "name": cloze.name}
    task.write_text(TASK.format(**said, data=json.dumps(str(data))), encoding="utf-8")
    return task
