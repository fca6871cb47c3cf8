"""Creates the orders of a job that are pending, after a confirmation."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from backfill.checkpoint import NOT_CREATED, Checkpoint, State
from backfill.confirmation import Confirm, Plan, require_for_shout
from backfill.errors import SafetyStop
from backfill.operations.retry import UNDONE, count_undone, put_back_undone
from backfill.progress import Progress
from backfill.settings import ApiSettings, RunSettings
from backfill.settings.checks import host_of

if TYPE_CHECKING:
    from backfill.deliver import Delivered

_log = logging.getLogger(__name__)

#: How many orders of a pilot are named.
PILOT_SHOWN: Final = 10
ALL: Final = -1
"""As SQLite's LIMIT has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SendPlan(Plan):
    """The orders that are about to be created in Shout."""

    orders: int
    """how many are sent now: those that ``--limit`` and the choice leave"""
    accounts: int
    total_cents: int
    currency: str
    first_day: str | None
    last_day: str | None
    later: int
    """orders that stay pending, because they are not chosen or above the limit"""
    undone: int
    """orders that an undo had deleted, and that become pending again"""
    not_created: Mapping[State, int]
    """orders that are not sent, by state"""


@dataclass(frozen=True, slots=True)
class SendResult:
    """What was sent."""

    delivered: Delivered | None = None
    """None: nothing was left to send"""
    created_again: int = 0
    """orders that an undo had deleted"""
    created: int = 0
    """orders that were created now"""
    pilot: Sequence[CreatedOrder] = ()
    """the first orders that were created, where a limit or a choice left others pending"""


class CreatedOrder(NamedTuple):
    """An order of a pilot, to be looked at in Shout."""

    reference_id: str
    account_id: str


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
    if not (undone or sum(checkpoint.left().values())):
        return SendResult()
    _check_share_of_rejected(counts, run)
    require_for_shout(
        api, confirm, lambda host: plan(checkpoint, host, run.limit, undone), yes=run.yes
    )
    checkpoint.set_meta({"api_host": host_of(api.api_url)})
    if undone:
        put_back_undone(checkpoint)
    first = _first_to_go(checkpoint, run.limit) if run.limit or checkpoint.chosen else []
    delivered = _deliver(checkpoint, api, run.limit, progress)
    sent_now = {state.value: count for state, count in delivered.orders.items()}
    _log.info("sent", extra={"fields": {**sent_now, "ended": delivered.ended}})
    created = delivered.orders[State.CREATED]
    return SendResult(delivered, undone, created, _created(checkpoint, first))


def _first_to_go(checkpoint: Checkpoint, limit: int | None) -> list[int]:
    most = PILOT_SHOWN if limit is None else min(limit, PILOT_SHOWN)
    rows = checkpoint.query(
        f"SELECT id FROM orders WHERE state = 'pending'{checkpoint.chosen} ORDER BY id LIMIT ?",
        (most,),
    )
    return [row[0] for row in rows]


def _created(checkpoint: Checkpoint, ids: Sequence[int]) -> list[CreatedOrder]:
    rows = checkpoint.query(
        "SELECT reference_id, account_id FROM orders WHERE state = 'created'"
        " AND id IN (SELECT value FROM json_each(?)) ORDER BY id",
        (json.dumps(ids),),
    )
    return [CreatedOrder(*row) for row in rows]


def plan(checkpoint: Checkpoint, host: str, limit: int | None, undone: int) -> SendPlan:
    """What :func:`send` would do.

    :param undone: how many orders that an undo deleted are created again.
    """
    again = f" OR ({UNDONE})" if undone else ""
    columns = "SELECT account_id, total_cents, ordered_on FROM orders"
    # What is in doubt is looked up whatever the limit is.
    orders, accounts, cents, first, last = checkpoint.query(
        "SELECT count(*), count(DISTINCT account_id), coalesce(sum(total_cents), 0),"
        f" min(ordered_on), max(ordered_on) FROM ({columns} WHERE state = 'sending'"
        f"{checkpoint.chosen} UNION ALL SELECT * FROM ({columns} WHERE (state = 'pending'{again})"
        f"{checkpoint.chosen} ORDER BY id LIMIT ?))",
        (ALL if limit is None else limit,),
    ).fetchone()
    counts = checkpoint.counts()
    return SendPlan(
        confirm_with=host,
        orders=orders,
        accounts=accounts,
        total_cents=cents,
        currency=checkpoint.currency(),
        first_day=first,
        last_day=last,
        later=counts[State.PENDING] + counts[State.SENDING] + undone - orders,
        undone=undone,
        not_created={state: counts[state] for state in NOT_CREATED if counts[state]},
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
