"""One line of instructions: its three forms, and what every mistake in one says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from effdsl_runtime.data.conversations import Completion, Conversation, Message, from_line, medical_o1
from effdsl_runtime.data.text_files import DataError

FILE = Path("file.jsonl")
ASK, ANSWER = {"role": "user", "content": "A?"}, {"role": "assistant", "content": "B."}


def test_a_prompt_and_its_completion_stay_as_they_are() -> None:
    """Nothing is added to either; a prompt may be empty."""
    assert from_line('{"prompt": " a", "completion": "b "}', FILE, 1) == Completion(" a", "b ")
    assert from_line('{"prompt": "", "completion": "b", "id": 3}', FILE, 1) == Completion("", "b")


def test_messages_are_a_conversation() -> None:
    """Role and content of each message, in order."""
    line = json.dumps({"messages": [{"role": "system", "content": ""}, ASK, ANSWER], "prompt": "A?"})
    assert from_line(line, FILE, 1) == Conversation(
        (Message("system", ""), Message("user", "A?"), Message("assistant", "B."))
    )


@pytest.mark.parametrize("further", [{}, {"input": ""}, {"input": None}])
def test_alpaca_without_an_input(further: dict[str, object]) -> None:
    """The words of Stanford Alpaca's train.py for an instruction alone, braces in it left alone."""
    line = json.dumps({"instruction": "Add {1}.", "output": "2", **further})
    assert from_line(line, FILE, 1) == Completion(
        "Below is an instruction that describes a task. Write a response that appropriately completes the "
        "request.\n\n### Instruction:\nAdd {1}.\n\n### Response:",
        "2",
    )


def test_alpaca_with_an_input() -> None:
    """The words of Stanford Alpaca's train.py for an instruction with an input."""
    line = json.dumps({"instruction": "Add.", "input": "1 {instruction}", "output": "2"})
    assert from_line(line, FILE, 1) == Completion(
        "Below is an instruction that describes a task, paired with an input that provides further context. "
        "Write a response that appropriately completes the request.\n\n### Instruction:\nAdd.\n\n"
        "### Input:\n1 {instruction}\n\n### Response:",
        "2",
    )


def test_medical_o1_thinks_and_then_responds() -> None:
    """The completion has the headings of HuatuoGPT-o1's own training."""
    example = medical_o1({"Question": "q", "Complex_CoT": "c", "Response": "r"}, "row 1")
    assert example.completion == "## Thinking\n\nc\n\n## Final Response\n\nr"
    assert "### Instruction:\nq\n" in example.prompt


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"prompt": "a"', "not JSON: Expecting ',' delimiter"),
        ('"a"', "text, not an object"),
        ("[1]", "an array, not an object"),
        ('{"text": "a"}', "no field of instructions; it has 'text'; give prompt and completion, messages"),
        ("{}", "it has none; give prompt"),
        ('{"prompt": "a"}', "no field 'completion'; it has 'prompt'; give"),
        ('{"output": "a", "input": ""}', "no field 'instruction'; it has 'output', 'input'; give"),
        (
            '{"prompt": "a", "completion": "b", "messages": []}',
            r"more than one form \(messages and prompt \+ completion\); leave one",
        ),
        ('{"prompt": ["a"], "completion": "b"}', "'prompt' is an array, not text; correct the line"),
        ('{"prompt": "a", "completion": null}', "'completion' is null, not text"),
        ('{"prompt": "a", "completion": " \\n"}', "'completion' is empty; complete the line or leave it out"),
        ('{"prompt": "\\ud800", "completion": "b"}', "'prompt' has half of a character"),
        ('{"instruction": "a", "output": ""}', "'output' is empty"),
        ('{"instruction": "", "output": "a"}', "'instruction' is empty"),
        ('{"instruction": "a", "input": 3, "output": "b"}', "'input' is a number, not text"),
        ('{"messages": "a"}', "'messages' is text, not an array"),
        ('{"messages": []}', "it has no message; end it with the assistant's"),
        ('{"messages": ["a"]}', r'message 1 is text; write {"role": \.\.\., "content": \.\.\.}'),
        ('{"messages": [{"role": "user"}]}', "message 1: no field 'content'; it has 'role'"),
        (
            '{"messages": [{"role": "human", "content": "a"}]}',
            "message 1 has the role 'human'; roles are system, user and assistant",
        ),
        (json.dumps({"messages": [ASK]}), "its last message is the user's; end it with the assistant's"),
        (
            json.dumps({"messages": [ANSWER]}),
            "its first message is the assistant's; begin it with the user's",
        ),
        (
            json.dumps({"messages": [ASK, {"role": "assistant", "content": ""}]}),
            "message 2: 'content' is empty",
        ),
        (
            json.dumps({"messages": [ASK, {"role": "assistant", "content": [{"type": "text"}]}]}),
            "message 2: 'content' is an array, not text",
        ),
    ],
)
def test_a_mistake_is_named_with_file_and_line(line: str, message: str) -> None:
    """Every mistake is refused as ``file.jsonl:17:``, what was found and what to do."""
    with pytest.raises(DataError, match=rf"^file\.jsonl:17: .*({message})"):
        from_line(line, FILE, 17)


def test_an_array_is_made_lines_of() -> None:
    """Alpaca is published as one JSON array: the command that makes lines of it is given."""
    with pytest.raises(DataError, match=r"file\.jsonl:1: an array, not an object; .*`jq -c '\.\[\]'"):
        from_line('[{"instruction": "a", "output": "b"}]', FILE, 1)
