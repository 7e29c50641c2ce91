"""Reads what is fine-tuned on, each text or example marked as of the training, tuning or held-out part.

The tuning part is what choices such as a learning rate are made on. Which part something belongs to depends
on its text and on nothing else: neither on the model nor on how it is fine-tuned.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import singledispatch
from pathlib import Path
from typing import Any, Literal, NamedTuple

from effdsl.data import Data, Files, PythonHelp, Shakespeare
from effdsl.installing import how_to_install
from effdsl.instructions import HubInstructions, Instructions, MedicalO1, OpenO1SFT
from effdsl_runtime.data.conversations import Completion, Conversation, alpaca, from_line, medical_o1
from effdsl_runtime.data.sources import check_content, documents, is_held_out
from effdsl_runtime.data.text_files import UTF8_MARK, DataError, not_utf8, pieces

Part = Literal["train", "tuning", "held_out"]
PARTS: tuple[Part, ...] = ("train", "tuning", "held_out")
TUNING_FRACTION = 0.05
"""Of the training text, where what is held out is named and not drawn."""
ROWS: Mapping[type[HubInstructions], Callable[[Mapping[str, Any], str], Completion]] = {
    OpenO1SFT: alpaca,
    MedicalO1: medical_o1,
}


class Passage(NamedTuple):
    """Text that is learned as a whole.

    Attributes:
        text: a document, or a part of one.
        ends: whether its document ends with it.
    """

    text: str
    ends: bool = True


class Item(NamedTuple):
    """A passage or an example.

    Attributes:
        part: the part it belongs to.
        place: where it was read, for a message; empty for passages.
        content: what it says.
    """

    part: Part
    place: str
    content: Passage | Completion | Conversation


def part_of(text: str, fraction: float) -> Part:
    """The part of a text: by its hash, ``fraction`` of all are held out and as many are for tuning."""
    if is_held_out(text, fraction):
        return "held_out"
    return "tuning" if is_held_out(text, 2 * fraction) else "train"


@singledispatch
def items(data: Data) -> Iterator[Item]:
    """What is in ``data``, in an order that is always the same.

    Args:
        data: what ``resolve()`` returned.

    Raises:
        DataError: when it is not here, is not what ``data.revision`` says, or has a mistake in it.
    """
    raise DataError(
        f"nothing here fine-tunes on {type(data).__name__}; give instructions, data=Instructions('*.jsonl'), "
        "or files of text, data=LocalText('*.txt')"
    )


@items.register
def _(data: PythonHelp) -> Iterator[Item]:
    for text, _ in documents(data):
        yield Item(part_of(text, data.held_out_fraction), "", Passage(text))


@items.register
def _(data: Shakespeare) -> Iterator[Item]:
    for work, held_out in documents(data):
        if held_out:
            yield Item("held_out", "", Passage(work))
            continue
        cut = list(pieces([work]))
        for i, piece in enumerate(cut, 1):
            part: Part = "tuning" if is_held_out(piece, TUNING_FRACTION) else "train"
            yield Item(part, "", Passage(piece, ends=i == len(cut)))


@items.register
def _(data: Files) -> Iterator[Item]:
    for text, _ in documents(data):
        yield Item(part_of(text, data.held_out_fraction), "", Passage(text))


@items.register
def _(data: Instructions) -> Iterator[Item]:
    files, remedy = tuple(map(Path, data.paths)), "plan the study again to train on the files as they are now"
    check_content(data, files, remedy)
    for path in files:
        for number, line in _lines(path):
            content = from_line(line, path, number)
            yield Item(part_of(content.text, data.held_out_fraction), f"{path}:{number}", content)
    check_content(data, files, remedy)  # what was read is what was hashed


@items.register
def _(data: HubInstructions) -> Iterator[Item]:
    for number, row in enumerate(_rows(data), 1):
        place = f"{data.hub_id}: row {number:,}"
        content = ROWS[type(data)](row, place)
        yield Item(part_of(content.text, data.held_out_fraction), place, content)


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines that are not blank, with their numbers; a byte-order mark is no text."""
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                text = (line.removeprefix(UTF8_MARK) if number == 1 else line).decode()
            except UnicodeDecodeError:
                raise DataError(not_utf8(path)) from None
            if text.strip():
                yield number, text


def _rows(data: HubInstructions) -> Iterator[Mapping[str, Any]]:
    where = f"{data.hub_id} (revision {data.revision})"
    try:
        from datasets import load_dataset
    except ImportError:
        raise DataError(f"{where} needs the package datasets; run: {how_to_install('datasets')}") from None
    try:
        yield from load_dataset(
            data.hub_id, data.hub_config, data_files=data.hub_files, split="train", revision=data.revision
        )
    except (OSError, ValueError) as error:  # what the hub's client raises without a network, or a revision
        raise DataError(
            f"{where} cannot be read: {error}\nRun where https://huggingface.co can be reached, or fine-tune "
            "on files that you have: data=Instructions('*.jsonl')"
        ) from error
