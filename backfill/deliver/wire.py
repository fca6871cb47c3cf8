"""One request with all that belongs to it: its turn, its count, and what it showed of Shout."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import ParamSpec

from backfill.checkpoint import Activity, Claim
from backfill.deliver.api import Answer, Api, NoAnswer
from backfill.deliver.outcome import Outcome, of_status
from backfill.deliver.pace import Lane, Pace, Seen
from backfill.errors import StorageError

Send = Callable[[Api], Awaitable[Answer]]
P = ParamSpec("P")


class Wire:
    """Sends requests when the pace lets them, and counts them."""

    def __init__(self, api: Api, pace: Pace) -> None:
        self._api = api
        self._pace = pace
        self._loop = asyncio.get_running_loop()
        self.activity = Activity()

    def create(self, claim: Claim) -> Awaitable[Answer | NoAnswer]:
        """Try to create an order.

        :raises Stopped: nothing was sent. :raises SafetyStop: it must not be sent.
        """
        order = (claim.account_header, claim.account_id, claim.payload)
        return self._ask(self._pace.create, self._api.create, *order)

    async def change(self, send: Send) -> tuple[Outcome, Answer | NoAnswer]:
        """Send something that changes what is in Shout; what that means, and what came back.

        :raises Stopped: nothing was sent. :raises SafetyStop: it must not be sent.
        """
        answer = await self._ask(self._pace.create, send, self._api)
        return outcome_of(answer), answer

    def find(self, claim: Claim) -> Awaitable[Answer | NoAnswer]:
        """Look an order up.

        :raises Stopped: nothing was sent.
        """
        order = (claim.account_header, claim.account_id, claim.reference_id)
        return self._ask(self._pace.lookup, self._api.find, *order)

    async def _ask(
        self, lane: Lane, send: Callable[P, Awaitable[Answer]], *args: P.args, **more: P.kwargs
    ) -> Answer | NoAnswer:
        started = self._pace.turn_now(lane) or await self._pace.wait(lane)
        self.activity.requests += 1
        self.activity.lookups += lane is self._pace.lookup
        seen, retry_after, why = Seen.NOTHING, None, ""
        try:
            answer = await send(*args, **more)
            seen = self._seen(answer)
            if seen is not Seen.ALIVE:
                retry_after, why = answer.retry_after(), answer.describe()
        except NoAnswer as none:
            if not none.out_of_files:
                seen, why = Seen.FAILED, str(none)
            elif not self._pace.fewer_files():
                raise StorageError(
                    "no connection can be opened: too many open files",
                    hint="raise the limit (ulimit -n), then run the same command again",
                ) from none
            return none
        finally:
            self._pace.done(lane, seen, started, retry_after, why)
        return answer

    def _seen(self, answer: Answer) -> Seen:
        if answer.status == 429:
            self.activity.rate_limited += 1
            return Seen.TURNED_AWAY
        # A page in place of an order, or a way elsewhere, comes from a login, or from a gateway in
        # front of a Shout that is down. A page with a 4xx may be Shout's own "not found".
        not_shout = 300 <= answer.status < 400 or (answer.status < 300 and answer.is_page())
        return Seen.FAILED if answer.status >= 500 or not_shout else Seen.ALIVE


def outcome_of(answer: Answer | NoAnswer) -> Outcome:
    """What came back, or did not, as an outcome."""
    return answer.outcome if isinstance(answer, NoAnswer) else of_status(answer.status)
