"""Task files of one's own for lm-evaluation-harness: what each calls its task, and a hash of all it names."""

from __future__ import annotations

import glob
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from effdsl.data import content_hash
from effdsl.declare import Invalid
from effdsl.installing import how_to_install

ENDINGS = (".yaml", ".yml")
Config = dict[str, Any]


@attrs.frozen
class PinnedTask:
    """A task file, read.

    Attributes:
        path: the file.
        name: of its task.
        revision: SHA-256 of what it says, where each file that it names stands as the hash of its content.
    """

    path: Path
    name: str
    revision: str


def is_a_file(word: str) -> bool:
    """Whether ``word`` names a task file and not a task."""
    return word.endswith(ENDINGS)


def pinned(file: str) -> PinnedTask:
    """The task of ``file``, with the hash of what it says, of the code and of the data that it names.

    Where the files are is no part of the hash. Relative names of data start where effdsl is called, as with
    lm-eval's own command.

    Raises:
        Invalid: when one of them cannot be read, or it is no task.
    """
    path = Path(file).expanduser().resolve()
    config = _with_contents(_merged(path, ()))
    name = config.get("task")
    if not isinstance(name, str) or "group" in config:
        raise Invalid(f"{path} is no task: it has no task: NAME", "list the files of a group's tasks instead")
    said = json.dumps(config, sort_keys=True, default=str)
    return PinnedTask(path, name, hashlib.sha256(said.encode()).hexdigest())


def _merged(path: Path, above: tuple[Path, ...]) -> Config:
    """What a file says, over what the files say that it includes, with the code that it names as its hash."""
    if path in above:
        raise Invalid(f"{path} includes itself")
    config = _read(path)
    merged: Config = {}
    for included in _listed(config.pop("include", [])):
        merged |= _merged((path.parent / str(included)).resolve(), (*above, path))
    return merged | config


def _read(path: Path) -> Config:
    try:
        import yaml
    except ImportError:
        raise Invalid(f"{path} cannot be read without PyYAML", how_to_install("lm_eval")) from None

    class Loader(yaml.SafeLoader):  # type: ignore[misc]  # of a module without types
        """YAML in which a function is named by ``!function module.name``."""

    Loader.add_constructor("!function", lambda loader, node: _function(loader.construct_scalar(node), path))
    try:
        config = yaml.load(path.read_text("utf-8"), Loader)  # noqa: S506  a safe loader
    except OSError as error:
        raise Invalid(f"{path}: {error.strerror}", f"relative paths start at {Path.cwd()}") from None
    except (yaml.YAMLError, ValueError) as error:
        raise Invalid(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(config, dict):
        raise Invalid(f"{path} is no task: it holds a {type(config).__name__}, not names and values")
    return config


def _function(name: str, file: Path) -> str:
    """A function as its name and the hash of the module beside the file that it is in; one of an installed
    module by its name alone."""
    module, _, function = name.rpartition(".")
    source = file.parent / f"{module.replace('.', '/')}.py"
    return f"{content_hash((source,))}.{function}" if source.is_file() else name


def _with_contents(config: Config) -> Config:
    """``config`` in which data files and folders stand as the hash of their content."""
    changed, given = dict(config), config.get("dataset_kwargs")
    if isinstance(given, Mapping):
        read = {"data_files": _content, "data_dir": _content_of_folder}
        changed["dataset_kwargs"] = {
            name: read[name](value) if name in read and value else value for name, value in given.items()
        }
    if config.get("dataset_path") and Path(str(config["dataset_path"])).is_dir():
        changed["dataset_path"] = _content_of_folder(config["dataset_path"])
    return changed


def _content(files: Any) -> Any:
    if isinstance(files, Mapping):
        return {split: _content(named) for split, named in files.items()}
    if isinstance(files, list):
        return [_content(named) for named in files]
    if "://" in str(files):
        return files
    pattern = str(Path(str(files)).expanduser())
    found = [pattern] if Path(pattern).is_file() else sorted(glob.glob(pattern, recursive=True))
    if not found:
        raise Invalid(f"{pattern}: no such file of data", f"relative paths start at {Path.cwd()}")
    return content_hash(tuple(map(Path, found)))


def _content_of_folder(folder: Any) -> str:
    inside = sorted(path for path in Path(str(folder)).expanduser().rglob("*") if path.is_file())
    if not inside:
        raise Invalid(f"{folder}: no such folder of data", f"relative paths start at {Path.cwd()}")
    return content_hash(tuple(inside))


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
