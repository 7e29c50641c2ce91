"""Runs what README, cookbook.md and analysis.md show, and writes the answers under it.

python docs/answers.py [STORE]

A block of ``bash``, ``sql`` or ``python`` is answered by the block of ``text`` right after it. ``text
measured`` is asked of STORE, where the small studies have been run, and left as it is without one; any
other answer is the same in every store, for every store holds what the paper printed.
"""

import os
import re
import shlex
import sys
import tempfile
from collections.abc import Iterator
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from unittest.mock import patch

import attrs
from click.testing import CliRunner

from effdsl.cli import group

DOCUMENTS = tuple(Path(__file__).parent / name for name in ("cookbook.md", "analysis.md", "../README.md"))
BLOCKS = re.compile(
    r"^```(?P<language>bash|sql|python)\n(?P<asked>(?:(?!```).*\n)*)```\n\n"
    r"```text(?P<measured> measured)?\n(?P<answer>(?:(?!```).*\n)*)```$",
    re.MULTILINE,
)


@attrs.frozen
class Example:
    """Something that can be asked, and what a document says it prints.

    Attributes:
        language: ``bash``, ``sql`` or ``python``.
        measured: whether the answer depends on the store.
    """

    language: str
    asked: str
    measured: bool
    answer: str

    @classmethod
    def of(cls, match: re.Match[str]) -> "Example":
        return cls(match["language"], match["asked"], bool(match["measured"]), match["answer"])

    def ask(self, store: Path) -> str:
        """What it prints now."""
        run = {"bash": _commands, "sql": _query, "python": _script}[self.language]
        return "".join(f"{line.rstrip()}\n" for line in run(self.asked, store).strip("\n").splitlines())


def examples(text: str) -> Iterator[Example]:
    """Everything that a document shows with its answer."""
    return map(Example.of, BLOCKS.finditer(text))


def refreshed(text: str, store: Path | None = None) -> str:
    """A document with the answers of today; measured ones only if there is a ``store`` to ask."""

    def block(match: re.Match[str]) -> str:
        example = Example.of(match)
        if example.measured and store is None:
            return match[0]
        start, end = (place - match.start() for place in match.span("answer"))
        return match[0][:start] + example.ask(store or Path(tempfile.gettempdir(), "none")) + match[0][end:]

    return BLOCKS.sub(block, text)


def _commands(asked: str, store: Path) -> str:
    return "".join(_command(line, store) for line in asked.splitlines())


def _command(line: str, store: Path, stdin: str | None = None) -> str:
    """What one ``effdsl …`` prints; of ``effdsl … | head -N``, the first N lines."""
    command, _, lines = line.partition(" | head -")
    done = CliRunner().invoke(
        group, shlex.split(command)[1:], input=stdin, env={"EFFDSL_STORE": str(store)}, catch_exceptions=False
    )
    if done.exit_code:
        raise ValueError(f"{line}\n{done.output}")
    return "".join(done.stdout.splitlines(keepends=True)[: int(lines) if lines else None])


def _query(asked: str, store: Path) -> str:
    return _command("effdsl sql", store, asked)


def _script(asked: str, store: Path) -> str:
    here = patch.dict(os.environ, EFFDSL_STORE=str(store))
    with here, redirect_stdout(StringIO()) as printed:
        exec(asked, {})  # noqa: S102 - our own documents
    return printed.getvalue()


if __name__ == "__main__":
    measured_store = Path(sys.argv[1]) if sys.argv[1:] else None
    for document in DOCUMENTS:
        document.write_text(refreshed(document.read_text(encoding="utf-8"), measured_store), encoding="utf-8")
        print(f"wrote {document}")
