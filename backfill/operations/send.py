"""Creates the orders of a job that are pending, after a confirmation."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from backfill.checkpoint import Checkpoint, State
from backfill.checkpoint.afterwards import UNDONE_AGAIN, count_undone, put_back_undone
from backfill.confirmation import Confirm, Plan, require
from backfill.errors import SafetyStop
from backfill.progress import Progress
from backfill.settings import ApiSettings, RunSettings
from backfill.settings.checks import host_of, is_this_machine

if TYPE_CHECKING:
    from backfill.deliver import Delivered


@dataclass(frozen=True, slots=True, kw_only=True)
class SendPlan(Plan):
    """The orders that are about to be created in Shout."""

    orders: int
    accounts: int
    total_cents: int
    currency: str
    first_day: str | None
    last_day: str | None
    limit: int | None
    """how many orders are sent now, at most; None: all"""
    undone: int
    """how many of them were deleted by an undo and are created again"""
    not_going: Mapping[State, int]
    """orders that are not sent, by state"""


@dataclass(frozen=True, slots=True)
class SendResult:
    """What was sent."""

    delivered: Delivered | None = None
    """None: nothing was left to send"""
    created_again: int = 0
    """orders that an undo had deleted"""


def send(
    checkpoint: Checkpoint,
    api: ApiSettings,
    run: RunSettings,
    progress: Progress,
    confirm: Confirm | None,
) -> SendResult:
    """Create what is pending, and settle what is in doubt.

    :raises UsageError: a confirmation is needed, and nobody can be asked.
    :raises SafetyStop: too many orders are rejected, it was not confirmed, or the run stopped.
    """
    undone = 0 if run.leave_undone else count_undone(checkpoint)
    counts = checkpoint.counts()
    if not (undone or left_to_send(counts)):
        return SendResult()
    _check_share_of_rejected(counts, run)
    if not (run.yes or is_this_machine(api.api_url)):
        require(plan(checkpoint, host_of(api.api_url), run.limit, undone), confirm)
    checkpoint.set_meta({"api_host": host_of(api.api_url)})
    if undone:
        put_back_undone(checkpoint)
    return SendResult(_deliver(checkpoint, api, run.limit, progress), undone)


def left_to_send(counts: Mapping[State, int]) -> int:
    """How many orders are pending or in doubt."""
    return counts[State.PENDING] + counts[State.SENDING]


def plan(checkpoint: Checkpoint, host: str, limit: int | None, undone: int) -> SendPlan:
    """What :func:`send` would do.

    :param undone: how many orders that an undo deleted are created again.
    """
    again = f" OR ({UNDONE_AGAIN})" if undone else ""
    orders, accounts, cents, first, last = checkpoint.query(
        "SELECT count(*), count(DISTINCT account_id), coalesce(sum(total_cents), 0),"
        " min(ordered_on), max(ordered_on) FROM orders"
        f" WHERE state IN ('pending', 'sending'){again}"
    ).fetchone()
    counts = checkpoint.counts()
    settings = json.loads(checkpoint.meta().get("settings") or "{}")
    return SendPlan(
        confirm_with=host,
        orders=orders,
        accounts=accounts,
        total_cents=cents,
        currency=settings.get("currency") or "USD",
        first_day=first,
        last_day=last,
        limit=limit,
        undone=undone,
        not_going={
            state: counts[state]
            for state in (State.REJECTED, State.SKIPPED, State.FAILED)
            if counts[state]
        },
    )


def _check_share_of_rejected(counts: Mapping[State, int], run: RunSettings) -> None:
    """Refuse to start on an export that is mostly broken.

    :raises SafetyStop: more than ``--max-rejected`` percent of the orders are rejected.
    """
    total, rejected = sum(counts.values()), counts[State.REJECTED]
    if rejected * 100 > run.max_rejected * total:
        raise SafetyStop(
            f"{rejected:,} of {total:,} orders were rejected, more than the "
            f"{run.max_rejected:g} percent of --max-rejected; nothing was sent",
            hint=f"see {Path(run.job) / 'report.html'}; fix the export or its mapping, "
            "or allow it with --max-rejected 100",
        )


def _deliver(
    checkpoint: Checkpoint, api: ApiSettings, limit: int | None, progress: Progress
) -> Delivered:
    from backfill import deliver

    began = time.monotonic()
    try:
        return deliver.run(checkpoint, api, limit=limit, progress=progress)
    finally:
        spent = float(checkpoint.meta().get("seconds_deliver", "0")) + time.monotonic() - began
        checkpoint.set_meta({"seconds_deliver": f"{spent:.3f}"})
