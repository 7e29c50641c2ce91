"""Examples as tokens of a model: what is predicted in them, what is cut off, where they are cached."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest
from effdsl_runtime.data.codec import load
from effdsl_runtime.data.conversations import Completion, Conversation, Message
from effdsl_runtime.data.examples import ExampleSet
from effdsl_runtime.data.model_tokenizer import Example, ModelTokenizer
from effdsl_runtime.data.parts import items
from effdsl_runtime.data.prepare_examples import cut_passage, prepare_examples
from effdsl_runtime.data.text_files import DataError
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer

from effdsl.data import BPE, BaseTokenizer, LocalText

from .conftest import Base, Written

PLAIN = (
    "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}"
)
ROWS = [{"prompt": f"What is {i}?\n", "completion": "A tree" + " tree" * (i % 7)} for i in range(60)]


def silent(_: str) -> None:
    """Nobody listens."""


def all_of(examples: ExampleSet) -> Iterator[Example]:
    """The examples of every part."""
    return chain(examples.train, examples.tuning, examples.held_out)


def learned(example: Example, folder: Path) -> tuple[str, list[str]]:
    """An example as text, and the runs of it that are predicted."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    runs: list[list[int]] = []
    for i, (token, predicted) in enumerate(zip(*example, strict=True)):
        if predicted and i and example.predicted[i - 1]:
            runs[-1].append(token)
        elif predicted:
            runs.append([token])
    return tokenizer.decode(example.tokens), [tokenizer.decode(run) for run in runs]


def test_the_completion_and_its_end_are_predicted(base: Base) -> None:
    """Counted by hand: of 'ab' and 'cd' the last two bytes and the end of text, and no first token ever."""
    tokenizer = ModelTokenizer(base(vocab_size=257))
    end = tokenizer.end_of_text
    both = tokenizer.completions([Completion("ab", "cd"), Completion("", "cd")])
    a, b, c, d = both[0].tokens[:4]
    assert both[0] == Example([a, b, c, d, end], [False, False, True, True, True])
    assert both[1] == Example([c, d, end], [False, True, True])


def test_an_end_that_is_there_is_not_put_twice(base: Base) -> None:
    """A completion that was written with the end of text has one."""
    tokenizer = ModelTokenizer(base())
    plain, ended = tokenizer.completions([Completion("a", "tree"), Completion("a", "tree<|endoftext|>")])
    assert plain == ended


def test_a_token_across_the_boundary_is_predicted(base: Base) -> None:
    """Where the prompt's end and the completion's start are one token, all of it is learned."""
    folder = base()
    (example,) = ModelTokenizer(folder).completions([Completion("a tr", "ee")])
    assert learned(example, folder) == ("a tree<|endoftext|>", [" tree<|endoftext|>"])


def test_each_turn_of_the_assistant_is_predicted(base: Base) -> None:
    """With a template that marks nothing, every answer and its end, a first line break included."""
    folder = base(PLAIN)
    turns = [("system", "s"), ("user", "q"), ("assistant", "\na tree"), ("user", "q"), ("assistant", "b: c")]
    conversation = Conversation(tuple(Message(*turn) for turn in turns))
    (example,) = ModelTokenizer(folder).conversations([conversation], ["f:1"])
    text, runs = learned(example, folder)
    assert text == "system: s\nuser: q\nassistant: \na tree\nuser: q\nassistant: b: c\n"
    assert [run.strip() for run in runs] == ["a tree", "b: c"]


@pytest.mark.parametrize(
    ("template", "message"),
    [
        (None, "f:1: messages need a chat template, and the tokenizer in .* has none; give prompt and"),
        (
            "{% for m in messages %}{{ m.content if loop.last or m.role == 'user' }}{% endfor %}",
            "f:1: .* writes a conversation anew when it goes on, so that message 2, the assistant's, cannot",
        ),
        ("{{ raise_exception('No system!') }}", "f:1: .* refuses the conversation: No system!"),
        (
            "{% for m in messages %}{{ m.content if m.role == 'user' }}{% endfor %}",
            "f:1: .* leaves out what the assistant says",
        ),
    ],
)
def test_a_template_that_does_not_fit_says_so(base: Base, template: str | None, message: str) -> None:
    """No template, one that rewrites what was said, one that refuses, one that leaves the answer out."""
    turns = [("user", "q"), ("assistant", "a"), ("user", "q"), ("assistant", "b")]
    conversation = Conversation(tuple(Message(*turn) for turn in turns))
    with pytest.raises(DataError, match=message):
        ModelTokenizer(base(template)).conversations([conversation], ["f:1"])


def test_examples_come_back_as_they_were_cut(cache: Path, base: Base, written: Written) -> None:
    """Memory-mapped, each example is what the tokenizer made of its line, in the part of its line."""
    data, folder = written(ROWS), base()
    found = prepare_examples(data, folder, 64, silent)
    tokenizer = ModelTokenizer(folder)
    for part in ("train", "tuning", "held_out"):
        contents = [item.content for item in items(data) if item.part == part]
        assert list(getattr(found, part)) == tokenizer.completions(contents)  # type: ignore[arg-type]
    assert found.train[-1] == found.train[:][-1] == list(found.train)[-1]
    assert found.pad == tokenizer.end_of_text


