"""``backfill undo``: deletes what this job created, and only that."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from backfill.cli.command import TO_SHOUT, Command, job, settings
from backfill.cli.terminal import (
    DONE,
    INCOMPLETE,
    confirmation,
    job_of,
    listed,
    options_of,
)
from backfill.money import amount
from backfill.settings.declared import API

if TYPE_CHECKING:
    from backfill.operations.undo import UndoPlan, UndoResult


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--account", metavar="ID", help="only orders of this account")
    parser.add_argument(
        "--since", metavar="DATE", help="only orders created on that day (UTC) or later"
    )


def run(args: argparse.Namespace) -> int:
    job = job_of(args)
    result = job.undo(
        account=args.account, since=args.since, confirm=confirmation(plan_lines), **options_of(args)
    )
    print("\n".join(lines(result, job.folder)))
    return INCOMPLETE if result.stay or result.not_proven_ours else DONE


def plan_lines(plan: UndoPlan) -> Iterator[str]:
    """What is about to be deleted, for the confirmation."""
    yield ""
    yield f"Orders that this job created will be DELETED from Shout at {plan.confirm_with}."
    yield f"  orders     {plan.orders:,} in {plan.accounts:,} accounts"
    yield f"  money      {plan.currency} {amount(plan.total_cents, plan.currency)}"
    for orders, which in (
        (plan.not_selected, "that are not selected"),
        (plan.existing, "that were there before this job"),
        (plan.in_doubt, "in doubt from an interrupted run: run it again to settle them"),
    ):
        if orders:
            yield f"  staying    {orders:,} {which}"


def lines(result: UndoResult, folder: Path) -> Iterator[str]:
    """What the undo did."""
    if result.not_proven_ours:
        from backfill.report.wording import count

        yield (
            f"{count(len(result.not_proven_ours), 'order')} may have been in Shout before this job,"
            f" and stay there: {', '.join(listed(result.not_proven_ours))}"
        )
    if not result.selected:
        yield "Nothing to delete: no order that this job created is selected."
        return
    yield f"Deleted {result.deleted:,} orders."
    if result.found_gone:
        yield f"  {result.found_gone:,} of them were no longer in their account."
    yield from listed(
        f"  stays in Shout: {one.reference_id}: {one.reason}"[:160] for one in result.stay
    )
    if result.in_doubt:
        yield f"  {result.in_doubt:,} in doubt from an interrupted run stay: run it again"
    if result.undone:
        yield (
            f"'backfill run --job {folder}' would create the deleted orders again;"
            " with --leave-undone it does not."
        )


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
