"""The typed cells of a spreadsheet as text, each as it is meant."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

_EPOCH_YEAR = 1899
"""A time of day without a date is on the last day of this year, in some files."""


def as_text(cells: Sequence[Any]) -> tuple[pa.Array, int]:
    """The cells of one column as text, blank ones null; and how many were FALSE and are blank.

    A whole number has no decimals (536365) and never an exponent; any other is the shortest text
    that stands for it (731.9399999999999). A time is ``2010-12-01 08:26:00``, without its clock at
    midnight, and a time of day ``08:26:00``. Booleans are ``true`` and ``false``; but where a
    column has FALSE and never TRUE, it stands for a blank, as Odoo writes it.
    """
    kinds = set(map(type, cells))
    falses = 0
    if bool in kinds and not any(cell is True for cell in cells):
        falses = sum(cell is False for cell in cells)
        cells = ["" if cell is False else cell for cell in cells]
        kinds = {*kinds, str} - {bool}
    if kinds <= {str}:
        texts = pa.array(cells, pa.string())
    elif kinds == {int}:
        texts = pc.cast(pa.array(cells, pa.int64()), pa.string())
    elif len(kinds) == 1:
        texts = pa.array(list(map(_TEXTS.get(kinds.pop(), str), cells)), pa.string())
    else:
        texts = pa.array([_TEXTS.get(type(cell), str)(cell) for cell in cells], pa.string())
    return pc.if_else(pc.equal(texts, ""), None, texts), falses


def _of_float(number: float) -> str:
    text = repr(number)
    return text if "e" not in text else format(Decimal(text), "f")


def _of_datetime(moment: datetime) -> str:
    if moment.year <= _EPOCH_YEAR:
        return _of_time(moment.time())
    if moment.hour == moment.minute == moment.second == moment.microsecond == 0:
        return moment.date().isoformat()
    return _trimmed(moment.isoformat(" "))


def _of_time(clock: time) -> str:
    return _trimmed(clock.isoformat())


def _of_duration(span: timedelta) -> str:
    """A clock that may go beyond 24 hours."""
    seconds = span // timedelta(seconds=1)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def _trimmed(text: str) -> str:
    """Without the zeros that end a fraction of a second."""
    return text.rstrip("0") if "." in text else text


_TEXTS: dict[type, Callable[[Any], str]] = {
    bool: lambda truth: "true" if truth else "false",
    int: str,
    float: _of_float,
    datetime: _of_datetime,
    date: date.isoformat,
    time: _of_time,
    timedelta: _of_duration,
}
