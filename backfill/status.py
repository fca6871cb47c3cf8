"""How far a job is, from its checkpoint alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from backfill.checkpoint import Checkpoint, State

#: Minutes after which nothing counts as recent, and those that the rate is taken from.
_RECENT, _MEASURED = timedelta(minutes=5), timedelta(minutes=2)
#: Orders that the rate is taken from, at most; they go out in the order of their ids.
_LOOKED_AT = 20_000


@dataclass(frozen=True, slots=True)
class Status:
    """A job at one moment."""

    states: dict[State, int]
    accounts: list[tuple[str, dict[str, int]]]
    """account ids, each with its orders by state; the largest first"""
    created_a_minute: float
    """over the last two minutes of sending; 0 where that was more than five minutes ago"""
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
        created_a_minute=_created_a_minute(checkpoint),
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


def _created_a_minute(checkpoint: Checkpoint) -> float:
    """By the last orders that were created: the minutes of the activity are not all whole."""
    times = [
        datetime.fromisoformat(row[0])
        for row in checkpoint.query(
            "SELECT updated_at FROM orders WHERE state = 'created' ORDER BY id DESC LIMIT ?",
            (_LOOKED_AT,),
        )
    ]
    last = max(times, default=None)
    if last is None or datetime.now(UTC) - last > _RECENT:
        return 0.0
    recent = [at for at in times if last - at < _MEASURED]
    # Both ends are whole seconds, and orders were created during the first of them too.
    return 60 * len(recent) / ((last - min(recent)).total_seconds() + 1)
