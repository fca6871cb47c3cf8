"""Every shared export, prepared without being told how, beside an independent computation in SQL.

DuckDB reads the CSV files itself. It cannot read workbooks without being online, so their cells
come from other readers than the one that the preparation uses.

``python -m pytest -s tests/prepare/test_exports_sql.py`` shows the table.
"""

from __future__ import annotations

import html
import re
import sqlite3
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import duckdb
import pandas as pd
import pytest

from backfill import progress
from backfill.prepare.pipeline import prepare
from backfill.settings import ImportSettings
from tests.places import EXPORTS

Cells = Iterator[tuple[Any, ...]]


class Order(NamedTuple):
    """What an order comes to; ``cents`` only where it is not rejected."""

    rule: str | None
    line_items: int
    cents: int | None


class Figures(NamedTuple):
    """What an export comes to."""

    rows: int
    orders: dict[str, Order]

    @property
    def line_items(self) -> int:
        return sum(order.line_items for order in self.orders.values())

    @property
    def cents(self) -> int:
        return sum(order.cents or 0 for order in self.orders.values())

    @property
    def rejected(self) -> str:
        rules = Counter(order.rule for order in self.orders.values() if order.rule)
        return ", ".join(f"{rule} {count}" for rule, count in sorted(rules.items())) or "none"


@dataclass(frozen=True)
class Export:
    """An export, what a user says of it, and its figures in SQL over the table ``raw``."""

    file: str
    format: str
    orders: str
    """SELECT reference_id, rule, line_items, cents ... one row an order"""
    settings: dict[str, Any] = field(default_factory=dict)
    csv: str = ""
    """options of DuckDB's read_csv beside all_varchar"""
    cells: Callable[[Path], Cells] | None = None
    """the header and the rows of a workbook"""
    rows: str = "SELECT count(*) FROM raw"

    @property
    def path(self) -> Path:
        return EXPORTS / self.file


def from_xml(path: Path) -> Cells:
    """The first sheet of an .xlsx, out of its XML: a time is the number that it is there."""
    with zipfile.ZipFile(path) as parts:
        strings = [
            html.unescape("".join(re.findall(r"<t[^>]*>([^<]*)</t>", item)))
            for item in re.findall(r"<si>(.*?)</si>", _part(parts, "sharedStrings"), re.DOTALL)
        ]
        rows = re.findall(r"<row .*?</row>", _part(parts, "worksheets/sheet1"), re.DOTALL)
    for row in rows:
        cells: dict[str, str] = {}
        for column, kind, value in re.findall(r'<c r="([A-Z]+)\d+"([^>]*)><v>([^<]*)', row):
            cells[column] = strings[int(value)] if 't="s"' in kind else value
        yield tuple(cells.get(column) for column in "ABCDEFGH")


def _part(parts: zipfile.ZipFile, name: str) -> str:
    return parts.read(f"xl/{name}.xml").decode()


def with_calamine(path: Path) -> Cells:
    """The first sheet of an .xls, its numbers as floats."""
    calamine = pytest.importorskip("python_calamine")
    with closing(calamine.CalamineWorkbook.from_path(path)) as book:
        yield from map(tuple, book.get_sheet_by_index(0).to_python())


#: One transaction an order; Net Sales is the line's total, and a refund is negative.
SQUARE = """
    SELECT "Transaction ID", CASE WHEN bool_or("Event Type" = 'Refund') THEN 'refund' END,
        count(*), sum(round(replace("Net Sales", '$', '')::DECIMAL(18, 4) * 100))
    FROM raw GROUP BY 1
"""
ALL = [
    Export(
        "amazon/amazon_orders_test_fixture.txt",
        "amazon",
        """
        SELECT "order-id", NULL, count(*), sum("item-price"::DECIMAL(18, 4) * 100)
        FROM raw GROUP BY 1
        """,
        csv=", delim = '\t'",
    ),
    Export(
        "ebay/ebay_orders_report_EN_test_fixture.csv",
        "ebay",
        # "EUR 90,00" is of one piece; there is no column of totals.
        """
        SELECT "Order Number", NULL, count(*), sum("Quantity"::INT
            * replace(replace("Sold For", 'EUR ', ''), ',', '.')::DECIMAL(18, 4) * 100)
        FROM raw WHERE "Order Number" IS NOT NULL GROUP BY 1
        """,
        {"currency": "EUR"},
        csv=", skip = 1, null_padding = true",
        # The row that is empty all through is no row; the footer is one that is no order.
        rows='SELECT count(*) FROM raw WHERE "Sales Record Number" IS NOT NULL',
    ),
    Export(
        "etsy/EtsySoldOrderItems2021.csv",
        "etsy",
        # Shipping, tax and discounts have columns, the order's total has none: the lines count.
        """
        SELECT "Order ID", NULL, count(*), sum("Item Total"::DECIMAL(18, 4) * 100)
        FROM raw GROUP BY 1
        """,
    ),
    Export(
        "online_retail/online_retail_70051_rows.xlsx",
        "online_retail",
        # Some invoices were written over a change of the minute, and so have two times, which is
        # fine. Where an invoice breaks several rules, the first in the table is its reason.
        """
        SELECT InvoiceNo, CASE
            WHEN upper(InvoiceNo[1]) = 'C' THEN 'credit_note'
            WHEN count(DISTINCT CustomerID) > 1 THEN 'conflicting_fields'
            WHEN bool_or(Quantity::DOUBLE <= 0) THEN 'negative_quantity' END,
            count(*), sum(round(UnitPrice::DECIMAL(18, 6) * 100) * Quantity::DOUBLE::INT)
        FROM raw GROUP BY 1
        """,
        {"currency": "GBP", "map": (("profile_name", "CustomerID"),)},
        cells=from_xml,
    ),
    Export(
        "shopify/orders_export_1.csv",
        "shopify",
        # The total stands on the order's first row only, and holds shipping and discounts.
        """
        SELECT "Name", NULL, count(*), max("Total"::DECIMAL(18, 4)) * 100 FROM raw GROUP BY 1
        """,
        {"currency": "INR"},
    ),
    Export("square/item_sales_may.csv", "square", SQUARE),
    Export("square/items-2026-07-10-2026-07-15.csv", "square", SQUARE),
    Export(
        "superstore/superstore.xls",
        "superstore",
        # Sales is a line's total as a binary float: what is beyond ten decimals is its noise.
        """
        SELECT "Order ID", NULL, count(*),
            sum(round(round("Sales"::DECIMAL(30, 16), 10) * 100, 0))
        FROM raw GROUP BY 1
        """,
        cells=with_calamine,
    ),
    Export(
        "woocommerce/woocommerce_orders.csv",
        "woocommerce",
        """
        SELECT order_number, NULL, count(*), max(order_total::DECIMAL(18, 4)) * 100
        FROM raw GROUP BY 1
        """,
    ),
]


