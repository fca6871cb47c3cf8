"""Amounts that are not in the currency of the import."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from backfill.prepare import convert
from backfill.prepare.convert.columns import present
from backfill.prepare.drafting.by_source import Reading
from backfill.prepare.drafting.order_values import OrderText
from backfill.prepare.grouping.keys import Indices
from backfill.prepare.grouping.orders import OrderRows

_LINE_AMOUNTS = ("item_each_price", "item_price")


class Foreign(NamedTuple):
    """Values of one field that name another currency; at most one per order."""

    field: str
    orders: Indices
    rows: Indices
    """the row (index into the chunk) of each value"""
    currencies: list[str]
    """code or symbol"""


def foreign_amounts(
    orders: OrderRows,
    sources: npt.NDArray[np.int32],
    readings: Sequence[Reading],
    texts: Mapping[str, OrderText],
    currency: str,
) -> list[Foreign]:
    """Orders whose currency column, an amount, or its header names another currency.

    Each order is named once. A symbol that several currencies share contradicts only a currency
    that is none of them: ``$`` may stand for Canadian dollars, but not for euros.

    :param sources: of each row, the index of its source in ``readings``.
    """
    found: list[Foreign] = []
    seen = np.zeros(orders.count, dtype=bool)
    for field, owners, rows, values in _amounts(orders, texts):
        if values.null_count == len(values):
            continue
        if field == "currency":
            other = _not_named(values, currency)
        else:
            other = convert.other_currency(values, currency)
            other = _or_in_header(field, values, other, sources[rows], readings, currency)
        places = np.flatnonzero(present(other))
        places = places[~seen[owners[places]]]
        _, firsts = np.unique(owners[places], return_index=True)
        places = places[firsts]
        if len(places):
            seen[owners[places]] = True
            names = pc.utf8_upper(other.take(pa.array(places))).to_pylist()
            found.append(Foreign(field, owners[places], rows[places], names))
    return found


def _amounts(
    orders: OrderRows, texts: Mapping[str, OrderText]
) -> Iterator[tuple[str, Indices, Indices, pa.StringArray]]:
    """Each field that may name a currency: the orders, rows and texts of its values."""
    every = np.arange(orders.count)
    for field in ("currency", "total"):
        yield field, every, texts[field].rows, texts[field].values
    rows = np.arange(len(orders.owners))
    for field in _LINE_AMOUNTS:
        yield field, orders.owners, rows, orders.column(field)


def _not_named(text: pa.StringArray, currency: str) -> pa.StringArray:
    """What a currency column says where that is another currency; else null."""
    names = text.unique().drop_null().to_pylist()
    others = [each for each in names if not convert.may_be(each, currency)]
    return pc.if_else(pc.is_in(text, pa.array(others, pa.string())), text, None)


def _or_in_header(
    field: str,
    values: pa.StringArray,
    other: pa.StringArray,
    sources: npt.NDArray[np.int32],
    readings: Sequence[Reading],
    currency: str,
) -> pa.StringArray:
    """The currency that each amount names itself, or else its column's header."""
    for index, reading in enumerate(readings):
        name = reading.currencies.get(field)
        if name is not None and not convert.may_be(name, currency):
            here = pc.and_(values.is_valid(), pa.array(sources == index))
            other = pc.coalesce(other, pc.if_else(here, name, None))
    return other
