"""Delimited text: comma, semicolon, tab or pipe, however it is quoted, packed or broken.

Arrow's parser reads at the speed of the disk. It hands the rows it cannot place (too few cells,
too many) to a callback together with their number, so they are put back where they stood. The
rare file in which a record is larger than Arrow's block goes on with Python's own parser.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import compress, islice

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from backfill.errors import SourceError
from backfill.prepare.reading.source import (
    BATCH_ROWS,
    RAGGED,
    ROW,
    Header,
    HeaderJudge,
    SourceTable,
    find_header,
    unique_columns,
    without_blank_rows,
)
from backfill.prepare.reading.streams import STRAY_CR, Origin, Survey, open_clean, survey

_DELIMITERS = (",", ";", "\t", "|")
_NO_TEXT = ' \t\r\n"' + "".join(_DELIMITERS)
_HEAD_BYTES = 1 << 18
_HEAD_RECORDS = 30
_BLOCK_BYTES = 1 << 20
"""Arrow reads up to 32 blocks ahead, so small ones keep memory flat; a record must fit into one."""
_BATCH_BYTES = 1 << 25
_LONGEST_CELL = 1 << 26


@dataclass(frozen=True, slots=True)
class Layout:
    """How the text is laid out, told from its beginning."""

    delimiter: str
    header: tuple[str, ...]
    """As it stands, with empty cells added where nearly all rows are wider."""
    header_row: int
    offset: int
    """Where the first record below the header begins, in bytes of clean UTF-8."""


@dataclass(frozen=True, slots=True)
class TextReader:
    """A SourceReader of delimited text."""

    table: SourceTable
    skipped_sheets: tuple[str, ...]
    origin: Origin
    survey: Survey
    layout: Layout

    def batches(self) -> Iterator[pa.Table]:
        """See SourceReader."""
        held: pa.Table | None = None
        for batch in _gathered(self._rows()):
            if held is not None:
                yield from _finish(held, self.survey)
            held = batch
        if held is not None:
            yield from _finish(self._with_its_end_checked(held), self.survey)

    def labelled(self, source: str) -> TextReader:
        """See SourceReader."""
        return replace(self, table=replace(self.table, source=source))

    def _rows(self) -> Iterator[pa.Table]:
        last = self.layout.header_row
        try:
            for batch in _parse(self):
                yield batch
                last = batch[ROW][-1].as_py()
        except pa.ArrowInvalid:  # a record is larger than a block
            yield from _parse_patiently(self, after=last)

    def _with_its_end_checked(self, batch: pa.Table) -> pa.Table:
        """The last batch, with its last row marked ragged if the text breaks off inside it."""
        cell = batch[self.table.columns[-1]][-1].as_py()
        if not self.survey.breaks_off_in(cell, self.layout.delimiter):
            return batch
        ragged = batch[RAGGED].to_numpy().copy()
        ragged[-1] = True
        return batch.set_column(batch.num_columns - 1, RAGGED, pa.array(ragged))


def open_text(
    origin: Origin,
    *,
    source: str,
    sha256: str,
    knows: HeaderJudge,
    number: int = 0,
    skipped: tuple[str, ...] = (),
) -> TextReader:
    """Finds out encoding, delimiter and header. ``sha256`` is the file's.

    Raises SourceError where the file is damaged, empty, or has no row below its header.
    """
    found = survey(origin)
    if not found.size:
        raise SourceError(source, "is empty", hint="export it again")
    layout = find_layout(source, *_head(origin, found), knows)
    table = SourceTable(
        source=source,
        path=origin.path,
        sheet=None,
        sha256=sha256,
        columns=unique_columns(layout.header),
        header=layout.header,
        header_row=layout.header_row,
        encoding=found.encoding,
        delimiter=layout.delimiter,
        number=number,
    )
    return TextReader(table, skipped, origin, found, layout)


def find_layout(source: str, head: str, is_all: bool, knows: HeaderJudge) -> Layout:
    """The delimiter and header that explain the first records of a text best.

    ``is_all``: ``head`` is the whole text. Raises SourceError where there are no rows.
    """
    start, told = _told_by_spreadsheet(head)
    candidates = []
    for delimiter in [told] if told else _DELIMITERS:
        records = list(_first_records(head, start, delimiter, is_all))
        header = find_header([cells for cells, _ in records], knows)
        if header is not None:
            fit = _fit([cells for cells, _ in records], header, delimiter)
            candidates.append((header.score * fit, fit, delimiter, header.index, records))
    if not candidates and not is_all:
        raise SourceError(
            source,
            f"no header in its first {_HEAD_BYTES >> 10} KB",
            hint="an opening quote that is never closed does this; look for it there",
        )
    if not candidates or (is_all and not head.strip(_NO_TEXT)):
        raise SourceError(source, "is empty: blank lines only", hint="export it again")
    *_, delimiter, index, records = max(candidates, key=lambda each: each[:2])
    below = [cells for cells, _ in records[index + 1 :] if any(map(str.strip, cells))]
    if is_all and not below:
        raise SourceError(
            source, "has a header and no rows below it", hint="export it with its orders"
        )
    header_cells = records[index][0]
    width = max(len(header_cells), _usual_width(below))
    return Layout(
        delimiter=delimiter,
        header=(*header_cells, *[""] * (width - len(header_cells))),
        header_row=index + 1,
        offset=len(head[: records[index][1]].encode()),
    )


def _head(origin: Origin, found: Survey) -> tuple[str, bool]:
    """The text's beginning, and whether that is all of it."""
    with open_clean(origin, found) as file:
        data = file.read(_HEAD_BYTES)
        while len(data) < _HEAD_BYTES and (more := file.read(_HEAD_BYTES - len(data))):
            data += more
        is_all = not file.read(1)
    return data.decode("utf-8", "ignore"), is_all


