"""How much text there is, as far as a plan can know it."""

from __future__ import annotations

from pathlib import Path

import pytest
from effdsl_runtime.data.batches import batches, held_out_windows
from effdsl_runtime.data.cached_text import corpus_folder, most_tokens
from effdsl_runtime.data.prepare import prepare
from effdsl_runtime.data.text_files import DataError
from effdsl_runtime.inputs import remarks_on_inputs, unfit_inputs
from effdsl_runtime.stages import pretraining  # noqa: F401  registers its inputs

from effdsl import JSONL, Attention, Budget, ByteTokenizer, LocalText, M, Parquet, Shakespeare, Study
from effdsl.data import Data
from effdsl.hardware import Hardware
from effdsl.plan import TaskState
from effdsl.planner import make_plan
from effdsl.task import Cell
from effdsl.techniques.attention import GQA

LAPTOP = Hardware(name="a laptop", kind="cpu")


@pytest.fixture
def text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Data:
    """A text of two documents per file, of a token per byte, not prepared yet."""
    monkeypatch.setenv("EFFDSL_CACHE", str(tmp_path / "cache"))
    for part in range(9):
        (tmp_path / f"{part}.txt").write_text(f"Part {part} of a small text.\n" * 400)
    files = str(tmp_path / "*.txt")
    return LocalText(files, held_out_fraction=0.3, tokenizer=ByteTokenizer()).resolve()


def cell(data: Data, context_length: int) -> Cell:
    study = Study(Attention([GQA]), [1 * M], data=data, budget=Budget(steps=1, context_length=context_length))
    planned = make_plan(study, LAPTOP).cells[0].cell
    assert planned is not None
    return planned


def test_a_context_is_refused_exactly_where_training_would_find_no_window(text: Data) -> None:
    corpus = prepare(text, lambda said: None)
    for part, serve in (
        (corpus.facts.held_out_tokens, lambda context: held_out_windows(corpus, context, context)),
        (corpus.facts.train_tokens, lambda context: next(batches(corpus, 1, context, 0))),
    ):
        serve(part - 1)
        with pytest.raises(DataError):
            serve(part)
    smaller = min(corpus.facts.held_out_tokens, corpus.facts.train_tokens)
    assert unfit_inputs()(cell(text, smaller - 1)) == ""
    assert f"part has {smaller:,} tokens, fewer than" in unfit_inputs()(cell(text, smaller))


def test_before_it_is_prepared_a_text_has_at_most_a_token_per_byte_and_mark(text: Data) -> None:
    most = most_tokens(text) or 0
    assert unfit_inputs()(cell(text, most // 2 - 1)) == ""
    assert f"at most {most:,} tokens" in unfit_inputs()(cell(text, most // 2))
    facts = prepare(text, lambda said: None).facts
    assert 0.99 * most < facts.train_tokens + facts.held_out_tokens <= most


def test_lines_of_json_have_fewer_tokens_than_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EFFDSL_CACHE", str(tmp_path / "cache"))
    file = tmp_path / "a.jsonl"
    file.write_text("".join(f'{{"text":"{n}"}}\n' for n in range(100)))
    data = JSONL(str(file), held_out_fraction=0.3, tokenizer=ByteTokenizer()).resolve()
    facts = prepare(data, lambda said: None).facts
    assert facts.train_tokens + facts.held_out_tokens <= (most_tokens(data) or 0)


def test_where_only_reading_would_tell_nothing_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"compressed")
    assert most_tokens(Parquet(str(tmp_path / "a.parquet")).resolve()) is None
    assert most_tokens(Shakespeare()) is None


def test_a_damaged_note_of_how_much_there_is_counts_as_none(text: Data) -> None:
    folder = corpus_folder(text, 0)
    folder.mkdir(parents=True)
    for content in ("", "[]", '{"train_tokens": 1}', "3"):
        (folder / "facts.json").write_text(content)
        assert unfit_inputs()(cell(text, 256)) == ""


def test_a_cell_whose_text_is_too_short_is_infeasible_with_the_reason(text: Data) -> None:
    study = Study(Attention([GQA]), [1 * M], data=text, budget=Budget(steps=1, context_length=10**6))
    plan = make_plan(study, LAPTOP, unfit=unfit_inputs())
    assert plan.counts()[TaskState.INFEASIBLE] == 3
    assert "give more text or a shorter context_length" in plan.tasks[0].reason


def test_a_text_that_is_read_many_times_is_remarked(text: Data) -> None:
    """Before it is prepared by its bytes, afterwards by its tokens."""
    budget = Budget(steps=4000, batch_size=8, context_length=256)
    study = Study(Attention([GQA]), [1 * M], data=text, budget=budget)
    for times in (8_192_000 / (most_tokens(text) or 0), None):
        times = times or 8_192_000 / prepare(text, lambda said: None).facts.train_tokens
        plan = make_plan(study, LAPTOP, remarks=remarks_on_inputs())
        assert f"the training text is read {times:,.0f} times" in plan.cells[0].remark
    once = study.derive(budget=Budget(steps=10, batch_size=8, context_length=256))
    assert make_plan(once, LAPTOP, remarks=remarks_on_inputs()).cells[0].remark == ""
