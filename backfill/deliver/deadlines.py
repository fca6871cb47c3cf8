"""The timeout of a request as a whole, for next to nothing.

aiohttp's own total timeout arms and disarms a timer for each request, which costs as much as a
tenth of the request. Here one timer looks now and then for requests that take too long. They
began in the order in which they are kept, so it looks at no more than one that does not.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

_LOOKS = 8
"""How often it looks in the time that a request may take; it ends at most so much too late."""


@dataclass(slots=True, eq=False)
class Running:
    """A request under way, and the task that waits for it."""

    task: asyncio.Task[Any]
    since: float
    expired: bool = False

    def settle(self) -> None:
        """Take back the cancellation by which an expired request was ended.

        :raises CancelledError: the task was cancelled by somebody else as well, or only.
        """
        if not self.expired or self.task.uncancel() > 0:
            raise asyncio.CancelledError


class Deadlines:
    """Ends requests that take longer than so many seconds, by cancelling the task that waits."""

    def __init__(self, seconds: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._seconds = seconds
        self._running: dict[Running, None] = {}
        self._timer = self._loop.call_later(seconds / _LOOKS, self._look)

    def begin(self) -> Running:
        """A request begins in the present task."""
        task = asyncio.current_task()
        assert task is not None
        running = Running(task, self._loop.time())
        self._running[running] = None
        return running

    def end(self, running: Running) -> None:
        """The request is over."""
        del self._running[running]

    def close(self) -> None:
        """Look no more."""
        self._timer.cancel()

    def _look(self) -> None:
        expired = self._loop.time() - self._seconds
        for running in self._running:
            if running.since > expired:
                break
            if not running.expired:
                running.expired = True
                running.task.cancel()
        self._timer = self._loop.call_later(self._seconds / _LOOKS, self._look)
