"""``changed.csv``: orders in Shout that changed in their export, or that it no longer has."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from backfill.checkpoint import Checkpoint
from backfill.job_folder.files import CHANGED
from backfill.operations.lists import write_list

COLUMNS = ("reference_id", "account_id", "state", "shout_order_id", "change", "fields")
"""of ``changed.csv``"""


CHANGES = "FROM changes JOIN orders ON orders.id = changes.order_id"


def list_changed(checkpoint: Checkpoint, folder: Path) -> None:
    """Write ``changed.csv``, or remove it where there is nothing to list."""
    write_list(folder / CHANGED, COLUMNS, [*_changed(checkpoint), *_gone(checkpoint)])


def _changed(checkpoint: Checkpoint) -> Iterator[tuple[object, ...]]:
    for key, account, state, shout_id_, before, after, new_state, moved in checkpoint.query(
        "SELECT reference_id, orders.account_id, orders.state, shout_order_id, orders.payload,"
        " changes.payload, changes.state, changes.account_id IS NOT orders.account_id"
        f" OR changes.account_header IS NOT orders.account_header {CHANGES} ORDER BY orders.id"
    ):
        fields = changed_fields(before, after) if before and after else [f"now {new_state}"]
        fields += ["account"] if moved else []
        yield key, account, state, shout_id_, "changed", ", ".join(fields)


def _gone(checkpoint: Checkpoint) -> Iterator[tuple[object, ...]]:
    rows = checkpoint.query(
        "SELECT * FROM (SELECT reference_id, account_id, state, shout_order_id, 'gone', ''"
        " FROM gone JOIN orders ON orders.id = order_id ORDER BY orders.id)"
        " UNION ALL SELECT reference_id, account_id, state, NULL, 'gone', 'removed from the job'"
        " FROM removed"
    )
    return (tuple(row) for row in rows)


def changed_fields(before: str, after: str) -> list[str]:
    """The fields that differ between two bodies."""
    old, new = json.loads(before)["order"], json.loads(after)["order"]
    return [field for field in {**old, **new} if old.get(field) != new.get(field)]
