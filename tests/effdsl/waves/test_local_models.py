"""Models in a folder: known by their content, refused where they are not whole."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from effdsl import (
    Hub,
    Local,
    StudyError,
)
from effdsl.key import canonical_json
from effdsl.plan import TaskRole

from .conftest import COMMIT, CONFIG, of_role, planned, result_keys, tuned, write_model


def refused(folder: Path) -> str:
    """What is said of a folder that is no model."""
    with pytest.raises(StudyError) as caught:
        planned(tuned(Local(folder)))
    (only,) = caught.value.problems
    assert only.hint
    return only.message


def test_a_folder_is_known_by_its_content_and_not_by_its_path(tmp_path: Path) -> None:
    here, there = write_model(tmp_path / "here"), write_model(tmp_path / "there" / "below")
    own = result_keys(tuned(Local(here)))
    assert own == result_keys(tuned(Local(str(there))))
    (task,) = of_role(planned(tuned(Local(here), repeats=1)), TaskRole.RESULT)
    assert str(tmp_path) not in canonical_json(task.task)
    assert task.task.labels.scale == "here"
    (there / "config.json").write_text(json.dumps(CONFIG | {"rope_theta": 5e5}))
    assert not own & result_keys(tuned(Local(there)))


def test_a_folder_may_be_pinned_to_its_content(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "mine")
    (cell,) = planned(tuned(Local(folder))).cells
    revision = cell.choice.subject.revision
    assert result_keys(tuned(Local(folder, revision=revision))) == result_keys(tuned(Local(folder)))
    (folder / "tokenizer.json").write_text("{ }")
    with pytest.raises(StudyError, match="mine is not what revision="):
        planned(tuned(Local(folder, revision=revision)))


def test_a_folder_without_weights_that_are_safe_to_read_says_what_it_has(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "mine")
    (folder / "model.safetensors").unlink()
    assert refused(folder) == f"at mine: {folder}: no *.safetensors"
    (folder / "pytorch_model.bin").write_bytes(b"")
    assert "only pytorch_model.bin, which run code when they are read" in refused(folder)


@pytest.mark.parametrize("kept", [0, 7, 8, 60, 800_000])
def test_a_file_that_was_cut_short_is_damaged(tmp_path: Path, kept: int) -> None:
    file = write_model(tmp_path / "mine") / "model.safetensors"
    file.write_bytes(file.read_bytes()[:kept])
    assert f"{file} is damaged" in refused(file.parent)


def test_a_file_that_is_too_long_or_too_few_elements_are_refused(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "mine")
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes() + b"x")
    assert "is damaged: it should have 800,0" in refused(folder)
    few = {"all": {"dtype": "F32", "shape": [1], "data_offsets": [0, 800_000]}}
    assert "its files have 1" in refused(write_model(folder, header=few))


def test_a_folder_without_a_tokenizer_is_refused_before_anything_runs(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "mine")
    (folder / "tokenizer.json").unlink()
    assert refused(folder) == f"at mine: {folder} has no tokenizer"


def nested(depth: int) -> st.SearchStrategy[object]:
    """JSON with the words of a header in it, in lists and objects ``depth`` deep."""
    if depth == 0:
        return st.none() | st.integers() | st.floats() | st.text(max_size=3)
    inner = nested(depth - 1)
    words = st.sampled_from(["shape", "data_offsets", "__metadata__", "a"])
    return inner | st.lists(inner, max_size=2) | st.dictionaries(words, inner)


@settings(deadline=None, max_examples=25)
@given(header=st.binary(max_size=40) | nested(3))
def test_whatever_a_files_header_is_there_is_an_answer(
    tmp_path_factory: pytest.TempPathFactory, header: object
) -> None:
    folder = write_model(tmp_path_factory.mktemp("models") / "odd", header=header)
    assert "is damaged" in refused(folder) or "config.json asks for" in refused(folder)


@pytest.mark.parametrize(
    ("config", "says"),
    [
        (None, "config.json: No such file or directory"),
        ("{", "not JSON"),
        ("[]", "describes no model"),
        ("null", "describes no model"),
        ({"model_type": "llama"}, "describes no model: 'hidden_size' is missing"),
        ({"model_type": ["llama"]}, "describes no model"),
        (CONFIG | {"num_attention_heads": 0}, "describes no model"),
        (CONFIG | {"hidden_size": "64"}, "describes no model"),
        (CONFIG | {"num_hidden_layers": None}, "describes no model"),
        (CONFIG | {"num_hidden_layers": 1.5}, "describes no model"),
    ],
    ids=str,
)
def test_a_folder_whose_config_says_no_shape_is_refused(tmp_path: Path, config: object, says: str) -> None:
    folder = write_model(tmp_path / "mine", config or CONFIG)
    if config is None:
        (folder / "config.json").unlink()
    said = refused(folder)
    assert f"{folder / 'config.json'}" in said
    assert says in said


def test_a_config_in_the_hubs_cache_that_says_no_shape_is_refused(hub: Path) -> None:
    file = hub / "snapshots" / COMMIT / "config.json"
    file.write_text('{"model_type": "llama"}')
    with pytest.raises(StudyError, match=re.escape(f"{file} describes no model: 'hidden_size' is missing")):
        planned(tuned(Hub("owner/unknown")))
