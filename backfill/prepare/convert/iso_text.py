"""Moments written as ISO 8601, a whole column at a time."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from backfill.prepare.convert.columns import Bools, Ints
from backfill.prepare.convert.moments import Figures, Moments

_WHOLE = b"CCYY-mm-ddTHH:MM:SS+hh:ii"
_EXACT = b"CCYY-mm-ddTHH:MM:SS.112233+hh:ii"
_DATE = len(b"CCYY-mm-dd")
_CLOCK = len(b"CCYY-mm-ddTHH:MM:SS")
_FRACTION = len(b".112233")
_TWO_DIGITS = np.frombuffer(b"".join(b"%02d" % n for n in range(100)), dtype=np.uint16)


def iso_text(moments: Moments) -> pa.StringArray:
    """``2021-04-09T12:00:00.5-06:00``, ``2021-04-09`` for a day, null for what was not read."""
    rows = slice(None) if moments.read.all() else moments.read
    timed, digits = moments.timed[rows], moments.digits[rows]
    exact = bool(digits[timed].any())  # a day, or what was not read, has no fraction to show
    sheet = _filled(moments, _EXACT if exact else _WHOLE)[rows]
    if not timed.any():
        sheet = np.ascontiguousarray(sheet[:, :_DATE])
    lengths = moments.read * np.int64(sheet.shape[1])
    if exact or (timed.any() and not timed.all()):
        kept = np.ones(sheet.shape, dtype=np.bool_)
        kept[:, _DATE:] = timed[:, np.newaxis]
        if exact:
            shown = np.where(digits > 0, digits + 1, 0)[:, np.newaxis]
            kept[:, _CLOCK : _CLOCK + _FRACTION] &= np.arange(_FRACTION) < shown
        lengths[moments.read] = kept.sum(axis=1)
        sheet = sheet[kept]
    return _array(sheet, lengths, moments.read)


def _filled(moments: Moments, template: bytes) -> npt.NDArray[np.uint8]:
    """A row of bytes a moment: the template with its pairs of letters filled in."""
    away = np.abs(moments.offset)
    pairs: dict[bytes, Figures] = {
        b"CC": moments.year // 100,
        b"YY": moments.year % 100,
        b"mm": moments.month,
        b"dd": moments.day,
        b"HH": moments.hour,
        b"MM": moments.minute,
        b"SS": moments.second,
        b"hh": away // 60,
        b"ii": away % 60,
    }
    if template is _EXACT:
        pairs[b"11"] = moments.fraction // 10_000
        pairs[b"22"] = moments.fraction // 100 % 100
        pairs[b"33"] = moments.fraction % 100
    layout = np.dtype(
        {
            "names": ["all", "sign", *(letters.decode() for letters in pairs)],
            "formats": [f"S{len(template)}", "S1", *("u2" for _ in pairs)],
            "offsets": [0, template.index(b"+"), *(template.index(letters) for letters in pairs)],
        }
    )
    sheet = np.empty(len(moments.read), dtype=layout)
    sheet["all"] = template
    for letters, values in pairs.items():
        # What was not read may be out of range; it is left out later.
        sheet[letters.decode()] = _TWO_DIGITS.take(values, mode="clip")
    sheet["sign"][moments.offset < 0] = b"-"
    return sheet.view(np.uint8).reshape(len(sheet), len(template))


def _array(text: npt.NDArray[np.uint8], lengths: Ints, valid: Bools) -> pa.StringArray:
    """Bytes that follow one another as an Arrow column."""
    ends = np.concatenate(([0], np.cumsum(lengths))).astype(np.int32)
    bitmap = None if valid.all() else pa.py_buffer(np.packbits(valid, bitorder="little"))
    return pa.StringArray.from_buffers(len(lengths), pa.py_buffer(ends), pa.py_buffer(text), bitmap)
