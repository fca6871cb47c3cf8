"""Digits with marks between them, to exact fixed-point integers. No binary float on the way.

Which mark stands before the decimals is plain from most values by themselves:

    1,234.50   1'234.50   0.125   12.5   1234.567   1,234,567     a point
    1.234,50   1 234,50   0,125   12,5   1234,567   1.234.567     a comma
    1.234   1,234                                                 could be either

The last kind is called *undecided* here, and is settled outside, on the whole column.
"""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from backfill.prepare.convert.columns import (
    Bools,
    Converted,
    matches,
    none_of,
    to_numpy,
)

_UNITS = 17
"""Digits before the decimal mark that are looked at: int64 holds 9.2e16 whole units of cents."""
_NOISE = 8
"""Decimals beyond which a difference is the noise of a binary float: a millionth of a cent."""
_KEPT = 18
"""Decimals that are looked at. What is cut off beyond can't change a number rounded half up."""

_BLOCKS = r"\d{1,3}(?:(?: \d{3})+|(?:'\d{3})+)"
_EXPONENT = r"[eE][-+]?\d{1,2}"


def _settles(decimal: str, group: str) -> str:
    """The pattern of values that by themselves say that ``decimal`` stands before the decimals."""
    d, g = rf"\{decimal}", rf"\{group}"
    indian = rf"\d{{1,2}}(?:{g}\d{{2}})+{g}\d{{3}}"
    return "|".join(
        (
            rf"\d+{d}\d{{1,2}}|\d+{d}\d{{4,}}|\d{{4,}}{d}\d{{3}}|0\d*{d}\d{{3}}|{d}\d+",
            rf"(?:\d{{1,3}}(?:{g}\d{{3}})+|{indian}|{_BLOCKS}){d}\d+",
            rf"\d{{1,3}}(?:{g}\d{{3}}){{2,}}|{indian}",
            rf"\d+{d}\d+{_EXPONENT}",
        )
    )


WHOLE = rf"^(?:\d+|{_BLOCKS}|\d+{_EXPONENT})$"
POINT = rf"^(?:{_settles('.', ',')})$"
COMMA = rf"^(?:{_settles(',', '.')})$"
UNDECIDED = r"^[1-9]\d{0,2}[.,]\d{3}$"


def with_point(number: pa.StringArray, decimal: str) -> pa.StringArray:
    """Numbers as ``1234.50``; null where the marks make no sense. ``decimal`` settles undecided."""
    undecided = matches(number, UNDECIDED)
    point = pc.or_(matches(number, WHOLE), matches(number, POINT))
    comma = matches(number, COMMA)
    if decimal == ".":
        point = pc.or_(point, undecided)
    else:
        comma = pc.or_(comma, undecided)
    as_point = _without(number, " ',")
    as_comma = pc.replace_substring(_without(number, " '."), ",", ".")
    nothing = pa.scalar(None, pa.string())
    return _without_exponent(pc.if_else(point, as_point, pc.if_else(comma, as_comma, nothing)))


def _without(number: pa.StringArray, marks: str) -> pa.StringArray:
    for mark in marks:
        number = pc.replace_substring(number, mark, "")
    return number


def _without_exponent(number: pa.StringArray) -> pa.StringArray:
    """``1.2E+3`` as ``1200``. Only values with an exponent are touched; they are rare."""
    scientific = matches(number, r"[eE]")
    if not pc.any(scientific).as_py():
        return number
    texts = pc.filter(number, scientific).to_pylist()
    written = [format(Decimal(text), "f") for text in texts]
    return pc.replace_with_mask(number, scientific, pa.array(written, pa.string()))


def is_fixed(text: pa.StringArray, places: int) -> pa.BooleanArray:
    """Which values are plain numbers that :func:`fixed` takes; false for a null."""
    decimals = rf"(?:\.\d{{1,{places}}})?" if places else ""
    return matches(text, rf"^-?\d{{1,15}}{decimals}$")


def fixed(text: pa.StringArray, places: int) -> pa.Int64Array:
    """Plain numbers (see :func:`is_fixed`) times ``10 ** places``, exactly."""
    return _low_word(pc.cast(text, pa.decimal128(38, places)))


def rounded(number: pa.StringArray, places: int) -> Converted:
    """Any ``-?123.4567`` times ``10 ** places``, rounded half away from zero as shops and Excel do.

    Noise of binary floats is taken off first: 731.9399999999999 is 731.94, and not inexact.
    ``bad`` where a value is null or too big for 64 bits.
    """
    plain = is_fixed(number, places)
    if pc.all(pc.or_(plain, number.is_null()), min_count=0).as_py():
        return Converted(fixed(number, places), number.is_null(), none_of(number))
    fits = matches(number, rf"^-?0*\d{{0,{_UNITS}}}(?:\.\d*)?$")
    number = pc.if_else(fits, number, pa.scalar(None, pa.string()))
    number = pc.replace_substring_regex(number, rf"(\.\d{{{_KEPT}}})\d+$", r"\1")
    decimals = pc.cast(number, pa.decimal128(38, _KEPT))
    half_up = "half_towards_infinity"
    meant = pc.round(decimals, ndigits=_NOISE, round_mode=half_up)
    shown = pc.round(meant, ndigits=places, round_mode=half_up)
    scaled = pc.cast(shown, pa.decimal128(38, places))
    whole = _low_word(scaled)
    bad = pc.or_(pc.invert(fits), pa.array(_overflows(scaled)))
    return Converted(
        values=pc.if_else(bad, pa.scalar(None, pa.int64()), whole),
        bad=bad,
        inexact=pc.fill_null(pc.and_(pc.not_equal(meant, shown), pc.invert(bad)), False),
    )


def _words(decimals: pa.Decimal128Array) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    """Low and high 64 bits of each value (Arrow's format: little-endian two's complement)."""
    words = np.frombuffer(decimals.buffers()[1], dtype="<i8").reshape(-1, 2)
    return words[decimals.offset : decimals.offset + len(decimals)]


def _low_word(decimals: pa.Decimal128Array) -> pa.Int64Array:
    if len(decimals) == 0:
        return pa.array([], pa.int64())
    low = np.ascontiguousarray(_words(decimals)[:, 0])
    absent = to_numpy(decimals.is_null()) if decimals.null_count else None
    return pa.array(low, pa.int64(), mask=absent)


def _overflows(decimals: pa.Decimal128Array) -> Bools:
    if len(decimals) == 0:
        return np.zeros(0, dtype=np.bool_)
    words = _words(decimals)
    beyond = words[:, 1] != (words[:, 0] >> 63)
    return np.asarray(beyond & ~to_numpy(decimals.is_null()), dtype=np.bool_)
