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

from backfill import __version__

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

'backfill --help' lists all commands, 'backfill COMMAND --help' all that one can do.
"""

EXIT_CODES = """\
exit codes:
  0    all orders are created (or valid)
  1    it failed; the message says why
  2    an option, a setting or a mapping is not usable
  3    finished, and some orders were rejected, failed or skipped
  4    stopped for safety, or because Shout refuses or is down; resumable
  11   another run holds this job
  130  interrupted; resumable
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
        self._waiting = [*options, _everywhere]

    def _fill(self) -> None:
        waiting, self._waiting = self._waiting, []
        for add in waiting:
            add(self)

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
        _demo_options,
    )
    command(
        "inspect",
        "EXPORT ...",
        "what is in an export, and how it would be read",
        "Says what was found: format, encoding, delimiter, sheets, header row, rows,\n"
        "orders, and how each column maps to a field, with samples. For a file that is\n"
        "not recognised, --write-mapping writes a mapping to complete by hand.",
        "  backfill inspect orders.csv\n  backfill inspect erp.xlsx --write-mapping erp.toml\n",
        _exports,
        _inspect_options,
        _reading_options,
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
        _exports,
        _validate_options,
        _job_options,
        _reading_options,
        _account_options,
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
        _exports,
        _run_options,
        _job_options,
        _reading_options,
        _account_options,
        _api_options,
    )
    command(
        "status",
        "JOB",
        "how far a job is",
        "Counts by state, rate, and what is left. It works while a run goes on, too.",
        "  backfill status orders.backfill\n  backfill status orders.backfill --json\n",
        _job,
        _status_options,
    )
    command(
        "report",
        "JOB",
        "write the reports of a job again",
        "Writes report.html, report.json, results.csv and rejected_rows.csv again from\n"
        "the checkpoint. Personal data is masked unless asked for.",
        "  backfill report orders.backfill\n",
        _job,
        _report_options,
    )
    command(
        "sandbox",
        "",
        "a Shout to practise on, on this machine",
        "Serves a local Shout: it takes orders as the real one does, and counts the\n"
        "text messages that the real one would have sent. Its page at / shows what\n"
        "arrived. A faults file makes it misbehave.",
        "  backfill sandbox --port 8808 --db shout.sqlite\n",
        _sandbox_options,
    )
    return parser


def _everywhere(parser: argparse.ArgumentParser) -> None:
    # SUPPRESS: a value given before the command is not overwritten by the command's default.
    group = parser.add_argument_group("everywhere")
    group.add_argument(
        "--progress",
        metavar="auto|bar|plain|json|none",
        default=argparse.SUPPRESS,
        help="how to show the progress, on stderr (default: auto: bars in a terminal)",
    )
    group.add_argument(
        "--verbose",
        action="store_true",
        default=argparse.SUPPRESS,
        help="say more of what happens",
    )
    group.add_argument("--version", action="version", version=f"backfill {__version__}")


def _exports(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "exports",
        nargs="*",
        metavar="EXPORT",
        help="a CSV or Excel file, a folder of them, or a pattern such as 'orders_*.csv'",
    )


def _job(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("job", metavar="JOB", help="the job folder, such as orders.backfill")


def _demo_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--keep",
        metavar="DIR",
        help="the folder for the rehearsal (default: a new one, which is named at the end)",
    )


def _inspect_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--write-mapping",
        metavar="FILE",
        help="write the mapping as TOML, to edit and give to --mapping",
    )


def _validate_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--list-rules", action="store_true", help="print every rule with its severity, and leave"
    )
    parser.set_defaults(dry_run=True)


def _run_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--dry-run", action="store_true", help="send nothing: the same as 'backfill validate'"
    )


def _status_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def _report_options(parser: argparse.ArgumentParser) -> None:
    _personal_data(parser)


def _personal_data(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--show-personal-data",
        action="store_true",
        default=None,
        help="do not mask names, phones and addresses in report.html",
    )


def _sandbox_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", metavar="N", help="the port to listen at (default: 8808)")
    parser.add_argument(
        "--db", metavar="FILE", help="keep what arrives in this file (default: in memory)"
    )
    parser.add_argument("--faults", metavar="FILE", help="a TOML file that says how to misbehave")
    parser.add_argument("--rate-limit", metavar="N", help="answer 429 above N requests a second")


def _job_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the job")
    group.add_argument(
        "--job",
        metavar="DIR",
        help="the job folder (default: the first export's stem + .backfill, in this folder)",
    )
    group.add_argument(
        "--max-rejected",
        metavar="PERCENT",
        help="do not start when more orders than this are rejected (default: 10)",
    )
    _personal_data(group)


def _reading_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("reading the export")
    group.add_argument(
        "--config", metavar="FILE", help="the settings file (default: backfill.toml if there)"
    )
    group.add_argument(
        "--format", metavar="NAME", help="what wrote the export (default: recognised)"
    )
    group.add_argument("--mapping", metavar="FILE", help="a TOML file that maps columns to fields")
    group.add_argument(
        "--map",
        metavar="FIELD=SPEC",
        action="append",
        help="where a field comes from: a column, several joined with | (the first that is not"
        " empty), or a template such as '{Ship City}, {Ship State}'; repeatable",
    )
    group.add_argument("--sheet", metavar="NAME", help="the sheet of a workbook to read")
    group.add_argument(
        "--items", metavar="FILE", help="line items in a second file, joined on the order key"
    )
    group.add_argument(
        "--timezone",
        metavar="NAME",
        help="where times without an offset belong, such as America/Denver",
    )
    group.add_argument(
        "--date-order",
        metavar="mdy|dmy|ymd",
        help="how to read dates such as 03/04/2021 where the column cannot tell",
    )
    group.add_argument(
        "--currency", metavar="CODE", help="the currency of the orders (default: USD)"
    )
    group.add_argument(
        "--region",
        metavar="CODE",
        help="the country of phone numbers without a country code (default: US)",
    )
    group.add_argument("--reference-prefix", metavar="TEXT", help="put before every reference id")


def _account_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the accounts in Shout")
    group.add_argument(
        "--connect-id", metavar="ID", help="one account for all orders, by your own id for it"
    )
    group.add_argument("--user-id", metavar="ID", help="the same, by Shout's user id instead")
    group.add_argument(
        "--affiliates",
        metavar="FILE",
        help="a CSV from affiliate to connect_id or user_id, with who is connected",
    )
    group.add_argument(
        "--only-requested-history",
        action="store_true",
        default=None,
        help="skip the orders of affiliates who did not ask for their history",
    )


def _api_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("talking to Shout")
    group.add_argument(
        "--api-url", metavar="URL", help="the address of Shout's API; https: unless it is here"
    )
    group.add_argument(
        "--header",
        metavar="'NAME: VALUE'",
        action="append",
        help="a header with the credentials; 'Name: env:VAR' reads it from the environment;"
        " repeatable",
    )
    group.add_argument(
        "--concurrency", metavar="N", help="requests under way at once, at most (default: 16)"
    )
    group.add_argument("--rate", metavar="N", help="requests a second, at most")
    group.add_argument("--limit", metavar="N", help="stop after N orders: a pilot")
    group.add_argument(
        "--timeout", metavar="SECONDS", help="how long one request may take (default: 30)"
    )
    group.add_argument(
        "--settle",
        metavar="SECONDS",
        help="how long after a request of unknown outcome a 'not found' is believed (default: 5)",
    )
    group.add_argument(
        "--give-up-after",
        metavar="SECONDS",
        help="how long an outage may last before the run stops, resumable (default: 900)",
    )
    group.add_argument("--yes", action="store_true", default=None, help="ask no questions")
