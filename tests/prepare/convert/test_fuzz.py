"""Texts that no export should hold, by the column: no converter ends in a traceback."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from backfill.prepare.convert import (
    TimeStyle,
    cents,
    money_currency,
    phones,
    quantities,
    survey_numbers,
    survey_times,
    times,
)

COLUMN = 2_000
PIECES = [
    *"0123456789" * 2,
    *".,:-/+() '$€£¥%eEx#\t\u00a0\u202f\u2212\ufffd\x00\u0661\U0001f600",
    "T", "Z", "AM", " pm", "Apr", "oct.", "März", "UTC", "+05:30", "EUR", "Rs.", "kr", "NULL",
    "2021", "2021-04-26", "12:00:00", "20210426T101500Z", "1,234.50", "1E+3", "801-555-6788",
    "8.015556788E9", "+44", "now", "44312.5", "99999999999999999999", "ext. 5", ";phone-context=",
]  # fmt: skip

STYLES = [TimeStyle("dmy", counting="excel"), TimeStyle("ymd", counting="milliseconds")]


def columns(seed: int, count: int) -> Iterator[pa.StringArray]:
    """Columns of texts put together from pieces; the first pieces are the commonest."""
    draw = random.Random(seed)
    for _ in range(count):
        yield pa.array(
            "".join(draw.choices(PIECES, k=draw.randrange(1, 9))) if draw.random() < 0.95 else None
            for _ in range(COLUMN)
        )


def survives(text: pa.StringArray) -> None:
    """Each text is read, or bad, or the word now; null stays null."""
    present = text.is_valid()
    for values, bad in (
        cents(text, survey_numbers(text).settle())[:2],
        quantities(text)[:2],
        phones(text, "US")[:2],
        *(read_or_now(text, style) for style in STYLES),
        read_or_now(text, survey_times(text).settle(None)),
    ):
        values.validate(full=True)
        assert bad.null_count == 0
        assert pc.all(pc.equal(present, pc.xor(values.is_valid(), bad))).as_py()
    money_currency(text).validate(full=True)


def read_or_now(text: pa.StringArray, style: TimeStyle) -> tuple[pa.StringArray, pa.BooleanArray]:
    found = times(text, style, "Europe/Berlin", text)
    found.instant.validate(full=True)
    return pc.if_else(found.is_now, text, found.values), found.bad


def test_odd_texts_are_survived() -> None:
    """The short form, the same texts each time."""
    for text in columns(seed=1, count=2):
        survives(text)


@pytest.mark.fuzz
def test_a_million_odd_texts_are_survived() -> None:
    """The long form, new texts each time."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    for text in columns(seed, count=1_000_000 // COLUMN):
        survives(text)
