"""Workbooks come out as the texts that stand in their cells, on the rows where they stand."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
import xlsxwriter  # type: ignore[import-untyped]
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from backfill.errors import SourceError, UsageError
from backfill.prepare.reading import workbook
from backfill.prepare.reading.sources import SourceReader, open_sources
from backfill.prepare.reading.table import to_arrow

HEADER = ("id", "name", "total")
Cell = tuple[Any, str | None]
"""A value and its number format."""

DATE, TIME, CLOCK, MONEY = "m/d/yyyy", "yyyy-mm-dd hh:mm:ss", "hh:mm", "$#,##0.00"


def knows(cells: Sequence[str]) -> float:
    return len({"id", "total"} & set(cells)) / 2


def knows_nothing(_: Sequence[str]) -> float:
    return 0.0


def make(
    path: Path, sheets: dict[str, Sequence[Sequence[Any]]], at: tuple[int, int] = (0, 0)
) -> Path:
    """Writes a workbook; ``at`` is the row and column (from 0) of each sheet's first cell."""
    with xlsxwriter.Workbook(str(path)) as book:
        for name, rows in sheets.items():
            sheet = book.add_worksheet(name)
            for number, row in enumerate(rows):
                for column, cell in enumerate(row):
                    value, shown = cell if isinstance(cell, tuple) else (cell, None)
                    style = book.add_format({"num_format": shown}) if shown else None
                    place = (at[0] + number, at[1] + column)
                    if isinstance(value, str):
                        sheet.write_string(*place, value)
                    elif value is not None:
                        sheet.write(*place, value, style)
    return path


def open_all(path: Path, sheet: str | None = None) -> list[SourceReader]:
    return open_sources([path], sheet=sheet, taken={}, knows=knows)


def read_all(reader: SourceReader) -> pa.Table:
    return pa.concat_tables(map(to_arrow, reader.batches()))


def column(tmp_path: Path, *cells: Any) -> list[str | None]:
    """What comes of the cells of one column."""
    rows = [HEADER, *[("x", cell) for cell in cells]]
    (reader,) = open_all(make(tmp_path / "cells.xlsx", {"Orders": rows}))
    texts: list[str | None] = read_all(reader)["name"].to_pylist()
    return texts


# --- cells -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (536365.0, "536365"),
        (731.9399999999999, "731.9399999999999"),
        (0.1234567890123, "0.1234567890123"),
        (2.999999999999999, "2.999999999999999"),
        ((-3.5, MONEY), "-3.5"),
        (1e-10, "0.0000000001"),
        (8015556788.0, "8015556788"),
        (12345678901234, "12345678901234"),
        (123456789012345, "123456789012345"),
        (999999999999999.0, "999999999999999"),
        (2000001234567891, "2.000001234567891E+15"),
        (1e15, "1E+15"),
        (1e21, "1E+21"),
        (0, "0"),
        ("007", "007"),
        ("8.015556788E9", "8.015556788E9"),
        (" a\nb ", " a\nb "),
        (True, "true"),
        ((datetime(2010, 12, 1, 8, 26), TIME), "2010-12-01 08:26:00"),
        ((datetime(2010, 12, 1, 8, 26, 3, 456000), TIME), "2010-12-01 08:26:03.456"),
        ((datetime(2010, 12, 1), DATE), "2010-12-01"),
        ((datetime(2010, 12, 1), TIME), "2010-12-01"),
        ((40513.35138888889, TIME), "2010-12-01 08:26:00"),
        ((0.5, CLOCK), "12:00:00"),
        (40513.5, "40513.5"),
    ],
)
@pytest.mark.parametrize("beside", [None, "C536379", 1.5, True, "N/A", "2010-12-01 00:00:00"])
def test_a_cell(tmp_path: Path, cell: Any, text: str, beside: Any) -> None:
    """Each cell is told by itself, whatever kinds of cells stand in its column."""
    beside_text = {None: None, 1.5: "1.5", True: "true"}.get(beside, beside)
    assert column(tmp_path, cell, beside) == [text, beside_text]


@pytest.mark.parametrize(
    ("cells", "texts"),
    [
        ([True, False], ["true", "false"]),
        ([False, "Ann"], [None, "Ann"]),
        ([False, 5], [None, "5"]),
        ([False, False], [None, None]),
    ],
)
def test_false_without_true_is_a_blank(
    tmp_path: Path, cells: list[Any], texts: list[str | None]
) -> None:
    """Odoo writes FALSE for a blank; in a column of truths it is one."""
    assert column(tmp_path, *cells) == texts


def test_text_that_looks_like_another_kind_is_untouched(tmp_path: Path) -> None:
    texts = ["1.50", "00731.94", "2010-12-01 00:00:00", "1899-12-31 10:00:00", "TRUE", "1e3", "-0"]
    cells = [*texts, 731.9399999999999, (datetime(2010, 12, 1), DATE)]
    assert column(tmp_path, *cells) == [*texts, "731.9399999999999", "2010-12-01"]


