"""The claims of Tables 7 and 8, asked of fine-tuning that was measured here."""

from __future__ import annotations

from typing import Any

import pytest
from effdsl_analysis.questions.claims.verdicts import Claim, claims

from ..fine_tuning_results import METHODS, tune

pytestmark = pytest.mark.slow

SECONDS = {"Freeze": 1.0, "LoRA": 3.5, "LoRAPlus": 3.6, "RSLoRA": 3.4, "PiSSA": 3.3, "DoRA": 7.0, "Full": 4.0}
LOSS = {"Freeze": 1.0, "LoRA": 0.8, "LoRAPlus": 0.6, "RSLoRA": 0.7, "PiSSA": 0.75, "DoRA": 0.82, "Full": 1.2}


def all_methods(shelf: Any, **identity: Any) -> None:
    """Three repeats of the seven methods, as far apart as the paper has them."""
    for method in METHODS:
        tune(
            shelf,
            method,
            identity=identity,
            al_s_per_iter=[SECONDS[method] * (1 + n / 1000) for n in range(3)],
            loss=[LOSS[method] * (1 + n / 1000) for n in range(3)],
        )


def outcome(shelf: Any, id_: str) -> tuple[str, int, int, int]:
    (claim,) = claims(shelf.store, ids=[id_]).claims
    return claim.verdict.value, claim.supporting, claim.contradicting, claim.undecided


def asked(shelf: Any, id_: str) -> Claim:
    (claim,) = claims(shelf.store, ids=[id_]).claims
    return claim


def test_all_seven_methods_have_the_names_that_the_paper_prints(shelf: Any) -> None:
    """With each of them there, none is missing: Freeze is the fastest, DoRA the slowest."""
    all_methods(shelf)
    assert outcome(shelf, "C37") == ("holds", 1, 0, 0)
    assert outcome(shelf, "C40") == ("holds", 1, 0, 0)
    assert "LoRAPlus 3.6" in asked(shelf, "C37").cases[0].shown


def test_the_printed_loss_is_the_training_loss(shelf: Any) -> None:
    """LoRA-plus at 1B, of methods below 60 GB."""
    all_methods(shelf, model="llama-3.2-1b")
    for method in METHODS:
        tune(shelf, method, identity={"model": "llama-3.2-1b", "rate": 1.0}, amu_gb=[9.0])
    assert outcome(shelf, "C39") == ("holds", 1, 0, 0)


@pytest.mark.parametrize(
    ("model", "parameters", "large"),
    [
        ("mistral-small-24b", 23_572_403_200, True),
        ("Qwen/Qwen2.5-14B-Instruct", 14_770_033_664, True),
        ("phi-4", 14_659_507_200, True),  # no size in its name: its parameters
        ("GQA 3M", 3_247_872, False),
        ("llama-3.1-8b", 8_030_261_248, False),
    ],
)
def test_a_model_is_as_large_as_its_name_says(shelf: Any, model: str, parameters: int, large: bool) -> None:
    """Claims "from 14B on" and "below 14B" each find theirs."""
    all_methods(shelf, model=model, parameters=parameters)
    assert bool(asked(shelf, "C32").cases) is large
    assert bool(asked(shelf, "C36").cases) is not large


@pytest.mark.parametrize(
    ("data", "of_table_7", "of_table_8"),
    [("OpenO1SFT", True, False), ("MedicalO1", False, True), ("LocalText", True, True)],
)
def test_what_is_said_of_one_data_set_is_not_asked_of_the_other(
    shelf: Any, data: str, of_table_7: bool, of_table_8: bool
) -> None:
    """Data of which the paper prints nothing is evidence for whatever it says of methods."""
    all_methods(shelf, data=data)
    assert bool(asked(shelf, "C39").cases) is of_table_7
    assert bool(asked(shelf, "C46").cases) is of_table_8
    assert asked(shelf, "C37").cases


def test_what_is_said_of_the_papers_own_runs_is_not_asked_of_others(shelf: Any) -> None:
    """Neither the batch that the paper took nor its seconds on its models are contradicted by small ones."""
    all_methods(shelf, model="GQA 3M", parameters=3_247_872)
    for id_ in ("C41", "C45"):
        assert asked(shelf, id_).cases == ()


def test_other_models_than_those_of_the_paper_are_cases_of_their_own(shelf: Any) -> None:
    """One case per model."""
    for model in ("GQA 3M", "MLA 3M"):
        all_methods(shelf, model=model)
    assert [case.case for case in asked(shelf, "C37").cases] == ["GQA 3M", "MLA 3M"]
    assert outcome(shelf, "C37") == ("holds", 2, 0, 0)