def test_the_facts_count_what_is_there(cache: Path, base: Base, written: Written) -> None:
    """Examples, tokens, predicted tokens, and the bytes that those stand for: the completions."""
    data = written(ROWS)
    found = prepare_examples(data, base(), 64, silent)
    for part in (found.train, found.tuning, found.held_out):
        assert part.facts.examples == len(part) > 5
        assert part.facts.tokens == sum(len(example.tokens) for example in part)
        assert part.facts.predicted_tokens == sum(sum(example.predicted) for example in part)
    held_out = [item.content for item in items(data) if item.part == "held_out"]
    assert found.held_out.facts.predicted_bytes == sum(len(c.completion) for c in held_out)  # type: ignore[union-attr]


def test_what_is_too_long_loses_its_end_and_is_counted(cache: Path, base: Base, written: Written) -> None:
    """The start is kept up to the context, and every example that lost something is counted."""
    data, folder = written(ROWS), base()
    whole = list(all_of(prepare_examples(data, folder, 64, silent)))
    longest = max(len(example.tokens) for example in whole)
    found = prepare_examples(data, folder, longest - 2, silent)
    assert [e.tokens for e in all_of(found)] == [e.tokens[: longest - 2] for e in whole]
    counted = sum(part.facts.truncated for part in (found.train, found.tuning, found.held_out))
    assert counted == sum(len(example.tokens) > longest - 2 for example in whole) > 0


def test_a_prompt_without_room_is_named(cache: Path, base: Base, written: Written) -> None:
    """File and line of the first, its tokens, how many more there are, and the context that has room."""
    long = [{"prompt": "x" * n, "completion": "y"} for n in (20, 32, 31)]
    data, folder = written([*ROWS, *long]), base()
    message = (
        r"i\.jsonl:61: the prompt has 20 tokens, and 2 more have as many as the context or more, "
        r"which leaves no room .* context_length=20; give context_length=33 or more"
    )
    with pytest.raises(DataError, match=message):
        prepare_examples(data, folder, 20, silent)
    assert not [f for f in (cache / "examples").iterdir() if f.is_dir()]
    assert len(list(all_of(prepare_examples(data, folder, 33, silent)))) == 63


def test_a_context_of_one_token_is_refused(cache: Path, base: Base, written: Written) -> None:
    """The first token is never predicted, so one alone teaches nothing."""
    with pytest.raises(DataError, match="context_length=1 leaves nothing to predict; give at least 2"):
        prepare_examples(written(ROWS), base(), 1, silent)


@given(st.lists(st.integers(0, 9), max_size=40), st.integers(2, 12))
def test_pieces_predict_every_token_but_the_first_once(tokens: list[int], context_length: int) -> None:
    """Whatever the lengths, what is predicted in the pieces is the document after its first token."""
    cut = list(cut_passage(tokens, context_length))
    predicted = [t for piece in cut for t, learned in zip(*piece, strict=True) if learned]
    assert predicted == tokens[1:]
    assert all(2 <= len(piece.tokens) <= context_length and not piece.predicted[0] for piece in cut)


def test_documents_are_never_joined(cache: Path, base: Base, tmp_path: Path) -> None:
    """The end of text stands in no piece but at its end, and once a document; a mark's name is text."""
    for i in range(30):
        (tmp_path / f"{i}.txt").write_text(f"The sea {i}<|endoftext|> tree. " * i + "x", encoding="utf-8")
    data = LocalText(str(tmp_path / "*.txt"), held_out_fraction=0.2, tokenizer=BaseTokenizer()).resolve()
    folder = base()
    end = ModelTokenizer(folder).end_of_text
    pieces = list(all_of(prepare_examples(data, folder, 32, silent)))
    assert sum(piece.tokens.count(end) for piece in pieces) == 30
    assert not any(end in piece.tokens[:-1] for piece in pieces)
    assert all(all(piece.predicted[1:]) for piece in pieces)


def test_an_empty_part_is_refused(cache: Path, base: Base, written: Written) -> None:
    """Too few examples to be parted say so, by the name of the part that got none, and of the file."""
    data = written(ROWS[:1])
    with pytest.raises(
        DataError, match=r"the .* part is empty: .*give more text, or another held_out"
    ) as said:
        prepare_examples(data, base(), 64, silent)
    assert f"({data.paths[0]}): the " in str(said.value)


def test_a_second_call_reads_the_cache(cache: Path, base: Base, written: Written) -> None:
    """With the text gone, the cached examples still serve, and transformers is not asked."""
    data, folder = written(ROWS), base()
    first = list(all_of(prepare_examples(data, folder, 64, silent)))
    Path(data.paths[0]).unlink()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("effdsl_runtime.data.prepare_examples.ModelTokenizer", None)
        assert list(all_of(prepare_examples(data, folder, 64, silent))) == first
    with pytest.raises(DataError, match="No such file"):
        prepare_examples(data, folder, 32, silent)


