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

import pyarrow as pa
import pyarrow.compute as pc

from backfill.checkpoint.decisions import Decision
from backfill.errors import UsageError
from backfill.job_folder import kept_rows
from backfill.prepare import convert
from backfill.prepare.amounts.charges import Charge, ChargesLeftOut
from backfill.prepare.amounts.roles import Settled, settle
from backfill.prepare.amounts.sample import MoneySample
from backfill.prepare.books import RowBooks
from backfill.prepare.drafting.by_source import Reading
from backfill.prepare.grouping.keyless import KeylessRows, continuing, proves_first_row
from backfill.prepare.grouping.keys import KeyPlan, KeySurvey
from backfill.prepare.grouping.orders import one_array
from backfill.prepare.lanes import ahead, behind
from backfill.prepare.mapping import fields
from backfill.prepare.mapping.twins import Twins
from backfill.prepare.reading.table import SourceTable, to_arrow
from backfill.prepare.sources import MappedSource
from backfill.prepare.validation.rules import IGNORED_ROW
from backfill.progress import Stage
from backfill.settings import DateOrder


@dataclass(slots=True)
class Surveyed:
    """One source after its first reading."""

    table: SourceTable
    mapping: fields.Mapping
    items_only: bool
    rows_file: str
    rows: int = 0
    read: tuple[Decision, ...] = ()
    """what the reader decided: encoding, quoting, header, sheet"""
    times: dict[str, convert.TimeEvidence] = field(default_factory=dict)
    money: convert.MoneyEvidence | None = None
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
        keys.start_source(joins=items_only, first_row=first_row)
        table = reader.table
        rows_file = kept_rows.file_name(table.sha256, table.number)
        one = Surveyed(table, mapping, items_only, rows_file)
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
                _look(one, taken)
                sample.add(batch)
                twins.add(batch)
                if not have_totals:
                    charges.add(batch)
                if inside is not None:
                    _look_at_money(one, inside, fields.apply(inside, batch))
                one.rows += batch.num_rows
                stage.advance(batch.num_rows)
        one.read = reader.decisions
        twins.check(one.table.source)
        one.amounts = settle(mapping, sample, one.table.source)
        if one.amounts.contradiction is not None:
            raise one.amounts.contradiction
        one.mapping = one.amounts.mapping
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


def readings(surveyed: Sequence[Surveyed], date_order: DateOrder | None) -> list[Reading]:
    """Settle the style of each source's columns by what they proved.

    A column that proves nothing by itself follows the source's other columns of the same kind,
    and then the series: the other sources of the same format.

    :raises UsageError: a column's dates can be read two ways; ``--date-order`` settles it.
    """
    result = []
    for one in surveyed:
        series = [other for other in surveyed if other.mapping.format == one.mapping.format]
        times = {
            name: _time_style(one, name, evidence, series, date_order)
            for name, evidence in one.times.items()
        }
        result.append(Reading(one.table.source, one.mapping, times, _money_style(one, series)))
    return result


def _look(one: Surveyed, rows: pa.Table) -> None:
    for name in one.mapping.specs.keys() & fields.TIME_FIELDS:
        seen = convert.survey_times(_array(rows, name))
        one.times[name] = one.times[name] | seen if name in one.times else seen
    _look_at_money(one, one.mapping, rows)


def _look_at_money(one: Surveyed, mapping: fields.Mapping, rows: pa.Table) -> None:
    for name in mapping.specs.keys() & fields.MONEY_FIELDS:
        amounts = convert.survey_money(_array(rows, name))
        one.money = amounts if one.money is None else one.money | amounts


def _narrowed(mapping: fields.Mapping) -> fields.Mapping:
    """The mapping without what the first reading does not look at; one row stays one row."""
    wanted = {"reference_id", *fields.TIME_FIELDS, *fields.MONEY_FIELDS}
    # What only takes a line item out decides nothing here.
    rules = tuple(rule for rule in mapping.rows if rule.flag is None or not rule.no_item)
    wanted |= {condition.field for rule in rules for condition in rule.when if condition.field}
    if mapping.packed is not None:
        wanted -= set(fields.LINE_FIELDS)  # see _inside_cells
    kept = {name: spec for name, spec in mapping.specs.items() if name in wanted}
    return replace(mapping, specs=kept, rows=rules, packed=None)


def _inside_cells(mapping: fields.Mapping) -> fields.Mapping | None:
    """Of a mapping with packed line items their amounts alone, each item a row; else None."""
    if mapping.packed is None:
        return None
    packed = mapping.packed.grammar.fields.keys() & fields.MONEY_FIELDS
    amounts = {name: spec for name, spec in mapping.specs.items() if name in packed}
    return replace(mapping, specs=amounts, rows=())


def _array(rows: pa.Table, name: str) -> pa.Array:
    return one_array(rows[name])


def _time_style(
    one: Surveyed,
    name: str,
    evidence: convert.TimeEvidence,
    series: Sequence[Surveyed],
    date_order: DateOrder | None,
) -> convert.TimeStyle:
    style = evidence.settle(date_order)
    if style.ambiguous:
        for also in one.times.values():
            evidence = evidence | also
        style = evidence.settle(date_order)
    if style.ambiguous:
        for other in series:
            if name in other.times:
                evidence = evidence | other.times[name]
        style = evidence.settle(date_order)
    contradicted = date_order is None and style.conflicting and evidence.undecided is not None
    if style.ambiguous or contradicted:
        why = " (other dates have the month first, and others the day)" if contradicted else ""
        raise UsageError(
            f"{one.table.source}: column {one.mapping.column_of(name)!r}: day and month cannot be "
            f"told apart in dates like {evidence.undecided!r}{why}",
            hint="say which comes first: --date-order mdy (month first) or --date-order dmy",
        )
    return style


def _money_style(one: Surveyed, series: Sequence[Surveyed]) -> convert.MoneyStyle:
    evidence = one.money or convert.MoneyEvidence()
    style = evidence.settle()
    if style.ambiguous:
        for other in series:
            evidence = evidence | other.money if other.money is not None else evidence
        style = evidence.settle()
    if style.ambiguous:
        raise UsageError(
            f"{one.table.source}: amounts like {style.example!r} can be read two ways: "
            "a thousands mark, or a decimal mark with three decimals",
            hint="write one amount of the column in full (1234.00) so that it proves the mark",
        )
    return style
