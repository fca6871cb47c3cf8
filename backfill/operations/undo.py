"""Deletes the orders that this job created, and nothing else.

Each order is looked up first. Only an order with the id that Shout gave us is deleted; an order
that somebody else created under the same key stays. Each is looked up again after its deletion: it
is undone only when a lookup no longer shows it. *Not there* from the start means that it is gone
already, so an undo is safe to repeat.

An order that is being deleted is ``sending`` with the rule ``undoing``. A run after an interrupted
undo looks it up, and finds it or sends it again, as it does with any order in doubt.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from math import inf
from typing import ClassVar

from backfill.checkpoint import Checkpoint, State, WireRule, now
from backfill.confirmation import Confirm, Plan, require_for_shout
from backfill.deliver.api import Answer, NoAnswer
from backfill.deliver.compare import ShownOrder
from backfill.deliver.lookup import Unanswered
from backfill.deliver.loop import run_errand
from backfill.deliver.outcome import Outcome
from backfill.deliver.pace import Stopped
from backfill.deliver.shout import MOST_UNANSWERED, PROVE_WITHIN, Shout, described, run_refused
from backfill.deliver.shown import may_say_not_there, shout_id, shown_success
from backfill.deliver.witness import NoWitness
from backfill.errors import SafetyStop
from backfill.operations.sent import LeftAlone, SentOrder, sent_orders, while_lagging
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
    not_proven_ours: Sequence[str]
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
    account = options.get("account")
    ids = _selected(checkpoint, account, since)[: run.limit]
    deletion = None
    if ids:
        require_for_shout(api, confirm, lambda host: _plan(checkpoint, host, ids), yes=run.yes)
        deletion = run_errand(lambda shout: Deletion(shout, ids), checkpoint, api, progress)
    return UndoResult(
        selected=len(ids),
        deleted=deletion.done[State.UNDONE] if deletion else 0,
        found_gone=deletion.found_gone if deletion else 0,
        stay=deletion.stay if deletion else (),
        not_proven_ours=_not_proven_ours(checkpoint, account),
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


def _not_proven_ours(checkpoint: Checkpoint, account: str | None) -> list[str]:
    """Reference ids of orders in Shout that this job may have created, or somebody before it."""
    rows = checkpoint.query(
        "SELECT reference_id FROM orders WHERE state = 'existing' AND rule = ?"
        " AND (? IS NULL OR account_id = ?) ORDER BY id",
        (WireRule.NOT_PROVEN_OURS, account, account),
    )
    return [row[0] for row in rows]


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
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        self._seen: set[int] = set()
        """Orders (by id) that this undo has found."""
        self._asked: set[int] = set()
        """Orders that Shout may have been asked to delete."""
        self._in_doubt_since: dict[int, float] = {}
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
        try:
            return await self._delete(item)
        except Stopped:
            return Deleted(item.claim.id, self._state(item))
        except Unanswered as none:
            return self._stays(item, f"it could not be looked up ({none})")

    async def _delete(self, item: SentOrder) -> Deleted:
        """:raises Unanswered: lookups do not tell. :raises Stopped: nothing more is sent."""
        shout, claim = self._shout, item.claim
        unanswered = 0
        while unanswered < MOST_UNANSWERED:
            shown = await self._find(item)
            if shown is None:
                self.found_gone += claim.id not in self._asked
                return await self._undone(item)
            self._seen.add(claim.id)
            if why := _not_ours(item, shown):
                return self._stays(item, why)
            outcome, answer, _ = await shout.wire.change(
                lambda api: api.delete(claim.account_header, claim.account_id, claim.reference_id),
                shown_success,
            )
            if outcome is Outcome.RUN_REFUSED:
                shout.halt(run_refused(answer))
                return Deleted(claim.id, self._state(item))
            gone = isinstance(answer, Answer) and may_say_not_there(answer)
            if outcome is Outcome.REFUSED and not gone:
                shout.refused(described(answer))
                return self._stays(item, f"Shout refused to delete it ({described(answer)})")
            if outcome is not Outcome.NOT_SENT:
                self._asked.add(claim.id)
            if outcome is Outcome.CREATED or gone:
                if await while_lagging(shout, lambda: shout.settler.find(claim)):
                    return self._is_still_there(item, answer)
                shout.accepted()
                self._proven = True
                return await self._undone(item)
            if outcome is Outcome.IN_DOUBT:
                self._in_doubt_since[claim.id] = self._loop.time()
                unanswered += 1
            await shout.pace.may_retry()
        return self._stays(item, f"no answer shows that it was deleted ({described(answer)})")

    async def _find(self, item: SentOrder) -> ShownOrder | None:
        """The order; None where it is certain not to be in Shout.

        :raises Unanswered: lookups do not tell. :raises Stopped: nothing more is sent.
        """
        settler = self._shout.settler
        if item.claim.id in self._seen:  # lookups do find it, as long as it is there
            return await settler.find(item.claim)
        try:
            return await settler.find_for_certain(item.claim, asked_at=self._began)
        except NoWitness:
            if not item.undoing:
                raise Unanswered("nor is any other order of this job found") from None
            # The last orders of an undo that was killed: it had seen them, and deleted the others.
            return await settler.find(item.claim)

    async def _undone(self, item: SentOrder) -> Deleted:
        """A deletion in doubt must have had its effect before the order counts as undone.

        Otherwise it might reach the same order when it is created again.
        """
        since = self._in_doubt_since.get(item.claim.id, self._began if item.undoing else -inf)
        if (wait := since + self._shout.settle - self._loop.time()) > 0:
            await self._shout.pace.sleep(wait)
        return Deleted(item.claim.id, State.UNDONE)

    def _state(self, item: SentOrder) -> State:
        """The state of an order that is not deleted, or may not be."""
        begun = item.undoing or item.claim.id in self._asked
        return State.SENDING if begun else State.CREATED

    def _stays(self, item: SentOrder, why: str) -> Deleted:
        self.stay.append(LeftAlone(item.claim.reference_id, why))
        return Deleted(item.claim.id, self._state(item), why)

    def _is_still_there(self, item: SentOrder, answer: Answer | NoAnswer) -> Deleted:
        """Lookups still show an order that Shout says is deleted."""
        key = item.claim.reference_id
        if not self._proven:
            self._shout.halt(
                SafetyStop(
                    f"Shout says that order {key} is deleted ({described(answer)}), but still"
                    " shows it",
                    hint="contact Shout, then run the same command again",
                )
            )
        return self._stays(
            item, f"Shout says that it is deleted ({described(answer)}), but it is not"
        )

    def counts(self) -> dict[str, int]:
        """Orders by the state that they came to."""
        return {state.value: n for state, n in self.done.items()}


def _not_ours(item: SentOrder, shown: ShownOrder) -> str | None:
    """Why an order that was found is not the one that this job created; None where it is."""
    ours, found = item.shout_order_id, shout_id(shown)
    if ours is None:
        return "nothing proves that this job created it: its id in Shout is not known"
    return None if ours == found else f"it is now another order (id {found}, not {ours})"
