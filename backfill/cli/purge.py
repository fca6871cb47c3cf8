"""``backfill purge``: erases the personal data of a job that is signed off."""

from __future__ import annotations

import argparse

from backfill.cli.command import Command, job, one
from backfill.cli.terminal import given, progress_of


def run(args: argparse.Namespace) -> int:
    from backfill.afterwards.purge import purge
    from backfill.settings import sources

    configuration = sources.load(given(args))
    return purge(configuration.run([]), progress_of(configuration))


COMMAND = Command(
    name="purge",
    takes="JOB",
    summary="erase the personal data once all is signed off",
    description=(
        "Erases names, phone numbers, addresses and everything else that identifies a customer "
        "from the checkpoint, and removes the reports and the source rows. Keys, states, ids "
        "and totals stay: status, verify and undo still work. It asks for confirmation, and "
        "cannot be undone."
    ),
    examples=("  backfill purge orders.backfill\n  backfill purge orders.backfill --yes\n"),
    options=(
        job,
        one("yes"),
    ),
    run=run,
)
