"""What EfficientLLM (arXiv 2505.13840) printed: its tables as CSV files, and their rows for the store.

Every value stays as it is printed; ``README.md`` beside this file says how garbled places were read and
``definitions.md`` what each metric means.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import attrs

from effdsl.metrics import BY_NAME

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Row = dict[str, str]


@attrs.frozen
class PublishedTable:
    """One table of results.

    Attributes:
        number: the paper's number.
        file: the CSV beside this module.
        stage: ``pretraining``, ``fine-tuning`` or ``inference``.
        axis: the dimension of choice it compares along.
        hardware, devices: on what the paper says it ran (sections 5.3 to 5.5); empty where it does not say.
        dataset: its data where the table has no column for it.
        modality: what its models read and write.
    """

    number: int
    file: str
    stage: str
    axis: str
    hardware: str | None = None
    devices: int | None = None
    dataset: str | None = None
    modality: str = "text"


TRAINED_ON = ("GH200", 48, "fineweb-edu")
TUNED_ON = ("H200", 8)
SERVED_ON = ("GH200", 4)

TABLES = (
    PublishedTable(3, "table03_attention.csv", "pretraining", "attention", *TRAINED_ON),
    PublishedTable(4, "table04_positional.csv", "pretraining", "position", *TRAINED_ON),
    PublishedTable(5, "table05_moe.csv", "pretraining", "feed_forward", *TRAINED_ON),
    PublishedTable(6, "table06_attention_free.csv", "pretraining", "backbone", *TRAINED_ON),
    PublishedTable(7, "table07_peft_o1sft.csv", "fine-tuning", "fine_tuning", *TUNED_ON),
    PublishedTable(8, "table08_peft_medical.csv", "fine-tuning", "fine_tuning", *TUNED_ON),
    PublishedTable(9, "table09_quantization.csv", "inference", "precision", *SERVED_ON),
    PublishedTable(10, "table10_lvm_attention.csv", "pretraining", "attention", modality="image"),
    PublishedTable(11, "table11_lvm_moe.csv", "pretraining", "feed_forward", modality="image"),
    PublishedTable(12, "table12_vlm_peft.csv", "fine-tuning", "fine_tuning", modality="vision-language"),
    PublishedTable(13, "table13_lvm_peft.csv", "fine-tuning", "fine_tuning", modality="image and video"),
    PublishedTable(16, "table16_benchmarks.csv", "inference", "precision", *SERVED_ON),
)

NUMBERS = ("parameters_b", "experts", "top_k", "micro_batch_size", "context_length", "training_steps", "gpus")
FLAGS = ("deepspeed", "model_reconstructed")
WORDS = (
    "method",
    "method_printed",
    "model",
    "model_printed",
    "parameters_printed",
    "reading_note",
)


def printed_lines() -> Iterator[dict[str, Any]]:
    """Every line of the tables; each of its ``values``, with the rest, is a row of the view ``published``."""
    for table in TABLES:
        for line, row in enumerate(_read(table.file), start=1):
            said = {
                "table_number": table.number,
                "line": line,
                "stage": table.stage,
                "axis": table.axis,
                "modality": table.modality,
                "hardware": table.hardware,
                "devices": table.devices,
                "technique": _technique(row),
                "size": row.get("model") or row["parameters_printed"],
                **{name: row.get(name) or None for name in WORDS},
                "dataset": row.get("dataset") or table.dataset,
                **{name: float(row[name]) if row.get(name) else None for name in NUMBERS},
                **{name: row[name] == "true" if row.get(name) else None for name in FLAGS},
            }
            values = [
                {"metric": metric, "value": float(row[metric]), "printed": row[metric]}
                for metric in BY_NAME
                if row.get(metric)
            ]
            yield {name: word for name, word in said.items() if word is not None} | {"values": values}


def models() -> Iterator[dict[str, Any]]:
    """The models that Tables 2 and 15 list, with their size as it is printed there."""
    for number, file in ((2, "table02_models.csv"), (15, "table15_models.csv")):
        for line, row in enumerate(_read(file), start=1):
            yield {
                "table_number": number,
                "line": line,
                "model": row["model"],
                "parameters_b": float(row["parameters_b"]),
                "parameters_printed": row["parameters_printed"],
            }


def claims() -> Iterator[dict[str, Any]]:
    """Every statement, as a row of the view ``claims``."""
    for place, row in enumerate(_read("claims.csv"), start=1):
        yield {
            "place": place,
            "id": row["id"],
            "section": row["section"],
            "table_number": row["table"],
            "statement": row["statement"],
        }


@cache
def digest() -> str:
    """Of everything that :func:`load` loads: another digest asks for loading again."""
    sources = [*(table.file for table in TABLES), "claims.csv", "__init__.py"]
    return hashlib.sha256(b"\0".join(_bytes(source) for source in sources)).hexdigest()


def load(connection: DuckDBPyConnection) -> None:
    """Replace what ``published`` and ``claims`` show by what the package's files say."""
    for table, rows, columns in (
        ("published", printed_lines(), '* EXCLUDE "values", unnest("values", recursive := true)'),
        ("claims", claims(), "*"),
    ):
        connection.execute(f"DELETE FROM internal.{table}")  # noqa: S608 - names of our own
        connection.execute(
            f"INSERT INTO internal.{table} BY NAME SELECT {columns} "  # noqa: S608 - names of our own
            "FROM (SELECT unnest(from_json($said, json_structure($said)), max_depth := 2))",
            {"said": json.dumps(list(rows))},
        )


def _technique(row: Row) -> str:
    """The method, with its size where one block of a table holds several (Table 5)."""
    if row["method"] in ("moe", "dense") and not row.get("model"):
        return f"{row['method']} {row['parameters_printed']}"
    return row["method"]


def _read(file: str) -> Iterator[Row]:
    return csv.DictReader(_bytes(file).decode().splitlines())


def _bytes(file: str) -> bytes:
    return files(__package__).joinpath(file).read_bytes()
