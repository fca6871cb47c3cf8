"""The typed cells of a spreadsheet as text, each as it is meant."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import compress
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

_EPOCH_YEAR = 1899
"""A time of day without a date is on the last day of this year, in some files."""
_SECOND = 1_000_000
"""In the ticks of a timestamp, which are microseconds."""
_FIRST_DAY = (datetime(_EPOCH_YEAR + 1, 1, 1) - datetime(1970, 1, 1)) // timedelta(microseconds=1)
"""As ticks: what is before it has no date."""

_CUT_OFF = 10**15
"""Whole numbers from here on have more digits than a spreadsheet keeps."""


def as_text(cells: Sequence[Any]) -> tuple[pa.Array, int]:
    """The cells of one column as text, blank ones null; and how many were FALSE and are blank.

    A whole number has no decimals (536365); any other is the shortest text that stands for it
    (731.9399999999999). From 16 digits on, of which a spreadsheet keeps 15, a whole number has an
    exponent (2.00000123456789E+15), so that it is not taken for all that was meant. A time is
    ``2010-12-01 08:26:00``, without its clock at midnight, and a time of day ``08:26:00``.
    Booleans are ``true`` and ``false``; but where a column has FALSE and never TRUE, it stands for
    a blank, as Odoo writes it.
    """
    kinds = set(map(type, cells))
    falses = 0
    if bool in kinds and not any(cell is True for cell in cells):
        falses = sum(cell is False for cell in cells)
        cells = ["" if cell is False else cell for cell in cells]
        kinds = {*kinds, str} - {bool}
    texts = pa.array([cell if type(cell) is str else None for cell in cells], pa.string())
    for kind in kinds - {str}:  # mostly a header, and one kind below it
        of_kind = [type(cell) is kind for cell in cells]
        converted = _texts_of(kind, list(compress(cells, of_kind)))
        texts = pc.replace_with_mask(texts, pa.array(of_kind), converted)
    return pc.if_else(pc.equal(texts, ""), None, texts), falses


def _texts_of(kind: type, cells: Sequence[Any]) -> pa.Array:
    """The texts of cells of one kind."""
    if kind is datetime:
        return _of_datetimes(cells)
    return pa.array(list(map(_TEXTS.get(kind, str), cells)), pa.string())


def _of_int(number: int) -> str:
    return str(number) if -_CUT_OFF < number < _CUT_OFF else f"{Decimal(number).normalize():E}"


def _of_float(number: float) -> str:
    if number.is_integer():
        return _of_int(int(number))
    text = repr(number)
    return text if "e" not in text else format(Decimal(text), "f")


def _of_datetimes(cells: Sequence[datetime]) -> pa.Array:
    """What :func:`_of_datetime` makes of each, for all of them at once where they have a date and
    no fraction of a second."""
    moments = pa.array(cells, pa.timestamp("us"))
    ticks = moments.view(pa.int64()).to_numpy()
    if ticks.min() < _FIRST_DAY or (ticks % _SECOND).any():
        return pa.array(list(map(_of_datetime, cells)), pa.string())
    texts = pc.cast(pc.cast(moments, pa.timestamp("s")), pa.string())
    days = pc.utf8_slice_codeunits(texts, 0, 10)
    return pc.if_else(pc.ends_with(texts, " 00:00:00"), days, texts)


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
    int: _of_int,
    float: _of_float,
    date: date.isoformat,
    time: _of_time,
    timedelta: _of_duration,
}
