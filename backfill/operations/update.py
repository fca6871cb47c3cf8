"""Orders in Shout whose export changed after they were sent: lists them, and updates them there.

What this job created, and what is still valid in the same account, is updated by ``PUT``. Orders
that are gone from their export are listed and never deleted. A ``PUT`` of the same body twice is
as good as once, so a crash or a lost answer costs another ``PUT`` and nothing else. What is in
Shout is looked up first, so that only an order that this job created is changed, and afterwards
it has to be what the export says.

Owns the table ``changes``.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from backfill.checkpoint import Checkpoint, books
from backfill.confirmation import Confirm, Plan, require_for_shout
from backfill.deliver.api import Answer
from backfill.deliver.compare import ShownOrder, differences, in_words, sent_order
from backfill.deliver.gate import FLAG
from backfill.deliver.lookup import Unanswered
from backfill.deliver.loop import run_errand
from backfill.deliver.outcome import Outcome
from backfill.deliver.pace import Stopped
from backfill.deliver.shout import MOST_UNANSWERED, PROVE_WITHIN, Shout, described, run_refused
from backfill.deliver.shown import shout_id, shown_order
from backfill.errors import SafetyStop
from backfill.operations import sent
from backfill.operations.changed import CHANGES, changed_fields, list_changed
from backfill.operations.sent import LeftAlone, SentOrder, while_lagging
from backfill.progress import Progress
from backfill.settings import ApiSettings, RunSettings

#: Changes that can be sent: of an order that we created, in the same account, still valid.
_UPDATABLE = (
    "orders.state = 'created' AND changes.state = 'pending' AND orders.payload IS NOT NULL"
    " AND changes.account_header IS orders.account_header"
    " AND changes.account_id IS orders.account_id"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdatePlan(Plan):
    """The orders that are about to be updated in Shout."""

    if_declined: ClassVar[str] = "nothing was changed"
    orders: int
    fields: Mapping[str, int]
    """in how many of them each field changes; the most frequent first"""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateResult:
    """What an update did."""

    selected: int
    """orders that were to be updated"""
    updated: int
    not_updated: Sequence[LeftAlone]
    """orders that were looked at, and left"""
    not_updatable: int
    """changed orders that this job did not create, are no longer valid, or changed account"""

    @property
    def left(self) -> int:
        """Changed orders that are not updated."""
        return self.selected - self.updated + self.not_updatable


def update(
    checkpoint: Checkpoint,
    folder: Path,
    api: ApiSettings,
    run: RunSettings,
    progress: Progress,
    confirm: Confirm | None,
) -> UpdateResult:
    """Update in Shout what changed in the export after it was sent.

    :raises UsageError: a confirmation is needed, and nobody can be asked.
    :raises SafetyStop, Interrupted: it was not confirmed, or stopped; resumable.
    """
    selected, _ = _count(checkpoint)
    errand = None
    if selected:
        require_for_shout(api, confirm, lambda host: _plan(checkpoint, host, selected), yes=run.yes)
        try:
            errand = run_errand(lambda shout: Update(shout, selected), checkpoint, api, progress)
        finally:
            list_changed(checkpoint, folder)
    left, not_updatable = _count(checkpoint)
    return UpdateResult(
        selected=selected,
        updated=selected - left,
        not_updated=errand.left if errand else (),
        not_updatable=not_updatable,
    )


def _plan(checkpoint: Checkpoint, host: str, orders: int) -> UpdatePlan:
    fields: Counter[str] = Counter()
    bodies = f"SELECT orders.payload, changes.payload {CHANGES} WHERE {_UPDATABLE}"
    for before, after in checkpoint.query(bodies):
        fields.update(changed_fields(before, after))
    return UpdatePlan(confirm_with=host, orders=orders, fields=dict(fields.most_common()))


def _count(checkpoint: Checkpoint) -> tuple[int, int]:
    """How many changed orders can be updated, and how many cannot."""
    updatable, all_ = checkpoint.query(
        f"SELECT coalesce(sum({_UPDATABLE}), 0), count(*) {CHANGES}"
    ).fetchone()
    return updatable, all_ - updatable


# --- on the wire -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Change:
    """An order of ours that is in Shout, and the body that its export makes of it now."""

    order: SentOrder
    payload: bytes


class _Left(Exception):
    """Why an order is left as it is."""


class Update:
    """The errand: a lookup, a ``PUT``, and a look at the answer."""

    name = "updating"
    unit = "orders"

    def __init__(self, shout: Shout, total: int) -> None:
        """:param total: how many orders can be updated."""
        self._shout = shout
        self._claimed_up_to = 0
        self._proven = False
        self._updated = 0
        self.total = total
        self.finished = 0
        self.left: list[LeftAlone] = []

    @property
    def alone(self) -> bool:
        """One at a time until an update was seen to have worked."""
        return not self._proven and self.finished < PROVE_WITHIN

    def advance(
        self, db: sqlite3.Connection, done: Sequence[int | None], room: int
    ) -> Sequence[Change]:
        """Record which orders (by id) were updated, and take up the next changes."""
        self.finished += len(done)
        if ids := [one for one in done if one is not None]:
            _record(db, ids)
            self._updated += len(ids)
        changes = _next_changes(db, after=self._claimed_up_to, most=room) if room else []
        if changes:
            self._claimed_up_to = changes[-1].order.claim.id
        return changes

    async def see_through(self, item: Change) -> int | None:
        """Update one order; returns its id, or None where it was left."""
        try:
            return await self._update(item)
        except Stopped:
            pass
        except _Left as left:
            self._leave(item, str(left))
        except Unanswered as none:
            self._leave(item, f"it could not be looked up ({none})")
        return None

    async def _update(self, item: Change) -> int | None:
        """:raises _Left: it is left as it is."""
        shout, claim = self._shout, item.order.claim
        body = put_body(claim.payload, item.payload)
        unanswered, last = 0, ""
        while unanswered < MOST_UNANSWERED:
            shown = await shout.settler.find(claim)
            if shown is None:
                raise _Left("it is no longer in Shout")
            ours, found = item.order.shout_order_id, shout_id(shown)
            if None not in (ours, found) and ours != found:
                raise _Left(f"it is now another order (id {found}, not {ours})")
            outcome, answer, after = await shout.wire.change(
                lambda api: api.update(
                    claim.account_header, claim.account_id, claim.reference_id, body
                ),
                lambda answer: shown_order(answer, claim),
            )
            if after is not None:
                shout.accepted()
                return await self._checked(item, after)
            if outcome is Outcome.RUN_REFUSED:
                shout.halt(run_refused(answer))
                return None
            if outcome is Outcome.REFUSED:
                shout.refused(described(answer))
                raise _Left(f"Shout refused to change it ({described(answer)})")
            last = described(answer)
            if isinstance(answer, Answer) and answer.status < 300:
                wrong = await while_lagging(shout, lambda: self._look_again(item))
                if not wrong:
                    return claim.id
                if not self._proven:
                    raise _not_as_sent(item, f"{wrong} (the answer was {last})")
            unanswered += outcome is not Outcome.NOT_SENT
            await shout.pace.may_retry()
        raise _Left(f"no answer shows that it was updated (the last one: {last})")

    async def _checked(self, item: Change, shown: ShownOrder) -> int:
        """See that Shout has what was sent.

        :param shown: what the answer to the update shows.
        :raises SafetyStop: it has something else.
        """
        claim = item.order.claim
        wrong = _wrong(item, shown)
        if not wrong and (not self._proven or FLAG not in shown):
            wrong = await while_lagging(self._shout, lambda: self._look_again(item))
        if wrong:
            raise _not_as_sent(item, wrong)
        self._proven = True
        return claim.id

    async def _look_again(self, item: Change) -> str:
        """What a lookup says otherwise."""
        shown = await self._shout.settler.find(item.order.claim)
        return "it is not there" if shown is None else _wrong(item, shown)

    def _leave(self, item: Change, why: str) -> None:
        self.left.append(LeftAlone(item.order.claim.reference_id, why))

    def counts(self) -> dict[str, int]:
        """Orders that were updated, and orders that were left."""
        return {"updated": self._updated, "left": len(self.left)}


def _not_as_sent(item: Change, wrong: str) -> SafetyStop:
    return SafetyStop(
        f"order {item.order.claim.reference_id} was updated, but is not as it was sent: {wrong}",
        hint="check this order in Shout, and contact Shout before you continue",
    )


def _wrong(item: Change, shown: ShownOrder) -> str:
    return in_words(differences(sent_order(item.payload), shown))


def put_body(before: bytes, after: bytes) -> bytes:
    """The body of the ``PUT``: what the export says now, and null for what it no longer says.

    Whether Shout takes a missing field as "leave it" or "clear it" is not documented.
    """
    old, new = sent_order(before), sent_order(after)
    order = {**{field: None for field in old if field not in new}, **new}
    return json.dumps({"order": order}, ensure_ascii=False, separators=(",", ":")).encode()


def _next_changes(db: sqlite3.Connection, *, after: int, most: int) -> list[Change]:
    """Changes that can be sent, of orders with an id above ``after``."""
    rows = db.execute(
        f"SELECT CAST(changes.payload AS BLOB), {sent.COLUMNS} {CHANGES}"
        f" WHERE {_UPDATABLE} AND orders.id > ? ORDER BY orders.id LIMIT ?",
        (after, most),
    )
    return [Change(sent.from_row(row[1:]), row[0]) for row in rows]


def _record(db: sqlite3.Connection, ids: Sequence[int]) -> None:
    """Shout has what the export says: from now on, that is what was sent."""
    taken = "total_cents line_items ordered_on source_file source_rows payload_sha256 payload"
    sets = ", ".join(f"{column} = changes.{column}" for column in taken.split())
    places = ", ".join("?" * len(ids))
    books.before_update(db, ids)
    db.execute(
        f"UPDATE orders SET {sets}, rule = NULL, reason = 'updated after its export changed'"
        f" FROM changes WHERE changes.order_id = orders.id AND orders.id IN ({places})",
        ids,
    )
    db.execute(f"DELETE FROM changes WHERE order_id IN ({places})", ids)
    db.execute(f"DELETE FROM verified WHERE order_id IN ({places})", ids)
