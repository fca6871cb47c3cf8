"""What is written down after the import: checks, orders taken back or put right, messages.

The rules of writing hold here too: what cannot be taken back is on disk as begun before the first
byte of its request leaves, and what became of it before anything else is begun.

- An order that is being deleted is ``sending`` with the rule :data:`UNDOING`. So a run after an
  interrupted undo looks it up, and finds it or sends it again, as with any order in doubt.
- A message that is being sent is ``sending``; after a crash it is ``in_doubt`` for good, because
  nothing can look a message up.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from backfill.checkpoint import books
from backfill.checkpoint.connection import now
from backfill.checkpoint.schema import UNDOING, Claim, State
from backfill.checkpoint.store import Checkpoint


@dataclass(frozen=True, slots=True)
class Sent:
    """An order that is in Shout as far as the checkpoint knows."""

    claim: Claim
    """its ``payload`` is empty where the job was purged"""
    shout_order_id: str | None
    line_items: int
    ordered_on: str | None
    undoing: bool
    """an earlier undo may have asked Shout to delete it"""


@dataclass(frozen=True, slots=True)
class Selection:
    """Some of a job's orders; what is None does not narrow it."""

    rule: str | None = None
    account: str | None = None
    reason: str | None = None
    """text that stands in the reason, in upper or lower case"""
    since: str | None = None
    """UTC, ISO 8601: only what came to its state at this time or later"""

    def where(self) -> tuple[str, list[str]]:
        """The selection as SQL that follows another condition, with its parameters."""
        sql, values = "", []
        for condition, value in (
            (" AND rule = ?", self.rule),
            (" AND account_id = ?", self.account),
            (" AND instr(lower(reason), lower(?)) > 0", self.reason),
            (" AND updated_at >= ?", self.since),
        ):
            if value is not None:
                sql += condition
                values.append(value)
        return sql, values


_SENT = (
    "orders.id, orders.reference_id, orders.account_header, orders.account_id,"
    " CAST(orders.payload AS BLOB), orders.attempts, orders.total_cents, orders.shout_order_id,"
    f" orders.line_items, orders.ordered_on, orders.rule IS '{UNDOING}'"
)


def _sent(row: Sequence[Any]) -> Sent:
    order, key, header, account, payload, attempts, cents, shout_id, lines, day, undoing = row
    claim = Claim(order, key, header, account, payload or b"", attempts, cents)
    return Sent(claim, shout_id, lines, day, bool(undoing))


# --- orders that are sent again --------------------------------------------------------------

_AGAIN = "state IN ('failed', 'skipped') AND payload IS NOT NULL AND account_id IS NOT NULL"


def count_refused(checkpoint: Checkpoint, which: Selection) -> int:
    """How many failed and skipped orders :func:`put_back` would put back."""
    where, values = which.where()
    found = checkpoint.query(f"SELECT count(*) FROM orders WHERE {_AGAIN}{where}", values)
    return int(found.fetchone()[0])


def put_back(checkpoint: Checkpoint, which: Selection) -> int:
    """Put failed and skipped orders back to ``pending``; returns how many.

    ``attempts`` stays: what was sent before is looked up before it is sent again.
    """
    where, values = which.where()
    with checkpoint.writing() as db:
        return db.execute(
            f"UPDATE orders SET state = 'pending', updated_at = ? WHERE {_AGAIN}{where}",
            (now(), *values),
        ).rowcount


#: Orders that were undone and that a run creates again: all but those gone from their export.
UNDONE_AGAIN = "state = 'undone' AND payload IS NOT NULL AND id NOT IN (SELECT order_id FROM gone)"


def count_undone(checkpoint: Checkpoint) -> int:
    """How many orders :func:`put_back_undone` would put back."""
    which = f"{UNDONE_AGAIN}{checkpoint.chosen}"
    return int(checkpoint.query(f"SELECT count(*) FROM orders WHERE {which}").fetchone()[0])


def put_back_undone(checkpoint: Checkpoint) -> int:
    """Put orders that were undone back to ``pending``, but for those gone from their export.

    They are certainly not in Shout, so nothing of their first sending counts any more: if one is
    met there later, somebody else has put it there.
    """
    with checkpoint.writing() as db:
        return db.execute(
            "UPDATE orders SET state = 'pending', attempts = 0, http_status = NULL,"
            " shout_order_id = NULL, rule = NULL, reason = NULL, updated_at = ?"
            f" WHERE {UNDONE_AGAIN}{checkpoint.chosen}",
            (now(),),
        ).rowcount


# --- reading back ----------------------------------------------------------------------------


