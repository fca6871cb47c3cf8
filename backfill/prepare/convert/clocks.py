"""Texts of times of day, with or without an offset."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from backfill.prepare.convert.columns import Bools, figures, to_numpy, width
from backfill.prepare.convert.moments import NEVER, Moments
from backfill.prepare.convert.zones import ABBREVIATIONS

_CLOCK = (
    r"^(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,9}))?)?"
    r"(?: ?(?:hs?|hrs?|Uhr)\.?)?"
    r"(?: ?(?P<half>[AaPp])\.? ?[Mm]\.?)?"
    r"(?: ?(?P<zone>[A-Z]{1,4}|(?:UTC|GMT)?(?P<sign>[-+])(?P<east>\d{1,2}):?(?P<past>\d{2})?))?"
    r"(?: \([^)]*\))?$"
)
_ZONES = pa.array(list(ABBREVIATIONS))
_ZONE_MINUTES = np.array([*ABBREVIATIONS.values(), NEVER], dtype=np.int64)


def read_clocks(text: pa.StringArray) -> Moments:
    """The times of day that the texts name; an empty text is none, and read as that."""
    parts = pc.extract_regex(text, _CLOCK)
    clocks = Moments.blank(len(text))
    clocks.timed[:] = width(parts.field("hour")) > 0
    clocks.read[:] = clocks.timed | to_numpy(pc.equal(text, ""))
    _read_time(clocks, parts)
    _read_offset(clocks, parts)
    return clocks


def _read_time(clocks: Moments, parts: pa.StructArray) -> None:
    """On a clock of 24 hours, or of twice 12. ``13:45 PM`` says the same thing twice."""
    half = pc.utf8_lower(parts.field("half"))
    afternoon, forenoon = _equal(half, "p"), _equal(half, "a")
    hour = figures(parts.field("hour"))
    of_twelve = np.where((hour >= 1) & (hour <= 12), hour % 12 + 12 * afternoon, NEVER)
    twice = (afternoon & (hour > 12)) | (forenoon & (hour == 0))
    of_twelve = np.where(twice, hour, of_twelve)
    fraction = pc.utf8_slice_codeunits(parts.field("fraction"), 0, 6)
    clocks.hour[:] = np.where(afternoon | forenoon, of_twelve, hour)
    clocks.minute[:] = figures(parts.field("minute"))
    clocks.second[:] = figures(parts.field("second"))
    clocks.digits[:] = width(fraction)
    clocks.fraction[:] = figures(pc.utf8_rpad(fraction, 6, "0"))


def _read_offset(clocks: Moments, parts: pa.StructArray) -> None:
    """``Z``, ``PST``, ``+05:30``, ``GMT+2``. An unknown abbreviation makes the value bad."""
    sign, zone = parts.field("sign"), parts.field("zone")
    past = figures(parts.field("past"))
    east = figures(parts.field("east")) * 60 + np.where(past < 60, past, NEVER)
    known = pc.fill_null(pc.index_in(zone, _ZONES), -1).to_numpy()
    offset = np.where(
        width(sign) > 0, np.where(_equal(sign, "-"), -east, east), _ZONE_MINUTES[known]
    )
    clocks.zoned[:] = width(zone) > 0
    clocks.offset[:] = np.where(clocks.zoned, offset, 0)


def _equal(text: pa.StringArray, value: str) -> Bools:
    return to_numpy(pc.fill_null(pc.equal(text, value), False))
