"""Workbooks: .xlsx, .xlsm, .xls, .xlsb and .ods, read by pandas, every cell as text."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from python_calamine import CalamineError, SheetVisibleEnum

from backfill.checkpoint.decisions import Decision, Evidence, SettledBy
from backfill.errors import BackfillError, SourceError, UsageError
from backfill.job_folder.kept_rows import RAGGED, ROW
from backfill.prepare.reading.cells import as_text
from backfill.prepare.reading.fingerprint import unreadable
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
from backfill.prepare.reading.sheet_xml import SheetFacts, sheet_facts
from backfill.prepare.reading.table import (
    BATCH_ROWS,
    HeaderJudge,
    SourceTable,
    to_frame,
    without_blank_rows,
)

_KEPT_BYTES = 1 << 27


@dataclass(frozen=True, slots=True)
class _Sheet:
    """A sheet with a header and rows below it."""

    name: str
    rows: Sequence[Sequence[str]]
    """The first ones."""
    header: Header
    decisions: tuple[Decision, ...]
    falses: Mapping[int, int]
    """how many cells of a column, by its place, are FALSE and stand for a blank"""
    cells: pa.Table | None
    """The whole sheet as text, unless it is too large to be kept until it is asked for."""

    @property
    def header_cells(self) -> tuple[str, ...]:
        return tuple(self.rows[self.header.index])


@dataclass(frozen=True, slots=True)
class SheetReader:
    """A SourceReader of one sheet."""

    table: SourceTable
    skipped_sheets: tuple[str, ...]
    first: int
    """The index of the first row below the header."""
    cells: pa.Table | None
    made: tuple[Decision, ...]
    repeated: RepeatedHeaders

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """See SourceReader."""
        made = (*self.made, *self.repeated.found)
        return tuple(replace(one, source=self.table.source) for one in made)

    def labelled(self, source: str) -> SheetReader:
        """See SourceReader."""
        return replace(self, table=replace(self.table, source=source))

    def batches(self) -> Iterator[pd.DataFrame]:
        """See SourceReader. No row of a sheet is ragged."""
        table = self.table
        cells = self.cells
        if cells is None:
            book = _open(table.path, _content(table.path))
            cells, _ = _read_cells(table.path, book, table.sheet or "")
        for start in range(self.first, cells.num_rows, BATCH_ROWS):
            part = cells.slice(start, BATCH_ROWS)
            numbers = np.arange(start + 1, start + 1 + part.num_rows, dtype=np.int64)
            columns = dict(zip(table.columns, part.columns, strict=True))
            columns[ROW] = pa.array(numbers)
            columns[RAGGED] = pa.array(np.zeros(part.num_rows, dtype=bool))
            rows = self.repeated.left_out(without_blank_rows(pa.table(columns)))
            if rows.num_rows:
                yield to_frame(rows)


def open_workbook(
    path: Path, *, sheet: str | None, knows: HeaderJudge, header_row: int | None = None
) -> list[SheetReader]:
    """A reader for each sheet that holds orders: those whose header is as good as the best one's,
    or just ``sheet``. Hidden sheets are read only where ``sheet`` names one.

    :raises SourceError: the workbook is damaged, protected, or has no rows.
    :raises UsageError: it has no ``sheet``, or no header in ``header_row``.
    """
    content = _content(path)
    book = _open(path, content)
    names = [str(name) for name in book.sheet_names]
    hidden = _hidden(book)
    wanted = (
        [name for name in names if name not in hidden]
        if sheet is None
        else [_named(sheet, names, path)]
    )
    kept = 0
    sheets = []
    for name in wanted:
        source = f"{path} [{name}]" if len(wanted) > 1 else str(path)
        cells, falses = _read_cells(path, book, name)
        keep = kept + cells.nbytes <= _KEPT_BYTES
        found = _find_sheet(source, name, cells, falses, knows, header_row)
        if found is not None:
            kept += cells.nbytes if keep else 0
            sheets.append(found if keep else replace(found, cells=None))
    if not sheets:
        raise _nothing_found(path, sheet, hidden, header_row)
    chosen = _alike(sheets)
    for each in chosen:
        require_one_header(f"{path} [{each.name}]", each.rows, each.header)
        if header_row is None:
            require_no_data_above(f"{path} [{each.name}]", each.rows, each.header)
    skipped = tuple(name for name in names if name not in {each.name for each in chosen})
    sha256 = hashlib.sha256(content).hexdigest()
    return [
        _reader(path, each, chosen, names, skipped, hidden, sheet, sha256, content)
        for each in chosen
    ]


def _reader(
    path: Path,
    sheet: _Sheet,
    chosen: Sequence[_Sheet],
    names: Sequence[str],
    skipped: tuple[str, ...],
    hidden: Sequence[str],
    asked: str | None,
    sha256: str,
    content: bytes,
) -> SheetReader:
    source = str(path) if len(chosen) == 1 else f"{path} [{sheet.name}]"
    table = SourceTable(
        source=source,
        path=path,
        sheet=sheet.name,
        sha256=sha256,
        columns=unique_columns(sheet.header_cells),
        header=sheet.header_cells,
        header_row=sheet.header.index + 1,
        encoding=None,
        delimiter=None,
        number=0 if len(chosen) == 1 else names.index(sheet.name) + 1,
    )
    decisions = list(sheet.decisions)
    if len(names) > 1:
        decisions.append(_sheet_decision(sheet.name, skipped, hidden, asked))
    decisions += [
        _false_is_blank(table.columns[place], count) for place, count in sheet.falses.items()
    ]
    decisions += _fact_decisions(sheet_facts(content, names.index(sheet.name)))
    return SheetReader(
        table,
        tuple(f"{name} (hidden)" if name in hidden else name for name in skipped),
        sheet.header.index + 1 + sheet.header.described,
        sheet.cells,
        tuple(decisions),
        RepeatedHeaders(source, table.columns, table.header),
    )


def _content(path: Path) -> bytes:
    """The file's bytes: given these, calamine goes by them and not by the file's name."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise unreadable(path, error) from error


