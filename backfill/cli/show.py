"""``backfill show``: prints prepared orders as JSON, with the source rows they come from."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict

from backfill.cli.command import Command, job, one
from backfill.cli.terminal import DONE, given, job_of


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "reference_ids", nargs="*", metavar="REFERENCE_ID", help="only these orders (default: all)"
    )
    parser.add_argument("--state", metavar="STATE", help="only orders in this state")
    parser.add_argument("--account", metavar="ID", help="only orders of this account")


def run(args: argparse.Namespace) -> int:
    from backfill.settings import sources

    job, run = job_of(args), sources.load(given(args)).run([])
    orders = job.iter_orders(
        *args.reference_ids,
        state=args.state,
        account=args.account,
        limit=run.limit,
        show_personal_data=run.show_personal_data,
    )
    # One order per line for programs, laid out for people.
    indent = 2 if sys.stdout.isatty() else None
    for order in orders:
        print(json.dumps(asdict(order), ensure_ascii=False, indent=indent))
    return DONE


COMMAND = Command(
    name="show",
    takes="JOB [REFERENCE_ID ...]",
    summary="print prepared orders beside their source rows",
    description=(
        "Prints prepared orders as JSON: the body exactly as it would be sent, and the source "
        "rows it comes from. Personal data is masked unless --show-personal-data is given. "
        "A terminal gets JSON laid out for reading, anything else one order per line."
    ),
    examples=(
        "  backfill show orders.backfill --limit 3\n"
        "  backfill show orders.backfill '#7' --show-personal-data\n"
        "  backfill show orders.backfill --state rejected --account A1\n"
    ),
    options=(
        job,
        add_options,
        one("limit"),
        one("show_personal_data"),
    ),
    run=run,
)
