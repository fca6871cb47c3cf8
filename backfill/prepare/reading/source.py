"""What a source is: one table of an export, a file or a sheet, as rows of text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

HeaderJudge = Callable[[Sequence[str]], float]
"""Given the texts of a row, how sure it is the header of an order export: 0 (no idea) to 1."""

#: Rows of a batch: small enough for the kernels to stay in the processor's cache, and for the lanes
#: of work to hold several at once; large enough that a call costs little a row.
BATCH_ROWS = 1 << 15
ROW = "_row"
RAGGED = "_ragged"

_KNOWN = 0.1
"""From this score on a record is taken for a header on the judge's word alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceTable:
    """What is known of a source before its first row is read."""

    source: str
    """What people call it: the path as given, with `` [Sheet]`` where several are read from it."""
    path: Path
    sheet: str | None
    sha256: str
    """Of the file's bytes, as hex."""
    columns: tuple[str, ...]
    """The header made unique, for use as column names: see :func:`unique_columns`."""
    header: tuple[str, ...]
    """The header just as it stands in the source."""
    header_row: int
    """Counted as a spreadsheet does, from 1."""
    encoding: str | None
    delimiter: str | None
    number: int = 0
    """Tells the sources of one file apart: 0 for the only one, else 1, 2, ..."""


class SourceReader(Protocol):
    """One source, ready to be read; its header has been found and there are rows below it."""

    @property
    def table(self) -> SourceTable: ...

    @property
    def skipped_sheets(self) -> tuple[str, ...]:
        """Sheets (or files of a zip) beside this source that look like no orders: not read."""

    def labelled(self, source: str) -> SourceReader:
        """The same source under another label."""

    def batches(self) -> Iterator[pa.Table]:
        """The rows below the header that are not blank, in their order, about 16k at a time.

        Columns: ``table.columns`` (string; blank is empty or null; the text is untouched), then
        ``_row`` (int64: the row's number in a spreadsheet, where the header and blank rows count
        too) and ``_ragged`` (bool: the row had too few or too many cells, and was padded or cut).
        A column may come in several chunks.

        Raises SourceError where the file turns out to be damaged further down.
        """


@dataclass(frozen=True, slots=True)
class Header:
    """Where among the first records the header stands."""

    index: int
    """Into the records that were looked at, from 0."""
    score: float
    """What the judge thinks of it."""


def find_header(records: Sequence[Sequence[str]], knows: HeaderJudge) -> Header | None:
    """The header among the first records of a source; None where all of them are blank.

    A record that the judge knows wins; what it thinks counts less for a record that fills fewer
    cells than records here usually do, as titles are. Where it knows none, the first record that
    is no title: one with nearly as many filled cells as usual. So without any evidence it is the
    first record that is not blank.
    """
    filled = [sum(1 for cell in record if cell.strip()) for record in records]
    candidates = [index for index, count in enumerate(filled) if count]
    if not candidates:
        return None
    usual = sorted(filled[index] for index in candidates)[len(candidates) // 2]
    scores = dict.fromkeys(candidates, 0.0)
    for index in candidates:
        if filled[index] > 1:  # one cell is a title: no order fits into a single column
            cells = [cell.strip() for cell in records[index]]
            scores[index] = knows(cells) * min(1.0, filled[index] / usual)
    best = max(candidates, key=lambda index: scores[index])
    if scores[best] >= _KNOWN:
        return Header(best, scores[best])
    for index in candidates:
        if filled[index] >= 0.8 * usual and not _is_data(records[index]):
            return Header(index, scores[index])
    return Header(candidates[0], scores[candidates[0]])


def unique_columns(header: Sequence[str]) -> tuple[str, ...]:
    """Names fit for a table's columns, one a header cell.

    White space at the ends goes and inside becomes one blank; a repeated ``X`` becomes ``X (2)``;
    the seventh cell, if empty, becomes ``column 7``.
    """
    taken = {ROW, RAGGED}
    names = []
    for position, cell in enumerate(header, start=1):
        plain = " ".join(cell.replace("\ufeff", "").split()) or f"column {position}"
        name, copy = plain, 1
        while name in taken:
            copy += 1
            name = f"{plain} ({copy})"
        taken.add(name)
        names.append(name)
    return tuple(names)


def without_blank_rows(table: pa.Table) -> pa.Table:
    """Drops the rows in which every cell is blank. A ragged row stays: it had other cells too."""
    suspects: pa.Array | None = None
    for name in table.column_names:
        if name in (ROW, RAGGED):
            continue
        cells = table[name] if suspects is None else table[name].take(suspects)
        blank = pc.equal(pc.utf8_trim_whitespace(cells), "")
        blank = pc.fill_null(blank, True)
        found = pa.array(np.flatnonzero(blank.to_numpy()))
        suspects = found if suspects is None else suspects.take(found)
        if len(suspects) == 0:
            return table
    if suspects is None:
        return table
    keep = table[RAGGED].to_numpy().copy()
    keep |= ~np.isin(np.arange(table.num_rows), suspects.to_numpy())
    return table.filter(pa.array(keep))


def _is_data(record: Sequence[str]) -> bool:
    """Whether more than half of the filled cells begin like a number: no header does."""
    cells = [cell.strip() for cell in record if cell.strip()]
    return 2 * sum(cell.lstrip("$€£(-+.")[:1].isdigit() for cell in cells) > len(cells)
