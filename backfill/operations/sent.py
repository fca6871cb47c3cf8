"""Orders that this job has in Shout, as ``verify``, ``undo`` and ``update`` take them up."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from backfill.checkpoint import Claim
from backfill.deliver.compare import (
    TIMES,
    Difference,
    ShownOrder,
    differences,
    number_of_line_items,
    sent_order,
)

#: The columns that :func:`from_row` takes.
COLUMNS = (
    "orders.id, orders.reference_id, orders.account_header, orders.account_id,"
    " CAST(orders.payload AS BLOB), orders.attempts, orders.total_cents, orders.shout_order_id,"
    " orders.line_items, orders.ordered_on, orders.rule IS 'undoing'"
)


@dataclass(frozen=True, slots=True)
class SentOrder:
    """An order that is in Shout as far as the checkpoint knows."""

    claim: Claim
    """its ``payload`` is empty where the job was purged"""
    shout_order_id: str | None
    line_items: int
    ordered_on: str | None
    undoing: bool
    """an earlier undo may have asked Shout to delete it"""


@dataclass(frozen=True, slots=True)
class LeftAlone:
    """An order that an operation left as it is in Shout."""

    reference_id: str
    reason: str


def from_row(row: Sequence[Any]) -> SentOrder:
    """The order in a row of :data:`COLUMNS`."""
    order, key, header, account, payload, attempts, cents, shout_id, lines, day, undoing = row
    claim = Claim(order, key, header, account, payload or b"", attempts, cents)
    return SentOrder(claim, shout_id, lines, day, bool(undoing))


def sent_orders(db: sqlite3.Connection, ids: Sequence[int]) -> list[SentOrder]:
    """Orders by their ids."""
    places = ", ".join("?" * len(ids))
    rows = db.execute(f"SELECT {COLUMNS} FROM orders WHERE id IN ({places}) ORDER BY id", ids)
    return [from_row(row) for row in rows]


def differences_from(order: SentOrder, shown: ShownOrder) -> list[Difference]:
    """What Shout shows otherwise than it was sent.

    Where a purge has erased the body, what the checkpoint still knows is compared: key, total,
    day, number of line items, and the flag, which every body has.
    """
    if order.claim.payload:
        return differences(sent_order(order.claim.payload), shown, times=TIMES)
    known = {
        "reference_id": order.claim.reference_id,
        "total_cents": order.claim.total_cents,
        "created_at": order.ordered_on,
    }
    found = differences(known, shown)
    lines = shown.get("line_items")
    if isinstance(lines, list) and len(lines) != order.line_items:
        found.append(number_of_line_items(order.line_items, len(lines)))
    return found
