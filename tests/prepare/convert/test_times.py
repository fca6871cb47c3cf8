"""Times, as exports write them, to ISO 8601 with an offset."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from backfill.errors import UsageError
from backfill.prepare.convert import TimeEvidence, Times, TimeStyle, survey_times, times
from backfill.settings import DateOrder

MDY, DMY, YMD = TimeStyle("mdy"), TimeStyle("dmy"), TimeStyle("ymd")


def column(*texts: str | None) -> pa.StringArray:
    return pa.array(texts, pa.string())


def read(text: str, style: TimeStyle = MDY, timezone: str | None = None) -> str | None:
    value: str | None = times(column(text), style, timezone).values[0].as_py()
    return value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2025-12-06 10:37:33 -0500", "2025-12-06T10:37:33-05:00"),
        ("2026-04-26 21:32:57", "2026-04-26T21:32:57+00:00"),
        ("2009-01-01T10:50:49-08:00", "2009-01-01T10:50:49-08:00"),
        ("2023-09-08T17:33:13+0000", "2023-09-08T17:33:13+00:00"),
        ("2023-09-08T17:33:13Z", "2023-09-08T17:33:13+00:00"),
        ("2023-09-08 17:33:13 +0530", "2023-09-08T17:33:13+05:30"),
        ("2023-09-08 17:33:13 UTC", "2023-09-08T17:33:13+00:00"),
        ("2021-04-09T12:00:00.123456-06:00", "2021-04-09T12:00:00.123456-06:00"),
        ("2021-04-09T12:00:00.1Z", "2021-04-09T12:00:00.1+00:00"),
        ("2021-04-09T12:00:00.000Z", "2021-04-09T12:00:00.000+00:00"),
        ("2021-04-09T12:00:00.499999Z", "2021-04-09T12:00:00.499999+00:00"),
        ("2021-04-09T12:00:00.009900Z", "2021-04-09T12:00:00.009900+00:00"),
        ("2021-04-09 12:00:00,25", "2021-04-09T12:00:00.25+00:00"),
        ("2021-04-09T12:00:00.123456789Z", "2021-04-09T12:00:00.123456+00:00"),
        ("2021-04-26", "2021-04-26"),
        ("2021/04/26", "2021-04-26"),
        ("2021.04.26", "2021-04-26"),
        ("2021-4-5", "2021-04-05"),
        ("2021-04-26T10:15", "2021-04-26T10:15:00+00:00"),
        ("2021-04-26 9:05", "2021-04-26T09:05:00+00:00"),
        ("20210426", "2021-04-26"),
        ("20210426T101500Z", "2021-04-26T10:15:00+00:00"),
        ("20210426101500", "2021-04-26T10:15:00+00:00"),
        ("20210426 10:15:00", "2021-04-26T10:15:00+00:00"),
        ("Oct-05-26", "2026-10-05"),
        ("5-oct.-26", "2026-10-05"),
        ("05-Oct-2026", "2026-10-05"),
        ("26 Apr 2021", "2021-04-26"),
        ("26Apr2021", "2021-04-26"),
        ("April 26, 2021", "2021-04-26"),
        ("April 26, 2021 9:05 PM", "2021-04-26T21:05:00+00:00"),
        ("April 26th, 2021 at 9:05pm", "2021-04-26T21:05:00+00:00"),
        ("Apr 26, 2021 9 PM", "2021-04-26T21:00:00+00:00"),
        ("Apr 26, 2021 9 AM", "2021-04-26T09:00:00+00:00"),
        ("Apr 26, 2021, 9:05:11\u202fPM", "2021-04-26T21:05:11+00:00"),
        ("Apr 26, 2021 9:05:11 p.m. PDT", "2021-04-26T21:05:11-07:00"),
        ("Monday, April 26, 2021", "2021-04-26"),
        ("Mon, 26 Apr 2021 21:05:00 +0000", "2021-04-26T21:05:00+00:00"),
        (
            "Mon Apr 26 2021 21:05:00 GMT+0200 (Central European Summer Time)",
            "2021-04-26T21:05:00+02:00",
        ),
        ("2021-Apr-26", "2021-04-26"),
        ("2021Apr26", "2021-04-26"),
        ("2021-04-26 12:05 AM", "2021-04-26T00:05:00+00:00"),
        ("2021-04-26 12:05 PM", "2021-04-26T12:05:00+00:00"),
        ("2020-02-29", "2020-02-29"),
        ("1000-01-01", "1000-01-01"),
        ("9999-12-31 23:59:59 -1400", "9999-12-31T23:59:59-14:00"),
        ("1999-12-31 23:59:59", "1999-12-31T23:59:59+00:00"),
    ],
)
def test_times_are_read(text: str, expected: str) -> None:
    """Every form that the exports show, whatever the order of day and month."""
    for style in (MDY, DMY, YMD):
        assert read(text, style) == expected


@pytest.mark.parametrize(
    ("text", "month"),
    [
        ("26 januari 2021", 1), ("26 janv. 2021", 1), ("26 gen 2021", 1), ("26 ene. 2021", 1),
        ("26 Feb. 2021", 2), ("26 févr. 2021", 2), ("26 fev 2021", 2), ("26 febbraio 2021", 2),
        ("26. März 2021", 3), ("26 Mrz 2021", 3), ("26 mrt. 2021", 3), ("26 março 2021", 3),
        ("26 avr. 2021", 4), ("26 de abril de 2021", 4), ("26 aprile 2021", 4),
        ("26 Mai 2021", 5), ("26 mei 2021", 5), ("26 mag 2021", 5), ("26 mayo 2021", 5),
        ("26 juin 2021", 6), ("26 giu 2021", 6), ("26 junho 2021", 6), ("26 Juni 2021", 6),
        ("26 juil. 2021", 7), ("26 lug 2021", 7), ("26 julio 2021", 7), ("26 Jul 2021", 7),
        ("26 août 2021", 8), ("26 aout 2021", 8), ("26 ago. 2021", 8), ("26 augustus 2021", 8),
        ("26 Sept 2021", 9), ("26 set 2021", 9), ("26 septembre 2021", 9),
        ("26. Okt. 2021", 10), ("26 out. 2021", 10), ("26 ott 2021", 10), ("26 octubre 2021", 10),
        ("26 NOV 2021", 11), ("26 noviembre del 2021", 11),
        ("26. Dezember 2021", 12), ("26 déc. 2021", 12), ("26 dic 2021", 12), ("26 DEC. 2021", 12),
    ],
)  # fmt: skip
def test_months_by_name(text: str, month: int) -> None:
    """English, German, French, Spanish, Italian, Portuguese, Dutch; short, long, with a dot."""
    assert read(text) == f"2021-{month:02d}-26"


@pytest.mark.parametrize(
    ("text", "mdy", "dmy", "ymd"),
    [
        ("04/05/2021", "2021-04-05", "2021-05-04", None),
        ("4.5.21", "2021-04-05", "2021-05-04", None),
        ("12/26/21", "2021-12-26", None, None),
        ("12/26/2021", "2021-12-26", None, None),
        ("05-13-22", "2022-05-13", None, None),
        ("26.04.2021 14:05", None, "2021-04-26T14:05:00+00:00", None),
        ("26. 4. 2021", None, "2021-04-26", None),
        ("21/04/26", None, "2026-04-21", "2021-04-26"),
        ("99-04-26", None, None, "1999-04-26"),
        ("01/01/68", "2068-01-01", "2068-01-01", None),
        ("01/01/69", "1969-01-01", "1969-01-01", None),
        ("4/5/2021 9:05 PM", "2021-04-05T21:05:00+00:00", "2021-05-04T21:05:00+00:00", None),
    ],
)
def test_the_style_orders_day_and_month(
    text: str, mdy: str | None, dmy: str | None, ymd: str | None
) -> None:
    """Numbers without a four-digit year in front are read in the column's order, or are bad."""
    assert (read(text, MDY), read(text, DMY), read(text, YMD)) == (mdy, dmy, ymd)


