"""Deletes what this job created, and nothing else.

Each order is looked up first: only an order that is the one we created (by Shout's own id, or by
its content where the id was never learned) is deleted. So an order that somebody else has put
there under the same key stays. *Not there* means that it is gone already, which makes an undo
safe to repeat. A request to delete whose outcome is not known is settled by another lookup.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from backfill.checkpoint import Checkpoint, State
from backfill.checkpoint.afterwards import Sent, TakenBack, advance_undo
from backfill.deliver.api import Answer
from backfill.deliver.compare import Order as ShownOrder
from backfill.deliver.compare import shout_id
from backfill.deliver.outcome import Outcome
from backfill.deliver.pace import Stopped
from backfill.deliver.settle import NOT_THERE, Unanswered
from backfill.deliver.verify import compared
from backfill.deliver.walk import Shout, described
from backfill.errors import SafetyStop

_MOST_MISSES = 8
_PROVE_WITHIN = 20
"""If none of the first so many orders could be deleted, the rest are looked at together."""


class Undo:
    """The errand: a lookup and a deletion an order."""

    name = "taking back"
    unit = "orders"

    def __init__(self, checkpoint: Checkpoint, ids: Sequence[int]) -> None:
        """:param ids: the orders to take back, in this order."""
        self._checkpoint = checkpoint
        self._ids = ids
        self._taken = 0
        self._proven = False
        self.done: Counter[State] = Counter()
        """Orders by the state that they came to."""
        self.found_gone = 0
        """Orders that were not there any more."""
        self.stay: list[tuple[str, str]] = []
        """Keys of the orders that stay in Shout, with the reason."""

    @property
    def alone(self) -> bool:
        """One at a time until a deletion was seen to have worked."""
        return not self._proven and self.done.total() < _PROVE_WITHIN

    def advance(self, done: Sequence[TakenBack], room: int) -> Sequence[Sent]:
        """Write down what was done, and begin with the next orders."""
        ids = self._ids[self._taken : self._taken + room]
        self._taken += len(ids)
        self.done.update(one.state for one in done)
        return advance_undo(self._checkpoint, done, ids) if done or ids else []

    async def see_through(self, item: Sent, shout: Shout) -> TakenBack:
        """Take one order back."""
        order, claim = item.claim.id, item.claim
        # Where a request to delete is in doubt it must have had its effect, if any, before this
        # order counts as undone: else it might reach the same order when it is created anew.
        wait = shout.settle if item.undoing else 0.0
        state = State.SENDING if item.undoing else State.CREATED
        misses = 0
        try:
            while misses < _MOST_MISSES:
                shown = await shout.settler.find(shout.order(claim))
                if shown is None:
                    self.found_gone += state is State.CREATED
                    await _passed(wait, shout)
                    return TakenBack(order, State.UNDONE)
                if why := _not_ours(item, shown):
                    return self._stays(item, why)
                outcome, answer = await shout.wire.change(
                    lambda api: api.delete(
                        claim.account_header, claim.account_id, claim.reference_id
                    )
                )
                if outcome is Outcome.RUN_REFUSED:
                    shout.run_refused(answer)
                    return TakenBack(order, state)
                gone = isinstance(answer, Answer) and answer.status in NOT_THERE
                if outcome is Outcome.CREATED or gone:
                    state = State.SENDING
                    shout.accepted()
                    await self._prove(item, shout)
                    await _passed(wait, shout)
                    return TakenBack(order, State.UNDONE)
                if outcome is Outcome.REFUSED:
                    shout.refused(answer)
                    return self._stays(item, f"Shout would not delete it ({described(answer)})")
                if outcome is Outcome.IN_DOUBT:
                    state, wait = State.SENDING, shout.settle
                    misses += 1
                await shout.pace.may_retry()
            return self._stays(item, "no request to delete it was answered", state)
        except Stopped:
            return TakenBack(order, state)
        except Unanswered as none:
            return self._stays(item, f"it could not be looked up ({none})", state)

    def _stays(self, item: Sent, why: str, state: State = State.CREATED) -> TakenBack:
        self.stay.append((item.claim.reference_id, why))
        return TakenBack(item.claim.id, state, why)

    async def _prove(self, item: Sent, shout: Shout) -> None:
        """See that a deletion worked, once.

        :raises SafetyStop: it did not.
        """
        if self._proven:
            return
        if await shout.settler.find(shout.order(item.claim)) is not None:
            raise SafetyStop(
                f"Shout says that order {item.claim.reference_id} is deleted, but still shows it",
                hint="ask Shout; then run the same command again",
            )
        self._proven = True

    def counts(self) -> dict[str, int]:
        """How many orders came to which state."""
        return {state.value: n for state, n in self.done.items()}


async def _passed(seconds: float, shout: Shout) -> None:
    if seconds:
        await shout.pace.sleep(seconds)


def _not_ours(item: Sent, shown: ShownOrder) -> str | None:
    """Why an order that was found is not the one that this job created; None where it is."""
    ours, found = item.shout_order_id, shout_id(shown)
    if ours is not None and found is not None:
        return None if ours == found else f"it is another order by now (id {found}, not {ours})"
    wrong = compared(item, shown)
    return f"it is not the order that was sent: {'; '.join(wrong)}" if wrong else None
