"""Write the tables of README.md and benchmarks/README.md anew from the results that are kept here."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from run_all import BENCHMARKS

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "amd-epyc-x2"
DECODERS = HERE / "results" / "intel-r-xeon-r-processor-x2" / "decode_speed.json"
README, ALL = HERE.parent / "README.md", HERE / "README.md"
README_HEAD = (
    "| AMD EPYC, 2 cores, Python 3.11, torch 2.13 | measured | aim | load average |\n|---|---|---|---|\n"
)
DECODERS_HEAD = "| SmolLM2-135M continued on one thread, Intel Xeon (AMX) | measured |\n|---|---|\n"
ALL_HEAD = "| script | what | measured | bar | |\n| --- | --- | --- | --- | --- |\n"
ELSEWHERE = "memory"  # README says in words how good the predictions of memory have been


def readme_table() -> str:
    """What has a bar or is a ratio."""
    rows = (
        f"| {_what(result)} | {_measured(result)} | {_bar(result)} | {load_average:.1f} |\n"
        for benchmark, load_average, result in _results()
        if benchmark != ELSEWHERE and (_bar(result) or result["unit"] == "×")
    )
    return README_HEAD + "".join(rows)


def whole_table() -> str:
    """Every number, with the script that measured it."""
    rows = (
        f"| `{benchmark}.py` | {_what(result)} | {_measured(result)} "
        f"| {_bar(result)}{' ' + result['unit'] if _bar(result) else ''} | {result['verdict']} |\n"
        for benchmark, _, result in _results()
    )
    return ALL_HEAD + "".join(rows)


def decoders_table() -> str:
    """Our decoding beside others'."""
    found = json.loads(DECODERS.read_text(encoding="utf-8"))["results"]
    return DECODERS_HEAD + "".join(f"| {_what(result)} | {_measured(result)} |\n" for result in found)


def with_table(document: str, table: str) -> str:
    """``document`` with the table that has the same head replaced."""
    head = table[: table.index("\n| ", table.index("---"))]
    before, rest = document.split(head)
    after = rest[rest.index("\n\n") :]
    return before + table.rstrip("\n") + after


def _results() -> Iterator[tuple[str, float, dict[str, Any]]]:
    for benchmark in BENCHMARKS:
        document = json.loads((RESULTS / f"{benchmark}.json").read_text(encoding="utf-8"))
        for result in document["results"]:
            yield benchmark, document["load_average"], result


def _what(result: dict[str, Any]) -> str:
    return result["what"] + (f" ({result['note']})" if result["note"] else "")


def _measured(result: dict[str, Any]) -> str:
    return f"{result['value']:.3g} {result['unit']}"


def _bar(result: dict[str, Any]) -> str:
    if result["at_most"] is not None:
        return f"≤ {result['at_most']:g}"
    return "" if result["at_least"] is None else f"≥ {result['at_least']:g}"


if __name__ == "__main__":
    for path, table in ((README, readme_table()), (README, decoders_table()), (ALL, whole_table())):
        path.write_text(with_table(path.read_text(encoding="utf-8"), table), encoding="utf-8")
