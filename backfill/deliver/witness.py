"""Orders that are known to be in Shout: they show whether lookups tell the truth, and how late.

A lookup that does not find an order proves nothing by itself. Lookups may be switched off, or may
read from a copy of Shout's data that is seconds old. So before *not there* is believed, a witness
is looked up: an order that Shout has confirmed, if possible after the order in doubt was sent. It
has to be found, and the time until it is found is the lag of lookups. *Not there* is believed only
after a multiple of the longest lag that was seen.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from math import inf

from backfill.checkpoint import Claim
from backfill.deliver.absence import AccountKey
from backfill.deliver.compare import ShownOrder
from backfill.deliver.learned import Learned
from backfill.deliver.lookup import Unanswered
from backfill.deliver.shown import shout_id
from backfill.errors import SafetyStop
from backfill.progress import duration

_TIMES_THE_LAG = 3.0
_LONGEST_LAG = 60.0
"""Seconds in which a lookup has to find an order that Shout has confirmed."""
_TELL_AGAIN = 1.5
"""A lag that is so many times as long as the one that was told of is told of too."""
_FIRST_LOOK_AGAIN, _LAST_LOOK_AGAIN = 0.1, 2.0

Look = Callable[[Claim], Awaitable[ShownOrder | None]]
"""Looks an order up; None where the answer does not show it."""


@dataclass(frozen=True, slots=True)
class Witness:
    """An order that is in Shout."""

    claim: Claim
    shout_order_id: str
    confirmed_at: float | None = None
    """the event loop's time; None: before this run"""


class NoWitness(Exception):
    """No order is known to be in Shout, so a lookup that finds nothing proves nothing."""


class Witnesses:
    """The witnesses of a run, and the lag of lookups."""

    def __init__(
        self,
        look: Look,
        sleep: Callable[[float], Awaitable[None]],
        say: Callable[[str], None],
        learned: Learned,
        known: Sequence[tuple[Claim, str]],
        *,
        settle: float,
        give_up_after: float,
    ) -> None:
        """
        :param known: orders of earlier runs that are in Shout, with Shout's ids.
        :param settle: seconds before *not there* is believed, at least.
        """
        self._look = look
        self._sleep = sleep
        self._say = say
        self._learned = learned
        self._known = [Witness(claim, shout_order_id) for claim, shout_order_id in known]
        self._least = settle
        self._longest_lag = min(_LONGEST_LAG, give_up_after)
        self._loop = asyncio.get_running_loop()
        self._newest: Witness | None = None
        self._newest_of: dict[AccountKey, Witness] = {}
        self._found_at: dict[AccountKey, float] = {}
        self._seen: tuple[Witness | None, float] = (None, -inf)
        """What a lookup found last, and when."""
        self._told_lag = 0.0
        self._one_at_a_time = asyncio.Lock()
        self._sent_again: dict[str, float] = {}
        """reference ids of orders that were sent again, with the seconds that were waited before"""

    @property
    def settle(self) -> float:
        """Seconds after a request of unknown outcome before *not there* is believed."""
        return max(self._least, _TIMES_THE_LAG * self._learned.lookup_lag)

    def confirmed(self, claim: Claim, shout_order_id: str) -> None:
        """Shout has confirmed that it created an order."""
        witness = Witness(claim, shout_order_id, self._loop.time())
        self._newest = self._newest_of[claim.account] = witness

    def sent_again(self, claim: Claim, waited: float) -> None:
        """An order was not there ``waited`` seconds after its last request, and is sent again."""
        self._sent_again[claim.reference_id] = waited

    def saw(self, claim: Claim, shown: ShownOrder) -> None:
        """A lookup found an order, whoever created it."""
        self._seen = Witness(claim, shout_id(shown) or ""), self._loop.time()

    async def vouch(self, account: AccountKey, *, after: float) -> Witness:
        """Find a witness, one in this account if there is any, by a lookup later than ``after``.

        :raises NoWitness: there is none.
        :raises SafetyStop: an order that Shout has confirmed is not found.
        """
        async with self._one_at_a_time:
            seen, seen_at = self._seen
            if self._newest is None and seen is not None and seen_at >= after:
                return seen
            for witness in self._candidates(account, after):
                if self._found_at.get(witness.claim.account, -inf) >= after:
                    return witness
                if witness.confirmed_at is not None:
                    await self.find(witness)
                elif not await self._is_there(witness):
                    continue  # somebody may have deleted it since
                self._found_at[witness.claim.account] = self._loop.time()
                return witness
        raise NoWitness

    async def find(self, witness: Witness) -> ShownOrder:
        """Look up an order that Shout has confirmed in this run, until it is found.

        :raises SafetyStop: it is not found, or its lag shows that orders may be there twice.
        """
        assert witness.confirmed_at is not None
        pause, missed = _FIRST_LOOK_AGAIN, False
        while (shown := await self._look(witness.claim)) is None:
            lag = self._loop.time() - witness.confirmed_at
            if lag > self._longest_lag:
                raise _not_found(witness, lag)
            missed = True
            if not self._told_lag:
                self._told_lag = lag
                self._say(
                    f"order {witness.claim.reference_id} was created, and a lookup does not find it"
                    f" yet; waiting up to {duration(self._longest_lag)}"
                )
            await self._sleep(max(pause, self._learned.lookup_lag - lag))
            pause = min(pause * 1.5, _LAST_LOOK_AGAIN)
        if missed:
            self._lags(self._loop.time() - witness.confirmed_at)
        return shown

    async def _is_there(self, witness: Witness) -> bool:
        try:
            shown = await self._look(witness.claim)
        except Unanswered:
            return False
        return shown is not None and shout_id(shown) == witness.shout_order_id

    def _candidates(self, account: AccountKey, after: float) -> Iterator[Witness]:
        """Witnesses, the best one first."""
        of_this_run = [one for one in (self._newest_of.get(account), self._newest) if one]
        if of_this_run:
            yield from sorted(of_this_run, key=lambda one: (one.confirmed_at or -inf) < after)
        else:
            yield from sorted(self._known, key=lambda one: one.claim.account != account)

    def _lags(self, seconds: float) -> None:
        """A lookup found an order only so many seconds after it was confirmed.

        :raises SafetyStop: orders were sent again after a shorter time.
        """
        if seconds <= self._learned.lookup_lag:
            return
        self._learned.lookup_lag = seconds
        if seconds > _TELL_AGAIN * self._told_lag:
            self._told_lag = seconds
            self._say(
                f"Shout's lookups find an order only {duration(seconds)} after it was created: an"
                f" order in doubt is looked up for {duration(self.settle)} before it may be sent"
                " again"
            )
        early = [key for key, waited in self._sent_again.items() if waited < seconds]
        if early:
            raise SafetyStop(
                f"lookups now lag by {duration(seconds)}, and {len(early)} orders were sent again"
                f" after a shorter time: {', '.join(early[:10])}{' ...' if early[10:] else ''}",
                hint="see in Shout whether they are there twice, then run the same command again"
                f" with --settle {_TIMES_THE_LAG * seconds:.0f}",
            )


def _not_found(witness: Witness, seconds: float) -> SafetyStop:
    return SafetyStop(
        f"order {witness.claim.reference_id} was created (Shout's id {witness.shout_order_id}), but"
        f" lookups do not find it, for {duration(seconds)} now",
        hint="orders in doubt are settled by lookups; contact Shout, then run the same command"
        " again",
    )