class Verdict(StrEnum):
    """What reading an order back from Shout found."""

    EQUAL = "equal"
    DIFFERENT = "different"
    MISSING = "missing"
    UNANSWERED = "unanswered"


@dataclass(frozen=True, slots=True)
class Checked:
    """One order that was read back."""

    id: int
    verdict: Verdict
    cents: int | None = None
    """the total that Shout shows"""
    fields: str | None = None
    """which differ, joined with ', '"""
    what: str | None = None
    """what differs, in words"""


def forget_checks(checkpoint: Checkpoint) -> None:
    """Begin a check from nothing."""
    with checkpoint.writing() as db:
        db.execute("DELETE FROM verified")


def check_apart(checkpoint: Checkpoint) -> None:
    """Let what is found from here on be forgotten with this connection: it is but a sample.

    A temporary table of the same name hides the one that holds the last whole check.
    """
    checkpoint.query("CREATE TEMP TABLE verified AS SELECT * FROM main.verified WHERE false")


def not_checked(checkpoint: Checkpoint) -> list[int]:
    """The ids of the created orders that the present check has not read back yet."""
    return [
        row[0]
        for row in checkpoint.query(
            "SELECT id FROM orders WHERE state = 'created'"
            " AND id NOT IN (SELECT order_id FROM verified) ORDER BY id"
        )
    ]


def sent_orders(checkpoint: Checkpoint, ids: Sequence[int]) -> list[Sent]:
    """Orders by their ids."""
    places = ", ".join("?" * len(ids))
    rows = checkpoint.query(f"SELECT {_SENT} FROM orders WHERE id IN ({places}) ORDER BY id", ids)
    return [_sent(row) for row in rows]


def note_checked(checkpoint: Checkpoint, checked: Sequence[Checked]) -> None:
    """Write down what was found."""
    with checkpoint.writing() as db:
        db.executemany(
            "INSERT OR REPLACE INTO verified VALUES (?, ?, ?, ?, ?)",
            [(one.id, one.verdict, one.cents, one.fields, one.what) for one in checked],
        )


# --- taking back -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TakenBack:
    """What became of an order that was to be deleted.

    ``state`` is ``undone``; ``created`` where it stays in Shout (``reason`` says why); ``sending``
    where a request to delete it was left in doubt.
    """

    id: int
    state: State
    reason: str | None = None


def to_undo(checkpoint: Checkpoint, which: Selection) -> list[int]:
    """The ids of the orders to take back: begun by an earlier undo, or created and selected."""
    where, values = which.where()
    begun = checkpoint.query(
        "SELECT id FROM orders WHERE state = 'sending' AND rule = ? ORDER BY id", (UNDOING,)
    ).fetchall()
    created = checkpoint.query(
        f"SELECT id FROM orders WHERE state = 'created'{where} ORDER BY id", values
    ).fetchall()
    return [row[0] for row in (*begun, *created)]


_CERTAIN = (
    "http_status BETWEEN 200 AND 299 AND state IN ('created', 'undone', 'sending')"
    " AND shout_order_id GLOB '[0-9]*'"
)


def maybe_not_ours(checkpoint: Checkpoint) -> dict[int, str]:
    """Created orders that may have been in Shout before this job: their ids and keys.

    An order whose request was left in doubt and that a lookup found counts as created by us. Where
    the job met orders that had been there before, it may be one of those: unless Shout's id says
    that it came after the first order that we certainly created.
    """
    rows = checkpoint.query(
        "SELECT id, reference_id FROM orders WHERE state = 'created'"
        " AND NOT coalesce(http_status BETWEEN 200 AND 299, 0)"
        " AND EXISTS (SELECT 1 FROM orders WHERE state = 'existing')"
        " AND NOT coalesce(shout_order_id GLOB '[0-9]*' AND CAST(shout_order_id AS INTEGER)"
        f" > (SELECT min(CAST(shout_order_id AS INTEGER)) FROM orders WHERE {_CERTAIN}), 0)"
    )
    return {row[0]: row[1] for row in rows}


def sums_of(checkpoint: Checkpoint, ids: Sequence[int]) -> tuple[int, int]:
    """How many accounts orders belong to, and their money in cents."""
    row = checkpoint.query(
        "SELECT count(DISTINCT account_id), coalesce(sum(total_cents), 0) FROM orders"
        " WHERE id IN (SELECT value FROM json_each(?))",
        (json.dumps(ids),),
    ).fetchone()
    return row[0], row[1]


