"""Where orders in doubt wait for a witness: an order that is known to be in Shout.

A lookup did not find them, and until some order is created nothing shows whether lookups work. So
they wait until the next order has been, and make way for it meanwhile. If no other order is left,
they stay in doubt.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager

from backfill.deliver.lookup import Unanswered
from backfill.deliver.pace import Stopped


class Parking:
    """The orders of a run that wait for a witness."""

    def __init__(self, waiting: Callable[[], AbstractContextManager[None]]) -> None:
        """:param waiting: a block in which an order waits, and others may be taken up."""
        self._waiting = waiting
        self._waiters: list[asyncio.Future[None]] = []
        self._under_way = 0
        """Orders that are taken up and have no result yet, with those that wait."""
        self._last = self._closed = False

    def expect(self, orders: int, *, last: bool) -> None:
        """So many more orders are taken up; ``last``: there are no others."""
        self._under_way += orders
        self._last = last
        self._give_up_if_alone()

    def ended_one(self) -> None:
        """An order has its result."""
        self._under_way -= 1
        self._give_up_if_alone()

    async def wait_for_a_witness(self) -> None:
        """Wait until an order is in Shout.

        :raises Unanswered: no other order is left that might be. :raises Stopped: nothing is sent.
        """
        if self._closed:
            raise Stopped
        with self._waiting():
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            self._give_up_if_alone()
            await waiter

    def wake(self) -> None:
        """An order is in Shout."""
        if self._waiters:
            self._end(None)

    def close(self) -> None:
        """Nothing more is sent."""
        self._closed = True
        self._end(Stopped())

    def _give_up_if_alone(self) -> None:
        if self._last and self._waiters and len(self._waiters) >= self._under_way:
            self._end(
                Unanswered(
                    "it was not found, but no order of this job is known to be in Shout that would"
                    " show that lookups work. Look for it in Shout; if it is not there,"
                    " 'backfill retry' with --not-in-shout sends it again"
                )
            )

    def _end(self, error: Exception | None) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if waiter.done():
                continue
            if error is None:
                waiter.set_result(None)
            else:
                waiter.set_exception(error)