def test_formulas_give_their_results(tmp_path: Path) -> None:
    """As the spreadsheet last saved them; an error is blank."""
    path = tmp_path / "formulas.xlsx"
    with xlsxwriter.Workbook(str(path)) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, HEADER)
        sheet.write_formula(1, 0, "=1+1", None, 2)
        sheet.write_formula(1, 1, '="a"&"b"', None, "ab")
        sheet.write_formula(1, 2, "=1/0", None, "#DIV/0!")
    (reader,) = open_all(path)
    assert [read_all(reader)[name].to_pylist() for name in HEADER] == [["2"], ["ab"], [None]]


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.one_of(
            st.floats(allow_nan=False, allow_infinity=False, min_value=-1e15, max_value=1e15),
            st.integers(-(2**53), 2**53),
            st.booleans(),
            st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1),
        ),
        min_size=1,
        max_size=30,
    )
)
@example([0.1, 1e-300, 5e-324, "_x000D_"])
def test_any_cells_come_back(tmp_path: Path, cells: list[Any]) -> None:
    """Any text is the same text, any number the same number, without an exponent unless it has
    more digits than a spreadsheet keeps."""
    for cell, text in zip(cells, column(tmp_path, *cells), strict=True):
        if isinstance(cell, bool):
            assert text == ("true" if cell else "false" if True in cells else None)
        elif isinstance(cell, str):
            assert text == cell
        else:
            assert text is not None
            assert set(text) <= set("-.0123456789" + ("E+" if abs(cell) >= 1e15 else ""))
            # xlsxwriter itself writes 16 digits: what it lost is not ours to find.
            assert float(text) == float(f"{cell:.16G}")


# --- rows and headers --------------------------------------------------------------------------

ROWS = [HEADER, (1, "Ann", 5), (), (2, "Bob", None), (None, " ", None), (3, "Cy", 7)]


@pytest.mark.parametrize("at", [(0, 0), (5, 0), (0, 3), (7, 2)])
def test_rows_are_numbered_as_in_the_spreadsheet(tmp_path: Path, at: tuple[int, int]) -> None:
    """Wherever in the sheet the table stands; blank rows count and do not come."""
    (reader,) = open_all(make(tmp_path / "a.xlsx", {"Orders": ROWS}, at))
    table = read_all(reader)
    assert reader.table.columns[-3:] == HEADER
    assert reader.table.header_row == at[0] + 1
    assert table["id"].to_pylist() == ["1", "2", "3"]
    assert table["_row"].to_pylist() == [at[0] + 2, at[0] + 4, at[0] + 6]
    assert table["_ragged"].to_pylist() == [False] * 3


def test_titles_above_the_header(tmp_path: Path) -> None:
    rows = [("Sales",), (), ("made", "by"), *ROWS]
    (reader,) = open_sources(
        [make(tmp_path / "a.xlsx", {"Orders": rows})], sheet=None, taken={}, knows=knows_nothing
    )
    assert reader.table.header == HEADER
    assert read_all(reader)["_row"].to_pylist() == [5, 7, 9]


def test_large_sheets_come_in_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of BATCH_ROWS rows at most."""
    monkeypatch.setattr(workbook, "BATCH_ROWS", 100)
    rows = [HEADER, *[(n, "x", n) for n in range(2, 1000)]]
    (reader,) = open_all(make(tmp_path / "a.xlsx", {"Orders": rows}))
    batches = [to_arrow(frame) for frame in reader.batches()]
    assert max(batch.num_rows for batch in batches) <= 100
    assert pa.concat_tables(batches)["_row"].to_pylist() == list(range(2, 1000))
    assert pa.concat_tables(batches)["id"].to_pylist() == [str(n) for n in range(2, 1000)]


# --- sheets ------------------------------------------------------------------------------------


@pytest.fixture
def book(tmp_path: Path) -> Path:
    return make(
        tmp_path / "book.xlsx",
        {
            "Notes": [("read me",), ("first",)],
            "2020": ROWS,
            "2021": [("title",), *ROWS[:2]],
            "Returns": [("id", "why"), (1, "broken")],
            "Empty": [],
            "Only a header": [HEADER],
        },
    )


def test_sheets_alike_are_all_read(book: Path) -> None:
    """Each is a source with a label of its own; the others are named."""
    readers = open_all(book)
    assert [reader.table.sheet for reader in readers] == ["2020", "2021"]
    assert [reader.table.source for reader in readers] == [f"{book} [2020]", f"{book} [2021]"]
    assert [reader.table.number for reader in readers] == [2, 3]
    assert readers[0].skipped_sheets == ("Notes", "Returns", "Empty", "Only a header")
    assert [read_all(reader).num_rows for reader in readers] == [3, 1]


def test_one_sheet_by_name(book: Path) -> None:
    """Any sheet, small mistakes in its name forgiven."""
    for name in ("Returns", " returns "):
        (reader,) = open_all(book, name)
        assert reader.table.sheet == "Returns"
        assert reader.table.source == str(book)
        assert read_all(reader)["why"].to_pylist() == ["broken"]


def test_a_sheet_that_is_not_there(book: Path) -> None:
    with pytest.raises(UsageError, match="has no sheet 'Refunds'") as caught:
        open_all(book, "Refunds")
    assert "Notes, 2020, 2021" in (caught.value.hint or "")


@pytest.mark.parametrize("sheet", ["Empty", "Only a header"])
def test_a_sheet_without_rows(book: Path, sheet: str) -> None:
    with pytest.raises(SourceError, match="no rows below a header"):
        open_all(book, sheet)


def test_unknown_sheets(tmp_path: Path) -> None:
    """Where no header is known, the first sheet with rows is read, and those with its header."""
    other = [("a", "b"), (1, 2)]
    path = make(tmp_path / "a.xlsx", {"X": [], "A": other, "B": [("a", "c"), (1, 2)], "C": other})
    readers = open_sources([path], sheet=None, taken={}, knows=knows_nothing)
    assert [reader.table.sheet for reader in readers] == ["A", "C"]


# --- other kinds of files ----------------------------------------------------------------------

ODS_CONTENT = """<?xml version="1.0" encoding="UTF-8"?><office:document-content
 xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"
 xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0"
 xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0" office:version="1.2">
