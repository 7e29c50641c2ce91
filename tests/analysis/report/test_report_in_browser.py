"""The report as a browser shows it: drawn, sorted, chosen from, dark, printed, narrow."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from effdsl_analysis.report import report

from ..conftest import Shelf
from ..hostile_store import HOSTILE, fill
from .chromium import Page, found, page

pytestmark = pytest.mark.slow  # a page takes seconds to write


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """The page in Chromium, every host name unresolvable, all charts drawn."""
    if found() is None:
        pytest.skip("no Chromium is installed")
    folder = tmp_path_factory.mktemp("page")
    file = folder / "report.html"
    file.write_text(report(fill(Shelf(folder / "store"))), encoding="utf-8")
    with page() as tab:
        tab.call(
            "Emulation.setDeviceMetricsOverride", width=1300, height=900, deviceScaleFactor=1, mobile=False
        )
        tab.open(file)
        tab.ask("figures.forEach((_, figure) => show(figure))")
        yield tab


def names(tab: Page, table: str) -> list[str]:
    """The first cells of a table's rows, as they stand."""
    found: list[str] = tab.ask(
        f"[...document.querySelector('{table}').tBodies[0].rows].map((row) => row.cells[0].textContent)"
    )
    return found


def test_every_chart_is_drawn_without_a_complaint(browser: Page) -> None:
    plots = browser.ask("document.querySelectorAll('.plot').length")
    assert browser.ask("document.querySelectorAll('.plot .main-svg').length") >= plots > 40
    marks = ".trace, .point, .scatterlayer path, .barlayer path"
    empty = f"[...document.querySelectorAll('.plot')].filter((p) => !p.querySelector('{marks}')).length"
    assert browser.ask(empty) == 0
    assert browser.complaints == []


def test_headings_sort_by_mouse_and_by_keyboard(browser: Page) -> None:
    table = "#rank-0 table"
    assert names(browser, table) == ["mla", "nsa", "gqa", "mqa"]
    second = f"document.querySelector('{table} thead th:nth-child(2)')"
    browser.ask(f"{second}.querySelector('button').click()")
    assert browser.ask(f"{second}.getAttribute('aria-sort')") == "ascending"
    browser.ask(f"{second}.querySelector('button').focus()")
    browser.press("Enter")
    assert browser.ask(f"{second}.getAttribute('aria-sort')") == "descending"
    assert names(browser, table) == ["mqa", "gqa", "nsa", "mla"]


def test_empty_cells_stay_last_whichever_way_a_column_is_sorted(browser: Page) -> None:
    headings = "[...document.querySelectorAll('#study-0-rank-0 thead th')]"
    heading = f"{headings}.find((h) => h.textContent.startsWith('AMU'))"
    for _ in range(2):
        browser.ask(f"{heading}.querySelector('button').click()")
        assert names(browser, "#study-0-rank-0 table")[-1] == "GQA"


def test_the_choice_of_axes_and_techniques_changes_the_scatter(browser: Page) -> None:
    figure = "document.querySelector('#printed-tradeoff')"
    titles = f"[...{figure}.querySelectorAll('.g-xtitle, .g-ytitle')].map((t) => t.textContent)"
    choose = (
        f"((name, value) => {{ const s = {figure}.querySelector(`select[name=${{name}}]`);"
        " s.value = value; s.dispatchEvent(new Event('change')); })"
    )
    before, front = browser.ask(titles), browser.ask(f"{figure}.querySelector('figcaption').textContent")
    browser.ask(f"{choose}('x', 'al_s_per_iter')")
    assert browser.ask(titles) != before
    assert any("AL (s/iter)" in title for title in browser.ask(titles))
    browser.ask(f"{choose}('y', 'aec_w')")
    assert browser.ask(f"{figure}.querySelector('figcaption').textContent") != front
    browser.ask(f"{choose}('panel', 'table-9-0')")
    assert "bfloat16" in browser.ask(f"{figure}.querySelector('.plot').textContent")


def test_every_way_of_drawing_a_profile_draws_something(browser: Page) -> None:
    figure = "document.querySelector('#chart-7')"
    for kind in ("radar", "parallel", "bars", "bubbles", "efficiency-printed", "efficiency-arrows"):
        browser.ask(
            f"(() => {{ const s = {figure}.querySelector('select'); s.value = '{kind}';"
            " s.dispatchEvent(new Event('change')); })()"
        )
        drawn = browser.ask(f"{figure}.querySelector('.plot').data.length")
        assert drawn == (2 if kind.startswith("efficiency") else 7)
    browser.ask(f"{figure}.querySelector('.legend button').click()")
    assert len(browser.ask(f"{figure}.querySelector('.plot').data[0].x")) == 6
    assert browser.complaints == []


def test_hostile_names_are_shown_as_they_are_spelled_and_do_nothing(browser: Page) -> None:
    assert browser.ask("document.querySelectorAll('img, [onerror]').length") == 0
    assert browser.ask("document.querySelectorAll('a[href^=\"javascript\"], .plot a').length") == 0
    assert not [event for event in browser.events if event.get("method") == "Page.javascriptDialogOpening"]
    legend = browser.ask(
        "[...document.querySelectorAll('#study-0-profile .legend button')].map((b) => b.textContent)"
    )
    assert HOSTILE in legend
    assert HOSTILE in browser.ask("document.querySelector('#study-0-tradeoff .plot').textContent")
    assert browser.complaints == []


def test_a_dark_page_draws_light_text_and_paper_is_light(browser: Page) -> None:
    ink = "getComputedStyle(document.querySelector('.plot .xtick text, .plot text')).fill"
    light = browser.ask(ink)
    browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
    browser.wait(f"{ink} !== '{light}'")
    assert browser.pdf().startswith(b"%PDF")
    browser.ask("dispatchEvent(new Event('beforeprint'))")
    assert browser.ask(ink) == light
    assert browser.ask("document.querySelectorAll('details:not([open])').length") == 0
    browser.ask("dispatchEvent(new Event('afterprint'))")
    browser.call("Emulation.setEmulatedMedia", features=[])


def test_a_narrow_page_does_not_scroll_sideways(browser: Page) -> None:
    browser.call(
        "Emulation.setDeviceMetricsOverride", width=390, height=800, deviceScaleFactor=1, mobile=False
    )
    browser.wait("document.documentElement.clientWidth <= 390")
    assert browser.ask("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