def _open(path: Path, content: bytes) -> pd.ExcelFile:
    try:
        return pd.ExcelFile(io.BytesIO(content), engine="calamine")
    except BaseException as error:
        raise _refused(path, error) from error


def _hidden(book: pd.ExcelFile) -> list[str]:
    return [
        sheet.name
        for sheet in book.book.sheets_metadata
        if sheet.visible is not SheetVisibleEnum.Visible
    ]


def _named(sheet: str, names: Sequence[str], path: Path) -> str:
    if sheet in names:
        return sheet
    alike = [name for name in names if name.strip().casefold() == sheet.strip().casefold()]
    if len(alike) == 1:
        return alike[0]
    raise UsageError(f"{path}: has no sheet {sheet!r}", hint=f"its sheets are: {', '.join(names)}")


def _read_cells(path: Path, book: pd.ExcelFile, name: str) -> tuple[pa.Table, dict[int, int]]:
    """The sheet from its first row on, each cell as text, blank ones null; and how many cells of
    a column, by its place, were FALSE and are blank."""
    try:
        frame = pd.read_excel(book, sheet_name=name, header=None, dtype=object, na_filter=False)
    except BaseException as error:
        raise _refused(path, error) from error
    texts = [as_text(frame[column].tolist()) for column in frame.columns]
    table = pa.table([text for text, _ in texts], names=[str(column) for column in frame.columns])
    return table, {place: count for place, (_, count) in enumerate(texts) if count}


