"""Prepared orders, each with its body and the source rows it comes from."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

import pyarrow as pa

from backfill.checkpoint import Checkpoint, Source, State, addresses
from backfill.checkpoint.choice import unknown
from backfill.job_folder.kept_rows import ROW
from backfill.report.masking import Privacy
from backfill.report.source_rows import rows_by_source
from backfill.settings.checks import checked, one_of

#: Orders whose source rows are read from the disk together.
_TOGETHER = 500


class ShowOptions(TypedDict, total=False):
    """The options of :meth:`backfill.Job.show`."""

    state: State | str | None
    """only orders in this state"""
    account: str | None
    """only orders of this account"""
    limit: int | None
    """how many orders, at most"""
    show_personal_data: bool


@dataclass(frozen=True, slots=True)
class SourceRow:
    """One row as it is in the export."""

    source: str
    row: int
    """as a spreadsheet counts: the header is usually row 1"""
    cells: Mapping[str, str]
    """text by column; blank cells are left out"""


@dataclass(frozen=True, slots=True)
class ShownOrder:
    """One order as it was prepared."""

    reference_id: str | None
    state: State
    account_header: str | None
    account_id: str | None
    reason: str | None
    """why it was not created"""
    body: Mapping[str, Any] | None
    """the request body; None where the order was rejected"""
    rows: Sequence[SourceRow]


def shown_orders(
    folder: Path, checkpoint: Checkpoint, reference_ids: Sequence[str], options: ShowOptions
) -> Iterator[ShownOrder]:
    """Orders of a job in the order of appearance; no reference ids: all of them.

    :raises UsageError: there is no such state, or no order with one of the reference ids.
    """
    state, limit = options.get("state"), options.get("limit")
    if state is not None:
        state = checked("--state", state, one_of(*State))
    sources = {source.source: source for source in checkpoint.sources()}
    privacy = Privacy.of(list(sources.values()), show=options.get("show_personal_data", False))
    _refuse_unknown(checkpoint, reference_ids)
    orders = checkpoint.query(
        "SELECT reference_id, state, account_header, account_id, reason, source_file, source_rows,"
        " payload FROM orders WHERE (?1 IS NULL OR state = ?1) AND (?2 IS NULL OR account_id = ?2)"
        " AND (?3 IS NULL OR reference_id IN (SELECT value FROM json_each(?3)))"
        " ORDER BY id LIMIT ?4",
        (
            state,
            options.get("account"),
            json.dumps(reference_ids) if reference_ids else None,
            -1 if limit is None else limit,  # SQLite's word for no limit
        ),
    )
    while together := orders.fetchmany(_TOGETHER):
        places = [(order["source_file"], order["source_rows"]) for order in together]
        cells = _cells(rows_by_source(folder, sources, places), sources, privacy)
        for order, place in zip(together, places, strict=True):
            yield ShownOrder(
                order["reference_id"],
                State(order["state"]),
                order["account_header"],
                order["account_id"],
                None if order["reason"] is None else privacy.text(order["reason"]),
                privacy.body(json.loads(order["payload"])) if order["payload"] else None,
                [
                    SourceRow(label, number, found)
                    for label, numbers in addresses(*place, sources)
                    for number in numbers
                    for found in cells.get((label, number), ())
                ],
            )


def _refuse_unknown(checkpoint: Checkpoint, reference_ids: Sequence[str]) -> None:
    missing = checkpoint.query(
        "SELECT value FROM json_each(?) WHERE value NOT IN"
        " (SELECT reference_id FROM orders WHERE reference_id IS NOT NULL)",
        (json.dumps(reference_ids),),
    ).fetchone()
    if missing is not None:
        raise unknown("reference id", missing[0])


def _cells(
    rows_of: Mapping[str, pa.Table], sources: Mapping[str, Source], privacy: Privacy
) -> dict[tuple[str, int], list[dict[str, str]]]:
    """The cells of each source row; a packed row is there once for each of its line items."""
    found: dict[tuple[str, int], list[dict[str, str]]] = {}
    for label, rows in rows_of.items():
        columns = sources[label].details["columns"]
        for row in rows.select([ROW, *columns]).to_pylist():
            cells = {
                name: privacy.cell(label, name, row[name])
                for name in columns
                if (row[name] or "").strip()
            }
            found.setdefault((label, row[ROW]), []).append(cells)
    return found
