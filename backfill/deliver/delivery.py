"""The loop of a run: results and claims through the checkpoint, one task an order in between.

Between two commits results gather, and all of them go into the next one together with the next
claims (rule 3 of the checkpoint). No more orders are claimed than can be sent soon, so that a
crash leaves few in doubt.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, fields
from math import inf
from typing import Literal, TypeVar

from backfill.checkpoint import Activity, Checkpoint, Claim, Result, State
from backfill.deliver.accounts import PARKED_RULE, Account
from backfill.deliver.api import Api
from backfill.deliver.canary import Canary
from backfill.deliver.in_flight import InFlight
from backfill.deliver.pace import Pace
from backfill.deliver.send import Sender
from backfill.deliver.settle import Settler
from backfill.deliver.wire import Wire
from backfill.errors import Interrupted
from backfill.progress import Progress, Stage
from backfill.settings import ApiSettings

T = TypeVar("T")

_GATHER_SECONDS = 0.01
"""How long results may gather before they are committed."""
_SHOW_SECONDS = 0.1
_NOT_OVER = (State.SENDING, State.PENDING)
_SLOW_A_WORKER = 4
"""How many orders a worker may have waiting for lookups, beside the one it sends."""


@dataclass(slots=True)
class Delivered:
    """What one run did."""

    orders: Counter[State] = field(default_factory=Counter)
    """Orders of this run by the state they came to; ``sending``: still in doubt."""
    activity: Activity = field(default_factory=Activity)
    seconds: float = 0.0
    ended: Literal["finished", "limit"] = "finished"


class Delivery:
    """One run."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        api: Api,
        settings: ApiSettings,
        limit: int | None,
        progress: Progress,
    ) -> None:
        self._checkpoint = checkpoint
        self._progress = progress
        self._loop = asyncio.get_running_loop()
        # One thread: the checkpoint's rule is one writer at a time.
        self._disk = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")
        self._pace = Pace(
            concurrency=settings.concurrency,
            rate=settings.rate,
            give_up_after=settings.give_up_after,
            halt=self._halt,
        )
        self._wire = Wire(api, self._pace)
        self._canary = Canary()
        self._sender = Sender(
            self._wire,
            self._pace,
            Settler(self._wire, self._pace, settings.settle),
            self._canary,
            halt=self._halt,
            say=progress.say,
            slow=self._one_slower,
        )
        self._most_slow = _SLOW_A_WORKER * settings.concurrency
        self._left = limit
        self._accounts: dict[tuple[str, str], Account] = {}
        self._to_park: set[Account] = set()
        self._workers: set[asyncio.Task[None]] = set()
        self._idle: list[asyncio.Future[InFlight | None]] = []
        self._results: list[Result] = []
        self._open = 0
        """Orders that are claimed and whose results are not on disk."""
        self._slow = 0
        self._lost = 0
        """Orders that will have no result, because of a bug."""
        self._dry = False
        self._error: BaseException | None = None
        self._due = asyncio.Event()
        self._gathering: asyncio.TimerHandle | None = None
        self._delivered = Delivered()
        self._unshown = 0
        self._shown_at = 0.0

    async def run(self) -> Delivered:
        """Send all that is pending, and settle all that is in doubt.

        :raises SafetyStop: stopped before harm was done, or Shout refuses or is down.
        :raises Interrupted: by :meth:`interrupt`. :raises StorageError: nothing can be recorded.
        """
        started = self._loop.time()
        counts = await self._on_disk(self._checkpoint.left)
        total = counts[State.PENDING] + counts[State.SENDING]
        if self._left is not None and self._left < counts[State.PENDING]:
            total = self._left + counts[State.SENDING]
            self._delivered.ended = "limit"
        try:
            with self._progress.stage("sending", total=total, unit="orders") as stage:
                for claim in await self._on_disk(self._checkpoint.in_doubt):
                    self._start(claim, in_doubt_since=started)
                while self._error is None:
                    await self._commit(stage)
                    if self._open:
                        await self._until_due()
                    elif not self._room():
                        break
                await self._wind_up(stage)
        finally:
            self._pace.close()
            for worker in self._workers:
                worker.cancel()
            await asyncio.gather(*self._workers, return_exceptions=True)
            self._disk.shutdown()
        if self._error is not None:
            raise self._error
        self._delivered.orders = +self._delivered.orders
        self._delivered.seconds = self._loop.time() - started
        return self._delivered

    def interrupt(self) -> None:
        """End in good order: no new sends, what is under way finishes."""
        self._progress.say(
            f"stopping: {self._pace.under_way} requests under way may finish; "
            "Ctrl-C again leaves at once, which is safe too"
        )
        self._halt(Interrupted("interrupted", hint="run the same command again to go on"))

    # --- orders under way -------------------------------------------------------------------

    def _start(self, claim: Claim, *, in_doubt_since: float | None = None) -> None:
        key = (claim.account_header, claim.account_id)
        account = self._accounts.get(key)
        if account is None:
            account = self._accounts[key] = Account(*key)
        order = InFlight(claim, account, claim.attempts)
        if in_doubt_since is not None:
            order.in_doubt, order.asked_at = True, in_doubt_since
        elif claim.attempts:  # an earlier run sent it, long enough ago for one look to tell
            order.in_doubt, order.asked_at = True, -inf
        order.ours = order.in_doubt
        self._open += 1
        if self._idle:
            self._idle.pop().set_result(order)
            return
        worker = self._loop.create_task(self._work(order))
        self._workers.add(worker)
        worker.add_done_callback(self._over)

    async def _work(self, order: InFlight | None) -> None:
        """A worker: one order after the other, each from a claim that is on disk."""
        while order is not None:
            result = await self._sender.see_through(order)
            if order.account.parked:
                self._note_parked(order.account, result)
            self._results.append(result)
            # As many again are under way meanwhile: twice the limit is claimed.
            if len(self._results) >= min(self._open, self._pace.limit):
                self._due.set()
            elif self._gathering is None:
                self._gathering = self._loop.call_later(_GATHER_SECONDS, self._due.set)
            self._idle.append(next_one := self._loop.create_future())
            order = await next_one

    def _note_parked(self, account: Account, result: Result) -> None:
        if result.state is State.FAILED or not account.set_aside:
            self._to_park.add(account)

    def _over(self, task: asyncio.Task[None]) -> None:
        self._workers.discard(task)
        if not task.cancelled() and (exc := task.exception()) is not None:
            self._lost += 1
            self._halt(exc)

    def _one_slower(self, change: int) -> None:
        self._slow += change
        self._due.set()

    def _halt(self, error: BaseException) -> None:
        """End the run with ``error``; from this very moment nothing new is sent."""
        if self._error is None:
            self._error = error
        self._pace.close()
        self._canary.close()
        for account in self._accounts.values():
            account.close()
        self._due.set()

    # --- through the checkpoint -------------------------------------------------------------

    def _room(self) -> int:
        """How many more orders may be claimed: as many as wait for a turn, and no more."""
        if self._dry or self._error is not None:
            return 0
        under_way = self._open - len(self._results)  # results and claims are written together
        room = max(0, 2 * self._pace.limit + min(self._slow, self._most_slow) - under_way)
        return room if self._left is None else min(room, self._left)

    async def _until_due(self) -> None:
        await self._due.wait()
        self._due.clear()
        if self._gathering is not None:
            self._gathering.cancel()
            self._gathering = None

    async def _commit(self, stage: Stage) -> None:
        """Results and the next claims, in one transaction; then the claims are on their way.

        :raises StorageError: nothing was recorded.
        """
        room = self._room()
        results, self._results = self._results, []
        to_park, self._to_park = self._to_park, set()
        if not results and not room:
            return
        activity, self._wire.activity = self._wire.activity, Activity()
        states = Counter([result.state for result in results])
        activity.created, activity.failed = states[State.CREATED], states[State.FAILED]
        claims = await self._on_disk(
            self._checkpoint.start_advance(results, claim=room, activity=activity)
        )
        self._open -= len(results)
        if results:
            self._note(states, activity, stage)
        for account in to_park:
            await self._set_aside(account, stage)
        if self._left is not None:
            self._left -= len(claims)
        self._dry = self._dry or len(claims) < room
        for claim in claims:
            self._start(claim)

    async def _set_aside(self, account: Account, stage: Stage) -> None:
        """Skip what is left of an account that refuses everything, and what it refused."""
        refused, account.refused = account.refused, []
        account.set_aside = True
        reason = account.parked or ""
        pending = await self._on_disk(
            lambda: self._checkpoint.park_account(
                account.header, account.id, PARKED_RULE, reason, refused=refused
            )
        )
        self._delivered.orders[State.FAILED] -= len(refused)
        self._delivered.orders[State.SKIPPED] += len(refused) + pending
        stage.advance(pending)

    async def _wind_up(self, stage: Stage) -> None:
        """Let what is under way finish (a request's timeout bounds it), and write it down."""
        while self._open > len(self._results) + self._lost:
            await self._until_due()
        await self._commit(stage)

    async def _on_disk(self, work: Callable[[], T]) -> T:
        return await self._loop.run_in_executor(self._disk, work)

    # --- telling ----------------------------------------------------------------------------

    def _note(self, states: Counter[State], activity: Activity, stage: Stage) -> None:
        """Count what was written down, and show it now and then."""
        orders = self._delivered.orders
        orders.update(states)
        for one in fields(Activity):
            total = getattr(self._delivered.activity, one.name) + getattr(activity, one.name)
            setattr(self._delivered.activity, one.name, total)
        self._unshown += sum(n for state, n in states.items() if state not in _NOT_OVER)
        now = self._loop.time()
        if now - self._shown_at >= _SHOW_SECONDS or not self._open:
            stage.advance(self._unshown)
            stage.show(**{state.value: n for state, n in orders.items() if n})
            self._unshown, self._shown_at = 0, now
