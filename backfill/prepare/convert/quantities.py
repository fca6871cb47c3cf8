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
from backfill.prepare.convert.numerals import fixed, is_fixed, rounded, with_point

_PLACES = 3


def quantities(text: Text) -> Converted:
    """Quantities in thousandths, int64: ``2`` is 2000, ``0.5`` is 500, ``-1.0`` is -1000.

    A point before three digits stands before decimals (``1.000`` is one: exports that write
    decimals write them so). A comma there could be either, and is ``bad``: taking 1,000 for one,
    or for a thousand, would be a guess.
    """
    column = as_text(text)
    plain = is_fixed(column, _PLACES)
    if pc.all(pc.or_(plain, column.is_null()), min_count=0).as_py():
        return Converted(fixed(column, _PLACES), none_of(column), none_of(column))
    return on_distinct(column, _read)


def _read(text: pa.StringArray) -> Converted:
    unsettled = matches(text, r"^[-+]?[1-9]\d{0,2},\d{3}$")
    text = pc.if_else(unsettled, pa.scalar(None, pa.string()), text)
    minus = pc.if_else(matches(text, "^-"), "-", "")
    number = with_point(pc.replace_substring_regex(text, r"^[-+]", ""), ".")
    return rounded(pc.binary_join_element_wise(minus, number, ""), _PLACES)
