"""What an export is and how it would be read: the half of ``backfill inspect`` that looks.

:func:`inspect` reads the exports from end to end and settles nothing; :mod:`inspect_text` shows
what it found.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from backfill.checkpoint.decisions import Decision
from backfill.errors import MappingError
from backfill.job_folder.files import REJECTION_COLUMNS
from backfill.prepare import convert
from backfill.prepare.column_styles import (
    contradicted_cents,
    header_zone,
)
from backfill.prepare.convert.cells import clean
from backfill.prepare.decisions import decisions
from backfill.prepare.gathering import Gathered, Gathering, has_totals, taken_rows
from backfill.prepare.grouping.keyless import KeylessRows
from backfill.prepare.grouping.orders import one_array
from backfill.prepare.mapping import fields, formats
from backfill.prepare.mapping.completeness import lacks
from backfill.prepare.mapping.field_names import MUST_BE_DECIDED
from backfill.prepare.mapping.guess import Guess
from backfill.prepare.reading.table import SourceTable, to_arrow
from backfill.prepare.settle import borrow_proofs
from backfill.prepare.sources import MappedSource, map_sources, open_readers
from backfill.prepare.validation.statuses import settle as settle_statuses
from backfill.settings import ImportSettings

SAMPLES = 3
_TRIED_ROWS = 1000
"""Rows whose times and phone numbers are tried, to see what they lack."""


@dataclass(slots=True)
class Phones:
    """Whether the first phone numbers are of the region that the import takes them for."""

    good: int = 0
    bad: int = 0
    example: str = ""
    """one that is not"""

    @property
    def mostly_bad(self) -> bool:
        return self.bad > self.good


@dataclass(slots=True, kw_only=True)
class Series(Gathered):
    """Sources with the same columns, which are read in the same way.

    Where no platform fits, the mapping is one with the guesses.
    """

    format: formats.Format
    guesses: Mapping[str, Guess]
    """what nobody has mapped: the best guess, by field"""
    items_only: bool
    with_items: bool = False
    """the line items of its orders are in another export"""
    left_out: frozenset[str] = frozenset()
    """fields that the user wants to go without"""
    tables: list[SourceTable] = field(default_factory=list)
    skipped: tuple[str, ...] = ()
    """sheets of the workbook, or files of the archive, that are left"""
    read: tuple[Decision, ...] = ()
    """what the readers of the tables decided"""
    rows: int = 0
    line_items: int = 0
    flags: dict[str, int] = field(default_factory=dict)
    """rows by what is wrong with them, ``ignored_row`` among it"""
    keys: pa.Array = field(default_factory=lambda: pa.array([], pa.string()))
    """each order key once"""
    field_samples: dict[str, list[str]] = field(default_factory=dict)
    column_samples: dict[str, list[str]] = field(default_factory=dict)
    """some values of each column of the export"""
    naive: str | None = None
    """a time with neither offset nor zone"""
    currencies: set[str] = field(default_factory=set)
    phones: Phones = field(default_factory=Phones)
    refusals: list[MappingError] = field(default_factory=list)
    """what an import would be refused for, beside columns that are missing"""

    @property
    def table(self) -> SourceTable:
        """The first of the tables: what is decided holds for all of them."""
        return self.tables[0]

    @property
    def keyless(self) -> KeylessRows:
        """Rows without an order key are looked at when orders are prepared."""
        return KeylessRows(0, 0, None)

    @property
    def unused(self) -> list[str]:
        """The columns that nothing is mapped to."""
        used = {column for spec in self.mapping.specs.values() for column in spec.columns}
        if self.mapping.packed is not None:
            used.update(self.mapping.packed.columns)
        own = REJECTION_COLUMNS
        return [column for column in self.column_samples if column not in {*used, *own}]

    @property
    def settled(self) -> frozenset[str]:
        """The fields that are mapped for sure."""
        return frozenset(self.mapping.specs.keys() - self.guesses.keys())

    @property
    def missing(self) -> list[str]:
        """What no order can do without and is not mapped for sure, in words."""
        return lacks(
            self.settled,
            items=self.items_only,
            with_items=self.with_items,
            left_out=self.left_out,
        )

    @property
    def undecided(self) -> list[str]:
        """The guessed fields that an import would not go without."""
        return [each for each in MUST_BE_DECIDED if each in self.guesses]


@dataclass(frozen=True, slots=True)
class Inspection:
    """What the exports are."""

    series: tuple[Series, ...]
    settings: ImportSettings

    @property
    def decisions(self) -> list[Decision]:
        """What would be decided while reading, with its evidence."""
        return decisions(self.series, self.settings)

    @property
    def orders(self) -> int:
        """How many orders there seem to be: order keys that differ."""
        keys = [one.keys for one in self.series if not one.items_only]
        return len(pa.chunked_array(keys, pa.string()).unique())

    @property
    def complete(self) -> bool:
        """Whether everything that an order needs is mapped for sure."""
        return not any(one.missing or one.undecided or one.refusals for one in self.series)

    @property
    def as_guessed(self) -> bool:
        """Whether everything is mapped with the guesses."""
        return not any(
            one.refusals
            or lacks(
                one.mapping.specs,
                items=one.items_only,
                with_items=one.with_items,
                left_out=one.left_out,
            )
            for one in self.series
        )


def inspect(settings: ImportSettings) -> Inspection:
    """Read the exports from end to end and say what they are.

    :raises MappingError: an option or a mapping file names what is not there.
    :raises SourceError: an export cannot be read, or turns out to be damaged further down.
    """
    sources = map_sources(open_readers(settings), settings, complete=False)
    have_totals, with_items = has_totals(sources), settings.items is not None
    found: dict[tuple[bool, tuple[str, ...]], tuple[Series, Gathering]] = {}
    for source in sources:
        reader = source.reader
        key = (source.items_only, reader.table.columns)
        if key not in found:
            series = _series(source, settings, with_items=with_items)
            found[key] = series, Gathering(series, source, have_totals=have_totals)
        series, gathering = found[key]
        series.tables.append(reader.table)
        series.skipped = tuple(dict.fromkeys((*series.skipped, *reader.skipped_sheets)))
        for batch in map(to_arrow, reader.batches()):
            gathering.add(batch)
            _look(series, batch, settings)
        series.read += reader.decisions
    for series, gathering in found.values():
        _settle(series, gathering, settings)
    borrow_proofs([series for series, _ in found.values()], settings)
    return Inspection(tuple(series for series, _ in found.values()), settings)


def _settle(series: Series, gathering: Gathering, settings: ImportSettings) -> None:
    """Decide about the series, or note why it would be refused."""
    label = series.table.source
    series.refusals += gathering.settle(label)
    if (error := contradicted_cents(series.numbers, series.mapping, label)) is not None:
        series.refusals.append(error)
    try:
        settle_statuses([series], settings)
    except MappingError as exc:
        series.refusals.append(exc)
    for name, spec in series.mapping.specs.items():
        if name not in series.field_samples:  # the column was used for another field
            series.field_samples[name] = series.column_samples.get(str(spec), [])


def _series(source: MappedSource, settings: ImportSettings, *, with_items: bool) -> Series:
    return Series(
        format=source.format,
        mapping=source.mapping,
        guesses={} if settings.accept_guesses else source.mapping.guesses,
        items_only=source.items_only,
        with_items=with_items,
        left_out=frozenset(field for field, spec in settings.map if not spec.strip()),
        column_samples={column: [] for column in source.reader.table.columns},
    )


def _look(series: Series, batch: pa.Table, settings: ImportSettings) -> None:
    """Count a batch's rows, and keep what its columns show, beside the evidence."""
    rows = fields.apply(series.mapping, batch)
    series.rows += batch.num_rows
    for found in rows["flag"].drop_null().value_counts().to_pylist():
        series.flags[found["values"]] = series.flags.get(found["values"], 0) + found["counts"]
    taken = taken_rows(rows)[0].combine_chunks()
    keys = pa.chunked_array([series.keys, *taken["reference_id"].chunks], pa.string())
    series.keys = keys.unique().drop_null()
    filled = [taken[name].is_valid().to_numpy() for name in fields.LINE_FIELDS]
    series.line_items += int(np.logical_or.reduce(filled).sum())
    for name in series.mapping.specs:
        _keep_samples(series.field_samples.setdefault(name, []), taken[name])
    for name, samples in series.column_samples.items():
        if len(samples) < SAMPLES:
            _keep_samples(samples, pa.chunked_array([clean(one_array(batch[name]))]))
    _look_at_values(series, taken, settings)


