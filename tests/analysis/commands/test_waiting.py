"""What takes long shows that it lives, in a terminal only."""

from __future__ import annotations

import sys
from io import StringIO
from threading import Event
from typing import Any

import pytest
from effdsl_analysis.commands import waiting as module
from effdsl_analysis.commands.shared import show
from effdsl_analysis.commands.waiting import waiting
from effdsl_analysis.questions.rank.published_ranking import rank_published

LONGEST_S = 30
ERASED = "\x1b[2K"


class Terminal(StringIO):
    """A terminal that keeps what is written, and says when it is a certain word."""

    def __init__(self, word: str) -> None:
        super().__init__()
        self.word = word
        self.shown = Event()

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if self.word in text:
            self.shown.set()
        return super().write(text)


def patched(monkeypatch: pytest.MonkeyPatch, word: str, after_s: float = 0) -> Terminal:
    """Standard error as a terminal that waits for ``word``; called in the test, as pytest sets its own."""
    made = Terminal(word)
    monkeypatch.setattr(sys, "stderr", made)
    monkeypatch.setattr(module, "AFTER_S", after_s)
    monkeypatch.setenv("TERM", "xterm")
    return made


def test_a_long_wait_is_shown_and_wiped_out(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = patched(monkeypatch, "[bold]")
    with waiting("asking [bold]"):
        assert terminal.shown.wait(LONGEST_S), "as it is spelled, without markup"
    assert terminal.getvalue().endswith(ERASED)


def test_a_short_wait_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = patched(monkeypatch, "asking", after_s=LONGEST_S)
    with waiting("asking"):
        pass
    assert terminal.getvalue() == ""


def test_an_interrupt_passes_and_the_line_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = patched(monkeypatch, "asking")

    def interrupted() -> None:
        with waiting("asking"):
            assert terminal.shown.wait(LONGEST_S)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert terminal.getvalue().endswith(ERASED)


def test_where_stderr_is_no_terminal_nothing_is_written(
    shelf: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AFTER_S", 0)
    show(rank_published, shelf.root, as_json=True)
    out, err = capsys.readouterr()
    assert out.startswith("[")
    assert err == ""


def test_every_answer_is_waited_for(
    shelf: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = patched(monkeypatch, "asking the store")

    def slow(store: Any) -> Any:
        assert terminal.shown.wait(LONGEST_S)
        return rank_published(store)

    show(slow, shelf.root, as_json=True)
    assert capsys.readouterr().out.startswith("[")