def test_another_tokenizer_has_its_own_examples(cache: Path, base: Base, written: Written) -> None:
    """A changed file of the tokenizer is another entry; a changed weight, or another folder, is not."""
    data, folder = written(ROWS), base()
    prepare_examples(data, folder, 64, silent)
    (folder / "model.safetensors").write_bytes(b"other weights")
    prepare_examples(data, folder, 64, silent)
    folder.rename(folder.with_name("moved"))
    prepare_examples(data, folder.with_name("moved"), 64, silent)
    assert len([f for f in (cache / "examples").iterdir() if f.is_dir()]) == 1
    smaller = prepare_examples(data, base(vocab_size=257), 64, silent)
    assert len([f for f in (cache / "examples").iterdir() if f.is_dir()]) == 2
    assert smaller.train.facts.tokens > prepare_examples(data, base(), 64, silent).train.facts.tokens


def test_damaged_examples_are_made_again(cache: Path, base: Base, written: Written) -> None:
    """A truncated file is noticed and written anew."""
    data, folder = written(ROWS), base()
    first = list(all_of(prepare_examples(data, folder, 64, silent)))
    (file,) = cache.glob("examples/*/train.predicted.bin")
    file.write_bytes(file.read_bytes()[:-1])
    assert list(all_of(prepare_examples(data, folder, 64, silent))) == first


def test_nothing_is_left_of_a_preparation_that_failed(cache: Path, base: Base, written: Written) -> None:
    """A mistake in a line leaves no folder that could be taken for examples."""
    with pytest.raises(DataError, match=r"i\.jsonl:61: no field 'completion'"):
        prepare_examples(written([*ROWS, {"prompt": "a"}]), base(), 64, silent)
    assert not [f for f in (cache / "examples").iterdir() if f.is_dir()]


@pytest.mark.slow
def test_two_processes_prepare_once(cache: Path, base: Base, written: Written) -> None:
    """Of two processes that want the same examples at once one makes them and the other waits for it."""
    data, folder = written(ROWS), base()
    program = f"""
import sys, transformers
import effdsl_runtime.data.prepare_examples as module
from effdsl.instructions import Instructions
make = module._make
module._make = lambda *args: (print("making", flush=True), make(*args))
data = Instructions({data.paths[0]!r}, held_out_fraction=0.3).resolve()
print(sys.stdin.readline(), end="")
print(module.prepare_examples(data, {str(folder)!r}, 64, lambda _: None).train[0])
"""
    both = [
        subprocess.Popen(
            [sys.executable, "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )
        for _ in range(2)
    ]
    for process in both:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    said = [process.communicate(timeout=60)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sum("making" in words for words in said) == 1
    assert len({words.splitlines()[-1] for words in said}) == 1
    assert len([f for f in (cache / "examples").iterdir() if f.is_dir()]) == 1


def test_a_base_without_a_tokenizer_says_so(cache: Path, written: Written, tmp_path: Path) -> None:
    """A folder that is not there, one without a tokenizer, and a model that cannot be fetched."""
    data = written(ROWS)
    with pytest.raises(DataError, match="gone: no such folder; train the base again"):
        prepare_examples(data, tmp_path / "gone", 64, silent)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="empty has no tokenizer"):
        prepare_examples(data, tmp_path / "empty", 64, silent)


def test_a_model_that_cannot_be_fetched_says_what_to_do(
    cache: Path, written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a network the hub's own error is passed on with the two ways out."""

    def failing(*_: object, **__: object) -> None:
        raise ConnectionError("no network")

    monkeypatch.setattr("huggingface_hub.snapshot_download", failing)
    with pytest.raises(DataError, match=r"of some/model \(revision abc\) cannot be loaded: no network\nRun"):
        prepare_examples(written(ROWS), "some/model", 64, silent, revision="abc")


def test_a_tokenizer_without_an_end_of_text_is_refused(cache: Path, base: Base, written: Written) -> None:
    """Nothing would teach the model to stop."""
    folder = base(eos_token=None)
    with pytest.raises(DataError, match=r"has no end-of-text token, .*give eos_token in its"):
        prepare_examples(written(ROWS), folder, 64, silent)


@pytest.mark.parametrize("model_type", ["qwen2", "llama", "mixtral", "mamba2", "rwkv", "gpt_neox"])
def test_a_base_of_ours_is_fine_tuned_on_the_tokens_of_its_pretraining(base: Base, model_type: str) -> None:
    """Whatever kind of model the folder says it is for, text is cut as the corpus was."""
    folder = base(vocab_size=400)
    (folder / "config.json").write_text(f'{{"model_type": "{model_type}"}}', encoding="utf-8")
    codec = load(BPE(400), folder)
    texts = ["The sea isn't  a tree 1234.\n\n", "e\u0301 — <|endoftext|> ä\r\n\ttree", ""]
    expected = [[*ids, codec.separator] for ids in codec.encode(texts)]
    assert ModelTokenizer(folder).passages(texts, [True] * 3) == expected
