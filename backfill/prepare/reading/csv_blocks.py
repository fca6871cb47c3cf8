"""Delimited text cut into blocks of whole records, and each block read by pandas.

pandas' Arrow engine is by far the fastest, and the larger a block, the less a call costs a row. But
Arrow takes 1 MiB at a time and cuts what is larger at any line break. Where that one stands in
quotes, rows are lost without a word; so a large block counts only if each of its line breaks ended
a row. Arrow also refuses a block in which a row has the wrong width, and says nothing of where that
row stands.

A large block that does not count is read again in pieces that fit into 1 MiB; a piece that is
refused goes through Python's own parser, so that every row keeps its place.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, compress
from typing import IO

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from backfill.errors import SourceError
from backfill.job_folder.kept_rows import RAGGED, ROW
from backfill.prepare.reading.clean_text import STRAY_CR
from backfill.prepare.reading.table import to_arrow

BLOCK_BYTES = 4_000_000
PIECE_BYTES = 1_000_000
"""What is larger is cut by Arrow, at 1 MiB."""
LONGEST_RECORD = 1 << 26

_QUOTE, _LF, _CR = b'"\n\r'
_BOM = b"\xef\xbb\xbf"
_TEXT = pd.ArrowDtype(pa.large_string())


@dataclass(frozen=True, slots=True)
class Block:
    """Whole records, one below the other."""

    data: bytes
    records: list[list[str]] | None = None
    """Its cells, where it took a parser to find out where its records end."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What a record of a source looks like."""

    delimiter: str
    columns: tuple[str, ...]
    short_rows: bool
    """Whether blank cells are left out at a row's end, so that a short row is a whole one."""


def read_blocks(
    file: IO[bytes] | pa.NativeFile, shape: Shape, source: str, above: int
) -> Iterator[pa.Table]:
    """The rows of a text from its first record on, blank ones perhaps left out, in small tables.

    :param above: how many records stand above the first one.
    :raises SourceError: a record is too large, as with a quote that is never closed.
    """
    blocks = _blocks(file, shape.delimiter, BLOCK_BYTES)
    takes_large = True
    while True:
        try:
            block = next(blocks, None)
        except _TooLargeError as error:
            above += _whole_records_in(error.data, shape.delimiter)
            raise SourceError(
                source,
                f"a cell below row {above} is larger than {LONGEST_RECORD >> 20} MB",
                hint="the cause may be an opening quote that is never closed; look for one there",
            ) from None
        if block is None:
            return
        is_large = block.records is None and len(block.data) > PIECE_BYTES
        table = None
        if block.records is None and (takes_large or not is_large):
            table = _read(block.data, shape)
        if table is not None:
            numbers = np.arange(above + 1, above + 1 + table.num_rows, dtype=np.int64)
            above += table.num_rows
            yield with_marks(table, numbers, np.zeros(table.num_rows, dtype=bool))
        elif is_large:
            takes_large = False  # what made this block fail is seldom alone
            pieces = _blocks(io.BytesIO(block.data), shape.delimiter, PIECE_BYTES)
            blocks = chain(pieces, blocks)
        else:
            records = block.records or _records(block.data, shape.delimiter)
            numbers = np.arange(above + 1, above + 1 + len(records), dtype=np.int64)
            above += len(records)
            yield fitted(records, numbers, shape)


def csv_records(lines: Iterator[str], delimiter: str) -> Iterator[list[str]]:
    """Records as Python's own parser reads them."""
    csv.field_size_limit(LONGEST_RECORD)
    for cells in csv.reader(lines, delimiter=delimiter):
        yield [cell.replace(STRAY_CR, "\r") for cell in cells]


def fitted(
    records: Sequence[Sequence[str]], numbers: npt.NDArray[np.int64], shape: Shape
) -> pa.Table:
    """Records of any width as a table: short ones padded, long ones cut, both marked ragged;
    those that are blank altogether are left out.

    A row is not ragged for blank cells beyond the last column.
    """
    width = len(shape.columns)
    filled = np.array([any(map(str.strip, cells)) for cells in records], dtype=bool)
    records = list(compress(records, filled))
    padding = [""] * width
    padded = [[*cells, *padding][:width] for cells in records]
    ragged = [
        (len(cells) < width and not shape.short_rows) or any(map(str.strip, cells[width:]))
        for cells in records
    ]
    table = pa.table(
        {
            name: pa.array([cells[position] for cells in padded], pa.string())
            for position, name in enumerate(shape.columns)
        }
    )
    return with_marks(table, numbers[filled], np.array(ragged, dtype=bool))


def with_marks(
    table: pa.Table, numbers: npt.NDArray[np.int64], ragged: npt.NDArray[np.bool_]
) -> pa.Table:
    """The table with the columns that say where each row stands and whether it is ragged."""
    return table.append_column(ROW, pa.array(numbers)).append_column(RAGGED, pa.array(ragged))


