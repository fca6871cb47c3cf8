"""How far a job is, from its checkpoint alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from backfill.checkpoint import Checkpoint, State

#: Minutes of activity that the rate is taken from.
_RECENT = 5


@dataclass(frozen=True, slots=True)
class Status:
    """A job at one moment."""

    states: dict[State, int]
    accounts: list[tuple[str, dict[str, int]]]
    """account ids, each with its orders by state; the largest first"""
    created_a_minute: float
    """over the last minutes in which something happened, counting the present one"""
    last_errors: list[tuple[str, str]]
    """order keys with their reasons, the newest first"""
    changed: int
    """orders in Shout that changed in the export after they were sent"""
    gone: list[str]
    """keys of orders that the export no longer has"""
    verified: dict[str, Any]
    """the last :class:`~backfill.operations.verify.VerifyResult` as JSON; empty: none yet"""

    @property
    def left(self) -> int:
        """Orders that are still to be sent, or to be looked up."""
        return self.states[State.PENDING] + self.states[State.SENDING]

    @property
    def minutes_left(self) -> float | None:
        """None where nothing was created of late."""
        return self.left / self.created_a_minute if self.created_a_minute else None


def read(checkpoint: Checkpoint) -> Status:
    """Read a job's status; a run that is going on is not disturbed."""
    accounts: dict[str, dict[str, int]] = {}
    for account, state, orders in checkpoint.query(
        "SELECT coalesce(account_id, ''), state, count(*) FROM orders GROUP BY 1, 2"
    ):
        accounts.setdefault(account, {})[state] = orders
    since = (datetime.now(UTC) - timedelta(minutes=_RECENT)).strftime("%Y-%m-%dT%H:%M")
    created, minutes = checkpoint.query(
        "SELECT coalesce(sum(created), 0), count(*) FROM activity WHERE minute >= ?", (since,)
    ).fetchone()
    errors = checkpoint.query(
        "SELECT reference_id, reason FROM orders WHERE state = 'failed'"
        " ORDER BY updated_at DESC, id DESC LIMIT 3"
    ).fetchall()
    return Status(
        # Not counted anew: while a run is going on, the two would disagree.
        states={
            state: sum(orders.get(state, 0) for orders in accounts.values()) for state in State
        },
        accounts=sorted(accounts.items(), key=lambda item: -sum(item[1].values())),
        created_a_minute=created / minutes if minutes else 0.0,
        last_errors=[(row["reference_id"], row["reason"]) for row in errors],
        changed=checkpoint.query("SELECT count(*) FROM changes").fetchone()[0],
        gone=[
            row[0]
            for row in checkpoint.query(
                "SELECT coalesce(reference_id, '') FROM gone JOIN orders ON orders.id = order_id"
                " ORDER BY order_id"
            )
        ],
        verified=checkpoint.remembered("verify"),
    )
