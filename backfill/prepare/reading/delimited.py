"""Delimited text: comma, semicolon, tab or pipe, however it is quoted, packed or broken."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice, pairwise

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from backfill.checkpoint.decisions import Decision, Evidence, SettledBy
from backfill.errors import SourceError, UsageError
from backfill.job_folder.kept_rows import RAGGED, ROW
from backfill.prepare.reading.clean_text import (
    DELIMITERS,
    STRAY_CR,
    Survey,
    open_clean,
    survey,
)
from backfill.prepare.reading.csv_blocks import Shape, csv_records, read_blocks
from backfill.prepare.reading.header import (
    HEAD_ROWS,
    Header,
    RepeatedHeaders,
    find_header,
    header_decisions,
    require_no_data_above,
    require_one_header,
    unique_columns,
)
from backfill.prepare.reading.origin import Origin
from backfill.prepare.reading.table import (
    BATCH_ROWS,
    HeaderJudge,
    SourceTable,
    to_frame,
    without_blank_rows,
)

_NO_TEXT = ' \t\r\n"' + "".join(DELIMITERS)
_ONE_QUOTED_CELL = re.compile(r'\s*"(?:[^"]|"")*"(?P<blank_cells>[,;\t|]*)\s*')
_HEAD_BYTES = 1 << 18
_BATCH_BYTES = 1 << 25


@dataclass(frozen=True, slots=True)
class Layout:
    """How the text is laid out, told from its beginning."""

    delimiter: str
    header: tuple[str, ...]
    """As it stands, as wide as nearly all rows are."""
    header_row: int
    offset: int
    """Where the first record below the header begins, in bytes of clean UTF-8."""
    records_above: int
    """How many records stand above that one."""
    short_rows: Decision | None
    """That blank cells are left out at a row's end."""
    decisions: tuple[Decision, ...]


@dataclass(frozen=True, slots=True)
class TextReader:
    """A SourceReader of delimited text."""

    table: SourceTable
    skipped_sheets: tuple[str, ...]
    origin: Origin
    survey: Survey
    layout: Layout
    repeated: RepeatedHeaders

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """See SourceReader."""
        source = self.table.source
        made = (
            *self.survey.decisions(source),
            *self.layout.decisions,
            *([self.layout.short_rows] if self.layout.short_rows else []),
            *self.repeated.found,
        )
        return tuple(replace(one, source=source) for one in made)

    def labelled(self, source: str) -> TextReader:
        """See SourceReader."""
        return replace(self, table=replace(self.table, source=source))

    def batches(self) -> Iterator[pd.DataFrame]:
        """See SourceReader."""
        held: pa.Table | None = None
        for batch in _gathered(self._rows()):
            if held is not None:
                yield from self._finished(held)
            held = batch
        if held is not None:
            yield from self._finished(self._with_its_end_checked(held))

    def _rows(self) -> Iterator[pa.Table]:
        layout = self.layout
        shape = Shape(layout.delimiter, self.table.columns, layout.short_rows is not None)
        with open_clean(self.origin, self.survey, layout.offset) as file:
            yield from read_blocks(file, shape, self.table.source, layout.records_above)

    def _with_its_end_checked(self, batch: pa.Table) -> pa.Table:
        """The last batch, with its last row marked ragged if the text breaks off inside it."""
        cell = batch[self.table.columns[-1]][-1].as_py()
        if not self.survey.breaks_off_in(cell, self.layout.delimiter):
            return batch
        ragged = batch[RAGGED].to_numpy().copy()
        ragged[-1] = True
        return batch.set_column(batch.num_columns - 1, RAGGED, pa.array(ragged))

    def _finished(self, table: pa.Table) -> Iterator[pd.DataFrame]:
        if self.survey.stray_cr:
            for position, name in enumerate(table.column_names):
                if name not in (ROW, RAGGED):
                    cells = pc.replace_substring(table[name], STRAY_CR, "\r")
                    table = table.set_column(position, name, cells)
        table = self.repeated.left_out(without_blank_rows(table))
        if table.num_rows:
            yield to_frame(table)


