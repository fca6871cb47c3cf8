"""What a source is: one table of an export (a file or a sheet), as DataFrames of text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from backfill.checkpoint.decisions import Decision
from backfill.job_folder.kept_rows import RAGGED, ROW

HeaderJudge = Callable[[Sequence[str]], float]
"""Given the texts of a row, how sure it is the header of an order export: 0 (no idea) to 1."""

#: Rows of a batch: small enough for the kernels to stay in the processor's cache, and for the lanes
#: of work to hold several at once; large enough that a call costs little a row.
BATCH_ROWS = 1 << 14


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
    """The header made unique, for use as column names: see :func:`header.unique_columns`."""
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
        """Sheets (or files of a zip) beside this source that are not read."""

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """What was decided to read it so. Complete once :meth:`batches` has come to its end."""

    def labelled(self, source: str) -> SourceReader:
        """The same source under another label."""

    def batches(self) -> Iterator[pd.DataFrame]:
        """The rows below the header that are not blank, in their order, about 16k at a time.

        Columns, all backed by Arrow: ``table.columns`` (string; blank is empty or null; the text
        is untouched), then ``_row`` (int64: the row's number in a spreadsheet, where the header
        and blank rows count too) and ``_ragged`` (bool: the row had too few or too many cells,
        and was padded or cut).

        :raises SourceError: the file turns out to be damaged further down, or holds another table.
        """


def to_arrow(frame: pd.DataFrame) -> pa.Table:
    """The same columns for Arrow's kernels, without a copy of their text."""
    return pa.table({name: _as_string(pa.array(frame[name].array)) for name in frame.columns})


def to_frame(table: pa.Table) -> pd.DataFrame:
    """The same columns as a DataFrame, without a copy."""
    return pd.DataFrame(
        {
            name: pd.arrays.ArrowExtensionArray(column)
            for name, column in zip(table.column_names, table.columns, strict=True)
        },
        copy=False,
    )


def _as_string(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """With offsets of 4 bytes, as every kernel here takes them; pandas reads text with 8."""
    return column.cast(pa.string()) if pa.types.is_large_string(column.type) else column


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
