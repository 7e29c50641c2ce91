"""What precisions cost in quality, item by item."""

from __future__ import annotations

import json
import math
from statistics import fmean
from typing import Any

import pytest
from click.testing import CliRunner
from effdsl_analysis.ask import UnknownName
from effdsl_analysis.questions.quality.pairing import Over, Quality, QualityDifference, quality
from effdsl_analysis.relations import relation
from scipy import stats

from effdsl.cli import group

from ..inference_results import SHARED, store

TOKENS = (10.0, 20.0, 70.0, 40.0)
LOSSES = {
    "BF16": [(20.0, 45.0, 140.0, 81.0), (21.0, 44.0, 150.0, 88.0), (19.0, 46.0, 144.0, 79.0)],
    "INT8": [(20.1, 44.9, 140.0, 81.1), (21.0, 44.1, 149.7, 88.0), (19.2, 46.0, 144.0, 79.1)],
    "INT2": [(24.0, 50.0, 160.0, 90.0), (25.5, 49.0, 171.0, 99.0), (22.0, 52.0, 163.0, 88.0)],
}
ONE = "INT4"


def texts(losses: tuple[float, ...]) -> dict[str, Any]:
    return {"perplexity": list(zip(losses, TOKENS, strict=True))}


@pytest.fixture(scope="module")
def three(shared_shelf: Any) -> Any:
    """Three checkpoints in three precisions, and one of another model that was evaluated once."""
    for precision, repeats in LOSSES.items():
        items = [texts(losses) for losses in repeats]
        store(shared_shelf, precision, study="mine", items=items, ppl=[1.0, 2.0, 3.0])
    other = {"model": "phi-4", "base": "feedfeedfe", "checkpoints": SHARED}
    right = {"BF16": [1.0] * 30 + [0.0] * 10, ONE: [1.0] * 18 + [0.0] * 12 + [1.0] * 2 + [0.0] * 8}
    for precision, answers in right.items():
        items = [{"cloze": answers}, {"cloze": answers}]
        store(shared_shelf, precision, study="one", items=items, identity=other, cloze=[0.5, 0.5])
    return shared_shelf.store


def only(found: Quality, technique: str) -> QualityDifference:
    (one,) = [one for group in found.groups for one in group.differences if one.technique == technique]
    return one


@pytest.mark.parametrize("technique", ["INT8", "INT2"])
def test_several_checkpoints_are_compared_by_scipys_t_test_of_their_paired_differences(
    three: Any, technique: str
) -> None:
    """Each difference is of sums over sums of tokens; the test is over the three of them."""
    total = sum(TOKENS)
    means = [
        (math.fsum(y) - math.fsum(x)) / total for x, y in zip(LOSSES["BF16"], LOSSES[technique], strict=True)
    ]
    test = stats.ttest_1samp(means, 0)
    one = only(quality(three, "mine"), technique)
    low, high = test.confidence_interval(0.95)
    assert (one.over, one.n, one.reference, one.is_loss) == (Over.CHECKPOINTS, 3, "BF16", True)
    assert (one.difference, one.low, one.high) == pytest.approx((fmean(means), low, high), rel=1e-6)
    assert one.resolved == (test.pvalue < 0.05)
    assert [part.difference for part in one.checkpoints] == pytest.approx(means)


def test_one_checkpoint_is_compared_over_its_items_however_often_it_was_repeated(three: Any) -> None:
    """Repeats of the same weights are no sample of other weights."""
    one = only(quality(three, "one"), ONE)
    (part,) = one.checkpoints
    assert (one.over, one.n, part.lost, part.gained) == (Over.ITEMS, 1, 12, 2)
    assert part.p == pytest.approx(stats.binomtest(2, 14).pvalue)
    assert one.resolved
    assert one.difference == pytest.approx(-10 / 40)


def test_any_precision_can_be_the_reference(three: Any) -> None:
    """The sign turns with it; a name is enough, in any case."""
    usual, turned = quality(three, "mine"), quality(three, "mine", reference="int2")
    assert only(turned, "BF16").difference == pytest.approx(-(only(usual, "INT2").difference or 0))
    assert {one.reference for one in turned.groups[0].differences} == {"INT2"}


