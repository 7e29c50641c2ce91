"""What the fork server has loaded before the first task."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("tqdm")

BAR = """
import effdsl_runtime.executing.preload
from multiprocessing import resource_tracker, set_start_method
set_start_method("forkserver")  # as it is in the server's children
from tqdm.auto import tqdm
list(tqdm(range(3)))
print(resource_tracker._resource_tracker._fd)
"""


@pytest.mark.slow
def test_a_progress_bar_makes_no_semaphore_that_a_killed_task_would_leave() -> None:
    """Python tracks semaphores in a process of its own, which complains of them after a kill; where none was
    made, that process was never started."""
    ran = subprocess.run([sys.executable, "-c", BAR], capture_output=True, text=True, check=True)
    assert ran.stdout == "None\n"
