"""Where the total of an order of several rows stands: on each of them, or on the first only."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from backfill.prepare.amounts.arithmetic import FEWEST, Amounts
from backfill.prepare.amounts.combinations import EXPLAINS
from backfill.prepare.mapping.formats import OrderValues


class Places(NamedTuple):
    """Where the total stands, and in how many orders of several rows it does, and does not."""

    order_values: OrderValues
    supporting: int
    contradicting: int


def places_of(amounts: Amounts, total: str) -> Places | None:
    """Where a column has the order's total; None where too few orders have several rows."""
    values = amounts.columns[total]
    starts = np.flatnonzero(np.diff(amounts.orders, prepend=-1))
    rows = np.diff(np.append(starts, len(values)))
    first = values[starts][amounts.orders]
    follows = np.ones(len(values), dtype=bool)
    follows[starts] = False
    said = np.isfinite(values[starts]) & (values[starts] != 0)
    several = (rows > 1) & said
    if several.sum() < FEWEST:
        return None

    def holds(on_rest: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> int:
        """In how many of the orders all rows but the first are so."""
        fine = np.logical_and.reduceat(on_rest | ~follows, starts)
        return int((fine & several).sum())

    found: dict[OrderValues, int] = {
        "repeated": holds(values == first),
        "first_row": holds(np.isnan(values)),
        "zero_on_rest": holds(values == 0),
    }
    best = max(found, key=lambda each: found[each])
    if found[best] < EXPLAINS * several.sum():
        return None
    return Places(best, found[best], int(several.sum()) - found[best])
