"""The evidence in the rows of a source, before anything is decided about it.

The first reading of a preparation and ``inspect`` gather it alike, so that they say the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import pyarrow as pa
import pyarrow.compute as pc

from backfill.errors import MappingError
from backfill.prepare import convert
from backfill.prepare.amounts.charges import Charge, ChargesLeftOut
from backfill.prepare.amounts.roles import Settled, settle
from backfill.prepare.amounts.sample import MoneySample
from backfill.prepare.column_styles import Evidences, look_at_numbers, moved
from backfill.prepare.grouping.orders import one_array
from backfill.prepare.mapping import fields
from backfill.prepare.mapping.entities import Entities
from backfill.prepare.mapping.statuses import STATUS_FIELDS
from backfill.prepare.mapping.twins import Twins
from backfill.prepare.sources import MappedSource
from backfill.prepare.validation.rules import IGNORED_ROW
from backfill.prepare.validation.statuses import StatusCounts
from backfill.prepare.validation.statuses import count as count_statuses


@dataclass(slots=True, kw_only=True)
class Gathered:
    """The evidence of rows with one mapping."""

    mapping: fields.Mapping
    """once it is settled: with the roles of the money columns that the amounts prove"""
    times: dict[str, convert.TimeEvidence] = field(default_factory=dict)
    numbers: Evidences = field(default_factory=dict)
    """of the amounts and the quantities"""
    statuses: StatusCounts = field(default_factory=dict)
    entities: Entities | None = None
    twins: Twins | None = None
    amounts: Settled | None = None
    """what the arithmetic of the orders proves"""
    charges: tuple[Charge, ...] = ()
    """shipping, tax and discounts that are not in the totals"""


class Gathering:
    """Adds evidence batch by batch."""

    def __init__(self, found: Gathered, source: MappedSource, *, have_totals: bool) -> None:
        """
        :param found: where the evidence goes.
        :param have_totals: whether any source of the import has a column of totals.
        """
        mapping, table = source.mapping, source.reader.table
        self._found = found
        self._narrow, self._inside = _narrowed(mapping), _inside_cells(mapping)
        self._sample = MoneySample(mapping)
        self._entities = found.entities = Entities.of(mapping)
        self._twins = found.twins = Twins.of(mapping, table.header, table.columns)
        in_prices = source.format.in_prices
        self._charges = ChargesLeftOut.of(mapping, table.columns, in_prices)
        self._have_totals = have_totals

    def add(self, batch: pa.Table) -> pa.Table:
        """Look at rows as they stand in the source.

        :returns: those that belong to orders, in the fields that were looked at.
        """
        found = self._found
        rows = taken_rows(fields.apply(self._narrow, batch))[0]
        count_statuses(found.statuses, self._narrow, rows)
        for name in found.mapping.specs:
            if name not in fields.TIME_FIELDS:
                continue
            seen = convert.survey_times(one_array(rows[name]))
            if found.mapping.is_platform:  # none of them writes 21-Apr-05
                seen = replace(seen, undecided_year=None)
            found.times[name] = found.times[name] | seen if name in found.times else seen
        look_at_numbers(found.numbers, found.mapping, rows)
        if self._inside is not None:
            look_at_numbers(found.numbers, self._inside, fields.apply(self._inside, batch))
        self._sample.add(batch)
        self._entities.add(batch)
        self._twins.add(batch)
        if not self._have_totals:
            self._charges.add(batch)
        return rows

    def settle(self, label: str) -> Iterator[MappingError]:
        """Settle the roles of the money columns.

        :param label: the source, for messages.
        :returns: what an import is refused for.
        """
        found = self._found
        amounts = settle(found.mapping, self._sample, label)
        found.amounts = amounts
        found.numbers = moved(found.numbers, found.mapping, amounts.mapping)
        found.mapping = replace(amounts.mapping, escaped=self._entities.escaped)
        found.charges = self._charges.charges(but=amounts.roles.in_line_prices)
        contradictions = (self._twins.contradiction(label), amounts.contradiction)
        return filter(None, contradictions)


def has_totals(sources: Sequence[MappedSource]) -> bool:
    """Whether any source has a column of totals."""
    return any("total" in source.mapping.specs for source in sources)


def taken_rows(rows: pa.Table) -> tuple[pa.Table, pa.Table]:
    """The rows that belong to orders, and those that do not (footers, parent rows)."""
    if rows["flag"].null_count == rows.num_rows:
        return rows, rows.slice(0, 0)
    ignored = pc.fill_null(pc.equal(rows["flag"], IGNORED_ROW), False)
    return rows.filter(pc.invert(ignored)), rows.filter(ignored)


def _narrowed(mapping: fields.Mapping) -> fields.Mapping:
    """The mapping without what the first reading does not look at; one row stays one row."""
    wanted = {"reference_id", *fields.TIME_FIELDS, *fields.NUMBER_FIELDS, *STATUS_FIELDS}
    # What only takes a line item out decides nothing here.
    rules = tuple(rule for rule in mapping.rows if rule.flag is None or not rule.no_item)
    wanted |= {condition.field for rule in rules for condition in rule.when if condition.field}
    if mapping.packed is not None:
        wanted -= set(fields.LINE_FIELDS)  # see _inside_cells
    kept = {name: spec for name, spec in mapping.specs.items() if name in wanted}
    return replace(mapping, specs=kept, rows=rules, packed=None, country=None)


def _inside_cells(mapping: fields.Mapping) -> fields.Mapping | None:
    """Of a mapping with packed line items their numbers alone, each item a row; else None."""
    if mapping.packed is None:
        return None
    packed = mapping.packed.grammar.fields.keys() & fields.NUMBER_FIELDS
    numbers = {name: spec for name, spec in mapping.specs.items() if name in packed}
    return replace(mapping, specs=numbers, rows=(), country=None)
