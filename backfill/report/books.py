"""The books of a job: where every row and every cent of its exports is now.

Rows are counted while an export is read, and its worth is stored then, apart from the orders
(:mod:`backfill.checkpoint.books`). What is shown here therefore balances only if nothing was lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from backfill.checkpoint import Checkpoint, Source, State
from backfill.checkpoint.books import export_cents, require_balance
from backfill.report.tallies import Tally


class MoneyLine(NamedTuple):
    """The orders that are in one place."""

    name: str
    """as ``report.json`` calls it"""
    words: str
    orders: int
    cents: int


@dataclass(frozen=True, slots=True)
class Books:
    """Rows and money; each total is the sum of its parts."""

    rows_read: int
    rows_in_orders: int
    rows_ignored: int
    rows_in_no_order: int
    orders: int
    export_cents: int
    """what the exports are worth, in the currency of the import"""
    lines: Sequence[MoneyLine]


_PLACES = (
    ("sent", "created in Shout", (State.CREATED,)),
    ("existing", "already there", (State.EXISTING,)),
    ("ready", "ready to send", (State.PENDING, State.SENDING)),
    ("skipped", "set aside", (State.SKIPPED,)),
    ("rejected", "rejected", (State.REJECTED,)),
    ("failed", "refused by Shout", (State.FAILED,)),
    ("undone", "undone", (State.UNDONE,)),
)


def read_books(checkpoint: Checkpoint, sources: Sequence[Source], overall: Tally) -> Books:
    """The books as they stand.

    :raises BooksDoNotBalance: the orders are not worth what the exports are.
    """
    require_balance(checkpoint)
    stored = export_cents(checkpoint)
    ignored, in_no_order = (
        sum(source.details.get(kind, 0) for source in sources)
        for kind in ("rows_ignored", "rows_in_no_order")
    )
    in_orders = sum(source.details.get("rows_in_orders", source.rows) for source in sources)
    return Books(
        rows_read=in_orders + ignored + in_no_order,
        rows_in_orders=in_orders,
        rows_ignored=ignored,
        rows_in_no_order=in_no_order,
        orders=overall.total,
        export_cents=overall.all_cents if stored is None else stored,
        lines=[
            MoneyLine(name, words, overall.count(*states), overall.money(*states))
            for name, words, states in _PLACES
        ],
    )
