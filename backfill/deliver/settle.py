"""Settles orders in doubt by looking them up; they are never just sent again.

*Not found* is not believed at once: Shout may still be processing the request and commit it after
the lookup. So a second lookup follows ``settle`` seconds after the request ended, and only then may
the order be sent again. The one case that remains is a server that commits even later and also
ignores the duplicate header, which is why ``settle`` is a setting.
"""

from __future__ import annotations

import asyncio
from math import inf

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type
from tenacity.wait import wait_random_exponential

from backfill.checkpoint import Claim
from backfill.deliver.api import Answer, NoAnswer
from backfill.deliver.compare import ShownOrder, order_in
from backfill.deliver.outcome import Outcome, of_status
from backfill.deliver.pace import Pace
from backfill.deliver.wire import Wire
from backfill.errors import SafetyStop

_NOT_FOUND, _GONE = 404, 410
_MOST_LOOKUPS = 8


class Unanswered(Exception):
    """A lookup that did not show whether the order exists."""


class RefusedLookup(Unanswered):
    """A lookup that Shout refuses for this account."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.describe())
        self.answer = answer


class Settler:
    """Finds out what became of orders."""

    def __init__(self, wire: Wire, pace: Pace, settle: float) -> None:
        """:param settle: seconds after a request before 'not found' is believed."""
        self._wire = wire
        self._pace = pace
        self._settle = settle
        self._loop = asyncio.get_running_loop()

    async def find_for_certain(self, claim: Claim, *, asked_at: float = -inf) -> ShownOrder | None:
        """The order as Shout shows it, or None if it is certain not to exist.

        :param asked_at: the event loop's time when the last request to create it ended.
        :raises Unanswered: no lookup was answered. :raises Stopped: nothing more is sent.
        """
        shown = await self.find(claim)
        wait = asked_at + self._settle - self._loop.time()
        if shown is None and wait > 0:
            await self._pace.sleep(wait)
            shown = await self.find(claim)
        return shown

    async def find(self, claim: Claim) -> ShownOrder | None:
        """The order as Shout shows it now, or None; repeated while there is no answer.

        :raises Unanswered: no lookup was answered. :raises Stopped: nothing more is sent.
        """
        patiently = AsyncRetrying(
            retry=retry_if_exception_type(_TryAgain),
            wait=wait_random_exponential(multiplier=0.25, max=10),
            stop=self._enough,
            sleep=self._pace.sleep,
            reraise=True,
        )
        return await patiently(self._find_once, claim)

    async def _find_once(self, claim: Claim) -> ShownOrder | None:
        answer = await self._wire.find(claim)
        if isinstance(answer, NoAnswer):
            raise _TryAgain(str(answer))
        if is_not_there(answer):
            return None
        outcome = of_status(answer.status)
        if outcome is Outcome.CREATED:
            if (shown := order_in(answer.body)) is None:
                raise _TryAgain("an answer that cannot be read")
            return shown
        if outcome is Outcome.REFUSED:
            raise RefusedLookup(answer)
        if answer.status in (401, 403, 407):
            raise credentials_refused(answer)
        raise _TryAgain(answer.describe())

    def _enough(self, state: RetryCallState) -> bool:
        """Whether to stop asking; during an outage, :class:`Pace` decides that."""
        return state.attempt_number >= _MOST_LOOKUPS and not self._pace.lookup.down


def is_not_there(answer: Answer) -> bool:
    """Whether Shout says that there is no such order. A web page is a gateway's word, not Shout's:
    to believe it could create an order a second time.
    """
    return answer.status in (_NOT_FOUND, _GONE) and not answer.is_page()


class _TryAgain(Unanswered):
    """Another lookup may be answered."""


def credentials_refused(answer: Answer) -> SafetyStop:
    """The end of a run whose credentials Shout does not accept."""
    return SafetyStop(
        f"Shout refuses the credentials ({answer.describe()})",
        hint="check --header and the variable it reads, then run the same command again",
    )