def advance_undo(
    checkpoint: Checkpoint, done: Sequence[TakenBack], ids: Sequence[int]
) -> list[Sent]:
    """Write down what became of orders, and begin to take back those with ``ids``.

    When this returns, the results are on disk, and so is that each of the orders given out may be
    deleted now.
    """
    with checkpoint.writing() as db:
        stamp = now()
        db.executemany(
            "UPDATE orders SET state = ?, rule = CASE ? WHEN 'sending' THEN rule END,"
            " reason = coalesce(?, reason), updated_at = ? WHERE id = ? AND state = 'sending'",
            [(one.state, one.state, one.reason, stamp, one.id) for one in done],
        )
        items = sent_orders(checkpoint, ids) if ids else []
        db.executemany(
            "UPDATE orders SET state = 'sending', rule = ?, updated_at = ? WHERE id = ?",
            [(UNDOING, stamp, one) for one in ids],
        )
    return items


# --- putting right ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Change:
    """An order of ours that is in Shout, and the body that its export makes of it by now."""

    sent: Sent
    payload: bytes


#: A change that an update can put right: of an order of ours, in the same account, still valid.
UPDATABLE = (
    "orders.state = 'created' AND changes.state = 'pending' AND orders.payload IS NOT NULL"
    " AND changes.account_header IS orders.account_header"
    " AND changes.account_id IS orders.account_id"
)


def updatable(checkpoint: Checkpoint, *, after: int, most: int) -> list[Change]:
    """Changes that can be put right, of orders with a higher id than ``after``."""
    rows = checkpoint.query(
        f"SELECT CAST(changes.payload AS BLOB), {_SENT}"
        " FROM changes JOIN orders ON orders.id = changes.order_id"
        f" WHERE {UPDATABLE} AND orders.id > ? ORDER BY orders.id LIMIT ?",
        (after, most),
    )
    return [Change(_sent(row[1:]), row[0]) for row in rows]


def count_changes(checkpoint: Checkpoint) -> tuple[int, int]:
    """Listed changes: those that an update can put right, and the others."""
    row = checkpoint.query(
        f"SELECT coalesce(sum({UPDATABLE}), 0), count(*)"
        " FROM changes JOIN orders ON orders.id = changes.order_id"
    ).fetchone()
    return row[0], row[1] - row[0]


def put_right(checkpoint: Checkpoint, ids: Sequence[int]) -> None:
    """Note that Shout has what the export says by now: it is what was sent from here on."""
    taken = "total_cents line_items ordered_on source_file source_rows payload_sha256 payload"
    sets = ", ".join(f"{column} = changes.{column}" for column in taken.split())
    places = ", ".join("?" * len(ids))
    with checkpoint.writing() as db:
        books.before_update(db, ids)
        db.execute(
            f"UPDATE orders SET {sets}, rule = NULL, reason = 'put right after its export changed'"
            f" FROM changes WHERE changes.order_id = orders.id AND orders.id IN ({places})",
            ids,
        )
        db.execute(f"DELETE FROM changes WHERE order_id IN ({places})", ids)
        db.execute(f"DELETE FROM verified WHERE order_id IN ({places})", ids)


# --- messages to affiliates ------------------------------------------------------------------


class MessageState(StrEnum):
    """What is known of a message."""

    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    IN_DOUBT = "in_doubt"


@dataclass(frozen=True, slots=True)
class Message:
    """One message to an account, or what became of it."""

    account_header: str
    account_id: str
    body: str
    state: MessageState = MessageState.SENDING
    message_id: str | None = None
    reason: str | None = None


def messages(checkpoint: Checkpoint) -> list[Message]:
    """Every message that was ever begun."""
    rows = checkpoint.query(
        "SELECT account_header, account_id, body, state, message_id, reason FROM notifications"
        " ORDER BY account_id, account_header"
    )
    return [
        Message(header, account, body, MessageState(state), message_id, reason)
        for header, account, body, state, message_id, reason in rows
    ]


def doubt_unfinished(checkpoint: Checkpoint) -> None:
    """What a crash left as ``sending`` is in doubt from now on."""
    with checkpoint.writing() as db:
        db.execute(
            "UPDATE notifications SET state = 'in_doubt',"
            " reason = 'interrupted while it was being sent' WHERE state = 'sending'"
        )


def advance_messages(
    checkpoint: Checkpoint, done: Sequence[Message], begun: Sequence[Message]
) -> None:
    """Write down what became of messages, and that others are about to leave."""
    with checkpoint.writing() as db:
        db.executemany(
            "INSERT OR REPLACE INTO notifications VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    one.account_header,
                    one.account_id,
                    one.state,
                    one.body,
                    one.message_id,
                    one.reason,
                    now(),
                )
                for one in (*done, *begun)
            ],
        )
