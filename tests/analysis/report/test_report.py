"""The report: one page that works offline, in which nobody's name does anything."""

from __future__ import annotations

import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from effdsl_analysis.questions.rank.grid import grids
from effdsl_analysis.questions.rank.published_ranking import rank_published
from effdsl_analysis.questions.rank.ranking import rank
from effdsl_analysis.report import report
from effdsl_analysis.report.heat import heat_table
from effdsl_analysis.vocabulary import Evidence
from effdsl_registry.store import Store

from effdsl.cli import group

from ..conftest import Shelf
from ..hostile_store import HOSTILE, MARKUP, fill

pytestmark = pytest.mark.slow  # a page takes seconds to write

MOST_BYTES = 6_000_000


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return fill(Shelf(tmp_path_factory.mktemp("report") / "store"))


@pytest.fixture(scope="module")
def html(store: Store) -> str:
    """The page with both kinds of evidence."""
    return report(store)


class Elements(HTMLParser):
    """Every element with its attributes, and the text inside each kind of element."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self._open = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._open = tag

    def handle_data(self, data: str) -> None:
        self.texts.append((self._open, data))

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def data(self) -> str:
        """The block of JSON that the charts are drawn from."""
        return next(text for tag, text in self.texts if tag == "script" and text.startswith('{"panels"'))


@pytest.fixture(scope="module")
def elements(html: str) -> Elements:
    return Elements(html)


def test_the_page_is_small_enough_and_the_same_twice(store: Store, html: str) -> None:
    assert len(html.encode()) < MOST_BYTES
    assert report(store) == html


def test_nothing_is_loaded_from_anywhere(elements: Elements) -> None:
    loading = ("src", "srcset", "data", "poster", "action", "formaction", "background")
    for tag, attributes in elements.elements:
        assert not set(attributes) & set(loading), (tag, attributes)
    assert not elements.of("link")
    styles = "".join(text for tag, text in elements.texts if tag == "style")
    assert "url(" not in styles
    assert "@import" not in styles


def test_the_policy_lets_only_the_pages_own_scripts_run(elements: Elements) -> None:
    (policy,) = [
        m["content"] for m in elements.of("meta") if m.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy is not None
    assert policy.startswith("default-src 'none'")
    scripts = policy.partition("script-src ")[2]
    assert re.fullmatch(r"('sha256-[A-Za-z0-9+/=]{44}' ?){2}", scripts)
    assert not [
        attributes for _, attributes in elements.elements if any(n.startswith("on") for n in attributes)
    ]


def test_every_link_inside_the_page_leads_somewhere(elements: Elements) -> None:
    ids = [attributes["id"] for _, attributes in elements.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    inside = [str(a["href"])[1:] for a in elements.of("a") if str(a["href"]).startswith("#")]
    assert inside
    assert set(inside) <= set(ids)
    labels = [str(a["aria-labelledby"]) for _, a in elements.elements if "aria-labelledby" in a]
    assert set(labels) <= set(ids)


def test_hostile_names_are_text(html: str, elements: Elements) -> None:
    assert HOSTILE not in html
    assert not elements.of("img")
    assert "&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;" in html
    assert "<" not in elements.data
    names = [name for panel in json.loads(elements.data)["panels"].values() for name in panel["techniques"]]
    assert {HOSTILE, MARKUP} <= set(names)
    assert "\x1b" not in html


def test_both_kinds_of_evidence_have_parts_of_their_own(html: str, elements: Elements) -> None:
    parts = [a for a in elements.of("section") if str(a.get("class", "")).startswith("part ")]
    assert [a["class"] for a in parts[:2]] == ["part published", "part measured"]
    assert sum("heat" in str(a.get("class")) for a in elements.of("table")) == 11
    assert "small/attention" in html


def test_one_kind_alone_leaves_out_the_other(store: Store) -> None:
    printed = report(store, kinds=[Evidence.PUBLISHED])
    assert "small/attention" not in printed
    measured = report(store, kinds=[Evidence.MEASURED])
    assert "Fine-tuning, 7B to 8B" not in measured
    assert "small/attention" in measured


def test_published_cells_carry_the_values_and_ranks_of_the_leaderboard(store: Store) -> None:
    ranking = rank_published(store)
    shown = {
        (grid.title, column.metric.name, technique): (cell.sort, cell.rank)
        for grid in grids(ranking)
        for place, column in enumerate(grid.columns)
        for technique, cells in heat_table("t", grid).rows
        for cell in [cells[place]]
        if cell.value
    }
    assert shown == {(r.title, r.column, r.technique): (repr(r.value), str(r.rank)) for r in ranking.ranks}


def test_values_without_an_interval_have_the_same_decimals_within_a_column(store: Store) -> None:
    for grid in grids(rank_published(store)):
        table = heat_table("t", grid)
        for place in range(len(table.columns)):
            shown = [cells[place].value for _, cells in table.rows if cells[place].value]
            assert len({len(value.partition(".")[2]) for value in shown}) == 1, shown


def test_measured_cells_carry_intervals_ties_and_reasons(store: Store) -> None:
    (grid,) = grids(rank(store, "small/attention"))
    table = heat_table("t", grid)
    place = [column.label for column in table.columns].index("PPL")
    cells = {technique: cells[place] for technique, cells in table.rows}
    assert cells["GQA"].spread == "±2.5"
    assert cells[HOSTILE].tier == 4
    assert [cell.best for cell in cells.values()] == [True, False, False, False]
    memory = [column.label for column in table.columns].index("AMU")
    empty = dict(table.rows)["GQA"][memory]
    assert (empty.value, empty.tier, empty.title) == ("", None, "no meter")
    tied = dict(table.rows)["MHA"][memory]
    assert tied.tier is None, "where all are equal, nothing is shaded"


def test_claims_that_name_a_number_count_direction_and_size_apart(html: str) -> None:
    assert '<td data-sort="9">direction 9 of 9, size 0 of 9</td>' in html
    assert "(tied with glora)" in html


def test_scores_are_those_of_equations_10_and_11(elements: Elements) -> None:
    for panel in json.loads(elements.data)["panels"].values():
        for place, metric in enumerate(panel["metrics"]):
            values = [row[place] for row in panel["values"]]
            known = [value for value in values if value is not None]
            low, high = min(known), max(known)
            for value, scores in zip(values, panel["scores"], strict=True):
                if value is None or low == high:
                    assert scores[place] is None
                    continue
                share = (value - low) / (high - low)
                wanted = 0.1 + 0.9 * (share if metric["better"] == "higher" else 1 - share)
                assert scores[place] == pytest.approx(wanted, abs=1e-9)


def test_fronts_are_those_of_brute_force(elements: Elements) -> None:
    for panel in json.loads(elements.data)["panels"].values():
        signs = [1 if metric["better"] == "lower" else -1 for metric in panel["metrics"]]
        for x in range(len(signs)):
            for y in range(x + 1, len(signs)):
                points = {
                    t: (signs[x] * row[x], signs[y] * row[y])
                    for t, row in enumerate(panel["values"])
                    if row[x] is not None and row[y] is not None
                }
                front = {
                    t
                    for t, p in points.items()
                    if not any(q != p and q[0] <= p[0] and q[1] <= p[1] for q in points.values())
                }
                assert set(panel["fronts"].get(f"{x},{y}", [])) == front


def test_loss_curves_are_means_with_the_least_and_greatest_repeat(elements: Elements) -> None:
    (curves,) = json.loads(elements.data)["curves"].values()
    rows = curves["MHA"]["train"]
    assert rows[-1][0] == 298, "the last step is kept"
    assert len(rows) <= 100
    for step, mean, low, high in rows:
        assert mean == pytest.approx(8.1 - step / 50, rel=1e-4)
        assert (low, high) == (pytest.approx(mean - 0.1, rel=1e-4), pytest.approx(mean + 0.1, rel=1e-4))


def test_an_empty_store_still_shows_what_is_printed(tmp_path: Path) -> None:
    text = report(Store(tmp_path / "none"))
    assert "Fine-tuning, 7B to 8B" in text
    assert not (tmp_path / "none").exists()


def call(store: Store, *arguments: str) -> Any:
    return CliRunner().invoke(group, ["report", *arguments, "--store", str(store.root)])


def test_the_command_writes_the_page(store: Store, html: str, tmp_path: Path) -> None:
    result = call(store, "small/attention", "-o", str(tmp_path / "out.html"))
    assert result.exit_code == 0, result.output
    assert "MB" in result.output
    assert (tmp_path / "out.html").read_text(encoding="utf-8").startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("small/atention",), "did you mean 'small/attention'?"),
        (("small/attention", "--evidence", "published"), "the paper has no studies"),
        (("-o", ""), "the name of the file is empty"),
        (("-o", "/not/there/report.html"), "there is no folder /not/there"),
    ],
)
def test_a_wrong_call_ends_with_code_2(store: Store, arguments: tuple[str, ...], message: str) -> None:
    result = call(store, *arguments)
    assert result.exit_code == 2
    assert message in result.output


def test_without_the_extra_the_command_says_how_to_install_it(
    store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "plotly", None)
    result = call(store, "-o", str(tmp_path / "out.html"))
    assert result.exit_code == 1
    assert "pip install 'effdsl[report]'" in result.output
    assert not (tmp_path / "out.html").exists()
