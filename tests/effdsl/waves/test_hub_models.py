"""Models of the hub, by the name of the paper or by what the cache holds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from effdsl_registry.published import __file__ as published

from effdsl import (
    H200,
    DoRA,
    FineTuning,
    Freeze,
    Full,
    Hub,
    LoRA,
    LoRAPlus,
    OpenO1SFT,
    PiSSA,
    RSLoRA,
    Study,
    StudyError,
)
from effdsl.plan import Plan
from effdsl.planner import make_plan
from effdsl.subjects.hub import Hub as ResolvedHub

from .conftest import COMMIT, CONFIG, LAPTOP, SWEEP, planned, result_keys, states, tuned


def models_of(table: str) -> list[str]:
    """The models of a table of the paper, in its order."""
    rows = (Path(published).parent / table).read_text(encoding="utf-8").splitlines()
    return list(dict.fromkeys(row.split(",")[1] for row in rows[1:]))


@pytest.mark.parametrize(
    ("table", "models"), [("table07_peft_o1sft.csv", 7), ("table08_peft_medical.csv", 3)]
)
def test_fine_tunings_of_the_paper_are_planned_by_the_names_of_its_tables(table: str, models: int) -> None:
    names = models_of(table)
    study = Study(
        FineTuning([LoRA, LoRAPlus, RSLoRA, DoRA, PiSSA, Freeze, Full]),
        models=list(map(Hub, names)), data=OpenO1SFT(), hw=8 * H200, recipe=SWEEP, repeats=1,
    )  # fmt: skip
    plan = make_plan(study, LAPTOP, unavailable=lambda cell: f"needs {cell.hardware}")
    assert len(names) == models
    assert list(dict.fromkeys(cell.labels.scale for cell in plan.cells)) == names
    assert {cell.unsupported for cell in plan.cells} == {""}
    assert states(plan).keys() <= {"unavailable", "infeasible"}, "all of them could be run, memory allowing"
    assert len(plan.every_task) == 7 * models * 3
    assert all(task.price.seconds and task.price.joules for task in plan.every_task)


def only_weights(plan: Plan) -> ResolvedHub:
    (cell,) = plan.cells
    found = cell.choice.subject
    assert isinstance(found, ResolvedHub)
    return found


def test_a_model_in_the_hubs_cache_is_pinned_to_the_commit_that_it_holds(hub: Path) -> None:
    branch, pinned = Hub("owner/unknown"), Hub("owner/unknown", revision=COMMIT)
    found = only_weights(planned(tuned(branch)))
    assert (found.revision, found.is_pinned, found.name) == (COMMIT, True, "owner/unknown")
    assert result_keys(tuned(branch)) == result_keys(tuned(pinned))
    assert found.language_model().layers == 2
    assert states(planned(tuned(branch, recipe=SWEEP))) == {"new": 2, "waiting": 2}


def test_another_commit_is_another_key(hub: Path) -> None:
    before = result_keys(tuned(Hub("owner/unknown")))
    (hub / "refs" / "main").write_text(COMMIT[::-1] + "\n")
    (hub / "snapshots" / COMMIT).rename(hub / "snapshots" / COMMIT[::-1])
    assert not result_keys(tuned(Hub("owner/unknown"))) & before


@pytest.mark.parametrize("said", ["", "no commit", COMMIT[:7]])
def test_what_is_no_commit_pins_nothing(hub: Path, said: str) -> None:
    (hub / "refs" / "main").write_text(said)
    with pytest.raises(StudyError, match=r"the shape of owner/unknown \(revision main\) is not known here"):
        planned(tuned(Hub("owner/unknown")))


def test_a_model_of_the_papers_is_pinned_where_the_cache_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    assert only_weights(planned(tuned(Hub("llama-3.2-1b")))).revision == "main"
    refs = tmp_path / "models--meta-llama--Llama-3.2-1B" / "refs"
    refs.mkdir(parents=True)
    (refs / "main").write_text(COMMIT)
    assert only_weights(planned(tuned(Hub("llama-3.2-1b")))).revision == COMMIT
    assert result_keys(tuned(Hub("llama-3.2-1b"))) == result_keys(tuned(Hub("meta-llama/Llama-3.2-1B")))


def test_an_architecture_of_the_hub_that_nothing_here_knows_is_unsupported(hub: Path) -> None:
    (hub / "snapshots" / COMMIT / "config.json").write_text('{"model_type": "another"}')
    (cell,) = planned(tuned(Hub("owner/unknown"))).cells
    assert cell.unsupported == (
        "no method can be applied to owner/unknown: its model_type 'another' is not known here; "
        "known are deepseek_v3, gpt_neox, llama, mistral, phi3, qwen2"
    )


def test_a_variant_that_nothing_here_knows_is_told_from_a_model_of_another_kind(hub: Path) -> None:
    config = CONFIG | {"quantization_config": {"bits": 4}}
    (hub / "snapshots" / COMMIT / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (cell,) = planned(tuned(Hub("owner/unknown"))).cells
    assert cell.unsupported == (
        "no method can be applied to owner/unknown: "
        "this variant of llama is not known here, e.g. with experts or quantized weights"
    )