def open_text(
    origin: Origin,
    *,
    source: str,
    sha256: str,
    knows: HeaderJudge,
    encoding: str | None = None,
    header_row: int | None = None,
    number: int = 0,
    skipped: tuple[str, ...] = (),
) -> TextReader:
    """Finds out encoding, delimiter and header. ``sha256`` is the file's.

    :raises SourceError: the file is damaged, empty, or has no row below its header.
    :raises UsageError: its encoding or its header cannot be told; an option settles it.
    """
    found = survey(origin, source, encoding)
    if not found.size:
        raise SourceError(source, "the file is empty", hint="export it again")
    head, is_all = _head(origin, found)
    wrapped = _wrapped(head)
    if wrapped is not None:
        found = replace(found, wrapped=wrapped)
        head, is_all = _head(origin, found)
    layout = find_layout(source, head, is_all, knows, header_row)
    if layout.short_rows is not None and _ends_rows_with_blanks(origin, found, layout):
        layout = replace(layout, short_rows=None)
    table = SourceTable(
        source=source,
        path=origin.path,
        sheet=None,
        sha256=sha256,
        columns=unique_columns(layout.header),
        header=layout.header,
        header_row=layout.header_row,
        encoding=found.encoding.name,
        delimiter=layout.delimiter,
        number=number,
    )
    return TextReader(
        table, skipped, origin, found, layout, RepeatedHeaders(source, table.columns, layout.header)
    )


def find_layout(
    source: str, head: str, is_all: bool, knows: HeaderJudge, header_row: int | None = None
) -> Layout:
    """The delimiter and header that explain the first records of a text best.

    :param is_all: ``head`` is the whole text.
    :raises SourceError: there are no rows.
    :raises UsageError: there is no header in the row that the user names, or data above it.
    """
    start, told = _told_by_spreadsheet(head)
    candidates = []
    for delimiter in [told] if told else DELIMITERS:
        records = list(_first_records(head, start, delimiter, is_all, header_row))
        rows = [cells for cells, _ in records]
        header = find_header(rows, knows, header_row)
        if header is not None:
            fit = _fit(rows, header, delimiter)
            candidates.append((header.score * fit, fit, delimiter, header, records))
    if not head.strip(_NO_TEXT) and is_all:
        raise SourceError(
            source, "the file is empty: it has only blank lines", hint="export it again"
        )
    if not candidates and header_row is not None:
        raise UsageError(
            f"{source}: --header-row {header_row}: there is no such row, or it is blank",
            hint="rows are counted from 1, including blank rows and titles",
        )
    if not candidates:
        raise SourceError(
            source,
            f"no header in the first {_HEAD_BYTES >> 10} KB",
            hint="the cause may be an opening quote that is never closed; look for one there",
        )
    *_, delimiter, header, records = max(candidates, key=lambda each: each[:2])
    rows = [cells for cells, _ in records]
    if header_row is None:
        require_no_data_above(source, rows, header)
    require_one_header(source, rows, header)
    first = header.index + 1 + header.described
    below = [cells for cells in rows[first:] if any(map(str.strip, cells))]
    if is_all and not below:
        raise SourceError(
            source, "there are no rows below the header", hint="export it with its orders"
        )
    header_cells = rows[header.index]
    widths = [len(cells) for cells in below]
    cut_short = _are_cut_short(below, len(header_cells))
    short = sum(width < len(header_cells) for width in widths)
    return Layout(
        delimiter=delimiter,
        header=_as_wide(header_cells, below),
        header_row=header.index + 1,
        offset=len(head[: records[first - 1][1]].encode()),
        records_above=first,
        short_rows=_short_rows(source, short) if cut_short else None,
        decisions=tuple(header_decisions(source, rows, header, header_row)),
    )


def _head(origin: Origin, found: Survey) -> tuple[str, bool]:
    """The text's beginning, and whether that is all of it."""
    with open_clean(origin, found) as file:
        data = file.read(_HEAD_BYTES)
        while len(data) < _HEAD_BYTES and (more := file.read(_HEAD_BYTES - len(data))):
            data += more
        is_all = not file.read(1)
    return data.decode("utf-8", "ignore"), is_all


def _wrapped(head: str) -> str | None:
    """How rows are wrapped where every line is one quoted cell with delimiters in it: a row saved
    as if it were the text of a single cell.

    :returns: the delimiter that stands behind the cell for the blank ones beside it; empty where
        there are none; None where the lines are rows.
    """
    lines = [line for line in head.splitlines()[:HEAD_ROWS] if line.strip(_NO_TEXT)]
    cells = [_ONE_QUOTED_CELL.fullmatch(line) for line in lines]
    outer = {mark for cell in cells if cell is not None for mark in cell["blank_cells"]}
    if len(lines) < 2 or not all(cells) or len(outer) > 1:
        return None
    behind = outer.pop() if outer else ""
    inner = [mark for mark in DELIMITERS if mark != behind]
    return behind if any(all(mark in line for line in lines) for mark in inner) else None


