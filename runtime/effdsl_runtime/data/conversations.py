"""One line of instructions: a prompt and its completion, or a conversation."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from effdsl.problems import listed
from effdsl_runtime.data.text_files import DataError, as_lines, checked_text, kind_of

ROLES = ("system", "user", "assistant")
FORMS = (("messages",), ("prompt", "completion"), ("instruction", "output"))
ALPACA = (
    "Below is an instruction that describes a task. Write a response that appropriately completes the "
    "request.\n\n### Instruction:\n{instruction}\n\n### Response:"
)
ALPACA_WITH_INPUT = (
    "Below is an instruction that describes a task, paired with an input that provides further context. "
    "Write a response that appropriately completes the request.\n\n### Instruction:\n{instruction}\n\n"
    "### Input:\n{input}\n\n### Response:"
)
"""The prompts of Stanford Alpaca, from its ``train.py``; nothing stands between one and its completion."""


class Completion(NamedTuple):
    """A prompt and what is learned to follow it."""

    prompt: str
    completion: str

    @property
    def text(self) -> str:
        """What decides on which part it belongs to."""
        return self.prompt + self.completion


class Message(NamedTuple):
    """A turn of a conversation."""

    role: str
    content: str


class Conversation(NamedTuple):
    """Turns, of which the assistant's are learned; the last is one."""

    messages: tuple[Message, ...]

    @property
    def text(self) -> str:
        """What decides on which part it belongs to; no chat template is in it."""
        return "\n".join(f"{role}: {content}" for role, content in self.messages)


def from_line(line: str, path: Path, number: int) -> Completion | Conversation:
    """What a line of a JSON Lines file says.

    Raises:
        DataError: for any mistake in it, with file and line.
    """
    place = f"{path}:{number}"
    try:
        row = json.loads(line)
    except ValueError as error:
        raise DataError(f"{place}: not JSON: {error}{as_lines(line, path, number)}") from None
    if not isinstance(row, dict):
        raise DataError(f"{place}: {kind_of(row)}, not an object{as_lines(line, path, number)}")
    return from_row(row, place)


def from_row(row: Mapping[str, Any], place: str) -> Completion | Conversation:
    """What an object says, in whichever form.

    Raises:
        DataError: for any mistake in it, at ``place``.
    """
    (first, *_) = _form(row, place)
    if first == "messages":
        return _conversation(row["messages"], place)
    if first == "prompt":
        return Completion(_text(row, "prompt", place), _some_text(row, "completion", place))
    return alpaca(row, place)


def alpaca(row: Mapping[str, Any], place: str) -> Completion:
    """The example of Stanford Alpaca's fields."""
    instruction, output = _some_text(row, "instruction", place), _some_text(row, "output", place)
    further = _text(row, "input", place) if row.get("input") is not None else ""
    # format leaves braces in the values alone
    prompt = (ALPACA_WITH_INPUT if further else ALPACA).format(instruction=instruction, input=further)
    return Completion(prompt, output)


def medical_o1(row: Mapping[str, Any], place: str) -> Completion:
    """An example of medical-o1-reasoning-SFT, its completion as in ``SFT_stage1.py`` of its authors
    (github.com/FreedomIntelligence/HuatuoGPT-o1)."""
    question, thought, response = (
        _some_text(row, field, place) for field in ("Question", "Complex_CoT", "Response")
    )
    completion = f"## Thinking\n\n{thought}\n\n## Final Response\n\n{response}"
    return Completion(ALPACA.format(instruction=question), completion)


def _form(row: Mapping[str, Any], place: str) -> tuple[str, ...]:
    """The required fields of the one form that ``row`` has."""
    there = [form for form in FORMS if all(field in row for field in form)]
    if len(there) == 1:
        return there[0]
    if there:
        both = listed(" + ".join(form) for form in there)
        raise DataError(f"{place}: has the fields of more than one form ({both}); leave one")
    begun = next((form for form in FORMS if any(field in row for field in form)), ())
    missing = listed([repr(field) for field in begun if field not in row]) if begun else "of instructions"
    raise DataError(
        f"{place}: no field {missing}; it has {', '.join(map(repr, row)) or 'none'}; give prompt and "
        "completion, messages, or instruction, input and output"
    )


def _conversation(messages: object, place: str) -> Conversation:
    if not isinstance(messages, list):
        raise DataError(f"{place}: 'messages' is {kind_of(messages)}, not an array; correct the line")
    turns = tuple(_message(message, f"{place}: message {i}") for i, message in enumerate(messages, 1))
    if not turns or turns[-1].role != "assistant":
        last = f"its last message is the {turns[-1].role}'s" if turns else "it has no message"
        raise DataError(f"{place}: {last}; end it with the assistant's, which is what is learned")
    if turns[0].role == "assistant":
        raise DataError(
            f"{place}: its first message is the assistant's; begin it with the user's, or a system message"
        )
    return Conversation(turns)


def _message(message: object, place: str) -> Message:
    if not isinstance(message, dict):
        raise DataError(f'{place} is {kind_of(message)}; write {{"role": ..., "content": ...}}')
    role = _text(message, "role", place)
    if role not in ROLES:
        raise DataError(f"{place} has the role {role!r}; roles are {listed(ROLES)}")
    read = _some_text if role == "assistant" else _text
    return Message(role, read(message, "content", place))


def _some_text(row: Mapping[str, Any], field: str, place: str) -> str:
    text = _text(row, field, place)
    if not text.strip():
        raise DataError(f"{place}: {field!r} is empty; complete the line or leave it out")
    return text


def _text(row: Mapping[str, Any], field: str, place: str) -> str:
    if field not in row:
        raise DataError(f"{place}: no field {field!r}; it has {', '.join(map(repr, row)) or 'none'}")
    return checked_text(row[field], field, place)
