"""Texts of times, read as the moments that they name. Nothing here knows of time zones."""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from backfill.prepare.convert.clocks import read_clocks
from backfill.prepare.convert.columns import Ints, matches, to_numpy
from backfill.prepare.convert.dates import read_dates
from backfill.prepare.convert.moments import DAY, NEVER, Figures, Moments
from backfill.settings import DateOrder

#: What bare numbers count: days since 1899-12-30, or seconds or milliseconds since 1970.
Counting: TypeAlias = Literal["excel", "seconds", "milliseconds"]
COUNTS: dict[Counting, str] = {
    "excel": r"^\d{5}(?:\.\d+)?$",
    "seconds": r"^\d{10}(?:\.\d{1,9})?$",
    "milliseconds": r"^\d{13}$",
}
_EXCEL_1970 = 25_569

#: The common shapes, whose figures stand at the same places.
ISO = r"^\d{4}[-/.]\d{2}[-/.]\d{2}(?:[ T]\d{2}:\d{2}:\d{2}(?:Z| ?[-+]\d{2}:?\d{2})?)?$"

_HALVES = r"^(?P<date>[^:]*)[T ,](?P<clock>\d{1,2}:.*)$"
_BETWEEN = r"(?:[ ,]| at| um| à| -)+$"
_WITHOUT_MARKS = r"^((?:19|20)\d{2})(\d{2})(\d{2})$"
_UNUSUAL = r"[^!-~ ]|  "
_INVISIBLE = r"[\x{200B}-\x{200F}\x{061C}\x{202A}-\x{202E}\x{2060}\x{2066}-\x{2069}\x{FEFF}]"
_SPACES = r"[\s\x{00A0}\x{2009}\x{202F}]+"
# 2021年4月9日 12時00分, and the same in Korean.
_EAST_ASIAN = (
    (r"(\d{4}) ?[年년] ?(\d{1,2}) ?[月월] ?(\d{1,2}) ?[日일] ?", r"\1-\2-\3 "),
    (r"(\d{1,2}) ?[時时시] ?(\d{1,2}) ?[分분] ?(\d{1,2}) ?[秒초]", r"\1:\2:\3"),
    (r"(\d{1,2}) ?[時时시] ?(\d{1,2}) ?[分분]", r"\1:\2"),
)
_CLOCK_FIRST = r"^(\d{1,2}:\d{2}(?::\d{2})?(?: ?[AaPp][Mm])?),? (\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4})$"
# Without a colon: times without marks, as ISO 8601's basic format has them, 9 PM, and 10h15.
_REWRITTEN = (
    (r"^((?:19|20)\d{6})(\d{6})", r"\1 \2"),
    (r"^(\d{8}[T ])(\d{2})(\d{2})(\d{2})", r"\1\2:\3:\4"),
    (r"([T ,])(\d{1,2}) ?([AaPp]\.? ?[Mm]\.?)$", r"\1\2:00 \3"),
    (r"([T ,])(\d{1,2}) ?[hH] ?(\d{2})$", r"\1\2:\3"),
)


def read_times(text: pa.StringArray, order: DateOrder, counting: Counting | None) -> Moments:
    """Each value as a moment; ``order`` is that of numbers without a four-digit year in front."""
    moments = Moments.blank(len(text))
    iso = matches(text, ISO)
    lengths = pc.binary_length(text)
    for length in lengths.filter(iso).unique().to_pylist():
        rows = pc.and_(iso, pc.fill_null(pc.equal(lengths, length), False))
        moments.put(to_numpy(rows), _read_iso(text.filter(rows), length))
    odd = pc.and_(pc.invert(iso), text.is_valid())
    if pc.any(odd, min_count=0).as_py():
        encoded = text.filter(odd).dictionary_encode()
        distinct = _read_odd(encoded.dictionary, order, counting)
        moments.put(to_numpy(odd), distinct.take(encoded.indices.to_numpy()))
    moments.read[:] &= moments.exist()
    return moments


class Halves(NamedTuple):
    """Each text cut in two; many texts share a day or a time of day."""

    dates: pa.DictionaryArray
    clocks: pa.DictionaryArray
    """Empty where there is no time of day."""


