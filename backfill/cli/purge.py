"""``backfill purge``: erases the personal data of a job that is signed off."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING

from backfill.cli.command import Command, job, one
from backfill.cli.terminal import DONE, confirmation, given, job_of

if TYPE_CHECKING:
    from backfill.operations.purge import PurgePlan


def run(args: argparse.Namespace) -> int:
    job = job_of(args)
    job.purge(yes=bool(given(args)["yes"]), confirm=confirmation(plan_lines))
    print(
        f"Purged: no name, phone number or address is left in {job.folder}. Keys, states, ids and"
        " totals stay; status, verify and undo still work."
    )
    return DONE


def plan_lines(plan: PurgePlan) -> Iterator[str]:
    """What is about to be erased, for the confirmation."""
    yield ""
    yield f"All personal data in {plan.folder} will be erased: bodies, source rows, reports."
    yield "Keys, states, ids and totals stay. This cannot be undone."
    if plan.not_created:
        yield f"{plan.not_created:,} orders were not created; this job can no longer send them."


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
