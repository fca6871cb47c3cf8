"""Deletes the orders that this job created, and nothing else.

Each order is looked up first. Only an order that is the one we created is deleted: by Shout's own
id, or by its content where the id was never learned. An order that somebody else created under
the same key stays. *Not there* means that it is gone already, so an undo is safe to repeat.

An order that is being deleted is ``sending`` with the rule ``undoing``. A run after an interrupted
undo looks it up, and finds it or sends it again, as it does with any order in doubt.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import ClassVar

from backfill.checkpoint import Checkpoint, State, now
from backfill.confirmation import Confirm, Plan, require_for_shout
from backfill.deliver.api import Answer
from backfill.deliver.compare import ShownOrder, in_words, shout_id
from backfill.deliver.loop import run_errand
from backfill.deliver.outcome import Outcome
from backfill.deliver.pace import Stopped
from backfill.deliver.settle import Unanswered, is_not_there
from backfill.deliver.shout import MOST_UNANSWERED, PROVE_WITHIN, Shout, described, run_refused
from backfill.errors import SafetyStop
from backfill.operations.sent import LeftAlone, SentOrder, differences_from, sent_orders
from backfill.progress import Progress
from backfill.settings import ApiSettings, RunSettings, ShoutOptions
from backfill.settings.checks import checked, moment


class UndoOptions(ShoutOptions, total=False):
    """The options of :meth:`backfill.Job.undo`."""

    account: str | None
    """only orders of this account"""
    since: str | date | None
    """only orders created at this time or later: a day (UTC), or a time with its offset"""


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoPlan(Plan):
    """The orders that are about to be deleted from Shout."""

    if_declined: ClassVar[str] = "nothing was deleted"
    orders: int
    accounts: int
    total_cents: int
    currency: str
    not_selected: int
    """created orders that are not selected, so they stay"""
    existing: int
    """orders that were in Shout before this job, so they stay"""
    in_doubt: int
    """orders in doubt from an interrupted run, which a run has to settle first"""


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoResult:
    """What an undo did."""

    selected: int
    """orders that were to be deleted"""
    deleted: int
    found_gone: int
    """how many of those were not in their account any more"""
    stay: Sequence[LeftAlone]
    """orders that could not be deleted"""
    maybe_not_ours: Sequence[str]
    """reference ids of orders that may have been in Shout before this job, so they stay"""
    in_doubt: int
    """orders in doubt from an interrupted run, which were left alone"""
    undone: int
    """orders of the job that are now undone, by this undo and earlier ones"""


def undo(
    checkpoint: Checkpoint,
    api: ApiSettings,
    run: RunSettings,
    progress: Progress,
    confirm: Confirm | None,
    options: UndoOptions,
) -> UndoResult:
    """Delete what this job created; run it again to resume.

    Orders that are in doubt from an interrupted run are not known to be ours: a run settles them.

    :param run: ``limit`` is how many orders, at most.
    :raises UsageError: an option cannot be used, or nobody can be asked for confirmation.
    :raises SafetyStop, Interrupted: it was not confirmed, or stopped; resumable.
    """
    since = options.get("since")
    if since is not None:
        since = checked("--since", since, moment)
    selected = _selected(checkpoint, options.get("account"), since)
    foreign = _maybe_not_ours(checkpoint)
    ids = [order for order in selected if order not in foreign][: run.limit]
    deletion = None
    if ids:
        require_for_shout(api, confirm, lambda host: _plan(checkpoint, host, ids), yes=run.yes)
        deletion = run_errand(lambda shout: Deletion(shout, ids), checkpoint, api, progress)
    return UndoResult(
        selected=len(ids),
        deleted=deletion.done[State.UNDONE] if deletion else 0,
        found_gone=deletion.found_gone if deletion else 0,
        stay=deletion.stay if deletion else (),
        maybe_not_ours=[foreign[order] for order in selected if order in foreign],
        in_doubt=_in_doubt(checkpoint),
        undone=checkpoint.counts()[State.UNDONE],
    )


def _plan(checkpoint: Checkpoint, host: str, ids: Sequence[int]) -> UndoPlan:
    counts, in_doubt = checkpoint.counts(), _in_doubt(checkpoint)
    accounts, cents = checkpoint.query(
        "SELECT count(DISTINCT account_id), coalesce(sum(total_cents), 0) FROM orders"
        " WHERE id IN (SELECT value FROM json_each(?))",
        (json.dumps(ids),),
    ).fetchone()
    begun = counts[State.SENDING] - in_doubt
    return UndoPlan(
        confirm_with=host,
        orders=len(ids),
        accounts=accounts,
        total_cents=cents,
        currency=checkpoint.currency(),
        not_selected=counts[State.CREATED] + begun - len(ids),
        existing=counts[State.EXISTING],
        in_doubt=in_doubt,
    )


# --- which orders ----------------------------------------------------------------------------


def _selected(checkpoint: Checkpoint, account: str | None, since: str | None) -> list[int]:
    """The ids of the orders to delete: begun by an earlier undo, or created and selected."""
    rows = checkpoint.query(
        "SELECT id FROM orders WHERE (state = 'sending' AND rule = 'undoing')"
        " OR (state = 'created' AND (? IS NULL OR account_id = ?)"
        " AND (? IS NULL OR updated_at >= ?)) ORDER BY state = 'created', id",
        (account, account, since, since),
    )
    return [row[0] for row in rows]


_CERTAIN = (
    "http_status BETWEEN 200 AND 299 AND state IN ('created', 'undone', 'sending')"
    " AND shout_order_id GLOB '[0-9]*'"
)


def _maybe_not_ours(checkpoint: Checkpoint) -> dict[int, str]:
    """Created orders that may have been in Shout before this job: ids with reference ids.

    An order whose request was in doubt and that a lookup found counts as created by us. If the
    job met orders that had been there before, it may be one of those: unless Shout's id says that
    it came after the first order that we certainly created.
    """
    rows = checkpoint.query(
        "SELECT id, reference_id FROM orders WHERE state = 'created'"
        " AND NOT coalesce(http_status BETWEEN 200 AND 299, 0)"
        " AND EXISTS (SELECT 1 FROM orders WHERE state = 'existing')"
        " AND NOT coalesce(shout_order_id GLOB '[0-9]*' AND CAST(shout_order_id AS INTEGER)"
        f" > (SELECT min(CAST(shout_order_id AS INTEGER)) FROM orders WHERE {_CERTAIN}), 0)"
    )
    return {row[0]: row[1] for row in rows}


def _in_doubt(checkpoint: Checkpoint) -> int:
    """How many orders are in doubt from an interrupted run."""
    found = checkpoint.query(
        "SELECT count(*) FROM orders WHERE state = 'sending' AND rule IS NOT 'undoing'"
    )
    return int(found.fetchone()[0])


# --- on the wire -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Deleted:
    """What became of an order that was to be deleted."""

    id: int
    state: State
    """``undone``; ``created`` where it stays; ``sending`` where its deletion is in doubt"""
    reason: str | None = None


class Deletion:
    """The errand: a lookup and a deletion per order."""

    name = "deleting"
    unit = "orders"

    def __init__(self, shout: Shout, ids: Sequence[int]) -> None:
        """:param ids: the orders to delete, in this order."""
        self._shout = shout
        self._ids = ids
        self._claimed = 0
        self._proven = False
        self.total = len(ids)
        self.finished = 0
        self.done: Counter[State] = Counter()
        """orders by the state that they came to"""
        self.found_gone = 0
        self.stay: list[LeftAlone] = []

    @property
    def alone(self) -> bool:
        """One at a time until a deletion was seen to have worked."""
        return not self._proven and self.finished < PROVE_WITHIN

    def advance(
        self, db: sqlite3.Connection, done: Sequence[Deleted], room: int
    ) -> Sequence[SentOrder]:
        """Record what became of orders, and mark the next ones as being deleted."""
        self.done.update(one.state for one in done)
        self.finished += len(done)
        db.executemany(
            "UPDATE orders SET state = ?, rule = CASE ? WHEN 'sending' THEN rule END,"
            " reason = coalesce(?, reason), updated_at = ? WHERE id = ? AND state = 'sending'",
            [(one.state, one.state, one.reason, now(), one.id) for one in done],
        )
        ids = self._ids[self._claimed : self._claimed + room]
        self._claimed += len(ids)
        orders = sent_orders(db, ids)
        db.executemany(
            "UPDATE orders SET state = 'sending', rule = 'undoing', updated_at = ? WHERE id = ?",
            [(now(), one) for one in ids],
        )
        return orders

    async def see_through(self, item: SentOrder) -> Deleted:
        """Delete one order."""
        shout, claim = self._shout, item.claim
        # A deletion in doubt must have had its effect, if any, before the order counts as undone:
        # otherwise it might reach the same order when it is created again.
        wait = shout.settle if item.undoing else 0.0
        state = State.SENDING if item.undoing else State.CREATED
        unanswered = 0
        try:
            while unanswered < MOST_UNANSWERED:
                shown = await shout.settler.find(claim)
                if shown is None:
                    self.found_gone += state is State.CREATED
                    await self._settled(wait)
                    return Deleted(claim.id, State.UNDONE)
                if why := _not_ours(item, shown):
                    return self._stays(item, why)
                outcome, answer = await shout.wire.change(
                    lambda api: api.delete(
                        claim.account_header, claim.account_id, claim.reference_id
                    )
                )
                gone = isinstance(answer, Answer) and is_not_there(answer)
                if outcome is Outcome.CREATED or gone:
                    state = State.SENDING
                    shout.accepted()
                    await self._prove(item)
                    await self._settled(wait)
                    return Deleted(claim.id, State.UNDONE)
                if outcome is Outcome.RUN_REFUSED:
                    shout.halt(run_refused(answer))
                    return Deleted(claim.id, state)
                if outcome is Outcome.REFUSED:
                    shout.refused(described(answer))
                    return self._stays(item, f"Shout refused to delete it ({described(answer)})")
                if outcome is Outcome.IN_DOUBT:
                    state, wait = State.SENDING, shout.settle
                    unanswered += 1
                await shout.pace.may_retry()
            return self._stays(item, "no request to delete it was answered", state)
        except Stopped:
            return Deleted(claim.id, state)
        except Unanswered as none:
            return self._stays(item, f"it could not be looked up ({none})", state)

    def _stays(self, item: SentOrder, why: str, state: State = State.CREATED) -> Deleted:
        self.stay.append(LeftAlone(item.claim.reference_id, why))
        return Deleted(item.claim.id, state, why)

    async def _settled(self, seconds: float) -> None:
        if seconds:
            await self._shout.pace.sleep(seconds)

    async def _prove(self, item: SentOrder) -> None:
        """See once that a deletion worked.

        :raises SafetyStop: it did not.
        """
        if self._proven:
            return
        if await self._shout.settler.find(item.claim) is not None:
            raise SafetyStop(
                f"Shout says that order {item.claim.reference_id} is deleted, but still shows it",
                hint="contact Shout, then run the same command again",
            )
        self._proven = True

    def counts(self) -> dict[str, int]:
        """Orders by the state that they came to."""
        return {state.value: n for state, n in self.done.items()}


def _not_ours(item: SentOrder, shown: ShownOrder) -> str | None:
    """Why an order that was found is not the one that this job created; None where it is."""
    ours, found = item.shout_order_id, shout_id(shown)
    if ours is not None and found is not None:
        return None if ours == found else f"it is now another order (id {found}, not {ours})"
    wrong = differences_from(item, shown)
    return f"it is not the order that was sent: {in_words(wrong)}" if wrong else None