def _told_by_spreadsheet(head: str) -> tuple[int, str | None]:
    """``sep=;`` on the first line tells Excel the delimiter; Excel does not count it as a row."""
    line = head[:7].lower()
    if line.startswith("sep=") and line[4:5] in _DELIMITERS and line[5:6] in ("\r", "\n"):
        return (7 if line[5:7] == "\r\n" else 6), line[4]
    return 0, None


def _first_records(
    head: str, start: int, delimiter: str, is_all: bool
) -> Iterator[tuple[list[str], int]]:
    """The first records and where each ends, in characters; none that the head cuts in two."""
    end = start

    def lines() -> Iterator[str]:
        nonlocal end
        for line in io.StringIO(head[start:], newline=""):
            end += len(line)
            yield line

    for cells in islice(_csv_records(lines(), delimiter), _HEAD_RECORDS):
        if end == len(head) and not is_all:
            break
        yield cells, end


def _csv_records(lines: Iterator[str], delimiter: str) -> Iterator[list[str]]:
    csv.field_size_limit(_LONGEST_CELL)
    for cells in csv.reader(lines, delimiter=delimiter):
        yield [cell.replace(STRAY_CR, "\r") for cell in cells]


def _fit(records: Sequence[Sequence[str]], header: Header, delimiter: str) -> float:
    """How well a delimiter explains the records: 1 is perfect.

    The rows are as wide as the header, the header has no other delimiter in its cells and needs
    no record above it explained away; and of two that do as well, the one with more columns.
    """
    cells = records[header.index]
    below = [len(record) for record in records[header.index + 1 :] if any(record)]
    agree = sum(width == len(cells) for width in below) / len(below) if below else 1.0
    others = [each for each in _DELIMITERS if each != delimiter]
    pure = sum(not any(other in cell for other in others) for cell in cells) / len(cells)
    above = sum(1 for record in records[: header.index] if any(record))
    return (0.1 + agree) * pure * 0.8**above * (1 - 0.9 / len(cells))


def _usual_width(records: Sequence[Sequence[str]]) -> int:
    """The width that more than half of the records have; 0 where there is none."""
    widths = sorted(len(record) for record in records)
    middle = widths[len(widths) // 2] if widths else 0
    return middle if 2 * widths.count(middle) > len(widths) else 0


# --- the fast way ---------------------------------------------------------------------------


def _parse(reader: TextReader) -> Iterator[pa.Table]:
    """All rows, blank ones too. Raises ArrowInvalid at a record that is larger than a block."""
    table, layout = reader.table, reader.layout
    odd = _OddRows(layout.delimiter, table.columns)
    names = list(table.columns)
    with open_clean(reader.origin, reader.survey, layout.offset) as file:
        stream = pyarrow.csv.open_csv(
            file,
            read_options=pyarrow.csv.ReadOptions(
                column_names=names, block_size=_BLOCK_BYTES, use_threads=False
            ),
            parse_options=pyarrow.csv.ParseOptions(
                delimiter=layout.delimiter,
                newlines_in_values=True,
                ignore_empty_lines=False,  # so that they count
                invalid_row_handler=odd.take,
            ),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                strings_can_be_null=False,
                quoted_strings_can_be_null=False,
            ),
        )
        next_number = 1
        for batch in stream:
            whole, next_number = odd.put_back(batch, next_number, layout.header_row)
            if whole.num_rows:
                yield whole
        rest = odd.rest(layout.header_row)
        if rest.num_rows:
            yield rest


