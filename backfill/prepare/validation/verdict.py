"""The rules applied to a chunk of orders: which go, which don't and why; the checkpoint's rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from backfill.checkpoint import ProblemRow, State
from backfill.checkpoint.incoming import ORDERS
from backfill.errors import UsageError
from backfill.prepare import payload
from backfill.prepare.draft import Draft
from backfill.prepare.validation.checks import Context, Found
from backfill.prepare.validation.rules import RULES, SKIPPING, Rule
from backfill.settings import Severity

#: Without these an order has no body that could be sent, so they cannot be made warnings.
ALWAYS_ERRORS = frozenset(
    {
        "missing_reference_id",
        "ragged_row",
        "duplicate_order",
        "missing_account",
        "unknown_affiliate",
        "conflicting_accounts",
        "unreachable_customer",
        "bad_time",
        "time_is_now",
        "no_time",
        "bad_money",
        "missing_price",
        "bad_quantity",
    }
)
#: Of a warning that meets more orders of a chunk than this, the rest is counted in one line:
#: a warning that everything has is read once, and would otherwise outgrow the orders.
WARNINGS_IN_FULL = 200

#: What becomes of an order that does not go: its state, the rule, and the reason in words.
Fate: TypeAlias = tuple[State, str | None, str | None]


@dataclass(frozen=True, slots=True)
class Judged:
    """A chunk that is ready for the checkpoint."""

    orders: pa.RecordBatch
    """columns as in :data:`~backfill.checkpoint.incoming.ORDERS`; no payload where rejected"""
    problems: list[ProblemRow]


def severities(chosen: Sequence[tuple[str, Severity]]) -> dict[str, Severity]:
    """Each rule's severity, with what the user has set otherwise.

    :raises UsageError: a rule is not known, or cannot be a warning.
    """
    known: dict[str, Severity] = {rule.id: rule.severity for rule in RULES}
    for rule, severity in chosen:
        if rule not in known:
            raise UsageError(
                f"severity: there is no rule {rule!r}",
                hint="backfill validate --list-rules prints them all",
            )
        if rule in SKIPPING or (rule in ALWAYS_ERRORS and severity != "error"):
            raise UsageError(f"severity: the rule {rule!r} is always what it is")
        known[rule] = severity
    return known


def judge(
    draft: Draft, context: Context, severity: Mapping[str, Severity], first_id: int
) -> Judged:
    """Apply every rule, and build the bodies of the orders that no error keeps back.

    :param first_id: the checkpoint's id of the chunk's first order.
    """
    reasons: dict[int, list[tuple[str, str]]] = {}
    skipped: dict[int, tuple[str, str]] = {}
    problems: list[ProblemRow] = []
    settled = np.zeros(draft.count, dtype=bool)
    for rule in RULES:
        for found in rule.check(draft, context):
            if settled.any():
                found = found.among(~settled)
            messages = _messages(rule, found)
            if rule.skips:
                for order, message in zip(found.orders.tolist(), messages, strict=True):
                    skipped.setdefault(order, (rule.id, message))
            elif severity[rule.id] == "error":
                for order, message in zip(found.orders.tolist(), messages, strict=True):
                    reasons.setdefault(order, []).append((rule.id, message))
            problems += _problems(draft, rule, severity[rule.id], found, messages, first_id)
            if rule.settles and severity[rule.id] == "error":
                settled[found.orders] = True

    fates = {order: (State.SKIPPED, *why) for order, why in skipped.items()}
    for order, errors in reasons.items():
        texts = dict.fromkeys(message for _, message in errors)
        fates[order] = (State.REJECTED, errors[0][0], "; ".join(texts))
    return Judged(_orders(draft, context, fates), problems)


def _messages(rule: Rule, found: Found) -> list[str]:
    if found.details is None:
        return [rule.reason] * len(found.orders)
    return [f"{rule.reason} ({detail})" for detail in found.details]


def _problems(
    draft: Draft,
    rule: Rule,
    severity: Severity,
    found: Found,
    messages: list[str],
    first_id: int,
) -> list[ProblemRow]:
    """The checkpoint's lines for what one check found; see :data:`WARNINGS_IN_FULL`."""
    count = len(found.orders)
    shown = count if severity == "error" else min(count, WARNINGS_IN_FULL)
    # The first line of a rule in an order counts the order, its further lines only rows.
    begins = np.diff(found.orders, prepend=-1) != 0
    rows = found.rows[:shown]
    numbers = draft.column("_row").take(pa.array(rows)).to_pylist()
    sources = draft.sources[rows].tolist()
    values: list[Any] = [None] * shown
    if found.values is not None:
        values = found.values.slice(0, shown).to_pylist()
    lines: list[ProblemRow] = [
        (
            rule.id,
            severity,
            order + first_id,
            int(first),
            1,
            draft.readings[source].label,
            number,
            _column_name(draft, source, found.field),
            value,
            message,
        )
        for order, first, source, number, value, message in zip(
            found.orders[:shown].tolist(),
            begins[:shown].tolist(),
            sources,
            numbers,
            values,
            messages,
            strict=False,  # messages goes on to the last; the others stop where the showing stops
        )
    ]
    if count > shown:
        row = int(found.rows[shown])
        source = int(draft.sources[row])
        lines.append(
            (
                rule.id,
                severity,
                None,
                int(begins[shown:].sum()),
                count - shown,
                draft.readings[source].label,
                draft.column("_row")[row].as_py(),
                _column_name(draft, source, found.field),
                None,
                rule.reason,
            )
        )
    return lines


def _column_name(draft: Draft, source: int, field: str | None) -> str | None:
    return None if field is None else draft.readings[source].mapping.column_of(field) or field


def _orders(draft: Draft, context: Context, fates: Mapping[int, Fate]) -> pa.RecordBatch:
    """The orders as the checkpoint takes them; those without a fate of their own are pending."""
    states, rules, reasons = _fates(draft.count, fates)
    order_texts = _order_texts(draft, context)
    lines = draft.lines
    bodies = payload.bodies(
        order_texts,
        pa.array(draft.total_cents),
        {
            "name": lines.name,
            "each_price_cents": pa.array(lines.each_cents),
            "quantity_thousandths": pa.array(lines.quantity_thousandths),
            "price_cents": pa.array(lines.price_cents),
        },
        lines.starts,
    )
    files, rows = _addresses(draft)
    columns = {
        "reference_id": order_texts["reference_id"],
        "account_header": draft.accounts.header,
        "account_id": draft.accounts.id,
        "state": states,
        "total_cents": pa.array(draft.total_cents, mask=_unknown_total(draft)),
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


def _unknown_total(draft: Draft) -> npt.NDArray[np.bool_]:
    """Orders whose total could not be read, or whose lines, that would make it, are not there."""
    bad = pc.fill_null(draft.total.bad, False).to_numpy(zero_copy_only=False)
    given = pc.is_valid(draft.total.values).to_numpy(zero_copy_only=False)
    unknown: npt.NDArray[np.bool_] = bad | (~given & (np.diff(draft.lines.starts) == 0))
    return unknown


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
