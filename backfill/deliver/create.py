"""The errand of a run: create every pending order, and settle every order in doubt."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Literal

from backfill.checkpoint import Activity, Checkpoint, Claim, Result, State, remember, sending
from backfill.deliver.accounts import Account
from backfill.deliver.canary import Canary
from backfill.deliver.in_flight import InFlight
from backfill.deliver.send import Sender
from backfill.deliver.shout import Shout

_log = logging.getLogger(__name__)

#: Claims and results are logged together, at most once in so many seconds.
LOG_SECONDS = 5.0
_UNSETTLED = (State.SENDING, State.PENDING)


@dataclass(slots=True)
class Delivered:
    """What one run did."""

    orders: Counter[State] = field(default_factory=Counter)
    """orders of this run by the state they came to; ``sending``: still in doubt"""
    activity: Activity = field(default_factory=Activity)
    seconds: float = 0.0
    ended: Literal["finished", "limit"] = "finished"


class Create:
    """Creates orders, each exactly once."""

    name = "sending"
    unit = "orders"
    alone = False  # the canary lets orders go in stages

    def __init__(self, shout: Shout, checkpoint: Checkpoint, limit: int | None) -> None:
        """:param limit: how many pending orders to claim, at most; None: all."""
        self._shout = shout
        self.delivered = Delivered()
        """filled in as the run goes on"""
        self._canary = Canary()
        states = checkpoint.counts()
        proven = states[State.CREATED] + states[State.EXISTING] > 0
        self._sender = Sender(shout, self._canary, proven=proven)
        self._accounts: dict[tuple[str, str], Account] = {}
        self._to_skip: set[Account] = set()
        """Accounts that refuse their orders, which the checkpoint does not know yet."""
        self._in_doubt = sending.in_doubt(checkpoint)
        self._chosen = checkpoint.chosen
        self._began = asyncio.get_running_loop().time()
        self._claimed_up_to = 0
        self._log_at = 0.0
        pending = checkpoint.left()[State.PENDING]
        self._left = sys.maxsize if limit is None else limit
        if self._left < pending:
            self.delivered.ended = "limit"
        self.total = min(self._left, pending) + len(self._in_doubt)
        self.finished = 0
        shout.on_halt(self._close)

    def advance(
        self, db: sqlite3.Connection, done: Sequence[Result], room: int
    ) -> Sequence[InFlight]:
        """Record results; then take up what is in doubt, once, and claim pending orders."""
        if done:
            self._record(db, done)
        if not room:
            return ()
        orders = [self._in_flight(claim, in_doubt=True) for claim in self._in_doubt]
        self._in_doubt = []
        if (most := min(room - len(orders), self._left)) > 0:
            claims = sending.claim(db, after=self._claimed_up_to, most=most, chosen=self._chosen)
            self._left -= len(claims)
            if claims:
                self._claimed_up_to = claims[-1].id
            orders += [self._in_flight(claim) for claim in claims]
        self._sender.taken_up(len(orders), last=len(orders) < room)
        return orders

    async def see_through(self, item: InFlight) -> Result:
        """Bring one order to its result."""
        result = await self._sender.see_through(item)
        account = item.account
        if account.refuses_all and (result.state is State.FAILED or not account.skipped):
            self._to_skip.add(account)
        return result

    def counts(self) -> dict[str, int]:
        """Orders by the state they came to; what a stop hands back is no result."""
        orders = self.delivered.orders.items()
        return {state.value: n for state, n in orders if state is not State.PENDING}

    def _in_flight(self, claim: Claim, *, in_doubt: bool = False) -> InFlight:
        key = claim.account
        account = self._accounts.get(key)
        if account is None:
            account = self._accounts[key] = Account(*key)
        order = InFlight(claim, account, claim.attempts)
        if in_doubt:
            order.in_doubt, order.asked_at = True, self._began
        else:
            order.look_first = claim.attempts > 0
        order.ours = in_doubt
        return order

    def _record(self, db: sqlite3.Connection, done: Sequence[Result]) -> None:
        states = Counter([result.state for result in done])
        wire = self._shout.wire
        activity, wire.activity = wire.activity, Activity()
        activity.created, activity.failed = states[State.CREATED], states[State.FAILED]
        sending.record(db, done)
        sending.record_activity(db, activity)
        remember(db, self._shout.learned.as_meta())
        for account in self._to_skip:
            refused, account.refused = account.refused, []
            account.skipped = True
            pending = sending.skip_account(
                db, account.header, account.id, account.refuses_all or "", refused=refused
            )
            _log.warning(
                "account skipped",
                extra={"fields": {"account": account.id, "orders": pending + len(refused)}},
            )
            states[State.FAILED] -= len(refused)
            states[State.SKIPPED] += len(refused) + pending
        self._to_skip.clear()
        orders, total = self.delivered.orders, self.delivered.activity
        orders.update(states)
        for one in fields(Activity):
            setattr(total, one.name, getattr(total, one.name) + getattr(activity, one.name))
        now = time.monotonic()
        if now >= self._log_at or self._shout.error is not None:
            self._log_at = now + LOG_SECONDS
            self._log_progress()
        self.finished = sum(n for state, n in orders.items() if state not in _UNSETTLED)

    def _log_progress(self) -> None:
        activity = asdict(self.delivered.activity)
        # Orders by state win: a refusal that parks its account leaves a skipped order.
        facts = {**activity, "failed": 0, **self.counts(), "claimed_up_to": self._claimed_up_to}
        _log.info("sent so far", extra={"fields": facts})

    def _close(self) -> None:
        """Nothing more is sent."""
        self._canary.close()
        self._sender.close()
        for account in self._accounts.values():
            account.close()
