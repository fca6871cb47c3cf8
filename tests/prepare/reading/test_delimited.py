"""Delimited text of every kind comes out as the rows that a spreadsheet would show."""

from __future__ import annotations

import codecs
import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from backfill.errors import SourceError
from backfill.prepare.reading import csv_blocks, delimited
from tests.places import EXPORTS
from tests.prepare.reading.reading_files import (
    PLAIN,
    PLAIN_ROWS,
    Write,
    cells_of,
    knows_orders,
    numbers_of,
    open_one,
    ragged_of,
    read_all,
    rows_of,
)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    return Write(tmp_path)


# --- encodings and delimiters ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8"),
        ("utf-16", "utf-16-le"),
        ("utf-16-le", "utf-16-le"),
        ("utf-16-be", "utf-16-be"),
        ("utf-32", "utf-32-le"),
        ("cp1252", "windows-1252"),
    ],
)
def test_encodings(write: Write, data: str, encoding: str) -> None:
    """Every usual encoding is told from the bytes, with and without its mark."""
    path = write("id;näme;total\n1;Zoë “Zed” €;5,00\n2;Bob;6,00\n".encode(data))
    reader = open_one(path)
    assert reader.table.encoding == encoding
    assert reader.table.header == ("id", "näme", "total")
    assert cells_of(read_all(reader)) == [("1", "Zoë “Zed” €", "5,00"), ("2", "Bob", "6,00")]


def test_utf_16_with_its_big_endian_mark(write: Write) -> None:
    assert rows_of(write(codecs.BOM_UTF16_BE + PLAIN.encode("utf-16-be"))) == PLAIN_ROWS


def test_windows_1252_in_the_last_row(write: Write) -> None:
    """One byte that is no UTF-8, far below what is read first, settles the encoding."""
    plain = PLAIN + "".join(f"{number},Ann,5.00\n" for number in range(3, 200_000))
    reader = open_one(write(plain.encode() + "x,Crème brûlée,1\n".encode("cp1252")))
    assert reader.table.encoding == "windows-1252"
    assert cells_of(read_all(reader))[-1] == ("x", "Crème brûlée", "1")


def test_utf_8_with_a_stray_byte_stays_utf_8(write: Write) -> None:
    """A few foreign bytes do not turn all other letters of a UTF-8 file into rubbish."""
    reader = open_one(write("id,name\n1,Zoë\n2,Žofie\n".encode() + b"3,Ren\xe9\n"))
    assert reader.table.encoding == "utf-8 with windows-1252 in places"
    assert cells_of(read_all(reader)) == [("1", "Zoë"), ("2", "Žofie"), ("3", "René")]


def test_a_letter_across_two_blocks(write: Write) -> None:
    """The survey reads in blocks; a letter of several bytes may lie on their border."""
    for shift in range(4):
        filler = "x" * ((1 << 20) - len("id,name\n1,") - shift)
        reader = open_one(write(f"id,name\n1,{filler}😀\n2,ë\n"))
        assert reader.table.encoding == "utf-8"
        assert cells_of(read_all(reader)) == [("1", filler + "😀"), ("2", "ë")]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters(write: Write, delimiter: str) -> None:
    """The delimiter is told by the records, also where others stand in quotes or in every cell."""
    path = write(PLAIN.replace(",", delimiter) + f'3{delimiter}"a,b;c\td|e"{delimiter}7\n')
    reader = open_one(path)
    assert reader.table.delimiter == delimiter
    assert cells_of(read_all(reader)) == [*PLAIN_ROWS, ("3", "a,b;c\td|e", "7")]


def test_decimal_commas_and_addresses_are_no_evidence_for_a_comma(write: Write) -> None:
    rows = "".join(f"{n};1 E Center St, Provo, UT, USA;{n},00\n" for n in range(40))
    assert open_one(write("id;address;total\n" + rows)).table.delimiter == ";"


def test_told_by_the_spreadsheet(write: Write) -> None:
    """Excel's `sep=` line is obeyed, and is no row."""
    path = write("sep=|\r\nid|a,b\r\n1|x,y\r\n")
    assert rows_of(path) == [("1", "x,y")]
    assert numbers_of(path) == [2]


