"""What is in doubt is settled by looking it up, never by sending it again and hoping.

*Not found* is not believed at once: the request of unknown outcome may still be on its way
through Shout and be committed after the lookup. So a second lookup follows ``settle`` seconds
after that request ended, and only then may the order be sent again. A server that commits later
than that, and that also ignores the duplicate header, is the one case left; ``settle`` is a
setting for that reason.
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

NOT_THERE = (404, 410)
_MOST_LOOKUPS = 8


class Unanswered(Exception):
    """A lookup that did not tell whether the order is there."""


class RefusedLookup(Unanswered):
    """A lookup that Shout will not answer for this account."""

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
        """The order as Shout shows it, or None where it certainly is not there.

        :param asked_at: the event loop's time when the last request to create it ended.
        :raises Unanswered: Shout does not tell. :raises Stopped: nothing more is sent.
        """
        shown = await self.find(claim)
        wait = asked_at + self._settle - self._loop.time()
        if shown is None and wait > 0:
            await self._pace.sleep(wait)
            shown = await self.find(claim)
        return shown

    async def find(self, claim: Claim) -> ShownOrder | None:
        """The order as Shout shows it now, or None; asked again while there is no answer.

        :raises Unanswered: Shout does not tell. :raises Stopped: nothing more is sent.
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
        if answer.status in NOT_THERE:
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
        """Whether to ask no more; while Shout is down as a whole, that is not for us to say."""
        return state.attempt_number >= _MOST_LOOKUPS and not self._pace.lookup.down


class _TryAgain(Unanswered):
    """Another lookup may tell."""


def credentials_refused(answer: Answer) -> SafetyStop:
    """The end of a run whose credentials Shout does not accept."""
    return SafetyStop(
        f"Shout refuses the credentials ({answer.describe()})",
        hint="check --header and the variable it reads, then run the same command again",
    )
