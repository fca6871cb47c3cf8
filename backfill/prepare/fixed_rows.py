"""Fixed rows join the order that they belong to: ``rejected_rows.csv`` given back.

The file holds only rows of orders that were left out. The other rows of such an order, and the rows
of an order whose key was filled in, are kept in the job folder. They are read again beside the
fixed ones, as sources under their own labels, so that the order comes out whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from backfill.checkpoint import NOT_CREATED, Checkpoint, Source, addresses, as_sql
from backfill.checkpoint.decisions import Decision
from backfill.job_folder import kept_rows
from backfill.job_folder.files import CHECKPOINT, has_job
from backfill.prepare.grouping.keyless import KEYLESS_ROW
from backfill.prepare.grouping.orders import DUPLICATE_ORDER
from backfill.prepare.mapping import fields
from backfill.prepare.reading.table import SourceReader, SourceTable, to_arrow
from backfill.prepare.sources import MappedSource, map_sources
from backfill.settings import ImportSettings

#: A row of an export: its source's label, and its number there.
Address = tuple[str, int]
#: The key of the order that a row is in; None where it has none.
Keys = Mapping[Address, str | None]

_KEYS_AT_ONCE = 500
_PLACE = ("_fixed_source", "_fixed_row")


@dataclass(slots=True)
class _Fixed:
    """What the fixed rows say of themselves."""

    addresses: set[Address] = field(default_factory=set)
    """where they stood in the exports"""
    with_keys: set[Address] = field(default_factory=set)
    """those that have an order key"""
    keys: set[str] = field(default_factory=set)


@dataclass(slots=True)
class _Orders:
    """The orders that fixed rows name or come from."""

    rows: dict[Address, str | None] = field(default_factory=dict)
    """each of their rows with the order's key"""
    contradictory: set[str] = field(default_factory=set)
    """keys of those that are in two exports with different contents"""
    held_back: set[str] = field(default_factory=set)
    """keys of those with rows that still have no key and may not belong to them"""


class Unsettled(NamedTuple):
    """Keys of orders of earlier imports that giving rows back does not settle."""

    contradictory: frozenset[str] = frozenset()
    """they are in two exports with different contents"""
    held_back: frozenset[str] = frozenset()
    """they have rows that still have no key and may not belong to them"""


def with_kept_rows(
    sources: Sequence[MappedSource], folder: Path, settings: ImportSettings
) -> tuple[list[MappedSource], Unsettled]:
    """The sources of an import; before those of fixed rows, the other rows of their orders.

    :raises StorageError: the job folder cannot be read.
    """
    given_back = [source for source in sources if source.mapping.of_fixed_rows]
    if not given_back or not has_job(folder):
        return list(sources), Unsettled()
    fixed = _look_at(given_back)
    with Checkpoint(folder / CHECKPOINT, readonly=True) as checkpoint:
        known = {source.source: source for source in checkpoint.sources()}
        orders = _orders(checkpoint, fixed, known, settings.reference_prefix)
    keys = orders.rows
    here = {source.reader.table.source for source in sources}
    readers = []
    for label in sorted({label for label, _ in keys} - here):
        rows = _kept(folder, known[label], keys, fixed)
        if rows.num_rows:
            reader = _KeptReader(_table(known[label]), rows)
            readers.append((reader, bool(known[label].details.get("items_only"))))
    mapped: list[MappedSource] = []
    if readers:
        mapped = [replace(source, kept=True) for source in map_sources(readers, settings)]
    says_so = any(source.mapping.order_key == "first_row" for source in sources)
    held_back = frozenset() if says_so else frozenset(orders.held_back)
    unsettled = Unsettled(frozenset(orders.contradictory), held_back)
    return [_filled(source, keys) for source in (*mapped, *sources)], unsettled


def _look_at(sources: Sequence[MappedSource]) -> _Fixed:
    fixed = _Fixed()
    for source in sources:
        for frame in source.reader.batches():
            rows = fields.apply(source.mapping, to_arrow(frame))
            keys = rows["reference_id"].to_pylist()
            fixed.keys |= set(keys) - {None}
            places = zip(*(rows[name].to_pylist() for name in _PLACE), strict=True)
            for place, key in zip(places, keys, strict=True):
                if None not in place:
                    fixed.addresses.add(place)
                    if key is not None:
                        fixed.with_keys.add(place)
    return fixed


def _orders(
    checkpoint: Checkpoint, fixed: _Fixed, labels: Mapping[str, Source], prefix: str
) -> _Orders:
    """The orders that a fixed row names or comes from."""
    orders = checkpoint.query(
        "SELECT reference_id, source_file, source_rows, rule, 0 FROM orders"
        f" WHERE state IN ({as_sql(NOT_CREATED)})"
    ).fetchall()
    wanted = [prefix + key for key in sorted(fixed.keys)]
    for start in range(0, len(wanted), _KEYS_AT_ONCE):
        part = wanted[start : start + _KEYS_AT_ONCE]
        orders += checkpoint.query(
            "SELECT reference_id, source_file, source_rows, rule, 1 FROM orders"
            f" WHERE reference_id IN ({', '.join('?' * len(part))})",
            part,
        ).fetchall()
    doubtful = _doubtful(checkpoint)
    found = _Orders()
    for key, source_file, source_rows, rule, named in orders:
        rows = [
            (label, row)
            for label, numbers in addresses(source_file, source_rows, labels)
            for row in numbers
        ]
        if named or not fixed.addresses.isdisjoint(rows):
            own_key = None if key is None else key.removeprefix(prefix)
            found.rows |= dict.fromkeys(rows, own_key)
            if own_key is not None and rule == DUPLICATE_ORDER:
                found.contradictory.add(own_key)
            if own_key is not None and not doubtful.get(key, set()) <= fixed.with_keys:
                found.held_back.add(own_key)
    return found


