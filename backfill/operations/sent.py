"""Orders that this job has in Shout, as ``verify``, ``undo`` and ``update`` take them up."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from backfill.checkpoint import Claim
from backfill.deliver.compare import (
    TIMES,
    Difference,
    ShownOrder,
    differences,
    number_of_line_items,
    sent_order,
)
from backfill.deliver.shout import Shout

#: The columns that :func:`from_row` takes.
COLUMNS = (
    "orders.id, orders.reference_id, orders.account_header, orders.account_id,"
    " CAST(orders.payload AS BLOB), orders.attempts, orders.total_cents, orders.shout_order_id,"
    " orders.line_items, orders.ordered_on, orders.rule IS 'undoing'"
)


T = TypeVar("T")

_LOOK_AGAIN = 0.5
"""Seconds between two lookups of an order that lookups do not show as it is now yet."""


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


async def while_lagging(shout: Shout, wrong: Callable[[], Awaitable[T]]) -> T:
    """Look until nothing is wrong any more, for as long as lookups may lag behind a change.

    :param wrong: looks once; what is wrong, and false where nothing is.
    :returns: what is wrong in the end.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + shout.settle
    while True:
        looked_at = loop.time()
        found = await wrong()
        if not found or looked_at >= until:
            return found
        await shout.pace.sleep(min(_LOOK_AGAIN, until - looked_at))
