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
from backfill.deliver.compare import ShownOrder, differences, in_words, sent_order, total_cents
from backfill.deliver.gate import FLAG
from backfill.deliver.in_flight import InFlight
from backfill.deliver.lookup import RefusedLookup, Unanswered
from backfill.deliver.outcome import Outcome
from backfill.deliver.pace import Stopped
from backfill.deliver.parking import Parking
from backfill.deliver.shout import MOST_UNANSWERED, Shout, run_refused, wrong_address
from backfill.deliver.shown import answered_id, says_error, shout_id
from backfill.deliver.witness import NoWitness
from backfill.errors import SafetyStop

_NOT_FOUND, _NOT_A_METHOD_HERE = 404, 405
_READ_BACK_ONE_IN = 100
"""If Shout's answers never show the flag, one order in so many is read back."""
_MOST_FIRST_ANSWERS = 3
"""So many orders may be answered with a success that shows no order, before any is created."""
_MOST_ERRORS = 3
"""So many requests for one order may be answered with an error under the status of a success."""
_NOT_PROVEN_OURS = (
    "its request was left in doubt; found by lookup, but nothing proves that this job created it"
)

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
        self._settler = shout.settler
        self._ids = shout.learned.ids
        self._proven = proven
        self._canary = canary
        self._parking = Parking(shout.parking)
        self._loop = asyncio.get_running_loop()
        self._created = 0
        self._not_shown = 0
        self._first_answers = 0
        self._said_no_totals = False

    def taken_up(self, orders: int, *, last: bool) -> None:
        """So many more orders will be seen through; ``last``: there are no others."""
        self._parking.expect(orders, last=last)

    def close(self) -> None:
        """Nothing more is sent."""
        self._parking.close()

    async def see_through(self, order: InFlight) -> Result:
        """Bring a claimed order to its result."""
        try:
            while True:
                try:
                    return await self._see_through(order)
                except NoWitness:
                    await self._parking.wait_for_a_witness()
        except Stopped:
            pass
        except SafetyStop as stop:
            self._shout.halt(stop)
        except Unanswered as none:
            return order.result(
                State.SENDING, rule=WireRule.IN_DOUBT, reason=f"lookups do not tell: {none}"
            )
        finally:
            self._parking.ended_one()
        # An order that was in doubt once stays so until the next run looks it up.
        return order.result(State.SENDING if order.ours else State.PENDING)

    async def _see_through(self, order: InFlight) -> Result:
        """:raises NoWitness: a lookup did not find it, and nothing shows yet what that means."""
        account = order.account
        entered = False
        try:
            entered = account.enter_now() or await account.enter()
            if not entered:
                # What is in doubt may be in Shout, whatever the account refuses now.
                state = State.SENDING if order.ours else State.SKIPPED
                return order.result(
                    state, rule=WireRule.ACCOUNT_REFUSED, reason=account.refuses_all
                )
            if order.in_doubt or order.look_first:
                return await self._patiently(order)
            try:
                return await self._attempt(order)
            except _Again:
                return await self._patiently(order)
        finally:
            if entered:
                account.leave()
            if not self._canary.passed:
                self._canary.leave(order, confirmed=order.confirmed)

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
            shown = await self._settler.find_for_certain(order.claim, asked_at=order.asked_at)
            if shown is not None:
                return self._found(order, shown, status=None)
            order.in_doubt, order.was_absent = False, True
            _log.info("not found by lookup", extra={"fields": _who(order)})
            if order.misses >= MOST_UNANSWERED:
                return self._gave_up(order)
            if order.last_error is not None and order.errors >= _MOST_ERRORS:
                return self._failed(order, order.last_error)
            self._settler.witnesses.sent_again(order.claim, self._loop.time() - order.asked_at)
        elif order.look_first:
            shown = await self._settler.find(order.claim)
            if shown is not None:
                return self._found(order, shown, status=None)
            order.look_first = False
        if order.tries:
            await self._shout.pace.may_retry()
            self._shout.wire.activity.retries += 1
        return await self._attempt(order)

    async def _attempt(self, order: InFlight) -> Result:
        """Send the order once. Raises _Again where that has not settled it."""
        if not self._canary.passed:
            await self._canary.enter(order)
        order.tries += 1
        order.highest_before = self._ids.highest
        outcome, answer, shown = await self._shout.wire.create(order.claim)
        if shown is not None and isinstance(answer, Answer):
            order.attempts += 1
            if not (self._canary.passed and _plainly_as_sent(order.claim, shown)):
                return await self._check_created(order, answer, shown)
            id_ = self._confirmed(order, shown)
            return Result(order.claim.id, State.CREATED, order.attempts, answer.status, id_)
        if isinstance(answer, Answer) and self._is_elsewhere(order.claim, answer, outcome):
            if answer.status < 300:  # whoever sent the page may have passed the order on
                order.ours = True
            raise wrong_address(self._shout.url, answer)
        if outcome is Outcome.RUN_REFUSED:
            if not self._is_passing(answer):
                raise run_refused(answer)
            outcome = Outcome.IN_DOUBT
        if outcome is Outcome.REFUSED and isinstance(answer, Answer):
            return await self._refused(order, answer)
        if outcome is Outcome.IN_DOUBT:
            self._left_in_doubt(order, answer)
        raise _Again

    def _left_in_doubt(self, order: InFlight, answer: Answer | NoAnswer) -> None:
        """:raises SafetyStop: the first orders are answered, and none is shown."""
        order.attempts += 1
        order.in_doubt = order.ours = True
        order.asked_at = self._loop.time()
        order.misses += 1
        status = answer.status if isinstance(answer, Answer) else str(answer)
        _log.info("order in doubt", extra={"fields": {**_who(order), "answer": status}})
        if not isinstance(answer, Answer) or answer.status >= 300:
            return
        order.answered_id = answered_id(answer)
        if says_error(answer):
            order.errors += 1
            order.last_error = answer
        if self._canary.first:
            self._first_answers += 1
            if self._first_answers >= _MOST_FIRST_ANSWERS:
                raise _shows_no_order(order, answer, self._first_answers)

    # --- it is in Shout ---------------------------------------------------------------------

    async def _check_created(self, order: InFlight, answer: Answer, shown: ShownOrder) -> Result:
        """Shout says that it created the order: is it the order that was sent?"""
        wrong = in_words(differences(sent_order(order.claim.payload), shown))
        id_ = self._confirmed(order, shown)
        if wrong:
            self._shout.halt(_answer_differs(order, wrong))
        else:
            wrong = await self._read_back(order, shown, id_)
        order.confirmed = not wrong
        return order.result(
            State.CREATED,
            status=answer.status,
            shout_id=id_,
            rule=WireRule.ANSWER_DIFFERS if wrong else None,
            reason=wrong or None,
        )

    def _confirmed(self, order: InFlight, shown: ShownOrder) -> str:
        """Shout's answer shows that the order was created; returns Shout's id."""
        id_ = shout_id(shown) or ""
        self._ids.confirmed(id_, order.highest_before)
        self._settler.witnesses.confirmed(order.claim, id_)
        self._in_shout(order)
        return id_

    async def _read_back(self, order: InFlight, shown: ShownOrder, id_: str) -> str:
        """Look a created order up where its answer alone is not enough; says what is wrong."""
        if FLAG not in shown:
            self._not_shown += 1
        due = FLAG not in shown and self._not_shown % _READ_BACK_ONE_IN == 1
        if self._canary.passed and not due:
            return ""
        try:
            found = await self._settler.find_created(order.claim, id_)
        except Stopped:
            return ""
        except Unanswered as none:
            self._shout.halt(_cannot_look_up(order, str(none)))
            return "it could not be read back"
        except SafetyStop as stop:
            self._shout.halt(stop)
            return "it was not found by lookups after it was created"
        if shout_id(found) != id_:
            self._shout.halt(_there_twice(order, id_, found))
            return f"a lookup shows another order with its key (Shout's id {shout_id(found)})"
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
        state, rule, reason = State.EXISTING, None, "was in Shout before; found by lookup"
        may_be_ours = order.ours or order.claim.attempts > 0
        if may_be_ours and self._is_proven_ours(order, shown):
            state, reason = State.CREATED, "its request was left in doubt; found by lookup"
        elif may_be_ours:
            rule, reason = WireRule.NOT_PROVEN_OURS, _NOT_PROVEN_OURS
        _log.info("found by lookup", extra={"fields": {**_who(order), "state": state.value}})
        return order.result(
            state, status=status, shout_id=shout_id(shown), rule=rule, reason=reason
        )

    def _is_proven_ours(self, order: InFlight, shown: ShownOrder) -> bool:
        """Whether an order that was in doubt cannot have been in Shout before this job."""
        found = shout_id(shown)
        return (
            order.was_absent or found == order.answered_id or self._ids.came_after_the_first(found)
        )

    def _in_shout(self, order: InFlight) -> None:
        self._created += 1
        self._shout.accepted()
        order.account.took_one()
        self._parking.wake()

    # --- it is not --------------------------------------------------------------------------

    async def _refused(self, order: InFlight, answer: Answer) -> Result:
        """Shout refused: was it a duplicate? Only a lookup can tell."""
        try:
            if order.ours:  # an earlier request may have created it, and lookups may lag
                look = self._settler.find_for_certain(order.claim, asked_at=order.asked_at)
            else:
                look = self._settler.find(order.claim)
            shown = await look
        except RefusedLookup as refused:
            order.account.refused_lookup(refused.answer)
            shown = None
        order.attempts += 1  # not before the lookup: it makes the order ours to the next run
        if shown is not None:
            return self._found(order, shown, status=answer.status)
        return self._failed(order, answer)

    def _failed(self, order: InFlight, answer: Answer) -> Result:
        """Shout refused the order, and it is not there."""
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
        if outcome is not Outcome.REFUSED and answer.status >= 300:
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


def _shows_no_order(order: InFlight, answer: Answer, answers: int) -> SafetyStop:
    return SafetyStop(
        f"Shout's answers to the first {answers} orders show no order; the last one, to"
        f" {order.claim.reference_id}: {answer.describe()}",
        hint="check --api-url and the account; these orders are in doubt, and the next run looks"
        " them up before anything is sent",
    )


def _there_twice(order: InFlight, id_: str, found: ShownOrder) -> SafetyStop:
    return SafetyStop(
        f"order {order.claim.reference_id} was created (Shout's id {id_}), but a lookup shows"
        f" another order with this reference id (Shout's id {shout_id(found)})",
        hint="the order was in Shout before, and Shout took it again: delete one of the two there,"
        " and contact Shout before you continue",
    )


def _cannot_look_up(order: InFlight, why: str) -> SafetyStop:
    return SafetyStop(
        f"order {order.claim.reference_id} was created, but cannot be looked up: {why}",
        hint="orders in doubt are settled by lookups; contact Shout, then run the same command"
        " again",
    )