@pytest.mark.parametrize(
    "text",
    [
        "2021-02-30", "2021-02-29", "30 Feb 2021", "31.04.2021", "2021-13-01", "2021-00-10",
        "2021-04-00", "0000-00-00", "0000-00-00 00:00:00", "0999-01-01", "2021-04-26 24:00:00",
        "2021-04-26 23:60:00", "2021-04-26 23:00:60", "2021-04-26 13:05 AM", "2021-04-26 0:05 PM",
        "2021-04-26 10:00:00 +1500", "2021-04-26 10:00:00 +05:60", "2021-04-26 10:00 +05:60",
        "2021-04-26 10:00:00 +14:01",
        "2021-04-26 10:00:00 XYZ",
        "9:05", "10:15:00", "April 2021", "2021", "2021-04", "26 Foo 2021", "26 jui 2021",
        "4/5", "4/5/1", "4/5/021", "4/5/20211", "123/4/2021", "yesterday", "now or never", "-",
        "44312", "44312.5", "1619470925", "1619470925123", "2021-04-26T", "2021-04-26 10:00:00 -",
        "26/26/2021", "2021-04-26 10:5:00", "04052021",
        "2021-004-26", "2021-04-026", "20210426.", "2021-04-26 010:00:00", "2021-04-26 10:000:00",
        "2021-04-26 10:00:000", "2021-04-26 10:00:00 +00530", "2021-04-26 10:00:00 +005:30",
    ],
)  # fmt: skip
def test_what_is_no_time_is_bad(text: str) -> None:
    """Days and times that there are not, parts of dates, bare numbers, words."""
    for style in (MDY, DMY, YMD):
        result = times(column(text), style)
        assert result.values.to_pylist() == [None]
        assert result.instant.to_pylist() == [None]
        assert result.bad.to_pylist() == [True]
        assert result.naive.to_pylist() == result.is_now.to_pylist() == [False]


