"""Training, tuning and held-out part: which text belongs to which, and how it is read."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import pytest
from effdsl_runtime.data.conversations import Completion
from effdsl_runtime.data.parts import Item, Passage, items, part_of
from effdsl_runtime.data.sources import documents
from effdsl_runtime.data.text_files import DataError
from hypothesis import given
from hypothesis import strategies as st

from effdsl.data import JSONL, BaseTokenizer, FineWebEdu, LocalText, Shakespeare
from effdsl.instructions import Instructions, MedicalO1, OpenO1SFT

TEXTS = st.lists(st.text(min_size=1).filter(str.strip), min_size=1, max_size=30)
FRACTIONS = st.floats(0.01, 0.49)


def read(completions: Iterable[str], fraction: float) -> list[Item]:
    """What is read of a file with these completions."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "i.jsonl"
        lines = (json.dumps({"prompt": "p", "completion": text}) for text in completions)
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return list(items(Instructions(path, held_out_fraction=fraction).resolve()))


@pytest.mark.slow
@given(texts=TEXTS, fraction=FRACTIONS, random=st.randoms())
def test_the_parts_cover_everything_whatever_the_order(
    texts: list[str], fraction: float, random: object
) -> None:
    """Every example is read once; in another order each belongs to the part that it belonged to."""
    texts = [text for text in texts if text.isprintable()] or ["x"]
    first = read(texts, fraction)
    assert [item.content for item in first] == [Completion("p", text) for text in texts]
    random.shuffle(texts)  # type: ignore[attr-defined]
    again = {item.content: item.part for item in read(texts, fraction)}
    assert {item.content: item.part for item in first} == again


@given(st.text(), FRACTIONS)
def test_tuning_is_beside_what_is_held_out(text: str, fraction: float) -> None:
    """What is for tuning at a fraction is held out at twice that, and is not held out at it."""
    part = part_of(text, fraction)
    assert (part != "train") == (part_of(text, 2 * fraction) == "held_out")


def test_as_much_is_for_tuning_as_is_held_out() -> None:
    """Of 20,000 texts a tenth is held out and a tenth for tuning, give or take four standard deviations."""
    parts = [part_of(f"text {i}", 0.1) for i in range(20_000)]
    assert all(abs(parts.count(part) - 2000) < 170 for part in ("held_out", "tuning"))


def test_a_text_is_held_out_as_in_pretraining(tmp_path: Path) -> None:
    """Held out is what the corpus holds out; tuning takes from its training part alone."""
    (tmp_path / "t.jsonl").write_text("".join(json.dumps({"text": f"t {i}"}) + "\n" for i in range(200)))
    data = JSONL(tmp_path / "t.jsonl", held_out_fraction=0.3, tokenizer=BaseTokenizer()).resolve()
    found = [(item.content, item.part == "held_out") for item in items(data)]
    assert found == [(Passage(text), held_out) for text, held_out in documents(data)]


def test_works_of_shakespeare_are_tuned_on_by_the_piece() -> None:
    """The works held out by name stay so; of the rest a twentieth of the pieces is for tuning, and a work
    ends with its last piece alone."""
    data = Shakespeare(tokenizer=BaseTokenizer())
    found = list(items(data))
    text = {part: sum(len(i.content.text) for i in found if i.part == part) for part in ("train", "tuning")}
    assert 0.02 < text["tuning"] / text["train"] < 0.1
    held_out = [item.content for item in found if item.part == "held_out"]
    assert held_out == [Passage(d.text) for d in documents(data) if d.held_out]
    passages = [item.content for item in found]
    assert "".join(p.text for p in passages) == "".join(d.text for d in documents(data))  # type: ignore[union-attr]
    assert sum(p.ends for p in passages) == 42  # type: ignore[union-attr]


def test_a_mistake_is_named_with_file_and_line(tmp_path: Path) -> None:
    """Lines are counted as an editor counts them, blank ones and a byte-order mark too."""
    path = tmp_path / "i.jsonl"
    path.write_text('\ufeff{"prompt": "a", "completion": "b"}\n\n{"prompt": "a"}\n', encoding="utf-8")
    with pytest.raises(DataError, match=r"i\.jsonl:3: no field 'completion'"):
        list(items(Instructions(path).resolve()))


