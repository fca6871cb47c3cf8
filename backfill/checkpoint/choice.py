"""The orders that a run takes up, where it does not take up all of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from backfill.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Orders that meet every condition; a condition that is empty or None is met by all."""

    accounts: Sequence[str] = ()
    reference_ids: Sequence[str] = ()
    since: str | None = None
    """YYYY-MM-DD: created on this day or later, by ``created_at`` as it is sent"""
    until: str | None = None
    """YYYY-MM-DD: created on this day or earlier"""

    def __bool__(self) -> bool:
        return bool(self.accounts or self.reference_ids or self.since or self.until)

    def where(self) -> tuple[str, list[str]]:
        """The choice as a SQL condition on ``orders``, with its parameters."""
        conditions, values = ["1"], []
        for condition, value in (
            ("account_id IN (SELECT value FROM json_each(?))", _json(self.accounts)),
            ("reference_id IN (SELECT value FROM json_each(?))", _json(self.reference_ids)),
            ("ordered_on >= ?", self.since),
            ("ordered_on <= ?", self.until),
        ):
            if value is not None:
                conditions.append(condition)
                values.append(value)
        return " AND ".join(conditions), values


def _json(texts: Sequence[str]) -> str | None:
    return json.dumps(list(texts)) if texts else None


def unknown(what: str, value: str) -> UsageError:
    """The error for an account or a reference id that no order of the job has."""
    return UsageError(
        f"the job has no order with {what} {value!r}",
        hint="write it as it is in results.csv; a reference id includes its prefix",
    )
