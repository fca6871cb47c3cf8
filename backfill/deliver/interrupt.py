"""A wish to end the run: the first ends it in good order, the second at once."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator

from backfill.signals import ending_signals

_EXIT_CODE = 130


class Stop:
    """A wish to end the run, made by a signal or by a program that uses this as a library."""

    def __init__(self) -> None:
        self.requested = False
        self._tell: Callable[[], None] | None = None

    def request(self) -> None:
        """End the run: no new sends, what is under way finishes. From the loop's thread."""
        if not self.requested:
            self.requested = True
            if self._tell is not None:
                self._tell()

    @contextlib.contextmanager
    def listening(self, tell: Callable[[], None]) -> Iterator[None]:
        """Call ``tell`` once when the wish is made, be it before the block or in it.

        Where this is the main thread, Ctrl-C, SIGTERM and SIGHUP make the wish for the time of the
        block; the second one leaves at once, which is safe: what is under way is on disk as
        ``sending``. Only the second SIGHUP does not: shell and kernel send one each.
        """
        self._tell = tell
        if self.requested:
            tell()
        loop, before = asyncio.get_running_loop(), {}
        if threading.current_thread() is threading.main_thread():
            for number in ending_signals():
                handler = signal.getsignal(number)
                with contextlib.suppress(NotImplementedError):  # Windows has no such handlers
                    loop.add_signal_handler(number, self._signalled, number)
                    before[number] = handler
        try:
            yield
        finally:
            self._tell = None
            for number, handler in before.items():
                loop.remove_signal_handler(number)
                signal.signal(number, handler)

    def _signalled(self, number: signal.Signals) -> None:
        if self.requested and number in (signal.SIGINT, signal.SIGTERM):
            os._exit(_EXIT_CODE)
        self.request()
