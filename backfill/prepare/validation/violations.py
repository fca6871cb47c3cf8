"""Where rules are broken: violations as columns, and the places in a draft that they name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from backfill.prepare.draft import Draft
from backfill.prepare.grouping.keys import Indices
from backfill.prepare.validation.statuses import StatusValues
from backfill.settings import ImportSettings

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Violations:
    """The places where one rule is broken, as parallel columns."""

    orders: Indices
    """indices of orders in the chunk"""
    rows: Indices
    """indices of rows in the chunk"""
    field: str | None = None
    values: pa.Array | None = None
    """string: the value as it stands"""
    details: Sequence[str] | None = None
    """what to say of each beyond the rule's reason"""

    def among(self, kept: Flags) -> Violations:
        """Those in the orders that are kept."""
        places = np.flatnonzero(kept[self.orders])
        return Violations(
            self.orders[places],
            self.rows[places],
            self.field,
            None if self.values is None else self.values.take(pa.array(places)),
            None if self.details is None else [self.details[place] for place in places.tolist()],
        )


@dataclass(frozen=True, slots=True)
class Context:
    """What a rule may need to know beyond the draft."""

    settings: ImportSettings
    now: datetime
    statuses: Sequence[StatusValues]
    """what the values of the status columns mean, by source"""
    repeated: Indices
    """orders (indices into the chunk) that stood in two sources in the same words"""
    joined: Indices
    """orders that begin in one source and go on in another"""
    contradictory: Indices
    """orders that stand in two sources in different words"""
    held_back: Indices
    """rows (indices into the chunk) without a key that may not belong to their order"""


#: Finds the places in a chunk of orders that break one rule.
Finder = Callable[[Draft, Context], Iterator[Violations]]


def at_orders(
    draft: Draft, where: Flags | Indices, field: str | None, details: Sequence[str] | None = None
) -> Iterator[Violations]:
    """At orders, where their value for ``field`` stands."""
    orders: Indices = np.flatnonzero(where) if where.dtype == bool else where.astype(np.int64)
    if not len(orders):
        return
    if field is None:
        yield Violations(orders, draft.first_rows[orders], details=details)
        return
    text = draft.texts[field]
    yield Violations(orders, text.rows[orders], field, text.values.take(pa.array(orders)), details)


def at_rows(draft: Draft, rows: Indices, field: str | None) -> Iterator[Violations]:
    """At rows of the chunk."""
    if len(rows):
        values = None if field is None else draft.column(field).take(pa.array(rows))
        yield Violations(draft.owners[rows], rows, field, values)


def at_lines(
    draft: Draft, where: Flags, field: str, details: Sequence[str] | None = None
) -> Iterator[Violations]:
    """At line items."""
    rows = draft.lines.rows[where]
    if len(rows):
        values = draft.column(field).take(pa.array(rows))
        yield Violations(draft.owners[rows], rows, field, values, details)


def either(*finders: Finder) -> Finder:
    """A rule that several finders look for."""

    def find(draft: Draft, context: Context) -> Iterator[Violations]:
        for finder in finders:
            yield from finder(draft, context)

    return find


def all_blank(draft: Draft, field: str) -> bool:
    """Whether no order of the chunk says anything for ``field``: most fields of most exports."""
    values = draft.texts[field].values
    return bool(values.null_count == len(values))


def is_true(values: pa.Array) -> Flags:
    flags: Flags = pc.fill_null(values, False).to_numpy(zero_copy_only=False)
    return flags


def is_null(values: pa.Array) -> Flags:
    found: Flags = pc.is_null(values).to_numpy(zero_copy_only=False)
    return found


def matching(values: pa.Array, pattern: str) -> Flags:
    return is_true(pc.match_substring_regex(values, pattern))


def confirmed(flags: Flags, values: pa.Array, pattern: str) -> Flags:
    """Of the values that a look at their bytes flagged, those that match."""
    places = np.flatnonzero(flags)
    if len(places):
        flags[places] = matching(values.take(pa.array(places)), pattern)
    return flags
