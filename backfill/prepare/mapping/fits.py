"""Whether the values of a column fit the contract name that it bears."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from backfill.prepare.convert.cells import clean

#: Words of a shipment's state; "KS" and "Utah" are states of another kind.
_SHIPMENT: Final = (
    r"(?i)transit|deliver|ship|pick.?up|return|fail|error|cancel|label|pend|process|fulfil"
    r"|dispatch|sent|packed|ready|lost|hold|unknown"
)
#: The share of the values, or of the orders, from which on a column does not fit.
_MISFIT: Final = 0.5


def misfits(rows: pa.Table, columns: Collection[str]) -> dict[str, str]:
    """Those of ``columns`` whose values do not fit their contract names, each with the reason.

    :param rows: some rows of the source, under the columns' names.
    """
    found = {}
    if "shipping_state" in columns:
        values = clean(_array(rows, "shipping_state")).drop_null().unique()
        known = pc.sum(pc.match_substring_regex(values, _SHIPMENT)).as_py() or 0
        if len(values) and known < _MISFIT * len(values):
            found["shipping_state"] = f"{len(values) - known} of its {len(values)} values are no "
            found["shipping_state"] += "state of a shipment"
    if {"description", "reference_id"} <= set(columns):
        differing, orders = _differing(rows, "description")
        if differing > _MISFIT * orders:
            found["description"] = f"it differs from row to row in {differing} of {orders} orders"
    return found


def _differing(rows: pa.Table, column: str) -> tuple[int, int]:
    """In how many orders of several rows the rows differ in a column, and how many there are."""
    cells = pa.table(
        {"key": clean(_array(rows, "reference_id")), "value": clean(_array(rows, column))}
    ).drop_null()
    counted = cells.group_by("key").aggregate([("value", "count"), ("value", "count_distinct")])
    several = counted.filter(pc.greater(counted["value_count"], 1))
    differing = pc.sum(pc.greater(several["value_count_distinct"], 1)).as_py() or 0
    return differing, several.num_rows


def _array(rows: pa.Table, name: str) -> pa.StringArray:
    return rows[name].combine_chunks()
