"""Settles orders in doubt by looking them up; they are never just sent again.

*Found* is believed at once: the answer shows the order. *Not there* is not. Shout may still be
processing the request and commit it after the lookup, and lookups may lag behind commits or be no
lookups at all. So it is believed only

- ``settle`` seconds after the request ended, or a multiple of the longest lag of lookups;
- after a lookup has found an order that is known to be there: see :mod:`backfill.deliver.witness`;
- if the answer is the one that keys get that cannot be there: :mod:`backfill.deliver.absence`.

The one case that remains is a server that commits even later and also ignores the duplicate
header, which is why ``settle`` is a setting.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from math import inf

from backfill.checkpoint import Claim
from backfill.deliver.absence import Absence
from backfill.deliver.api import Answer
from backfill.deliver.compare import ShownOrder
from backfill.deliver.learned import Learned
from backfill.deliver.lookup import Lookup, RefusedLookup
from backfill.deliver.pace import Pace
from backfill.deliver.wire import Wire
from backfill.deliver.witness import Witness, Witnesses
from backfill.settings import ApiSettings

_MOST_UNLIKE = 3
"""Answers to one order that may say *not there*, but are not how Shout says it."""


class Settler:
    """Finds out what became of orders."""

    def __init__(
        self,
        wire: Wire,
        pace: Pace,
        settings: ApiSettings,
        learned: Learned,
        known: Sequence[tuple[Claim, str]],
        say: Callable[[str], None],
    ) -> None:
        """:param known: orders of earlier runs that are in Shout, with Shout's ids."""
        self._lookup = Lookup(wire, pace)
        self._absence = Absence(self._lookup.ask)
        self._sleep = pace.sleep
        self._loop = asyncio.get_running_loop()
        self.witnesses = Witnesses(
            self._lookup.look,
            pace.sleep,
            say,
            learned,
            known,
            settle=settings.settle,
            give_up_after=settings.give_up_after,
        )

    async def find_for_certain(self, claim: Claim, *, asked_at: float = -inf) -> ShownOrder | None:
        """The order as Shout shows it, or None if it is certain not to exist.

        :param asked_at: the event loop's time when the last request about it ended.
        :raises NoWitness: no lookup found it, and no order is known to be in Shout.
        :raises Unanswered: no lookup was answered. :raises Stopped: nothing more is sent.
        :raises SafetyStop: lookups cannot be trusted.
        """
        unlike = 0
        while True:
            looked_at = self._loop.time()
            shown = await self._lookup.ask(claim)
            if not isinstance(shown, Answer):
                self.witnesses.saw(claim, shown)
                return shown
            if self._is_early(looked_at, asked_at):
                await self._sleep(asked_at + self.witnesses.settle - looked_at)
                continue
            witness = await self.witnesses.vouch(claim.account, after=asked_at)
            if self._is_early(looked_at, asked_at):
                continue  # the witness has shown a longer lag
            if await self._absence.is_said_by(shown, claim, witness.claim.account):
                return None
            unlike += 1
            if unlike >= _MOST_UNLIKE:
                raise RefusedLookup(shown)

    async def find(self, claim: Claim) -> ShownOrder | None:
        """The order as Shout shows it now, or None where Shout says that it is not there.

        :raises Unanswered: no lookup told. :raises Stopped: nothing more is sent.
        """
        unlike = 0
        while True:
            shown = await self._lookup.ask(claim)
            if not isinstance(shown, Answer):
                return shown
            if await self._absence.is_said_by(shown, claim, claim.account):
                return None
            unlike += 1
            if unlike >= _MOST_UNLIKE:
                raise RefusedLookup(shown)

    async def find_created(self, claim: Claim, shout_order_id: str) -> ShownOrder:
        """The order, which Shout has just confirmed; looked up until it is found.

        :raises Unanswered: no lookup was answered. :raises Stopped: nothing more is sent.
        :raises SafetyStop: it is not found.
        """
        return await self.witnesses.find(Witness(claim, shout_order_id, self._loop.time()))

    def _is_early(self, looked_at: float, asked_at: float) -> bool:
        return looked_at < asked_at + self.witnesses.settle
