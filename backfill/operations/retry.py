"""Puts orders back to ``pending``: those refused or skipped, and those that were undone."""

from __future__ import annotations

from collections.abc import Collection

from backfill.checkpoint import Checkpoint, now
from backfill.errors import UsageError
from backfill.settings import SendOptions

#: Orders that an undo deleted and that a run creates again: all but those gone from their export.
UNDONE = "state = 'undone' AND payload IS NOT NULL AND id NOT IN (SELECT order_id FROM gone)"


class RetryOptions(SendOptions, total=False):
    """The options of :meth:`backfill.Job.retry`."""

    rule: str | None
    """only orders with this rule"""
    account: str | None
    """only orders of this account"""
    reason: str | None
    """only orders whose reason contains this text, in upper or lower case"""
    not_in_shout: Collection[str]
    """only these orders in doubt (reference ids), which a person has not found in Shout"""


def put_back(checkpoint: Checkpoint, options: RetryOptions) -> int:
    """Put failed and skipped orders back to ``pending``, or those named as not in Shout.

    Orders that are gone from their export stay as they are.

    ``attempts`` stays: an order that was sent before is looked up before it is sent again.

    :returns: how many orders were put back.
    :raises UsageError: an order that is named is not in doubt.
    """
    if named := options.get("not_in_shout"):
        return _put_back_in_doubt(checkpoint, named)
    with checkpoint.writing() as db:
        return db.execute(
            "UPDATE orders SET state = 'pending', updated_at = :now"
            " WHERE state IN ('failed', 'skipped')"
            " AND payload IS NOT NULL AND account_id IS NOT NULL"
            " AND id NOT IN (SELECT order_id FROM gone)"
            " AND (:rule IS NULL OR rule = :rule)"
            " AND (:account IS NULL OR account_id = :account)"
            " AND (:reason IS NULL OR instr(lower(reason), lower(:reason)) > 0)",
            {
                "now": now(),
                "rule": options.get("rule"),
                "account": options.get("account"),
                "reason": options.get("reason"),
            },
        ).rowcount


def _put_back_in_doubt(checkpoint: Checkpoint, reference_ids: Collection[str]) -> int:
    """Put orders in doubt back to ``pending``, as somebody has seen that they are not in Shout.

    Nothing of their first sending counts any more.

    :raises UsageError: one of them is not in doubt.
    """
    with checkpoint.writing() as db:
        for reference_id in reference_ids:
            changed = db.execute(
                "UPDATE orders SET state = 'pending', attempts = 0, rule = NULL, reason = NULL,"
                " updated_at = ? WHERE reference_id = ? AND state = 'sending'"
                " AND rule IS NOT 'undoing'",
                (now(), reference_id),
            ).rowcount
            if not changed:
                raise UsageError(
                    f"--not-in-shout: order {reference_id} is not in doubt",
                    hint="'backfill show JOB --state sending' lists the orders that are",
                )
    return len(reference_ids)


def count_undone(checkpoint: Checkpoint) -> int:
    """How many orders :func:`put_back_undone` would put back."""
    which = f"{UNDONE}{checkpoint.chosen}"
    return int(checkpoint.query(f"SELECT count(*) FROM orders WHERE {which}").fetchone()[0])


def put_back_undone(checkpoint: Checkpoint) -> int:
    """Put orders that were undone back to ``pending``; returns how many.

    They are certainly not in Shout, so nothing of their first sending counts any more. If one is
    found there later, somebody else created it.
    """
    with checkpoint.writing() as db:
        return db.execute(
            "UPDATE orders SET state = 'pending', attempts = 0, http_status = NULL,"
            " shout_order_id = NULL, rule = NULL, reason = NULL, updated_at = ?"
            f" WHERE {UNDONE}{checkpoint.chosen}",
            (now(),),
        ).rowcount