def present(export: Export) -> Export:
    if not export.path.exists():
        pytest.skip(f"{export.file} is not on this machine")
    return export


@cache
def prepared(file: str) -> tuple[str, Figures]:
    """The format that was recognised, and what the preparation made of the export."""
    (export,) = (each for each in ALL if each.file == file)
    wanted = ImportSettings(**{"exports": (export.path,), "connect_id": "A1", **export.settings})
    with TemporaryDirectory() as folder:
        done = prepare(wanted, Path(folder), known={}, progress=progress.make("none"))
        with closing(sqlite3.connect(done.incoming.finish({}))) as db:
            ((format, rows),) = db.execute("SELECT format, rows FROM sources")
            orders = {
                key: Order(rule, lines, None if state == "rejected" else cents)
                for key, state, rule, lines, cents in db.execute(
                    "SELECT reference_id, state, rule, line_items, total_cents FROM orders"
                )
            }
    return format, Figures(rows, orders)


@cache
def computed(file: str) -> Figures:
    """The same by SQL alone."""
    (export,) = (each for each in ALL if each.file == file)
    with duckdb.connect() as db:
        if export.cells is None:
            db.execute(
                "CREATE TABLE raw AS "
                f"SELECT * FROM read_csv('{export.path}', header = true, all_varchar = true"
                f"{export.csv})"
            )
        else:
            load(db, export.cells(export.path))
        (rows,) = db.execute(export.rows).fetchone() or (0,)
        orders = {
            key: Order(rule, lines, None if rule else int(cents))
            for key, rule, lines, cents in db.execute(export.orders).fetchall()
        }
    return Figures(rows, orders)


def load(db: duckdb.DuckDBPyConnection, cells: Cells) -> None:
    """A workbook's cells as texts into ``raw``: a whole number without decimals."""
    header = [str(name) for name in next(cells)]
    table = pd.DataFrame([[text(cell) for cell in row] for row in cells], columns=header)
    db.register("cells", table)
    db.execute("CREATE TABLE raw AS SELECT * FROM cells")


def text(cell: Any) -> str | None:
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return None if cell is None or cell == "" else str(cell)


@pytest.mark.parametrize("export", ALL, ids=lambda export: export.file)
def test_an_export_comes_to_the_same_as_in_sql(export: Export) -> None:
    """Recognised without being told; the same rows, and each order the same to the cent."""
    format, found = prepared(present(export).file)
    expected = computed(export.file)
    assert format == export.format
    assert found.rows == expected.rows
    assert found.orders == expected.orders


def test_the_table_of_all_exports() -> None:
    """Each export's figures beside those in SQL; a row that differs would stand out."""
    exports = [export for export in ALL if export.path.exists()]
    if not exports:
        pytest.skip("the shared exports are not on this machine")
    print(f"\n\n{'export':42} {'format':14}{line('rows', 'orders', 'items', 'cents')}  rejected")
    for export in exports:
        format, ours = prepared(export.file)
        in_sql = computed(export.file)
        for name, kind, figures in ((export.file, format, ours), ("", "  in SQL", in_sql)):
            numbers = (figures.rows, len(figures.orders), figures.line_items, figures.cents)
            print(f"{name:42.42} {kind:14}{line(*numbers)}  {figures.rejected}")
        assert ours == in_sql


def line(*figures: object) -> str:
    return "".join(
        f"{figure:>{width},}" if isinstance(figure, int) else f"{figure:>{width}}"
        for figure, width in zip(figures, (7, 7, 8, 14), strict=True)
    )
