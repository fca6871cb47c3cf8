"""One request with all that belongs to it: its turn, its count, and what it showed of Shout."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from backfill.checkpoint import Activity, Claim
from backfill.deliver.api import Answer, Api, NoAnswer
from backfill.deliver.outcome import Outcome, of_status
from backfill.deliver.pace import Lane, Pace, Seen
from backfill.errors import StorageError


class Wire:
    """Sends requests when the pace lets them, and counts them."""

    def __init__(self, api: Api, pace: Pace) -> None:
        self._api = api
        self._pace = pace
        self._loop = asyncio.get_running_loop()
        self.activity = Activity()

    async def create(self, claim: Claim) -> tuple[Outcome, Answer | NoAnswer]:
        """Try to create an order; what that means for it, and what came back.

        :raises Stopped: nothing was sent. :raises SafetyStop: it must not be sent.
        """
        started = await self._pace.turn(self._pace.create)
        self.activity.requests += 1
        request = self._api.create(claim.account_header, claim.account_id, claim.payload)
        answer = await self._answer(self._pace.create, started, request)
        if isinstance(answer, NoAnswer):
            return answer.outcome, answer
        return of_status(answer.status), answer

    async def find(self, claim: Claim) -> Answer | NoAnswer:
        """Look an order up.

        :raises Stopped: nothing was sent.
        """
        started = await self._pace.turn(self._pace.lookup)
        self.activity.requests += 1
        self.activity.lookups += 1
        request = self._api.find(claim.account_header, claim.account_id, claim.reference_id)
        return await self._answer(self._pace.lookup, started, request)

    async def _answer(
        self, lane: Lane, started: float, request: Awaitable[Answer]
    ) -> Answer | NoAnswer:
        seen, retry_after = Seen.NOTHING, None
        try:
            answer = await request
            seen, retry_after = self._seen(answer), answer.retry_after()
        except NoAnswer as none:
            if not none.out_of_files:
                seen = Seen.FAILED
            elif not self._pace.fewer_files():
                raise StorageError(
                    "the limit on open files leaves none for a connection",
                    hint="raise it (ulimit -n) and run the same command again",
                ) from none
            return none
        finally:
            self._pace.done(lane, seen, started, retry_after)
        return answer

    def _seen(self, answer: Answer) -> Seen:
        if answer.status == 429:
            self.activity.rate_limited += 1
            return Seen.TURNED_AWAY
        return Seen.FAILED if answer.status >= 500 else Seen.ALIVE
