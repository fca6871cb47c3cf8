"""The command line as a person reads and types it: help, mistakes, and the values by name.

``backfill --help`` has to answer at once, so command modules import what they need when they run.
Values stay text: what they mean, and whether they are right, is decided in
:mod:`backfill.settings`, because the same values may come from the environment or a file.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Sequence

from backfill.cli import (
    completion,
    demo,
    inspect,
    notify,
    purge,
    report,
    retry,
    run,
    sandbox,
    show,
    status,
    undo,
    validate,
    verify,
)
from backfill.cli.command import AddOptions, Command, everywhere

TYPE_CHECKING = False  # typing itself would cost a tenth of the time that --help may take
if TYPE_CHECKING:
    from typing import Any, NoReturn

COMMANDS: dict[str, Command] = {
    module.COMMAND.name: module.COMMAND
    for module in (
        demo,
        inspect,
        validate,
        run,
        status,
        show,
        retry,
        verify,
        undo,
        notify,
        report,
        purge,
        sandbox,
        completion,
    )
}

SHORT_HELP = """\
backfill moves years of order history into Shout.

  backfill demo                  see a whole migration happen, on this machine
  backfill inspect EXPORT        what is in an export, and how it would be read
  backfill validate EXPORT       the dry run: check everything, send nothing
  backfill run EXPORT            check, then send; run it again to resume
  backfill status JOB            how far it is
  backfill verify JOB            read it all back and compare

'backfill --help' lists all commands, 'backfill COMMAND --help' all that one can do.
"""

EXIT_CODES = """\
exit codes:
  0    all orders are created (or valid)
  1    it failed; the message says why
  2    an option, a setting or a mapping is not usable
  3    finished; some orders were left out, or a check found a difference
  4    stopped for safety, or because Shout refuses or is down; resumable
  11   another run holds this job
  130  interrupted; resumable
"""


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The command line as values by name; ``--help``, ``--version`` and mistakes end here.

    :raises SystemExit: 0 after ``--help`` and ``--version``, 2 after a mistake.
    """
    args: argparse.Namespace
    args, extras = build().parse_known_args(argv)
    if args.command is None:
        sys.stdout.write(SHORT_HELP)
        raise SystemExit(2)
    # argparse takes repeatable arguments in one place only; people write them before and after
    # options. It also takes '--wrong=a b' for an argument, because of the space.
    repeatable = next((name for name in ("exports", "reference_ids") if hasattr(args, name)), "")
    words = [*getattr(args, repeatable, ()), *extras]
    if any(word.startswith("-") and word != "-" for word in words) or (extras and not repeatable):
        args.parser.refuse(words)
    if repeatable:
        setattr(args, repeatable, words)
    return args


class Parser(argparse.ArgumentParser):
    """A parser whose options are added when they are needed: only one command is typed."""

    def __init__(self, *, options: Sequence[AddOptions] = (), **settings: Any) -> None:
        super().__init__(formatter_class=_Help, allow_abbrev=False, **settings)
        self._waiting = [*options, everywhere]

    def _fill(self) -> None:
        waiting, self._waiting = self._waiting, []
        for add in waiting:
            add(self)

    def filled(self) -> Parser:
        """The parser with all options of all commands in it, for shell completion."""
        self._fill()
        for action in self._actions:
            for made in action.choices.values() if isinstance(action.choices, dict) else ():
                made.filled()
        return self

    def parse_known_args(self, *args: Any, **settings: Any) -> Any:
        """As argparse does, with the options there."""
        self._fill()
        return super().parse_known_args(*args, **settings)

    def error(self, message: str) -> NoReturn:
        """One line that says what is wrong, one that says what to do, and exit code 2."""
        self.exit(2, f"backfill: error: {message}\n  see '{self.prog} --help'\n")

    def refuse(self, words: Sequence[str]) -> NoReturn:
        """Name what is unknown, but never what follows it: that may be a credential."""
        unknown = next((word for word in words if word.startswith("-") and word != "-"), None)
        if unknown is None:
            self.error("too many arguments")
        self._unknown("option", unknown.partition("=")[0], self._option_string_actions)

    def _check_value(self, action: argparse.Action, value: str) -> None:
        # The one thing here with choices is the command.
        if action.choices is not None and value not in action.choices:
            self._unknown("command", value, action.choices)

    def _unknown(self, what: str, word: str, known: Iterable[str]) -> NoReturn:
        from difflib import get_close_matches

        close = get_close_matches(word, list(known), n=1)
        self.error(f"unknown {what} {word}" + (f"; did you mean {close[0]}?" if close else ""))


class _Help(argparse.RawDescriptionHelpFormatter):
    """Paragraphs as they are written, at most 80 columns wide."""

    def __init__(self, prog: str) -> None:
        try:
            columns = os.get_terminal_size().columns
        except (OSError, ValueError):
            columns = 80
        super().__init__(prog, max_help_position=28, width=max(40, min(columns, 80) - 1))


def _paragraphs(text: str) -> str:
    """Text with each paragraph wrapped for 80 columns."""
    from textwrap import fill

    return "\n\n".join(fill(paragraph, 79) for paragraph in text.split("\n\n"))


def build() -> Parser:
    """The parser of the whole command line."""
    parser = Parser(
        prog="backfill",
        usage="backfill COMMAND [OPTION ...]",
        description="Moves years of order history into Shout: checked first, created exactly\n"
        "once, and never a text message to a customer.",
        epilog=EXIT_CODES,
    )
    subparsers = parser.add_subparsers(
        title="commands", metavar="COMMAND", dest="command", prog="backfill"
    )
    for command in COMMANDS.values():
        made = subparsers.add_parser(
            command.name,
            usage=f"backfill {command.name} {command.takes}".rstrip() + " [OPTION ...]",
            help=command.summary,
            description=_paragraphs(command.description),
            epilog=f"example:\n{command.examples}\n{EXIT_CODES}",
            options=command.options,
        )
        made.set_defaults(parser=made)
    return parser