def test_now_is_told_apart() -> None:
    """The word is neither a time nor bad."""
    result = times(column("now", "NOW", None, "2021-04-26"), MDY)
    assert result.is_now.to_pylist() == [True, True, False, False]
    assert result.values.to_pylist() == [None, None, None, "2021-04-26"]
    assert not any(result.bad.to_pylist())


def test_a_naive_time_is_placed_and_flagged() -> None:
    """In the import's zone, with the offset of that day; a day and a placed time stay as is."""
    result = times(
        column("2021-01-09 12:00:00", "2021-07-09 12:00:00", "2021-07-09", "2021-07-09 12:00:00Z"),
        MDY,
        "America/Denver",
    )
    assert result.values.to_pylist() == [
        "2021-01-09T12:00:00-07:00",
        "2021-07-09T12:00:00-06:00",
        "2021-07-09",
        "2021-07-09T12:00:00+00:00",
    ]
    assert result.naive.to_pylist() == [True, True, False, False]
    assert result.instant.to_pylist() == [
        datetime(2021, 1, 9, 19, tzinfo=UTC),
        datetime(2021, 7, 9, 18, tzinfo=UTC),
        datetime(2021, 7, 9, tzinfo=UTC),
        datetime(2021, 7, 9, 12, tzinfo=UTC),
    ]


@pytest.mark.parametrize(
    ("zone", "text", "expected"),
    [
        ("America/Denver", "2021-03-14 02:30:00", "2021-03-14T02:30:00-07:00"),
        ("America/Denver", "2021-03-14 03:00:00", "2021-03-14T03:00:00-06:00"),
        ("America/Denver", "2021-11-07 01:30:00", "2021-11-07T01:30:00-06:00"),
        ("America/Denver", "2021-11-07 02:00:00", "2021-11-07T02:00:00-07:00"),
        ("Asia/Kathmandu", "2021-11-07 02:00:00", "2021-11-07T02:00:00+05:45"),
        ("Pacific/Apia", "2011-12-30 12:00:00", "2011-12-30T12:00:00-10:00"),
        ("America/St_Johns", "2021-11-07 02:00:00", "2021-11-07T02:00:00-03:30"),
    ],
)
def test_times_that_clocks_skip_or_show_twice(zone: str, text: str, expected: str) -> None:
    """They have the offset that held before the clocks were changed."""
    assert read(text, MDY, zone) == expected


