"""Workbooks: .xlsx, .xlsm, .xls, .xlsb and .ods, every cell as text.

fastexcel turns whole sheets into text in one go, but it rounds numbers to nine decimals and gives
a midnight to each date. What a cell holds can be told from the same sheet read as numbers and read
as times; the three readings run side by side, as fastexcel works outside of Python's lock.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

import fastexcel
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from backfill.errors import SourceError, UsageError
from backfill.prepare.reading.fingerprint import unreadable
from backfill.prepare.reading.source import (
    BATCH_ROWS,
    RAGGED,
    ROW,
    HeaderJudge,
    SourceTable,
    find_header,
    unique_columns,
    without_blank_rows,
)

_HEAD_RECORDS = 30
_KEPT_BYTES = 1 << 27
_NUMBER = r"^-?[0-9]+(\.[0-9]+)?$"
_PLAIN_TIMES = (
    (r"^([0-9]{4}-[0-9]{2}-[0-9]{2})T", r"\1 "),  # as OpenDocument has it
    (r" 00:00:00$", ""),  # a date
    (r"^1899-12-3[01] ", ""),  # a time of day without a date
)
"""How fastexcel spells times, and what is meant."""

for _name in ("calamine", "fastexcel"):  # their warnings are not for the person at the terminal
    logging.getLogger(_name).addHandler(logging.NullHandler())


@dataclass(frozen=True, slots=True)
class _Sheet:
    name: str
    header: tuple[str, ...]
    header_row: int
    score: float
    cells: pa.RecordBatch | None
    """The whole sheet as text, unless it is too large to be kept until it is asked for."""


@dataclass(frozen=True, slots=True)
class SheetReader:
    """A SourceReader of one sheet."""

    table: SourceTable
    skipped_sheets: tuple[str, ...]
    cells: pa.RecordBatch | None

    def labelled(self, source: str) -> SheetReader:
        """See SourceReader."""
        return replace(self, table=replace(self.table, source=source))

    def batches(self) -> Iterator[pa.Table]:
        """See SourceReader. No row of a sheet is ragged."""
        table = self.table
        cells = self.cells
        if cells is None:
            cells = _read_cells(table.path, _content(table.path), table.sheet or "")
        first = table.header_row  # the index of the row below the header
        for start in range(first, cells.num_rows, BATCH_ROWS):
            part = cells.slice(start, BATCH_ROWS)
            numbers = np.arange(start + 1, start + 1 + part.num_rows, dtype=np.int64)
            columns = dict(zip(table.columns, part.columns, strict=False))
            columns[ROW] = pa.array(numbers)
            columns[RAGGED] = pa.array(np.zeros(part.num_rows, dtype=bool))
            rows = without_blank_rows(pa.table(columns))
            if rows.num_rows:
                yield rows


def open_workbook(path: Path, *, sheet: str | None, knows: HeaderJudge) -> list[SheetReader]:
    """A reader for each sheet that holds orders: those whose header is as good as the best one's,
    or just ``sheet``.

    Raises SourceError where the workbook is damaged, protected, or has no rows; UsageError where
    it has no ``sheet``.
    """
    content = _content(path)
    names = _sheet_names(path, content)
    wanted = names if sheet is None else [_named(sheet, names, path)]
    kept = 0
    sheets = []
    for name in wanted:
        cells = _read_cells(path, content, name)
        found = _find_sheet(name, cells, knows, keep=kept + cells.nbytes <= _KEPT_BYTES)
        if found is not None:
            kept += cells.nbytes if found.cells is not None else 0
            sheets.append(found)
    if not sheets:
        raise SourceError(
            path if sheet is None else f"{path} [{sheet}]",
            "has no row below a header",
            hint="export it with its orders, or name another sheet with --sheet",
        )
    chosen = _alike(sheets)
    skipped = tuple(name for name in names if name not in {each.name for each in chosen})
    sha256 = hashlib.sha256(content).hexdigest()
    return [
        SheetReader(
            table=SourceTable(
                source=str(path) if len(chosen) == 1 else f"{path} [{each.name}]",
                path=path,
                sheet=each.name,
                sha256=sha256,
                columns=unique_columns(each.header),
                header=each.header,
                header_row=each.header_row,
                encoding=None,
                delimiter=None,
                number=0 if len(chosen) == 1 else names.index(each.name) + 1,
            ),
            skipped_sheets=skipped,
            cells=each.cells,
        )
        for each in chosen
    ]


def _content(path: Path) -> bytes:
    """The file's bytes: given these, fastexcel goes by them and not by the file's name."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise unreadable(path, error) from error


def _sheet_names(path: Path, content: bytes) -> list[str]:
    try:
        return list(fastexcel.read_excel(content).sheet_names)
    except BaseException as error:
        raise _refused(path, error) from error


def _named(sheet: str, names: Sequence[str], path: Path) -> str:
    if sheet in names:
        return sheet
    alike = [name for name in names if name.strip().casefold() == sheet.strip().casefold()]
    if len(alike) == 1:
        return alike[0]
    raise UsageError(f"{path}: has no sheet {sheet!r}", hint=f"its sheets are: {', '.join(names)}")


