"""A report: what was printed and what was measured, as one page that works offline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from effdsl_analysis.report.gather import contents
from effdsl_analysis.report.page import MissingPackage, html_page
from effdsl_analysis.vocabulary import Evidence

if TYPE_CHECKING:
    from effdsl_analysis.queries import Source

__all__ = ["MissingPackage", "report"]


def report(
    source: Source, studies: Sequence[str] = (), *, kinds: Sequence[Evidence] = tuple(Evidence)
) -> str:
    """The HTML page of rankings, trade-offs, charts, claims and provenance.

    Args:
        source: a store, its folder, or a DuckDB connection that has a store's views.
        studies: names or paths of files; without any, all that were executed.
        kinds: the kinds of evidence to show, both by default; each has a part of its own.

    Raises:
        UnknownName: a study that does not exist, with the nearest one.
        MissingPackage: plotly or Jinja2 is not installed.
    """
    return html_page(contents(source, studies, kinds))
