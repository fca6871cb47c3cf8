"""Texts of times, read as what they say: a calendar day, a time of day, an offset, or parts of it.

A column of moments is a numpy array of ``MOMENT`` records. Nothing here knows of time zones.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from backfill.prepare.convert.columns import Bools, Ints, matches, to_numpy
from backfill.prepare.convert.month_names import MONTHS
from backfill.prepare.convert.zones import ABBREVIATIONS
from backfill.settings import DateOrder

MOMENT = np.dtype(
    [
        ("read", np.bool_),  # the text is a time, and all else here is filled
        ("now", np.bool_),  # the text is the word "now"
        ("year", np.int32),
        ("month", np.int32),
        ("day", np.int32),
        ("timed", np.bool_),  # has a time of day, else it is a day
        ("hour", np.int32),
        ("minute", np.int32),
        ("second", np.int32),
        ("fraction", np.int32),  # of the second, in millionths
        ("digits", np.int32),  # of the fraction, as many as were written, at most 6
        ("zoned", np.bool_),  # has an offset
        ("offset", np.int32),  # minutes east of UTC
    ]
)
Moments: TypeAlias = npt.NDArray[np.void]
#: What bare numbers count: days since 1899-12-30, or seconds or milliseconds since 1970.
Counting: TypeAlias = Literal["excel", "seconds", "milliseconds"]

ISO = r"^\d{4}[-/.]\d{2}[-/.]\d{2}(?:[ T]\d{2}:\d{2}:\d{2}(?:Z| ?[-+]\d{2}:?\d{2})?)?$"
COUNTS: dict[Counting, str] = {
    "excel": r"^\d{5}(?:\.\d+)?$",
    "seconds": r"^\d{10}(?:\.\d+)?$",
    "milliseconds": r"^\d{13}$",
}

_WEEKDAY = r"(?i:(?:mon|tue|tues|wed|wednes|thu|thur|thurs|fri|sat|satur|sun)(?:day)?)"
_TIMED = (
    rf"^(?:{_WEEKDAY}\.?,? )?(?P<date>.*?)"
    r"(?:(?:T|,? (?:at |um |- )?|,)"
    r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,9}))?)?"
    r"(?: ?(?P<half>[AaPp])\.? ?[Mm]\.?)?"
    r"(?: ?(?P<zone>[A-Z]{1,4}|(?:UTC|GMT)?(?P<sign>[-+])(?P<east>\d{1,2}):?(?P<past>\d{2})?))?"
    r"(?: \([^)]*\))?)?$"
)
_NUMBERED = r"^(?P<a>\d{1,4})(?:[-/.] ?| )(?P<b>\d{1,2})(?:[-/.] ?| )(?P<c>\d{1,4})\.?$"
_ORDINAL = r"(?:st|nd|rd|th|er|º|°|\.)?"
_NAMED = (
    rf"^(?P<d>\d{{1,2}}){_ORDINAL}(?: de | of |[-/. ]*)(?P<m>\p{{L}}+)\.?"
    r"(?: de | del |[-/., ]*)(?P<y>\d{4}|\d{2})$",
    rf"^(?P<m>\p{{L}}+)\.?[-/. ]*(?P<d>\d{{1,2}}){_ORDINAL}[-/., ]+(?P<y>\d{{4}}|\d{{2}})$",
    r"^(?P<y>\d{4})[-/. ]*(?P<m>\p{L}+)\.?[-/. ]*(?P<d>\d{1,2})$",
)

# Typographic spaces; days and times without marks, as ISO 8601's basic format has them; 9 PM.
_REWRITTEN = (
    (r"[\s\x{00A0}\x{2009}\x{202F}]+", " "),
    (r"^((?:19|20)\d{6})(\d{6})", r"\1 \2"),
    (r"^(\d{8}[T ])(\d{2})(\d{2})(\d{2})", r"\1\2:\3:\4"),
    (r"^((?:19|20)\d{2})(\d{2})(\d{2})([T ]|$)", r"\1-\2-\3\4"),
    (r"([T ,])(\d{1,2}) ?([AaPp]\.? ?[Mm]\.?)$", r"\1\2:00 \3"),
)

_DAY = 86_400
_EXCEL_EPOCH = 25_569
"""1970-01-01 in Excel's count of days."""
_NEVER = 6_000
"""An hour, or minutes of an offset, that there can't be."""

