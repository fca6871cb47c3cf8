"""Finders of the rules about what became of an order: cancelled, refunded, unpaid, never placed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow.compute as pc

from backfill.money import amount
from backfill.prepare.draft import Draft
from backfill.prepare.grouping.keys import Indices
from backfill.prepare.mapping.fields import REFUNDED_TOTAL
from backfill.prepare.mapping.statuses import STATUS_FIELDS, Meaning
from backfill.prepare.validation.violations import (
    Context,
    Finder,
    Flags,
    Violations,
    at_orders,
    at_rows,
    is_null,
    is_true,
)


def flagged(rule: str, field: str = "status") -> Finder:
    """Rows that a row rule of the platform or the mapping file flags, shown at a mapped field."""

    def find(draft: Draft, context: Context) -> Iterator[Violations]:
        rows = np.flatnonzero(is_true(pc.equal(draft.column("flag"), rule)))
        yield from at_rows(draft, rows, field if draft.has(field) else None)

    return find


def with_status(meaning: Meaning) -> Finder:
    """Orders with a status of this meaning on any of their rows."""

    def find(draft: Draft, context: Context) -> Iterator[Violations]:
        for field, rows in _first_rows(draft, context, meaning):
            yield from at_rows(draft, rows, field)

    return find


def cancelled(draft: Draft, context: Context) -> Iterator[Violations]:
    done = np.zeros(draft.count, dtype=bool)
    for found in with_status(Meaning.CANCELLED)(draft, context):
        done[found.orders] = True
        yield found
    by_time = ~is_null(draft.texts["cancelled_at"].values) & ~done
    done |= by_time
    yield from at_orders(draft, by_time, "cancelled_at")
    yield from _unless(done, flagged("cancelled"), draft, context)


def voided(draft: Draft, context: Context) -> Iterator[Violations]:
    done = np.zeros(draft.count, dtype=bool)
    for found in with_status(Meaning.VOIDED)(draft, context):
        done[found.orders] = True
        yield found
    yield from _unless(done, flagged("voided"), draft, context)


def refunded(draft: Draft, context: Context) -> Iterator[Violations]:
    """Refunded in full, by its status or by the amount; with its date Shout can record it."""
    dated = ~is_null(draft.texts["refunded_at"].values)
    done = dated.copy()
    for found in with_status(Meaning.REFUNDED)(draft, context):
        fresh = found.among(~dated)
        done[fresh.orders] = True
        yield fresh
    full = _refunded(draft, full=True) & ~done
    yield from at_orders(draft, full, REFUNDED_TOTAL, _amounts(draft, context, full))


def partly_refunded(draft: Draft, context: Context) -> Iterator[Violations]:
    part = _refunded(draft, full=False)
    yield from at_orders(draft, part, REFUNDED_TOTAL, _amounts(draft, context, part))
    yield from _unless(part, with_status(Meaning.PARTLY_REFUNDED), draft, context)


def _refunded(draft: Draft, *, full: bool) -> Flags:
    """Orders of which money went back: all of it, or a part."""
    amount = _refunded_cents(draft)
    total = draft.total_cents
    all_of_it = (amount >= total) & (total > 0)
    return (amount > 0) & (all_of_it if full else ~all_of_it)


def _refunded_cents(draft: Draft) -> Indices:
    """How much of each order went back; some exports write it with a minus."""
    values = draft.refunded.values
    cents: Indices = np.abs(pc.fill_null(values, 0).to_numpy(zero_copy_only=False))
    return cents


def _amounts(draft: Draft, context: Context, orders: Flags) -> list[str]:
    amounts = zip(
        _refunded_cents(draft)[orders].tolist(), draft.total_cents[orders].tolist(), strict=True
    )
    currency = context.settings.currency
    return [f"{amount(back, currency)} of {amount(total, currency)}" for back, total in amounts]


def _unless(done: Flags, finder: Finder, draft: Draft, context: Context) -> Iterator[Violations]:
    """What a finder finds at orders of which the rule has not been said."""
    for found in finder(draft, context):
        yield found.among(~done)


def _first_rows(draft: Draft, context: Context, meaning: Meaning) -> Iterator[tuple[str, Indices]]:
    """By status field, the first row of each order whose status has the meaning."""
    for field in STATUS_FIELDS:
        flags = np.zeros(len(draft.owners), dtype=bool)
        for source, meanings in enumerate(context.statuses):
            values = meanings.get(field, {}).get(meaning)
            if values is not None:
                flags |= is_true(pc.is_in(draft.column(field), value_set=values)) & (
                    draft.sources == source
                )
        rows: Indices = np.flatnonzero(flags)
        if len(rows):
            _, firsts = np.unique(draft.owners[rows], return_index=True)
            yield field, rows[firsts]
