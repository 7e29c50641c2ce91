"""The command ``compare``."""

from __future__ import annotations

import re
from pathlib import Path

import click

from effdsl_analysis.commands.shared import AS_JSON, STORE, show

TABLES = (
    "table3 is attention, table4 position, table5 mixtures, table6 attention-free, table7 and table8 "
    "fine-tuning"
)


class TableNumber(click.ParamType[int]):
    """A table of the paper: ``table3``, ``"Table 3"`` or ``3``."""

    name = "table"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        found = re.fullmatch(r"(?:table)?\s*0*(\d{1,2})", str(value).strip(), re.IGNORECASE)
        if not found:
            self.fail(f"{value!r} is no table; write table3 for Table 3", param, ctx)
        return int(found[1])


@click.command()
@click.argument("study", required=False)
@click.option("--published", "table", type=TableNumber(), metavar="TABLE", help="The table, e.g. table3.")
@STORE
@AS_JSON
def compare(study: str | None, table: int | None, store_path: Path | None, as_json: bool) -> None:
    """Compare what was measured in STUDY, or in the whole store, with what the paper printed of the same.

    \b
    effdsl compare small/attention --published table3

    For each metric that both have: the values side by side, the sign of every pairwise difference, and
    Kendall's tau of the two orders with the range that the repeats leave open. What differs in the
    set-up is said first.
    """
    if table is None:
        command = " ".join(["effdsl compare", *([study] if study else []), "--published table3"])
        raise click.UsageError(f"with which table of the paper? {command}; {TABLES}")

    from effdsl_analysis.questions.compare.agreement import compare as compared

    show(lambda store: compared(store, study, table=table), store_path, as_json)