# --- odd lines ---------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\r\r\n"])
def test_line_ends(write: Write, end: str) -> None:
    """Unix, Windows, classic Macintosh, and converted once too often."""
    path = write(PLAIN.replace("\n", end))
    assert rows_of(path) == PLAIN_ROWS
    assert numbers_of(path) == [2, 3]


def test_a_carriage_return_inside_a_record(write: Write) -> None:
    """It neither cuts the record nor gets lost, in quotes and out of them."""
    path = write('id,name\r\n1,An\rn\r\n2,"B\rob\nX"\r\n3,Cy\r\n')
    assert rows_of(path) == [("1", "An\rn"), ("2", "B\rob\nX"), ("3", "Cy")]
    assert numbers_of(path) == [2, 3, 4]


def test_nul_bytes_go(write: Write) -> None:
    assert rows_of(write(b"id,name\n1,A\0nn\0\n\0\0\n2,Bob\n")) == [("1", "Ann"), ("2", "Bob")]


def test_newlines_in_quotes(write: Write) -> None:
    """A record is one row of the spreadsheet, however many lines it takes."""
    path = write('id,name\n1,"Ann\nand ""Bob"""\n2,"\n\n"\n3,Cy\n')
    assert rows_of(path) == [("1", 'Ann\nand "Bob"'), ("2", "\n\n"), ("3", "Cy")]
    assert numbers_of(path) == [2, 3, 4]


def test_quotes_inside_of_a_cell_are_text(write: Write) -> None:
    assert rows_of(write('id,name\n1,12" pipe\n2,"a"b\n')) == [("1", '12" pipe'), ("2", "ab")]


def test_ragged_rows_come_at_their_places(write: Write) -> None:
    """Too short is padded, too long is cut, both say so; blank cells too many are no matter."""
    path = write("id,name,total\n1,Ann,5\n2,Bob\n3,Cy,7,extra\n\n4,Di,8,, \n5,Ed,9\n6\n")
    assert rows_of(path) == [
        ("1", "Ann", "5"),
        ("2", "Bob", ""),
        ("3", "Cy", "7"),
        ("4", "Di", "8"),
        ("5", "Ed", "9"),
        ("6", "", ""),
    ]
    assert numbers_of(path) == [2, 3, 4, 6, 7, 8]
    assert ragged_of(path) == [False, True, True, False, False, True]


@pytest.mark.parametrize(("block", "piece"), [(64, 64), (4096, 64)])
def test_ragged_rows_across_blocks(
    write: Write, monkeypatch: pytest.MonkeyPatch, block: int, piece: int
) -> None:
    """Every row keeps its number and place over many batches, odd rows at their borders too."""
    monkeypatch.setattr(csv_blocks, "BLOCK_BYTES", block)
    monkeypatch.setattr(csv_blocks, "PIECE_BYTES", piece)
    monkeypatch.setattr(delimited, "BATCH_ROWS", 1)
    odd = {"short": "{n}", "blank": "", "long": "{n},x,y", "quoted": '{n},"a\nb",{n},"c,{n}"'}
    kinds = [[*odd.values(), "{n},x", "{n},x", "{n},x"][(n * n) % 7] for n in range(2, 3000)]
    path = write("id,name\n" + "".join(kind.format(n=n) + "\n" for n, kind in enumerate(kinds, 2)))
    table = read_all(open_one(path))
    expected = [n for n, kind in enumerate(kinds, 2) if kind]
    assert table["_row"].to_pylist() == expected
    assert table["id"].to_pylist() == [str(n) for n in expected]
    assert table["_ragged"].to_pylist() == [kinds[n - 2] != "{n},x" for n in expected]


def test_line_breaks_in_quotes_in_a_large_file(write: Write) -> None:
    """Arrow cuts what is larger than 1 MiB at a line break, in quotes or not, and says nothing."""
    long = "x" * 400
    path = write("name,id\n" + "".join(f'"{long}\n{long}",{n}\n' for n in range(5000)))
    table = read_all(open_one(path))
    assert table["id"].to_pylist() == [str(n) for n in range(5000)]
    assert set(table["name"].to_pylist()) == {f"{long}\n{long}"}


def test_all_rows_wider_than_the_header(write: Write) -> None:
    """Where every row ends in a delimiter but the header does not, no row is ragged."""
    reader = open_one(write("id,name\n1,Ann,\n2,Bob,\n"))
    assert reader.table.columns == ("id", "name", "column 3")
    assert reader.table.header == ("id", "name", "")
    table = read_all(reader)
    assert cells_of(table) == [("1", "Ann", ""), ("2", "Bob", "")]
    assert not any(table["_ragged"].to_pylist())


