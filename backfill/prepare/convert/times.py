"""Times, in any way that exports write them, to ISO 8601 with the offset that holds there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import NamedTuple, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from backfill.errors import UsageError
from backfill.prepare.convert.columns import (
    Bools,
    Ints,
    Text,
    as_text,
    first_of,
    matches,
    to_numpy,
)
from backfill.prepare.convert.dates import three_numbers, two_short_numbers
from backfill.prepare.convert.iso_text import iso_text
from backfill.prepare.convert.moments import Moments
from backfill.prepare.convert.time_texts import COUNTS, ISO, Counting, halves, read_times
from backfill.prepare.convert.zones import find_zone, offsets_at
from backfill.settings import DateOrder

_ORDERS: frozenset[DateOrder] = frozenset(get_args(DateOrder))


@dataclass(frozen=True, slots=True)
class TimeStyle:
    """How a column of times is to be read where a value alone could be read two ways."""

    order: DateOrder = "mdy"
    """Of ``04/05/21``. A four-digit year in front is always followed by month and day."""
    counting: Counting | None = None
    """What bare numbers count; None: they are no times."""
    ambiguous: bool = False
    """Nothing settles the order, or it is used both ways, and values need it."""
    conflicting: bool = False
    """Values of the column prove different orders; those against ``order`` are bad."""
    example: str | None = None
    """A value that needs the order settled, where there is one."""
    zone: str | None = None
    """The zone that the column's header names."""


@dataclass(frozen=True, slots=True)
class TimeEvidence:
    """What a column of times shows: how many (distinct) values prove an order, and examples.

    Parts of a column are surveyed one by one and joined with ``|``.
    """

    month_first: int = 0
    day_first: int = 0
    year_first: int = 0
    possible: frozenset[DateOrder] = _ORDERS
    """The orders in which every value is a day that there is."""
    undecided: str | None = None
    """A value such as 04/05/21, which is another day in another order."""
    undecided_year: str | None = None
    """A value such as 05-Apr-21, whose year may stand at either end."""
    excel: str | None = None
    seconds: str | None = None
    milliseconds: str | None = None
    written: str | None = None
    """A value that is no bare number."""

    def __or__(self, other: TimeEvidence) -> TimeEvidence:
        return TimeEvidence(
            self.month_first + other.month_first,
            self.day_first + other.day_first,
            self.year_first + other.year_first,
            self.possible & other.possible,
            self.undecided or other.undecided,
            self.undecided_year or other.undecided_year,
            self.excel or other.excel,
            self.seconds or other.seconds,
            self.milliseconds or other.milliseconds,
            self.written or other.written,
        )

    @property
    def proven(self) -> list[DateOrder]:
        """The orders that values prove, the one with the most proof first.

        A value proves an order that it can only be read in; together values prove the only order
        that none of them rules out.
        """
        proofs: dict[DateOrder, int] = {
            "mdy": self.month_first,
            "dmy": self.day_first,
            "ymd": self.year_first,
        }
        found = sorted((order for order in proofs if proofs[order]), key=lambda each: -proofs[each])
        return found or (list(self.possible) if len(self.possible) == 1 else [])

    @property
    def open(self) -> list[DateOrder]:
        """The orders that can be meant, of those that differ: with the name of the month in every
        value only the place of the year is open.
        """
        differing: tuple[DateOrder, ...] = get_args(DateOrder)
        if self.undecided is None and self.undecided_year is not None:
            differing = ("dmy", "ymd")
        return [order for order in differing if order in self.possible]

    def settle(self, date_order: DateOrder | None) -> TimeStyle:
        """The way to read the column: in the order that the user gives, else in the proven one.

        Where orders conflict, the one with more proof is taken; where nothing proves one, month
        before day. Either way the style says so. Bare numbers are times only where the whole
        column is numbers of one kind.
        """
        proven = self.proven
        kinds: dict[Counting, str | None] = {
            "excel": self.excel,
            "seconds": self.seconds,
            "milliseconds": self.milliseconds,
        }
        counting = [kind for kind, example in kinds.items() if example is not None]
        open_year = self.undecided_year is not None and len(self.possible) > 1
        open_year &= "ymd" in self.possible and not proven
        undecided = self.undecided is not None and len(proven) != 1
        return TimeStyle(
            order=date_order or (proven[0] if proven else "mdy"),
            counting=counting[0] if len(counting) == 1 and self.written is None else None,
            ambiguous=date_order is None and (undecided or open_year),
            conflicting=len(proven) > 1,
            example=self.undecided or (self.undecided_year if open_year else None),
        )


class Times(NamedTuple):
    """A column of times that was text. All are as long as the text was."""

    values: pa.StringArray
    """``2021-04-09T12:00:00-06:00``, or ``2021-04-09`` where there is no time of day."""
    bad: pa.BooleanArray
    """Text was there and could not be read."""
    naive: pa.BooleanArray
    """Had neither offset nor zone, and was placed in the time zone of the import."""
    instant: pa.TimestampArray
    """timestamp[s, UTC], for comparisons; midnight UTC for a day."""
    is_now: pa.BooleanArray
    """The word ``now``; its value is null."""

    @classmethod
    def blank(cls, count: int) -> Times:
        """A column without any text."""
        no = pa.repeat(False, count)
        instants = pa.nulls(count, pa.timestamp("s", "UTC"))
        return cls(pa.nulls(count, pa.string()), bad=no, naive=no, instant=instants, is_now=no)


