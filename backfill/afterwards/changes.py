"""Orders in Shout whose export says something else by now, and orders that it no longer has.

Both are listed, and nothing is ever deleted for being gone. What this job created and is still
valid in the same account can be put right.
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from backfill import steps
from backfill.checkpoint import Checkpoint
from backfill.checkpoint.afterwards import UPDATABLE, count_changes
from backfill.progress import Progress
from backfill.settings import ApiSettings, RunSettings
from backfill.steps import Tell

#: The list of both kinds, in the job folder.
LISTED = "changed.csv"
COLUMNS = ("reference_id", "account_id", "state", "shout_order_id", "change", "fields")
_SHOWN = 5


def write_list(checkpoint: Checkpoint, folder: Path) -> Path | None:
    """Write ``changed.csv``, or remove it where nothing is to be listed."""
    path = folder / LISTED
    rows = [*_changed(checkpoint), *_gone(checkpoint)]
    if not rows:
        path.unlink(missing_ok=True)
        return None
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(rows)
    return path


def update(
    checkpoint: Checkpoint, api: ApiSettings, run: RunSettings, progress: Progress, tell: Tell
) -> int:
    """Put right, after a confirmation, what can be; returns how many orders were left."""
    count, others = count_changes(checkpoint)
    if others:
        progress.say(
            f"{others:,} changed orders are not ours to put right, no longer valid, or belong to"
            f" another account by now: {LISTED} has them."
        )
    if not count:
        return others
    steps.ask(
        api, run, _before(checkpoint, steps.host_of(api), count), otherwise="nothing was changed"
    )
    from backfill.deliver.update import Update
    from backfill.deliver.walk import walk

    errand = Update(checkpoint)
    try:
        walk(errand, api, total=count, progress=progress)
    finally:
        write_list(checkpoint, run.job)
    left, others = count_changes(checkpoint)
    tell(f"Put right {count - left:,} of {count:,} orders that had changed since they were sent.")
    for key, why in errand.left[:_SHOWN]:
        tell(f"  left as it is: {key}: {why}"[:160])
    return left + others


def gone(checkpoint: Checkpoint, most: int) -> list[str]:
    """Keys of orders that the export no longer has."""
    return [
        row[0]
        for row in checkpoint.query(
            "SELECT coalesce(reference_id, '') FROM gone JOIN orders ON orders.id = order_id"
            " ORDER BY orders.id LIMIT ?",
            (most,),
        )
    ]


def _before(checkpoint: Checkpoint, host: str, count: int) -> list[str]:
    fields: Counter[str] = Counter()
    for row in checkpoint.query(
        f"SELECT orders.payload, changes.payload {_JOINED} WHERE {UPDATABLE}"
    ):
        fields.update(_fields(row[0], row[1]))
    return [
        "",
        f"{count:,} orders that this job created in Shout at {host} read differently in the",
        "export by now. They will be changed there to what the export says:",
        *(f"  {field:<28} in {n:,} orders" for field, n in fields.most_common()),
        "No customer gets a text message: every body says dont_trigger_auto_actions.",
    ]


_JOINED = "FROM changes JOIN orders ON orders.id = changes.order_id"


def _changed(checkpoint: Checkpoint) -> Iterator[tuple[object, ...]]:
    for key, account, state, shout_id, old, new, new_state, moved in checkpoint.query(
        "SELECT reference_id, orders.account_id, orders.state, shout_order_id, orders.payload,"
        " changes.payload, changes.state, changes.account_id IS NOT orders.account_id"
        f" OR changes.account_header IS NOT orders.account_header {_JOINED} ORDER BY orders.id"
    ):
        fields = _fields(old, new) if old and new else [f"now {new_state}"]
        fields += ["account"] if moved else []
        yield key, account, state, shout_id, "changed", ", ".join(fields)


def _gone(checkpoint: Checkpoint) -> Iterator[tuple[object, ...]]:
    rows = checkpoint.query(
        "SELECT reference_id, account_id, state, shout_order_id, 'gone', ''"
        " FROM gone JOIN orders ON orders.id = order_id ORDER BY orders.id"
    )
    return (tuple(row) for row in rows)


def _fields(old: str, new: str) -> list[str]:
    """Which fields of two bodies differ."""
    before, now = json.loads(old)["order"], json.loads(new)["order"]
    return [field for field in {**before, **now} if before.get(field) != now.get(field)]
