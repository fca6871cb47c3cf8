"""Points in time as columns of figures: what a text of a time says, before it is written anew."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple, Self, TypeAlias

import numpy as np
import numpy.typing as npt

from backfill.prepare.convert.columns import Bools, Ints

Figures: TypeAlias = npt.NDArray[np.int32]

DAY = 86_400
"""Seconds of a day."""
NEVER = 6_000
"""An hour, a month, minutes of an offset: out of the range of each."""

_FIRST_YEAR, _LAST_YEAR = 1000, 9999
#: The first day of each month of those years (and of the one after) in days since 1970-01-01.
_MONTHS = np.arange(f"{_FIRST_YEAR}-01", f"{_LAST_YEAR + 1}-02", dtype="datetime64[M]")
_FIRSTS = _MONTHS.astype("datetime64[D]").astype(np.int64)


class Moments(NamedTuple):
    """A column of moments; each part is a numpy array as long as the column."""

    read: Bools
    """The text is a time; all else holds only where this is true."""
    now: Bools
    """The text is the word ``now`` (and not ``read``)."""
    timed: Bools
    """Has a time of day; else it is a day."""
    zoned: Bools
    """Has an offset of its own."""
    year: Figures
    month: Figures
    day: Figures
    hour: Figures
    minute: Figures
    second: Figures
    fraction: Figures
    """Of the second, in millionths."""
    digits: Figures
    """How many digits the fraction was written with, at most 6."""
    offset: Figures
    """Minutes east of UTC."""

    @classmethod
    def blank(cls, length: int) -> Self:
        """Moments of which none is read."""
        kinds: list[Any] = [np.bool_] * 4 + [np.int32] * 9
        return cls(*(np.zeros(length, dtype=kind) for kind in kinds))

    def take(self, index: Ints) -> Moments:
        """The moments at those places."""
        parts: Iterable[Any] = (part[index] for part in self)
        return Moments(*parts)

    def put(self, rows: Bools, moments: Moments) -> None:
        """Set those rows to other moments."""
        for part, values in zip(self, moments, strict=True):
            part[rows] = values

    def exist(self) -> Bools:
        """Whether there is such a day, such a time of day and such an offset."""
        in_year = (self.year >= _FIRST_YEAR) & (self.year <= _LAST_YEAR)
        in_year &= (self.month >= 1) & (self.month <= 12)
        month = self._months(in_year)
        in_month = (self.day >= 1) & (self.day <= _FIRSTS[month + 1] - _FIRSTS[month])
        in_day = (self.hour < 24) & (self.minute < 60) & (self.second < 60)
        return np.asarray(in_year & in_month & in_day & (np.abs(self.offset) <= 14 * 60))

    def local(self) -> Ints:
        """Seconds since 1970-01-01 00:00 as the wall clock shows them; of what is read."""
        days = _FIRSTS[self._months(self.read)] + self.day - 1
        clock = (self.hour * 60 + self.minute) * 60 + self.second
        return np.asarray(days * DAY + clock, dtype=np.int64)

    def _months(self, rows: Bools) -> Ints:
        """Places in the table of months; the first where there is none."""
        months = (self.year - _FIRST_YEAR) * 12 + self.month - 1
        return np.where(rows, months, 0)