def _look_at_values(series: Series, rows: pa.Table, settings: ImportSettings) -> None:
    some = rows.slice(0, _TRIED_ROWS)
    for name in fields.TIME_FIELDS:
        if name not in series.mapping.specs:
            continue
        if series.naive is None and header_zone(name, series.mapping) is None:
            series.naive = _first_naive(some, name, series.times[name], settings)
    if not series.phones.bad + series.phones.good:
        _try_phones(series.phones, some, settings.region)
    for name in fields.MONEY_FIELDS:
        named = convert.money_currency(one_array(some[name]))
        series.currencies.update(named.drop_null().unique().to_pylist())
    series.currencies.update(
        code.upper() for code in rows["currency"].drop_null().unique().to_pylist()
    )


def _try_phones(phones: Phones, rows: pa.Table, region: str) -> None:
    text = one_array(rows["profile_phone_number"])
    countries = convert.home_countries(
        one_array(rows[fields.COUNTRY]), one_array(rows["profile_shipping_address_raw"])
    )
    read = convert.phones(text, region, countries)
    phones.good = len(read.values) - read.values.null_count
    bad = text.filter(read.bad)
    phones.bad = len(bad)
    phones.example = bad[0].as_py() if len(bad) else ""


def _first_naive(
    rows: pa.Table, name: str, evidence: convert.TimeEvidence, settings: ImportSettings
) -> str | None:
    text = one_array(rows[name])
    zones = one_array(rows[fields.ZONE]) if fields.ZONE in rows.column_names else None
    if zones is not None and zones.null_count == len(zones):
        zones = None
    read = convert.times(text, evidence.settle(settings.date_order), settings.timezone, zones)
    found = text.filter(read.naive)
    return found[0].as_py() if len(found) else None


def _keep_samples(samples: list[str], values: pa.ChunkedArray) -> None:
    """Add values that differ, until there are enough."""
    if len(samples) < SAMPLES:
        for value in values.drop_null().unique().slice(0, 2 * SAMPLES).to_pylist():
            if value not in samples and len(samples) < SAMPLES:
                samples.append(value)
