"""One order's way: look where it was in doubt, send, and read what came of it."""

from __future__ import annotations

import asyncio
import json
import logging

from tenacity import AsyncRetrying, retry_if_exception_type
from tenacity.wait import wait_random_exponential

from backfill.checkpoint import Claim, Result, State, WireRule
from backfill.deliver.api import Answer, NoAnswer
from backfill.deliver.canary import Canary
from backfill.deliver.compare import (
    ShownOrder,
    differences,
    in_words,
    order_in,
    sent_order,
    shout_id,
    total_cents,
)
from backfill.deliver.gate import FLAG
from backfill.deliver.in_flight import InFlight
from backfill.deliver.outcome import Outcome
from backfill.deliver.pace import Stopped
from backfill.deliver.settle import RefusedLookup, Unanswered
from backfill.deliver.shout import MOST_UNANSWERED, Shout, run_refused, wrong_address
from backfill.deliver.wire import outcome_of
from backfill.errors import SafetyStop

_NOT_FOUND, _NOT_A_METHOD_HERE = 404, 405
_READ_BACK_ONE_IN = 100
"""If Shout's answers never show the flag, one order in so many is read back."""


_log = logging.getLogger(__name__)


class _Again(Exception):
    """The order needs another try."""


class Sender:
    """Brings orders to their results, and stops the run where going on would do harm."""

    def __init__(self, shout: Shout, canary: Canary, *, proven: bool) -> None:
        """:param proven: whether orders of this job were created before, so that the address is
        right.
        """
        self._shout = shout
        self._proven = proven
        self._canary = canary
        self._loop = asyncio.get_running_loop()
        self._created = 0
        self._not_shown = 0
        self._said_no_totals = False

    async def see_through(self, order: InFlight) -> Result:
        """Bring a claimed order to its result."""
        account = order.account
        entered = False
        try:
            entered = account.enter_now() or await account.enter()
            if not entered:
                return order.result(
                    State.SKIPPED, rule=WireRule.ACCOUNT_REFUSED, reason=account.refuses_all
                )
            try:
                return await (self._patiently if order.in_doubt else self._attempt)(order)
            except _Again:
                return await self._patiently(order)
        except Stopped:
            pass
        except SafetyStop as stop:
            self._shout.halt(stop)
        except Unanswered as none:
            return order.result(
                State.SENDING, rule=WireRule.IN_DOUBT, reason=f"lookups do not tell: {none}"
            )
        finally:
            if entered:
                account.leave()
            if not self._canary.passed:
                self._canary.leave(order, confirmed=order.confirmed)
        # An order that was in doubt once stays so until the next run looks it up.
        return order.result(State.SENDING if order.ours else State.PENDING)

    async def _patiently(self, order: InFlight) -> Result:
        """Look up and send, with growing pauses, until it is settled."""
        patiently = AsyncRetrying(
            retry=retry_if_exception_type(_Again),
            wait=wait_random_exponential(multiplier=0.25, max=10),
            sleep=self._shout.pace.sleep,
        )
        with self._shout.taking_longer():
            return await patiently(self._attempt_again, order)

    async def _attempt_again(self, order: InFlight) -> Result:
        if order.in_doubt:
            shown = await self._shout.settler.find_for_certain(order.claim, asked_at=order.asked_at)
            if shown is not None:
                return self._found(order, shown, status=None)
            order.in_doubt = False
            _log.info("not found by lookup", extra={"fields": _who(order)})
            if order.misses >= MOST_UNANSWERED:
                return self._gave_up(order)
        if order.tries:
            await self._shout.pace.may_retry()
            self._shout.wire.activity.retries += 1
        return await self._attempt(order)

    async def _attempt(self, order: InFlight) -> Result:
        """Send the order once. Raises _Again where that has not settled it."""
        if not self._canary.passed:
            await self._canary.enter(order)
        order.tries += 1
        answer = await self._shout.wire.create(order.claim)
        outcome = outcome_of(answer)
        if isinstance(answer, Answer) and self._is_elsewhere(order.claim, answer, outcome):
            if outcome is Outcome.CREATED:  # whoever sent the page may have passed the order on
                order.ours = True
            raise wrong_address(self._shout.url, answer)
        if outcome is Outcome.CREATED and isinstance(answer, Answer):
            shown = order_in(answer.body)
            if shown is not None:
                order.attempts += 1
                if not (self._canary.passed and _plainly_as_sent(order.claim, shown)):
                    return await self._check_created(order, answer, shown)
                self._in_shout(order)
                return Result(
                    order.claim.id, State.CREATED, order.attempts, answer.status, shout_id(shown)
                )
            outcome = Outcome.IN_DOUBT
        if outcome is Outcome.RUN_REFUSED:
            if not self._is_passing(answer):
                raise run_refused(answer)
            outcome = Outcome.IN_DOUBT
        if outcome is Outcome.REFUSED and isinstance(answer, Answer):
            return await self._refused(order, answer)
        if outcome is Outcome.IN_DOUBT:
            order.attempts += 1
            order.in_doubt = order.ours = True
            order.asked_at = self._loop.time()
            order.misses += 1
            status = answer.status if isinstance(answer, Answer) else str(answer)
            _log.info("order in doubt", extra={"fields": {**_who(order), "answer": status}})
        raise _Again

    # --- it is in Shout ---------------------------------------------------------------------

    async def _check_created(self, order: InFlight, answer: Answer, shown: ShownOrder) -> Result:
        """Shout says that it created the order: is it the order that was sent?"""
        wrong = in_words(differences(sent_order(order.claim.payload), shown))
        if wrong:
            self._shout.halt(_answer_differs(order, wrong))
        else:
            wrong = await self._read_back(order, shown)
        order.confirmed = not wrong
        self._in_shout(order)
        return order.result(
            State.CREATED,
            status=answer.status,
            shout_id=shout_id(shown),
            rule=WireRule.ANSWER_DIFFERS if wrong else None,
            reason=wrong or None,
        )

    async def _read_back(self, order: InFlight, shown: ShownOrder) -> str:
        """Look a created order up where its answer alone is not enough; says what is wrong."""
        if FLAG not in shown:
            self._not_shown += 1
        due = FLAG not in shown and self._not_shown % _READ_BACK_ONE_IN == 1
        if self._canary.passed and not due:
            return ""
        try:
            found = await self._shout.settler.find_for_certain(
                order.claim, asked_at=self._loop.time()
            )
        except Stopped:
            return ""
        except Unanswered as none:
            self._shout.halt(_cannot_look_up(order, str(none)))
            return "it could not be read back"
        if found is None:
            self._shout.halt(_cannot_look_up(order, "not found"))
            return "it was not found by a lookup right after it was created"
        wrong = in_words(differences(sent_order(order.claim.payload), found))
        if not wrong and FLAG not in shown and FLAG not in found:
            wrong = f"{FLAG} is shown neither in the answer nor by a lookup"
        if wrong:
            self._shout.halt(_answer_differs(order, wrong))
        elif total_cents(shown) is None and total_cents(found) is None and not self._said_no_totals:
            self._said_no_totals = True
            self._shout.say("Shout's answers show no total, so amounts cannot be checked")
        return wrong

    def _found(self, order: InFlight, shown: ShownOrder, *, status: int | None) -> Result:
        """An order that a lookup found: is it the one that was sent, and did we create it?"""
        wrong = in_words(differences(sent_order(order.claim.payload), shown))
        if shown.get(FLAG, True) is not True:
            self._shout.halt(_answer_differs(order, wrong))
        if wrong:
            return order.result(
                State.FAILED,
                status=status,
                shout_id=shout_id(shown),
                rule=WireRule.DIFFERS,
                reason=f"an order with this key is in Shout, but: {wrong}",
            )
        order.confirmed = shown.get(FLAG) is True
        order.attempts = max(order.attempts, int(order.ours))
        self._in_shout(order)
        state, reason = State.EXISTING, "was in Shout before; found by lookup"
        if order.ours:
            state, reason = State.CREATED, "its request was left in doubt; found by lookup"
        _log.info("found by lookup", extra={"fields": {**_who(order), "state": state.value}})
        return order.result(state, status=status, shout_id=shout_id(shown), reason=reason)

    def _in_shout(self, order: InFlight) -> None:
        self._created += 1
        self._shout.accepted()
        order.account.took_one()

    # --- it is not --------------------------------------------------------------------------

    async def _refused(self, order: InFlight, answer: Answer) -> Result:
        """Shout refused: was it a duplicate? Only a lookup can tell."""
        try:
            shown = await self._shout.settler.find(order.claim)
        except RefusedLookup as refused:
            order.account.refused_lookup(refused.answer)
            shown = None
        order.attempts += 1  # not before the lookup: it makes the order ours to the next run
        if shown is not None:
            return self._found(order, shown, status=answer.status)
        order.account.refused_one(order.claim, answer)
        _log.warning(
            "order refused",
            extra={"fields": {**_who(order), "answer": _without_customer(answer, order.claim)}},
        )
        self._shout.refused(answer.describe())
        return order.result(
            State.FAILED,
            status=answer.status,
            rule=WireRule.REFUSED,
            reason=f"Shout refused it ({answer.describe()})",
        )

    def _gave_up(self, order: InFlight) -> Result:
        reason = f"{order.misses} requests ended without an answer or with a server error"
        self._shout.refused(reason)
        return order.result(
            State.FAILED, rule=WireRule.NO_ANSWER, reason=f"{reason}; it is not in Shout"
        )

    def _is_elsewhere(self, claim: Claim, answer: Answer, outcome: Outcome) -> bool:
        """Whether an answer shows that the request did not reach Shout's API.

        Once an order was created, the address is right, and a page is what a gateway in front of
        Shout writes; but "no such address" in a page is no answer to an order even then, nor is
        "no such method" anywhere. Who names the account has understood the request.
        """
        if outcome not in (Outcome.CREATED, Outcome.REFUSED):
            return False
        if answer.status == _NOT_A_METHOD_HERE:
            return True
        unheard_of = answer.status == _NOT_FOUND
        if self._proven or self._created:
            return unheard_of and answer.is_page()
        return answer.is_page() or (unheard_of and claim.account_id.encode() not in answer.body)

    def _is_passing(self, answer: Answer | NoAnswer) -> bool:
        """Whether a redirect will pass: where orders were created, the address is right."""
        return isinstance(answer, Answer) and answer.status < 400 and self._created > 0


