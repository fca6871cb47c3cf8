"""Validation: apply every rule to a chunk of orders, and say which are sent and which are not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from backfill.checkpoint import ProblemRow, State
from backfill.prepare.draft import Draft
from backfill.prepare.validation.records import Fate, order_records
from backfill.prepare.validation.rules import RULES, Rule
from backfill.prepare.validation.violations import Context, Violations
from backfill.settings import Severity

#: Warnings of one rule in a chunk that are listed one by one; the rest is counted in one line.
#: A warning that every order has is read once, and would otherwise outgrow the orders.
WARNINGS_IN_FULL = 200


@dataclass(frozen=True, slots=True)
class Validated:
    """A chunk of orders that is ready for the checkpoint."""

    orders: pa.RecordBatch
    """columns as in :data:`~backfill.checkpoint.incoming.ORDERS`; no payload where rejected"""
    problems: list[ProblemRow]


def validate(
    draft: Draft, context: Context, severity: Mapping[str, Severity], first_id: int
) -> Validated:
    """Apply every rule, and build the bodies of the orders that no error keeps back.

    :param severity: the severity of each rule, by its id.
    :param first_id: the checkpoint's id of the chunk's first order.
    """
    rejected: dict[int, list[tuple[str, str]]] = {}
    skipped: dict[int, tuple[str, str]] = {}
    problems: list[ProblemRow] = []
    closed = np.zeros(draft.count, dtype=bool)  # nothing more is said of these orders
    for rule in RULES:
        counted = np.zeros(draft.count, dtype=bool)  # the rule's problems count these already
        for found in rule.find(draft, context):
            if closed.any():
                found = found.among(~closed)
            messages = _messages(rule, found)
            if rule.skips:
                for order, message in zip(found.orders.tolist(), messages, strict=True):
                    skipped.setdefault(order, (rule.id, message))
            elif severity[rule.id] == "error":
                for order, message in zip(found.orders.tolist(), messages, strict=True):
                    rejected.setdefault(order, []).append((rule.id, message))
            counts = _counts(found, counted)
            problems += _problems(draft, rule, severity[rule.id], found, messages, counts, first_id)
            if rule.final and severity[rule.id] == "error":
                closed[found.orders] = True

    fates: dict[int, Fate] = {order: (State.SKIPPED, *why) for order, why in skipped.items()}
    for order, errors in rejected.items():
        texts = dict.fromkeys(message for _, message in errors)
        fates[order] = (State.REJECTED, errors[0][0], "; ".join(texts))
    return Validated(order_records(draft, context, fates), problems)


def _messages(rule: Rule, found: Violations) -> list[str]:
    if found.details is None:
        return [rule.message()] * len(found.orders)
    return [rule.message(detail) for detail in found.details]


def _counts(found: Violations, counted: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Which of the places are the first of their order; the others count rows only.

    Marks the orders in ``counted``, so that an order counts once in all that a rule finds.
    """
    first: npt.NDArray[np.bool_] = np.diff(found.orders, prepend=-1) != 0
    first &= ~counted[found.orders]
    counted[found.orders] = True
    return first


def _problems(
    draft: Draft,
    rule: Rule,
    severity: Severity,
    found: Violations,
    messages: list[str],
    counts: npt.NDArray[np.bool_],
    first_id: int,
) -> list[ProblemRow]:
    """What was found as rows of the checkpoint; see :data:`WARNINGS_IN_FULL`.

    :param counts: which of the places count their order.
    """
    count = len(found.orders)
    shown = count if severity == "error" else min(count, WARNINGS_IN_FULL)
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
            counts[:shown].tolist(),
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
                int(counts[shown:].sum()),
                count - shown,
                draft.readings[source].label,
                draft.column("_row")[row].as_py(),
                _column_name(draft, source, found.field),
                None,
                rule.message(),
            )
        )
    return lines


def _column_name(draft: Draft, source: int, field: str | None) -> str | None:
    return None if field is None else draft.readings[source].mapping.column_of(field) or field
