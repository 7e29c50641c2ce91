"""The paper's tables read line by line from their CSV files, for second computations in plain Python."""

from __future__ import annotations

import csv
import itertools
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import effdsl_registry.published as published

Cell = tuple[int, int, str]
Found = tuple[str, frozenset[Cell]]

FOLDER = Path(published.__file__).parent
BENCHMARKS = ("mmlu_pro", "bbh", "gpqa", "ifeval", "math", "musr")
METRICS = (
    *("ppl", "loss", "fid", "avg_perf", "amu_gb", "pcu", "al_s_per_iter", "sum_al_s", "aec_w", "mcr"),
    *("tt_tokens_per_param_s", "st_samples_per_param_s", "it_tokens_per_s", "gpu_hours_per_gpu"),
    *BENCHMARKS,
)
TT, ST, AL, IT = "tt_tokens_per_param_s", "st_samples_per_param_s", "al_s_per_iter", "it_tokens_per_s"
TIMES = (AL, TT, ST, IT)
TEXT, TUNED = (3, 4, 5, 6), (7, 8, 12, 13)


@attrs.frozen(eq=False)
class Line:
    """One line of a table: its printed tokens by metric, and everything else by column."""

    table: int
    number: int
    tokens: dict[str, str]
    said: dict[str, str]

    def __getitem__(self, metric: str) -> float:
        return float(self.tokens[metric])

    def __contains__(self, metric: str) -> bool:
        return metric in self.tokens

    @property
    def method(self) -> str:
        return self.said["method"]

    @property
    def size(self) -> str:
        return self.said.get("model") or self.said["parameters_printed"]

    @property
    def technique(self) -> str:
        return f"{self.method} {self.size}" if self.table == 5 else self.method

    @property
    def where(self) -> str:
        return self.size + self.said.get("dataset", "")

    @property
    def parameters(self) -> float:
        return float(self.said["parameters_b"]) * 1e9

    @property
    def run(self) -> str | None:
        """The run that several tables print, if this line is one of them."""
        base = {(3, "gqa"), (4, "rope"), (5, "dense"), (6, "qwen2.5"), (10, "mha"), (11, "dense")}
        return self.size if (self.table, self.method) in base else None

    def cells(self, *metrics: str) -> set[Cell]:
        return {(self.table, self.number, metric) for metric in metrics if metric in self.tokens}

    def off(self, *metrics: str) -> float:
        """How far rounding may move the product of some values, as a fraction of it."""
        return sum(half(self.tokens[metric]) / self[metric] for metric in metrics)


def half(token: str) -> float:
    return 0.5 * 10.0 ** int(Decimal(token).as_tuple().exponent)


def digits(token: str) -> int:
    return len(Decimal(token).as_tuple().digits)


def read(file: str) -> list[dict[str, str]]:
    with (FOLDER / file).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def read_table(number: str) -> list[dict[str, str]]:
    (path,) = FOLDER.glob(f"table{number}_*.csv")
    return read(path.name)


def lines(*tables: int) -> Iterator[Line]:
    for path in sorted(FOLDER.glob("table*.csv")):
        table = int(path.name[5:7])
        if table in tables:
            for number, row in enumerate(read(path.name), start=1):
                tokens = {metric: row[metric] for metric in METRICS if row.get(metric)}
                yield Line(table, number, tokens, row)


def by(key: Callable[[Line], Any], found: Iterable[Line]) -> list[list[Line]]:
    groups: dict[Any, list[Line]] = defaultdict(list)
    for line in found:
        groups[key(line)].append(line)
    return list(groups.values())


def one(severity: str, found: Iterable[Line], *metrics: str) -> Found:
    return severity, frozenset().union(*(line.cells(*metrics) for line in found))


def by_table(severity: str, found: Iterable[Line], *metrics: str) -> list[Found]:
    return [one(severity, group, *metrics) for group in by(lambda line: line.table, found)]


def model_of(line: Line) -> tuple[int, str]:
    return line.table, line.size


def pairs(found: Iterable[Line]) -> Iterator[tuple[Line, Line]]:
    """Every two lines, but for those of one run."""
    for a, b in itertools.combinations(found, 2):
        if a.run is None or b.run != a.run or (a.table < 10) != (b.table < 10):
            yield a, b


def served() -> Iterator[tuple[Line, Line]]:
    """Each precision of Table 9 with the bfloat16 of its model."""
    for group in by(model_of, lines(9)):
        (base,) = [line for line in group if line.method == "bfloat16"]
        for line in group:
            yield line, base


def equal(a: Line, b: Line, least: int) -> set[str]:
    return {
        metric
        for metric in a.tokens.keys() & b.tokens.keys() - {"mcr", "gpu_hours_per_gpu"}
        if a.tokens[metric] == b.tokens[metric] and digits(a.tokens[metric]) >= least
    }
