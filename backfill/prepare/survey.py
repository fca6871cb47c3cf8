"""The first of two readings: what must be known of the whole export before its first order.

A day/month order is proved by one row anywhere in a column, and an order is complete only when
its last row has passed. So each source is read once for evidence and for its order keys, while
its rows, as they stand, go into a file of the job folder. The second reading takes them from
there; so do the rows that are handed back to be fixed, when the export may be long gone.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from backfill.checkpoint.decisions import Decision
from backfill.job_folder import kept_rows
from backfill.prepare.books import RowBooks
from backfill.prepare.gathering import Gathered, Gathering, has_totals
from backfill.prepare.grouping.keyless import KeylessRows, continuing, proves_first_row
from backfill.prepare.grouping.keys import KeyPlan, KeySurvey
from backfill.prepare.grouping.orders import one_array
from backfill.prepare.lanes import ahead, behind
from backfill.prepare.reading.left_out import ignored_rows
from backfill.prepare.reading.table import SourceReader, SourceTable, to_arrow
from backfill.prepare.sources import MappedSource
from backfill.progress import Stage


@dataclass(slots=True, kw_only=True)
class Surveyed(Gathered):
    """One source after its first reading."""

    table: SourceTable
    items_only: bool
    rows_file: str
    kept: bool
    rows: int = 0
    read: tuple[Decision, ...] = ()
    """what the reader decided: encoding, quoting, header, sheet"""
    keyless: KeylessRows = field(default_factory=lambda: KeylessRows(0, 0, None))


def survey(
    sources: Sequence[MappedSource],
    folder: Path,
    stage: Stage,
    books: RowBooks,
) -> tuple[list[Surveyed], KeyPlan]:
    """Read every source once: keep its rows, and gather evidence and order keys.

    :raises SourceError: a source turns out to be damaged further down.
    :raises MappingError: the amounts contradict the mapping, or columns of one name differ.
    """
    keys = KeySurvey()
    have_totals = has_totals(sources)
    surveyed = []
    for index, source in enumerate(sources):
        reader, mapping, items_only = source.reader, source.mapping, source.items_only
        first_row = proves_first_row(mapping, items_only=items_only)
        keys.start_source(joins=items_only or source.kept, first_row=first_row)
        table = reader.table
        rows_file = kept_rows.file_name(table.sha256, table.number)
        one = Surveyed(
            table=table,
            mapping=mapping,
            items_only=items_only,
            rows_file=rows_file,
            kept=source.kept,
        )
        gathering = Gathering(one, source, have_totals=have_totals)
        with (
            kept_rows.writing(folder, rows_file, table.columns) as write,
            behind(write) as keep,
            closing(ahead(to_arrow(frame) for frame in reader.batches())) as batches,
        ):
            for batch in batches:
                keep(batch)
                books.read(index, batch["_row"].to_numpy())
                taken = gathering.add(batch)
                keys.add(
                    one_array(taken["reference_id"]),
                    taken["_row"].to_numpy(),
                    None if source.kept else continuing(mapping, batch, taken),
                )
                one.rows += batch.num_rows
                stage.advance(batch.num_rows)
        _note_what_was_left_out(one, reader, index, books)
        for contradiction in gathering.settle(table.source):
            raise contradiction
        surveyed.append(one)
    for one, keyless in zip(surveyed, keys.keyless_rows(), strict=True):
        one.keyless = keyless
    return surveyed, keys.finish()


def _note_what_was_left_out(
    one: Surveyed, reader: SourceReader, source: int, books: RowBooks
) -> None:
    """Rows that the reader has not handed out, such as the header again, are read and ignored."""
    one.read = reader.decisions
    rows = np.array(ignored_rows(one.read), dtype=np.int64)
    books.read(source, rows)
    books.ignored(source, rows)
