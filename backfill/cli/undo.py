"""``backfill undo``: deletes what this job created, and only that."""

from __future__ import annotations

import argparse

from backfill.cli.command import TO_SHOUT, Command, job, settings
from backfill.cli.terminal import checked, given, progress_of
from backfill.settings import checks
from backfill.settings.declared import API


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--account", metavar="ID", help="only orders of this account")
    parser.add_argument(
        "--since", metavar="DATE", help="only orders created on that day (UTC) or later"
    )


def run(args: argparse.Namespace) -> int:
    from backfill.afterwards.undo import undo
    from backfill.checkpoint.afterwards import Selection
    from backfill.settings import sources

    configuration = sources.load(given(args))
    which = Selection(account=args.account, since=checked(args, "since", checks.moment))
    run = configuration.run([])
    return undo(configuration.api(), run, progress_of(configuration), which)


COMMAND = Command(
    name="undo",
    takes="JOB",
    summary="delete what this job created, and only that",
    description=(
        "Deletes from Shout the orders that this job created. Orders that were there before, "
        "and orders that somebody else created under the same key, stay. It asks for "
        "confirmation, can be interrupted, and is safe to repeat. A later 'run' creates the "
        "orders again, unless it has --leave-undone."
    ),
    examples=(
        f"  backfill undo orders.backfill{TO_SHOUT}"
        f"  backfill undo orders.backfill --account A1 --since 2026-01-31{TO_SHOUT}"
    ),
    options=(
        job,
        add_options,
        settings(API),
    ),
    run=run,
)
