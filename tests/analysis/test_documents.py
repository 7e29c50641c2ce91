"""The documents of the analysis layer show what is printed today."""

from __future__ import annotations

import csv
import re
import runpy
from pathlib import Path
from typing import Any

import pytest
from effdsl_analysis import rank_published
from effdsl_analysis.questions.claims.verdicts import Verdict
from effdsl_analysis.vocabulary import Rule, Severity
from effdsl_registry.schema import PUBLIC_VIEWS
from effdsl_registry.store import Store

DOCS = Path(__file__).parents[2] / "docs"
ANSWERS = runpy.run_path(str(DOCS / "answers.py"))
ANALYSIS = (DOCS / "analysis.md").read_text(encoding="utf-8")
NOWHERE = Store(Path("/nonexistent/effdsl-store"))
ASKED_OF_A_STORE = [
    example
    for example in ANSWERS["examples"](ANALYSIS)
    if example.measured and "effdsl diff" not in example.asked  # which names two keys of its store
]


@pytest.fixture
def small_studies(shelf: Any) -> Any:
    """Two small studies of three repeats, as the measured examples ask for them."""
    for study, techniques in (
        ("attention", ("MQA", "GQA", "MLA", "NSA")),
        ("attention_free", ("Mamba", "RWKV4")),
    ):
        for place, technique in enumerate(techniques):
            shelf.repeats(
                technique,
                study=f"small/{study}",
                backbone="Transformer" if study == "attention" else technique,
                feed_forward="SwiGLU",
                ppl=[50.0 - place, 50.5 - place, 51.0 - place],
                amu_gb=[1.0 + place, 1.1 + place, 1.2 + place],
                al_s_per_iter=[0.1 + place, 0.11 + place, 0.12 + place],
            )
    return shelf


@pytest.mark.slow
@pytest.mark.parametrize("document", ANSWERS["DOCUMENTS"], ids=lambda path: path.name)
def test_answers_from_the_paper_are_those_of_today(document: Path) -> None:
    """Where this fails, `python docs/answers.py STORE` writes them anew."""
    text = document.read_text(encoding="utf-8")
    assert text == ANSWERS["refreshed"](text)


@pytest.mark.parametrize("document", [DOCS / "cookbook.md", DOCS / "analysis.md"], ids=lambda path: path.name)
def test_every_block_of_text_answers_one_before_it(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    assert len(list(ANSWERS["examples"](text))) == len(re.findall("^```text", text, re.MULTILINE)) > 0


@pytest.mark.slow
@pytest.mark.parametrize("example", ASKED_OF_A_STORE, ids=lambda example: example.asked.splitlines()[0])
def test_what_is_shown_of_a_store_can_be_asked_of_another(example: Any, small_studies: Any) -> None:
    assert example.ask(small_studies.store.root).strip()


def test_an_example_that_fails_is_not_written_down(shelf: Any) -> None:
    example = ANSWERS["Example"]("bash", "effdsl rank small/atention", True, "")
    with pytest.raises(ValueError, match="small/atention"):
        example.ask(shelf.store.root)


def test_groups_rules_verdicts_and_severities_are_all_defined() -> None:
    defined = set(re.findall(r"`([\w.]+)`", "".join(re.findall(r"^\|.*\|$", ANALYSIS, re.MULTILINE))))
    groups = {row.group for row in rank_published(NOWHERE).ranks}
    words = {word.value for kind in (Rule, Verdict, Severity) for word in kind}
    assert defined == groups | words


def test_the_number_of_claims_is_that_of_the_file(paper: Any) -> None:
    with (paper.folder / "claims.csv").open(encoding="utf-8", newline="") as lines:
        assert f"\n{len(list(csv.DictReader(lines)))} statements of the paper" in ANALYSIS


def test_every_view_is_documented() -> None:
    rows = re.findall(r"^\| `(\w+)` \| .* \|$", (DOCS / "store.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert [name for name in PUBLIC_VIEWS if name not in rows] == []
