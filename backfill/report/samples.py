"""A few orders shown whole: the rows as they stand in the export beside the body to be sent."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from backfill.checkpoint import Checkpoint, Source, State, addresses
from backfill.job_folder.kept_rows import ROW
from backfill.report import wording
from backfill.report.figures import Figures
from backfill.report.masking import Privacy
from backfill.report.source_rows import rows_by_source

_WITH_PROBLEMS = 3
#: Orders among which the examples are looked for: no reason to read a million.
_LOOKED_AT = 10_000
_ROWS_SHOWN = 8
_BODY_LINES_SHOWN = 150
_CELL_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Cells:
    """Rows of one source: what stands in each mapped column that is not blank."""

    source: str
    numbers: Sequence[int]
    columns: Mapping[str, Sequence[str]]
    more: int
    """rows that are not shown"""


@dataclass(frozen=True, slots=True)
class Sample:
    """An order, where it came from and what is sent."""

    reference_id: str | None
    state: State
    reason: str | None
    cells: Sequence[Cells]
    body: str | None
    """the request body, laid out for reading; None where none is sent"""
    sha256: str | None
    """of the exact bytes"""


def samples(
    folder: Path, checkpoint: Checkpoint, figures: Figures, privacy: Privacy
) -> list[Sample]:
    """Orders with problems of different rules, orders of several lines, and a plain one."""
    orders = checkpoint.query(
        "SELECT id, reference_id, state, reason, source_file, source_rows, payload, payload_sha256"
        f" FROM orders WHERE id IN ({', '.join(map(str, _chosen(checkpoint, figures)))})"
        " ORDER BY state = 'rejected', id"
    ).fetchall()
    sources = {source.source: source for source in figures.sources}
    places = [(row["source_file"], row["source_rows"]) for row in orders]
    rows_of = rows_by_source(folder, sources, places)
    return [
        Sample(
            row["reference_id"],
            State(row["state"]),
            None if row["reason"] is None else privacy.text(row["reason"]),
            [
                _cells(sources[label], rows_of[label], numbers, privacy)
                for label, numbers in addresses(row["source_file"], row["source_rows"], sources)
            ],
            _body(row["payload"], privacy),
            row["payload_sha256"],
        )
        for row in orders
    ]


def _chosen(checkpoint: Checkpoint, figures: Figures) -> list[int]:
    firsts = (
        next((one.order for one in issue.examples if one.order), 0) for issue in figures.issues
    )
    chosen = list(dict.fromkeys(order for order in firsts if order))[:_WITH_PROBLEMS]
    for lines, count in (("BETWEEN 2 AND 6", 2), ("= 1", 1)):
        chosen += [
            row["id"]
            for row in checkpoint.query(
                f"SELECT id FROM orders WHERE id <= {_LOOKED_AT} AND state <> 'rejected'"
                f" AND line_items {lines} LIMIT {count}"
            )
        ]
    return list(dict.fromkeys(chosen))


def _body(payload: str | None, privacy: Privacy) -> str | None:
    if not payload:
        return None
    body: dict[str, Any] = json.loads(payload)
    lines = json.dumps(privacy.body(body), ensure_ascii=False, indent=2).splitlines()
    shown = [wording.cut(line, _CELL_SHOWN) for line in lines[:_BODY_LINES_SHOWN]]
    if len(lines) > len(shown):
        shown.append(f"… and {len(lines) - len(shown):,} more lines")
    return "\n".join(shown)


def _cells(source: Source, rows: pa.Table, numbers: Sequence[int], privacy: Privacy) -> Cells:
    """The rows of one order in one source."""
    shown = numbers[:_ROWS_SHOWN]
    rows = rows.filter(pa.array(np.isin(rows[ROW].to_numpy(), shown)))
    columns = {}
    for name in _mapped(source):
        texts = [text or "" for text in rows[name].to_pylist()]
        if any(text.strip() for text in texts):
            columns[name] = [
                wording.cut(privacy.cell(source.source, name, text), _CELL_SHOWN) for text in texts
            ]
    return Cells(source.source, shown, columns, len(numbers) - len(shown))


def _mapped(source: Source) -> list[str]:
    """The columns that fields are read from, in the order of the source."""
    mapped = source.details.get("mapped_columns", {}).values()
    used = {name for columns in mapped for name in columns}
    return [name for name in source.details.get("columns", ()) if name in used]