def _told_by_spreadsheet(head: str) -> tuple[int, str | None]:
    """``sep=;`` on the first line tells Excel the delimiter; Excel does not count it as a row."""
    line = head[:7].lower()
    if line.startswith("sep=") and line[4:5] in DELIMITERS and line[5:6] in ("\r", "\n"):
        return (7 if line[5:7] == "\r\n" else 6), line[4]
    return 0, None


def _first_records(
    head: str, start: int, delimiter: str, is_all: bool, header_row: int | None = None
) -> Iterator[tuple[list[str], int]]:
    """The first records and where each ends, in characters; none that the head cuts in two."""
    end = start

    def lines() -> Iterator[str]:
        nonlocal end
        for line in io.StringIO(head[start:], newline=""):
            end += len(line)
            yield line

    wanted = HEAD_ROWS + (header_row or 0)
    for cells in islice(csv_records(lines(), delimiter), wanted):
        if end == len(head) and not is_all:
            break
        yield cells, end


def _fit(records: Sequence[Sequence[str]], header: Header, delimiter: str) -> float:
    """How well a delimiter explains the records: 1 is perfect.

    The rows are as wide as the header, the header has no other delimiter in its cells and needs
    no record above it explained away; and of two that do as well, the one with more columns.
    """
    cells = records[header.index]
    below = [len(record) for record in records[header.index + 1 :] if any(record)]
    agree = sum(width == len(cells) for width in below) / len(below) if below else 1.0
    others = [each for each in DELIMITERS if each != delimiter]
    pure = sum(not any(other in cell for other in others) for cell in cells) / len(cells)
    above = sum(1 for record in records[: header.index] if any(record))
    return (0.1 + agree) * pure * 0.8**above * (1 - 0.9 / len(cells))


def _as_wide(header: Sequence[str], below: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """The header as wide as more than half of the rows are: with blank cells added, or without
    those at its end, as a delimiter at the end of the line makes one.

    A cell with a value beyond the header is no such thing: it has shifted the cells before it, as
    a decimal comma in no quotes does.
    """
    named = max((place for place, cell in enumerate(header, 1) if cell.strip()), default=0)
    widths = sorted(map(len, below))
    usual = widths[len(widths) // 2] if widths else 0
    if 2 * widths.count(usual) <= len(widths):
        return tuple(header)
    if any(cell.strip() for cells in below for cell in cells[len(header) :]):
        return tuple(header)
    width = max(named, usual)
    return (*header, *[""] * (width - len(header)))[:width]


def _are_cut_short(below: Sequence[Sequence[str]], width: int) -> bool:
    """Whether blank cells at a row's end seem to be left out: several rows are short, none is too
    long, none ends in a blank cell, and no two are the halves of a row that a line break cut."""
    short = sum(len(cells) < width for cells in below[:-1])  # the last one may be cut off
    halves = any(
        len(one) + len(other) == width + 1 and max(len(one), len(other)) < width
        for one, other in pairwise(below)
    )
    return (
        short > 1 and 4 * short >= len(below) and not halves
        and all(len(cells) <= width and cells[-1].strip() for cells in below)
    )  # fmt: skip


def _ends_rows_with_blanks(origin: Origin, found: Survey, layout: Layout) -> bool:
    """Whether any line of the text ends in a delimiter, so that blank cells are not left out."""
    ends = [f"{layout.delimiter}{end}".encode() for end in ("\r\n", "\n", "\r")]
    held = b""
    with open_clean(origin, found, layout.offset) as file:
        while block := file.read(_HEAD_BYTES):
            text = held + block
            if any(end in text for end in ends):
                return True
            held = text[-2:]
    return False


def _short_rows(source: str, count: int) -> Decision:
    return Decision(
        what="delimiter",
        source=source,
        column=None,
        value="short rows end in blank cells",
        settled_by=SettledBy.PROOF,
        evidence=Evidence(
            supporting=count,
            note="short rows among the first; no row of the file ends in a blank cell",
        ),
    )


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