def _find_sheet(
    name: str, cells: pa.RecordBatch, knows: HeaderJudge, *, keep: bool
) -> _Sheet | None:
    """The sheet's header; None where it has no header or no row below."""
    head = cells.slice(0, _HEAD_RECORDS)
    columns = [[cell or "" for cell in column.to_pylist()] for column in head.columns]
    records = list(zip(*columns, strict=True))
    header = find_header(records, knows)
    if header is None:
        return None
    below = cells.slice(header.index + 1)
    if not any(column.null_count < len(column) for column in below.columns):
        return None
    return _Sheet(
        name=name,
        header=tuple(records[header.index]),
        header_row=header.index + 1,
        score=header.score,
        cells=cells if keep else None,
    )


def _alike(sheets: Sequence[_Sheet]) -> list[_Sheet]:
    """The best sheet (the first of equals) and those that are like it."""
    best = max(sheets, key=lambda sheet: sheet.score)
    return [
        sheet
        for sheet in sheets
        if sheet.header == best.header or (best.score > 0 and sheet.score >= 0.9 * best.score)
    ]


# --- cells as text ----------------------------------------------------------------------------


def _read_cells(path: Path, content: bytes, name: str) -> pa.RecordBatch:
    """The sheet from its first row on, each cell as text, blank ones null.

    A whole number has no decimals (536365) and never an exponent; any other is the shortest text
    that stands for it (731.9399999999999). A time is ``2010-12-01 08:26:00``, without its clock at
    midnight, and without its day where it has none. Booleans are ``true`` and ``false``.
    """
    with ThreadPoolExecutor(1) as threads:
        as_numbers = threads.submit(_load, path, content, name, "float")
        text = _load(path, content, name, "string")
        numbers = as_numbers.result()
    columns = [
        _with_exact_numbers(cells, exact)
        for cells, exact in zip(text.columns, numbers.columns, strict=True)
    ]
    timed = [index for index, column in enumerate(columns) if _has_times(column)]
    if timed:
        times = _load(path, content, name, "datetime")
        for index in timed:
            columns[index] = _with_plain_times(columns[index], times.column(index))
    return pa.record_batch(columns, names=text.schema.names)


def _load(path: Path, content: bytes, name: str, dtype: fastexcel.DType) -> pa.RecordBatch:
    try:
        return fastexcel.read_excel(content).load_sheet(
            name, header_row=None, skip_rows=0, dtypes=dtype, eager=True
        )
    except BaseException as error:
        raise _refused(path, error) from error


def _with_exact_numbers(text: pa.Array, numbers: pa.Array) -> pa.Array:
    """Undoes fastexcel's rounding, in the few number cells that it changed.

    A text cell that only looks like a number (007) is no number cell that was rounded: there the
    text, read as a number, is what the number is.
    """
    if numbers.null_count == len(numbers):
        return text
    looks = pc.fill_null(pc.match_substring_regex(text, _NUMBER), False)
    read = pc.cast(pc.if_else(looks, text, None), pa.float64())
    changed = pc.fill_null(pc.not_equal(read, numbers), False)
    if not pc.any(changed).as_py():
        return text
    exact = numbers.filter(changed).dictionary_encode()
    spelled = pa.array([_plainly(number) for number in exact.dictionary.to_pylist()], pa.string())
    return pc.replace_with_mask(text, changed, spelled.take(exact.indices))


def _plainly(number: float) -> str:
    return format(Decimal(repr(number)), "f")


def _has_times(text: pa.Array) -> bool:
    spelled = "|".join(pattern for pattern, _ in _PLAIN_TIMES)
    return bool(pc.any(pc.match_substring_regex(text, spelled)).as_py())


def _with_plain_times(text: pa.Array, times: pa.Array) -> pa.Array:
    """Spells the cells that hold a time plainly; a text cell that looks like one stays as it is."""
    plain = text
    for pattern, meant in _PLAIN_TIMES:
        plain = pc.replace_substring_regex(plain, pattern, meant)
    return pc.if_else(pc.is_valid(times), plain, text)


def _refused(path: Path, error: BaseException) -> SourceError:
    """fastexcel's many errors, in words that help; anything but its own stays what it is.

    A panic of the Rust code below it, over a damaged file, is not even an Exception in Python.
    """
    is_panic = type(error).__name__ == "PanicException"
    if not (is_panic or isinstance(error, fastexcel.FastExcelError)):
        raise error
    reason = (str(error) or "no reason was given").splitlines()[0]
    if "password" in reason.lower():
        return SourceError(
            path, "is protected by a password", hint="save a copy of it without the password"
        )
    return SourceError(
        path,
        f"is cut off or damaged, and is no workbook that can be read ({reason})",
        hint="download it again, or open it in a spreadsheet and save it as .xlsx or CSV",
    )
