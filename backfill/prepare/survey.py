"""The first of two readings: what must be known of the whole export before its first order.

A day/month order is proved by one row anywhere in a column, and an order is complete only when
its last row has passed. So each source is read once for evidence and for its order keys, while
its rows, as they stand, go into a file of the job folder. The second reading takes them from
there; so do the rows that are handed back to be mended, when the export may be long gone.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from backfill.checkpoint.decisions import Decision
from backfill.job_folder import kept_rows
from backfill.prepare import convert
from backfill.prepare.amounts.charges import Charge, ChargesLeftOut
from backfill.prepare.amounts.roles import Settled, settle
from backfill.prepare.amounts.sample import MoneySample
from backfill.prepare.books import RowBooks
from backfill.prepare.column_styles import Evidences, look_at_numbers, moved
from backfill.prepare.grouping.keyless import KeylessRows, continuing, proves_first_row
from backfill.prepare.grouping.keys import KeyPlan, KeySurvey
from backfill.prepare.grouping.orders import one_array
from backfill.prepare.lanes import ahead, behind
from backfill.prepare.mapping import fields
from backfill.prepare.mapping.entities import Entities
from backfill.prepare.mapping.statuses import STATUS_FIELDS
from backfill.prepare.mapping.twins import Twins
from backfill.prepare.reading.left_out import ignored_rows
from backfill.prepare.reading.table import SourceReader, SourceTable, to_arrow
from backfill.prepare.sources import MappedSource
from backfill.prepare.validation.rules import IGNORED_ROW
from backfill.prepare.validation.statuses import StatusCounts
from backfill.prepare.validation.statuses import count as count_statuses
from backfill.progress import Stage


@dataclass(slots=True)
class Surveyed:
    """One source after its first reading."""

    table: SourceTable
    mapping: fields.Mapping
    items_only: bool
    rows_file: str
    entities: Entities
    kept: bool = False
    rows: int = 0
    read: tuple[Decision, ...] = ()
    """what the reader decided: encoding, quoting, header, sheet"""
    times: dict[str, convert.TimeEvidence] = field(default_factory=dict)
    statuses: StatusCounts = field(default_factory=dict)
    numbers: Evidences = field(default_factory=dict)
    """of the amounts and the quantities"""
    keyless: KeylessRows = field(default_factory=lambda: KeylessRows(0, 0, None))
    amounts: Settled | None = None
    charges: tuple[Charge, ...] = ()
    """shipping, tax and discounts that are not in the totals"""


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
    have_totals = any("total" in source.mapping.specs for source in sources)
    surveyed = []
    for index, source in enumerate(sources):
        reader, mapping, items_only = source.reader, source.mapping, source.items_only
        first_row = proves_first_row(mapping, items_only=items_only)
        keys.start_source(joins=items_only or source.kept, first_row=first_row)
        table = reader.table
        rows_file = kept_rows.file_name(table.sha256, table.number)
        entities = Entities.of(mapping)
        one = Surveyed(table, mapping, items_only, rows_file, entities, source.kept)
        narrow, inside = _narrowed(mapping), _inside_cells(mapping)
        sample = MoneySample(mapping)
        twins = Twins.of(mapping, reader.table.header, reader.table.columns)
        charges = ChargesLeftOut.of(mapping, reader.table.columns, source.format.in_prices)
        with (
            kept_rows.writing(folder, rows_file, table.columns) as write,
            behind(write) as keep,
            closing(ahead(to_arrow(frame) for frame in reader.batches())) as batches,
        ):
            for batch in batches:
                keep(batch)
                books.read(index, batch["_row"].to_numpy())
                taken = taken_rows(fields.apply(narrow, batch))[0]
                keys.add(
                    _array(taken, "reference_id"),
                    taken["_row"].to_numpy(),
                    continuing(mapping, batch, taken),
                )
                _look(one, narrow, taken)
                sample.add(batch)
                entities.add(batch)
                twins.add(batch)
                if not have_totals:
                    charges.add(batch)
                if inside is not None:
                    look_at_numbers(one.numbers, inside, fields.apply(inside, batch))
                one.rows += batch.num_rows
                stage.advance(batch.num_rows)
        _note_what_was_left_out(one, reader, index, books)
        twins.check(one.table.source)
        one.amounts = settle(mapping, sample, one.table.source)
        if one.amounts.contradiction is not None:
            raise one.amounts.contradiction
        one.numbers = moved(one.numbers, mapping, one.amounts.mapping)
        one.mapping = replace(one.amounts.mapping, escaped=entities.escaped)
        one.charges = charges.charges(but=one.amounts.roles.in_line_prices)
        surveyed.append(one)
    for one, keyless in zip(surveyed, keys.keyless_rows(), strict=True):
        one.keyless = keyless
    return surveyed, keys.finish()


def taken_rows(rows: pa.Table) -> tuple[pa.Table, pa.Table]:
    """The rows that belong to orders, and those that do not (footers, parent rows)."""
    if rows["flag"].null_count == rows.num_rows:
        return rows, rows.slice(0, 0)
    ignored = pc.fill_null(pc.equal(rows["flag"], IGNORED_ROW), False)
    return rows.filter(pc.invert(ignored)), rows.filter(ignored)


def _note_what_was_left_out(
    one: Surveyed, reader: SourceReader, source: int, books: RowBooks
) -> None:
    """Rows that the reader has not handed out, such as the header again, are read and ignored."""
    one.read = reader.decisions
    rows = np.array(ignored_rows(one.read), dtype=np.int64)
    books.read(source, rows)
    books.ignored(source, rows)


def _look(one: Surveyed, narrow: fields.Mapping, rows: pa.Table) -> None:
    count_statuses(one.statuses, narrow, rows)
    for name in one.mapping.specs.keys() & fields.TIME_FIELDS:
        seen = convert.survey_times(_array(rows, name))
        one.times[name] = one.times[name] | seen if name in one.times else seen
    look_at_numbers(one.numbers, one.mapping, rows)


def _narrowed(mapping: fields.Mapping) -> fields.Mapping:
    """The mapping without what the first reading does not look at; one row stays one row."""
    wanted = {"reference_id", *fields.TIME_FIELDS, *fields.NUMBER_FIELDS, *STATUS_FIELDS}
    # What only takes a line item out decides nothing here.
    rules = tuple(rule for rule in mapping.rows if rule.flag is None or not rule.no_item)
    wanted |= {condition.field for rule in rules for condition in rule.when if condition.field}
    if mapping.packed is not None:
        wanted -= set(fields.LINE_FIELDS)  # see _inside_cells
    kept = {name: spec for name, spec in mapping.specs.items() if name in wanted}
    return replace(mapping, specs=kept, rows=rules, packed=None)


def _inside_cells(mapping: fields.Mapping) -> fields.Mapping | None:
    """Of a mapping with packed line items their numbers alone, each item a row; else None."""
    if mapping.packed is None:
        return None
    packed = mapping.packed.grammar.fields.keys() & fields.NUMBER_FIELDS
    numbers = {name: spec for name, spec in mapping.specs.items() if name in packed}
    return replace(mapping, specs=numbers, rows=())


def _array(rows: pa.Table, name: str) -> pa.Array:
    return one_array(rows[name])
