"""Amounts of money, in any way that exports and people write them, to exact whole cents.

Cents are the smallest unit of the currency, as :mod:`backfill.money` has it.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from backfill.prepare.convert import text_bytes
from backfill.prepare.convert.amounts import take_apart
from backfill.prepare.convert.columns import (
    Converted,
    Text,
    as_text,
    none_of,
    on_distinct,
    present,
)
from backfill.prepare.convert.currencies import may_be
from backfill.prepare.convert.marks import NumberStyle
from backfill.prepare.convert.numerals import fixed, is_fixed, rounded, with_point

_FINER = 4
"""More decimals of unit prices below a cent: millionths of a dollar."""
_ALIKE = 2
"""Up to so many decimals a number is read alike under either decimal mark."""

_NAMING = text_bytes.wanted(set(range(256)).difference(b"-.0123456789"))
"""Bytes that may name a currency: all but those of a plain number."""


def cents(text: Text, style: NumberStyle) -> Converted:
    """Amounts in whole cents, int64. A dash alone is zero.

    What has more decimals is rounded half away from zero and marked inexact, unless it is only
    the noise of a binary float (731.9399999999999). Bad: words, two decimal marks, marks that
    group wrongly (``12,34.5``), two currencies, two signs, more than 64 bits hold.
    """
    return _converted(as_text(text), style, style.places)


def fine_cents(text: Text, style: NumberStyle) -> Converted:
    """The same in ten-thousandths of a cent, for unit prices below a cent times many pieces."""
    return _converted(as_text(text), style, style.places + _FINER)


def money_currency(text: Text) -> pa.StringArray:
    """The ISO code that each amount itself names; null for none, and for a bare ``$``."""
    column = as_text(text)
    if _is_bare(column):
        return pa.nulls(len(column), pa.string())
    encoded = column.dictionary_encode()
    return take_apart(encoded.dictionary).currency.take(encoded.indices)


def other_currency(text: Text, currency: str) -> pa.StringArray:
    """The code or symbol of each amount that is in another currency; null for all others.

    A symbol that several currencies share, such as ``$``, is in another currency where
    ``currency`` is none of them.
    """
    column = as_text(text)
    if _is_bare(column):
        return pa.nulls(len(column), pa.string())
    encoded = column.dictionary_encode()
    amounts = take_apart(encoded.dictionary)
    names = pc.coalesce(amounts.currency, amounts.symbol)
    others = [each for each in names.unique().drop_null().to_pylist() if not may_be(each, currency)]
    other = pc.is_in(names, pa.array(others, pa.string()))
    return pc.if_else(other, names, pa.scalar(None, pa.string())).take(encoded.indices)


def _is_bare(column: pa.StringArray) -> bool:
    """Whether no amount of the column names anything."""
    naming = text_bytes.holding(column, _NAMING) & present(column)
    return not naming.any()


def _converted(column: pa.StringArray, style: NumberStyle, places: int) -> Converted:
    plain = is_fixed(column, places if style.mark == "." else min(places, _ALIKE))
    if pc.all(pc.or_(plain, column.is_null()), min_count=0).as_py():
        return Converted(fixed(column, places), none_of(column), none_of(column))
    return on_distinct(column, lambda values: _read(values, style, places))


def _read(text: pa.StringArray, style: NumberStyle, places: int) -> Converted:
    amounts = take_apart(text)
    number = with_point(amounts.number, style.mark)
    return rounded(pc.binary_join_element_wise(amounts.minus, number, ""), places)