def _who(order: InFlight) -> dict[str, object]:
    return {"reference_id": order.claim.reference_id, "account": order.claim.account_id}


def _without_customer(answer: Answer, claim: Claim) -> str:
    """An answer for the log, without what it quotes of the order's customer."""
    text = answer.describe()
    for name, value in json.loads(claim.payload)["order"].items():
        if name.startswith("profile_") and isinstance(value, str) and value:
            text = text.replace(value, "***")
    return text


def _plainly_as_sent(claim: Claim, shown: ShownOrder) -> bool:
    """Whether an answer shows the flag, the total and the key; all but a few do."""
    return (
        shown.get(FLAG) is True
        and shown.get("total_cents") == claim.total_cents
        and shown.get("reference_id", claim.reference_id) == claim.reference_id
    )


def _answer_differs(order: InFlight, wrong: str) -> SafetyStop:
    return SafetyStop(
        f"Shout's answer to order {order.claim.reference_id} is not what was sent: {wrong}",
        hint="nothing else was sent; check this order in Shout, and contact Shout before you"
        " continue",
    )


def _cannot_look_up(order: InFlight, why: str) -> SafetyStop:
    return SafetyStop(
        f"order {order.claim.reference_id} was created, but cannot be looked up: {why}",
        hint="orders in doubt are settled by lookups; contact Shout, then run the same command"
        " again",
    )