@pytest.mark.parametrize(
    ("name", "offset"),
    [
        ("America/New_York", "-04:00"),
        ("america/new york", "-04:00"),
        ("US/Eastern", "-04:00"),
        ("Eastern Standard Time", "-04:00"),
        ("Eastern Daylight Time", "-04:00"),
        ("Eastern Time (US & Canada)", "-04:00"),
        ("(GMT-05:00) Eastern Time (US & Canada)", "-04:00"),
        ("(UTC+01:00) Amsterdam, Berlin, Bern, Rome, Stockholm, Vienna", "+02:00"),
        ("W. Europe Standard Time", "+02:00"),
        ("Romance Standard Time", "+02:00"),
        ("India Standard Time", "+05:30"),
        ("New Delhi", "+05:30"),
        ("UTC", "+00:00"),
        ("EDT", "-04:00"),
        ("PST", "-08:00"),
        ("-05:00", "-05:00"),
        ("GMT+2", "+02:00"),
        ("UTC+0530", "+05:30"),
        ("GMT+530", "+05:30"),
        ("-1400", "-14:00"),
        ("UTC-11", "-11:00"),
    ],
)
def test_a_zone_column_places_the_time(name: str, offset: str) -> None:
    """By IANA's, Windows' and Rails' names, abbreviations and offsets; then it is not naive."""
    result = times(
        column("2026-05-30 13:03:14", "2026-05-30T13:03:14Z"), MDY, "Asia/Tokyo", column(name, name)
    )
    assert result.values[0].as_py() == f"2026-05-30T13:03:14{offset}"
    assert result.naive.to_pylist() == [False, False]
    assert result.values[1].as_py() == "2026-05-30T13:03:14+00:00"


@pytest.mark.parametrize(
    ("names", "offset"),
    [
        ("Z UTC GMT UT WET", "+00:00"), ("EST CDT", "-05:00"), ("EDT", "-04:00"),
        ("CST MDT", "-06:00"), ("MST PDT", "-07:00"), ("PST", "-08:00"), ("CET WEST", "+01:00"),
        ("CEST EET", "+02:00"), ("EEST", "+03:00"), ("AEST", "+10:00"), ("AEDT", "+11:00"),
    ],
)  # fmt: skip
def test_abbreviations_of_zones(names: str, offset: str) -> None:
    """They are offsets, whatever the season, and whatever the zone of the import."""
    for name in names.split():
        found = read(f"2021-07-09 12:00:00 {name}", timezone="Asia/Tokyo")
        assert found == f"2021-07-09T12:00:00{offset}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5 de abril de 2021 10:15 hs.", "2021-04-05T10:15:00+00:00"),
        ("16 août 2021 à 09h05", "2021-08-16T09:05:00+00:00"),
        ("5 avr. 2021 à 9 h 05", "2021-04-05T09:05:00+00:00"),
        ("5 de abril de 2021 9:05 h", "2021-04-05T09:05:00+00:00"),
        ("05.04.2021 10:15 Uhr", "2021-05-04T10:15:00+00:00"),
        ("04/05/2021 13:45 PM", "2021-04-05T13:45:00+00:00"),
        ("04/05/2021 00:15 AM", "2021-04-05T00:15:00+00:00"),
        ("04/05/2021 13:45 AM", None),
        ("\u200e4/5/2021\u200f, 1:45:00\u202fPM", "2021-04-05T13:45:00+00:00"),
        ("2021-04-05 12:00:00 BST", "2021-04-05T12:00:00+01:00"),
        ("2021-04-05 12:00:00 JST", "2021-04-05T12:00:00+09:00"),
        ("2021-04-05 12:00:00 IST", None),
    ],
)
def test_what_stands_around_a_time(text: str, expected: str | None) -> None:
    """Words for the hour, a needless PM, marks that do not show, abbreviations of zones."""
    assert read(text) == expected


@pytest.mark.parametrize("name", ["Nowhere", "", "America", "+99:00", "../etc", None])
def test_an_unknown_zone_leaves_the_time_naive(name: str | None) -> None:
    """It is placed in the import's zone, and says so."""
    result = times(column("2026-05-30 13:03:14"), MDY, "Asia/Tokyo", column(name))
    assert result.values.to_pylist() == ["2026-05-30T13:03:14+09:00"]
    assert result.naive.to_pylist() == [True]


