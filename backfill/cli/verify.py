"""``backfill verify``: reads every created order back and compares it."""

from __future__ import annotations

import argparse

from backfill.cli.command import TO_SHOUT, Command, job, settings
from backfill.cli.terminal import checked, given, progress_of
from backfill.settings import checks
from backfill.settings.declared import API


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--sample", metavar="N", help="read back only N orders, chosen at random: a quick check"
    )


def run(args: argparse.Namespace) -> int:
    from backfill.afterwards.verify import verify
    from backfill.settings import sources

    configuration = sources.load(given(args))
    sample = checked(args, "sample", checks.count("a number of orders"))
    run = configuration.run([])
    return verify(configuration.api(), run, progress_of(configuration), sample or run.limit)


COMMAND = Command(
    name="verify",
    takes="JOB",
    summary="read every created order back and compare",
    description=(
        "Looks up in Shout every order that this job created, under its account, and compares "
        "amounts, line items, dates and the flag with what was sent. It reports which are "
        "equal, different or missing, and a table by account and month to sign. Nothing is "
        "changed. After an interruption it continues where it stopped."
    ),
    examples=(
        f"  backfill verify orders.backfill{TO_SHOUT}"
        f"  backfill verify orders.backfill --sample 100{TO_SHOUT}"
    ),
    options=(
        job,
        add_options,
        settings(API),
    ),
    run=run,
)