def test_a_line_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    """What is in another encoding is refused with the command that converts it."""
    (tmp_path / "i.jsonl").write_bytes('{"prompt": "a", "completion": "ä"}\n'.encode("latin1"))
    with pytest.raises(DataError, match=r"i\.jsonl:1 is not UTF-8: byte 0xe4; `iconv"):
        list(items(Instructions(tmp_path / "i.jsonl").resolve()))


def test_files_changed_since_the_plan_are_refused(tmp_path: Path) -> None:
    """Content that is not what the key says is never trained on."""
    path = tmp_path / "i.jsonl"
    path.write_text('{"prompt": "a", "completion": "b"}\n', encoding="utf-8")
    data = Instructions(path).resolve()
    path.write_text('{"prompt": "a", "completion": "c"}\n', encoding="utf-8")
    with pytest.raises(DataError, match="plan the study again"):
        list(items(data))


class FakeHub:
    """Stands in for the package ``datasets``: serves one row, or fails as without a network."""

    def __init__(self, row: dict[str, object] | Exception) -> None:
        self.row = row
        self.asked: list[object] = []

    def load_dataset(self, *args: object, **kwargs: object) -> object:
        self.asked.append((args, kwargs))
        if isinstance(self.row, Exception):
            raise self.row
        return [self.row]


def test_published_instructions_are_asked_for_by_revision(monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenO1's file and the English configuration of medical-o1 are read, each in its fields."""
    hub = FakeHub({"instruction": "i", "output": "o"})
    monkeypatch.setitem(sys.modules, "datasets", hub)
    (item,) = items(OpenO1SFT(revision="abc"))
    assert isinstance(item.content, Completion)
    assert item.content.completion == "o"
    hub.row = {"Question": "q", "Complex_CoT": "c", "Response": "r"}
    (item,) = items(MedicalO1())
    assert item.place == "FreedomIntelligence/medical-o1-reasoning-SFT: row 1"
    assert hub.asked == [
        (
            ("O1-OPEN/OpenO1-SFT", None),
            {"data_files": "OpenO1-SFT.jsonl", "split": "train", "revision": "abc"},
        ),
        (
            ("FreedomIntelligence/medical-o1-reasoning-SFT", "en"),
            {"data_files": None, "split": "train", "revision": "main"},
        ),
    ]


def test_a_published_row_with_a_mistake_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row has no line, and is named by its number."""
    monkeypatch.setitem(sys.modules, "datasets", FakeHub({"instruction": "i", "output": ""}))
    with pytest.raises(DataError, match=r"^O1-OPEN/OpenO1-SFT: row 1: 'output' is empty"):
        list(items(OpenO1SFT()))


def test_an_unreachable_hub_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hub's own error is passed on with the two ways out."""
    monkeypatch.setitem(sys.modules, "datasets", FakeHub(ConnectionError("Couldn't reach the Hub")))
    with pytest.raises(DataError, match=r"Couldn't reach the Hub\nRun where .*Instructions\('\*\.jsonl'\)"):
        list(items(MedicalO1()))


def test_without_datasets_the_command_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the package datasets is not installed the message is the pip command."""
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(DataError, match=r"pip install 'effdsl\[hub\]'"):
        list(items(OpenO1SFT()))


def test_a_stream_is_not_fine_tuned_on() -> None:
    """FineWeb-Edu has no end, and is refused with what can be given instead."""
    with pytest.raises(DataError, match=r"fine-tunes on FineWebEdu; give .*LocalText"):
        next(items(FineWebEdu()))


def test_plain_text_is_passages(tmp_path: Path) -> None:
    """A file of text is a document, which ends."""
    (tmp_path / "a.txt").write_text("one\n", encoding="utf-8")
    data = LocalText(tmp_path / "a.txt", tokenizer=BaseTokenizer()).resolve()
    assert [item.content for item in items(data)] == [Passage("one\n", ends=True)]