def test_values_beyond_the_header(write: Write) -> None:
    """A cell with a value that no column has is no end of the line: its row is ragged."""
    reader = open_one(write("id,name\n1,Ann,\n2,Bob,x\n"))
    assert reader.table.columns == ("id", "name")
    assert read_all(reader)["_ragged"].to_pylist() == [False, True]


def test_blank_rows_count_and_do_not_come(write: Write) -> None:
    """Blank lines, lines of spaces, of delimiters only, and a block of them at the end."""
    path = write("\n\nid,name\n\n1,Ann\n   \n,\n , \n2,Bob\n" + ",\n" * 50 + "\n" * 50)
    reader = open_one(path)
    assert reader.table.header_row == 3
    assert rows_of(path) == [("1", "Ann"), ("2", "Bob")]
    assert numbers_of(path) == [5, 9]


def test_a_row_is_not_blank_for_its_first_cells(write: Write) -> None:
    assert rows_of(write("id,a,b\n,,x\n,,\n")) == [("", "", "x")]


def test_no_newline_at_the_end(write: Write) -> None:
    assert rows_of(write(PLAIN.rstrip("\n"))) == PLAIN_ROWS


def test_the_end_mark_of_old_systems_is_no_row(write: Write) -> None:
    assert rows_of(write(PLAIN + "\x1a")) == PLAIN_ROWS


