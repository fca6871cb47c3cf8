"""A command in a terminal: its job with progress, its options, confirmation, exit codes."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backfill.cli.visible import visible
from backfill.errors import UsageError
from backfill.settings.declared import SETTINGS

if TYPE_CHECKING:
    from backfill.checkpoint import State
    from backfill.confirmation import Confirm, Plan
    from backfill.job import Job
    from backfill.progress import Progress
    from backfill.settings import sources

DONE = 0
INCOMPLETE = 3
TO_RESUME = 4

#: Settings of the job or of the command itself, which the methods of a job do not take.
_NOT_OF_A_METHOD = ("job", "config", "progress", "verbose", "on_finish")


def given(args: argparse.Namespace) -> dict[str, Any]:
    """The settings that stand on the command line, by name; None where one does not."""
    values = vars(args)
    found = {name: values.get(each.flag or name) for name, each in SETTINGS.items()}
    return {**found, "job": values.get("job") or found["job"], "config": values.get("config")}


def job_of(args: argparse.Namespace) -> Job:
    """The job that a command works on, with progress on stderr."""
    from backfill.job import Job
    from backfill.settings import sources

    configuration = sources.load(given(args))
    run = configuration.run([Path(export) for export in getattr(args, "exports", ())])
    progress = progress_of(configuration)
    config = getattr(args, "config", None)
    return Job(run.job, progress=progress, verbose=run.verbose, config=config)


def progress_of(configuration: sources.Configuration) -> Progress:
    """The progress that the settings ask for; warnings about the settings are shown there."""
    from backfill import progress

    shown = progress.make(configuration.get("progress") or "auto")
    for line in configuration.warnings():
        shown.say(f"backfill: warning: {line}")
    return shown


def options_of(args: argparse.Namespace) -> Any:
    """The settings that were given on the command line, as options of a method of the job."""
    return {
        name: value
        for name, value in given(args).items()
        if name not in _NOT_OF_A_METHOD and value is not None
    }


def exports_of(args: argparse.Namespace) -> Sequence[str]:
    """The exports of a command that needs some.

    :raises UsageError: there are none.
    """
    if not args.exports:
        raise UsageError(
            "no export was given",
            hint=f"name one or more files: backfill {args.command} orders.csv",
        )
    return list(args.exports)


def confirmation(render: Callable[[Any], Iterable[str]]) -> Confirm | None:
    """A confirmation that shows the plan and waits for a word; None without a terminal.

    :param render: the plan as lines.
    """
    if not (sys.stdin and sys.stdin.isatty()):
        return None

    def ask(plan: Plan) -> bool:
        for line in render(plan):
            print(visible(line), file=sys.stderr)
        word = plan.confirm_with
        question = f"\nType {word} to continue, anything else to stop: "
        print(question, end="", file=sys.stderr, flush=True)
        return sys.stdin.readline().strip() == word

    return ask


def listed(lines: Iterable[str], most: int = 10) -> Iterator[str]:
    """The first lines, and how many more there are."""
    lines = list(lines)
    yield from lines[:most]
    if len(lines) > most:
        yield f"  and {len(lines) - most:,} more"


def exit_code_of_run(states: Mapping[State, int]) -> int:
    """4 where orders are in doubt, so that the same command has to be run again."""
    from backfill.checkpoint import State

    return TO_RESUME if states[State.SENDING] else exit_code(states)


def exit_code(states: Mapping[State, int]) -> int:
    """3 where some orders were not created, else 0."""
    from backfill.checkpoint import NOT_CREATED

    return INCOMPLETE if any(states[state] for state in NOT_CREATED) else DONE


def checked(args: argparse.Namespace, name: str, check: Callable[[str], Any]) -> Any:
    """The value of a command's own option; None where it was not given.

    :raises UsageError: the value cannot be used.
    """
    from backfill.settings import checks

    text = getattr(args, name)
    return None if text is None else checks.checked(f"--{name.replace('_', '-')}", text, check)
