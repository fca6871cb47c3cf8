"""The canary: one order goes alone, then ten, then all.

If Shout did not do as its documentation says, the harm (a text message to a customer) must not
happen to more than one of them. So the first order of a run is sent alone, and nothing follows
until Shout's answer has shown the flag and the amounts, and until a lookup has found the order:
whatever is in doubt later is settled by lookups, so they have to be true.
"""

from __future__ import annotations

import asyncio
from collections import deque

from backfill.deliver.in_flight import InFlight
from backfill.deliver.pace import Stopped

_STAGES = (1, 10)
"""How many orders may be on their way before the results of all of them are known."""


class Canary:
    """Lets orders go in stages. Asked before each request to create an order."""

    def __init__(self) -> None:
        self.passed = False
        """All stages are over."""
        self._stage = 0
        self._holders: set[int] = set()
        self._entered = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._closed = False

    @property
    def first(self) -> bool:
        """Whether no order has passed yet."""
        return self._stage == 0

    async def enter(self, order: InFlight) -> None:
        """Wait until the order may be sent (again).

        :raises Stopped: nothing more is sent.
        """
        while not self.passed and order.claim.id not in self._holders:
            if self._closed:
                raise Stopped
            if self._entered < _STAGES[self._stage]:
                self._entered += 1
                self._holders.add(order.claim.id)
                return
            future = asyncio.get_running_loop().create_future()
            self._waiting.append(future)
            await future

    def leave(self, order: InFlight, *, confirmed: bool) -> None:
        """The order's result is known; ``confirmed``: it is in Shout and everything was right."""
        if order.claim.id not in self._holders:
            return
        self._holders.remove(order.claim.id)
        if self.first and not confirmed:
            self._entered -= 1  # the next one goes alone in its place
        elif not self._holders and self._entered >= _STAGES[self._stage]:
            self._stage += 1
            self._entered = 0
            self.passed = self._stage == len(_STAGES)
        elif not self.first:
            return
        self._wake()

    def close(self) -> None:
        """Nothing more is sent."""
        self._closed = True
        self._wake()

    def _wake(self) -> None:
        """Wake everyone who waits; each checks again."""
        waiting, self._waiting = self._waiting, deque()
        for future in waiting:
            future.set_result(None)
