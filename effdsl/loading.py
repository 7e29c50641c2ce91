"""Load a study file, and say everything that is wrong with it at once.

A study file is Python and is run, so load only files you trust. While it runs, constructors collect
their mistakes and names that do not exist stand for themselves, so that one typing error does not
hide the next.
"""

from __future__ import annotations

import ast
import builtins
import shlex
import traceback
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

import attrs

import effdsl
from effdsl.declare import evolve
from effdsl.outside import readable
from effdsl.problems import BROKEN, Collector, Problem, StudyError, collecting, nearest
from effdsl.source import STUDIES, importing_from, roots_of
from effdsl.study import Study
from effdsl.units import Quantity


@attrs.frozen
class LoadedStudy:
    """A study, where it came from, and the lines on which its parts were declared."""

    study: Study
    file: Path
    place: Collector


def load_study(reference: str) -> LoadedStudy:
    """Load a study by path (``studies/small/attention.py``) or by name (``small/attention``).

    Raises:
        StudyError: with every mistake found, each with file, line and what is allowed.
    """
    file = find_study(reference)
    shown = _shown(file)
    try:
        tree = ast.parse(file.read_text(encoding="utf-8-sig"), filename=shown)
    except SyntaxError as error:
        text = (error.text or "").strip()
        raise StudyError(
            [Problem(f"syntax error: {error.msg}: {text}", "", shown, error.lineno or 1)]
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise StudyError([Problem(f"cannot be read: {error}", "", shown)]) from None
    with collecting(shown) as collector:
        names = _Names(collector)
        _drop_unknown_imports(tree, collector)
        _run(tree, names, file, collector)
        study = None if collector.problems else _the_study(names, collector)
    if collector.problems or study is None:
        raise StudyError(collector.problems)
    if not study.name:
        named = evolve(study, name=name_of(file))
        collector.stands_for(named, study)
        study = named
    return LoadedStudy(study, file, collector)


def find_study(reference: str) -> Path:
    """The file that ``reference`` names: a path, a name under ``studies/`` or of a file here, or what a file
    under ``studies/`` says is its study's ``name=``.

    Raises:
        StudyError: when there is none, with the nearest names.
    """
    named = f"{reference}.py"
    for candidate in (Path(reference), Path(STUDIES, named), Path(STUDIES, reference), Path(named)):
        if candidate.is_file():
            return candidate.resolve()
    for path in study_files():
        if written(path, "name") == repr(reference):
            return path.resolve()
    known = [name_of(path) for path in study_files()]
    hint = (
        f"{nearest(reference, known)}known here: {', '.join(known)}"
        if known
        else "`effdsl new NAME` writes one"
    )
    raise StudyError([Problem(f"{reference}: there is no such study", hint)])


def study_files(folder: Path = Path(STUDIES)) -> list[Path]:
    """Python files under ``folder`` that assign ``study``, found without running them."""
    return [path for path in sorted(folder.rglob("*.py")) if declared_study(path) is not None]


def unreadable_files(folder: Path = Path(STUDIES)) -> list[Path]:
    """Files under ``folder`` that may declare a study, and are not Python."""
    return [path for path in sorted(folder.rglob("*.py")) if _parsed(path) is None]


def declared_study(path: Path) -> ast.expr | None:
    """The expression assigned to ``study`` in a file, read without running it."""
    tree = _parsed(path)
    for node in tree.body if tree else ():
        if isinstance(node, ast.Assign) and any(
            isinstance(t, ast.Name) and t.id == "study" for t in node.targets
        ):
            return node.value
    return None


def written(path: Path, field: str) -> str:
    """What a file gives its study for ``field``, as it is written there; empty where it gives nothing."""
    call = declared_study(path)
    if not isinstance(call, ast.Call):
        return ""
    names = [declared.name for declared in attrs.fields(cast(Any, Study))]
    given = dict(zip(names, call.args, strict=False))
    given |= {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
    return ast.unparse(given[field]) if field in given else ""


def _parsed(path: Path) -> ast.Module | None:
    try:
        return ast.parse(path.read_text(encoding="utf-8-sig"))
    except (SyntaxError, ValueError, OSError):
        return None


def name_of(file: Path) -> str:
    """The name of the study in ``file``: its path below ``studies/``, without the ending."""
    parts = file.resolve().with_suffix("").parts
    if STUDIES in parts[:-1]:
        last = len(parts) - 1 - parts[::-1].index(STUDIES)
        return readable("/".join(parts[last + 1 :]))
    return readable(file.stem)


def typed(file: Path) -> str:
    """What is typed in a command to mean the study in ``file``, quoted for the shell.

    That is its name where a command that runs here finds it by that, else its path.
    """
    name = name_of(file)
    found = Path(STUDIES, f"{name}.py")
    is_found = found.is_file() and (not file.exists() or found.samefile(file))
    return readable(shlex.quote(name if is_found else _shown(file)))


class _Names(dict[str, Any]):
    """The namespace of a study file; an unknown name is reported and stands for itself."""

    def __init__(self, collector: Collector) -> None:
        # Functions of the file (a `keep=lambda`) look names up in the globals, which must be a plain dict.
        self.globals: dict[str, Any] = {
            "__name__": "study",
            "__builtins__": builtins,
            "__file__": collector.file,
        }
        super().__init__(self.globals)
        self.collector = collector
        self.reported: set[str] = set()

    def __setitem__(self, name: str, value: Any) -> None:
        super().__setitem__(name, value)
        self.globals[name] = value

    def __missing__(self, name: str) -> Any:
        if hasattr(builtins, name):
            raise KeyError(name)
        if name not in self.reported and name not in self.collector.unknown:
            self.reported.add(name)
            allowed = [*effdsl.__all__, *self]
            importable = f"from effdsl import {name}" if name in effdsl.__all__ else ""
            hint = f"write: {importable}" if importable else _nearest(name, allowed).strip()
            self.collector.problems.append(
                Problem(f"{name} is not defined", hint, self.collector.file, self.collector.current_line())
            )
        return BROKEN


def _nearest(word: str, allowed: Iterable[str]) -> str:
    """The nearest name; a unit, short enough to be near to much, only where no other name is near."""
    names = list(allowed)
    others = [name for name in names if not isinstance(getattr(effdsl, name, None), Quantity)]
    return nearest(word, others) or nearest(word, names)


def _drop_unknown_imports(tree: ast.Module, collector: Collector) -> None:
    """Report names that effdsl does not have, and take them out of the import."""
    for node in list(tree.body):
        if not isinstance(node, ast.ImportFrom) or node.module != "effdsl" or node.level:
            continue
        for alias in list(node.names):
            if alias.name != "*" and alias.name not in effdsl.__all__:
                hint = f"{_nearest(alias.name, effdsl.__all__)}effdsl has: {', '.join(effdsl.__all__)}"
                message = f"effdsl has no {alias.name!r}"
                collector.problems.append(Problem(message, hint, collector.file, node.lineno))
                collector.unknown.add(alias.asname or alias.name)
                node.names.remove(alias)
        if not node.names:
            tree.body.remove(node)


def _run(tree: ast.Module, names: _Names, file: Path, collector: Collector) -> None:
    try:
        code = compile(tree, collector.file, "exec")
    except SyntaxError as error:  # what the parser lets pass, e.g. a keyword given twice
        collector.problems.append(Problem(f"SyntaxError: {error.msg}", "", collector.file, error.lineno or 0))
        return
    try:
        with importing_from(roots_of(file)):
            exec(code, names.globals, names)  # noqa: S102  a study file is Python, and documented as such
    except StudyError as error:  # raised by a study that this one imports
        collector.problems += error.problems
    except (Exception, SystemExit) as error:  # whatever it raises is a mistake in it, never a traceback
        if not collector.problems or not isinstance(error, (TypeError, AttributeError)):
            frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == collector.file]
            line = (frames[-1].lineno or 0) if frames else 0
            collector.problems.append(Problem(f"{type(error).__name__}: {error}", "", collector.file, line))


def _the_study(names: _Names, collector: Collector) -> Study | None:
    found = names.get("study")
    if isinstance(found, Study):
        return found
    others = {name: value for name, value in names.items() if isinstance(value, Study)}
    if len(others) == 1:
        return next(iter(others.values()))
    hint = "e.g. study = Study(axis=Attention([MQA, GQA]), scales=[3*M])"
    message = (
        f"{len(others)} studies ({', '.join(others)}), none called `study`" if others else "declares no study"
    )
    collector.problems.append(Problem(message, hint, collector.file))
    return None


def _shown(file: Path) -> str:
    """The file as the user would type it: relative to the working directory where it lies below."""
    try:
        return str(file.relative_to(Path.cwd()))
    except ValueError:
        return str(file)
