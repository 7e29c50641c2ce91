"""Look into an environment: does its Python run, import what it must, and have what its list names?"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from effdsl_runtime.environments.places import python_of, variables_with_source
from effdsl_runtime.environments.state import why_unusable
from effdsl_runtime.environments.version_lists import VERSION_LISTS, VersionList
from effdsl_runtime.taking_long import beating

TIMEOUT_S = 300
WORKER = "effdsl_runtime.worker"
VERSIONS = (
    "import json, importlib.metadata as m; print(json.dumps({d.name: d.version for d in m.distributions()}))"
)


class CannotRunError(Exception):
    """The Python of an environment does not do what it is asked; the message says why."""


def what_is_wrong(environment: str, kind: str, report: Callable[[str], None]) -> str:
    """Why ``environment`` is of no use on a machine of ``kind``, in one sentence with the next step; empty
    when it is. It is started, which takes seconds."""
    why = why_unusable(environment, kind)
    if why:
        return why
    wanted = VERSION_LISTS.get((environment, kind))
    imports = (WORKER, *(wanted.imports if wanted else ()))
    create = f": effdsl env create {environment}" if wanted else ""
    try:
        differing = _differing(wanted, python_of(environment)) if wanted else ""
        if differing:
            return f"the environment {environment} has {differing}{create}"
        for module in imports:
            with beating(report, f"importing {module}"):
                python_says(python_of(environment), f"import {module}")
    except CannotRunError as error:
        return f"the environment {environment} is damaged ({error}){create}"
    return ""


def python_says(python: Path, code: str) -> str:
    """What ``code`` prints in another Python that sees the effdsl that is running.

    Raises:
        CannotRunError: with the last line that it printed of an error.
    """
    with TemporaryDirectory() as folder:
        try:
            done = subprocess.run(  # noqa: S603 - an interpreter of ours, no shell
                [python, "-P", "-c", code],
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=TIMEOUT_S,
                check=False,
                env=variables_with_source(Path(folder)),
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise CannotRunError(str(error)) from error
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"it ended with code {done.returncode}"]
        raise CannotRunError(lines[-1])
    return done.stdout.strip()


def _differing(wanted: VersionList, python: Path) -> str:
    """The first package whose version is not that of the list; empty where there is none."""
    found = {_normal(name): version for name, version in json.loads(python_says(python, VERSIONS)).items()}
    for name, pinned in wanted.pins.items():
        version = found.get(_normal(name))
        if version is None:
            return f"no {name}"
        if version.partition("+")[0] != pinned.partition("+")[0]:
            return f"{name} {version} and not {pinned}"
    return ""


def _normal(name: str) -> str:
    return re.sub("[-_.]+", "-", name).lower()
