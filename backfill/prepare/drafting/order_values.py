"""Order-level values: the one value that an order has for a field, out of all its rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from backfill.prepare import convert
from backfill.prepare.convert.columns import numbers, present
from backfill.prepare.drafting.by_source import Reading
from backfill.prepare.grouping.keys import Indices
from backfill.prepare.grouping.orders import OrderRows
from backfill.prepare.mapping import fields

#: Rows that were created further apart are not one order: shops number anew, often every year.
LONGEST_ORDER = timedelta(days=31)
#: A zero that stands for "see the order's first row" in exports that fill with zeros.
_LITERAL_ZERO = r"^0+([.,]0+)?$"
_DASHES = pa.array(["-", "--", "–", "—"])

_NO_ROWS: Indices = np.empty(0, dtype=np.int64)

#: Reads the times of a field that stand on some rows of the chunk.
ReadTimes = Callable[[pa.Array, Indices], convert.Times]


class OrderText(NamedTuple):
    """An order-level field: one value per order, and where it stands."""

    values: pa.Array
    """string; null where all the order's rows are blank"""
    rows: Indices
    """the row (index into the chunk) where the value stands; the order's first row where null"""
    conflicts: Indices
    """rows that hold another value than the order"""
    differing: Indices = _NO_ROWS
    """rows that hold a later time than the order, which is no conflict"""


class OrderValues:
    """Finds the one value that an order has for an order-level field, and the rows that differ."""

    def __init__(
        self,
        orders: OrderRows,
        readings: Sequence[Reading],
        owners: Indices,
        sources: npt.NDArray[np.int32],
    ) -> None:
        self._orders = orders
        self._readings = readings
        self._owners = owners
        self._sources = sources
        self._first = orders.starts[:-1]
        self._follows = np.ones(len(owners), dtype=bool)
        self._follows[self._first] = False

    def text(self, field: str) -> OrderText:
        """The first value that any of the order's rows has."""
        values = self._said(field)
        if values.null_count == len(values):
            nothing = pa.nulls(self._orders.count, pa.string())
            return OrderText(nothing, self._first, _NO_ROWS)
        if values.null_count == 0:
            same = pc.equal(values.slice(1), values.slice(0, len(values) - 1))
            clashing = ~same.to_numpy(zero_copy_only=False) & self._follows[1:]
            taken = values.take(pa.array(self._first))
            return OrderText(taken, self._first, np.flatnonzero(clashing) + 1)
        return self._among_blanks(values)

    def time(self, field: str, read: ReadTimes) -> OrderText:
        """The earliest time that any of the order's rows has.

        A time that cannot be read comes before all others, so that it is noticed. Rows with other
        times are ``differing``; those that were created after :data:`LONGEST_ORDER` conflict.
        """
        text = self.text(field)
        if not len(text.conflicts):
            return text
        values = self._said(field)
        several = np.isin(self._owners, self._owners[text.conflicts])
        rows = np.flatnonzero(several & present(values))
        owners = self._owners[rows]
        instants = read(values.take(pa.array(rows)), rows).instant.cast(pa.int64())
        seconds = np.where(present(instants), numbers(instants), np.iinfo(np.int64).min)
        in_time = np.lexsort((seconds, owners))
        begins = np.flatnonzero(np.diff(owners[in_time], prepend=-1))
        of_order = np.repeat(begins, np.diff(begins, append=len(rows)))
        later = seconds[in_time] - np.maximum(seconds[in_time][of_order], -(2**62))
        earliest = rows[in_time[begins]]
        places = text.rows.copy()
        places[self._owners[earliest]] = earliest
        known = seconds[in_time][of_order] != np.iinfo(np.int64).min
        apart = known & (later > LONGEST_ORDER.total_seconds()) & (field == "created_at")
        return OrderText(
            values=values.take(pa.array(places, mask=~present(text.values))),
            rows=places,
            conflicts=np.sort(rows[in_time][apart]),
            differing=np.sort(rows[in_time][known & ~apart & (later > 0)]),
        )

    def _said(self, field: str) -> pa.Array:
        """What each row says for a field."""
        values = self._orders.column(field)
        if values.null_count == len(values):
            return values
        return self._without_filling_zeros(field, self._of_the_first_choice(field, values))

    def _among_blanks(self, values: pa.Array) -> OrderText:
        filled = np.flatnonzero(present(values))
        owners = self._owners[filled]
        begins = np.diff(owners, prepend=-1) > 0
        rows = np.full(self._orders.count, -1, dtype=np.int64)
        rows[owners[begins]] = filled[begins]
        taken = values.take(pa.array(rows, mask=rows < 0))
        packed = values.take(pa.array(filled))
        same = pc.equal(packed.slice(1), packed.slice(0, len(packed) - 1))
        clashing = ~same.to_numpy(zero_copy_only=False) & ~begins[1:]
        return OrderText(taken, np.where(rows < 0, self._first, rows), filled[1:][clashing])

    def _of_the_first_choice(self, field: str, values: pa.Array) -> pa.Array:
        """Of a SPEC with several choices, what is from the first that any of the order's rows has.

        An export may say one of them on an order's first row only and repeat another, so that
        its further rows would seem to disagree.
        """
        choice = self._orders.column(fields.choice_column(field))
        if choice.null_count == len(choice):
            return values
        ranks = np.where(present(values), numbers(choice), np.iinfo(np.int8).max)
        first = np.full(self._orders.count, np.iinfo(np.int8).max)
        np.minimum.at(first, self._owners, ranks)
        return pc.if_else(pa.array(ranks > first[self._owners]), None, values)

    def _without_filling_zeros(self, field: str, values: pa.Array) -> pa.Array:
        """Without what fills the order's further rows: a dash, or zeros where these say nothing."""
        if field == "total":
            dash = pc.fill_null(pc.is_in(values, _DASHES), False).to_numpy(zero_copy_only=False)
            if (dash & self._follows).any():
                values = pc.if_else(pa.array(dash & self._follows), None, values)
        filling = [
            index
            for index, reading in enumerate(self._readings)
            if field in reading.mapping.zero_is_blank
        ]
        if not filling:
            return values
        zero = pc.fill_null(pc.match_substring_regex(values, _LITERAL_ZERO), False)
        blank = zero.to_numpy(zero_copy_only=False) & np.isin(self._sources, filling)
        return pc.if_else(pa.array(blank & self._follows), None, values)
