"""``backfill run``: prepares, then sends; again, it resumes."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from backfill.cli.command import Command, exports, settings
from backfill.cli.on_finish import with_on_finish
from backfill.cli.terminal import (
    DONE,
    INCOMPLETE,
    confirmation,
    exit_code_of_run,
    given,
    job_of,
    listed,
    options_of,
)
from backfill.cli.validate import dry_run
from backfill.job_folder.files import has_job
from backfill.settings.declared import ACCOUNTS, API, JOB, READING, THIS_RUN

if TYPE_CHECKING:
    from backfill.job import RunResult
    from backfill.operations.send import SendPlan
    from backfill.operations.update import UpdatePlan, UpdateResult


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--dry-run", action="store_true", help="send nothing: the same as 'backfill validate'"
    )


def run(args: argparse.Namespace) -> int:
    if args.dry_run:
        return dry_run(args)
    if len(args.exports) == 1 and has_job(Path(args.exports[0])) and given(args)["job"] is None:
        # 'backfill run JOB' can only mean one thing.
        vars(args).update({"--job": args.exports.pop()})
    job = job_of(args)

    def work() -> int:
        result = job.run(*args.exports, confirm=confirmation(plan_lines), **options_of(args))
        return show(result, job.folder)

    return with_on_finish(args, job.folder, work)


def show(result: RunResult, folder: Path) -> int:
    """Print what a run did; returns the exit code."""
    from backfill.checkpoint import State
    from backfill.cli.summary import lines_of_changes, print_summary

    if result.figures is None:
        states = ", ".join(f"{n:,} {state}" for state, n in result.states.items() if n)
        none = "None of the chosen orders" if result.states[State.PENDING] else "Nothing"
        print(f"{none} is left to send: {states or 'the job has no orders'}.")
        print(f"The reports are in {folder}; 'backfill report {folder}' writes them again.")
        return exit_code_of_run(result.states)
    before = [*lines_of_changes(result.prepared), *lines_of_sending(result)]
    print_summary(result.figures, folder, before)
    not_updated = result.updated.left if result.updated else 0
    code = exit_code_of_run(result.states)
    return INCOMPLETE if code == DONE and not_updated else code


def lines_of_sending(result: RunResult) -> Iterator[str]:
    """What a person should know about the sending that the summary does not say."""
    if result.put_back is not None:
        yield f"{result.put_back:,} failed or skipped orders were pending again."
    if result.sent is not None and result.sent.created_again:
        yield (
            f"{result.sent.created_again:,} orders that an undo had deleted were created again"
            " (--leave-undone leaves them out)."
        )
    if result.sent is not None and result.sent.pilot:
        yield "Created in this pilot; look at them in Shout, in the account of each:"
        for order in result.sent.pilot:
            yield f"  {order.reference_id}  in account {order.account_id}"
        if result.sent.created > len(result.sent.pilot):
            yield f"  and {result.sent.created - len(result.sent.pilot):,} more: see results.csv"
    if result.updated is not None:
        yield from lines_of_updating(result.updated)


def lines_of_updating(updated: UpdateResult) -> Iterator[str]:
    """What became of orders that changed in the export after they were sent."""
    if updated.selected:
        yield (
            f"Updated {updated.updated:,} of {updated.selected:,} orders that changed in the export"
            " after they were sent."
        )
    yield from listed(
        f"  not updated: {one.reference_id}: {one.reason}"[:160] for one in updated.not_updated
    )
    if updated.not_updatable:
        yield (
            f"{updated.not_updatable:,} changed orders cannot be updated: this job did not create"
            " them, they are no longer valid, or they changed account (see changed.csv)."
        )


def plan_lines(plan: SendPlan | UpdatePlan) -> Iterator[str]:
    """What is about to be created or updated, for the confirmation."""
    from backfill.operations.send import SendPlan

    yield from send_lines(plan) if isinstance(plan, SendPlan) else update_lines(plan)
    yield "No customer gets a text message: every order says dont_trigger_auto_actions."


def update_lines(plan: UpdatePlan) -> Iterator[str]:
    """The orders that are about to be updated."""
    yield ""
    yield (
        f"{plan.orders:,} orders that this job created in Shout at {plan.confirm_with} changed in"
        " the export after they were sent. They will be updated to what the export says now:"
    )
    for field, orders in plan.fields.items():
        yield f"  {field:<28} in {orders:,} orders"


def send_lines(plan: SendPlan) -> Iterator[str]:
    """The orders that are about to be created."""
    from backfill.report.wording import count, money

    yield ""
    yield f"Orders will be created in Shout at {plan.confirm_with}."
    yield f"  orders     {count(plan.orders)} for {count(plan.accounts, 'account')}"
    yield f"  money      {money(plan.total_cents, plan.currency)}"
    yield f"  dates      {plan.first_day} to {plan.last_day}"
    if plan.later:
        yield f"  later      {plan.later:,} stay pending"
    if plan.undone:
        yield f"  again      {plan.undone:,} were undone before (--leave-undone leaves them out)"
    for state, orders in plan.not_created.items():
        yield f"  left out   {orders:,} {state.value}"


COMMAND = Command(
    name="run",
    takes="[EXPORT ...]",
    summary="check, then send; run it again to resume",
    description=(
        "Prepares every order, asks for confirmation once, and creates the orders in Shout. "
        "After any interruption, the same command continues where it stopped, and no order "
        "is created twice. With --job and no export it continues from the checkpoint.\n\n"
        "A credential on the command line is visible to other users of the machine (ps); "
        "'Name: env:VAR' reads it from the environment instead."
    ),
    examples=(
        "  export SHOUT_AUTHORIZATION='Bearer ...'\n"
        "  backfill run orders.csv --affiliates affiliates.csv \\\n"
        "      --api-url https://api.example.com \\\n"
        "      --header 'Authorization: env:SHOUT_AUTHORIZATION' --limit 10\n"
        "  backfill run --job orders.backfill --api-url https://api.example.com \\\n"
        "      --header 'Authorization: env:SHOUT_AUTHORIZATION'\n"
    ),
    options=(
        exports,
        add_options,
        settings(JOB, THIS_RUN, READING, ACCOUNTS, API),
    ),
    run=run,
)
