"""The table ``orders`` as a run uses it: claim what to send, record what became of it.

Each function that writes takes the connection of an open transaction, so that results and the
next claims are committed together (rule 3).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

import orjson

from backfill.checkpoint.connection import now
from backfill.checkpoint.schema import Activity, Claim, Result, WireRule
from backfill.checkpoint.store import Checkpoint

_CLAIM = (
    "id, reference_id, account_header, account_id, CAST(payload AS BLOB), attempts, total_cents"
)
"""The columns of a :class:`Claim`."""
_NEWEST = 5


def claim(db: sqlite3.Connection, *, after: int, most: int, chosen: str) -> list[Claim]:
    """Mark up to ``most`` pending orders with an id above ``after`` as ``sending``.

    Claims come in the order of appearance. They may be sent once the transaction is committed.

    :param chosen: :attr:`Checkpoint.chosen`.
    """
    cursor = db.cursor()
    cursor.row_factory = None  # plain tuples: sqlite3.Row objects would be built for nothing
    cursor.execute(
        f"SELECT {_CLAIM} FROM orders WHERE state = 'pending' AND id > ?{chosen}"
        " ORDER BY id LIMIT ?",
        (after, most),
    )
    claims = [Claim._make(row) for row in cursor]
    if claims:
        # All chosen pending orders between the first and the last are the ones just read. The
        # plus keeps SQLite from walking the index that this statement changes.
        db.execute(
            "UPDATE orders SET state = 'sending', updated_at = ?"
            f" WHERE +state = 'pending' AND id BETWEEN ? AND ?{chosen}",
            (now(), claims[0].id, claims[-1].id),
        )
    return claims


def record(db: sqlite3.Connection, results: Sequence[Result]) -> None:
    """Write down what became of claimed orders."""
    # Most orders end alike but for Shout's id, and one statement for all of those costs two thirds
    # of one for each. The plus: see claim.
    alike: dict[tuple[Any, ...], dict[int, str | None]] = {}
    for order, state, attempts, status, shout_id, rule, reason in results:
        alike.setdefault((state, attempts, status, rule, reason), {})[order] = shout_id
    written = 0
    for same, shout_ids in alike.items():
        written += db.execute(
            "UPDATE orders SET state = ?, attempts = ?, http_status = ?, rule = ?, reason = ?,"
            " updated_at = ?, shout_order_id = result.value FROM json_each(?) AS result"
            " WHERE orders.id = CAST(result.key AS INTEGER) AND +state = 'sending'",
            (*same, now(), orjson.dumps(shout_ids, option=orjson.OPT_NON_STR_KEYS)),
        ).rowcount
    if written != len(results):
        raise AssertionError("a result came in for an order that was not claimed")


def record_activity(db: sqlite3.Connection, activity: Activity) -> None:
    """Add to the activity of the present minute."""
    db.execute(
        "INSERT INTO activity VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (minute) DO UPDATE SET"
        " requests = requests + excluded.requests, retries = retries + excluded.retries,"
        " rate_limited = rate_limited + excluded.rate_limited,"
        " lookups = lookups + excluded.lookups, created = created + excluded.created,"
        " failed = failed + excluded.failed",
        (
            now()[:16],
            activity.requests,
            activity.retries,
            activity.rate_limited,
            activity.lookups,
            activity.created,
            activity.failed,
        ),
    )


def skip_account(
    db: sqlite3.Connection,
    account_header: str,
    account_id: str,
    reason: str,
    *,
    refused: Sequence[int],
) -> int:
    """Skip the pending orders of an account that refuses all of its orders; returns how many.

    :param refused: ids of its orders that ``failed`` before this was known; they become
        ``skipped`` too and keep their own reason.
    """
    stamp = now()
    db.executemany(
        "UPDATE orders SET state = 'skipped', rule = ?, updated_at = ?"
        " WHERE id = ? AND state = 'failed'",
        [(WireRule.ACCOUNT_REFUSED, stamp, one) for one in refused],
    )
    return db.execute(
        "UPDATE orders SET state = 'skipped', rule = ?, reason = ?, updated_at = ?"
        " WHERE state = 'pending' AND account_header = ? AND account_id = ?",
        (WireRule.ACCOUNT_REFUSED, reason, stamp, account_header, account_id),
    ).rowcount


def in_doubt(checkpoint: Checkpoint) -> list[Claim]:
    """The orders that were handed to the network and whose outcome is not known."""
    rows = checkpoint.query(
        f"SELECT {_CLAIM} FROM orders WHERE state = 'sending'{checkpoint.chosen} ORDER BY id"
    )
    return [Claim(*row) for row in rows]


def known_to_be_there(checkpoint: Checkpoint) -> list[tuple[Claim, str]]:
    """A few orders that are in Shout, with Shout's ids: the newest, and one per account in doubt.

    Their payloads are left out.
    """
    known = (
        "SELECT id, reference_id, account_header, account_id, x'', attempts, total_cents,"
        " shout_order_id FROM orders"
        " WHERE state IN ('created', 'existing') AND shout_order_id IS NOT NULL"
    )
    newest = f"{known} ORDER BY id DESC LIMIT {_NEWEST}"
    in_doubt = (
        f"{known} AND id IN (SELECT max(id) FROM orders WHERE state = 'created'"
        " AND account_id IN (SELECT account_id FROM orders WHERE state = 'sending')"
        " GROUP BY account_header, account_id)"
    )
    rows = checkpoint.query(f"SELECT * FROM ({newest}) UNION SELECT * FROM ({in_doubt})")
    return [(Claim(*row[:-1]), row[-1]) for row in rows]
