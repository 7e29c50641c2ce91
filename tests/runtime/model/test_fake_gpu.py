"""A training step of every technique on a GPU that is not there, in a process of its own."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

HERE = Path(__file__).parent / "fake_gpu"


@pytest.fixture
def library(tmp_path: Path) -> list[str]:
    """What stands in for a GPU; nothing where there is one."""
    if torch.cuda.is_available():
        return []
    if torch.version.cuda is not None:
        pytest.skip("a torch built with CUDA asks its driver for a GPU; a stand-in is for one built without")
    compiler = shutil.which("c++") or shutil.which("g++")
    if compiler is None:
        pytest.skip("the stand-in for a GPU needs a C++ compiler, and there is none")
    out, root = tmp_path / "device.so", Path(torch.__file__).parent
    flags = ["-shared", "-fPIC", "-std=c++20", f"-I{root}/include", f"-L{root}/lib", f"-Wl,-rpath,{root}/lib"]
    source = [str(HERE / "device.cpp"), "-lc10", "-ltorch_cpu", "-o", str(out)]
    subprocess.run([compiler, *flags, *source], check=True)
    return [str(out)]


@pytest.mark.slow
def test_a_training_step_of_every_technique_stays_on_its_gpu(library: list[str]) -> None:
    """Nothing meets on two devices: forward, backward and optimizer; a weight left behind is found."""
    command = [sys.executable, str(HERE / "one_step.py"), *library]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    ended = json.loads(done.stdout)
    assert "at least two devices, cuda:0 and cpu" in ended.pop("forgotten")
    assert len(ended) > 15
    assert {name: why for name, why in ended.items() if why} == {}
