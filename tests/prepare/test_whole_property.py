"""Any table of orders, written in any way that exports are written, comes back as the same orders.

``BACKFILL_ORDERS=5000 python -m pytest -m fuzz tests/prepare/test_whole_property.py`` is the long
form; the short one runs with the other tests.
"""

from __future__ import annotations

import csv
import io
import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import pytest
import xlsxwriter  # type: ignore[import-untyped]
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from backfill.prepare.convert.cells import WHITE_SPACE
from backfill.prepare.mapping import formats
from tests.prepare.preparing import prepared

BLANK = formats.recognise(["reference_id"], None).blank
OWN = ("created_at", "profile_name", "profile_shipping_address_raw", "total")
CategoryName = Literal["Cs", "Cc", "Cn"]
Draw = Callable[[st.SearchStrategy[Any]], Any]


@dataclass(frozen=True)
class Line:
    name: str
    thousandths: int
    cents: int
    """of one piece, or of the line"""


@dataclass(frozen=True)
class Order:
    key: str
    at: datetime
    name: str
    address: str
    total: int | None
    """cents"""
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Style:
    """How an export writes its orders."""

    unit_prices: bool
    money: str
    times: str
    own_values_once: bool
    """on the first of an order's rows, and not on each"""
    scattered: bool
    """an order's rows stand anywhere"""


MONEY: dict[str, str] = {
    "1234.50": "USD",
    "$1,234.50": "USD",
    "1.234,50 €": "EUR",
    "1 234,50": "USD",
}
TIMES = {
    "%Y-%m-%dT%H:%M:%S%z": None,
    "%Y-%m-%d %H:%M:%S %z": None,
    "%d/%m/%Y": "dmy",
    "%m/%d/%y": "mdy",
    "%d. %B %Y": None,
}


def money_text(cents: int, style: str) -> str:
    grouped = f"{Decimal(cents) / 100:,.2f}"
    match style:
        case "$1,234.50":
            return f"${grouped}"
        case "1.234,50 €":
            return grouped.translate(str.maketrans(",.", ".,")) + " €"
        case "1 234,50":
            return grouped.translate(str.maketrans(",.", "\u202f,"))
        case _:
            return grouped.replace(",", "")


# --- any orders, any style ------------------------------------------------------------------------


def texts(encoding: str, *, cells: bool) -> st.SearchStrategy[str]:
    """Any text that the encoding has; ``cells``: that a cell of a workbook can hold."""
    codec = "cp1252" if encoding == "cp1252" else "utf-8"
    # A file of many control characters is taken for no text at all, so they are left out.
    unwanted: tuple[CategoryName, ...] = ("Cs", "Cc", "Cn") if cells else ("Cs", "Cc")
    characters = st.characters(codec=codec, exclude_categories=unwanted)
    return st.text(characters | st.sampled_from("\n" if cells else '\t\r\n",;|'), max_size=12)


def said(text: str) -> str | None:
    """What a cell with this text says."""
    text = text.strip(WHITE_SPACE)
    return text if text and text not in BLANK else None


@st.composite
def orders(draw: st.DrawFn, encoding: str, *, cells: bool = False) -> list[Order]:
    text = texts(encoding, cells=cells)
    keys = st.builds("{}{}".format, text, st.integers(0, 99)).map(lambda key: said(key) or "0")
    keys = keys.filter(lambda key: not key.startswith("'"))
    line = st.builds(
        Line,
        text,
        st.integers(1, 300).map(lambda n: n * 1000) | st.integers(1, 99_999),
        st.integers(1, 10**9),
    )
    zones = st.integers(-14 * 4, 14 * 4).map(lambda n: timezone(timedelta(minutes=15 * n)))
    order = st.builds(
        Order,
        key=keys,
        at=st.datetimes(datetime(2001, 1, 1), datetime(2024, 1, 1), timezones=zones).map(
            lambda at: at.replace(microsecond=0)
        ),
        name=text,
        address=text,
        total=st.none() | st.integers(1, 10**10),
        lines=st.lists(line, min_size=1, max_size=4).map(tuple),
    )
    return draw(st.lists(order, min_size=1, max_size=5, unique_by=lambda each: each.key))


