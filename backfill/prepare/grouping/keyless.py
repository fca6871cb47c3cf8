"""Rows without an order key: do they continue the order above, as in exports that write it once?

Merged cells, Odoo and many ERPs write the key on an order's first row only. A row that has values
of a line item and none of an order is a line of the order above. A row that repeats values of the
order above may be one, and so is held back together with it; a row that contradicts them is an
order of its own whose key is missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from backfill.checkpoint.decisions import Decision, Evidence, SettledBy
from backfill.prepare.convert.columns import present
from backfill.prepare.mapping import fields

Flags = npt.NDArray[np.bool_]

#: The rule that holds an order back together with rows that may not belong to it.
KEYLESS_ROW = "keyless_row"
_KEY = "reference_id"
_OF_AN_ORDER = tuple(
    each for each in (*fields.ORDER_FIELDS, *fields.ACCOUNT_FIELDS) if each != _KEY
)
#: Who ordered and when: what differs in these is another order.
_IDENTITY = (
    "created_at",
    "profile_name",
    "profile_phone_number",
    "profile_email",
    "profile_shipping_address_raw",
    *fields.ACCOUNT_FIELDS,
)


class Continuing(NamedTuple):
    """Rows of a batch that continue the row above them."""

    rows: Flags
    doubtful: Flags
    """those that may be another order"""


class KeylessRows(NamedTuple):
    """What became of the rows of one source that have no order key and continue the row above."""

    joined: int
    held_back: int
    first: int | None
    """the row number of the first of them"""


def proves_first_row(mapping: fields.Mapping, *, items_only: bool) -> bool | None:
    """Whether rows without a key are lines of the order above, as far as the mapping tells.

    None: where the column's pattern has to prove it. False: nothing can prove it.
    """
    if mapping.order_key is not None:
        return mapping.order_key == "first_row"
    if items_only:
        return False
    return None if any(each in mapping.specs for each in _OF_AN_ORDER) else False


def continuing(mapping: fields.Mapping, batch: pa.Table, taken: pa.Table) -> Continuing | None:
    """Which of the ``taken`` rows of a batch continue the row above; None where each has a key,
    or where the rows above are those of the list of rejected rows, and not of the export.

    :param batch: the rows as they stand in the source.
    :param taken: those that belong to orders, with ``reference_id`` and ``_row``.
    """
    keyless = ~present(_column(taken, _KEY))
    every_row = mapping.order_key == "every_row" or (
        mapping.of_fixed_rows and mapping.order_key is None
    )
    if not keyless.any() or mapping.packed is not None or every_row:
        return None
    wanted = np.isin(batch["_row"].to_numpy(), taken["_row"].to_numpy())
    rows = fields.apply(replace(mapping, rows=()), batch.filter(pa.array(wanted)))
    has_line = _any_present(rows, fields.LINE_FIELDS)
    of_order = _any_present(rows, _OF_AN_ORDER)
    lines = keyless & has_line
    doubtful = lines & of_order & ~_contradicts(rows, keyless)
    return Continuing((lines & ~of_order) | doubtful, doubtful)


def decisions(
    mappings: Sequence[fields.Mapping], labels: Sequence[str], found: Sequence[KeylessRows]
) -> list[Decision]:
    """What was decided about rows without a key, one per source that has any."""
    made = []
    for mapping, label, rows in zip(mappings, labels, found, strict=True):
        if rows.first is None:
            continue
        settled = SettledBy.PROOF if not rows.held_back else SettledBy.DEFAULT
        if mapping.order_key is not None:
            settled = SettledBy.MAPPING
        made.append(
            Decision(
                what="rows without a key",
                source=label,
                column=mapping.column_of(_KEY),
                value="held back with the order above"
                if rows.held_back
                else "lines of the order above",
                settled_by=settled,
                evidence=Evidence(
                    supporting=rows.joined - rows.held_back,
                    contradicting=rows.held_back,
                    row=rows.first,
                ),
                override='order_key = "first_row" or "every_row" in a mapping file',
            )
        )
    return made


def _contradicts(rows: pa.Table, keyless: Flags) -> Flags:
    """Rows whose customer, account or date is not that of the order above.

    Compared within a batch; what stands in the batch before is taken for the same.
    """
    count = len(keyless)
    places = np.arange(count)
    keys = _column(rows, _KEY)
    changed = np.ones(count, dtype=bool)
    same = pc.fill_null(pc.equal(keys.slice(1), keys.slice(0, count - 1)), False)
    changed[1:] = ~same.to_numpy(zero_copy_only=False)
    begins = np.maximum.accumulate(np.where(changed & ~keyless, places, 0))
    found = np.zeros(count, dtype=bool)
    for each in _IDENTITY:
        values = _column(rows, each)
        filled = present(values) & ~keyless
        above = np.maximum.accumulate(np.where(filled, places, -1))
        other = pc.not_equal(values, values.take(pa.array(above, mask=above < 0)))
        differs = pc.fill_null(other, False).to_numpy(zero_copy_only=False)
        found |= differs & (above >= begins) & keyless
    return found


def _any_present(rows: pa.Table, names: Sequence[str]) -> Flags:
    found = np.zeros(rows.num_rows, dtype=bool)
    for name in names:
        found |= present(_column(rows, name))
    return found


def _column(rows: pa.Table, name: str) -> pa.Array:
    column = rows[name]
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
