"""What a notebook shows: studies, plans and answers as tables, with every word escaped."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import effdsl_analysis
import pytest
from effdsl_analysis import diff, pareto, pareto_published, rank, relation
from effdsl_analysis.answer import Answer, look
from effdsl_analysis.text import html, table, words
from effdsl_registry.store import Store
from rich.console import Group
from rich.panel import Panel
from rich.text import Text

from effdsl import GQA, MQA, Attention, Budget, M, Study
from effdsl.hardware import Hardware
from effdsl.planner import make_plan

HOSTILE = "</script><img src=x onerror=alert(1)>"
VOID = {"br", "img"}


class Page(HTMLParser):
    """The elements of a display, its tables as rows of texts, and whether every element is closed."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.rows: list[list[str]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data
        if self.open and {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data


def harmless(source: str) -> Page:
    """The display, which holds no element and no attribute but those of a plain table."""
    page = Page(source)
    assert page.tags <= {"div", "p", "b", "br", "ul", "li", "table", "thead", "tbody", "tr", "th", "td"}
    assert page.attributes <= {"style"}
    assert "color" not in source  # a dark notebook keeps its own colours
    return page


@pytest.fixture
def hostile(shelf: Any) -> Any:
    """A store with a technique, a reason and a study that would run a script."""
    shelf.repeats(HOSTILE, ppl=[50.0, 51.0, 52.0], amu_gb=[3.0, 3.1, 3.2])
    shelf.repeats("MQA", ppl=[60.0, 61.0, 62.0], amu_gb=[4.0, 4.1, 4.2])
    shelf.add("GQA", outcome="failed", reason=HOSTILE)
    return shelf


@pytest.mark.slow
def test_a_notebook_goes_from_study_to_plan_to_ranking_to_set_to_rows(hostile: Any) -> None:
    study = Study(Attention([MQA, GQA]), [1 * M], budget=Budget(steps=10), notes=HOSTILE, name=HOSTILE)
    assert HOSTILE in harmless(study._repr_html_()).text

    plan = make_plan(study, Hardware(name="a laptop", kind="cpu"))
    assert [row[0] for row in harmless(plan._repr_html_()).rows] == ["technique", "MQA", "GQA"]

    ranking = rank(hostile.store, metrics=["ppl"])
    assert [row[2] for row in harmless(ranking._repr_html_()).rows] == ["technique", HOSTILE, "MQA", "GQA"]

    chosen = pareto(hostile.store, on=["ppl", "amu_gb"])
    rows = harmless(chosen._repr_html_()).rows
    assert [row[0] for row in rows] == ["technique", HOSTILE, "MQA", "GQA"]
    assert rows[2][-1] == f"dominated by {HOSTILE} (on the front)"

    best = relation(chosen).filter("place = 'front'").project("technique").fetchall()
    assert best == [(HOSTILE,)]


def test_printed_sets_show_a_table_for_each_group() -> None:
    page = harmless(pareto_published(Store(Path("/nonexistent/store")), on=["ppl", "amu"])._repr_html_())
    assert [row[0] for row in page.rows[:5]] == ["technique", "mla", "nsa", "mqa", "gqa"]
    assert page.rows[4] == ["gqa", "8.2267", "44.643", "dominated", "dominated by nsa (on the front)"]


def test_a_difference_is_shown_as_a_table(hostile: Any) -> None:
    a, b = hostile.repeats("MHA", ppl=[50.0, 51.0], seeds=(7, 8))
    assert ["PPL", "50", "51", "+2.00% (worse)"] in harmless(diff(hostile.store, a, b)._repr_html_()).rows


def test_numbers_are_flush_right_and_bold_stays_bold() -> None:
    shown = table("technique", "PPL", numeric=["PPL"])
    shown.add_row(words("MHA"), words("8.09", "bold"))
    source = html(Group(shown, Text.assemble("the ", ("best", "bold"), " of <all>")))
    assert '<td style="text-align:right;padding:2px 8px"><b>8.09</b></td>' in source
    assert "<p>the <b>best</b> of &lt;all&gt;</p>" in source


def test_anything_else_that_prints_is_shown_as_it_prints_escaped() -> None:
    source = html(Panel(words(HOSTILE)))
    assert "<img" not in source
    assert "&lt;img" in source
    assert Page(source).tags == {"div", "pre"}


@pytest.mark.slow
def test_a_plan_of_many_cells_says_how_many_are_not_shown() -> None:
    study = Study(Attention([MQA, GQA]), [n * M for n in range(1, 53)], budget=Budget(steps=10))
    page = harmless(make_plan(study, Hardware(name="a laptop", kind="cpu"))._repr_html_())
    assert len(page.rows) == 101
    assert "4 more cells are not shown." in page.text


def test_every_kind_of_answer_says_how_it_looks() -> None:
    """A new kind of answer is shown by a function of its own, registered where the answer is imported."""
    public = [getattr(effdsl_analysis, name) for name in effdsl_analysis.__all__]
    kinds = [found for found in public if isinstance(found, type) and issubclass(found, Answer)]
    assert len(kinds) == 13
    assert [kind.__name__ for kind in kinds if look.dispatch(kind) is look.dispatch(object)] == []
