"""A sample of whole orders, spread over a source, with every column that may hold amounts."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import reduce
from operator import or_
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from backfill.job_folder.files import REJECTION_COLUMNS
from backfill.prepare import convert
from backfill.prepare.amounts.arithmetic import Amounts
from backfill.prepare.amounts.combinations import Floats, Indices
from backfill.prepare.convert.cells import clean
from backfill.prepare.convert.columns import present
from backfill.prepare.grouping.orders import one_array
from backfill.prepare.mapping import fields
from backfill.prepare.reading.table import BATCH_ROWS

#: Rows of the first part of the sample, which is a whole batch, and of the further ones.
_FIRST_ROWS: Final = BATCH_ROWS
_FURTHER_ROWS: Final = 1 << 12
#: The share of a column's filled cells that must be amounts.
_AMOUNTS: Final = 0.9
_MOST_COLUMNS: Final = 16


@dataclass(slots=True)
class MoneySample:
    """Gathers the sample of one source, batch by batch."""

    mapping: fields.Mapping
    columns: list[str] | None = None
    """those that hold amounts; None before the first batch"""
    _keys: list[pa.Array] = field(default_factory=list)
    _quantities: list[pa.Array] = field(default_factory=list)
    _cells: list[pa.Table] = field(default_factory=list)
    _batches: int = 0

    def add(self, batch: pa.Table) -> None:
        """Keep the first batch of a source whole, and a part of the second, fourth, eighth, ..."""
        self._batches += 1
        is_power_of_two = self._batches & (self._batches - 1) == 0
        if self.mapping.packed is not None or not is_power_of_two:
            return
        part = batch.slice(0, _FURTHER_ROWS if self._keys else _FIRST_ROWS)
        wanted = ("reference_id", "item_quantity")
        specs = {name: self.mapping.specs[name] for name in wanted if name in self.mapping.specs}
        rows = fields.apply(replace(self.mapping, specs=specs, rows=()), part)
        if self.columns is None:
            self.columns = amount_columns(self.mapping, part)
        everywhere = pa.array(np.arange(part.num_rows))
        self._keys.append(one_array(rows["reference_id"]))
        self._quantities.append(one_array(rows["item_quantity"]))
        self._cells.append(part.select(self.columns).take(everywhere))  # a copy frees the batch

    def amounts(self) -> Amounts | None:
        """The sample as numbers; None where it has no orders, or no column could be read."""
        if not self.columns or not self._keys:
            return None
        orders, kept = self._whole_orders()
        if not len(orders):
            return None
        cells = pa.concat_tables(self._cells)
        texts = {name: clean(one_array(cells[name]), self.mapping.blank) for name in self.columns}
        marks = {name: convert.survey_numbers(text) for name, text in texts.items()}
        together = reduce(or_, marks.values())
        read = {}
        for name, text in texts.items():
            style = marks[name].settle()
            if style.ambiguous:
                style = together.settle()
            if not style.ambiguous:
                read[name] = in_cents(text, style)[kept]
        quantity = None
        if "item_quantity" in self.mapping.specs:
            counted = convert.quantities(one_array(pa.chunked_array(self._quantities)))
            quantity = _floats(counted)[kept] / 1000
        return Amounts(orders, read, quantity)

    def _whole_orders(self) -> tuple[Indices, Indices]:
        """The number of the order of each row that is kept, and the places of those rows.

        The first order of a later part and the last of a full one may be cut off, so they are
        left out. Rows come order by order.
        """
        parts = [pc.fill_null_forward(keys) for keys in self._keys]
        cut_off = [part[0] for part in parts[1:] if len(part)]
        cut_off += [part[-1] for part in parts if len(part) in (_FIRST_ROWS, _FURTHER_ROWS)]
        keys = one_array(pa.chunked_array(parts))
        numbers = keys.dictionary_encode().indices
        whole = present(keys)
        if cut_off:
            values = pa.array([key.as_py() for key in cut_off], pa.string())
            whole &= ~pc.is_in(keys, value_set=values).to_numpy(zero_copy_only=False)
        places = np.flatnonzero(whole)
        orders = numbers.take(pa.array(places)).to_numpy()
        in_order = np.argsort(orders, kind="stable")
        dense = np.cumsum(np.diff(orders[in_order], prepend=-1) != 0) - 1
        return dense.astype(np.int64), places[in_order]


def amount_columns(mapping: fields.Mapping, rows: pa.Table) -> list[str]:
    """The columns that hold amounts and serve no field that is none; those in use come first."""
    money = {
        column
        for name in fields.RELATED_FIELDS
        if name in mapping.specs
        for column in mapping.specs[name].columns
    }
    used = {column for spec in mapping.specs.values() for column in spec.columns} - money
    found = []
    for name in rows.column_names:
        if name in used or name.startswith("_") or name in REJECTION_COLUMNS:
            continue
        text = clean(one_array(rows[name]), mapping.blank).drop_null().unique().slice(0, 200)
        if not len(text):
            continue
        read = convert.cents(text, convert.survey_numbers(text).settle())
        if pc.mean(pc.cast(pc.is_valid(read.values), pa.int8())).as_py() >= _AMOUNTS:
            found.append(name)
    return sorted(found, key=lambda name: name not in money)[:_MOST_COLUMNS]


def in_cents(text: pa.StringArray, style: convert.NumberStyle) -> Floats:
    """Amounts in cents; NaN where a text is blank or no amount."""
    return _floats(convert.cents(text, style))


def _floats(converted: convert.Converted) -> Floats:
    # Not safe on purpose: beyond 2 ** 53 stand tracking numbers, whose last digits do not matter.
    floats = pc.cast(converted.values, pa.float64(), safe=False)
    values: Floats = pc.fill_null(floats, np.nan).to_numpy()
    return values
