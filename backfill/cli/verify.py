"""``backfill verify``: reads every created order back and compares it."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import astuple
from pathlib import Path
from typing import TYPE_CHECKING

from backfill.cli.command import TO_SHOUT, Command, job, settings
from backfill.cli.terminal import DONE, INCOMPLETE, job_of, options_of
from backfill.job_folder.files import VERIFY
from backfill.money import amount
from backfill.settings.declared import API

if TYPE_CHECKING:
    from backfill.operations.verify import SignOff, VerifyResult

_LINES_SHOWN = 40
"""Above that, the table shows only the lines where Shout differs."""


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--sample", metavar="N", help="read back only N orders, chosen at random: a quick check"
    )


def run(args: argparse.Namespace) -> int:
    job = job_of(args)
    result = job.verify(sample=args.sample, **options_of(args))
    print("\n".join(lines(result, job.folder)))
    return DONE if result.all_equal else INCOMPLETE


def lines(result: VerifyResult, folder: Path) -> Iterator[str]:
    """What the check found."""
    if result.resumed_from is not None:
        yield f"Resumed the check that began at {result.resumed_from[:19]} UTC."
    looked_at = result.created if result.sample is None else result.sample
    if not looked_at:
        yield "This job has created no orders, so there is nothing to read back."
    else:
        yield (
            f"{looked_at:,} of {result.created:,} created orders were read back:"
            f" {result.equal:,} equal, {result.different:,} different,"
            f" {result.missing:,} missing"
            + (f", {result.unanswered:,} not answered" if result.unanswered else "")
        )
    for field, count in result.fields.items():
        yield f"  {field} differs in {count:,}"
    if result.flag_not_shown:
        yield f"  lookups do not show the flag, so it was not checked, in {result.flag_not_shown:,}"
    if result.bodies_purged:
        yield (
            "  the bodies were purged, so only key, total, day, number of line items and flag"
            " were compared"
        )
    for one in result.examples:
        yield f"  {one.verdict}: {one.reference_id} in {one.account_id}" + (
            f": {one.what}" if one.what else ""
        )
    if not result.all_equal and result.sample is None:
        yield f"All of them are in {folder / VERIFY}"
    if result.sign_off:
        yield ""
        yield from sign_off_table(result.sign_off, result.currency)


def sign_off_table(sign_off: Sequence[SignOff], currency: str) -> Iterator[str]:
    """The table to sign, by account and month; a long one only where Shout differs."""
    from backfill.operations.verify import SignOff

    whole = SignOff(None, "", *map(sum, zip(*(astuple(row)[2:] for row in sign_off), strict=True)))
    shown = sign_off
    if len(sign_off) > _LINES_SHOWN:
        shown = [row for row in sign_off if row.differs]
    orders = max(5, *(len(f"{row.export_orders:,}") for row in (whole, *shown)))
    money = max(8, *(len(amount(row.export_cents, currency)) for row in (whole, *shown)))
    wide = orders + 1 + money
    account = max(8, min(24, 80 - 2 - 8 - 3 * (wide + 2)))

    def line(name: str, month: str, row: SignOff) -> str:
        sums = (
            (row.export_orders, row.export_cents),
            (row.sent_orders, row.sent_cents),
            (row.found_orders, row.found_cents),
        )
        cells = (f"  {n:>{orders},} {amount(cents, currency):>{money}}" for n, cents in sums)
        mark = "!" if row.differs else " "
        return f"{mark} {name[:account]:<{account}} {month:<7}" + "".join(cells)

    heads = "".join(f"  {head:>{wide}}" for head in ("in the export", "sent", "found in Shout"))
    yield f"  {'account':<{account}} {'month':<7}{heads}"
    for row in shown:
        yield line(row.account_id or "(none)", row.month or "(none)", row)
    if len(shown) < len(sign_off):
        yield f"  ({len(sign_off) - len(shown):,} lines without a difference: see report.json)"
    yield line("all", "", whole)
    if whole.existing_orders:
        yield f"  ({whole.existing_orders:,} of the export were in Shout before, so not sent)"


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