def test_without_the_usual_precision_the_widest_is_the_reference(shelf: Any) -> None:
    """Of FP32, INT8 and INT4 that is FP32, though its products are in another dtype."""
    for precision in ("INT8", "FP32", "INT4"):
        store(shelf, precision, items=[texts(LOSSES["BF16"][0])])
    found = quality(shelf.store)
    assert {one.reference for one in found.groups[0].differences} == {"FP32"}
    assert {one.technique for one in found.groups[0].differences} == {"INT8", "INT4"}


def test_checkpoints_that_differ_by_the_very_same_number_tell_nothing_apart(shelf: Any) -> None:
    """Three models that each lose one answer of four: no spread, so no interval."""
    store(shelf, "BF16", items=[{"cloze": [1.0, 1.0, 0.0, 0.0]}] * 3)
    store(shelf, "INT4", items=[{"cloze": [1.0, 0.0, 0.0, 0.0]}] * 3)
    one = only(quality(shelf.store), "INT4")
    assert (one.difference, one.low, one.resolved) == (-0.25, None, False)


def test_what_was_evaluated_otherwise_is_not_compared_and_says_so(shelf: Any) -> None:
    """Of another number of items."""
    store(shelf, "BF16", items=[texts(LOSSES["BF16"][0])])
    store(shelf, "INT4", items=[{"perplexity": [(20.0, 10.0)]}])
    one = only(quality(shelf.store), "INT4")
    assert (one.difference, one.unpaired) == (None, 3)
    shown = CliRunner().invoke(group, ["quality", "--store", str(shelf.root)]).output
    assert "INT4: 3 items are not those of BF16, so nothing is compared" in " ".join(shown.split())


def test_models_engines_and_loads_are_not_mixed(shelf: Any) -> None:
    """Two precisions that share no setting are not compared."""
    for precision, load in (("BF16", "batch 1"), ("INT4", "batch 8")):
        store(shelf, precision, items=[texts(LOSSES["BF16"][0])], identity={"load": load})
    assert quality(shelf.store).groups == ()


def test_names_that_do_not_exist_are_refused_with_the_nearest(three: Any) -> None:
    with pytest.raises(UnknownName, match="no precision 'BF61': did you mean 'BF16'"):
        quality(three, "mine", reference="BF61")
    with pytest.raises(UnknownName, match="no evaluation 'perplex': did you mean 'perplexity'"):
        quality(three, "mine", on=["perplex"])


def test_the_command_says_which_question_the_interval_answers(three: Any) -> None:
    """Over checkpoints for trainings, over items for one checkpoint."""

    def said(study: str) -> str:
        result = CliRunner().invoke(group, ["quality", study, "--store", str(three.root)])
        assert result.exit_code == 0, result.output
        return " ".join(result.output.split())

    several, one = said("mine"), said("one")
    assert "perplexity against BF16, nats/token, lower is better · 7M · AMD EPYC x2" in several
    assert "what a precision costs models that are trained like these. Checkpoints: 3." in several
    assert "over the items of one checkpoint" not in several
    assert "over the items of one checkpoint" in one
    assert "12 / 2" in one
    assert "Told apart at 95%: 1 of 1." in one


def test_documents_and_rows_have_every_difference(three: Any) -> None:
    """With what each checkpoint says."""
    found = quality(three, "mine")
    document = json.loads(json.dumps(found.to_json(), allow_nan=False))
    (only_group,) = document["groups"]
    assert only_group["comparison"]["scale"] == "7M"
    assert [len(one["checkpoints"]) for one in only_group["differences"]] == [3, 3]
    rows = relation(found).project("technique, over, resolved").order("technique").fetchall()
    assert rows == [("INT2", "checkpoints", True), ("INT8", "checkpoints", only(found, "INT8").resolved)]


def test_a_store_without_items_says_how_to_get_some(nothing: Any) -> None:
    shown = CliRunner().invoke(group, ["quality", "--store", str(nothing.root)]).output
    assert "No two precisions of one model have been evaluated item by item" in " ".join(shown.split())