def test_an_unknown_zone_of_the_import_is_refused() -> None:
    """With the option that gives it."""
    with pytest.raises(UsageError, match="'Mars/Base' is not a time zone") as caught:
        times(column("2026-05-30"), MDY, "Mars/Base")
    assert "--timezone" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("texts", "order", "ambiguous", "conflicting", "example"),
    [
        (["04/05/2021"], "mdy", True, False, "04/05/2021"),
        (["04/05/2021", "05/05/2021"], "mdy", True, False, "04/05/2021"),
        (["05/05/2021", None, "2021-04-05"], "mdy", False, False, None),
        (["01/02/2021"], "mdy", True, False, "01/02/2021"),
        (["02/01/2021"], "mdy", True, False, "02/01/2021"),
        (["11/12/2021"], "mdy", True, False, "11/12/2021"),
        (["12/11/2021"], "mdy", True, False, "12/11/2021"),
        (["01/13/2021"], "mdy", False, False, None),
        (["13/01/2021"], "dmy", False, False, None),
        (["12/31/2021", "02/01/2021"], "mdy", False, False, "02/01/2021"),
        (["31/12/2021", "02/01/2021"], "dmy", False, False, "02/01/2021"),
        (["32/07/06"], "ymd", False, False, None),
        (["04/05/2021", "31/12/2021"], "dmy", False, False, "04/05/2021"),
        (["04/05/2021", "12/31/2021 23:00"], "mdy", False, False, "04/05/2021"),
        (["06/07/22", "05-13-22"], "mdy", False, False, "06/07/22"),
        (["06/07/22", "13.05.22"], "mdy", True, False, "06/07/22"),
        (["13.05.22"], "mdy", True, False, "13.05.22"),
        (["13.05.22", "27.05.22"], "dmy", False, False, "13.05.22"),
        (["22-05-13", "22-05-29"], "ymd", False, False, "22-05-13"),
        (["22-05-13", "22-5-9"], "ymd", False, False, "22-05-13"),
        (["21/4/20", "9/4/20"], "dmy", False, False, "21/4/20"),
        (["06/07/22", "99/07/06"], "ymd", False, False, "06/07/22"),
        (["06/07/22", "31/07/06"], "dmy", False, False, "06/07/22"),
        (["06/07/22", "00/07/06"], "ymd", False, False, "06/07/22"),
        (["13/05/2021", "05/13/2021"], "mdy", False, True, None),
        (["13/05/2021", "14/05/2021", "05/13/2021"], "dmy", False, True, None),
        (["13/05/2021", "05/13/2021", "4/5/2021"], "mdy", True, True, "4/5/2021"),
        (["26 Apr 2021", "Oct-05-26", "20210405", "n/a"], "mdy", False, False, None),
        (["13/13/2021", "40/01/2021"], "mdy", False, False, None),
        ([], "mdy", False, False, None),
    ],
)
def test_the_column_settles_the_order(
    texts: list[str | None],
    order: DateOrder,
    ambiguous: bool,
    conflicting: bool,
    example: str | None,
) -> None:
    """A part above 12 anywhere proves it; no proof, or both, is ambiguous if it matters."""
    style = survey_times(column(*texts)).settle(None)
    assert style == TimeStyle(
        order=order, ambiguous=ambiguous, conflicting=conflicting, example=example
    )


def test_the_user_settles_the_order() -> None:
    """--date-order wins over proof; what it can't read is bad, and the conflict is told."""
    texts = column("04/05/2021", "12/31/2021", "31/12/2021")
    style = survey_times(texts).settle("dmy")
    assert (style.order, style.ambiguous, style.conflicting) == ("dmy", False, True)
    result = times(texts, style)
    assert result.values.to_pylist() == ["2021-05-04", None, "2021-12-31"]
    assert result.bad.to_pylist() == [False, True, False]