def _read(data: bytes, shape: Shape) -> pa.Table | None:
    """The records of a block; None where they cannot be read so: see the head of this module."""
    if data.startswith(_BOM):
        return None  # Arrow would swallow the mark, which is text here
    try:
        frame = pd.read_csv(
            io.BytesIO(data),
            engine="pyarrow",
            dtype=_TEXT,
            dtype_backend="pyarrow",
            sep=shape.delimiter,
            header=None,
            keep_default_na=False,
            skip_blank_lines=False,
            on_bad_lines="error",
        )
    except (pd.errors.ParserError, pd.errors.EmptyDataError):
        return None
    if frame.shape[1] != len(shape.columns):
        return None
    if len(data) > PIECE_BYTES and len(frame) != _lines_in(data):
        return None
    frame.columns = pd.Index(shape.columns)
    return to_arrow(frame)


def _lines_in(data: bytes) -> int:
    """Where no line break stands in quotes, this is how many records there are."""
    breaks = data.count(b"\n")
    if b"\r" in data:
        breaks += data.count(b"\r") - data.count(b"\r\n")
    return breaks + (not data.endswith((b"\n", b"\r")))


class _TooLargeError(Exception):
    """A record that does not fit into memory."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self.data = data
        """the text from the last block on, with the beginning of that record"""


def _blocks(file: IO[bytes] | pa.NativeFile, delimiter: str, most: int) -> Iterator[Block]:
    """Blocks of ``most`` bytes at most, but for a record that is larger by itself."""
    rest, size = b"", most
    while True:
        data = file.read(max(1, size - len(rest)))
        is_last = not data
        rest += data
        if is_last:
            rest = rest.rstrip(b"\x1a")  # DOS ends a file with it
        if not rest:
            return
        block, used = _whole_records(rest, delimiter, most, is_last=is_last)
        rest = rest[used:]
        if block is not None:
            yield block
            size = most
        elif is_last or size > LONGEST_RECORD:
            raise _TooLargeError(rest)
        else:
            size *= 2
        if is_last:
            return


def _whole_records(
    data: bytes, delimiter: str, most: int, *, is_last: bool
) -> tuple[Block | None, int]:
    """The records that lie in the data as a whole, and how many bytes they take.

    Quotes are counted to know which line breaks end a record. That holds as long as every quote
    that opens a cell stands at its beginning, or right behind another one; else (``12" pipe``) it
    takes a parser.
    """
    if is_last and len(data) <= most:
        return Block(data), len(data)
    text = np.frombuffer(data, np.uint8)
    quotes = np.flatnonzero(text == _QUOTE)
    if len(quotes) and not _open_cells(text, quotes, delimiter):
        return _parsed_records(data, delimiter, is_last=is_last)
    end = _last_record_end(data, quotes)
    if not end or end > most:
        return _parsed_records(data, delimiter, is_last=is_last)
    return Block(data[:end]), end


def _open_cells(text: npt.NDArray[np.uint8], quotes: npt.NDArray[np.int64], delimiter: str) -> bool:
    """Whether each quote that would open a cell stands where one begins."""
    begins = np.zeros(256, dtype=bool)
    begins[[ord(delimiter), _LF, _CR]] = True
    opening, closing = quotes[::2], quotes[1::2]
    fine = begins[text[opening - 1]]
    fine[0] |= opening[0] == 0
    fine[1:] |= opening[1:] - 1 == closing[: len(opening) - 1]
    return bool(fine.all())


def _last_record_end(data: bytes, quotes: npt.NDArray[np.int64]) -> int:
    """Behind the last line break that stands in no quotes; 0 where there is none."""
    before = len(data) - 1  # what follows the last byte is not known: CR LF may be cut in two
    while True:
        end = max(data.rfind(b"\n", 0, before), data.rfind(b"\r", 0, before)) + 1
        if end and data[end - 1 : end + 1] == b"\r\n":
            end += 1
        if not end or np.searchsorted(quotes, end) % 2 == 0:
            return end
        opened = int(quotes[np.searchsorted(quotes, end) - 1])
        before = opened


def _parsed_records(data: bytes, delimiter: str, *, is_last: bool) -> tuple[Block | None, int]:
    """As :func:`_whole_records`, told by Python's parser."""
    used = ended = 0
    whole: list[list[str]] = []

    def lines() -> Iterator[str]:
        nonlocal used
        for line in _lines(data):
            used += len(line.encode())
            yield line

    try:
        for cells in csv_records(lines(), delimiter):
            if used >= len(data) and not is_last:
                break  # cut in two, for all that is known
            ended = used
            whole.append(cells)
    except csv.Error:  # the cell is larger than the limit
        return None, 0
    return (Block(data[:ended], whole), ended) if whole else (None, 0)


def _whole_records_in(data: bytes, delimiter: str) -> int:
    """How many records stand above the one that is too large."""
    found = 0
    with suppress(csv.Error):
        for _ in csv_records(_lines(data), delimiter):
            found += 1
    return found


def _records(data: bytes, delimiter: str) -> list[list[str]]:
    return list(csv_records(_lines(data), delimiter))


def _lines(data: bytes) -> Iterator[str]:
    return iter(io.TextIOWrapper(io.BytesIO(data), "utf-8", errors="replace", newline=""))
