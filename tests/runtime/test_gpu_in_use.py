"""Which GPU is detected, and what is said of one that is hidden, lost, or refuses a question."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

TRACE = Path(__file__).parent / "probes" / "h200_training.csv"
NO_PERMISSION, LOST = "4", "15"
MEMORY = "memory,memory_v2"
SCRIPT = """
import json
from effdsl_runtime import machine
machine._memory_by_torch = lambda: None
found, gpu = machine.detect(), machine.gpu_in_use()
print(json.dumps({
    "name": found.name, "kind": found.kind, "memory": found.memory and found.memory.value, "bf16": found.bf16,
    "watts": found.power_limit_w, "missing": dict(gpu.missing), "lost": gpu.lost, **machine.describe(),
}))
"""


def ran(driver: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("CUDA_")}
    standin = {"LD_LIBRARY_PATH": str(driver), "STANDIN_TRACE": str(TRACE)}
    return subprocess.run(
        [sys.executable, *command],
        env=kept | standin | environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


def seen(driver: Path, **environment: str) -> dict[str, Any]:
    done = ran(driver, "-W", "error", "-c", SCRIPT, **environment)
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.mark.parametrize("why", ["3", NO_PERMISSION])
@pytest.mark.parametrize(
    ("refused", "missing", "left"),
    [
        (MEMORY, "memory", {"name": "H200", "memory": None, "watts": 700.0, "bf16": True}),
        ("memory", "", {"name": "H200 SXM"}),
        ("name", "name", {"name": "NVIDIA GPU sm_90", "memory": 150_754_820_096, "bf16": True}),
        ("name,capability", "name", {"name": "NVIDIA GPU", "bf16": False}),
        ("uuid", "", {"name": "H200 SXM", "device": "NVIDIA H200"}),
        ("name,uuid", "name", {"device": "NVIDIA GPU"}),
        ("driver", "", {"name": "H200 SXM", "driver": ""}),
        ("mig,processes,reasons,utilisation", "", {"name": "H200 SXM"}),
    ],
)
def test_what_is_refused_is_empty_with_the_reason_and_the_rest_is_known(
    driver_folder: Path, why: str, refused: str, missing: str, left: dict[str, object]
) -> None:
    found = seen(driver_folder, STANDIN_UNSUPPORTED=refused, STANDIN_REFUSAL=why)
    assert found["kind"] == "gpu"
    assert left.items() <= found.items()
    if missing:
        said = {"3": "Not Supported", NO_PERMISSION: "Insufficient Permissions"}[why]
        assert said in found["missing"][missing]
    assert missing or found["missing"] == {}


def test_a_power_limit_that_is_refused_is_empty(driver_folder: Path) -> None:
    found = seen(driver_folder, STANDIN_UNSUPPORTED="power_limit", STANDIN_NAME="NVIDIA B300")
    assert (found["name"], found["watts"]) == ("B300", None)
    assert found["missing"] == {"power limit": "NVML: Not Supported"}


def test_memory_that_nvml_does_not_tell_is_asked_of_torch(driver_folder: Path) -> None:
    told = SCRIPT.replace("lambda: None", "lambda: 128 * 2**30")
    done = ran(driver_folder, "-c", told, STANDIN_UNSUPPORTED=MEMORY, STANDIN_NAME="NVIDIA GB10")
    found = json.loads(done.stdout)
    assert (found["name"], found["memory"], found["missing"]) == ("GB10", 128 * 2**30, {})


@pytest.mark.parametrize("where", ["name", MEMORY, "handle", "count", "power_limit"])
def test_a_lost_gpu_is_said_to_be_lost(driver_folder: Path, where: str) -> None:
    found = seen(driver_folder, STANDIN_UNSUPPORTED=where, STANDIN_REFUSAL=LOST)
    assert (found["kind"], found["lost"]) == ("cpu", True)
    assert "GPU is lost" in found["missing"]["gpu"]


@pytest.mark.parametrize("refused", [MEMORY, "name", "uuid,driver,mig", "handle"])
@pytest.mark.parametrize("why", [NO_PERMISSION, LOST])
def test_commands_answer_whatever_the_driver_refuses(
    driver_folder: Path, tmp_path: Path, refused: str, why: str
) -> None:
    study = tmp_path / "study.py"
    study.write_text("from effdsl import *\nstudy = Study(Attention([GQA]), [1*M], repeats=1)\n", "utf-8")
    asked = {"STANDIN_UNSUPPORTED": refused, "STANDIN_REFUSAL": why}
    store = ["--store", str(tmp_path / "store")]
    doctor = ran(driver_folder, "-m", "effdsl", "doctor", *store, **asked)
    plan = ran(driver_folder, "-m", "effdsl", "plan", str(study), *store, **asked)
    for ended in (doctor, plan):
        assert (ended.returncode, "Traceback" in ended.stderr) == (0, False), ended.stderr
    lost = why == LOST and refused != "uuid,driver,mig"
    assert ("GPU is lost" in doctor.stdout) == lost
    assert ("this is about the CPU: " in plan.stderr) == lost


@pytest.mark.parametrize(
    "visible", ["", " ", "-1", "-1,0", "none", "NoDevFiles", ",0", "0,0", "GPU-standin,GPU-standin"]
)
def test_a_form_that_selects_nothing_hides_the_gpu_and_doctor_says_so(
    driver_folder: Path, visible: str
) -> None:
    found = seen(driver_folder, CUDA_VISIBLE_DEVICES=visible)
    assert (found["kind"], found["lost"], found["driver"]) == ("cpu", False, "")
    assert found["missing"]["gpu"] == f"CUDA_VISIBLE_DEVICES={visible!r} hides every GPU"


@pytest.mark.parametrize("visible", ["7", "GPU-other", "MIG-other", "GPU-other,0"])
def test_a_name_of_no_gpu_selects_none_and_is_named(driver_folder: Path, visible: str) -> None:
    reason = seen(driver_folder, CUDA_VISIBLE_DEVICES=visible)["missing"]["gpu"]
    assert reason == f"CUDA_VISIBLE_DEVICES={visible!r} names no GPU that is here: NVML: Not Found"


@pytest.mark.parametrize(
    ("visible", "uuid"),
    [
        ("0", "GPU-standin"),
        ("1", "GPU-standin1"),
        (" 1 , 0 ", "GPU-standin1"),
        ("+1", "GPU-standin1"),
        ("1gpu", "GPU-standin1"),  # as CUDA reads it, with strtoul
        ("01", "GPU-standin1"),
        ("1,-1,1", "GPU-standin1"),  # what follows an entry that names nothing is not read
        ("GPU-standin1,0", "GPU-standin1"),
        ("GPU-standin", "GPU-standin"),
    ],
)
def test_the_first_entry_is_the_gpu_in_use(driver_folder: Path, visible: str, uuid: str) -> None:
    found = seen(driver_folder, CUDA_VISIBLE_DEVICES=visible, STANDIN_CORES="100,100,100")
    assert found["device"] == f"NVIDIA H200 ({uuid})"


def test_the_beginning_of_a_uuid_names_a_gpu_where_it_fits_no_other(driver_folder: Path) -> None:
    assert seen(driver_folder, CUDA_VISIBLE_DEVICES="GPU-stand")["device"] == "NVIDIA H200 (GPU-standin)"
    several = seen(driver_folder, CUDA_VISIBLE_DEVICES="GPU-stand", STANDIN_CORES="100,100")
    assert "names no GPU that is here" in several["missing"]["gpu"]


@pytest.mark.parametrize(
    ("order", "cores", "visible", "uuid"),
    [
        ("PCI_BUS_ID", "100,900,500", "0", "GPU-standin"),
        ("PCI_BUS_ID", "100,900,500", "1", "GPU-standin1"),
        ("FASTEST_FIRST", "100,900,500", "0", "GPU-standin1"),
        ("", "100,900,500", "0", "GPU-standin1"),
        ("", "100,900,500", "1", "GPU-standin"),
        ("", "100,900,500", "GPU-standin", "GPU-standin"),
        ("", "100,100", "0", "GPU-standin"),
    ],
)
def test_numbers_count_the_fastest_first_unless_the_order_of_the_bus_is_asked_for(
    driver_folder: Path, order: str, cores: str, visible: str, uuid: str
) -> None:
    asked = {"CUDA_DEVICE_ORDER": order} if order else {}
    found = seen(driver_folder, CUDA_VISIBLE_DEVICES=visible, STANDIN_CORES=cores, **asked)
    assert found["device"] == f"NVIDIA H200 ({uuid})"


@pytest.mark.parametrize(("cores", "kept"), [("100,900", "GPU-standin1"), ("100", "unset")])
def test_cuda_is_kept_to_the_gpu_that_is_read_where_there_are_several(
    driver_folder: Path, cores: str, kept: str
) -> None:
    asked = (
        "import os; from effdsl_runtime.probes.visible import keep_to_first_gpu as keep;"
        "keep(); keep(); print(os.environ.get('CUDA_VISIBLE_DEVICES', 'unset'))"
    )
    assert ran(driver_folder, "-c", asked, STANDIN_CORES=cores).stdout == f"{kept}\n"
