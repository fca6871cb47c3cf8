"""Tables of orders with any mixture of odd rows, and what is known of each row from making it.

Nothing here asks the product: files are written with ``csv`` and ``xlsxwriter``, and sums are
``Decimal``. Each row has a number in its first column that no other row of the example has.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import xlsxwriter  # type: ignore[import-untyped]
from hypothesis import strategies as st

NUMBER = "line no"
COLUMNS = (
    "reference_id", "created_at", "paid_at", "profile_name", "item_name", "item_quantity",
    "item_each_price", "total", "currency", "status",
)  # fmt: skip
#: Columns that an export may have or not.
OPTIONAL = ("paid_at", "item_quantity", "total", "currency", "status")


@dataclass
class Row:
    """A row of an export, as it should have been and as it is."""

    number: str
    """of a row with values; empty for one that is about the table"""
    meant: dict[str, str] = field(repr=False)
    cells: dict[str, str]
    extra: tuple[str, ...] = ()
    """cells beyond the last column"""

    @property
    def key(self) -> str:
        return self.cells.get("reference_id", "").strip()


@dataclass
class Export:
    """One file: its rows, and how it is written."""

    name: str
    columns: tuple[str, ...]
    rows: list[Row]
    titles: tuple[str, ...] = ()
    delimiter: str = ","

    def records(self) -> list[list[str]]:
        """The rows of the file from the first title on."""
        header = [NUMBER, *self.columns]
        below = [
            header
            if row.cells is HEADER_AGAIN
            else [row.number, *(row.cells.get(name, "") for name in self.columns), *row.extra]
            for row in self.rows
        ]
        return [*([title] for title in self.titles), header, *below]

    def write(self, folder: Path) -> Path:
        path = folder / self.name
        records = self.records()
        if path.suffix == ".xlsx":
            options = {"strings_to_formulas": False, "strings_to_numbers": False}
            with xlsxwriter.Workbook(str(path), options) as book:
                sheet = book.add_worksheet()
                for place, cells in enumerate(records):
                    for column, cell in enumerate(cells):
                        sheet.write_string(place, column, cell)
            return path
        text = io.StringIO(newline="")
        csv.writer(text, delimiter=self.delimiter).writerows(records)
        path.write_text(text.getvalue(), encoding="utf-8", newline="")
        return path


HEADER_AGAIN: dict[str, str] = {"the header": "again"}


@dataclass
class Table:
    """All rows of an example, in files."""

    exports: list[Export]
    rows: dict[str, Row] = field(default_factory=dict, repr=False)
    """by number; a copy of a row in a second file has the number of its original"""
    fixed: bool = False
    """rows came back fixed"""

    def add(self, rows: Sequence[Row]) -> None:
        self.rows |= {row.number: row for row in rows if row.number}


# --- rows of one order ----------------------------------------------------------------------------


def cents(text: str) -> int:
    """The cents of a sound amount."""
    return int(Decimal(text) * 100)


@st.composite
def order_rows(draw: st.DrawFn, key: str, first_number: int) -> list[Row]:
    """The sound rows of one order, each with all of its values."""
    count = draw(st.integers(1, 4))
    lines = [(draw(st.integers(1, 5)), draw(st.integers(1, 9_999))) for _ in range(count)]
    total = sum(pieces * price for pieces, price in lines) + draw(st.sampled_from([0, 0, 350]))
    day = f"2021-04-{draw(st.integers(1, 28)):02}"
    made = []
    for place, (pieces, price) in enumerate(lines):
        cells = {
            "reference_id": key,
            "created_at": day,
            "paid_at": day,
            "profile_name": f"Customer {key}",
            "item_name": f"Thing {first_number + place}",
            "item_quantity": str(pieces),
            "item_each_price": f"{Decimal(price) / 100:.2f}",
            "total": f"{Decimal(total) / 100:.2f}",
            "currency": "USD",
            "status": "completed",
        }
        made.append(Row(str(first_number + place), dict(cells), cells))
    return made


#: Cells that make a row odd: column and text.
ODD_CELLS = (
    ("reference_id", ""),
    ("created_at", "2021-05-01"),
    ("created_at", "2021-02-30"),
    ("created_at", ""),
    ("paid_at", "2021-04-30"),
    ("profile_name", ""),
    ("profile_name", "Somebody else"),
    ("item_quantity", "0"),
    ("item_quantity", "-1"),
    ("item_quantity", ""),
    ("item_quantity", "two"),
    ("item_each_price", ""),
    ("item_each_price", "n.a."),
    ("item_each_price", "-1.00"),
    ("item_each_price", "EUR 4.00"),
    ("total", "1.2.3"),
    ("total", ""),
    ("total", "9.99"),
    ("total", "-5.00"),
    ("currency", "EUR"),
    ("status", "cancelled"),
    ("status", "refunded"),
)
#: Rows that are no order: texts by column.
NO_ORDERS: tuple[dict[str, str], ...] = (
    {},
    {},
    HEADER_AGAIN,
    {"reference_id": "Total", "total": "123.45"},
    {"item_name": "Subtotal", "item_quantity": "1", "item_each_price": "12.00"},
    {"profile_name": "exported by nobody"},
    {"total": "99.00"},
    {"item_name": "Gift wrap", "item_quantity": "1", "item_each_price": "2.00"},
)
ORDER_COLUMNS = ("created_at", "paid_at", "profile_name", "total", "currency", "status")


@st.composite
def tables(draw: st.DrawFn) -> Table:
    """Orders with odd cells and odd rows, in one file or two."""
    keys_once = draw(st.booleans())
    values_once = keys_once or draw(st.booleans())
    rows: list[Row] = []
    number = 1
    for order in range(draw(st.integers(1, 6))):
        made = draw(order_rows(f"K{order + 1}", number))
        number += len(made)
        for row in made[1:]:
            if values_once:
                row.cells |= dict.fromkeys(ORDER_COLUMNS, "")
            if keys_once:
                row.cells["reference_id"] = ""
        rows += made
    for _ in range(draw(st.integers(0, 3))):
        column, text = draw(st.sampled_from(ODD_CELLS))
        draw(st.sampled_from(rows)).cells[column] = text
    if not keys_once and draw(st.booleans()):
        rows = list(draw(st.permutations(rows)))
    for _ in range(draw(st.integers(0, 3))):
        cells = draw(st.sampled_from(NO_ORDERS))
        named = bool(cells) and cells is not HEADER_AGAIN
        row = Row(str(number) if named else "", {}, cells if cells is HEADER_AGAIN else dict(cells))
        number += named
        rows.insert(draw(st.integers(0, len(rows))), row)
    return draw(in_files(rows))


@st.composite
def in_files(draw: st.DrawFn, rows: list[Row]) -> Table:
    """The rows in one file, or cut in two, or the second with a copy of some of them."""
    left_out = draw(st.sets(st.sampled_from(OPTIONAL)))
    columns = draw(st.permutations([each for each in COLUMNS if each not in left_out]))
    parts = [rows]
    if len(rows) > 1 and draw(st.booleans()):
        cut = draw(st.integers(1, len(rows) - 1))
        again = draw(st.integers(0, cut)) if draw(st.booleans()) else cut
        if any(row.number and not row.key for row in rows[again:cut]):
            again = cut  # a row without a key that is there twice may be two rows
        parts = [rows[:cut], rows[again:]]
    exports = [
        Export(
            f"orders{number}.{draw(st.sampled_from(['csv', 'csv', 'xlsx']))}",
            tuple(columns),
            part,
            titles=tuple(draw(st.sampled_from([[], [], ["Orders of April"], ["Orders", ""]]))),
            delimiter=draw(st.sampled_from(",;\t")),
        )
        for number, part in enumerate(parts, 1)
    ]
    table = Table(exports)
    table.add(rows)
    # A row with more cells than the header has, as an unquoted delimiter makes one.
    for row in rows:
        if row.number and row.cells is not HEADER_AGAIN and draw(st.integers(0, 19)) == 7:
            row.extra = ("loose end",)
    return table