@pytest.mark.parametrize(
    ("tail", "last"),
    [
        ('3,"Cy', ("3", "Cy", "")),
        ('3,Cy,"7', ("3", "Cy", "7")),
        ('3,Cy,"', ("3", "Cy", "")),
        ('3,Cy,"7\n4,Di,8\n', ("3", "Cy", "7\n4,Di,8\n")),
        ('3,Cy,"7 ""x""\r\n4,Di,8\r\n', ("3", "Cy", '7 "x"\r\n4,Di,8\r\n')),
        ("3,C", ("3", "C", "")),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1252"])
def test_a_file_cut_off(write: Write, tail: str, last: tuple[str, ...], encoding: str) -> None:
    """What is left of the last record comes, marked ragged, though its quotes never close."""
    path = write((PLAIN + "9,Crème brûlée,1\n" + tail).encode(encoding))
    assert rows_of(path) == [*PLAIN_ROWS, ("9", "Crème brûlée", "1"), last]
    assert ragged_of(path) == [False, False, False, True]


@pytest.mark.parametrize(
    "last", ['3,Cy,"\n"\n', '3,Cy,""', '3,Cy,"7\n8"', '3,Cy,7"', '3,Cy,"7"""\n', "3,Cy,\n"]
)
def test_a_file_that_ends_well(write: Write, last: str) -> None:
    assert ragged_of(write(PLAIN + last)) == [False, False, False]


def test_a_cell_larger_than_a_block(write: Write) -> None:
    """Arrow gives up on it; the rest of the file comes all the same, numbered as before."""
    long = "x\n" * (1 << 21)
    rows = "".join(f"{n},x\n" for n in range(2, 20_000))
    path = write(f'id,name\n{rows}big,"{long}"\n\nshort\n{rows}')
    table = read_all(open_one(path))
    assert table.num_rows == 2 * 19_998 + 2
    assert table["_row"].to_pylist() == [*range(2, 20_001), *range(20_002, 40_001)]
    assert table["name"][19_998].as_py() == long
    assert [n for n, odd in enumerate(table["_ragged"].to_pylist()) if odd] == [19_999]


def test_a_quote_never_closed_in_a_large_file(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cell without end is named with its row, and does not fill the memory."""
    monkeypatch.setattr(csv_blocks, "LONGEST_RECORD", 1 << 22)
    path = write(PLAIN + '3,Cy,"7\n' + "4,Di,8\n" * (1 << 20))
    reader = open_one(path)
    with pytest.raises(SourceError, match="below row 3"):
        read_all(reader)


# --- headers -----------------------------------------------------------------------------------


def test_titles_above_the_header(write: Write) -> None:
    """By shape alone: a record with few filled cells is a title."""
    path = write("Sales 2021\nmade by,Ann\n\n" + PLAIN)
    reader = open_one(path)
    assert reader.table.header == ("id", "name", "total")
    assert reader.table.header_row == 4
    assert numbers_of(path) == [5, 6]


def test_the_judge_finds_the_header(write: Write) -> None:
    """A header that is known wins over a first record that looks as good."""
    reader = open_one(write("from,to,by\n" + PLAIN), knows_orders)
    assert reader.table.header_row == 2


def test_a_title_that_is_a_known_word_is_no_header(write: Write) -> None:
    path = write("Order\nid,client,amount,total,a,b,c\n1,2,3,4,5,6,7\n")
    assert open_one(path, knows_orders).table.header_row == 2


def test_without_evidence_the_first_record_is_the_header(write: Write) -> None:
    reader = open_one(write("\nalpha,beta\nx,y\nz,w\n"))
    assert reader.table.header == ("alpha", "beta")


def test_columns_are_unique_and_the_header_stays(write: Write) -> None:
    """Repeated, empty and untidy names become usable ones; the header is kept as it stands."""
    header = 'X,X, X ,,"two\nlines",_row,X (2)'
    reader = open_one(write(f"{header}\na,b,c,d,e,f,g\n"))
    assert reader.table.columns == (
        "X",
        "X (2)",
        "X (3)",
        "column 4",
        "two lines",
        "_row (2)",
        "X (2) (2)",
    )
    assert reader.table.header == ("X", "X", " X ", "", "two\nlines", "_row", "X (2)")
    assert cells_of(read_all(reader)) == [tuple("abcdefg")]


# --- any table ---------------------------------------------------------------------------------

ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"]
CELL = st.text(
    st.one_of(
        st.sampled_from(list("\"',;\t| \r\n")),
        st.characters(codec="cp1252", exclude_categories=["Cc", "Cs"]),
    ),
    max_size=12,
)


@st.composite
def tables(draw: st.DrawFn) -> list[list[str]]:
    """A header of plain names and rows of any text, with blank and ragged ones among them."""
    width = draw(st.integers(2, 6))
    header = [f"column {letter}" for letter in "abcdef"[:width]]
    row = st.lists(CELL, min_size=width, max_size=width)
    odd = st.lists(CELL, min_size=1, max_size=width + 2)
    rows = draw(st.lists(st.one_of(row, row, row, st.just([]), odd), max_size=20))
    usual = [["first", *["x"] * (width - 1)]] * (len(rows) + 1)  # what the header's width goes by
    return [header, *usual, *rows]


def as_bytes(
    table: Sequence[Sequence[str]], delimiter: str, end: str, encoding: str, quote_all: bool
) -> bytes:
    def spelled(cell: str) -> str:
        if quote_all or any(special in cell for special in ('"', "\r", "\n", delimiter)):
            return '"' + cell.replace('"', '""') + '"'
        return cell

    lines = [delimiter.join(map(spelled, row)) + end for row in table]
    return "".join(lines).encode(encoding)


def is_utf_8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def judges_column_a(cells: Sequence[str]) -> float:
    return 1.0 if cells[0] == "column a" else 0.0


@settings(
    max_examples=int(os.environ.get("BACKFILL_EXAMPLES", "200")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    table=tables(),
    delimiter=st.sampled_from(",;\t|"),
    end=st.sampled_from(["\n", "\r\n"]),
    encoding=st.sampled_from(ENCODINGS),
    quote_all=st.booleans(),
    block=st.sampled_from([64, 1 << 20]),
)
@example(
    table=[["column a", "column b"], ["first"], ["\r"], [], ["\r\n", "x"], ["", "", '"'], ["é"]],
    delimiter=";",
    end="\r\n",
    encoding="utf-16-le",
    quote_all=False,
    block=64,
)
def test_any_table_comes_back(
    tmp_path: Path,
    table: list[list[str]],
    delimiter: str,
    end: str,
    encoding: str,
    quote_all: bool,
    block: int,
) -> None:
    """Any table of text, in any encoding, delimiter and quoting: the same cells, row numbers and
    marks, also where Arrow's blocks are tiny."""
    path = tmp_path / "any.csv"
    data = as_bytes(table, delimiter, end, encoding, quote_all)
    assume(encoding != "cp1252" or data.isascii() or not is_utf_8(data))
    path.write_bytes(data)
    width = len(table[0])
    rows = list(enumerate(table[1:], start=2))
    filled = [(number, row) for number, row in rows if any(map(str.strip, row))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_blocks, "BLOCK_BYTES", block)
        # A word or two prove no encoding: whoever exported it has to say.
        reader = open_one(path, judges_column_a, encoding if encoding == "cp1252" else None)
        got = read_all(reader)
    blanks_left_out = any(each.value.startswith("short rows") for each in reader.decisions)
    assert reader.table.header == tuple(table[0])
    assert cells_of(got) == [tuple([*row, *[""] * width][:width]) for _, row in filled]
    assert got["_row"].to_pylist() == [number for number, _ in filled]
    assert got["_ragged"].to_pylist() == [
        (len(row) < width and not blanks_left_out) or any(map(str.strip, row[width:]))
        for _, row in filled
    ]


# --- real exports ------------------------------------------------------------------------------


@pytest.mark.skipif(not EXPORTS.is_dir(), reason="the shared exports are not beside this checkout")
@pytest.mark.parametrize(
    ("name", "rows", "header_row"),
    [
        ("shopify/orders_export_1.csv", 121, 1),
        ("woocommerce/woocommerce_orders.csv", 101, 1),
        ("etsy/EtsySoldOrderItems2021.csv", 136, 1),
        ("online_retail/online_retail_70051_rows.xlsx", 70_051, 1),
        ("superstore/superstore.xls", 9_994, 1),
        ("ebay/ebay_orders_report_EN_test_fixture.csv", 3, 2),
        ("amazon/amazon_orders_test_fixture.txt", 6, 1),
    ],
)
def test_real_exports(name: str, rows: int, header_row: int) -> None:
    """As many rows as their description says, blank ones aside (eBay: two items and the footer)."""
    reader = open_one(EXPORTS / name)
    assert reader.table.header_row == header_row
    assert read_all(reader).num_rows == rows


# --- rows that were saved as one cell ----------------------------------------------------------


def test_rows_wrapped_whole_in_one_cell(write: Write) -> None:
    """Each row is one quoted cell, its own quotes doubled: it is read as the row it was."""
    lines = ["id,name,total", '1,"Ann, Lee",5.00', "2,Bob,6.00"]
    path = write("".join('"' + line.replace('"', '""') + '"\n' for line in lines))
    assert rows_of(path) == [("1", "Ann, Lee", "5.00"), ("2", "Bob", "6.00")]


def test_rows_wrapped_in_one_cell_with_blank_ones_beside_it(write: Write) -> None:
    """As a spreadsheet saves them whose own delimiter is another one than the file's."""
    lines = ["id,name,total", '1,"Ann; Lee",5.00', "2,Bob,6.00"]
    path = write("".join('"' + line.replace('"', '""') + '";;\n' for line in lines))
    assert rows_of(path) == [("1", "Ann; Lee", "5.00"), ("2", "Bob", "6.00")]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_cells_that_are_all_quoted_are_not_wrapped(write: Write, delimiter: str) -> None:
    """Delimiters and line breaks inside quoted cells stay where they are."""
    rows = [("id", "name"), ("1", f"Ann{delimiter}Lee\n"), ("2", f"B{delimiter}\n\nob")]
    path = write("".join(delimiter.join(f'"{cell}"' for cell in row) + "\n" for row in rows))
    assert rows_of(path) == rows[1:]


def test_a_line_break_in_an_address_leaves_no_cells_out(write: Write) -> None:
    """Its halves are ragged rows, and no rows whose last cells were left out as blank."""
    lines = ["id,name,address,total", "1,Ann,Weg 1", "Berlin,5.00", "2,Bob,Weg 2,6.00"]
    reader = open_one(write("\n".join(lines) + "\n"))
    assert read_all(reader)["_ragged"].to_pylist() == [True, True, False]


# --- a second header ---------------------------------------------------------------------------


@pytest.mark.parametrize("second", ["id,name,total,phone", "name,id,total", "id,name"])
def test_another_header_further_down(write: Write, second: str) -> None:
    """Rows below a header with other columns are never read by the first one."""
    cells = second.split(",")
    path = write(PLAIN + second + "\n" + ",".join("x" for _ in cells) + "\n")
    with pytest.raises(SourceError, match=r"row 4 is a second header \(") as caught:
        read_all(open_one(path, knows_orders))
    assert "rows from 4 on" in (caught.value.hint or "")
