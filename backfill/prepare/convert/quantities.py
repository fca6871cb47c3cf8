"""How many, to exact thousandths."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from backfill.prepare.convert.columns import (
    Converted,
    Text,
    as_text,
    matches,
    none_of,
    on_distinct,
)
from backfill.prepare.convert.marks import NumberStyle
from backfill.prepare.convert.numerals import fixed, is_fixed, rounded, with_point

_PLACES = 3
_ALIKE = 2
"""Up to so many decimals a number is read alike under either decimal mark."""
_POINT = NumberStyle()


def quantities(text: Text, style: NumberStyle = _POINT) -> Converted:
    """Quantities in thousandths, int64: ``2`` is 2000, ``0.5`` is 500, ``-1.0`` is -1000.

    ``1.000`` and ``1,000`` are one or a thousand: the column's style says which.
    """
    column = as_text(text)
    plain = is_fixed(column, _PLACES if style.mark == "." else _ALIKE)
    if pc.all(pc.or_(plain, column.is_null()), min_count=0).as_py():
        return Converted(fixed(column, _PLACES), none_of(column), none_of(column))
    return on_distinct(column, lambda values: _read(values, style))


def _read(text: pa.StringArray, style: NumberStyle) -> Converted:
    minus = pc.if_else(matches(text, "^-"), "-", "")
    number = with_point(pc.replace_substring_regex(text, r"^[-+]", ""), style.mark)
    return rounded(pc.binary_join_element_wise(minus, number, ""), _PLACES)
