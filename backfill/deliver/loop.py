"""The loop that claims, sends and records: where the write rules meet the network.

Every change to Shout goes through it. *What* is done with an item is up to an :class:`Errand`;
*when* it is done, and what is on disk before and after, is decided here:

- results and the next claims are one transaction (rule 3 of the checkpoint);
- an item is handed to a worker only after that transaction is committed (rule 2);
- no more items are claimed than can be sent soon, so that a crash leaves few in doubt.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Generic, Protocol, TypeVar

from backfill.checkpoint import LEARNED, Checkpoint, sending
from backfill.deliver.api import Api
from backfill.deliver.event_loop import on_event_loop
from backfill.deliver.interrupt import Stop
from backfill.deliver.learned import Learned
from backfill.deliver.shout import Shout
from backfill.errors import Interrupted
from backfill.progress import Progress, Stage
from backfill.settings import ApiSettings

Item = TypeVar("Item")
Done = TypeVar("Done")
E = TypeVar("E", bound="Errand[Any, Any]")

_GATHER_SECONDS = 0.01
"""How long results may gather before they are committed."""
_SHOW_SECONDS = 0.1
_SLOW_PER_CONNECTION = 4
"""How many items may wait for lookups or pauses, per connection, beside those being sent."""


class Errand(Protocol[Item, Done]):
    """What is done with one item after another, such as creating or deleting orders."""

    name: str
    """what the progress calls it"""
    unit: str
    total: int
    """how many items there are, for the progress"""
    finished: int
    """how many of them are done with"""

    @property
    def alone(self) -> bool:
        """Whether, for now, each item is seen through before the next is begun."""

    def advance(self, db: sqlite3.Connection, done: Sequence[Done], room: int) -> Sequence[Item]:
        """Record what was done, and claim up to ``room`` more; fewer means these are the last.

        Part of one transaction. What must not happen twice has to be written as begun here.
        """

    async def see_through(self, item: Item) -> Done:
        """Do it, and return what :meth:`advance` shall record.

        An error raised here ends the run, and nothing is recorded for this item.
        """

    def counts(self) -> dict[str, int]:
        """What to show beside the progress."""


class Loop(Generic[Item, Done]):
    """Sees one errand through."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        shout: Shout,
        errand: Errand[Item, Done],
        settings: ApiSettings,
        progress: Progress,
    ) -> None:
        self._checkpoint = checkpoint
        self._shout = shout
        self._errand = errand
        self._progress = progress
        self._loop = asyncio.get_running_loop()
        # One thread: the checkpoint has one writer at a time.
        self._disk = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")
        self._most_slow = _SLOW_PER_CONNECTION * settings.concurrency
        self._workers: set[asyncio.Task[None]] = set()
        self._idle: list[asyncio.Future[Item]] = []
        self._done: list[Done] = []
        self._open = 0
        """Items that are claimed and whose results are not on disk."""
        self._lost = 0
        """Items that will have no result, because an error ended their worker."""
        self._exhausted = False
        """The errand has no more items."""
        self._gathering: asyncio.TimerHandle | None = None
        self._finished_shown = 0
        self._shown_at = 0.0

    async def run(self) -> None:
        """See everything through.

        :raises SafetyStop: stopped before harm was done, or Shout refuses or is down.
        :raises Interrupted: by :meth:`interrupt`.
        :raises StorageError: the checkpoint cannot be written.
        """
        errand, shout = self._errand, self._shout
        try:
            with self._progress.stage(errand.name, total=errand.total, unit=errand.unit) as stage:
                while shout.error is None:
                    await self._commit(stage)
                    if self._open:
                        await self._until_due()
                    elif not self._room():
                        break
                await self._wind_up(stage)
        finally:
            shout.pace.close()
            for worker in self._workers:
                worker.cancel()
            await asyncio.gather(*self._workers, return_exceptions=True)
            self._disk.shutdown()
        if shout.error is not None:
            raise shout.error

    def interrupt(self) -> None:
        """Stop in good order: nothing new is begun, requests under way finish."""
        self._progress.say(
            f"stopping: waiting for {self._shout.pace.under_way} requests to finish"
            " (Ctrl-C again quits at once, which is safe too)"
        )
        self._shout.halt(Interrupted("interrupted", hint="run the same command again to go on"))

    # --- through the checkpoint -------------------------------------------------------------

    async def _commit(self, stage: Stage) -> None:
        """Commit results and the next claims in one transaction, then hand the claims out.

        :raises StorageError: nothing was recorded.
        """
        room = self._room()
        done, self._done = self._done, []
        if not done and not room:
            return
        commit = self._checkpoint.begin(lambda db: self._errand.advance(db, done, room))
        items = await self._loop.run_in_executor(self._disk, commit)
        self._open += len(items) - len(done)
        self._exhausted = self._exhausted or len(items) < room
        if done:
            self._show(stage)
        for item in items:
            self._hand_out(item)

    def _room(self) -> int:
        """How many more items may be claimed: as many as wait for their turn, and no more."""
        if self._exhausted or self._shout.error is not None:
            return 0
        under_way = self._open - len(self._done)  # results and claims are committed together
        if self._errand.alone:
            return 0 if under_way else 1
        slow = min(self._shout.slow, self._most_slow) + self._shout.parked
        return max(0, 2 * self._shout.pace.limit + slow - under_way)

    async def _until_due(self) -> None:
        await self._shout.due.wait()
        self._shout.due.clear()
        if self._gathering is not None:
            self._gathering.cancel()
            self._gathering = None

    async def _wind_up(self, stage: Stage) -> None:
        """Let what is under way finish (the request timeout bounds it), and record it."""
        while self._open > len(self._done) + self._lost:
            await self._until_due()
        await self._commit(stage)

    # --- workers ----------------------------------------------------------------------------

    def _hand_out(self, item: Item) -> None:
        if self._idle:
            self._idle.pop().set_result(item)
            return
        worker = self._loop.create_task(self._work(item))
        self._workers.add(worker)
        worker.add_done_callback(self._ended)

    async def _work(self, item: Item) -> None:
        """A worker: sees one item after the other through, each from a claim that is on disk."""
        while True:
            done = await self._errand.see_through(item)
            self._done.append(done)
            # As many again are under way meanwhile: twice the limit is claimed.
            if len(self._done) >= min(self._open, self._shout.pace.limit):
                self._shout.due.set()
            elif self._gathering is None:
                self._gathering = self._loop.call_later(_GATHER_SECONDS, self._shout.due.set)
            self._idle.append(next_item := self._loop.create_future())
            item = await next_item

    def _ended(self, worker: asyncio.Task[None]) -> None:
        self._workers.discard(worker)
        if not worker.cancelled() and (exc := worker.exception()) is not None:
            self._lost += 1
            self._shout.halt(exc)

    # --- progress ---------------------------------------------------------------------------

    def _show(self, stage: Stage) -> None:
        now = self._loop.time()
        if now - self._shown_at >= _SHOW_SECONDS or not self._open:
            stage.advance(self._errand.finished - self._finished_shown)
            stage.show(**{name: n for name, n in self._errand.counts().items() if n})
            self._finished_shown, self._shown_at = self._errand.finished, now


async def carry_out(
    make: Callable[[Shout], E],
    checkpoint: Checkpoint,
    settings: ApiSettings,
    progress: Progress,
    stop: Stop | None = None,
) -> E:
    """Connect to Shout, see the errand through that ``make`` returns, and return it.

    In the main thread the first SIGINT, SIGTERM or SIGHUP stops it in good order, and the second
    ends the process at once with exit code 130.

    :param stop: lets a program stop it as a signal would.
    :raises UsageError: the address or a header cannot be used.
    :raises SafetyStop, Interrupted, StorageError: see :meth:`Loop.run`.
    """
    async with Api(settings) as api:
        learned = Learned.of(checkpoint.remembered(LEARNED))
        shout = Shout(api, settings, progress.say, learned, sending.known_to_be_there(checkpoint))
        errand = make(shout)
        loop = Loop(checkpoint, shout, errand, settings, progress)
        with (stop or Stop()).listening(loop.interrupt):
            await loop.run()
    return errand


def run_errand(
    make: Callable[[Shout], E],
    checkpoint: Checkpoint,
    settings: ApiSettings,
    progress: Progress,
) -> E:
    """:func:`carry_out` on an event loop of its own."""
    return on_event_loop(carry_out(make, checkpoint, settings, progress))