class _OddRows:
    """The rows that do not have the header's width, on their way back to their places."""

    def __init__(self, delimiter: str, columns: tuple[str, ...]) -> None:
        self._delimiter = delimiter
        self._columns = columns
        self._rows: list[tuple[int, str]] = []

    def take(self, row: pyarrow.csv.InvalidRow) -> str:
        """Arrow's callback: keeps the row, and tells Arrow to leave it out."""
        self._rows.append((row.number, row.text.rstrip("\x1a")))  # DOS ends a file with it
        return "skip"

    def put_back(self, batch: pa.RecordBatch, first: int, above: int) -> tuple[pa.Table, int]:
        """The batch with the odd rows that stand among its rows, and the number that comes next.

        ``first``: the number of the first record that is not accounted for yet.
        """
        odd = np.array([number for number, _ in self._rows], dtype=np.int64)
        # How many rows of the batch stand above each odd row: the numbers between are theirs.
        place = odd - first - np.arange(len(odd))
        count = int(np.searchsorted(place, batch.num_rows, side="left"))
        positions = np.arange(batch.num_rows, dtype=np.int64)
        numbers = first + positions + np.searchsorted(place[:count], positions, side="right")
        table = _with_marks(
            pa.Table.from_batches([batch]), numbers + above, np.zeros(batch.num_rows, dtype=bool)
        )
        if count:
            between = self._as_table(self._rows[:count], above)
            del self._rows[:count]
            table = pa.concat_tables([table, between])
            table = table.take(pa.array(np.argsort(table[ROW].to_numpy(), kind="stable")))
        return table, first + batch.num_rows + count

    def rest(self, above: int) -> pa.Table:
        """The odd rows below the last batch."""
        return self._as_table(self._rows, above)

    def _as_table(self, rows: Sequence[tuple[int, str]], above: int) -> pa.Table:
        records = [_cells(text, self._delimiter) for _, text in rows]
        numbers = np.array([number + above for number, _ in rows], dtype=np.int64)
        return _fitted(records, numbers, self._columns)


def _cells(text: str, delimiter: str) -> list[str]:
    return next(_csv_records(iter([text]), delimiter), [])


# --- the patient way ------------------------------------------------------------------------


def _parse_patiently(reader: TextReader, after: int) -> Iterator[pa.Table]:
    """The rows below row ``after``, record by record: nothing is too large or too odd for it."""
    layout = reader.layout
    with open_clean(reader.origin, reader.survey, layout.offset) as file:
        lines = io.TextIOWrapper(file, encoding="utf-8", errors="replace", newline="")
        numbered = enumerate(_csv_records(iter(lines), layout.delimiter), layout.header_row + 1)
        wanted = ((number, cells) for number, cells in numbered if number > after)
        try:
            while chunk := list(islice(wanted, BATCH_ROWS)):
                numbers = np.array([number for number, _ in chunk], dtype=np.int64)
                yield _fitted([cells for _, cells in chunk], numbers, reader.table.columns)
        except csv.Error as error:
            raise SourceError(
                reader.table.source,
                f"a cell below row {after} is larger than {_LONGEST_CELL >> 20} MB",
                hint="an opening quote that is never closed does this; look for it there",
            ) from error


# --- what both ways end with ----------------------------------------------------------------


def _fitted(
    records: Sequence[Sequence[str]], numbers: npt.NDArray[np.int64], columns: tuple[str, ...]
) -> pa.Table:
    """Records of any width as a table: short ones padded, long ones cut, both marked ragged;
    those that are blank altogether are left out.

    A row is not ragged for blank cells beyond the last column.
    """
    width = len(columns)
    filled = np.array([any(map(str.strip, cells)) for cells in records], dtype=bool)
    records = list(compress(records, filled))
    padding = [""] * width
    fitted = [[*cells, *padding][:width] for cells in records]
    ragged = [len(cells) < width or any(map(str.strip, cells[width:])) for cells in records]
    table = pa.table(
        {
            name: pa.array([cells[position] for cells in fitted], pa.string())
            for position, name in enumerate(columns)
        }
    )
    return _with_marks(table, numbers[filled], np.array(ragged, dtype=bool))


def _with_marks(
    table: pa.Table, numbers: npt.NDArray[np.int64], ragged: npt.NDArray[np.bool_]
) -> pa.Table:
    return table.append_column(ROW, pa.array(numbers)).append_column(RAGGED, pa.array(ragged))


def _gathered(tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """Small tables put together until they make a batch; not copied, their chunks stay."""
    parts: list[pa.Table] = []
    for table in tables:
        if not table.num_rows:
            continue
        parts.append(table)
        rows = sum(part.num_rows for part in parts)
        if rows >= BATCH_ROWS or sum(part.nbytes for part in parts) >= _BATCH_BYTES:
            yield pa.concat_tables(parts)
            parts = []
    if parts:
        yield pa.concat_tables(parts)


def _finish(table: pa.Table, found: Survey) -> Iterator[pa.Table]:
    if found.stray_cr:
        for position, name in enumerate(table.column_names):
            if name not in (ROW, RAGGED):
                cells = pc.replace_substring(table[name], STRAY_CR, "\r")
                table = table.set_column(position, name, cells)
    table = without_blank_rows(table)
    if table.num_rows:
        yield table
