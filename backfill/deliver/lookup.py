"""Asks Shout for one order, patiently, without judging what it means that there is none."""

from __future__ import annotations

import uuid

from tenacity import AsyncRetrying, retry_if_exception_type
from tenacity.wait import wait_random_exponential

from backfill.checkpoint import Claim
from backfill.deliver.api import Answer, NoAnswer
from backfill.deliver.compare import ShownOrder
from backfill.deliver.outcome import Outcome
from backfill.deliver.pace import Pace
from backfill.deliver.shown import may_say_not_there
from backfill.deliver.wire import Wire
from backfill.errors import SafetyStop

_MOST_LOOKUPS = 8
_CREDENTIALS = (401, 407)
_FORBIDDEN = 403


class Unanswered(Exception):
    """Lookups that did not show whether an order exists."""


class RefusedLookup(Unanswered):
    """A lookup that Shout refuses for this account."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.describe())
        self.answer = answer


class _TryAgain(Unanswered):
    """Another lookup may be answered."""


class Lookup:
    """Looks orders up; a lookup without an answer is repeated."""

    def __init__(self, wire: Wire, pace: Pace) -> None:
        self._wire = wire
        self._pace = pace
        self._last_answered: Claim | None = None

    async def ask(self, claim: Claim) -> ShownOrder | Answer:
        """The order as Shout shows it now, or an answer that may say that it is not there.

        :raises Unanswered: neither, however often it was asked.
        :raises Stopped: nothing more is sent. :raises SafetyStop: the credentials are refused.
        """
        patiently = AsyncRetrying(
            retry=retry_if_exception_type(_TryAgain),
            wait=wait_random_exponential(multiplier=0.25, max=10),
            sleep=self._pace.sleep,
            reraise=True,
        )
        async for attempt in patiently:
            with attempt:
                try:
                    return await self._ask_once(claim)
                except _TryAgain as again:
                    if attempt.retry_state.attempt_number < _MOST_LOOKUPS:
                        raise
                    if await self._others_are_answered():
                        raise Unanswered(str(again)) from None
                    raise
        raise AssertionError("unreachable")

    async def look(self, claim: Claim) -> ShownOrder | None:
        """The order as Shout shows it now; None where an answer does not show it.

        :raises Unanswered, Stopped, SafetyStop: as :meth:`ask`.
        """
        shown = await self.ask(claim)
        return None if isinstance(shown, Answer) else shown

    async def _ask_once(self, claim: Claim) -> ShownOrder | Answer:
        outcome, answer, shown = await self._wire.find(claim)
        if isinstance(answer, NoAnswer):
            raise _TryAgain(str(answer))
        if shown is not None or may_say_not_there(answer):
            self._last_answered = claim
            return shown or answer
        if answer.status in _CREDENTIALS:
            raise credentials_refused(answer)
        if outcome is Outcome.REFUSED or answer.status == _FORBIDDEN:
            raise RefusedLookup(answer)
        raise _TryAgain(f"no answer to a lookup ({answer.describe()})")

    async def _others_are_answered(self) -> bool:
        """Whether lookups of something else get an answer: then it is not an outage."""
        if not self._pace.lookup.down:
            return True
        other = self._last_answered
        if other is None:
            return False
        _, answer, shown = await self._wire.find(other)
        return isinstance(answer, Answer) and (shown is not None or may_say_not_there(answer))


def no_such_order(account_header: str, account_id: str) -> Claim:
    """A key that no order has."""
    return Claim(0, f"backfill-{uuid.uuid4().hex}", account_header, account_id, b"", 0, None)


def credentials_refused(answer: Answer) -> SafetyStop:
    """The end of a run whose credentials Shout does not accept."""
    return SafetyStop(
        f"Shout refuses the credentials ({answer.describe()})",
        hint="check --header and the variable it reads, then run the same command again",
    )