def test_one_value_in_the_last_batch_settles_the_first() -> None:
    """A single 31/12/2021 at the end, by the evidence of the parts, joined."""
    parts = [column("04/05/2021", "01/02/2021"), column(None, "now"), column("31/12/2021")]
    evidence = TimeEvidence()
    for part in parts:
        evidence = evidence | survey_times(part)
    style = evidence.settle(None)
    assert not style.ambiguous
    assert times(pa.chunked_array(parts), style).values.to_pylist() == [
        "2021-05-04", "2021-02-01", None, None, "2021-12-31",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["44312.5", "44312", None], ["2021-04-26T12:00:00+02:00", "2021-04-26", None]),
        (["44312.44256944444"], ["2021-04-26T10:37:18+02:00"]),
        (["44312.999999"], ["2021-04-27T00:00:00+02:00"]),
        (["1619470925", "1619470925.5"], ["2021-04-26T21:02:05+00:00", None]),
        (["1619470925123"], ["2021-04-26T21:02:05.123000+00:00"]),
    ],
)
def test_bare_numbers_where_the_whole_column_is_such(
    texts: list[str | None], expected: list[str | None]
) -> None:
    """Excel's days are local times, whole ones days; Unix seconds and milliseconds are UTC."""
    style = survey_times(column(*texts)).settle(None)
    assert style.counting is not None
    result = times(column(*texts), style, "Europe/Berlin")
    if texts[-1] == "1619470925.5":
        expected[1] = "2021-04-26T21:02:05.500000+00:00"
    assert result.values.to_pylist() == expected
    assert result.naive.to_pylist() == [
        style.counting == "excel" and value is not None and "T" in value for value in expected
    ]


@pytest.mark.parametrize("beside", ["2021-04-26", "26.04.2021", "n/a", "1619470925"])
def test_bare_numbers_among_others_are_bad(beside: str) -> None:
    """A number beside written times, or of another kind, is no time."""
    texts = column("44312.5", beside, "now")
    style = survey_times(texts).settle(None)
    assert style.counting is None
    assert times(texts, style).bad[0].as_py() is True


ZONES = ["America/New_York", "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe", "UTC"]
FORMS = [
    "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y/%m/%d %H:%M:%S", "%Y%m%dT%H%M%S",
    "%d.%m.%Y %H:%M:%S", "%d/%m/%Y %I:%M:%S %p", "%d %b %Y %H:%M:%S", "%B %d, %Y %I:%M:%S %p",
    "%a, %d %b %Y %H:%M:%S", "%b-%d-%Y %H:%M:%S",
]  # fmt: skip
moments = st.datetimes(datetime(1970, 1, 2), datetime(2068, 12, 30)).map(
    lambda moment: moment.replace(microsecond=0)
)


@given(st.lists(st.tuples(moments, st.sampled_from(FORMS)), min_size=1), st.sampled_from(ZONES))
def test_naive_times_come_back(written: list[tuple[datetime, str]], zone: str) -> None:
    """In any form, each time is the one that zoneinfo places, with its offset of that moment."""
    texts = column(*(moment.strftime(form) for moment, form in written))
    result = times(texts, DMY, zone)
    placed = [moment.replace(tzinfo=ZoneInfo(zone)) for moment, _ in written]
    assert result.values.to_pylist() == [moment.isoformat() for moment in placed]
    assert result.instant.to_pylist() == [moment.astimezone(UTC) for moment in placed]
    assert all(result.naive.to_pylist())


@given(
    st.lists(
        st.tuples(
            st.datetimes(datetime(1000, 1, 2), datetime(9999, 12, 30)),
            st.integers(-14 * 60, 14 * 60),
            st.sampled_from(["{}", "{:%Y-%m-%d %H:%M:%S.%f%z}"]),
        ),
        min_size=1,
    )
)
def test_times_with_an_offset_keep_it(written: list[tuple[datetime, int, str]]) -> None:
    """Offset and fraction are those of the text."""
    placed = [
        moment.replace(tzinfo=timezone(timedelta(minutes=offset))) for moment, offset, _ in written
    ]
    texts = column(*(form.format(m) for m, (_, _, form) in zip(placed, written, strict=True)))
    result = times(texts, MDY, "America/Denver")
    found = [datetime.fromisoformat(value) for value in result.values.to_pylist()]
    assert found == placed
    assert [value.utcoffset() for value in found] == [value.utcoffset() for value in placed]
    assert not any(result.naive.to_pylist())


