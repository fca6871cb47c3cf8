"""Compares the money of the export with that of the orders; the two must always be equal.

What the export is worth is stored when it was read, apart from the orders. It moves only where an
export does: when a newer one is adopted, or when a change in it was sent to Shout. Whatever else
happens to orders only moves money from one state to another.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

from backfill.checkpoint.store import Checkpoint
from backfill.errors import BooksDoNotBalance

_EXPORT = "export_cents"
_ORDERS = (
    "SELECT count(*), coalesce(sum(total_cents), 0) FROM main.orders INDEXED BY orders_by_state"
)


class Export(NamedTuple):
    """What an export holds, as it was read."""

    orders: int
    cents: int
    """sum of the totals that are known"""


def export_cents(checkpoint: Checkpoint) -> int | None:
    """What the exports of a job are worth; None where it was never stored."""
    row = checkpoint.query("SELECT value FROM meta WHERE key = ?", (_EXPORT,)).fetchone()
    return None if row is None else int(row[0])


def require_balance(checkpoint: Checkpoint) -> None:
    """
    :raises BooksDoNotBalance: the orders of a job are not worth what its exports are.
    """
    expected = export_cents(checkpoint)
    found = checkpoint.query(_ORDERS).fetchone()[1]
    if expected is not None and expected != found:
        raise _difference(expected, found)


def open_books(db: sqlite3.Connection, expected: Export) -> None:
    """Store what an export is worth, once all of its orders are there.

    :raises BooksDoNotBalance: they are not as many, or not worth as much.
    """
    found = Export(*db.execute(_ORDERS).fetchone())
    if found.orders != expected.orders:
        raise BooksDoNotBalance(
            f"the books do not balance: the export has {expected.orders:,} orders, "
            f"and {found.orders:,} were prepared"
        )
    if found.cents != expected.cents:
        raise _difference(expected.cents, found.cents)
    _store(db, expected.cents)


def before_merge(db: sqlite3.Connection) -> None:
    """Remember what each order is worth, before an import is merged into a job."""
    db.execute("CREATE TEMP TABLE worth AS SELECT id, total_cents AS cents FROM main.orders")
    db.execute("CREATE UNIQUE INDEX temp.worth_by_id ON worth (id)")


def after_merge(db: sqlite3.Connection) -> None:
    """Move the stored worth by what the import has added, replaced and removed.

    :raises BooksDoNotBalance: the merge lost or changed an order that it had no right to.
    """
    stored = db.execute("SELECT value FROM main.meta WHERE key = ?", (_EXPORT,)).fetchone()
    if stored is not None:
        added = _sum(db, "total_cents", "incoming.orders WHERE id IN (SELECT new_id FROM placed)")
        replaced = _sum(db, "cents", "worth WHERE id IN (SELECT id FROM placed)")
        removed = _sum(db, "cents", "worth WHERE id NOT IN (SELECT id FROM main.orders)")
        expected = int(stored[0]) + added - replaced - removed
        found = db.execute(_ORDERS).fetchone()[1]
        if expected != found:
            raise _difference(expected, found)
        _store(db, expected)
    db.execute("DROP TABLE temp.worth")


def before_update(db: sqlite3.Connection, ids: Sequence[int]) -> None:
    """Move the stored worth by what changes, before orders take the values of ``changes``."""
    places = ", ".join("?" * len(ids))
    difference = (
        "SELECT coalesce(sum(ifnull(changes.total_cents, 0) - ifnull(orders.total_cents, 0)), 0)"
        f" FROM changes JOIN orders ON orders.id = changes.order_id WHERE orders.id IN ({places})"
    )
    db.execute(
        f"UPDATE meta SET value = CAST(value AS INTEGER) + ({difference}) WHERE key = ?",
        (*ids, _EXPORT),
    )


def _sum(db: sqlite3.Connection, column: str, where: str) -> int:
    return int(db.execute(f"SELECT coalesce(sum({column}), 0) FROM {where}").fetchone()[0])


def _store(db: sqlite3.Connection, cents: int) -> None:
    db.execute("INSERT OR REPLACE INTO main.meta VALUES (?, ?)", (_EXPORT, str(cents)))


def _difference(expected: int, found: int) -> BooksDoNotBalance:
    return BooksDoNotBalance(
        f"the books do not balance: the export's totals add up to {expected:,} cents, "
        f"and those of the prepared orders to {found:,}"
    )
