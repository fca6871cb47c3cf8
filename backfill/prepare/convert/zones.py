"""Time zones: by any name that exports give them, and the offset that holds at a local time."""

from __future__ import annotations

import re
import tomllib
import zoneinfo
from datetime import datetime, timedelta, timezone, tzinfo
from functools import cache
from importlib.resources import files

import numpy as np

from backfill.prepare.convert.columns import Ints
from backfill.prepare.convert.moments import DAY

#: Abbreviations, to minutes east of UTC: those of RFC 5322 (4.3), and the ones that mean one
#: thing only in the IANA time zone database of our day. IST is Indian, Irish and Israeli.
ABBREVIATIONS = {
    "Z": 0, "UTC": 0, "GMT": 0, "UT": 0,
    "EST": -300, "EDT": -240, "CST": -360, "CDT": -300,
    "MST": -420, "MDT": -360, "PST": -480, "PDT": -420,
    "WET": 0, "WEST": 60, "CET": 60, "CEST": 120, "EET": 120, "EEST": 180,
    "BST": 60, "MSK": 180, "SAST": 120, "PKT": 300, "WIB": 420, "HKT": 480, "AWST": 480,
    "JST": 540, "KST": 540, "ACST": 570, "ACDT": 630, "AEST": 600, "AEDT": 660,
    "NZST": 720, "NZDT": 780, "AKST": -540, "AKDT": -480, "HST": -600,
}  # fmt: skip

_EPOCH = datetime(1970, 1, 1)
_OFFSET = re.compile(r"(?:UTC|GMT)? ?([-+])(\d{1,2}):?(\d{2})?", re.IGNORECASE)
_DISPLAYED = re.compile(r"^\((?:UTC|GMT)[^)]*\) (?=.)", re.IGNORECASE)


def find_zone(name: str) -> tzinfo | None:
    """The zone of that name: IANA's, Windows', Rails', an abbreviation or an offset; or None.

    ``(GMT-05:00) Eastern Time (US & Canada)``, as settings pages show a zone, is that zone too.
    """
    shown = _DISPLAYED.sub("", name.strip())
    if iana := _iana_names().get(shown.replace(" ", "_").casefold()):
        return zoneinfo.ZoneInfo(iana)
    standard = shown.casefold().replace(" daylight ", " standard ")
    for candidate in (standard, standard.partition(",")[0]):
        if iana := _other_names().get(candidate):
            return zoneinfo.ZoneInfo(iana)
    if (minutes := ABBREVIATIONS.get(shown.upper())) is not None:
        return timezone(timedelta(minutes=minutes))
    if found := _OFFSET.fullmatch(shown):
        sign, hours, past = found.groups()
        away = timedelta(hours=int(hours), minutes=int(past or 0))
        if away <= timedelta(hours=14):
            return timezone(-away if sign == "-" else away)
    return None


def offsets_at(local: Ints, zone: tzinfo) -> Ints:
    """Minutes east of UTC that hold in the zone at local times (seconds since 1970, as if UTC).

    A time that the clocks skipped or showed twice has the offset that held before they changed
    (``fold=0`` of PEP 495): 02:30 in the night of the spring change is what 03:30 was called.
    """
    days, place = _distinct(local // DAY)
    at_start = _offsets(days * DAY, zone)
    at_end = _offsets(days * DAY + DAY - 1, zone)
    offsets = at_start[place]
    changing = (at_start != at_end)[place]
    if changing.any():
        moments, among = np.unique(local[changing], return_inverse=True)
        offsets[changing] = _offsets(moments, zone)[among]
    return offsets


def _distinct(days: Ints) -> tuple[Ints, Ints]:
    """The distinct days, and where among them each one is. (They lie close: no need to sort.)"""
    first = days.min(initial=0)
    places = days - first
    seen = np.zeros(places.max(initial=0) + 1, dtype=np.bool_)
    seen[places] = True
    return np.flatnonzero(seen) + first, (np.cumsum(seen) - 1)[places]


def _offsets(local: Ints, zone: tzinfo) -> Ints:
    """One by one: for the days of a column, which are few, and the times of its changing days."""
    found = np.empty(len(local), dtype=np.int64)
    for at, seconds in enumerate(local.tolist()):
        offset = zone.utcoffset(_EPOCH + timedelta(seconds=seconds))
        found[at] = 0 if offset is None else offset // timedelta(minutes=1)
    return found


@cache
def _iana_names() -> dict[str, str]:
    return {name.casefold(): name for name in zoneinfo.available_timezones()}


@cache
def _other_names() -> dict[str, str]:
    text = files(__package__).joinpath("zone_names.toml").read_text(encoding="utf-8")
    tables = tomllib.loads(text).values()
    return {name.casefold(): iana for table in tables for name, iana in table.items()}
