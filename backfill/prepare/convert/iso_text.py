"""Moments written as ISO 8601, a whole column at a time."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from backfill.prepare.convert.columns import Bools, Ints
from backfill.prepare.convert.moments import Moments

_TEMPLATE = b"YYYY-mm-ddTHH:MM:SS.ffffff+hh:mm"
_DATE, _CLOCK, _FRACTION, _OFFSET = slice(0, 10), slice(10, 19), slice(19, 26), slice(26, 32)


def iso_text(moments: Moments) -> pa.StringArray:
    """``2021-04-09T12:00:00.5-06:00``, ``2021-04-09`` for a day, null for what was not read."""
    sheet = _filled(moments)
    is_read, timed = moments["read"], moments["read"] & moments["timed"]
    if timed.all() and not moments["digits"].any():
        text = np.ascontiguousarray(np.delete(sheet, np.r_[_FRACTION], axis=1))
        return _array(text, np.full(len(text), text.shape[1], dtype=np.int64), is_read)
    kept = np.zeros(sheet.shape, dtype=np.bool_)
    kept[:, _DATE] = is_read[:, np.newaxis]
    kept[:, _CLOCK] = timed[:, np.newaxis]
    kept[:, _OFFSET] = timed[:, np.newaxis]
    digits = np.where(timed, moments["digits"], 0)[:, np.newaxis]
    kept[:, _FRACTION] = (np.arange(7) <= digits) & (digits > 0)
    return _array(sheet[kept], kept.sum(axis=1), is_read)


def _filled(moments: Moments) -> npt.NDArray[np.uint8]:
    """A row of bytes a moment, as the template, with every part filled in."""
    sheet = np.empty((len(moments), len(_TEMPLATE)), dtype=np.uint8)
    sheet[:] = np.frombuffer(_TEMPLATE, dtype=np.uint8)
    year, away = moments["year"], np.abs(moments["offset"])
    fraction = moments["fraction"]
    for place, values in (
        (0, year // 100), (2, year % 100), (5, moments["month"]), (8, moments["day"]),
        (11, moments["hour"]), (14, moments["minute"]), (17, moments["second"]),
        (20, fraction // 10_000), (22, fraction // 100 % 100), (24, fraction % 100),
        (27, away // 60), (30, away % 60),
    ):  # fmt: skip
        sheet[:, place] = values // 10 + ord("0")
        sheet[:, place + 1] = values % 10 + ord("0")
    sheet[moments["offset"] < 0, 26] = ord("-")
    return sheet


def _array(text: npt.NDArray[np.uint8], lengths: Ints, valid: Bools) -> pa.StringArray:
    """Bytes that follow one another as an Arrow column."""
    ends = np.concatenate(([0], np.cumsum(lengths))).astype(np.int32)
    bitmap = None if valid.all() else pa.py_buffer(np.packbits(valid, bitorder="little"))
    return pa.StringArray.from_buffers(len(lengths), pa.py_buffer(ends), pa.py_buffer(text), bitmap)
