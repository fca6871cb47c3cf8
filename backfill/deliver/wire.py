"""One request with all that belongs to it: its turn, its count, and what it showed of Shout."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, NamedTuple, ParamSpec

from backfill.checkpoint import Activity, Claim
from backfill.deliver.api import Answer, Api, NoAnswer
from backfill.deliver.outcome import Outcome, of_status
from backfill.deliver.pace import Lane, Pace, Seen
from backfill.deliver.shown import may_say_not_there, shown_order
from backfill.errors import StorageError

Shown = Mapping[str, Any]
Send = Callable[[Api], Awaitable[Answer]]
Read = Callable[[Answer], Shown | None]
"""What a successful answer shows; None where it does not show what was asked for."""
P = ParamSpec("P")

NOTHING: Final[Shown] = {}
"""What is shown by an answer that may say that an order is not there."""


class Reply(NamedTuple):
    """What came back from a request, and what it means."""

    outcome: Outcome
    """``CREATED`` only where the answer shows what was asked for"""
    answer: Answer | NoAnswer
    shown: Shown | None = None


class Wire:
    """Sends requests when the pace lets them, and counts them."""

    def __init__(self, api: Api, pace: Pace) -> None:
        self._api = api
        self._pace = pace
        self.activity = Activity()

    def create(self, claim: Claim) -> Awaitable[Reply]:
        """Try to create an order.

        :raises Stopped: nothing was sent. :raises SafetyStop: it must not be sent.
        """
        order = (claim.account_header, claim.account_id, claim.payload)
        return self._request(
            self._pace.create, lambda answer: shown_order(answer, claim), self._api.create, *order
        )

    def change(self, send: Send, read: Read) -> Awaitable[Reply]:
        """Send something that changes what is in Shout.

        :raises Stopped: nothing was sent. :raises SafetyStop: it must not be sent.
        """
        return self._request(self._pace.create, read, send, self._api)

    def find(self, claim: Claim) -> Awaitable[Reply]:
        """Look an order up; ``shown`` is :data:`NOTHING` where it may not be there.

        :raises Stopped: nothing was sent.
        """

        def read(answer: Answer) -> Shown | None:
            shown = shown_order(answer, claim)
            return NOTHING if shown is None and may_say_not_there(answer) else shown

        order = (claim.account_header, claim.account_id, claim.reference_id)
        return self._request(self._pace.lookup, read, self._api.find, *order)

    async def _request(
        self,
        lane: Lane,
        read: Read,
        send: Callable[P, Awaitable[Answer]],
        *args: P.args,
        **more: P.kwargs,
    ) -> Reply:
        started = self._pace.turn_now(lane) or await self._pace.wait(lane)
        self.activity.requests += 1
        self.activity.lookups += lane is self._pace.lookup
        seen, retry_after, why = Seen.NOTHING, None, ""
        try:
            answer = await send(*args, **more)
            outcome, shown = of_status(answer.status), None
            if outcome is Outcome.CREATED and (shown := read(answer)) is None:
                outcome = Outcome.IN_DOUBT
            seen = self._seen(answer, outcome)
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
            return Reply(none.outcome, none)
        finally:
            self._pace.done(lane, seen, started, retry_after, why)
        return Reply(outcome, answer, shown)

    def _seen(self, answer: Answer, outcome: Outcome) -> Seen:
        status = answer.status
        if status == 429:
            self.activity.rate_limited += 1
            return Seen.TURNED_AWAY
        if status >= 500:
            return Seen.FAILED
        # A page in place of an order, or a way elsewhere, comes from a login, or from a gateway in
        # front of a Shout that is down. A page with a 4xx may be Shout's own "not found".
        if 300 <= status < 400 or (status < 300 and outcome is Outcome.IN_DOUBT):
            return Seen.NOT_SHOUT
        return Seen.ALIVE
