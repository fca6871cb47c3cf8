"""Every created order is read back from Shout; the verdict, and the table to sign."""

from __future__ import annotations

import csv
import json
import random
import sqlite3
from collections.abc import Iterator
from dataclasses import asdict, astuple, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from backfill import steps
from backfill.checkpoint import Checkpoint, State, now
from backfill.checkpoint.afterwards import Verdict, check_apart, forget_checks, not_checked
from backfill.progress import Progress
from backfill.settings import ApiSettings, RunSettings
from backfill.steps import PURGED, Tell

#: The orders that are not as they were sent, in the job folder.
LISTED = "verify.csv"
COLUMNS = ("reference_id", "account_id", "verdict", "shout_order_id", "fields", "what")

_BEGUN = "verifying"
"""``meta``: when the check that is under way was begun."""
_GOES_ON_FOR = timedelta(hours=24)
"""An interrupted check is not gone on with after that: what it found is no news any more."""
_SHOWN = 10
_LINES_SHOWN = 40


@dataclass(frozen=True, slots=True)
class SignOff:
    """Orders and money (cents) of one account in one month."""

    account_id: str | None
    month: str | None
    export_orders: int
    export_cents: int
    sent_orders: int
    sent_cents: int
    existing_orders: int
    """in Shout before this job, so neither sent nor read back"""
    found_orders: int
    found_cents: int

    @property
    def differs(self) -> bool:
        """Whether Shout shows something else than was sent."""
        return (self.sent_orders, self.sent_cents) != (self.found_orders, self.found_cents)


@dataclass(frozen=True, slots=True)
class Verified:
    """What a check found: ``meta["verify"]`` has it as JSON."""

    checked_at: str
    created: int
    """orders that the job has created"""
    sample: int | None
    """how many of them were read back; None: all"""
    equal: int
    different: int
    missing: int
    unanswered: int
    fields: dict[str, int]
    """how many orders differ in a field"""
    flag_not_shown: int
    """orders whose flag Shout's lookup does not show"""
    bodies_purged: bool
    """only key, total, day, number of lines and flag could be compared"""
    examples: list[tuple[str, str, str, str | None]]
    """the first that are not equal: order key, account id, verdict, what differs"""
    sign_off: list[SignOff]

    @property
    def all_equal(self) -> bool:
        """Whether all that was looked at stands as it was sent."""
        return not (self.different or self.missing or self.unanswered)


def verify(
    api: ApiSettings,
    run: RunSettings,
    progress: Progress,
    sample: int | None = None,
    tell: Tell = print,
) -> int:
    """Read created orders back and compare each with what was sent.

    :param sample: how many, chosen by chance; None: all.
    """
    verified = check(api, run, progress, sample)
    tell("\n".join(_told(verified, run.job)))
    return steps.DONE if verified.all_equal else steps.SOME_DID_NOT_GO


def check(
    api: ApiSettings, run: RunSettings, progress: Progress, sample: int | None = None
) -> Verified:
    """As :func:`verify`, and what was found; a check of all orders goes into the reports, too."""
    with steps.opened_and_held(run, progress) as checkpoint:
        ids = _begin(checkpoint, sample, progress)
        if ids:
            from backfill.deliver.verify import Verify
            from backfill.deliver.walk import walk

            walk(Verify(checkpoint, ids), api, total=len(ids), progress=progress)
        verified = _read(checkpoint, sample)
        if sample is None:
            checkpoint.set_meta({"verify": json.dumps(asdict(verified)), _BEGUN: ""})
            _write_list(checkpoint, run.job)
            steps.refresh(run, checkpoint, progress)
    return verified


def _begin(checkpoint: Checkpoint, sample: int | None, progress: Progress) -> list[int]:
    """The orders to read back: of a check that was interrupted, what is left of it."""
    if sample is not None:
        check_apart(checkpoint)
        ids = not_checked(checkpoint)
        return sorted(random.sample(ids, min(len(ids), sample)))
    begun = checkpoint.meta().get(_BEGUN, "")
    if begun >= (datetime.now(UTC) - _GOES_ON_FOR).isoformat():
        progress.say(f"Going on with the check that was begun at {begun[:19]} UTC.")
    else:
        forget_checks(checkpoint)
        checkpoint.set_meta({_BEGUN: datetime.now(UTC).isoformat()})
    return not_checked(checkpoint)


_FOUND = "FROM orders JOIN verified ON verified.order_id = orders.id WHERE orders.state = 'created'"


def _read(checkpoint: Checkpoint, sample: int | None) -> Verified:
    verdicts = dict(
        checkpoint.query(f"SELECT verdict, count(*) {_FOUND} GROUP BY verdict").fetchall()
    )
    fields: dict[str, int] = {}
    for names, count in checkpoint.query(
        f"SELECT fields, count(*) {_FOUND} AND fields IS NOT NULL GROUP BY fields"
    ):
        for name in names.split(", "):
            fields[name] = fields.get(name, 0) + count
    unseen = checkpoint.query(
        f"SELECT count(*) {_FOUND} AND verdict = 'equal' AND what IS NOT NULL"
    ).fetchone()[0]
    return Verified(
        checked_at=now(),
        created=checkpoint.counts()[State.CREATED],
        sample=None if sample is None else sum(verdicts.values()),
        equal=verdicts.get(Verdict.EQUAL, 0),
        different=verdicts.get(Verdict.DIFFERENT, 0),
        missing=verdicts.get(Verdict.MISSING, 0),
        unanswered=verdicts.get(Verdict.UNANSWERED, 0),
        fields=fields,
        flag_not_shown=unseen,
        bodies_purged=PURGED in checkpoint.meta(),
        examples=[tuple(row) for row in _unequal(checkpoint, "what", limit=_SHOWN)],
        sign_off=list(_sign_off(checkpoint)) if sample is None else [],
    )


