"""Reads created orders back from Shout and compares each with what was sent.

Owns the table ``verified``: what the last check found. Nothing in Shout is changed.
"""

from __future__ import annotations

import json
import random
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

from backfill.checkpoint import PURGED, Checkpoint, State, now
from backfill.deliver.compare import in_words, total_cents
from backfill.deliver.gate import FLAG
from backfill.deliver.lookup import Unanswered
from backfill.deliver.loop import run_errand
from backfill.deliver.pace import Stopped
from backfill.deliver.shout import Shout
from backfill.job_folder.files import VERIFY
from backfill.operations.lists import write_list
from backfill.operations.sent import SentOrder, differences_from, sent_orders
from backfill.progress import Progress
from backfill.settings import ApiSettings, RunSettings, ShoutOptions
from backfill.settings.checks import checked, count

COLUMNS = ("reference_id", "account_id", "verdict", "shout_order_id", "fields", "what")
"""of ``verify.csv``"""

_BEGUN = "verifying"
"""``meta``: when the check that is not finished was begun"""
_RESUMABLE_FOR = timedelta(hours=24)
"""After that, what an interrupted check found is out of date."""
_EXAMPLES = 10


class VerifyOptions(ShoutOptions, total=False):
    """The options of :meth:`backfill.Job.verify`."""

    sample: int | None
    """how many orders to read back, chosen at random (so is ``limit``); None: all"""


class Verdict(StrEnum):
    """What reading an order back from Shout found."""

    EQUAL = "equal"
    DIFFERENT = "different"
    MISSING = "missing"
    UNANSWERED = "unanswered"


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
class Example:
    """One order that is not as it was sent."""

    reference_id: str
    account_id: str
    verdict: Verdict
    what: str | None
    """what differs, in words"""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyResult:
    """What a check found: ``meta["verify"]`` stores it as JSON."""

    checked_at: str
    resumed_from: str | None
    """when the interrupted check was begun that this one finished (UTC, ISO 8601); None: none"""
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
    """orders whose flag is not shown by a lookup"""
    bodies_purged: bool
    """only key, total, day, number of line items and flag could be compared"""
    examples: list[Example]
    """the first orders that are not equal"""
    sign_off: list[SignOff]
    currency: str = "USD"

    @property
    def all_equal(self) -> bool:
        """Whether every order that was read back is as it was sent."""
        return not (self.different or self.missing or self.unanswered)


def verify(
    checkpoint: Checkpoint,
    folder: Path,
    api: ApiSettings,
    run: RunSettings,
    progress: Progress,
    options: VerifyOptions,
) -> VerifyResult:
    """Read created orders back, compare them, and store what was found.

    An interrupted check of all orders is resumed. A sample leaves no trace in the job.

    :raises UsageError: an option cannot be used.
    :raises SafetyStop, Interrupted: stopped; resumable.
    """
    sample = options.get("sample")
    if sample is None:
        sample = run.limit
    else:
        sample = checked("--sample", sample, count("a number of orders"))
    ids, resumed_from = _begin(checkpoint, sample)
    if ids:
        run_errand(lambda shout: ReadBack(shout, ids), checkpoint, api, progress)
    result = _result(checkpoint, sample, resumed_from)
    if sample is None:
        checkpoint.set_meta({"verify": json.dumps(asdict(result)), _BEGUN: ""})
        _list_differences(checkpoint, folder)
    return result


def _begin(checkpoint: Checkpoint, sample: int | None) -> tuple[list[int], str | None]:
    """The orders to read back, and since when, where an earlier check is resumed."""
    if sample is not None:
        # A temporary table hides the one of the last whole check, and goes with the connection.
        checkpoint.query("CREATE TEMP TABLE verified AS SELECT * FROM main.verified WHERE false")
        ids = _not_checked(checkpoint)
        return sorted(random.sample(ids, min(len(ids), sample))), None
    begun = checkpoint.meta().get(_BEGUN, "")
    if begun >= (datetime.now(UTC) - _RESUMABLE_FOR).isoformat():
        return _not_checked(checkpoint), begun
    with checkpoint.writing() as db:
        db.execute("DELETE FROM verified")
    checkpoint.set_meta({_BEGUN: datetime.now(UTC).isoformat()})
    return _not_checked(checkpoint), None


# --- on the wire -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Checked:
    """One order that was read back."""

    id: int
    verdict: Verdict
    cents: int | None = None
    """the total that Shout shows"""
    fields: Sequence[str] = ()
    """which differ"""
    what: str | None = None
    """what differs, in words"""


