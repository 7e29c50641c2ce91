"""What this machine is taken for: GPUs through the stand-in driver, CPUs through trees like /proc."""

import json
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from effdsl_runtime.machine import NVML_NAMES, _catalogued, _short, describe, detect, load_average

from effdsl.hardware import A100, GH200, GTX_1080, H100, H200, V100, Hardware

GIB = 2**30


def machine(root: Path, cpuinfo: str) -> Path:
    (root / "proc").mkdir()
    (root / "proc/cpuinfo").write_text(cpuinfo, encoding="utf-8")
    (root / "proc/meminfo").write_text("MemTotal:       32000000 kB\n", encoding="utf-8")
    return root


@pytest.fixture
def four_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3})


@pytest.mark.usefixtures("four_cores")
@pytest.mark.parametrize(
    ("cpuinfo", "name", "bf16"),
    [
        ("model name\t: AMD  EPYC 9654\nflags\t\t: fpu avx512f avx512_bf16\n", "AMD EPYC 9654 x4", True),
        ("model name\t: Intel Xeon\nflags\t\t: fpu amx_bf16 amx_tile\n", "Intel Xeon x4", True),
        ("model name\t: Intel Core i7\nflags\t\t: fpu avx2\n", "Intel Core i7 x4", False),
        (
            "model name\t: first\nflags\t\t: avx2\n\nmodel name\t: second\nflags\t\t: avx512_bf16\n",
            "first x4",
            False,
        ),
    ],
)
def test_a_cpu_is_named_by_its_model_and_usable_cores_and_its_flags_tell_bfloat16(
    tmp_path: Path, cpuinfo: str, name: str, bf16: bool
) -> None:
    found = detect(machine(tmp_path, cpuinfo))
    assert (found.name, found.kind, found.bf16) == (name, "cpu", bf16)
    assert found.memory is not None
    assert found.memory.value == 32_000_000 * 1024


@pytest.mark.usefixtures("four_cores")
def test_an_arm_cpu_without_a_model_name_still_has_a_name_and_its_own_flag_for_bfloat16(
    tmp_path: Path,
) -> None:
    found = detect(machine(tmp_path, "BogoMIPS\t: 50.00\nFeatures\t: fp asimd bf16 i8mm\n"))
    assert found.name.endswith(" x4")
    assert len(found.name) > len(" x4")
    assert found.bf16


def test_the_peak_rate_of_a_cpu_is_left_empty_rather_than_guessed(tmp_path: Path) -> None:
    found = detect(machine(tmp_path, "model name\t: some CPU\n"))
    assert found.peak_flops == {}
    assert found.power_limit_w is None


def test_this_machine_is_detected_as_psutil_sees_it() -> None:
    found = detect()
    if found.kind != "cpu":
        pytest.skip("this machine has a GPU")
    assert found.memory is not None
    assert 0 < found.memory.value <= psutil.virtual_memory().total
    assert 1 <= int(found.name.rsplit(" x", 1)[1]) <= len(psutil.Process().cpu_affinity())


@pytest.mark.parametrize(
    ("nvml_name", "memory", "hardware"),
    [
        ("NVIDIA H200", 143_771 * 2**20, H200),
        ("NVIDIA GH200 480GB", 97_871 * 2**20, GH200),
        ("NVIDIA GH200 144G HBM3e", 147_000 * 2**20, None),
        ("NVIDIA H100 80GB HBM3", 81_559 * 2**20, H100),
        ("NVIDIA A100 80GB PCIe", 81_920 * 2**20, A100),
        ("NVIDIA A100-SXM4-40GB", 40_960 * 2**20, None),
        ("Tesla V100-PCIE-32GB", 32_768 * 2**20, V100),
        ("NVIDIA GeForce GTX 1080", 8 * GIB, GTX_1080),
        ("NVIDIA GeForce RTX 3060", 8 * GIB, None),  # there is one with 8 GB, which is another card
    ],
)
def test_a_gpu_gets_the_catalogs_name_only_where_name_and_memory_agree(
    nvml_name: str, memory: int, hardware: Hardware | None
) -> None:
    assert _catalogued(_short(nvml_name), memory) == hardware


def test_no_two_names_of_nvml_stand_for_one_entry_of_the_catalog() -> None:
    assert len({known.name for known in NVML_NAMES.values()}) == len(NVML_NAMES)


SCRIPT = """
import json
from effdsl_runtime.machine import detect, describe
found = detect()
print(json.dumps([found.name, found.kind, found.memory.value, found.bf16, found.power_limit_w, describe()]))
"""


def detected(driver_folder: Path, trace: Path, name: str) -> list[object]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("CUDA_")}
    environment = {
        **kept,
        "LD_LIBRARY_PATH": str(driver_folder),
        "STANDIN_TRACE": str(trace),
        "STANDIN_NAME": name,
    }
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    answer: list[object] = json.loads(done.stdout)
    return answer


def test_a_gpu_comes_before_the_cpu_and_its_driver_is_in_the_description(driver_folder: Path) -> None:
    trace = Path(__file__).parent / "probes" / "h200_training.csv"
    name, kind, memory, bf16, _, facts = detected(driver_folder, trace, "NVIDIA H200")
    assert (name, kind, bf16) == ("H200 SXM", "gpu", True)
    assert memory == 141_000_000_000
    assert isinstance(facts, dict)
    assert (facts["driver"], facts["device"]) == ("580.65.06", "NVIDIA H200 (GPU-standin)")


@pytest.mark.slow
def test_a_gpu_outside_the_catalog_keeps_nvmls_name_memory_and_power_limit(driver_folder: Path) -> None:
    trace = Path(__file__).parent / "probes" / "h200_training.csv"
    name, kind, memory, bf16, power_limit_w, _ = detected(driver_folder, trace, "NVIDIA B300 SXM6")
    assert (name, kind, bf16, power_limit_w) == ("B300 SXM6", "gpu", True, 700.0)
    assert memory == 150_754_820_096


def test_torch_is_not_imported_to_find_out() -> None:
    check = "import sys, effdsl_runtime.machine as m; m.detect(); m.describe(); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def git(folder: Path, *arguments: str) -> str:
    who = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    done = subprocess.run(
        ["git", "-C", str(folder), *who, *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_the_commit_of_a_folder_and_whether_its_files_changed_are_described(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    (tmp_path / "study.py").write_text("a", encoding="utf-8")
    git(tmp_path, "add", "study.py")
    git(tmp_path, "commit", "-q", "-m", "a study")
    facts = describe(tmp_path)
    assert (facts["git_commit"], facts["git_dirty"]) == (git(tmp_path, "rev-parse", "HEAD"), False)
    (tmp_path / "notes.txt").write_text("not followed", encoding="utf-8")
    assert describe(tmp_path)["git_dirty"] is False
    (tmp_path / "study.py").write_text("b", encoding="utf-8")
    assert describe(tmp_path)["git_dirty"] is True


def test_outside_a_repository_commit_and_changes_are_unknown(tmp_path: Path) -> None:
    facts = describe(tmp_path)
    assert (facts["git_commit"], facts["git_dirty"]) == ("", None)


def test_the_versions_of_installed_libraries_are_described_and_absent_ones_are_left_out() -> None:
    libraries = describe()["libraries"]
    import attrs

    assert libraries["attrs"] == attrs.__version__
    assert all(libraries.values())


def test_the_load_average_is_that_of_the_last_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getloadavg", lambda: (1.5, 5.0, 15.0))
    assert load_average() == 1.5
