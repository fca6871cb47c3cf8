"""The options of the commands, in groups; values stay text, see :mod:`backfill.cli_parser`."""

from __future__ import annotations

import argparse

from backfill import __version__


def everywhere(parser: argparse.ArgumentParser) -> None:
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


def exports(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "exports",
        nargs="*",
        metavar="EXPORT",
        help="a CSV or Excel file, a folder of them, or a pattern such as 'orders_*.csv'",
    )


def job(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("job", metavar="JOB", help="the job folder, such as orders.backfill")


def demo(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--keep",
        metavar="DIR",
        help="the folder for the rehearsal (default: a new one, which is named at the end)",
    )


def inspect(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--write-mapping",
        metavar="FILE",
        help="write the mapping as TOML, to edit and give to --mapping",
    )


def validate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--list-rules", action="store_true", help="print every rule with its severity, and leave"
    )
    parser.set_defaults(dry_run=True)


def run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--dry-run", action="store_true", help="send nothing: the same as 'backfill validate'"
    )
    parser.add_argument(
        "--update-changed",
        action="store_true",
        default=None,
        help="put right, in Shout, the orders of this job that read differently in the export"
        " by now",
    )
    parser.add_argument(
        "--leave-undone",
        action="store_true",
        default=None,
        help="do not create again what 'backfill undo' has taken back",
    )


def status(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--watch", action="store_true", help="show it again every two seconds, until it is done"
    )


def verify(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--sample", metavar="N", help="read only N orders back, chosen by chance: a quick look"
    )
    settings_file(parser)


def retry(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rule", metavar="RULE", help="only orders that did not go by this rule")
    parser.add_argument("--account", metavar="ID", help="only orders of this account")
    parser.add_argument(
        "--reason", metavar="TEXT", help="only orders whose reason has this text in it"
    )
    settings_file(parser)


def undo(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--account", metavar="ID", help="only orders of this account")
    parser.add_argument(
        "--since",
        metavar="DATE",
        help="only orders that this job created on that day (UTC) or later",
    )
    settings_file(parser)


def notify(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--message",
        metavar="TEMPLATE",
        help="the text, with {orders}, {total}, {first_month}, {last_month}, {company}",
    )
    parser.add_argument("--template", metavar="FILE", help="a file with the text instead")
    parser.add_argument("--company", metavar="NAME", help="what {company} stands for")
    parser.add_argument(
        "--accounts", metavar="FILE", help="only the accounts that this file names, one a line"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="show every text and who would get it; send nothing"
    )
    parser.add_argument(
        "--resend-in-doubt",
        action="store_true",
        help="send again what may have arrived already: some may get it twice",
    )
    settings_file(parser)


def purge(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--yes", action="store_true", default=None, help="ask no questions")


def completion(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", metavar="bash|zsh|fish|tcsh", help="the shell to complete for")


def report(parser: argparse.ArgumentParser) -> None:
    personal_data(parser)


def personal_data(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--show-personal-data",
        action="store_true",
        default=None,
        help="do not mask names, phones and addresses in report.html",
    )


def sandbox(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", metavar="N", help="the port to listen at (default: 8808)")
    parser.add_argument(
        "--db", metavar="FILE", help="keep what arrives in this file (default: in memory)"
    )
    parser.add_argument("--faults", metavar="FILE", help="a TOML file that says how to misbehave")
    parser.add_argument("--rate-limit", metavar="N", help="answer 429 above N requests a second")


def job_settings(parser: argparse.ArgumentParser) -> None:
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
    personal_data(group)


def settings_file(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--config", metavar="FILE", help="the settings file (default: backfill.toml if there)"
    )


def reading(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("reading the export")
    settings_file(group)
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
        "--encoding", metavar="NAME", help="the encoding of a text file, such as windows-1252"
    )
    group.add_argument("--header-row", metavar="N", help="the row of the header, counted from 1")
    group.add_argument(
        "--accept-guesses",
        action="store_true",
        default=None,
        help="use the columns that 'backfill inspect' only guessed",
    )
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
        "--decimal-mark",
        metavar="point|comma",
        help="how to read amounts such as 1.234 where the column cannot tell",
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


def account(parser: argparse.ArgumentParser) -> None:
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


def api(parser: argparse.ArgumentParser) -> None:
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
