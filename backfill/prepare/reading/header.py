"""Which of a source's first rows is the header, and what stands around it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from backfill.checkpoint.decisions import Decision, Evidence, SettledBy
from backfill.errors import SourceError, UsageError
from backfill.job_folder.kept_rows import RAGGED, ROW
from backfill.prepare.reading.left_out import ignored_row
from backfill.prepare.reading.table import HeaderJudge

HEAD_ROWS = 30
"""So many rows at the top of a source are looked at for its header."""

_LOOKED_AT = 3
"""A row is looked at as a header if one of its first three cells bears the name of a column."""

_KNOWN = 0.1
"""From this score on a row is taken for a header on the judge's word alone."""


@dataclass(frozen=True, slots=True)
class Header:
    """Where among the first rows the header stands."""

    index: int
    """Into the rows that were looked at, from 0."""
    score: float
    """What the judge thinks of it."""
    described: bool = False
    """Whether the row below it explains the columns, and is no order."""


def find_header(
    rows: Sequence[Sequence[str]], knows: HeaderJudge, header_row: int | None = None
) -> Header | None:
    """The header among the first rows of a source; None where all of them are blank.

    A row that the judge knows wins; what it thinks counts less for a row that fills fewer cells
    than rows here usually do, as titles do. Of two that it knows with data between them the upper
    one wins. Where it knows none, the first row that is no title: one with nearly as many filled
    cells as usual. So without any evidence it is the first row that is not blank.

    :param header_row: where the user says it is, counted from 1.
    """
    filled = [_filled(row) for row in rows]
    candidates = [index for index, count in enumerate(filled) if count]
    if header_row is not None:
        given = header_row - 1
        return _header(rows, given, knows(rows[given])) if given in candidates else None
    if not candidates:
        return None
    usual = sorted(filled[index] for index in candidates)[len(candidates) // 2]
    scores = dict.fromkeys(candidates, 0.0)
    for index in candidates:
        if filled[index] > 1:  # one cell is a title: no order fits into a single column
            cells = [cell.strip() for cell in rows[index]]
            scores[index] = knows(cells) * min(1.0, filled[index] / usual)
            if scores[index] == 1.0:
                break  # no row further down can be surer
    best = max(candidates, key=lambda index: scores[index])
    if scores[best] >= _KNOWN:
        return _header(rows, _uppermost(rows, candidates, scores, best), scores[best])
    for index in candidates:
        if filled[index] >= 0.8 * usual and not _is_mostly_numbers(rows[index]):
            return _header(rows, index, scores[index])
    return _header(rows, candidates[0], scores[candidates[0]])


def require_no_data_above(source: str, rows: Sequence[Sequence[str]], header: Header) -> None:
    """Refuses a header below rows that look like orders: none of these may get lost.

    :raises UsageError: there is such a row; ``--header-row`` settles it.
    """
    for index in range(header.index):
        if _is_data(rows[index], beside=rows[header.index]):
            raise UsageError(
                f"{source}: row {index + 1} looks like data, but is above row "
                f"{header.index + 1}, which looks like the header",
                hint="name the row of the header with --header-row N; the rows above it are "
                "left out",
            )


def require_one_header(source: str, rows: Sequence[Sequence[str]], header: Header) -> None:
    """Refuses a table whose first rows have another header further down.

    :raises SourceError: there is one, so that the rows below it have other columns.
    """
    own = _names(rows[header.index])
    for index in range(header.index + 1, len(rows)):
        names = _names(rows[index])
        if names != own and _is_another(names, own):
            raise _another_header(source, index + 1, rows[index])


def header_decisions(
    source: str,
    rows: Sequence[Sequence[str]],
    header: Header,
    header_row: int | None,
) -> list[Decision]:
    """What was decided about the rows at the top, where there was anything to decide."""
    made = []
    titles = [index for index in range(header.index) if _filled(rows[index])]
    if titles or header_row is not None:
        note = f"{len(titles)} rows above it are titles, not orders" if titles else None
        example = _shown(rows[titles[0]]) if titles else None
        made.append(
            Decision(
                what="header",
                source=source,
                column=None,
                value=f"row {header.index + 1}",
                settled_by=SettledBy.DEFAULT if header_row is None else SettledBy.OPTION,
                evidence=Evidence(
                    example=example, row=titles[0] + 1 if titles else None, note=note
                ),
                override="--header-row N",
            )
        )
    if header.described:
        made.append(
            ignored_row(
                source,
                header.index + 2,
                _shown(rows[header.index + 1]),
                "it explains the columns: columns of numbers have words in it",
            )
        )
    return made


def unique_columns(header: Sequence[str]) -> tuple[str, ...]:
    """Names fit for a table's columns, one a header cell.

    White space at the ends goes and inside becomes one blank; a repeated ``X`` becomes ``X (2)``;
    the seventh cell, if empty, becomes ``column 7``.
    """
    taken = {ROW, RAGGED}
    names = []
    for position, cell in enumerate(header, start=1):
        plain = _plain(cell) or f"column {position}"
        name, copy = plain, 1
        while name in taken:
            copy += 1
            name = f"{plain} ({copy})"
        taken.add(name)
        names.append(name)
    return tuple(names)


@dataclass(slots=True)
class RepeatedHeaders:
    """Finds the header further down, where exports were put one below the other."""

    source: str
    columns: tuple[str, ...]
    header: tuple[str, ...]
    _found: dict[int, Decision] = field(default_factory=dict)

    @property
    def found(self) -> tuple[Decision, ...]:
        """The rows that were left out, each once, however often the source is read."""
        return tuple(self._found.values())

    def left_out(self, table: pa.Table) -> pa.Table:
        """The rows of a batch that are not the header again.

        :raises SourceError: a row is another header, so that the rows below it have other columns.
        """
        names = pa.array({cell for cell in self.header if cell.strip()}, pa.string())
        suspects = np.zeros(table.num_rows, dtype=bool)
        for column in self.columns[:_LOOKED_AT]:
            suspects |= pc.is_in(table[column], names).to_numpy()
        if not suspects.any():
            return table
        rows = np.flatnonzero(suspects)
        count = np.zeros(len(rows), dtype=np.int64)
        some = table.take(pa.array(rows))
        for column in self.columns:
            count += pc.is_in(some[column], names).to_numpy()
        rows = rows[2 * count > len(names)]
        repeated = [row for row in rows if self._is_repeated(table.slice(row, 1).to_pylist()[0])]
        return table.take(pa.array(np.delete(np.arange(table.num_rows), repeated)))

    def _is_repeated(self, row: Mapping[str, Any]) -> bool:
        cells = [str(row[column] or "") for column in self.columns]
        texts, own = _names(cells), _names(self.header)
        if texts == own and not row[RAGGED]:
            note = "it repeats the header"
            self._found[row[ROW]] = ignored_row(self.source, row[ROW], _shown(cells), note)
            return True
        if _is_another(texts, own):
            raise _another_header(self.source, row[ROW], cells)
        return False


def _names(row: Sequence[str]) -> list[str]:
    return [_plain(cell) for cell in row if cell.strip()]


def _is_another(names: Sequence[str], own: Sequence[str]) -> bool:
    """Whether more than half of a row's cells are names of the header's columns."""
    return len(own) > 2 and 2 * len(set(names) & set(own)) > len(names)


def _another_header(source: str, row: int, cells: Sequence[str]) -> SourceError:
    return SourceError(
        source,
        f"row {row} is a second header ({_shown(cells)}), with different columns below it",
        hint=f"save the rows from {row} on as a separate file, and give both files",
    )


def _header(rows: Sequence[Sequence[str]], index: int, score: float) -> Header:
    return Header(index, score, _explains_columns(rows, index + 1))


def _uppermost(
    rows: Sequence[Sequence[str]], candidates: Sequence[int], scores: dict[int, float], best: int
) -> int:
    """The first row that may be the header of data above the best one; else the best."""
    for index in candidates:
        if index == best:
            break
        if scores[index] >= max(_KNOWN, 0.5 * scores[best]) and any(
            _is_data(rows[between], beside=rows[index]) for between in range(index + 1, best)
        ):
            return index
    return best


def _explains_columns(rows: Sequence[Sequence[str]], index: int) -> bool:
    """Whether a row below the header has words in every column in which the rows below it have
    numbers or dates, in two columns at least."""
    header = _names(rows[index - 1])  # it may stand further down again, among the rows
    below = [row for row in rows[index + 1 :] if _filled(row) and _names(row) != header]
    if index >= len(rows) or not below or _filled(rows[index]) < 0.8 * _filled(rows[index - 1]):
        return False
    numeric = []
    for position, cell in enumerate(rows[index]):
        others = [row[position] for row in below if position < len(row) and row[position].strip()]
        if others and all(map(_begins_like_a_number, others)):
            numeric.append(cell)
    return len(numeric) > 1 and all(
        any(map(str.isalpha, cell)) and not any(map(str.isdigit, cell)) for cell in numeric
    )


def _is_data(row: Sequence[str], *, beside: Sequence[str]) -> bool:
    """Whether a row fills most of the header's columns, and some cells with numbers or dates."""
    filled = [cell for cell in row if cell.strip()]
    return (
        len(filled) > 2
        and len(filled) > 0.6 * _filled(beside)
        and any(map(_begins_like_a_number, filled))
    )


def _is_mostly_numbers(row: Sequence[str]) -> bool:
    """Whether more than half of the filled cells begin like a number: no header does."""
    cells = [cell for cell in row if cell.strip()]
    return 2 * sum(map(_begins_like_a_number, cells)) > len(cells)


def _begins_like_a_number(cell: str) -> bool:
    return cell.strip().lstrip("$€£(-+.")[:1].isdigit()


def _filled(row: Sequence[str]) -> int:
    return sum(1 for cell in row if cell.strip())


def _plain(cell: str) -> str:
    return " ".join(cell.replace("\ufeff", "").split())


def _shown(row: Sequence[str]) -> str:
    text = ", ".join(_plain(cell) for cell in row if cell.strip())
    return text if len(text) <= 80 else text[:79] + "…"
