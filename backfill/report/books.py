"""The books of a job: every row that was read and every cent of the export, and where it went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from backfill.checkpoint import Checkpoint, Source, State
from backfill.checkpoint.books import export_cents, require_balance
from backfill.report.tallies import Tally

#: Where the contract's ``books`` count the money of each state.
HEADINGS: Mapping[State, str] = {
    State.PENDING: "ready",
    State.SENDING: "sent",
    State.CREATED: "sent",
    State.EXISTING: "existing",
    State.REJECTED: "rejected",
    State.SKIPPED: "skipped",
    State.FAILED: "failed",
    State.UNDONE: "undone",
}


@dataclass(frozen=True, slots=True)
class Rows:
    """Where the rows of the exports went; ``read`` is the sum of the other three."""

    read: int
    in_orders: int
    ignored: int
    in_no_order: int


@dataclass(frozen=True, slots=True)
class Books:
    """What the exports hold beside what the job made of it."""

    rows: Rows
    export_cents: int
    """the money of the exports, as it was read; an unreadable total counts as zero"""
    cents: Mapping[str, int]
    """the same money by heading of the contract"""


def read_books(checkpoint: Checkpoint, sources: Sequence[Source], overall: Tally) -> Books:
    """The books of a job.

    :raises BooksDoNotBalance: the orders are not worth what the exports are.
    """
    require_balance(checkpoint)
    cents = dict.fromkeys(HEADINGS.values(), 0)
    for state, heading in HEADINGS.items():
        cents[heading] += overall.money(state)
    exported = export_cents(checkpoint)
    return Books(_rows(sources), overall.all_cents if exported is None else exported, cents)


def _rows(sources: Sequence[Source]) -> Rows:
    # Counted one by one while the exports were read, and proved to make up what was read.
    in_orders = sum(source.details.get("rows_in_orders", source.rows) for source in sources)
    ignored = sum(source.details.get("rows_ignored", 0) for source in sources)
    in_no_order = sum(source.details.get("rows_in_no_order", 0) for source in sources)
    return Rows(in_orders + ignored + in_no_order, in_orders, ignored, in_no_order)