STYLES = st.builds(
    Style,
    unit_prices=st.booleans(),
    money=st.sampled_from(sorted(MONEY)),
    times=st.sampled_from(sorted(TIMES)),
    own_values_once=st.booleans(),
    scattered=st.booleans(),
)
ENCODINGS = st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"])


# --- written --------------------------------------------------------------------------------------


def table(sequence: Sequence[tuple[Order, Line]], style: Style) -> list[dict[str, str]]:
    """The rows of an export, one a line item."""
    rows: list[dict[str, str]] = []
    begun: set[str] = set()
    price = "item_each_price" if style.unit_prices else "item_price"
    for order, line in sequence:
        row = {
            "reference_id": order.key,
            "item_name": line.name,
            "item_quantity": f"{line.thousandths / 1000:g}",
            price: money_text(line.cents, style.money),
        }
        row |= dict.fromkeys(OWN, "")
        if order.key not in begun or not style.own_values_once:
            row["created_at"] = order.at.strftime(style.times)
            row["profile_name"] = order.name
            row["profile_shipping_address_raw"] = order.address
            row["total"] = "" if order.total is None else money_text(order.total, style.money)
        begun.add(order.key)
        rows.append(row)
    return rows


def csv_bytes(rows: Sequence[dict[str, str]], encoding: str, delimiter: str, end: str) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]), delimiter=delimiter, lineterminator=end)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode(encoding)


def write_workbook(path: Path, sheets: Sequence[Sequence[dict[str, str]]]) -> None:
    options = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with xlsxwriter.Workbook(str(path), options) as book:
        for rows in sheets:
            sheet = book.add_worksheet()
            for number, cells in enumerate([list(rows[0]), *(row.values() for row in rows)]):
                for place, cell in enumerate(cells):
                    sheet.write_string(number, place, cell)


# --- and back -------------------------------------------------------------------------------------


def expected(sequence: Sequence[tuple[Order, Line]], style: Style) -> dict[str, dict[str, Any]]:
    """The orders as Shout should get them."""
    found: dict[str, dict[str, Any]] = {}
    for order, line in sequence:
        body = found.setdefault(
            order.key, {"lines": [], "total": order.total, "at": time(order, style)}
        )
        body |= {"name": said(order.name), "address": said(order.address)}
        pieces = Decimal(line.thousandths) / 1000
        each = whole = Decimal(line.cents)
        if style.unit_prices:
            whole = (each * pieces).quantize(Decimal(1), ROUND_HALF_UP)
        else:
            each = (whole / pieces).quantize(Decimal(1), ROUND_HALF_UP)
        body["lines"].append((said(line.name), float(pieces), int(each), int(whole)))
    for body in found.values():
        if body["total"] is None:
            body["total"] = sum(line[-1] for line in body["lines"])
    return found


def time(order: Order, style: Style) -> str:
    return order.at.isoformat() if "%H" in style.times else order.at.date().isoformat()


def come_back(
    *exports: Path, style: Style, encoding: str | None = None
) -> dict[str, dict[str, Any]]:
    """What the preparation makes of the exports."""
    found = prepared(
        *exports,
        currency=MONEY[style.money],
        date_order=TIMES[style.times],
        encoding=encoding,
        decimal_mark="point",  # quantities such as 1.001 prove nothing by themselves
    )
    assert not found.rejected, found.problems
    return {
        key: {
            "at": body["created_at"],
            "name": body.get("profile_name"),
            "address": body.get("profile_shipping_address_raw"),
            "total": body["total_cents"],
            "lines": [
                (line.get("name"), line["quantity"], line["each_price_cents"], line["price_cents"])
                for line in body["line_items"]
            ],
        }
        for key, body in found.bodies.items()
    }


