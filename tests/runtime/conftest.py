"""A stand-in driver library, compiled once, and a way to replay a trace through the real pynvml."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent / "probes"
HEADER = "t_s,power_mw,energy_mj,module_power_mw,module_energy_mj,memory,utilisation,reasons,pids"
Replay = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def driver_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("the stand-in for NVIDIA's driver library needs a C compiler, and there is none")
    folder = tmp_path_factory.mktemp("driver")
    source, library = HERE / "standin_nvml.c", folder / "libnvidia-ml.so.1"
    command = [compiler, "-shared", "-fPIC", "-Wall", "-Wextra", "-Werror", "-o", str(library), str(source)]
    subprocess.run(command, check=True)
    return folder


@pytest.fixture
def replay(driver_folder: Path, tmp_path: Path) -> Replay:
    """Replay rows of a trace, reading at ``times_s``, and return what came out."""

    def run(
        rows: Iterable[str], times_s: list[float], window_s: tuple[float, float], **standin: str
    ) -> dict[str, Any]:
        trace = tmp_path / "trace.csv"
        trace.write_text("\n".join([HEADER, *rows, ""]), encoding="ascii")
        kept = {name: value for name, value in os.environ.items() if not name.startswith("CUDA_")}
        environment = {**kept, "LD_LIBRARY_PATH": str(driver_folder), "STANDIN_TRACE": str(trace), **standin}
        done = subprocess.run(
            [sys.executable, "-W", "error", str(HERE / "replay_nvml.py")],
            input=json.dumps({"times_s": times_s, "window_s": window_s}),
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    return run
