"""One pass over many things in Shout: what comes after a run is of this kind.

What is to be done with each is an :class:`Errand`; the walk gives it what a run has too: the pace,
lookups that are patient, interrupts that end in good order, and results on disk before the next
ones are begun.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, Protocol, TypeVar

from backfill.checkpoint import Claim
from backfill.deliver.accounts import Account
from backfill.deliver.api import Answer, Api, NoAnswer
from backfill.deliver.interrupt import Stop
from backfill.deliver.loop import on_a_loop
from backfill.deliver.order import Order
from backfill.deliver.pace import Pace
from backfill.deliver.settle import Settler, credentials_refused
from backfill.deliver.wire import Wire
from backfill.errors import Interrupted, SafetyStop
from backfill.progress import Progress, Stage
from backfill.settings import ApiSettings

Item = TypeVar("Item")
Done = TypeVar("Done")

_GATHER_SECONDS = 0.005
_REFUSALS_IN_A_ROW = 20


class Shout:
    """What an errand speaks to Shout through."""

    def __init__(self, api: Api, settings: ApiSettings, halt: Callable[[SafetyStop], None]) -> None:
        self.pace = Pace(
            concurrency=settings.concurrency,
            rate=settings.rate,
            give_up_after=settings.give_up_after,
            halt=halt,
        )
        self.wire = Wire(api, self.pace)
        self.settler = Settler(self.wire, self.pace, settings.settle)
        self.halt = halt
        """Ends the pass with an error, at once; what is under way still comes to its result."""
        self.settle = settings.settle
        """Seconds after a request of unknown outcome before its effect cannot come any more."""
        self._refusals = 0

    def order(self, claim: Claim) -> Order:
        """An order to look up."""
        return Order(claim, Account(claim.account_header, claim.account_id), claim.attempts)

    def accepted(self) -> None:
        """Shout did what it was asked to."""
        self._refusals = 0

    def refused(self, answer: Answer | NoAnswer) -> None:
        """Shout refused to do something; too often in a row ends the pass."""
        self._refusals += 1
        if self._refusals >= _REFUSALS_IN_A_ROW:
            self.halt(
                SafetyStop(
                    f"Shout refused {self._refusals} requests in a row, the last one with:"
                    f" {described(answer)}",
                    hint="mend what it complains of, then run the same command again",
                )
            )

    def run_refused(self, answer: Answer | NoAnswer) -> None:
        """Nothing else would fare better (wrong credentials or address): ends the pass."""
        if isinstance(answer, Answer) and answer.status >= 400:
            self.halt(credentials_refused(answer))
            return
        self.halt(
            SafetyStop(
                f"Shout cannot be reached: {described(answer)}",
                hint="check --api-url, then run the same command again",
            )
        )


def described(answer: Answer | NoAnswer) -> str:
    """What came back, or why nothing did, in one line."""
    return answer.describe() if isinstance(answer, Answer) else str(answer)


class Errand(Protocol[Item, Done]):
    """What is to be done, with one thing after another."""

    name: str
    """of the stage, for the progress"""
    unit: str

    @property
    def alone(self) -> bool:
        """Whether, for now, each is seen through before another is begun."""

    def advance(self, done: Sequence[Done], room: int) -> Sequence[Item]:
        """Write down what was done, and give up to ``room`` more; fewer are the last ones.

        Runs in a thread. What may not happen twice is on disk as begun when this returns.
        """

    async def see_through(self, item: Item, shout: Shout) -> Done | None:
        """Do it; None where there is nothing to write down.

        An error that is raised here ends the pass, with nothing written down for this one.
        """

    def counts(self) -> dict[str, int]:
        """What to show beside the progress."""


class Walk(Generic[Item, Done]):
    """One pass."""

    def __init__(
        self, errand: Errand[Item, Done], api: Api, settings: ApiSettings, progress: Progress
    ) -> None:
        self._errand = errand
        self._progress = progress
        self._loop = asyncio.get_running_loop()
        # One thread: the checkpoint's rule is one writer at a time.
        self._disk = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")
        self._shout = Shout(api, settings, self._halt)
        self._tasks: set[asyncio.Task[None]] = set()
        self._done: list[Done] = []
        self._open = 0
        """Things that are begun and whose results are not on disk."""
        self._over = 0
        self._dry = False
        self._error: BaseException | None = None
        self._due = asyncio.Event()
        self._gathering: asyncio.TimerHandle | None = None

    async def run(self, total: int) -> None:
        """See everything through.

        :param total: how many there are, for the progress.
        :raises SafetyStop: stopped before harm was done, or Shout refuses or is down.
        :raises Interrupted: by :meth:`interrupt`. :raises StorageError: nothing can be recorded.
        """
        try:
            errand = self._errand
            with self._progress.stage(errand.name, total=total, unit=errand.unit) as stage:
                while self._error is None:
                    await self._advance(stage)
                    if self._dry and not self._open:
                        break
                    await self._until_due()
                while self._tasks:  # a request's timeout bounds it
                    await asyncio.wait(self._tasks)
                await self._advance(stage)
        finally:
            self._shout.pace.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            self._disk.shutdown()
        if self._error is not None:
            raise self._error

    def interrupt(self) -> None:
        """End in good order: nothing new is begun, what is under way finishes."""
        self._progress.say("stopping: what is under way may finish")
        self._halt(Interrupted("interrupted", hint="run the same command again to go on"))

    def _halt(self, error: BaseException) -> None:
        if self._error is None:
            self._error = error
        self._shout.pace.close()
        self._due.set()

    def _room(self) -> int:
        if self._dry or self._error is not None:
            return 0
        most = 1 if self._errand.alone else 2 * self._shout.pace.limit
        return max(0, most - self._open)

    async def _advance(self, stage: Stage) -> None:
        done, self._done = self._done, []
        over, self._over = self._over, 0
        self._open -= over
        room = self._room()
        items = await self._loop.run_in_executor(
            self._disk, lambda: self._errand.advance(done, room)
        )
        self._dry = self._dry or len(items) < room
        stage.advance(over)
        stage.show(**{name: n for name, n in self._errand.counts().items() if n})
        for item in items:
            self._open += 1
            task = self._loop.create_task(self._see_through(item))
            self._tasks.add(task)
            task.add_done_callback(self._ended)

    async def _see_through(self, item: Item) -> None:
        done = await self._errand.see_through(item, self._shout)
        if done is not None:
            self._done.append(done)
        self._over += 1
        if self._over >= min(self._open, max(1, self._shout.pace.limit // 2)):
            self._due.set()
        elif self._gathering is None:
            self._gathering = self._loop.call_later(_GATHER_SECONDS, self._due.set)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (exc := task.exception()) is not None:
            self._halt(exc)

    async def _until_due(self) -> None:
        await self._due.wait()
        self._due.clear()
        if self._gathering is not None:
            self._gathering.cancel()
            self._gathering = None


def walk(
    errand: Errand[Item, Done], settings: ApiSettings, *, total: int, progress: Progress
) -> None:
    """See ``errand`` through, on an event loop of its own; SIGINT and SIGTERM end it in order.

    :raises UsageError: the address or a header cannot be used.
    :raises SafetyStop, Interrupted, StorageError: as :meth:`Walk.run`.
    """

    async def work() -> None:
        async with Api(settings) as api:
            pass_ = Walk(errand, api, settings, progress)
            with Stop().listening(pass_.interrupt):
                await pass_.run(total)

    on_a_loop(work())
