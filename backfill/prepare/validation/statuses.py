"""What becomes of each value of an export's status columns, and who says so.

Every distinct value is counted in the first reading. ``[statuses]`` in ``backfill.toml`` goes
first, then the mapping file's or the platform's own ``[statuses]``, then the table of words. A
value that none of them knows is asked for, except in a column about shipping, which seldom
decides about a purchase: there it is warned of.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import pyarrow as pa

from backfill.checkpoint.decisions import Decision, Evidence, SettledBy
from backfill.errors import MappingError
from backfill.prepare.mapping import fields
from backfill.prepare.mapping.statuses import (
    FULFILMENT,
    STATUS_FIELDS,
    Meaning,
    at_fulfilment,
    meaning_in,
    status_key,
)
from backfill.prepare.reading.table import SourceTable
from backfill.settings import ImportSettings

#: Values of one column that are shown one by one; beyond them a column holds something else.
MOST_SHOWN: Final = 30
#: Unknown values that a refusal names.
_MOST_NAMED: Final = 8

#: By field, how many rows have each value, and the first of them.
StatusCounts = dict[str, dict[str, tuple[int, int]]]

#: By field and meaning: the values of one source.
StatusValues = Mapping[str, Mapping[Meaning, pa.Array]]


class ReadStatuses(Protocol):
    """One table of an export whose statuses were counted."""

    @property
    def table(self) -> SourceTable: ...

    @property
    def mapping(self) -> fields.Mapping: ...

    @property
    def statuses(self) -> StatusCounts: ...


@dataclass(frozen=True, slots=True)
class Status:
    """One value of a status column, and what becomes of orders that have it."""

    field: str
    value: str
    rows: int
    first_row: int
    meaning: Meaning | None
    """None: nobody knows the value"""
    settled_by: SettledBy


def count(counts: StatusCounts, mapping: fields.Mapping, rows: pa.Table) -> None:
    """Add the values of a batch of rows to the counts."""
    for field in STATUS_FIELDS:
        if field not in mapping.specs:
            continue
        seen = counts.setdefault(field, {})
        encoded = rows[field].combine_chunks().dictionary_encode()
        codes = encoded.indices.drop_null().to_numpy()
        numbers = rows["_row"].to_numpy()[rows[field].is_valid().to_numpy()]
        firsts = np.full(len(encoded.dictionary), len(codes))
        np.minimum.at(firsts, codes, np.arange(len(codes)))
        of_each = np.bincount(codes, minlength=len(firsts))
        for value, first, times in zip(
            encoded.dictionary.to_pylist(), firsts.tolist(), of_each.tolist(), strict=True
        ):
            before, row = seen.get(value, (0, int(numbers[first])))
            seen[value] = (before + times, row)


def statuses(source: ReadStatuses, settings: ImportSettings) -> list[Status]:
    """Every value of a source's status columns with what it means, the most frequent first."""
    chosen = {status_key(value): fate for value, fate in settings.statuses}
    own = SettledBy.PLATFORM if settings.mapping is None else SettledBy.MAPPING
    found = []
    for field, counts in source.statuses.items():
        column = source.mapping.column_of(field)
        for value, (rows, first) in sorted(counts.items(), key=lambda each: -each[1][0]):
            key = status_key(value)
            settled_by = SettledBy.DEFAULT
            meaning = meaning_in(column, value)
            if key in source.mapping.statuses:
                meaning, settled_by = source.mapping.statuses[key], own
            if field == FULFILMENT:
                meaning = at_fulfilment(meaning)
            if key in chosen:
                meaning, settled_by = _as_chosen(chosen[key], meaning), SettledBy.OPTION
            found.append(Status(field, value, rows, first, meaning, settled_by))
    return found


def settle(sources: Sequence[ReadStatuses], settings: ImportSettings) -> list[StatusValues]:
    """What the statuses of each source mean.

    :raises MappingError: values that may decide about a purchase are not known.
    """
    settled: list[StatusValues] = []
    unknown: list[tuple[ReadStatuses, Status]] = []
    for source in sources:
        by_field: dict[str, dict[Meaning, list[str]]] = {}
        for one in statuses(source, settings):
            if one.meaning is None:
                unknown.append((source, one))
            else:
                by_field.setdefault(one.field, {}).setdefault(one.meaning, []).append(one.value)
        settled.append(
            {
                field: {meaning: pa.array(values) for meaning, values in meanings.items()}
                for field, meanings in by_field.items()
            }
        )
    if unknown:
        raise _asked(unknown)
    return settled


def decisions(source: ReadStatuses, settings: ImportSettings) -> Iterator[Decision]:
    """Each value with its count and its fate."""
    shown: dict[str, int] = {}
    for one in statuses(source, settings):
        shown[one.field] = shown.get(one.field, 0) + 1
        if shown[one.field] > MOST_SHOWN:
            continue
        yield Decision(
            what="status",
            source=source.table.source,
            column=source.mapping.column_of(one.field),
            value=f"{one.value}: {fate(one.meaning)}",
            settled_by=one.settled_by,
            evidence=Evidence(supporting=one.rows, example=one.value, row=one.first_row),
            override=f'"{one.value}" = "import" or "reject" under [statuses]',
        )


def fate(meaning: Meaning | None) -> str:
    """What becomes of an order whose status means this."""
    if meaning is None:
        return "not known"
    if meaning is Meaning.IMPORT:
        return "imported"
    if meaning is Meaning.REJECT:
        return "rejected"
    verb = "rejected" if meaning.rejects else "imported with a warning"
    return f"{verb} ({meaning.replace('_', ' ')})"


def _as_chosen(chosen: str, meaning: Meaning | None) -> Meaning:
    """The user's word; a value that is rejected anyway keeps the reason that is known."""
    if chosen == "import":
        return Meaning.IMPORT
    return meaning if meaning is not None and meaning.rejects else Meaning.REJECT


def _asked(unknown: Sequence[tuple[ReadStatuses, Status]]) -> MappingError:
    values = [
        f"{source.table.source}: column {source.mapping.column_of(one.field)!r}: {one.value!r} "
        f"({one.rows:,} {'row' if one.rows == 1 else 'rows'}, first in row {one.first_row})"
        for source, one in unknown[:_MOST_NAMED]
    ]
    if len(unknown) > _MOST_NAMED:
        values.append(f"and {len(unknown) - _MOST_NAMED:,} more")
    _, example = unknown[0]
    return MappingError(
        f"these statuses do not tell whether an order is a purchase: {'; '.join(values)}",
        hint="say so under [statuses] in backfill.toml or in a mapping file, one line for each: "
        f'"{example.value}" = "import" (or "reject"); --map {example.field}= goes without the '
        "column",
    )
