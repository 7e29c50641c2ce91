"""On every axis a technique is called by its choice there, with what is not usual of the rest."""

from __future__ import annotations

from typing import Any

import pytest
from effdsl_analysis.evidence import laid_out
from effdsl_analysis.vocabulary import Evidence

pytestmark = pytest.mark.slow

USUAL = {"attention": "GQA", "position": "RoPE", "feed_forward": "SwiGLU", "backbone": "Transformer"}
NO_PARTS = {"attention": "", "position": "", "feed_forward": ""}


def names(shelf: Any, axis: str, study: str | None = None) -> set[str]:
    """What the techniques compared along ``axis`` are called."""
    with laid_out(shelf.store, Evidence.MEASURED, study) as connection:
        found = connection.execute("SELECT technique FROM subjects WHERE axis = $1", [axis]).fetchall()
    return {name for (name,) in found}


@pytest.fixture
def full(shelf: Any) -> Any:
    """The usual transformer with a rival on every axis, and two that are unusual twice."""
    shelf.add("GQA", study="small", called="Transformer", ppl=50.0, **USUAL)
    for technique, changed in {
        "MHA": {"attention": "MHA"},
        "ALiBi": {"position": "ALiBi"},
        "MHA · ALiBi": {"attention": "MHA", "position": "ALiBi"},
        "MoE(top_k=1)": {"feed_forward": "MoE(top_k=1)"},
        "Mamba(state=8)": {"backbone": "Mamba(state=8)", **NO_PARTS},
    }.items():
        shelf.add(technique, study="small", ppl=51.0, **USUAL | changed)
    return shelf


@pytest.mark.parametrize("study", [None, "small"])
@pytest.mark.parametrize(
    ("axis", "called"),
    [
        ("attention", {"GQA", "MHA", "GQA · ALiBi", "MHA · ALiBi"}),
        ("position", {"RoPE", "ALiBi", "MHA · RoPE", "MHA · ALiBi"}),
        ("feed_forward", {"SwiGLU", "MoE(top_k=1)"}),
        ("backbone", {"Transformer", "Mamba(state=8)"}),
    ],
)
def test_a_technique_is_called_by_its_choice_on_the_axis(
    full: Any, study: str | None, axis: str, called: set[str]
) -> None:
    assert names(full, axis, study) == called