class ReadBack:
    """The errand: one lookup per order, in the account that it was created in."""

    name = "reading back"
    unit = "orders"
    alone = False

    def __init__(self, shout: Shout, ids: Sequence[int]) -> None:
        """:param ids: the orders to read back, in this order."""
        self._shout = shout
        self._ids = ids
        self._claimed = 0
        self._found: Counter[Verdict] = Counter()
        self.total = len(ids)
        self.finished = 0

    def advance(
        self, db: sqlite3.Connection, done: Sequence[Checked | None], room: int
    ) -> Sequence[SentOrder]:
        """Record what was found, and take up the next orders."""
        checked = [one for one in done if one is not None]
        self._found.update(one.verdict for one in checked)
        self.finished += len(checked)
        db.executemany(
            "INSERT OR REPLACE INTO verified VALUES (?, ?, ?, ?, ?)",
            [(one.id, one.verdict, one.cents, json.dumps(one.fields), one.what) for one in checked],
        )
        ids = self._ids[self._claimed : self._claimed + room]
        self._claimed += len(ids)
        return sent_orders(db, ids)

    async def see_through(self, item: SentOrder) -> Checked | None:
        """Look one order up and compare it; None where the run stopped before."""
        order = item.claim.id
        try:
            shown = await self._shout.settler.find(item.claim)
        except Stopped:
            return None
        except Unanswered as none:
            return Checked(order, Verdict.UNANSWERED, what=str(none))
        if shown is None:
            return Checked(order, Verdict.MISSING)
        wrong, cents = differences_from(item, shown), total_cents(shown)
        if wrong:
            fields = list(dict.fromkeys(one.field for one in wrong))
            return Checked(order, Verdict.DIFFERENT, cents, fields, in_words(wrong))
        not_shown = None if FLAG in shown else f"{FLAG} is not shown"
        return Checked(order, Verdict.EQUAL, cents, what=not_shown)

    def counts(self) -> dict[str, int]:
        """Orders by verdict."""
        return {verdict.value: n for verdict, n in self._found.items()}


# --- what was found --------------------------------------------------------------------------

_FOUND = "FROM orders JOIN verified ON verified.order_id = orders.id WHERE orders.state = 'created'"


def _not_checked(checkpoint: Checkpoint) -> list[int]:
    """The ids of the created orders that this check has not read back yet."""
    rows = checkpoint.query(
        "SELECT id FROM orders WHERE state = 'created'"
        " AND id NOT IN (SELECT order_id FROM verified) ORDER BY id"
    )
    return [row[0] for row in rows]


def _result(checkpoint: Checkpoint, sample: int | None, resumed_from: str | None) -> VerifyResult:
    def counted(sql: str) -> dict[str, int]:
        return dict(checkpoint.query(sql).fetchall())

    verdicts = counted(f"SELECT verdict, count(*) {_FOUND} GROUP BY verdict")
    return VerifyResult(
        checked_at=now(),
        resumed_from=resumed_from,
        created=checkpoint.counts()[State.CREATED],
        sample=None if sample is None else sum(verdicts.values()),
        equal=verdicts.get(Verdict.EQUAL, 0),
        different=verdicts.get(Verdict.DIFFERENT, 0),
        missing=verdicts.get(Verdict.MISSING, 0),
        unanswered=verdicts.get(Verdict.UNANSWERED, 0),
        fields=counted(
            "SELECT field.value, count(*) FROM orders, verified, json_each(verified.fields) field"
            " WHERE verified.order_id = orders.id AND orders.state = 'created' GROUP BY 1"
            " ORDER BY 2 DESC, 1"
        ),
        flag_not_shown=checkpoint.query(
            f"SELECT count(*) {_FOUND} AND verdict = 'equal' AND what IS NOT NULL"
        ).fetchone()[0],
        bodies_purged=PURGED in checkpoint.meta(),
        examples=[
            Example(key, account, Verdict(verdict), what)
            for key, account, verdict, _, _, what in _unequal(checkpoint, limit=_EXAMPLES)
        ],
        sign_off=list(_sign_off(checkpoint)) if sample is None else [],
        currency=checkpoint.currency(),
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


def _unequal(checkpoint: Checkpoint, *, limit: int) -> list[sqlite3.Row]:
    """Orders that are not as they were sent, in the columns of ``verify.csv``."""
    return checkpoint.query(
        f"SELECT reference_id, account_id, verdict, shout_order_id, fields, what {_FOUND}"
        " AND verdict <> 'equal' ORDER BY orders.id LIMIT ?",
        (limit,),
    ).fetchall()


def _list_differences(checkpoint: Checkpoint, folder: Path) -> None:
    """Write ``verify.csv``, or remove it where every order is equal."""
    rows = [
        (key, account, verdict, shout_id, ", ".join(json.loads(fields)), what)
        for key, account, verdict, shout_id, fields, what in _unequal(checkpoint, limit=-1)
    ]
    write_list(folder / VERIFY, COLUMNS, rows)