def sequenced(draw: Draw, wanted: Sequence[Order], style: Style) -> list[tuple[Order, Line]]:
    """The orders' lines as the export has them: together, or anywhere."""
    lines = [(order, line) for order in wanted for line in order.lines]
    return draw(st.permutations(lines)) if style.scattered else lines


def cut(
    draw: Draw, sequence: list[tuple[Order, Line]], rows: list[dict[str, str]], style: Style
) -> list[list[dict[str, str]]]:
    """The rows in one part, or cut in two anywhere, in the middle of an order as well."""
    if style.scattered or len(rows) == 1 or draw(st.booleans()):
        return [rows]
    at = draw(st.integers(1, len(rows) - 1))
    if sequence[at - 1][0] is sequence[at][0]:  # then no part may look like a copy of the other
        assume(rows[at - 1] != rows[at])
        key = rows[at]["reference_id"]
        first, second = (
            Counter(tuple(row.values()) for row in part if row["reference_id"] == key)
            for part in (rows[:at], rows[at:])
        )
        assume(not (first <= second or second <= first))
    return [rows[:at], rows[at:]]


def check_csv(draw: Draw) -> None:
    encoding = draw(ENCODINGS)
    style = draw(STYLES)
    sequence = sequenced(draw, draw(orders(encoding)), style)
    assume(encoding != "cp1252" or style.money != "1 234,50")  # it lacks the narrow blank
    parts = cut(draw, sequence, table(sequence, style), style)
    delimiter, end = draw(st.sampled_from(",;\t|")), draw(st.sampled_from(["\r\n", "\n"]))
    with TemporaryDirectory() as folder:
        exports = [Path(folder) / f"{number}.csv" for number in range(len(parts))]
        for path, rows in zip(exports, parts, strict=True):
            data = csv_bytes(rows, encoding, delimiter, end)
            path.write_bytes(data)
        # A word or two prove no encoding: whoever exported it has to say.
        told = encoding if encoding == "cp1252" else None
        assert come_back(*exports, style=style, encoding=told) == expected(sequence, style)


def check_workbook(draw: Draw) -> None:
    style = draw(STYLES)
    sequence = sequenced(draw, draw(orders("utf-8", cells=True)), style)
    parts = cut(draw, sequence, table(sequence, style), style)
    as_sheets = draw(st.booleans())
    with TemporaryDirectory() as folder:
        books = [parts] if as_sheets else [[rows] for rows in parts]
        exports = [Path(folder) / f"{number}.xlsx" for number in range(len(books))]
        for path, sheets in zip(exports, books, strict=True):
            write_workbook(path, sheets)
        assert come_back(*exports, style=style) == expected(sequence, style)


def often(count: int) -> settings:
    unhurried = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
    return settings(max_examples=count, deadline=None, suppress_health_check=unhurried)


@given(st.data())
@often(60)
def test_orders_come_back_from_csv(data: st.DataObject) -> None:
    """Any text, any row order, encoding and delimiter, in one file or cut in two."""
    check_csv(data.draw)


@given(st.data())
@often(30)
def test_orders_come_back_from_workbooks(data: st.DataObject) -> None:
    """The same from cells, in one file or two, on one sheet or two."""
    check_workbook(data.draw)


@pytest.mark.fuzz
def test_many_orders_come_back() -> None:
    """The long form of both."""
    count = int(os.environ.get("BACKFILL_ORDERS", "2000"))

    @given(st.data())
    @often(count)
    def from_csv(data: st.DataObject) -> None:
        check_csv(data.draw)

    @given(st.data())
    @often(count // 2)
    def from_workbooks(data: st.DataObject) -> None:
        check_workbook(data.draw)

    from_csv()
    from_workbooks()
