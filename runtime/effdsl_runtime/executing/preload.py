"""What the fork server imports last, so that no task pays for it.

These are imported where they are needed, which in a task would be after its start. What is loaded by
then is kept from the garbage collector: a full collection among torch's objects takes longer than
everything else around a task, and would copy the pages that forks share.
"""

import gc
import os
import threading
from contextlib import suppress

import duckdb  # noqa: F401
import numpy.ma  # noqa: F401
import psutil  # noqa: F401

import effdsl.expand  # noqa: F401  every technique that a task may be sent with
import effdsl_runtime.stages  # noqa: F401
from effdsl_runtime.machine import libraries
from effdsl_runtime.tied import end_with

with suppress(ImportError):  # it comes with transformers
    from tqdm import tqdm  # type: ignore[import-untyped]

    # Its own lock would be for all processes: a semaphore, of which Python warns once a task was killed.
    tqdm.set_lock(threading.RLock())
end_with(os.getppid())  # its tasks hold it open, and a silent one would outlive the executor by it
libraries()
gc.collect()
gc.freeze()
