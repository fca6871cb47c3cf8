"""The books of a preparation: what was read is what was prepared, to the row and to the cent.

One side is kept where rows are read and converted, the other where finished orders are handed to
the checkpoint; neither is computed from the other. They are compared at the end, and a difference
stops the preparation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from backfill.checkpoint import addresses
from backfill.errors import BooksDoNotBalance
from backfill.prepare.draft import Draft

Rows = npt.NDArray[np.int64]

# What happened to a row, as bits of one byte: every row that was read ends in one place.
_READ, _IN_ORDER, _IGNORED, _WITHOUT_ORDER, _TWICE = 1, 2, 4, 8, 16
_BALANCED = (0, _READ | _IN_ORDER, _READ | _IGNORED, _READ | _WITHOUT_ORDER)


@dataclass(frozen=True, slots=True)
class RowCounts:
    """Where the rows of one source ended."""

    read: int
    in_orders: int
    ignored: int
    in_no_order: int
    blank: int
    """between the header and the last row; not among those read"""
    first_blank: int | None


class RowBooks:
    """Follows every row of every source from the reader to the order it ends in."""

    def __init__(self, header_rows: Mapping[str, int]) -> None:
        """
        :param header_rows: of each source, by its label, the row of its header.
        """
        self._labels = list(header_rows)
        self._header_rows = list(header_rows.values())
        self._fates = [np.zeros(0, dtype=np.uint8) for _ in header_rows]

    def read(self, source: int, rows: Rows) -> None:
        """Rows that the reader of a source has handed out, by number."""
        if not len(rows):
            return
        fates, end = self._fates[source], int(rows.max()) + 1
        if end > len(fates):
            grown = np.zeros(max(end, 2 * len(fates)), dtype=np.uint8)
            grown[: len(fates)] = fates
            self._fates[source] = fates = grown
        _mark(fates, rows, _READ)

    def ignored(self, source: int, rows: Rows) -> None:
        """Rows that are no part of an order, each named by a problem."""
        _mark(self._fates[source], rows, _IGNORED)

    def copies(self, all_rows: pa.Table, taken_rows: pa.Table) -> None:
        """Rows left out because their order stands in the same words in another source."""
        for source in np.unique(all_rows["_source"].to_numpy()).tolist():
            given, taken = (
                table["_row"].to_numpy()[table["_source"].to_numpy() == source]
                for table in (all_rows, taken_rows)
            )
            self.ignored(source, np.setdiff1d(given, taken))

    def placed(self, orders: pa.RecordBatch) -> None:
        """Orders as they are handed to the checkpoint, with the rows that they name."""
        files, rows = orders["source_file"], orders["source_rows"]
        fate = np.where(orders["reference_id"].is_null(), _WITHOUT_ORDER, _IN_ORDER)
        shared = pc.match_substring(rows, "; ").to_numpy(zero_copy_only=False)
        for label in pc.unique(files.filter(pa.array(~shared))).to_pylist():
            own = pc.equal(files, label).to_numpy(zero_copy_only=False) & ~shared
            fates = self._fates[self._labels.index(label)]
            for kind in (_IN_ORDER, _WITHOUT_ORDER):
                _mark(fates, _numbers(rows.filter(pa.array(own & (fate == kind)))), kind)
        for order in np.flatnonzero(shared).tolist():
            places = addresses(files[order].as_py(), rows[order].as_py(), self._labels)
            for label, numbers in places:
                _mark(self._fates[self._labels.index(label)], np.array(numbers), fate[order])

    def close(self) -> dict[str, RowCounts]:
        """Where the rows of each source ended.

        :raises BooksDoNotBalance: a row that was read ended nowhere, or in two places.
        """
        counts = {}
        for label, top, fates in zip(self._labels, self._header_rows, self._fates, strict=True):
            wrong = np.flatnonzero(~np.isin(fates, _BALANCED))
            if len(wrong):
                raise BooksDoNotBalance(_told(label, wrong, int(fates[wrong[0]])))
            read, in_orders, ignored, in_no_order = (
                int(np.count_nonzero(fates & bit))
                for bit in (_READ, _IN_ORDER, _IGNORED, _WITHOUT_ORDER)
            )
            below = np.trim_zeros(fates[top + 1 :], "b")
            blank = np.flatnonzero(below == 0) + top + 1
            first_blank = int(blank[0]) if len(blank) else None
            counts[label] = RowCounts(
                read, in_orders, ignored, in_no_order, len(blank), first_blank
            )
        return counts


class MoneyBooks:
    """Adds up what the export says its orders are worth, before any order is judged."""

    def __init__(self) -> None:
        self.orders = 0
        self.cents = 0

    def add(self, draft: Draft) -> None:
        """Take a chunk of orders: each counts with its total, or else with its lines.

        An order counts as zero where nobody can tell: see :func:`unknown_totals`.
        """
        unknown = unknown_totals(draft)
        given = pc.is_valid(draft.total.values).to_numpy(zero_copy_only=False)
        totals = pc.sum(draft.total.values.filter(pa.array(given & ~unknown))).as_py() or 0
        by_lines = np.repeat(~given & ~unknown, np.diff(draft.lines.starts))
        self.cents += totals + int(draft.lines.price_cents[by_lines].sum())
        self.orders += draft.count


def unknown_totals(draft: Draft) -> npt.NDArray[np.bool_]:
    """Orders without a total in the currency of the import.

    It cannot be read, is not there and has no lines that would make it, or an amount of the order
    is in another currency.
    """
    bad = pc.fill_null(draft.total.bad, False).to_numpy(zero_copy_only=False)
    given = pc.is_valid(draft.total.values).to_numpy(zero_copy_only=False)
    foreign = np.zeros(draft.count, dtype=bool)
    for found in draft.foreign:
        foreign[found.orders] = True
    unknown: npt.NDArray[np.bool_] = bad | foreign | (~given & (np.diff(draft.lines.starts) == 0))
    return unknown


def _mark(fates: npt.NDArray[np.uint8], rows: Rows, bit: int) -> None:
    if (np.diff(rows) <= 0).any():  # else no row can be among them twice
        rows, times = np.unique(rows, return_counts=True)
        fates[rows[times > 1]] |= _TWICE
    before = fates[rows]
    fates[rows] = before | bit | np.where(before & bit, _TWICE, 0).astype(np.uint8)


def _numbers(spans: pa.Array) -> Rows:
    """The row numbers that texts such as ``2-4,9`` stand for."""
    if not len(spans):
        return np.empty(0, dtype=np.int64)
    pieces = pc.list_flatten(pc.split_pattern(spans, ","))
    ends = pc.split_pattern(pieces, "-")
    first = pc.list_element(ends, 0).cast(pa.int64()).to_numpy()
    several = pc.greater(pc.list_value_length(ends), 1).to_numpy(zero_copy_only=False)
    last = first.copy()
    ranges = ends.filter(pa.array(several))
    last[several] = pc.list_element(ranges, 1).cast(pa.int64()).to_numpy()
    lengths = last - first + 1
    within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    numbers: Rows = np.repeat(first, lengths) + within
    return numbers


def _told(label: str, rows: Rows, fate: int) -> str:
    if not fate & _READ:
        what = "is in an order but was never read"
    elif fate == _READ:
        what = "was read but is neither in an order nor in a list"
    else:
        what = "ended in two places"
    more = f" (as are {len(rows) - 1:,} more rows)" if len(rows) > 1 else ""
    return f"{label}: the books do not balance: row {rows[0]} {what}{more}"
