"""``rejected_rows.csv``: the source rows of every order that was left out, to fix and give back.

Its cells are the source's own text, formulas and all (the rule ``formula_like`` warns of them). A
byte order mark stands in front where there is more than ASCII in it, since Excel garbles names
without one.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from backfill.checkpoint import NOT_CREATED, Checkpoint, Source, addresses, as_sql
from backfill.job_folder.files import MORE_REJECTED_ROWS, REJECTED_ROWS, REJECTION_COLUMNS
from backfill.job_folder.kept_rows import ROW
from backfill.report.source_rows import rows_of
from backfill.report.writing import writing


@dataclass(slots=True)
class Marks:
    """Rows of one source that were left out, and why: parallel columns."""

    rows: list[int] = field(default_factory=list)
    rules: list[str | None] = field(default_factory=list)
    reasons: list[str | None] = field(default_factory=list)

    def add(self, row: int, rule: str | None, reason: str | None) -> None:
        self.rows.append(row)
        self.rules.append(rule)
        self.reasons.append(reason)


def write_rejected_rows(folder: Path, checkpoint: Checkpoint) -> list[Path]:
    """Write every source row of every order that was left out, in the source's own columns.

    Sources with the same header share a file. The one with the most rows is ``rejected_rows.csv``,
    the next ``rejected_rows-2.csv`` and so on; the first is there even where no row is in it.
    """
    sources = checkpoint.sources()
    marks = _marks(checkpoint, sources)
    groups: dict[tuple[str, ...], list[pa.Table]] = {}
    for source in sources:
        parts = groups.setdefault(_own_header(source), [])
        if marks[source.source].rows:
            parts.append(_marked(folder, source, marks[source.source]))
    ordered = sorted(groups.items(), key=lambda group: -sum(part.num_rows for part in group[1]))
    filled = [group for group in ordered if any(part.num_rows for part in group[1])]
    paths = [
        _write_rows(_numbered(folder, number), header, parts)
        for number, (header, parts) in enumerate(filled or ordered[:1], start=1)
    ]
    for stale in set(folder.glob(MORE_REJECTED_ROWS)) - set(paths):
        stale.unlink()
    return paths


def _numbered(folder: Path, number: int) -> Path:
    return folder / (REJECTED_ROWS if number == 1 else MORE_REJECTED_ROWS.replace("*", str(number)))


def _marks(checkpoint: Checkpoint, sources: Sequence[Source]) -> dict[str, Marks]:
    """By source, the rows of orders that were left out, then the rows that belong to no order."""
    marks = {source.source: Marks() for source in sources}
    orders = checkpoint.query(
        "SELECT source_file, source_rows, rule, reason FROM orders"
        f" WHERE state IN ({as_sql(NOT_CREATED)}) ORDER BY id"
    )
    for source_file, source_rows, rule, reason in orders:
        for label, rows in addresses(source_file, source_rows, marks):
            for row in rows:
                marks[label].add(row, rule, reason)
    strays = checkpoint.query(
        "SELECT source_file, row, rule, message FROM problems"
        " WHERE severity = 'error' AND order_id IS NULL AND row NOT NULL ORDER BY id"
    )
    for label, row, rule, message in strays:
        marks[label].add(row, rule, message)
    return marks


def _own_header(source: Source) -> tuple[str, ...]:
    """The header as it stands in the source, without what an earlier report has added."""
    header = tuple(source.details["header"])
    return header[: -len(REJECTION_COLUMNS)] if _is_fixed(header) else header


def _is_fixed(header: Sequence[str]) -> bool:
    return tuple(header[-len(REJECTION_COLUMNS) :]) == REJECTION_COLUMNS


def _marked(folder: Path, source: Source, marks: Marks) -> pa.Table:
    """The rows of one source with the four columns that say where they stand and why."""
    own = rows_of(folder, source, marks.rows)
    rows = own[ROW]
    # A row in two orders (they share a packed cell) is named with the first one's reason.
    numbers, first = np.unique(np.array(marks.rows, dtype=np.int64), return_index=True)
    mark = pa.array(first[np.searchsorted(numbers, rows.to_numpy())])
    columns = [own[name] for name in source.details["columns"]]
    places = [pa.array([source.source] * len(rows), pa.string()), rows.cast("string")]
    if _is_fixed(source.details["header"]):
        # The rows of a fixed file stand in the export that it came from.
        came_from = columns[-len(REJECTION_COLUMNS) : -2]
        columns = columns[: -len(REJECTION_COLUMNS)]
        places = [_first_filled(there, here) for there, here in zip(came_from, places, strict=True)]
    why = [pa.array(texts, pa.string()).take(mark) for texts in (marks.rules, marks.reasons)]
    arrays = [*columns, *places, *why]
    return pa.table(arrays, names=[str(index) for index in range(len(arrays))])


def _first_filled(texts: pa.ChunkedArray, others: pa.Array) -> pa.ChunkedArray:
    blank = pc.equal(pc.fill_null(texts, ""), "")
    return pc.if_else(blank, others, texts)


def _write_rows(path: Path, header: Sequence[str], parts: Sequence[pa.Table]) -> Path:
    """Write the parts one below the other, under the header."""
    with writing(path) as file:
        top = io.StringIO()
        csv.writer(top, lineterminator="\n").writerow([*header, *REJECTION_COLUMNS])
        if not (top.getvalue().isascii() and all(map(_is_ascii, parts))):
            file.write(b"\xef\xbb\xbf")
        file.write(top.getvalue().encode())
        for part in parts:
            part.to_pandas().to_csv(file, mode="wb", header=False, index=False, lineterminator="\n")
    return path


def _is_ascii(table: pa.Table) -> bool:
    return all(pc.all(pc.string_is_ascii(column), min_count=0).as_py() for column in table.columns)
