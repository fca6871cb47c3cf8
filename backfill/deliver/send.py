"""One order's way: look where it was in doubt, send, and read what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from tenacity import AsyncRetrying, retry_if_exception_type
from tenacity.wait import wait_random_exponential

from backfill.checkpoint import Claim, Result, State
from backfill.deliver.accounts import PARKED_RULE
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
from backfill.deliver.pace import Pace, Stopped
from backfill.deliver.settle import RefusedLookup, Settler, Unanswered, credentials_refused
from backfill.deliver.wire import Wire, outcome_of
from backfill.errors import SafetyStop

_MOST_MISSES = 12
"""After so many requests of unknown outcome that never arrived, it is the order's own fault."""
_REFUSALS_IN_A_ROW = 50
_READ_BACK_ONE_IN = 100
"""Where Shout's answers never show the flag, one order in so many is read back."""


class _Again(Exception):
    """The order needs another try."""


class Sender:
    """Brings orders to their results, and stops the run where going on would do harm."""

    def __init__(
        self,
        wire: Wire,
        pace: Pace,
        settler: Settler,
        canary: Canary,
        *,
        halt: Callable[[SafetyStop], None],
        say: Callable[[str], None],
        slow: Callable[[int], None],
    ) -> None:
        """
        :param halt: ends the run; called at once, in the same step of the loop.
        :param slow: told +1 and -1 while an order takes longer than one request.
        """
        self._wire = wire
        self._pace = pace
        self._settler = settler
        self._canary = canary
        self._halt = halt
        self._say = say
        self._slow = slow
        self._loop = asyncio.get_running_loop()
        self._refusals = 0
        self._created = 0
        self._unshown = 0
        self._amounts_unseen = False

    async def see_through(self, order: InFlight) -> Result:
        """What became of a claimed order; never raises but for a bug."""
        account = order.account
        entered = False
        try:
            entered = account.enter_now() or await account.enter()
            if not entered:
                return order.result(State.SKIPPED, rule=PARKED_RULE, reason=account.parked)
            try:
                return await (self._patiently if order.in_doubt else self._attempt)(order)
            except _Again:
                return await self._patiently(order)
        except Stopped:
            pass
        except SafetyStop as stop:
            self._halt(stop)
        except Unanswered as none:
            return order.result(
                State.SENDING, rule="in_doubt", reason=f"Shout does not tell: {none}"
            )
        finally:
            if entered:
                account.leave()
            if not self._canary.passed:
                self._canary.leave(order, confirmed=order.confirmed)
        # Once there was a doubt it stays with the order until the next start looks it up.
        return order.result(State.SENDING if order.ours else State.PENDING)

    async def _patiently(self, order: InFlight) -> Result:
        """Look and send, with growing pauses, until it is settled."""
        self._slow(+1)
        try:
            patiently = AsyncRetrying(
                retry=retry_if_exception_type(_Again),
                wait=wait_random_exponential(multiplier=0.25, max=10),
                sleep=self._pace.sleep,
            )
            return await patiently(self._attempt_again, order)
        finally:
            self._slow(-1)

    async def _attempt_again(self, order: InFlight) -> Result:
        if order.in_doubt:
            shown = await self._settler.find_for_certain(order.claim, asked_at=order.asked_at)
            if shown is not None:
                return self._found(order, shown, status=None)
            order.in_doubt = False
            if order.misses >= _MOST_MISSES:
                return self._gave_up(order)
        if order.tries:
            await self._pace.may_retry()
            self._wire.activity.retries += 1
        return await self._attempt(order)

    async def _attempt(self, order: InFlight) -> Result:
        """Send the order once. Raises _Again where that has not settled it."""
        if not self._canary.passed:
            await self._canary.enter(order)
        order.tries += 1
        answer = await self._wire.create(order.claim)
        outcome = outcome_of(answer)
        if outcome is Outcome.CREATED and isinstance(answer, Answer):
            shown = order_in(answer.body)
            if shown is not None:
                order.attempts += 1
                if not (self._canary.passed and _plainly_as_meant(order.claim, shown)):
                    return await self._check_created(order, answer, shown)
                self._in_shout(order)
                return Result(
                    order.claim.id, State.CREATED, order.attempts, answer.status, shout_id(shown)
                )
            outcome = Outcome.IN_DOUBT
        if outcome is Outcome.RUN_REFUSED:
            if not self._is_passing(answer):
                raise self._run_refused(answer)
            outcome = Outcome.IN_DOUBT
        if outcome is Outcome.REFUSED and isinstance(answer, Answer):
            return await self._refused(order, answer)
        if outcome is Outcome.IN_DOUBT:
            order.attempts += 1
            order.in_doubt = order.ours = True
            order.asked_at = self._loop.time()
            order.misses += 1
        raise _Again

    # --- it is in Shout ---------------------------------------------------------------------

    async def _check_created(self, order: InFlight, answer: Answer, shown: ShownOrder) -> Result:
        """Shout says that it created the order: did it do so as meant?"""
        wrong = in_words(differences(sent_order(order.claim.payload), shown))
        if wrong:
            self._halt(_answer_differs(order, wrong))
        else:
            wrong = await self._read_back(order, shown)
        order.confirmed = not wrong
        self._in_shout(order)
        return order.result(
            State.CREATED,
            status=answer.status,
            shout_id=shout_id(shown),
            rule="answer_differs" if wrong else None,
            reason=wrong or None,
        )

    async def _read_back(self, order: InFlight, shown: ShownOrder) -> str:
        """Look a created order up where its answer alone is not enough; says what is wrong."""
        if FLAG not in shown:
            self._unshown += 1
        due = FLAG not in shown and self._unshown % _READ_BACK_ONE_IN == 1
        if self._canary.passed and not due:
            return ""
        try:
            found = await self._settler.find_for_certain(order.claim, asked_at=self._loop.time())
        except Stopped:
            return ""
        except Unanswered as none:
            self._halt(_cannot_look_up(order, str(none)))
            return "it could not be read back"
        if found is None:
            self._halt(_cannot_look_up(order, "not found"))
            return "it was not found by a lookup right after it was created"
        wrong = in_words(differences(sent_order(order.claim.payload), found))
        if not wrong and FLAG not in shown and FLAG not in found:
            wrong = f"{FLAG} is shown neither in the answer nor by a lookup"
        if wrong:
            self._halt(_answer_differs(order, wrong))
        elif total_cents(shown) is None and total_cents(found) is None and not self._amounts_unseen:
            self._amounts_unseen = True
            self._say("Shout's answers show no total, so amounts cannot be checked")
        return wrong

    def _found(self, order: InFlight, shown: ShownOrder, *, status: int | None) -> Result:
        """An order that a lookup found: is it the one that was meant, and whose is it?"""
        wrong = in_words(differences(sent_order(order.claim.payload), shown))
        if shown.get(FLAG, True) is not True:
            self._halt(_answer_differs(order, wrong))
        if wrong:
            return order.result(
                State.FAILED,
                status=status,
                shout_id=shout_id(shown),
                rule="differs",
                reason=f"an order with this key is in Shout, but: {wrong}",
            )
        order.confirmed = shown.get(FLAG) is True
        order.attempts = max(order.attempts, int(order.ours))
        self._in_shout(order)
        state, reason = State.EXISTING, "was in Shout already; found by lookup"
        if order.ours:
            state, reason = State.CREATED, "its request was left in doubt; found by lookup"
        return order.result(state, status=status, shout_id=shout_id(shown), reason=reason)

    def _in_shout(self, order: InFlight) -> None:
        self._created += 1
        self._refusals = 0
        order.account.took_one()

    # --- it is not --------------------------------------------------------------------------

    async def _refused(self, order: InFlight, answer: Answer) -> Result:
        """Shout refused: was it a duplicate? Only a lookup can tell."""
        try:
            shown = await self._settler.find(order.claim)
        except RefusedLookup as refused:
            order.account.refused_lookup(refused.answer)
            shown = None
        order.attempts += 1  # not before the lookup: it makes the order ours to the next run
        if shown is not None:
            return self._found(order, shown, status=answer.status)
        order.account.refused_one(order.claim, answer)
        self._one_refusal_more(answer.describe())
        return order.result(
            State.FAILED,
            status=answer.status,
            rule="refused",
            reason=f"Shout refused it ({answer.describe()})",
        )

    def _gave_up(self, order: InFlight) -> Result:
        reason = f"{order.misses} tries ended without an answer or with an error of Shout's"
        self._one_refusal_more(reason)
        return order.result(State.FAILED, rule="no_answer", reason=f"{reason}; it is not in Shout")

    def _one_refusal_more(self, what: str) -> None:
        self._refusals += 1
        if self._refusals >= _REFUSALS_IN_A_ROW:
            self._halt(
                SafetyStop(
                    f"Shout refused {self._refusals} orders in a row, the last one with: {what}",
                    hint="mend what it complains of; 'backfill retry' sends the refused ones again",
                )
            )

    def _is_passing(self, answer: Answer | NoAnswer) -> bool:
        """Whether a redirect is but a hiccup: where orders were created, the address is right."""
        return isinstance(answer, Answer) and answer.status < 400 and self._created > 0

    def _run_refused(self, answer: Answer | NoAnswer) -> SafetyStop:
        if isinstance(answer, NoAnswer):
            return SafetyStop(
                f"Shout cannot be reached: {answer}",
                hint="check --api-url and the certificate, then run the same command again",
            )
        if answer.status < 400:
            where = answer.headers.get("Location", "nowhere")
            return SafetyStop(
                f"Shout answers with a redirect to {where} (HTTP {answer.status}); not followed",
                hint="check --api-url, then run the same command again",
            )
        return credentials_refused(answer)


def _plainly_as_meant(claim: Claim, shown: ShownOrder) -> bool:
    """Whether an answer shows the flag, the total and the key; all but a few do."""
    return (
        shown.get(FLAG) is True
        and shown.get("total_cents") == claim.total_cents
        and shown.get("reference_id", claim.reference_id) == claim.reference_id
    )


def _answer_differs(order: InFlight, wrong: str) -> SafetyStop:
    return SafetyStop(
        f"Shout's answer to order {order.claim.reference_id} is not what was sent: {wrong}",
        hint="nothing else was sent; look at this order in Shout, and ask Shout, before going on",
    )


def _cannot_look_up(order: InFlight, why: str) -> SafetyStop:
    return SafetyStop(
        f"order {order.claim.reference_id} was created, but looking it up fails: {why}",
        hint="without true lookups nothing in doubt can be settled: ask Shout, then run again",
    )
