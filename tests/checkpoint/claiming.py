"""Orders claimed and recorded as the loop does it, each in a transaction of its own."""

from __future__ import annotations

from collections.abc import Sequence

from backfill.checkpoint import Activity, Checkpoint, Claim, Result, sending


def claim(checkpoint: Checkpoint, most: int) -> list[Claim]:
    """Mark the first ``most`` pending orders as ``sending``."""
    with checkpoint.writing() as db:
        return sending.claim(db, after=0, most=most, chosen="")


def record(
    checkpoint: Checkpoint, results: Sequence[Result], activity: Activity | None = None
) -> None:
    """Write down what became of claimed orders, and what was sent."""
    with checkpoint.writing() as db:
        sending.record(db, results)
        if activity is not None:
            sending.record_activity(db, activity)