@given(st.lists(st.dates(date(1969, 1, 1), date(2025, 12, 31)), min_size=1), st.sampled_from("md"))
def test_days_prove_their_own_order(days: list[date], first: str) -> None:
    """A column comes back whole as soon as one day can be neither a month nor a year."""
    assume(any(day.day > 12 for day in days) if first == "m" else any(day.day > 26 for day in days))
    form = "%m/%d/%y" if first == "m" else "%d/%m/%y"
    texts = column(*(day.strftime(form) for day in days))
    style = survey_times(texts).settle(None)
    assert not style.ambiguous
    assert times(texts, style).values.to_pylist() == [day.isoformat() for day in days]


@given(
    st.lists(st.none() | st.text("0123456789-/.:T ZAPMaprOct,+", max_size=26) | st.text()),
    st.sampled_from([MDY, DMY, YMD, TimeStyle(counting="excel"), TimeStyle(counting="seconds")]),
)
def test_every_text_is_a_value_or_bad(texts: list[str | None], style: TimeStyle) -> None:
    """Nothing raises; null stays null; each text is read, or bad, or now, and only one of these."""
    survey_times(column(*texts)).settle(None)
    result: Times = times(column(*texts), style, "Europe/Berlin", column(*texts))
    for text, value, instant, bad, now in zip(
        texts, *(part.to_pylist() for part in (result[0], result[3], result[1], result[4])),
        strict=True,
    ):  # fmt: skip
        assert (value is None) == (text is None or bad or now) == (instant is None)
        assert not (bad and now)
        if value is not None:
            datetime.fromisoformat(value)


def test_columns_of_any_make() -> None:
    """Empty, all null, sliced, in chunks: all the same to the caller."""
    texts = ["2021-04-09 12:00:00", None, "4/26/2021", "2021-04-09"]
    expected = ["2021-04-09T12:00:00+00:00", None, "2021-04-26", "2021-04-09"]
    whole = column(*texts)
    for made in (
        pa.chunked_array([whole.slice(0, 1), whole.slice(1)]),
        whole.cast(pa.large_string()),
        column("2021-01-01", *texts, "x").slice(1, 4),
    ):
        assert times(made, MDY).values.to_pylist() == expected
    for empty in (column(), pa.chunked_array([], pa.string()), column(None, None)):
        result = times(empty, survey_times(empty).settle(None), None, empty)
        assert result.values.to_pylist() == [None] * len(empty)
        assert result.bad.to_pylist() == [False] * len(empty)


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["05-Apr-21", "27-Apr-21"], ["2021-04-05", "2021-04-27"]),
        (["21-Apr-05", "21-Apr-30"], ["2021-04-05", "2021-04-30"]),
        (["05-Apr-21", "21-Apr-05"], None),
        (["5-Apr-21", "05-Apr-2021"], ["2021-04-05", "2021-04-05"]),
        (["07-abr-07", "08-abr-30"], ["2007-04-07", "2008-04-30"]),
    ],
)
def test_short_years_beside_the_name_of_a_month(
    texts: list[str], expected: list[str] | None
) -> None:
    """The year stands where the days of the column leave room for it; else nobody can tell."""
    evidence = survey_times(column(*texts))
    style = evidence.settle(None)
    assert style.ambiguous == (expected is None)
    if expected is None:
        assert evidence.open == ["dmy", "ymd"]
        expected = ["2005-04-21", "2021-04-05"]
        style = evidence.settle("ymd")
    assert times(column(*texts), style).values.to_pylist() == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2022年1月13日 9:05", "2022-01-13T09:05:00+00:00"),
        ("2022年1月13日", "2022-01-13"),
        ("2022年01月13日21時05分30秒", "2022-01-13T21:05:30+00:00"),
        ("2022년 1월 13일", "2022-01-13"),
        ("21:05:30 13-01-2022", "2022-01-13T21:05:30+00:00"),
        ("9:05 PM, 1/13/2022", "2022-01-13T21:05:00+00:00"),
    ],
)
def test_marks_of_east_asia_and_clocks_in_front(text: str, expected: str) -> None:
    """Year, month and day have their signs; the time of day may come first."""
    texts = column(text)
    style = survey_times(texts).settle(None)
    assert times(texts, style).values.to_pylist() == [expected]