def _doubtful(checkpoint: Checkpoint) -> dict[str, set[Address]]:
    """By order, its rows without a key that may not belong to it."""
    found: dict[str, set[Address]] = {}
    for key, label, row in checkpoint.query(
        "SELECT reference_id, problems.source_file, row FROM problems"
        " JOIN orders ON orders.id = order_id WHERE problems.rule = ? AND reference_id NOT NULL",
        (KEYLESS_ROW,),
    ):
        found.setdefault(key, set()).add((label, row))
    return found


def _kept(folder: Path, source: Source, keys: Keys, fixed: _Fixed) -> pa.Table:
    """The rows of a source that belong to the orders, without those that came back fixed."""
    numbers = [row for label, row in keys if label == source.source]
    rows = kept_rows.take_rows(folder, source.details["rows_file"], numbers)
    places = [(source.source, row) for row in rows["_row"].to_pylist()]
    if source.details.get("of_fixed_rows"):  # fixed before: they count where they stood at first
        first = zip(
            rows["backfill_source"].to_pylist(), rows["backfill_row"].to_pylist(), strict=True
        )
        places = [
            (label, int(row)) if label and (row or "").isdigit() else here
            for (label, row), here in zip(first, places, strict=True)
        ]
    return rows.filter(pa.array([place not in fixed.addresses for place in places], pa.bool_()))


def _table(source: Source) -> SourceTable:
    """The table of some of a source's rows; kept in a file apart from that of all its rows."""
    details = source.details
    return SourceTable(
        source=source.source,
        path=Path(source.path),
        sheet=source.sheet,
        sha256=sha256(f"{source.sha256} {details['rows_file']} some".encode()).hexdigest(),
        columns=tuple(details["columns"]),
        header=tuple(details["header"]),
        header_row=details["header_row"],
        encoding=details["encoding"],
        delimiter=details["delimiter"],
    )


@dataclass(frozen=True, slots=True)
class _KeptReader:
    """Rows that the job folder keeps, as a source."""

    table: SourceTable
    rows: pa.Table
    skipped_sheets: tuple[str, ...] = ()
    decisions: tuple[Decision, ...] = ()

    def labelled(self, source: str) -> SourceReader:
        return replace(self, table=replace(self.table, source=source))

    def batches(self) -> Iterator[pd.DataFrame]:
        yield self.rows.to_pandas(types_mapper=pd.ArrowDtype)


def _filled(source: MappedSource, keys: Keys) -> MappedSource:
    """A source whose rows without a key have that of the order which they belonged to.

    An export that writes the key on the first row only has it on no other.
    """
    spec = source.mapping.specs["reference_id"]
    if not (source.kept or source.mapping.of_fixed_rows) or len(spec.columns) != 1:
        return source
    return replace(source, reader=_FilledReader(source.reader, spec.columns[0], keys))


@dataclass(frozen=True, slots=True)
class _FilledReader:
    """A source whose blank order keys are filled in."""

    whole: SourceReader
    column: str
    keys: Keys

    @property
    def table(self) -> SourceTable:
        return self.whole.table

    @property
    def skipped_sheets(self) -> tuple[str, ...]:
        return self.whole.skipped_sheets

    @property
    def decisions(self) -> tuple[Decision, ...]:
        return self.whole.decisions

    def labelled(self, source: str) -> SourceReader:
        return replace(self, whole=self.whole.labelled(source))

    def batches(self) -> Iterator[pd.DataFrame]:
        for frame in self.whole.batches():
            rows = to_arrow(frame)
            cells = rows[self.column]
            blank = pc.equal(pc.utf8_trim_whitespace(pc.fill_null(cells, "")), "")
            filled = pc.if_else(blank, pa.array(self._keys_of(rows), pa.string()), cells)
            place = rows.column_names.index(self.column)
            filled_rows = rows.set_column(place, self.column, filled)
            yield filled_rows.to_pandas(types_mapper=pd.ArrowDtype)

    def _keys_of(self, rows: pa.Table) -> list[str | None]:
        label = self.table.source
        places: list[tuple[str | None, str | int | None]] = [
            (label, row) for row in rows["_row"].to_pylist()
        ]
        if "backfill_row" in rows.column_names:
            places = list(
                zip(
                    rows["backfill_source"].to_pylist(),
                    rows["backfill_row"].to_pylist(),
                    strict=True,
                )
            )
        return [
            self.keys.get((source or "", int(str(row)))) if str(row or "").isdigit() else None
            for source, row in places
        ]
