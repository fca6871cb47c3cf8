"""The timeout of a request as a whole, at a tenth of a delivery's processor time less.

So much does ``asyncio.timeout`` cost here, which sets and clears a timer for each request. One
timer serves all requests: as each may take equally long, they run out in the order in which they
began, and a timer set for the first is early enough for the others.

A process that was stopped, or slept with its machine, wakes up with every time run out, and with
the answers waiting to be read. They are read first.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any

_LATE = 0.1
"""So much of the timeout a look must be late for the process not to have been running; so much
longer it then waits for what has arrived meanwhile."""


class Deadlines:
    """Ends what takes longer than so many seconds, by cancelling the task that waits for it."""

    def __init__(self, seconds: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._seconds = seconds
        self._running: dict[_Running, None] = {}
        self._look_at(self._loop.time() + seconds)
        self._excused = False

    def one(self) -> _Running:
        """A block of the present task that ends with :class:`TimeoutError` when its time is up."""
        task = asyncio.current_task(self._loop)
        assert task is not None
        return _Running(self._running, task, self._loop.time() + self._seconds)

    def close(self) -> None:
        """Look no more."""
        self._timer.cancel()

    def _look(self) -> None:
        """End what has run out; look again when the next one will, of those begun and to come."""
        now = self._loop.time()
        self._excused = not self._excused and now - self._due > _LATE * self._seconds
        if self._excused:
            self._look_at(now + _LATE * self._seconds)
            return
        next_at = now + self._seconds
        for running in self._running:
            if running.until > now:
                next_at = running.until
                break
            running.run_out()
        self._look_at(next_at)

    def _look_at(self, due: float) -> None:
        self._due = due
        self._timer = self._loop.call_at(due, self._look)


class _Running:
    """One block under way. What :func:`asyncio.timeout` does with cancellations holds here too."""

    __slots__ = ("_all", "_expired", "_others", "_task", "until")

    def __init__(self, all_: dict[_Running, None], task: asyncio.Task[Any], until: float) -> None:
        self._all, self._task, self.until = all_, task, until
        self._expired = False
        self._others = task.cancelling()

    def __enter__(self) -> None:
        self._all[self] = None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        del self._all[self]
        # Whichever way the block ended, its own cancellation is taken back. One that came from
        # elsewhere, alone or as well, stays one.
        if (
            self._expired
            and self._task.uncancel() <= self._others
            and kind is asyncio.CancelledError
        ):
            raise TimeoutError

    def run_out(self) -> None:
        """Its time is up."""
        if not self._expired:
            self._expired = True
            self._task.cancel()
