"""Every built-in technique keeps the key that it was released with."""

import json
import runpy
from pathlib import Path

import pytest

GOLDEN = runpy.run_path(str(Path(__file__).parent / "golden.py"))


@pytest.mark.parametrize("cls", GOLDEN["TECHNIQUES"], ids=lambda cls: cls.__tag__)
def test_the_key_of_a_techniques_defaults_is_what_it_was_when_first_released(cls):
    """A changed key loses every stored result: pin a new field's value with ``absent=`` instead."""
    file = GOLDEN["file_of"](cls)
    assert file.is_file(), (
        f"{cls.__name__} has no golden key: run `python tests/effdsl/golden.py`, commit {file}"
    )
    assert GOLDEN["key_of_defaults"](cls) == json.loads(file.read_text(encoding="utf-8"))


def test_no_golden_key_is_of_a_technique_that_is_gone():
    """A tag that was released is never given up, since stored keys have it; nor do two share one."""
    tags = [cls.__tag__ for cls in GOLDEN["TECHNIQUES"]]
    assert sorted(file.stem for file in GOLDEN["FOLDER"].glob("*.json")) == sorted(tags)
