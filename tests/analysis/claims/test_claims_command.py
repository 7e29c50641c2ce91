"""The command claims, as it is typed."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from effdsl_analysis.questions.claims.verdicts import Claims, claims
from effdsl_analysis.vocabulary import Evidence
from effdsl_registry.store import Store

from effdsl.cli import group

pytestmark = pytest.mark.slow  # every verdict of the paper is computed


def call(root: Path, *words: str) -> Result:
    return CliRunner().invoke(group, ["claims", *words, "--store", str(root)])


@cache
def published(*words: str) -> Result:
    return call(Path("nothing-here"), "--evidence", "published", *words)


@pytest.fixture
def attention(shelf: Any) -> Any:
    """MQA saves memory; MLA and NSA are not told apart by their PPL."""
    for technique, gb, ppl in (
        ("MQA", 1.0, [60.0, 61.0, 62.0]),
        ("GQA", 2.0, [55.0, 56.0, 57.0]),
        ("MLA", 3.0, [50.0, 52.0, 54.0]),
        ("NSA", 4.0, [52.0, 50.0, 55.0]),
    ):
        values = {"ppl": ppl, "amu_gb": [gb, gb + 0.01, gb + 0.02]}
        shelf.repeats(
            technique, study="small/attention", backbone="Transformer", feed_forward="SwiGLU", **values
        )
    return shelf


@pytest.fixture(scope="module")
def documents() -> Any:
    return json.loads(published("--json").output)


def test_json_is_one_array_of_all_87_claims_in_the_papers_order(documents: Any) -> None:
    assert [claim["id"] for claim in documents] == [f"C{number}" for number in range(1, 88)]
    assert {claim["evidence"] for claim in documents} == {"published"}


def test_json_counts_its_own_cases(documents: Any) -> None:
    for claim in documents:
        supports = [case["supports"] for case in claim["cases"]]
        assert claim["supporting"] == supports.count(True)
        assert claim["contradicting"] == supports.count(False)
        assert claim["undecided"] == supports.count(None)


def test_every_claim_has_a_case_on_the_papers_own_tables(documents: Any) -> None:
    assert not [claim["id"] for claim in documents if not claim["cases"]]


def test_no_two_cases_of_a_claim_are_called_the_same(documents: Any) -> None:
    for claim in documents:
        names = [case["case"] for case in claim["cases"]]
        assert len(set(names)) == len(names), claim["id"]


def test_the_total_counts_verdicts(documents: Any) -> None:
    counts = [
        sum(claim["verdict"] == verdict for claim in documents)
        for verdict in ("holds", "partly", "fails", "undecided")
    ]
    text = published().output
    assert "87 claims: {} hold, {} hold in part, {} fail, {} are undecided.".format(*counts) in text


def test_a_claim_that_is_asked_for_shows_its_cases_with_values() -> None:
    lines = [" ".join(line.split()) for line in published("--id", "c2, C5").output.splitlines()]
    assert lines[2] == (
        "C2 partly; counter-examples in 1 of 3: MQA has the lowest AL at every scale (Table 3; said in 2.1)"
    )
    assert "1.5B no mqa 0.1298; gqa 0.1283, mla 0.2537, nsa 0.5962" in lines
    assert lines[-2] == "2 claims: 1 holds, 1 holds in part."
    assert lines[-1].startswith("Counter-examples: cases against what is said of every one")


def test_why_shows_the_cases_of_all() -> None:
    text = published("--why").output
    assert all(f"\nC{number} " in text for number in range(1, 88))
    assert "on all 5: dense 1.5B is worse than dense 3B" in " ".join(text.split())


def test_direction_and_size_are_counted_apart(documents: Any) -> None:
    """All nine cases of the direction cannot hide that the number itself holds nowhere."""
    triples = documents[50]
    assert triples["direction"] == {"supporting": 9, "contradicting": 0, "undecided": 0}
    assert triples["size"] == {"supporting": 0, "contradicting": 9, "undecided": 0}
    lines = [" ".join(line.split()) for line in published("--id", "C51,C53").output.splitlines()]
    said = (
        "C51 fails; direction holds in 9 of 9, size in 0 of 9: int4",
        "C53 fails; direction holds in 9 of 9,",
    )
    assert all(any(line.startswith(words) for line in lines) for words in said)
    assert "up to 3.9x size no the largest cut is 1.52x, qwen2.5-14b" in lines
    overview = [" ".join(line.split()) for line in published().output.splitlines()]
    place = overview.index("C51 fails direction holds in 9 of 9, int4 triples throughput")
    assert overview[place + 1] == "size in 0 of 9"


def test_both_ends_of_a_range_are_counted(documents: Any) -> None:
    assert (documents[40]["kinds"], documents[40]["verdict"]) == (["range"], "fails")
    assert "C41 fails; size holds at 1 of 2 ends: DoRA latency" in published("--id", "C41").output


def test_counter_examples_are_counted_where_they_deny_a_claim(documents: Any) -> None:
    assert {"C1", "C2", "C58"} <= {claim["id"] for claim in documents if claim["kinds"] == ["every"]}
    text = published("--id", "C1,C39,C58,C60").output
    assert "C58 fails; counter-examples in 5 of 9: bfloat16 AL" in text
    assert "C60 partly; counter-examples in 3 of 9: bfloat16 AEC" in text
    assert "C1 holds, 3 of 3: MQA" in text
    assert "C39 partly, 3 of 7: Freeze" in text  # which is not said of every model
    assert "Counter-examples:" not in published("--id", "C1,C39").output


def test_every_case_of_a_claim_that_names_a_number_says_what_it_tests(documents: Any) -> None:
    for claim in documents:
        said = [case["tests"] for case in claim["cases"]]
        assert None not in said or set(said) == {None}, claim["id"]
        for tests in ("direction", "size"):
            supports = [case["supports"] for case in claim["cases"] if case["tests"] == tests]
            counted = dict(
                zip(
                    ("supporting", "contradicting", "undecided"),
                    map(supports.count, (True, False, None)),
                    strict=True,
                )
            )
            assert claim[tests] == (counted if supports else None), claim["id"]


def test_a_claim_without_a_number_tests_neither(documents: Any) -> None:
    assert documents[0]["direction"] is documents[0]["size"] is None
    assert {case["tests"] for case in documents[0]["cases"]} == {None}


def test_an_equal_value_is_named_where_it_decides(documents: Any) -> None:
    """It is still the highest, and is not lower; both are said beside the verdict, with the rule."""
    tied = {(c["id"], case["case"]): case for c in documents for case in c["cases"] if case["tied_with"]}
    assert {"C34", "C36", "C63", "C83"} <= {id_ for id_, _ in tied}
    assert tied["C83", "wan-2.1"]["supports"] is True
    assert tied["C83", "wan-2.1"]["tied_with"] == ["glora"]
    assert tied["C34", "qwen2.5-14b"]["supports"] is False
    text = published("--id", "C34,C83").output
    assert "wan-2.1                      yes (tied with glora)" in text
    assert "qwen2.5-14b        no (tied with lora)" in text
    assert text.splitlines()[-1].startswith("Tied with: of the same value, so still lowest or highest")
    assert "Tied with" not in published("--id", "C1").output


def test_methods_that_a_claim_leaves_out_are_named() -> None:
    assert "lora-plus 545.12; 5 of 5 others lower; left out: full" in published("--id", "C47").output
    assert "left out" not in published("--id", "C73").output


def test_a_threshold_of_ours_is_shown_beside_what_it_decides() -> None:
    text = " ".join(published("--id", "C42,C67,C81").output.split())
    assert "bfloat16 0.6079; float16 0.6266; 1.87 points (limit 1)" in text
    assert "3.28x (stable: up to 1.1x)" in text
    assert "up to 1.14x (competitive: up to 1.1x)" in text


def test_measured_evidence_has_verdicts_of_its_own_and_says_what_it_is_not_about(attention: Any) -> None:
    text = " ".join(call(attention.store.root, "attention").output.split())
    assert "tested on results of small/attention" in text
    assert "C1 holds 1 of 1 MQA has the lowest AMU at every scale" in text
    assert "C5 undecided 0 of 1, 1 open MLA has the lowest PPL" in text
    assert "C9 to C19, C21 to C83." in text


def test_one_claim_that_evidence_is_not_about_is_named(attention: Any) -> None:
    text = call(attention.store.root, "--id", "C13").output
    assert "nothing in this evidence is about it: C13" in text


def test_an_empty_store_says_what_to_do_next_and_stays_empty(tmp_path: Path) -> None:
    result = call(tmp_path / "store")
    assert result.exit_code == 0
    assert "`effdsl execute STUDY` measures" in result.output
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("small/atention",), "did you mean 'small/attention'?"),
        (("--id", "C88"), "there are C1 to C87"),
        (("attention", "--evidence", "published"), "leave out STUDY"),
    ],
)
def test_a_wrong_word_ends_with_code_2_and_what_is_right(
    attention: Any, words: tuple[str, ...], message: str
) -> None:
    result = call(attention.store.root, *words)
    assert result.exit_code == 2
    assert message in result.output


def test_no_line_is_longer_than_100_columns_and_none_ends_in_spaces(attention: Any) -> None:
    for output in (published().output, published("--why").output, call(attention.store.root, "--why").output):
        lines = output.splitlines()
        assert max(map(len, lines)) <= 100
        assert not [line for line in lines if line != line.rstrip()]


def test_a_technique_is_shown_as_it_is_spelled(shelf: Any) -> None:
    for technique, gb in (("MQA", 1.0), ("GQA</script><img src=x>[red]", 2.0)):
        shelf.repeats(technique, backbone="Transformer", feed_forward="SwiGLU", amu_gb=[gb, gb + 0.01])
    found = claims(shelf.store, ids=["C1"], with_cases=True)
    assert "<img" not in found._repr_html_()
    assert "&lt;img src=x&gt;[red]" in found._repr_html_()
    assert "<img src=x>[red]" in call(shelf.store.root, "--id", "C1").output


def test_an_answer_is_also_asked_for_in_python(tmp_path: Path) -> None:
    found = claims(Store(tmp_path / "store"), evidence=Evidence.PUBLISHED, ids=["C5"])
    assert isinstance(found, Claims)
    assert found.to_json()[0]["verdict"] == "holds"
    assert "<table>" in found._repr_html_()