_MONTH_NAMES = pa.array(list(MONTHS))
_MONTH_NUMBERS = np.array([*MONTHS.values(), 0], dtype=np.int64)
_ZONES = pa.array(list(ABBREVIATIONS))
_ZONE_MINUTES = np.array([*ABBREVIATIONS.values(), _NEVER], dtype=np.int64)
_DAYS_OF_MONTH = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31], dtype=np.int32)


def read(text: pa.StringArray, order: DateOrder, counting: Counting | None) -> Moments:
    """Each value as a moment; ``read`` is false where there is none in it."""
    moments = np.zeros(len(text), dtype=MOMENT)
    iso = to_numpy(matches(text, ISO))
    if iso.any():
        moments[iso] = _read_iso(text, iso)
    odd = ~iso & to_numpy(text.is_valid())
    if odd.any():
        encoded = text.filter(pa.array(odd)).dictionary_encode()
        distinct = _read_odd(encoded.dictionary, order, counting)
        moments[odd] = distinct[encoded.indices.to_numpy()]
    moments["read"] &= _exists(moments)
    return moments


def days_of(moments: Moments) -> Ints:
    """The calendar days as days since 1970-01-01."""
    months = (moments["year"].astype(np.int64) - 1970) * 12 + moments["month"] - 1
    firsts = months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    return np.asarray(firsts + moments["day"] - 1, dtype=np.int64)


def seconds_of(moments: Moments) -> Ints:
    """The times of day in seconds, 0 for a day."""
    hours = moments["hour"].astype(np.int64)
    return np.asarray((hours * 60 + moments["minute"]) * 60 + moments["second"], dtype=np.int64)


class Numbered(NamedTuple):
    """Days that are written as three numbers, of which the first is no four-digit year."""

    is_one: Bools
    first: Ints
    second: Ints
    last: Ints
    short: Bools
    """The year has two digits."""


def numbered(text: pa.StringArray) -> Numbered:
    """The three numbers of each day that is written so, for the evidence of their order."""
    parts = pc.extract_regex(_split(text).field("date"), _NUMBERED)
    widths = [_width(parts, name) for name in "abc"]
    a, b, c = (_int(parts, name) for name in "abc")
    is_one = (widths[0] <= 2) & (widths[0] > 0) & ((widths[2] == 2) | (widths[2] == 4))
    return Numbered(is_one, a, b, c, widths[2] == 2)


def _exists(moments: Moments) -> Bools:
    """Whether there is such a day and such a time of day."""
    year, month, day = moments["year"], moments["month"], moments["day"]
    in_year = (year >= 1000) & (month >= 1) & (month <= 12)
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    last = _DAYS_OF_MONTH[np.where(in_year, month, 0)] + (leap & (month == 2))
    in_day = (moments["hour"] < 24) & (moments["minute"] < 60) & (moments["second"] < 60)
    offset = np.abs(moments["offset"]) <= 14 * 60
    return np.asarray(in_year & (day >= 1) & (day <= last) & in_day & offset, dtype=np.bool_)