def survey_times(text: Text) -> TimeEvidence:
    """What (a part of) a column shows of its order of day and month."""
    column = as_text(text)
    iso = matches(column, ISO)
    plain = TimeEvidence(written=first_of(column, iso))
    odd = column.filter(pc.invert(iso)).drop_null().unique()
    odd = odd.filter(pc.not_equal(pc.utf8_lower(odd), "now"))
    if len(odd) == 0:
        return plain
    counts = {kind: matches(odd, pattern) for kind, pattern in COUNTS.items()}
    bare = pc.or_(pc.or_(counts["excel"], counts["seconds"]), counts["milliseconds"])
    fits, undecided, open_year = _orders(odd)
    readings = np.add.reduce(list(fits.values()))
    alone = {order: int((rows & (readings == 1)).sum()) for order, rows in fits.items()}
    dated = readings > 0
    return plain | TimeEvidence(
        month_first=alone["mdy"],
        day_first=alone["dmy"],
        year_first=alone["ymd"],
        possible=frozenset(order for order, rows in fits.items() if rows[dated].all()),
        undecided=first_of(odd, pa.array(undecided)),
        undecided_year=first_of(odd, pa.array(open_year)),
        excel=first_of(odd, counts["excel"]),
        seconds=first_of(odd, counts["seconds"]),
        milliseconds=first_of(odd, counts["milliseconds"]),
        written=first_of(odd, pc.invert(bare)),
    )


def times(
    text: Text, style: TimeStyle, timezone: str | None = None, zones: Text | None = None
) -> Times:
    """Read each time, place it where it has no offset, and write it as Shout takes it.

    A time without an offset is placed in the zone that ``zones`` names for its row (IANA, Windows
    and Rails names, abbreviations, offsets), else in that of the style, else in ``timezone``
    (None: UTC). A local time that
    the clocks skipped or showed twice has the offset that held before they changed. Fractions of
    seconds are kept, to 6 digits. Raises UsageError where ``timezone`` is no zone.
    """
    column = as_text(text)
    moments = read_times(column, style.order, style.counting)
    local = moments.local()
    named = None if zones is None else as_text(zones)
    naive = _place(moments, local, _zone(style.zone or timezone), named)
    if style.zone is not None:
        naive[:] = False
    at_utc = local - moments.offset * 60
    return Times(
        values=iso_text(moments),
        bad=pa.array(to_numpy(column.is_valid()) & ~moments.read & ~moments.now),
        naive=pa.array(naive),
        instant=pa.array(at_utc, pa.int64(), mask=~moments.read).cast(pa.timestamp("s", "UTC")),
        is_now=pa.array(moments.now),
    )


def _orders(text: pa.StringArray) -> tuple[dict[DateOrder, Bools], Bools, Bools]:
    """In which orders each value is a day that there is, and which are other days in others.

    A year of two digits may stand at either end; one that lies ahead is no year of an order. Of a
    date with the name of its month, which fits month first and day first alike, only that is open:
    such values come last.
    """
    dates = halves(text).dates
    date = three_numbers(dates.dictionary)
    first, second, last = date.first, date.second, date.last

    def is_month(number: Ints) -> Bools:
        return (number >= 1) & (number <= 12)

    def is_day(number: Ints) -> Bools:
        return (number >= 1) & (number <= 31)

    def is_year(number: Ints) -> Bools:
        return (number <= datetime.now(UTC).year % 100) | (number > 31)

    at_end = date.year_at_end & ((date.last_width == 4) | is_year(last))
    in_front = (date.first_width == 2) & (date.last_width <= 2) & is_year(first)
    fits: dict[DateOrder, Bools] = {
        "mdy": at_end & is_month(first) & is_day(second),
        "dmy": at_end & is_day(first) & is_month(second),
        "ymd": in_front & is_month(second) & is_day(last),
    }
    either = fits["mdy"] & fits["dmy"] & (first != second)
    either |= fits["ymd"] & (fits["mdy"] | fits["dmy"]) & (first != last)
    one, other = two_short_numbers(dates.dictionary)
    year_last, year_in_front = is_day(one) & is_year(other), is_year(one) & is_day(other)
    fits = {
        "mdy": fits["mdy"] | year_last,
        "dmy": fits["dmy"] | year_last,
        "ymd": fits["ymd"] | year_in_front,
    }
    open_year = year_last & year_in_front & (one != other)
    index = dates.indices.to_numpy()
    return {order: rows[index] for order, rows in fits.items()}, either[index], open_year[index]


def _zone(timezone: str | None) -> tzinfo:
    if timezone is None:
        return UTC
    zone = find_zone(timezone)
    if zone is None:
        raise UsageError(
            f"'{timezone}' is not a time zone",
            hint="give --timezone a name such as America/Denver or Europe/Berlin",
        )
    return zone


def _place(moments: Moments, local: Ints, home: tzinfo, zones: pa.StringArray | None) -> Bools:
    """Give each time of day an offset; which of them had to be placed at home."""
    unplaced = moments.read & moments.timed & ~moments.zoned
    if zones is not None and unplaced.any():
        for zone, rows in _by_zone(zones, unplaced):
            moments.offset[rows] = offsets_at(local[rows], zone)
            unplaced[rows] = False
    if unplaced.any():
        moments.offset[unplaced] = offsets_at(local[unplaced], home)
    return unplaced


def _by_zone(zones: pa.StringArray, unplaced: Bools) -> Iterator[tuple[tzinfo, Ints]]:
    """The rows of each zone that is known by its name."""
    encoded = zones.dictionary_encode()
    codes = pc.fill_null(encoded.indices, -1).to_numpy()
    for code, name in enumerate(encoded.dictionary.to_pylist()):
        zone = find_zone(name)
        if zone is not None:
            yield zone, np.flatnonzero(unplaced & (codes == code))