<office:body><office:spreadsheet><table:table table:name="Orders">
<table:table-row table:number-rows-repeated="2"><table:table-cell/></table:table-row>
<table:table-row>{header}</table:table-row>
<table:table-row><table:table-cell office:value-type="float" office:value="536365"/>
<table:table-cell office:value-type="date" office:date-value="2010-12-01T08:26:00"/>
<table:table-cell office:value-type="float" office:value="731.9399999999999"/></table:table-row>
<table:table-row><table:table-cell office:value-type="string"><text:p>007</text:p>
</table:table-cell><table:table-cell office:value-type="date" office:date-value="2010-12-01"/>
<table:table-cell office:value-type="boolean" office:boolean-value="true"/></table:table-row>
</table:table></office:spreadsheet></office:body></office:document-content>"""


def test_ods(tmp_path: Path) -> None:
    """OpenDocument gives the same texts as Excel."""
    cell = '<table:table-cell office:value-type="string"><text:p>{}</text:p></table:table-cell>'
    path = tmp_path / "orders.xls"  # by its bytes, whatever it is called
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr(
            "content.xml",
            ODS_CONTENT.format(header="".join(map(cell.format, HEADER))).replace(">\n<", "><"),
        )
        archive.writestr(
            "META-INF/manifest.xml",
            "<m:manifest xmlns:m='urn:oasis:names:tc:opendocument:xmlns:manifest:1.0'/>",
        )
    (reader,) = open_all(path)
    table = read_all(reader)
    assert reader.table.header_row == 3
    assert table["_row"].to_pylist() == [4, 5]
    assert table["id"].to_pylist() == ["536365", "007"]
    assert table["name"].to_pylist() == ["2010-12-01 08:26:00", "2010-12-01"]
    assert table["total"].to_pylist() == ["731.9399999999999", "true"]


def test_by_its_bytes(tmp_path: Path) -> None:
    """A workbook is read as one whatever it is called."""
    path = make(tmp_path / "orders.xlsx", {"Orders": ROWS}).rename(tmp_path / "orders.csv")
    (reader,) = open_all(path)
    assert reader.table.sheet == "Orders"


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def emptied(data: bytes) -> bytes:
    """Only the end of the file, where a zip has its table of contents, is still there."""
    return bytes(len(data) // 2) + data[len(data) // 2 :]


def flipped(data: bytes) -> bytes:
    middle = len(data) // 3
    return (
        data[:middle]
        + bytes(byte ^ 0xFF for byte in data[middle : middle + 64])
        + data[middle + 64 :]
    )


@pytest.mark.parametrize("damage", [cut, emptied, flipped])
def test_a_damaged_workbook(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    """One clear line, never a traceback."""
    path = make(tmp_path / "a.xlsx", {"Orders": [HEADER, *[(n, "x", n) for n in range(5000)]]})
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(SourceError) as caught:
        open_all(path)
    assert "\n" not in caught.value.message
    assert caught.value.hint


def test_a_workbook_without_its_sheet(tmp_path: Path) -> None:
    """A zip with the right names and nothing in them."""
    path = tmp_path / "a.xlsx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
    with pytest.raises(SourceError, match="cut off or damaged"):
        open_all(path)


def test_a_panic_below(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The Rust code's last resort is a damaged workbook too; Ctrl-C is not."""

    class PanicException(BaseException):
        pass

    path = make(tmp_path / "a.xlsx", {"Orders": ROWS})
    outcomes: list[tuple[BaseException, type[BaseException]]] = [
        (PanicException("index out of bounds"), SourceError),
        (KeyboardInterrupt(), KeyboardInterrupt),
    ]
    for raised, seen in outcomes:

        def read_excel(*_: Any, raised: BaseException = raised, **__: Any) -> None:
            raise raised

        monkeypatch.setattr(pd, "read_excel", read_excel)
        with pytest.raises(seen):
            open_all(path)
