"""Puts right, by PUT, orders of ours whose export says something else by now.

A PUT of the same body twice is as good as once, so a crash or a lost answer costs nothing but
another PUT. What stands in Shout is looked up first, so that only the order that this job created
is changed, and afterwards it has to read as the export does.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence

from backfill.checkpoint import Checkpoint
from backfill.checkpoint.afterwards import Change, put_right, updatable
from backfill.deliver.api import Answer
from backfill.deliver.compare import differences, meant, order_in, shout_id
from backfill.deliver.gate import FLAG
from backfill.deliver.outcome import Outcome
from backfill.deliver.pace import Stopped
from backfill.deliver.settle import Unanswered
from backfill.deliver.walk import Shout, described
from backfill.errors import SafetyStop

_MOST_MISSES = 8
_PROVE_WITHIN = 20


class Update:
    """The errand: a lookup, a PUT, and a look at the answer."""

    name = "putting right"
    unit = "orders"

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._checkpoint = checkpoint
        self._last = 0
        self._proven = False
        self._seen: Counter[str] = Counter()
        self.left: list[tuple[str, str]] = []
        """Keys of the orders that were left as they are, with the reason."""

    @property
    def alone(self) -> bool:
        """One at a time until an update was seen to have worked."""
        return not self._proven and self._seen.total() < _PROVE_WITHIN

    def advance(self, done: Sequence[int], room: int) -> Sequence[Change]:
        """Note what was put right, and give the next changes."""
        if done:
            put_right(self._checkpoint, done)
        items = updatable(self._checkpoint, after=self._last, most=room) if room else []
        if items:
            self._last = items[-1].sent.claim.id
        return items

    async def see_through(self, item: Change, shout: Shout) -> int | None:
        """Put one order right; its id, or None where it was left."""
        try:
            return await self._see_through(item, shout)
        except Stopped:
            return None
        except Unanswered as none:
            self._leave(item, f"it could not be looked up ({none})")
            return None

    async def _see_through(self, item: Change, shout: Shout) -> int | None:
        claim, body = item.sent.claim, put_body(item.sent.claim.payload, item.payload)
        misses = 0
        while misses < _MOST_MISSES:
            shown = await shout.settler.find(shout.order(claim))
            if shown is None:
                self._leave(item, "it is not in Shout any more")
                return None
            ours, found = item.sent.shout_order_id, shout_id(shown)
            if None not in (ours, found) and ours != found:
                self._leave(item, f"it is another order by now (id {found}, not {ours})")
                return None
            outcome, answer = await shout.wire.change(
                lambda api: api.update(
                    claim.account_header, claim.account_id, claim.reference_id, body
                )
            )
            if outcome is Outcome.RUN_REFUSED:
                shout.run_refused(answer)
                return None
            if outcome is Outcome.REFUSED:
                shout.refused(answer)
                self._leave(item, f"Shout would not change it ({described(answer)})")
                return None
            if outcome is Outcome.CREATED and isinstance(answer, Answer):
                shout.accepted()
                return await self._checked(item, answer, shout)
            misses += outcome is not Outcome.NOT_SENT
            await shout.pace.may_retry()
        self._leave(item, "no request to update it was answered")
        return None

    async def _checked(self, item: Change, answer: Answer, shout: Shout) -> int | None:
        """See that Shout has what was sent.

        :raises SafetyStop: it has something else.
        """
        shown = order_in(answer.body)
        if not self._proven or shown is None or FLAG not in shown:
            shown = await shout.settler.find(shout.order(item.sent.claim))
        wrong = differences(meant(item.payload), shown) if shown else ["it is not there"]
        if wrong:
            raise SafetyStop(
                f"order {item.sent.claim.reference_id} was updated, and is not what was sent:"
                f" {'; '.join(wrong)}",
                hint="look at this order in Shout, and ask Shout, before going on",
            )
        self._proven = True
        self._seen["put_right"] += 1
        return item.sent.claim.id

    def _leave(self, item: Change, why: str) -> None:
        self._seen["left"] += 1
        self.left.append((item.sent.claim.reference_id, why))

    def counts(self) -> dict[str, int]:
        """How many orders were put right, and how many left."""
        return dict(self._seen)


def put_body(sent: bytes, wanted: bytes) -> bytes:
    """The body of the PUT: what the export says by now, and null for what it no longer says.

    Whether Shout takes a missing field for "leave it" or "clear it" is not documented.
    """
    before, now = meant(sent), meant(wanted)
    order = {**{field: None for field in before if field not in now}, **now}
    return json.dumps({"order": order}, ensure_ascii=False, separators=(",", ":")).encode()