def _find_sheet(
    source: str,
    name: str,
    cells: pa.Table,
    falses: Mapping[int, int],
    knows: HeaderJudge,
    header_row: int | None,
) -> _Sheet | None:
    """The sheet's header; None where it has no header or no row below."""
    head = cells.slice(0, HEAD_ROWS + (header_row or 0))
    columns = [[cell or "" for cell in column.to_pylist()] for column in head.columns]
    rows = list(zip(*columns, strict=True))
    header = find_header(rows, knows, header_row)
    if header is None:
        return None
    below = cells.slice(header.index + 1 + header.described)
    if not any(column.null_count < len(column) for column in below.columns):
        return None
    made = header_decisions(source, rows, header, header_row)
    return _Sheet(name, rows, header, tuple(made), falses, cells)


def _alike(sheets: Sequence[_Sheet]) -> list[_Sheet]:
    """The best sheet (the first of equals) and those that are like it."""
    best = max(sheets, key=lambda sheet: sheet.header.score)
    score = best.header.score
    return [
        sheet
        for sheet in sheets
        if sheet.header_cells == best.header_cells
        or (score > 0 and sheet.header.score >= 0.9 * score)
    ]


# --- what is said -----------------------------------------------------------------------------


def _sheet_decision(
    name: str, skipped: Sequence[str], hidden: Sequence[str], asked: str | None
) -> Decision:
    left = [f"{each} (hidden)" if each in hidden else each for each in skipped]
    return Decision(
        what="sheet",
        source=None,
        column=None,
        value=name,
        settled_by=SettledBy.DEFAULT if asked is None else SettledBy.OPTION,
        evidence=Evidence(
            contradicting=len(left), note=f"not read: {', '.join(left)}" if left else None
        ),
        override="--sheet NAME",
    )


def _fact_decisions(facts: SheetFacts) -> list[Decision]:
    made = []
    if facts.hidden_rows:
        made.append(
            Decision(
                what="hidden rows",
                source=None,
                column=None,
                value="read as all others",
                settled_by=SettledBy.DEFAULT,
                evidence=Evidence(
                    supporting=facts.hidden_rows,
                    row=facts.first_hidden_row,
                    note="rows that the spreadsheet hides, by a filter or by hand",
                ),
            )
        )
    if facts.without_result:
        made.append(
            Decision(
                what="formula",
                source=None,
                column=None,
                value="blank",
                settled_by=SettledBy.DEFAULT,
                evidence=Evidence(
                    supporting=facts.without_result,
                    example=facts.first_without_result,
                    note="formulas without a stored result; open the workbook in a spreadsheet "
                    "and save it to have them worked out",
                ),
            )
        )
    return made


def _false_is_blank(column: str, count: int) -> Decision:
    return Decision(
        what="blank",
        source=None,
        column=column,
        value="FALSE",
        settled_by=SettledBy.PROOF,
        evidence=Evidence(
            supporting=count, note="cells that are FALSE; none in this column is TRUE"
        ),
    )


def _nothing_found(
    path: Path, sheet: str | None, hidden: Sequence[str], header_row: int | None
) -> BackfillError:
    if header_row is not None:
        return UsageError(
            f"{path}: --header-row {header_row}: no sheet has a header in that row",
            hint="rows are counted from 1, including blank rows and titles",
        )
    also = f"; hidden sheets were not looked at: {', '.join(hidden)}" if hidden else ""
    return SourceError(
        path if sheet is None else f"{path} [{sheet}]",
        f"no rows below a header{'' if sheet else also}",
        hint="export it with its orders, or name another sheet with --sheet",
    )


def _refused(path: Path, error: BaseException) -> BaseException:
    """calamine's many errors, in words that help; anything else stays what it is.

    A panic of the Rust code below it, over a damaged file, is not even an Exception in Python.
    """
    if type(error).__name__ != "PanicException" and not isinstance(error, CalamineError):
        return error
    reason = (str(error) or "no reason was given").splitlines()[0]
    if "password" in reason.lower():
        return SourceError(
            path,
            "the file is protected by a password",
            hint="save a copy of it without the password",
        )
    return SourceError(
        path,
        f"the file is cut off or damaged, and cannot be read as a workbook ({reason})",
        hint="download it again, or open it in a spreadsheet and save it as .xlsx or CSV",
    )
