"""What the tests, and the processes that they start, inherit."""

import os
import signal

import pytest

# Idle OpenMP threads that spin take the cores from the tests beside them.
os.environ.update({"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0"})

# No test asks the hub but one of its own.
os.environ["HF_HUB_OFFLINE"] = "1"

# Who runs the tests in the background, by a shell or ``nohup``, has signals ignored.
for number in (signal.SIGINT, signal.SIGHUP):
    if signal.getsignal(number) is signal.SIG_IGN:
        # A handler is not inherited as "ignored": what the tests start hears the signal.
        signal.signal(number, lambda *_: None)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests of engines in environments of their own run only where they are asked for."""
    if "engines" in (config.option.markexpr or ""):
        return
    left_out = [item for item in items if item.get_closest_marker("engines")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
