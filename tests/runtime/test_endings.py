"""What an ending is taken for."""

from __future__ import annotations

from pathlib import Path

import pytest
from effdsl_runtime.data.text_files import DataError
from effdsl_runtime.endings import BAD_INPUT, Diverged, ending_of, ending_of_death, oom_kills

from effdsl.outcome import Outcome
from effdsl.techniques.technique import Unsupported


class OutOfMemoryError(RuntimeError):
    """Named as torch names it."""


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (Diverged("nan"), Outcome.DIVERGED),
        (Unsupported("no GPU"), Outcome.UNSUPPORTED),
        (MemoryError(), Outcome.OOM),
        (OutOfMemoryError("CUDA out of memory"), Outcome.OOM),
        (RuntimeError("[enforce] DefaultCPUAllocator: can't allocate memory: tried 8 bytes"), Outcome.OOM),
        (RuntimeError("shape mismatch"), Outcome.FAILED),
    ],
)
def test_an_exception_becomes_an_outcome_with_a_reason(error: Exception, outcome: Outcome) -> None:
    ending = ending_of(error)
    assert ending.outcome is outcome
    assert ending.reason


def test_an_input_that_is_at_fault_is_told_from_a_mistake_of_ours() -> None:
    """Of the one the reason says all; of the other the kind of error too."""
    at_fault, ours = ending_of(DataError("the text\nis gone")), ending_of(RuntimeError("the text is gone"))
    assert (at_fault.reason, at_fault.flags) == ("the text is gone", (BAD_INPUT,))
    assert (ours.reason, ours.flags) == ("RuntimeError: the text is gone", ())


def test_sigkill_is_out_of_memory_only_when_the_kernel_says_so() -> None:
    assert ending_of_death(-9, True).outcome is Outcome.OOM
    assert ending_of_death(-9, False).outcome is Outcome.FAILED
    assert ending_of_death(-11, True).reason == "killed by signal 11"


def test_the_kernel_s_count_of_kills_is_read(tmp_path: Path) -> None:
    vmstat = tmp_path / "vmstat"
    vmstat.write_text("nr_free_pages 1\noom_kill 7\n")
    assert oom_kills(vmstat) == 7
    assert oom_kills(tmp_path / "absent") == 0
