"""``backfill validate``: the dry run."""

from __future__ import annotations

import argparse
import textwrap

from backfill.cli.command import Command, exports, settings
from backfill.cli.terminal import exit_code, exports_of, job_of, options_of
from backfill.settings.declared import ACCOUNTS, JOB, READING


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--list-rules", action="store_true", help="print every rule with its severity, and exit"
    )


def run(args: argparse.Namespace) -> int:
    if args.list_rules:
        return list_rules()
    return dry_run(args)


def dry_run(args: argparse.Namespace) -> int:
    """Prepare, report, and print the summary."""
    from backfill.cli.summary import lines_of_changes, print_summary
    from backfill.settings import ImportOptions

    exports, options = exports_of(args), options_of(args)
    job = job_of(args)
    imports = {name: options[name] for name in options if name in ImportOptions.__optional_keys__}
    prepared = job.prepare(*exports, **imports)
    figures = job.report(show_personal_data=bool(options.get("show_personal_data")))
    print_summary(figures, job.folder, lines_of_changes(prepared))
    return exit_code(figures.states)


def list_rules() -> int:
    """Print every rule with its severity and what to do about it."""
    from backfill.prepare.validation import rules

    for rule, words in rules.described().items():
        print(f"{rule} ({words['severity']})")
        text = f"{words['title']}: {words['remedy']}"
        print(textwrap.fill(text, 79, initial_indent="    ", subsequent_indent="    "))
    return 0


COMMAND = Command(
    name="validate",
    takes="EXPORT ...",
    summary="the dry run: check everything, send nothing",
    description=(
        "Prepares every order exactly as 'run' would, and writes the reports into the\n"
        "job folder. It opens no connection. 'backfill run --dry-run' does the same."
    ),
    examples=(
        "  backfill validate orders.csv --affiliates affiliates.csv\n"
        "  backfill validate orders.csv --connect-id A1 --timezone America/Denver\n"
        "  backfill validate --list-rules\n"
    ),
    options=(
        exports,
        add_options,
        settings(JOB, READING, ACCOUNTS),
    ),
    run=run,
)
