"""Texts of calendar days, without a time of day."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from backfill.prepare.convert.columns import Bools, Ints, figures, width
from backfill.prepare.convert.moments import Moments
from backfill.prepare.convert.month_names import MONTHS
from backfill.settings import DateOrder

_NUMBERED = r"^(?P<a>\d{1,4})(?:[-/.] ?| )(?P<b>\d{1,2})(?:[-/.] ?| )(?P<c>\d{1,4})\.?$"
_WEEKDAY = r"^(?i:(?:mon|tue|tues|wed|wednes|thu|thur|thurs|fri|sat|satur|sun)(?:day)?)\.?,? "
_ORDINAL = r"(?:st|nd|rd|th|er|º|°|\.)?"
_NAMED = (
    rf"^(?P<d>\d{{1,2}}){_ORDINAL}(?: de | of |[-/. ]*)(?P<m>\p{{L}}+)\.?"
    r"(?: de | del |[-/., ]*)(?P<y>\d{4}|\d{2})$",
    rf"^(?P<m>\p{{L}}+)\.?[-/. ]*(?P<d>\d{{1,2}}){_ORDINAL}[-/., ]+(?P<y>\d{{4}}|\d{{2}})$",
    r"^(?P<y>\d{4})[-/. ]*(?P<m>\p{L}+)\.?[-/. ]*(?P<d>\d{1,2})$",
)
_TWO_SHORT = r"^(?P<y>\d{2})[-/. ]*(?P<m>\p{L}+)\.?[-/. ]*(?P<d>\d{2})$"
_MONTH_NAMES = pa.array(list(MONTHS))
_MONTH_NUMBERS = np.array([*MONTHS.values(), 0], dtype=np.int64)


def read_dates(text: pa.StringArray, order: DateOrder) -> Moments:
    """The days that the texts name, in the given order where the year is not in front."""
    days = Moments.blank(len(text))
    _read_numbered(days, three_numbers(text), order)
    named = pc.replace_substring_regex(text, _WEEKDAY, "")
    for pattern in _NAMED:
        _read_named(days, pc.extract_regex(named, pattern))
    if order == "ymd":  # 21-Apr-05, where the column proves it or the user says so
        _read_named(days, pc.extract_regex(text, _TWO_SHORT))
    return days


class ThreeNumbers(NamedTuple):
    """Days written as three numbers. Where a text is no such day, all widths are 0."""

    first: Ints
    second: Ints
    last: Ints
    first_width: Ints
    last_width: Ints

    @property
    def year_at_end(self) -> Bools:
        """The last number can be the year, and the first can't, or need not."""
        first, last = self.first_width, self.last_width
        return np.asarray((first > 0) & (first <= 2) & ((last == 2) | (last == 4)))


def three_numbers(text: pa.StringArray) -> ThreeNumbers:
    """The numbers of each day that is written so."""
    parts = pc.extract_regex(text, _NUMBERED)
    a, b, c = (parts.field(name) for name in "abc")
    return ThreeNumbers(figures(a), figures(b), figures(c), width(a), width(c))


def two_short_numbers(text: pa.StringArray) -> tuple[Ints, Ints]:
    """The two numbers of days such as ``05-Apr-21``, of which either can be the year; else -1."""
    parts = pc.extract_regex(text, _TWO_SHORT)
    named = _months(parts) > 0
    first, last = (np.where(named, figures(parts.field(name)), -1) for name in ("y", "d"))
    return first, last


def _read_numbered(days: Moments, date: ThreeNumbers, order: DateOrder) -> None:
    """``2021/4/9``, ``4/9/21``, ``09.04.2021``."""
    year_first = (date.first_width == 4) & (date.last_width <= 2)
    if order == "ymd":
        year_first |= (date.first_width == 2) & (date.last_width <= 2)
    year = _full_year(date.first, date.first_width)
    _set(days, year_first, year, date.second, date.last)
    year = _full_year(date.last, date.last_width)
    if order == "mdy":
        _set(days, date.year_at_end, year, date.first, date.second)
    elif order == "dmy":
        _set(days, date.year_at_end, year, date.second, date.first)


def _read_named(days: Moments, parts: pa.StructArray) -> None:
    """``Oct-05-26``, ``05-oct.-26``, ``26 de abril de 2021``."""
    month = _months(parts)
    year = _full_year(figures(parts.field("y")), width(parts.field("y")))
    _set(days, month > 0, year, month, figures(parts.field("d")))


def _months(parts: pa.StructArray) -> Ints:
    """The month that is named; 0 where there is none."""
    names = pc.index_in(pc.utf8_lower(parts.field("m")), _MONTH_NAMES)
    months: Ints = _MONTH_NUMBERS[pc.fill_null(names, -1).to_numpy()]
    return months


def _set(days: Moments, rows: Bools, year: Ints, month: Ints, day: Ints) -> None:
    days.year[rows] = year[rows]
    days.month[rows] = month[rows]
    days.day[rows] = day[rows]
    days.read[rows] = True


def _full_year(year: Ints, digits: Ints) -> Ints:
    """Two digits are 1969 to 2068, as POSIX has it (strptime, %y)."""
    century = np.where(year <= 68, 2000, 1900)
    return np.where(digits == 2, year + century, year)
