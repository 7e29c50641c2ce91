"""The command ``effdsl``. Each verb is imported from the room that does its work, when it is called."""

from __future__ import annotations

import errno
import io
import os
import sys
from importlib import import_module
from typing import Any

import click

COMMANDS = {
    "new": ("effdsl.study_commands:new", "Write a short study file to start from."),
    "ls": ("effdsl.study_commands:ls", "List the studies here, without running them."),
    "plan": ("effdsl_runtime.run_commands:plan", "Show what a study would run, and what that costs."),
    "check": ("effdsl_runtime.check_command:check", "Check a technique of your own on a small model."),
    "execute": ("effdsl_runtime.run_commands:execute", "Run what is missing of a study."),
    "status": ("effdsl_runtime.run_commands:status", "Show what is done, running and left of a study."),
    "show": ("effdsl_runtime.run_commands:show", "Show one result with its provenance."),
    "merge": ("effdsl_runtime.merge_command:merge", "Write the whole model that a fine-tuning made."),
    "env": (
        "effdsl_runtime.environments.commands:env",
        "Make, list, check and remove the environments of engines.",
    ),
    "doctor": ("effdsl_runtime.run_commands:doctor", "Check this machine: devices, meters, packages, store."),
    "rank": (
        "effdsl_analysis.commands.rank:rank",
        "Rank techniques by each metric, with ties.",
    ),
    "scores": ("effdsl_analysis.commands.scores:scores", "Score techniques by the paper's eq. 10 to 12."),
    "pareto": ("effdsl_analysis.commands.pareto:pareto", "Show the Pareto set for some metrics."),
    "recommend": ("effdsl_analysis.commands.recommend:recommend", "Choose techniques under your conditions."),
    "quality": (
        "effdsl_analysis.commands.quality:quality",
        "Show what each precision costs in quality, item by item.",
    ),
    "scaling": ("effdsl_analysis.commands.scaling:scaling", "Fit how metrics grow with parameters."),
    "compare": ("effdsl_analysis.commands.compare:compare", "Compare a study with a table of the paper."),
    "claims": ("effdsl_analysis.commands.claims:claims", "Test what the paper claims on evidence."),
    "audit": ("effdsl_analysis.commands.audit:audit", "Look for what cannot be right in any evidence."),
    "report": ("effdsl_analysis.commands.report:report", "Write one page of all that, which works offline."),
    "diff": ("effdsl_analysis.commands.diff:diff", "Name what differs between two results."),
    "sql": ("effdsl_registry.store_commands:sql", "Ask the store one SELECT."),
    "export": (
        "effdsl_registry.store_commands:export",
        "Write results as CSV, JSON, Parquet, Markdown or LaTeX.",
    ),
    "store": ("effdsl_registry.store_commands:store", "Verify, rebuild, back up or clean the store."),
}
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
INTERRUPTED_QUERY = "Query interrupted"  # what DuckDB makes of Ctrl-C


class LazyGroup(click.Group):
    """A group that knows its commands by name and imports one when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module, attribute = COMMANDS[name][0].split(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from effdsl.problems import nearest

            ctx.fail(f"no command {args[0]!r}; {nearest(args[0], COMMANDS)}`effdsl --help` lists them")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(None, "--version", package_name="effdsl")
def group() -> None:
    """Declare a study of language-model techniques, price it, run it, and ask the results.

    \b
    effdsl new my_study                       write a study file
    effdsl plan studies/small/attention.py    what would run, and what it costs
    effdsl execute small/attention            run what is missing
    effdsl rank                               which technique is best at what

    Exit codes: 0 done or nothing to do; 1 some tasks failed, or none of a study ended well or can run
    here; 2 the study or the call is wrong; 3 the store is locked, damaged or newer;
    4 `plan --detailed-exitcode` with work to do; 130 interrupted.
    """


def main() -> None:
    """Run the command line: mistakes, Ctrl-C, a full disk and a file that must not be touched end in a line
    and a code, not in a traceback."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by whoever called: what is said goes nowhere
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115  until the end
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal without Unicode shows a mark, not a traceback
            stream.reconfigure(errors="replace")
    try:
        try:
            status = _run()
        finally:
            sys.stdout.flush()  # what cannot be written shows here, not when the interpreter ends
    except OSError as error:
        status = 1
        if error.filename is not None:
            click.echo(f"{error.filename} cannot be read or written: {error.strerror}", err=True)
        elif error.errno in (errno.EPIPE, *NO_ROOM):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            if error.errno in NO_ROOM:
                click.echo(f"cannot be written: {error.strerror}", err=True)
        else:
            raise
    sys.exit(status)


def _run() -> int:
    """The exit code of the command that was typed."""
    try:
        return group(standalone_mode=False) or 0  # a number where click itself ends, e.g. after --help
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        return _interrupted()
    except RuntimeError as error:
        if str(error) != INTERRUPTED_QUERY:
            raise
        return _interrupted()
    except ValueError as error:
        if isinstance(error, UnicodeError):
            click.echo(_not_in_this_locale(error), err=True)
            return 2
        problems = getattr(error, "problems", None)
        if problems is None:
            raise
        for problem in problems:
            click.echo(str(problem), err=True)
        click.echo(f"{len(problems)} problem{'s' * (len(problems) != 1)} in the study", err=True)
        return 2


def _not_in_this_locale(error: UnicodeError) -> str:
    """Names of files, above all: Python cannot open what the locale cannot spell."""
    locale = sys.getfilesystemencoding()
    return f"{error}; the encoding of this locale is {locale}: set LC_ALL=C.UTF-8, which has every character"


def _interrupted() -> int:
    click.echo("interrupted", err=True)
    return 130


if __name__ == "__main__":
    main()
