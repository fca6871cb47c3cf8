"""The commands and their options, as a person reads and types them.

Only argparse is imported here: ``backfill --help`` has to answer at once. Values stay text; what
they mean, and whether they are right, is for :mod:`backfill.configuration`, because the same
values may come from the environment and from the settings file.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterable, Sequence

from backfill import cli_options as opt

TYPE_CHECKING = False  # typing itself would cost a tenth of the time that --help may take
if TYPE_CHECKING:
    from typing import Any, NoReturn

AddOptions = Callable[[argparse.ArgumentParser], None]

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
  3    finished; some orders did not go, or a check found a difference
  4    stopped for safety, or because Shout refuses or is down; resumable
  11   another run holds this job
  130  interrupted; resumable
"""


#: How an example reaches Shout.
_TO_SHOUT = """ \\
      --api-url https://api.example.com \\
      --header 'Authorization: env:SHOUT_AUTHORIZATION'
"""


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The command line as values by name; ``--help``, ``--version`` and mistakes leave from here.

    :raises SystemExit: 0 after ``--help`` and ``--version``, 2 after a mistake.
    """
    args: argparse.Namespace
    args, extras = build().parse_known_args(argv)
    if args.command is None:
        sys.stdout.write(SHORT_HELP)
        raise SystemExit(2)
    # argparse takes exports in one place only; people write them before and after options. It
    # also takes '--wrong=a b' for an export, because of the space.
    words = [*getattr(args, "exports", ()), *extras]
    takes_exports = hasattr(args, "exports")
    if any(word.startswith("-") for word in words) or (extras and not takes_exports):
        args.parser.refuse(words)
    if takes_exports:
        args.exports = words
    return args


class Parser(argparse.ArgumentParser):
    """A parser whose options are added when they are needed: one command of many is typed."""

    def __init__(self, *, options: Sequence[AddOptions] = (), **settings: Any) -> None:
        super().__init__(formatter_class=_Help, allow_abbrev=False, **settings)
        self._waiting = [*options, opt.everywhere]

    def _fill(self) -> None:
        waiting, self._waiting = self._waiting, []
        for add in waiting:
            add(self)

    def filled(self) -> Parser:
        """The parser with all options of all commands in it, for who wants to look at it."""
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
        unknown = next((word for word in words if word.startswith("-")), None)
        if unknown is None:
            self.error("more is given than this command takes")
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


def build() -> Parser:
    """The parser of the whole command line."""
    parser = Parser(
        prog="backfill",
        usage="backfill COMMAND [OPTION ...]",
        description="Moves years of order history into Shout: checked first, created exactly\n"
        "once, and never a text message to a customer.",
        epilog=EXIT_CODES,
    )
    commands = parser.add_subparsers(
        title="commands", metavar="COMMAND", dest="command", prog="backfill"
    )

    def command(
        name: str, takes: str, summary: str, description: str, examples: str, *options: AddOptions
    ) -> None:
        made = commands.add_parser(
            name,
            usage=f"backfill {name} {takes}".rstrip() + " [OPTION ...]",
            help=summary,
            description=description,
            epilog=f"example:\n{examples}\n{EXIT_CODES}",
            options=options,
        )
        made.set_defaults(parser=made)

    command(
        "demo",
        "",
        "see a whole migration happen, on this machine",
        "Rehearses a whole migration on sample data against a Shout that runs on this\n"
        "machine: dry run, import, a forced interruption and resume. It says what\n"
        "happens at each step, and where the reports are. Nothing leaves this machine.",
        "  backfill demo\n",
        opt.demo,
    )
    command(
        "inspect",
        "EXPORT ...",
        "what is in an export, and how it would be read",
        "Says what was found: format, encoding, delimiter, sheets, header row, rows,\n"
        "orders, and how each column maps to a field, with samples. For a file that is\n"
        "not recognised, --write-mapping writes a mapping to complete by hand.",
        "  backfill inspect orders.csv\n  backfill inspect erp.xlsx --write-mapping erp.toml\n",
        opt.exports,
        opt.inspect,
        opt.reading,
    )
    command(
        "validate",
        "EXPORT ...",
        "the dry run: check everything, send nothing",
        "Prepares every order exactly as 'run' would, and writes the reports into the\n"
        "job folder. It opens no connection. 'backfill run --dry-run' is the same.",
        "  backfill validate orders.csv --affiliates affiliates.csv\n"
        "  backfill validate orders.csv --connect-id A1 --timezone America/Denver\n"
        "  backfill validate --list-rules\n",
        opt.exports,
        opt.validate,
        opt.job_settings,
        opt.reading,
        opt.account,
    )
    command(
        "run",
        "[EXPORT ...]",
        "check, then send; run it again to resume",
        "Prepares every order, asks once, and creates the orders in Shout. Whatever\n"
        "interrupts it, the same command again goes on where it stopped, and no order\n"
        "is created twice. With --job and no export it goes on from the checkpoint.\n\n"
        "A credential on the command line can be seen by other users of the machine\n"
        "(ps); 'Name: env:VAR' takes it from the environment instead.",
        "  export SHOUT_AUTHORIZATION='Bearer ...'\n"
        "  backfill run orders.csv --affiliates affiliates.csv \\\n"
        "      --api-url https://api.example.com \\\n"
        "      --header 'Authorization: env:SHOUT_AUTHORIZATION' --limit 10\n"
        "  backfill run --job orders.backfill --api-url https://api.example.com \\\n"
        "      --header 'Authorization: env:SHOUT_AUTHORIZATION'\n",
        opt.exports,
        opt.run,
        opt.job_settings,
        opt.reading,
        opt.account,
        opt.api,
    )
    command(
        "status",
        "JOB",
        "how far a job is",
        "Counts by state, rate, and what is left. It works while a run goes on, too.",
        "  backfill status orders.backfill\n"
        "  backfill status orders.backfill --json\n"
        "  backfill status orders.backfill --watch\n",
        opt.job,
        opt.status,
    )
    command(
        "retry",
        "JOB",
        "send again what was refused or set aside",
        "Puts failed and skipped orders back to pending, and goes on with the job. What\n"
        "was sent before is looked up first. --rule, --account and --reason narrow it.",
        f"  backfill retry orders.backfill{_TO_SHOUT}"
        f"  backfill retry orders.backfill --account A1{_TO_SHOUT}",
        opt.job,
        opt.retry,
        opt.api,
    )
    command(
        "verify",
        "JOB",
        "read every created order back and compare",
        "Looks every order that this job created up in Shout, under its account, and\n"
        "compares amounts, line items, dates and the flag with what was sent. It says\n"
        "which are equal, different or missing, and draws up a table by account and\n"
        "month to sign. Nothing is changed. Interrupted, it goes on where it stopped.",
        f"  backfill verify orders.backfill{_TO_SHOUT}"
        f"  backfill verify orders.backfill --sample 100{_TO_SHOUT}",
        opt.job,
        opt.verify,
        opt.api,
    )
    command(
        "undo",
        "JOB",
        "delete what this job created, and only that",
        "Deletes from Shout the orders that this job created. Orders that were there\n"
        "before, and orders that somebody else has put there under the same key, stay.\n"
        "It asks first, can be interrupted, and is safe to repeat. A later 'run' creates\n"
        "the orders again, unless it has --leave-undone.",
        f"  backfill undo orders.backfill{_TO_SHOUT}"
        f"  backfill undo orders.backfill --account A1 --since 2026-01-31{_TO_SHOUT}",
        opt.job,
        opt.undo,
        opt.api,
    )
    command(
        "notify",
        "JOB",
        "send each account one summary message",
        "Sends one message, through Shout, to each account that has orders created by\n"
        "this job. The texts are shown first. No account gets two, whatever crashes: a\n"
        "message whose outcome is not known is named, and not sent again unless\n"
        "--resend-in-doubt asks for it.",
        "  backfill notify orders.backfill --dry-run --company 'Example Shop' \\\n"
        "      --message '{company} added your {orders} orders since {first_month}.'\n"
        "  backfill notify orders.backfill --template message.txt --accounts ids.txt"
        f"{_TO_SHOUT}",
        opt.job,
        opt.notify,
        opt.api,
    )
    command(
        "purge",
        "JOB",
        "erase the personal data once all is signed off",
        "Blanks names, phones, addresses and all else that identifies a customer in the\n"
        "checkpoint, and removes the reports and the source rows. Keys, states, ids and\n"
        "totals stay: status, verify and undo still work. It asks first, and cannot be\n"
        "taken back.",
        "  backfill purge orders.backfill\n  backfill purge orders.backfill --yes\n",
        opt.job,
        opt.purge,
    )
    command(
        "report",
        "JOB",
        "write the reports of a job again",
        "Writes report.html, report.json, results.csv and rejected_rows.csv again from\n"
        "the checkpoint. Personal data is masked unless asked for.",
        "  backfill report orders.backfill\n",
        opt.job,
        opt.report,
    )
    command(
        "sandbox",
        "",
        "a Shout to practise on, on this machine",
        "Serves a local Shout: it takes orders as the real one does, and counts the\n"
        "text messages that the real one would have sent. Its page at / shows what\n"
        "arrived. A faults file makes it misbehave.",
        "  backfill sandbox --port 8808 --db shout.sqlite\n",
        opt.sandbox,
    )
    command(
        "completion",
        "bash|zsh|fish|tcsh",
        "a script that completes commands in your shell",
        "Prints a script that makes the Tab key complete commands and options. Load it\n"
        "from your shell's start-up file, or put it where your shell looks for them.",
        '  eval "$(backfill completion bash)"\n  backfill completion zsh\n',
        opt.completion,
    )
    return parser
