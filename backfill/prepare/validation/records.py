"""Validated orders as the checkpoint takes them: state, body, totals, and where their rows are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from backfill.checkpoint import State
from backfill.checkpoint.incoming import ORDERS
from backfill.prepare import payload
from backfill.prepare.books import unknown_totals
from backfill.prepare.draft import Draft
from backfill.prepare.validation.violations import Context

#: What becomes of an order that is not sent: its state, the rule, and the reason in words.
Fate: TypeAlias = tuple[State, str | None, str | None]


def order_records(draft: Draft, context: Context, fates: Mapping[int, Fate]) -> pa.RecordBatch:
    """The orders of a draft as the checkpoint takes them.

    :param fates: by index, the orders that are not sent; all others are pending.
    :returns: columns as in :data:`~backfill.checkpoint.incoming.ORDERS`; rejected orders have no
        payload.
    """
    states, rules, reasons = _fates(draft.count, fates)
    order_texts = _order_texts(draft, context)
    lines = draft.lines
    priceless = lines.priceless if lines.priceless.any() else None
    bodies = payload.bodies(
        order_texts,
        pa.array(draft.total_cents),
        {
            "name": lines.name,
            "each_price_cents": pa.array(lines.each_cents, mask=priceless),
            "quantity_thousandths": pa.array(lines.quantity_thousandths),
            "price_cents": pa.array(lines.price_cents, mask=priceless),
        },
        lines.starts,
    )
    files, rows = _addresses(draft)
    columns = {
        "reference_id": order_texts["reference_id"],
        "account_header": draft.accounts.header,
        "account_id": draft.accounts.id,
        "state": states,
        "total_cents": pa.array(draft.total_cents, mask=unknown_totals(draft)),
        "line_items": pa.array(np.diff(lines.starts)),
        "ordered_on": pc.utf8_slice_codeunits(order_texts["created_at"], 0, 10),
        "source_file": files,
        "source_rows": rows,
        "rule": rules,
        "reason": reasons,
        "payload": pc.if_else(pc.equal(states, State.REJECTED), None, bodies) if fates else bodies,
    }
    return pa.RecordBatch.from_arrays([columns[name] for name in ORDERS.names], schema=ORDERS)


def _fates(count: int, fates: Mapping[int, Fate]) -> tuple[pa.Array, pa.Array, pa.Array]:
    """State, rule and reason of each order."""
    if not fates:
        nothing = pa.nulls(count, pa.string())
        return pa.repeat(State.PENDING.value, count), nothing, nothing
    each = [fates.get(order, (State.PENDING, None, None)) for order in range(count)]
    states, rules, reasons = (pa.array(column, pa.string()) for column in zip(*each, strict=True))
    return states, rules, reasons


def _order_texts(draft: Draft, context: Context) -> dict[str, pa.Array]:
    """The text of each field as it is sent."""
    texts = {field: draft.texts[field].values for field in payload.TEXT_FIELDS}
    for field, times in draft.times.items():
        if field in texts:
            texts[field] = times.values
    texts["created_at"] = _created_at(draft)
    texts["profile_phone_number"] = draft.phone.values
    if context.settings.reference_prefix:
        texts["reference_id"] = pc.binary_join_element_wise(
            context.settings.reference_prefix, texts["reference_id"], ""
        )
    return texts


def _created_at(draft: Draft) -> pa.Array:
    """``created_at``, and where the export has none, the earliest other time of the order."""
    created = draft.times["created_at"].values
    if created.null_count == 0:
        return created
    moments = pa.nulls(draft.count, pa.timestamp("s", "UTC"))
    earliest = pa.nulls(draft.count, pa.string())
    for field in ("invoiced_at", "paid_at", "shipped_at", "refunded_at"):
        times = draft.times[field]
        sooner = pc.fill_null(
            pc.or_kleene(pc.less(times.instant, moments), pc.is_null(moments)), False
        )
        earliest = pc.if_else(sooner, times.values, earliest)
        moments = pc.if_else(sooner, times.instant, moments)
    return pc.coalesce(created, earliest)


def _addresses(draft: Draft) -> tuple[pa.Array, pa.Array]:
    """Where each order stands: its sources, and its rows as ``2-4,9``; ``'; '`` between sources."""
    rows = draft.orders.rows["_row"].to_numpy()
    owners, sources = draft.owners, draft.sources
    breaks = np.diff(rows, prepend=-2) > 1
    new_order = np.diff(owners, prepend=-1) != 0
    new_source = np.diff(sources, prepend=-1) != 0
    begins = np.flatnonzero(breaks | new_order | new_source)
    ends = np.append(begins[1:], len(rows)) - 1
    first, last = pa.array(rows[begins]).cast(pa.string()), pa.array(rows[ends]).cast(pa.string())
    span = pc.binary_join_element_wise(first, last, "-")
    pieces = pc.if_else(pc.equal(first, last), first, span)
    per_order = np.searchsorted(owners[begins], np.arange(draft.count + 1))
    joined = pc.binary_join(pa.ListArray.from_arrays(pa.array(per_order, pa.int32()), pieces), ",")
    labels = pa.array([reading.label for reading in draft.readings], pa.string())
    files = labels.take(pa.array(sources[draft.first_rows]))
    shared = np.unique(owners[new_source & ~new_order]).tolist()
    if not shared:
        return files, joined

    files, joined = files.to_pylist(), joined.to_pylist()
    for order in shared:
        here = slice(int(per_order[order]), int(per_order[order + 1]))
        of_source: dict[int, list[str]] = {}
        for piece, begin in zip(pieces[here].to_pylist(), begins[here].tolist(), strict=True):
            of_source.setdefault(int(sources[begin]), []).append(piece)
        files[order] = "; ".join(draft.readings[source].label for source in of_source)
        joined[order] = "; ".join(",".join(spans) for spans in of_source.values())
    return pa.array(files, pa.string()), pa.array(joined, pa.string())