def halves(text: pa.StringArray) -> Halves:
    """The texts of the days and of the times of day."""
    if pc.any(matches(text, _UNUSUAL), min_count=0).as_py():
        text = pc.replace_substring_regex(text, _INVISIBLE, "")
        text = pc.replace_substring_regex(text, _SPACES, " ")
        for pattern, replacement in _EAST_ASIAN:
            text = pc.replace_substring_regex(text, pattern, replacement)
    text = pc.replace_substring_regex(text, _CLOCK_FIRST, r"\2 \1")
    marked = pc.match_substring(text, ":")
    if not pc.all(marked, min_count=0).as_py():
        bare = text.filter(pc.invert(marked))
        for pattern, replacement in _REWRITTEN:
            bare = pc.replace_substring_regex(bare, pattern, replacement)
        text = pc.replace_with_mask(text, pc.invert(marked), bare)
    found = pc.extract_regex(text, _HALVES)
    cut = found.is_valid()
    dates = pc.if_else(cut, found.field("date"), text).dictionary_encode()
    clocks = pc.if_else(cut, found.field("clock"), "").dictionary_encode()
    clean = pc.replace_substring_regex(dates.dictionary, _BETWEEN, "")
    clean = pc.replace_substring_regex(clean, _WITHOUT_MARKS, r"\1-\2-\3")
    return Halves(pa.DictionaryArray.from_arrays(dates.indices, clean), clocks)


def _read_iso(text: pa.StringArray, length: int) -> Moments:
    """Values of one length, straight from their bytes."""
    _, _, data = text.buffers()
    sheet = np.frombuffer(data, dtype=np.uint8)[text.offset * length :]
    sheet = sheet[: len(text) * length].reshape(-1, length)

    def two(at: int) -> Figures:
        return sheet[:, at].astype(np.int32) * 10 + sheet[:, at + 1] - 11 * ord("0")

    moments = Moments.blank(len(text))
    moments.read[:] = True
    moments.year[:] = two(0) * 100 + two(2)
    moments.month[:] = two(5)
    moments.day[:] = two(8)
    if length > len("2021-04-09"):
        moments.timed[:] = True
        moments.hour[:], moments.minute[:], moments.second[:] = two(11), two(14), two(17)
    if length > len("2021-04-09T12:00:00"):
        moments.zoned[:] = True
    if length > len("2021-04-09T12:00:00Z"):
        # The sign's place differs within one length: " +0000" and "+00:00".
        colon = sheet[:, -3] == ord(":")
        hours = np.where(colon, two(length - 5), two(length - 4))
        sign = np.where(colon, sheet[:, -6], sheet[:, -5])
        past = two(length - 2)
        minutes = hours * 60 + np.where(past < 60, past, NEVER)
        moments.offset[:] = np.where(sign == ord("-"), -minutes, minutes)
    return moments


def _read_odd(text: pa.StringArray, order: DateOrder, counting: Counting | None) -> Moments:
    """All other shapes: each distinct day and time of day once."""
    dates, clocks = halves(text)
    days = read_dates(dates.dictionary, order).take(dates.indices.to_numpy())
    times = read_clocks(clocks.dictionary).take(clocks.indices.to_numpy())
    moments = times._replace(
        read=days.read & times.read,
        now=to_numpy(pc.equal(pc.utf8_lower(text), "now")),
        year=days.year,
        month=days.month,
        day=days.day,
    )
    if counting is not None:
        bare = matches(text, COUNTS[counting])
        moments.put(to_numpy(bare), _counted(text.filter(bare), counting))
    return moments


def _counted(text: pa.StringArray, counting: Counting) -> Moments:
    """Bare numbers as days or seconds. A whole number of Excel's days is a day without a time."""
    counts = pc.cast(text, pa.float64()).to_numpy()
    moments = Moments.blank(len(text))
    moments.read[:] = True
    if counting == "excel":
        # A binary float holds our days to a microsecond, but exports cut it; Excel shows seconds.
        seconds = np.round((counts - _EXCEL_1970) * DAY).astype(np.int64)
        moments.timed[:] = counts != np.floor(counts)
    else:
        each = 1_000_000 if counting == "seconds" else 1_000
        seconds, micros = np.divmod(np.round(counts * each).astype(np.int64), 1_000_000)
        moments.timed[:] = moments.zoned[:] = True
        moments.fraction[:] = micros
        moments.digits[:] = np.where(micros > 0, 6, 0)
    days, clock = np.divmod(seconds, DAY)
    _set_day(moments, days)
    moments.hour[:], moments.minute[:] = clock // 3600, clock // 60 % 60
    moments.second[:] = clock % 60
    return moments


def _set_day(moments: Moments, days: Ints) -> None:
    """The calendar day of days since 1970-01-01."""
    civil = days.astype("datetime64[D]")
    months = civil.astype("datetime64[M]")
    moments.year[:] = months.astype(np.int64) // 12 + 1970
    moments.month[:] = months.astype(np.int64) % 12 + 1
    moments.day[:] = (civil - months).astype(np.int64) + 1
