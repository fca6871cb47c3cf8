"""Reads created orders back from Shout and compares each with what was sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from backfill.checkpoint import Checkpoint
from backfill.checkpoint.afterwards import Checked, Sent, Verdict, note_checked, sent_orders
from backfill.deliver.compare import Order as ShownOrder
from backfill.deliver.compare import differences, meant, time_differences, total_cents
from backfill.deliver.gate import FLAG
from backfill.deliver.pace import Stopped
from backfill.deliver.settle import Unanswered
from backfill.deliver.walk import Shout

_AT_ONCE = 500
"""What was found goes to disk so many at a time: a crash costs no more than looking again."""
_OTHER_TIMES = ("invoiced_at", "paid_at", "shipped_at", "refunded_at")


class Verify:
    """The errand: one lookup an order, under the account that it was created in."""

    name = "reading back"
    unit = "orders"
    alone = False

    def __init__(self, checkpoint: Checkpoint, ids: Sequence[int]) -> None:
        """:param ids: the orders to read back, in this order."""
        self._checkpoint = checkpoint
        self._ids = ids
        self._taken = 0
        self._unwritten: list[Checked] = []
        self._found: Counter[Verdict] = Counter()

    def advance(self, done: Sequence[Checked], room: int) -> Sequence[Sent]:
        """Write down what was found, now and then, and give the next orders."""
        self._unwritten += done
        self._found.update(one.verdict for one in done)
        if self._unwritten and (len(self._unwritten) >= _AT_ONCE or not room):
            note_checked(self._checkpoint, self._unwritten)
            self._unwritten = []
        ids = self._ids[self._taken : self._taken + room]
        self._taken += len(ids)
        return sent_orders(self._checkpoint, ids) if ids else []

    async def see_through(self, item: Sent, shout: Shout) -> Checked | None:
        """Look one order up and compare."""
        order = item.claim.id
        try:
            shown = await shout.settler.find(shout.order(item.claim))
        except Stopped:
            return None
        except Unanswered as none:
            return Checked(order, Verdict.UNANSWERED, what=str(none))
        if shown is None:
            return Checked(order, Verdict.MISSING)
        wrong = compared(item, shown)
        cents = total_cents(shown)
        if wrong:
            fields = ", ".join(dict.fromkeys(map(field_of, wrong)))
            return Checked(order, Verdict.DIFFERENT, cents, fields, "; ".join(wrong))
        unseen = None if FLAG in shown else f"{FLAG} is not shown"
        return Checked(order, Verdict.EQUAL, cents, what=unseen)

    def counts(self) -> dict[str, int]:
        """How many orders were found how."""
        return {verdict.value: n for verdict, n in self._found.items()}


def compared(sent: Sent, shown: ShownOrder) -> list[str]:
    """What Shout shows otherwise than it was sent, one line each.

    Where a purge has taken the body, what the checkpoint still knows is compared: key, total, day,
    how many line items, and the flag, which every body has.
    """
    if sent.claim.payload:
        wanted = meant(sent.claim.payload)
        return differences(wanted, shown) + time_differences(wanted, shown, _OTHER_TIMES)
    found = differences(
        {
            "reference_id": sent.claim.reference_id,
            "total_cents": sent.claim.total_cents,
            "created_at": sent.ordered_on,
        },
        shown,
    )
    lines = shown.get("line_items")
    if isinstance(lines, list) and len(lines) != sent.line_items:
        found.append(f"{len(lines)} line items, not {sent.line_items}")
    return found


def field_of(difference: str) -> str:
    """Which field a line of :func:`compared` speaks of."""
    first = difference.partition(" is ")[0]
    return first if first.isidentifier() else "line_items"