def _sign_off(checkpoint: Checkpoint) -> Iterator[SignOff]:
    created = "orders.state = 'created'"
    found = f"{created} AND verdict IN ('equal', 'different')"
    rows = checkpoint.query(
        "SELECT account_id, substr(ordered_on, 1, 7) AS month, count(*),"
        f" coalesce(sum(total_cents), 0), sum({created}),"
        f" coalesce(sum(total_cents) FILTER (WHERE {created}), 0), sum(orders.state = 'existing'),"
        f" count(*) FILTER (WHERE {found}), coalesce(sum(cents) FILTER (WHERE {found}), 0)"
        " FROM orders LEFT JOIN verified ON verified.order_id = orders.id"
        " GROUP BY account_id, month ORDER BY account_id, month"
    )
    return (SignOff(*row) for row in rows)


def _unequal(checkpoint: Checkpoint, more: str, *, limit: int) -> list[sqlite3.Row]:
    """Orders that are not as they were sent: key, account, verdict, and ``more`` columns."""
    return checkpoint.query(
        f"SELECT reference_id, account_id, verdict, {more} {_FOUND} AND verdict <> 'equal'"
        " ORDER BY orders.id LIMIT ?",
        (limit,),
    ).fetchall()


def _write_list(checkpoint: Checkpoint, folder: Path) -> None:
    """Write ``verify.csv``, or remove it where all is equal."""
    path = folder / LISTED
    rows = _unequal(checkpoint, "shout_order_id, fields, what", limit=-1)
    if not rows:
        path.unlink(missing_ok=True)
        return
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(tuple(row) for row in rows)


# --- telling ---------------------------------------------------------------------------------


def _told(verified: Verified, folder: Path) -> Iterator[str]:
    looked_at = verified.created if verified.sample is None else verified.sample
    if not looked_at:
        yield "This job has created no orders, so there is nothing to read back."
    else:
        yield (
            f"{looked_at:,} of {verified.created:,} created orders were read back:"
            f" {verified.equal:,} equal, {verified.different:,} different,"
            f" {verified.missing:,} missing"
            + (f", {verified.unanswered:,} not answered" if verified.unanswered else "")
        )
    for field, count in sorted(verified.fields.items(), key=lambda item: -item[1]):
        yield f"  {field} differs in {count:,}"
    if verified.flag_not_shown:
        yield f"  the flag is not shown by a lookup, so not checked, in {verified.flag_not_shown:,}"
    if verified.bodies_purged:
        yield "  the bodies were purged: compared were key, total, day, number of lines, and flag"
    for key, account, verdict, what in verified.examples:
        yield f"  {verdict}: {key} in {account}" + (f": {what}" if what else "")
    if not verified.all_equal and verified.sample is None:
        yield f"All of them are in {folder / LISTED}"
    if verified.sign_off:
        yield ""
        yield from _table(verified.sign_off)


def _table(sign_off: list[SignOff]) -> Iterator[str]:
    """The table to sign, by account and month; a long one only where Shout shows otherwise."""
    whole = SignOff(None, "", *map(sum, zip(*(_amounts(row) for row in sign_off), strict=True)))
    shown = sign_off
    if len(sign_off) > _LINES_SHOWN:
        shown = [row for row in sign_off if row.differs]
    orders = max(5, *(len(f"{row.export_orders:,}") for row in (whole, *shown)))
    money = max(8, *(len(f"{row.export_cents / 100:,.2f}") for row in (whole, *shown)))
    wide = orders + 1 + money
    account = max(8, min(24, 80 - 2 - 8 - 3 * (wide + 2)))

    def line(mark: str, name: str, month: str, row: SignOff) -> str:
        sums = (
            (row.export_orders, row.export_cents),
            (row.sent_orders, row.sent_cents),
            (row.found_orders, row.found_cents),
        )
        cells = (f"  {n:>{orders},} {cents / 100:>{money},.2f}" for n, cents in sums)
        return f"{mark} {name[:account]:<{account}} {month:<7}" + "".join(cells)

    heads = "".join(f"  {head:>{wide}}" for head in ("in the export", "sent", "found in Shout"))
    yield f"  {'account':<{account}} {'month':<7}{heads}"
    for row in shown:
        mark = "!" if row.differs else " "
        yield line(mark, row.account_id or "(none)", row.month or "(none)", row)
    if len(shown) < len(sign_off):
        yield f"  ({len(sign_off) - len(shown):,} lines where all is as sent: see report.json)"
    yield line("!" if whole.differs else " ", "all", "", whole)
    if whole.existing_orders:
        yield f"  ({whole.existing_orders:,} of the export were in Shout before, and were not sent)"


def _amounts(row: SignOff) -> tuple[int, ...]:
    return astuple(row)[2:]
