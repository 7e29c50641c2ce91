"""The hash of the source of a user's technique: what it does, whatever its files are called.

Hashed is the class, the definitions of its file that it uses, and of files beside it what these import,
and so on; not comments, docstrings, names of files, nor what the class does not use, such as the study.
"""

from __future__ import annotations

import ast
import hashlib
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

STUDIES = "studies"
STAR = "*"  # of an import: which names it binds only the file that is imported says
Wanted = frozenset[str] | None
"""Names of a file that are used; ``None`` for all of it."""


def source_digest(file: Path, name: str) -> str:
    """The hash, 16 hexadecimal digits, of what ``name`` in ``file`` is made of.

    Raises:
        OSError, SyntaxError: where a file cannot be read.
    """
    return _Walk().digest(file.resolve(), frozenset({name}))[:16]


def roots_of(file: Path) -> list[Path]:
    """Folders from which ``file`` may import: its own, and the one that holds ``studies/``."""
    return [file.parent, *(folder.parent for folder in file.parents if folder.name == STUDIES)]


@contextmanager
def importing_from(roots: Iterable[Path]) -> Iterator[None]:
    """Inside the block modules are found in ``roots`` first."""
    added = list(map(str, roots))
    sys.path[:0] = added
    try:
        yield
    finally:
        for root in added:
            sys.path.remove(root)


class _Walk:
    """Follows imports; a file that is met again on the way is not followed twice."""

    def __init__(self) -> None:
        self._open: set[tuple[Path, Wanted]] = set()

    def digest(self, file: Path, wanted: Wanted) -> str:
        if (file, wanted) in self._open:
            return "again"
        self._open.add((file, wanted))
        tree = ast.parse(file.read_text(encoding="utf-8"))
        parts = []
        for statement in _used(tree.body, wanted):
            bare = _Bare()
            kept = bare.visit(statement)
            if kept is not None:
                parts.append(ast.unparse(ast.fix_missing_locations(kept)))
            parts += sorted(line for found in bare.imports for line in self._imported(found, file))
        self._open.discard((file, wanted))
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def _imported(self, node: ast.Import | ast.ImportFrom, file: Path) -> Iterator[str]:
        """A line for each name that is imported: of a file beside, its hash instead of its name."""
        for alias in node.names:
            bound = alias.asname or alias.name.partition(".")[0]
            module = alias.name if isinstance(node, ast.Import) else node.module or ""
            level = node.level if isinstance(node, ast.ImportFrom) else 0
            part = alias.name if isinstance(node, ast.ImportFrom) else ""
            beside = _beside(file, module, level, part)
            if beside is None:
                yield f"import {'.' * level}{module} {part} as {bound}"
                continue
            path, is_name = beside
            inside = frozenset({part}) if is_name and part != STAR else None
            yield f"import {self.digest(path, inside)} {part if is_name else ''} as {bound}"


_IMPORTS = (ast.Import, ast.ImportFrom)


def _used(body: list[ast.stmt], wanted: Wanted) -> list[ast.stmt]:
    """The statements that ``wanted`` names need, in order; those that bind nothing, or whatever another file
    has, always count."""
    binds = {id(statement): _bound(statement) for statement in body}
    if wanted is None or not any(wanted & bound for bound in binds.values()):
        return body
    names, kept, grown = set(wanted), set[int](), True
    while grown:
        grown = False
        for statement in body:
            bound = binds[id(statement)]
            if id(statement) not in kept and (not bound or STAR in bound or bound & names):
                kept.add(id(statement))
                grown = True
                names |= frozenset() if isinstance(statement, _IMPORTS) else _names(statement)
    used = frozenset(names)
    return [_only(statement, used) for statement in body if id(statement) in kept]


def _only(statement: ast.stmt, used: frozenset[str]) -> ast.stmt:
    """An import of nothing but what is used."""
    if not isinstance(statement, _IMPORTS):
        return statement
    names = [n for n in statement.names if n.name == STAR or (n.asname or n.name.partition(".")[0]) in used]
    if isinstance(statement, ast.Import):
        return ast.Import(names=names)
    return ast.ImportFrom(module=statement.module, names=names, level=statement.level)


def _bound(statement: ast.stmt) -> frozenset[str]:
    """Names that a top-level statement binds."""
    if isinstance(statement, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
        return frozenset({statement.name})
    found = {n.id for n in ast.walk(statement) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    for node in ast.walk(statement):
        if isinstance(node, _IMPORTS):
            found |= {alias.asname or alias.name.partition(".")[0] for alias in node.names}
    return frozenset(found)


def _names(statement: ast.stmt) -> frozenset[str]:
    """Names that a statement mentions."""
    return frozenset(node.id for node in ast.walk(statement) if isinstance(node, ast.Name))


def _beside(file: Path, module: str, level: int, part: str) -> tuple[Path, bool] | None:
    """The file beside ``file`` that an import means, and whether ``part`` is a name in it."""
    roots = [file.parents[level - 1]] if level else roots_of(file)
    for root in roots:
        place = root.joinpath(*module.split(".")) if module else root
        for path, is_name in (
            (place / f"{part}.py", False),
            (place.with_suffix(".py"), bool(part)),
            (place / "__init__.py", bool(part)),
        ):
            if (part or path.name != ".py") and path.is_file():
                return path.resolve(), is_name
    return None


class _Bare(ast.NodeTransformer):
    """Takes docstrings and imports out; the imports are kept apart."""

    def __init__(self) -> None:
        self.imports: list[ast.Import | ast.ImportFrom] = []

    def visit_Import(self, node: ast.Import) -> None:
        self.imports.append(node)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        self.imports.append(node)

    def visit_Expr(self, node: ast.Expr) -> ast.Expr | None:
        is_text = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return None if is_text else node

    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        if hasattr(node, "body") and node.body == []:
            node.body = [ast.Pass()]
        return node