def _read_iso(text: pa.StringArray, iso: Bools) -> Moments:
    """The common shapes, straight from the bytes: every figure stands at a known place."""
    _, ends, data = text.buffers()
    offsets = np.frombuffer(ends, dtype=np.int32)[text.offset : text.offset + len(text) + 1]
    figures = np.frombuffer(data, dtype=np.uint8)

    def two(at: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
        return figures[at].astype(np.int32) * 10 + figures[at + 1] - 11 * ord("0")

    start, end = offsets[:-1][iso], offsets[1:][iso]
    moments = np.zeros(len(start), dtype=MOMENT)
    moments["read"] = True
    moments["year"] = two(start) * 100 + two(start + 2)
    moments["month"] = two(start + 5)
    moments["day"] = two(start + 8)

    timed = end - start > len("2021-04-09")
    moments["timed"] = timed
    at = start[timed]
    for name, place in (("hour", 11), ("minute", 14), ("second", 17)):
        moments[name][timed] = two(at + place)

    zoned = end - start > len("2021-04-09T12:00:00")
    moments["zoned"] = zoned
    away = zoned & (figures[end - 1] != ord("Z"))
    end = end[away]
    sign = end - np.where(figures[end - 3] == ord(":"), len("+00:00"), len("+0000"))
    past = two(end - 2)
    minutes = two(sign + 1) * 60 + np.where(past < 60, past, _NEVER)
    moments["offset"][away] = np.where(figures[sign] == ord("-"), -minutes, minutes)
    return moments


def _read_odd(text: pa.StringArray, order: DateOrder, counting: Counting | None) -> Moments:
    """All other shapes, of distinct values."""
    moments = np.zeros(len(text), dtype=MOMENT)
    moments["now"] = to_numpy(pc.equal(pc.utf8_lower(text), "now"))
    parts = _split(text)
    _read_numbered(moments, parts.field("date"), order)
    _read_named(moments, parts.field("date"))
    _read_clock(moments, parts)
    _read_offset(moments, parts)
    if counting is not None:
        _count(moments, text, counting)
    return moments


def _split(text: pa.StringArray) -> pa.StructArray:
    """The date of each value, and the parts of its time of day."""
    for pattern, replacement in _REWRITTEN:
        text = pc.replace_substring_regex(text, pattern, replacement)
    return pc.extract_regex(text, _TIMED)


def _read_numbered(moments: Moments, date: pa.StringArray, order: DateOrder) -> None:
    """``2021/4/9``, ``4/9/21``, ``09.04.2021``: in the settled order unless a year is in front."""
    parts = pc.extract_regex(date, _NUMBERED)
    first, second, last = (_int(parts, name) for name in "abc")
    first_width, last_width = _width(parts, "a"), _width(parts, "c")
    year_first = (first_width == 4) & (last_width <= 2)
    if order == "ymd":
        year_first |= (first_width == 2) & (last_width <= 2)
    year_last = np.isin(last_width, (2, 4)) & (first_width <= 2) & (first_width > 0)
    _set_day(moments, year_first, _full_year(first, first_width), second, last)
    if order == "mdy":
        _set_day(moments, year_last, _full_year(last, last_width), first, second)
    elif order == "dmy":
        _set_day(moments, year_last, _full_year(last, last_width), second, first)


def _read_named(moments: Moments, date: pa.StringArray) -> None:
    """``Oct-05-26``, ``05-oct.-26``, ``26 de abril de 2021``. A short year stands at the end."""
    for pattern in _NAMED:
        parts = pc.extract_regex(date, pattern)
        names = pc.index_in(pc.utf8_lower(parts.field("m")), _MONTH_NAMES)
        month = _MONTH_NUMBERS[pc.fill_null(names, -1).to_numpy()]
        year = _full_year(_int(parts, "y"), _width(parts, "y"))
        _set_day(moments, month > 0, year, month, _int(parts, "d"))


def _set_day(moments: Moments, rows: Bools, year: Ints, month: Ints, day: Ints) -> None:
    for name, values in (("year", year), ("month", month), ("day", day)):
        moments[name][rows] = values[rows]
    moments["read"][rows] = True


def _full_year(year: Ints, width: Ints) -> Ints:
    """Two digits are 1969 to 2068, as POSIX has it (strptime, %y)."""
    century = np.where(year <= 68, 2000, 1900)
    return np.asarray(np.where(width == 2, year + century, year), dtype=np.int64)


def _read_clock(moments: Moments, parts: pa.StructArray) -> None:
    """The time of day, on a clock of 24 hours or of twice 12."""
    half = pc.utf8_lower(parts.field("half"))
    afternoon, forenoon = (to_numpy(pc.fill_null(pc.equal(half, each), False)) for each in "pa")
    hour = _int(parts, "hour")
    of_twelve = np.where((hour >= 1) & (hour <= 12), hour % 12 + 12 * afternoon, _NEVER)
    fraction = pc.utf8_slice_codeunits(parts.field("fraction"), 0, 6)
    moments["timed"] = _width(parts, "hour") > 0
    moments["hour"] = np.where(afternoon | forenoon, of_twelve, hour)
    moments["minute"] = _int(parts, "minute")
    moments["second"] = _int(parts, "second")
    moments["digits"] = _width_of(fraction)
    moments["fraction"] = _int_of(pc.utf8_rpad(fraction, 6, "0"))


def _read_offset(moments: Moments, parts: pa.StructArray) -> None:
    """``Z``, ``PST``, ``+05:30``, ``GMT+2``. An unknown abbreviation makes the value bad."""
    sign = parts.field("sign")
    numbered = _width_of(sign) > 0
    past = _int(parts, "past")
    away = _int(parts, "east") * 60 + np.where(past < 60, past, _NEVER)
    away = np.where(to_numpy(pc.fill_null(pc.equal(sign, "-"), False)), -away, away)
    known = pc.fill_null(pc.index_in(parts.field("zone"), _ZONES), -1).to_numpy()
    named = (_width(parts, "zone") > 0) & ~numbered
    moments["zoned"] = numbered | named
    moments["offset"] = np.where(numbered, away, np.where(named, _ZONE_MINUTES[known], 0))


def _count(moments: Moments, text: pa.StringArray, counting: Counting) -> None:
    """Bare numbers as days or seconds. A whole number of Excel's days is a day without a time."""
    rows = to_numpy(matches(text, COUNTS[counting]))
    counts = pc.cast(text.filter(pa.array(rows)), pa.float64()).to_numpy()
    if counting == "excel":
        # A binary float holds a moment of our days to a microsecond; Excel shows seconds.
        seconds = np.round((counts - _EXCEL_EPOCH) * _DAY).astype(np.int64)
        whole = counts == np.floor(counts)
        micros = np.zeros_like(seconds)
    else:
        micros_each = 1_000_000 if counting == "seconds" else 1_000
        seconds, micros = np.divmod(np.round(counts * micros_each).astype(np.int64), 1_000_000)
        whole = np.zeros(len(counts), dtype=np.bool_)
    days, clock = np.divmod(seconds, _DAY)
    civil = days.astype("datetime64[D]")
    months = civil.astype("datetime64[M]")
    counted = np.zeros(len(counts), dtype=MOMENT)
    counted["read"] = True
    counted["year"] = months.astype(np.int64) // 12 + 1970
    counted["month"] = months.astype(np.int64) % 12 + 1
    counted["day"] = (civil - months).astype(np.int64) + 1
    counted["timed"] = ~whole
    counted["hour"], counted["minute"], counted["second"] = (
        clock // 3600,
        clock // 60 % 60,
        clock % 60,
    )
    counted["fraction"] = micros
    counted["digits"] = np.where(micros > 0, 6, 0)
    counted["zoned"] = counting != "excel"
    moments[rows] = counted


def _int(parts: pa.StructArray, name: str) -> Ints:
    return _int_of(parts.field(name))


def _int_of(figures: pa.StringArray) -> Ints:
    """Figures as a number, 0 where there are none."""
    written = pc.if_else(pc.equal(figures, ""), "0", figures)
    return np.asarray(pc.fill_null(pc.cast(written, pa.int64()), 0).to_numpy())


def _width(parts: pa.StructArray, name: str) -> Ints:
    return _width_of(parts.field(name))


def _width_of(text: pa.StringArray) -> Ints:
    return np.asarray(pc.fill_null(pc.utf8_length(text), 0).to_numpy()).astype(np.int64)
