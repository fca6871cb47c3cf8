"""How a finished import becomes the job's: whole, and without touching what was sent.

By reference id, an incoming order is

- **new**: the job has no such order; it is added;
- **unchanged**: the same body for the same account, or an order that is on its way already;
- **replaced**: it was not sent yet (``REPLACEABLE``), and now reads differently;
- **changed after it was sent**: listed in ``changes``; what Shout has stays as it is.

An order that was undone takes the new body and stays undone: sending it again is a decision of
its own. Orders of an export that the newer copy of the same file no longer has are **gone**: they
are listed in ``gone`` and left as they are.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from backfill.checkpoint import books
from backfill.checkpoint.connection import storage_errors
from backfill.checkpoint.places import addresses
from backfill.checkpoint.schema import (
    CHANGE_COLUMNS,
    FILE_NAME,
    INCOMING_NAME,
    ORDER_COLUMNS,
    PROBLEM_COLUMNS,
    REPLACEABLE,
    Adopted,
)
from backfill.checkpoint.store import Checkpoint

_REPLACEABLE = ", ".join(f"'{state}'" for state in REPLACEABLE)
_NOT_GONE = "'failed', 'skipped', 'rejected'"

# Each incoming order beside the job's order of the same key (or, without a key, of the same rows).
# An order that was mended comes from another file than the one it was rejected from; reading the
# old file again must not undo that, hence from_elsewhere.
_MATCH = """
CREATE TEMP TABLE matched AS
SELECT new.id AS new_id, old.id AS id, old.state AS old_state, new.state AS new_state,
       old.payload_sha256 IS new.payload_sha256 AND old.account_id IS new.account_id
           AND old.account_header IS new.account_header AND old.state = new.state
           AND old.reason IS new.reason AS same,
       old.payload_sha256 IS new.payload_sha256 AND old.account_id IS new.account_id
           AND old.account_header IS new.account_header AS same_body,
       (SELECT path FROM main.sources WHERE source = old.source_file)
           IS NOT (SELECT path FROM incoming.sources WHERE source = new.source_file)
           AS from_elsewhere
FROM incoming.orders AS new
JOIN main.orders AS old ON old.reference_id = new.reference_id
UNION ALL
SELECT new.id, old.id, old.state, new.state,
       old.reason IS new.reason, 1, 0
FROM incoming.orders AS new
JOIN main.orders AS old ON new.reference_id IS NULL AND old.reference_id IS NULL
     AND old.source_file = new.source_file AND old.source_rows = new.source_rows
"""

_VERDICT = f"""
CREATE TEMP TABLE judged AS
SELECT new_id, id, CASE
    WHEN old_state IN ('created', 'existing') AND NOT same_body
         AND NOT (new_state = 'rejected' AND from_elsewhere) THEN 'changed'
    WHEN old_state NOT IN ({_REPLACEABLE}) OR same THEN 'unchanged'
    WHEN old_state = 'undone' AND new_state = 'pending' AND same_body THEN 'unchanged'
    WHEN new_state = 'rejected' AND old_state <> 'rejected' AND from_elsewhere THEN 'unchanged'
    WHEN old_state IN ('failed', 'skipped') AND same_body AND NOT from_elsewhere THEN 'unchanged'
    ELSE 'replaced' END AS verdict
FROM matched
"""


def adopt(folder: Path) -> Adopted:
    """Make the finished import in ``folder`` the job's, in one step (rule 6).

    :raises StorageError: nothing was changed.
    """
    target, incoming = folder / FILE_NAME, folder / INCOMING_NAME
    if target.exists():
        with Checkpoint(target) as checkpoint:
            adopted = checkpoint.adopt_from(incoming, _merge)
        incoming.unlink()
        return adopted
    with Checkpoint(incoming, readonly=True) as fresh:
        count = sum(fresh.counts().values())
    os.replace(incoming, target)
    _flush_folder(folder)
    return Adopted(new=count)


def _merge(db: sqlite3.Connection) -> Adopted:
    """Merge the attached ``incoming`` into ``main``, inside the caller's transaction."""
    db.execute(_MATCH)
    db.execute("CREATE INDEX temp.matched_by_new_id ON matched (new_id)")
    db.execute(_VERDICT)
    db.execute("CREATE INDEX temp.judged_by_new_id ON judged (new_id)")
    books.before_merge(db)
    _drop_superseded(db)
    gone = _note_gone(db)
    new = _insert_new(db)
    _replace(db)
    _note_changes(db)
    _take_problems(db)
    _take_decisions(db)
    db.execute("INSERT OR IGNORE INTO main.sources SELECT * FROM incoming.sources")
    books.after_merge(db)
    db.execute(
        "INSERT OR REPLACE INTO main.meta SELECT * FROM incoming.meta WHERE key <> 'export_cents'"
    )
    verdicts = dict(db.execute("SELECT verdict, count(*) FROM judged GROUP BY verdict").fetchall())
    for table in ("matched", "judged", "placed"):
        db.execute(f"DROP TABLE temp.{table}")
    return Adopted(
        new=new,
        unchanged=verdicts.get("unchanged", 0),
        replaced=verdicts.get("replaced", 0),
        changed_after_sent=verdicts.get("changed", 0),
        gone=gone,
    )


def _drop_superseded(db: sqlite3.Connection) -> None:
    """Drop orders that were not sent and whose every row came back mended under another key."""
    mended = set(db.execute("SELECT source_file, row FROM incoming.mended").fetchall())
    if not mended:
        return
    mended = {tuple(row) for row in mended}
    left_over = db.execute(
        f"SELECT id, source_file, source_rows FROM main.orders WHERE state IN ({_NOT_GONE})"
        " AND id NOT IN (SELECT id FROM matched)"
    ).fetchall()
    labels = [row[0] for row in db.execute("SELECT source FROM main.sources")]
    for order, source_file, source_rows in left_over:
        rows = {
            (source, row)
            for source, numbers in addresses(source_file, source_rows, labels)
            for row in numbers
        }
        if rows <= mended:
            db.execute("DELETE FROM main.problems WHERE order_id = ?", (order,))
            db.execute("DELETE FROM main.orders WHERE id = ?", (order,))


def _note_gone(db: sqlite3.Connection) -> int:
    """List the orders whose file was read again and no longer has them; how many they are now."""
    read_again = (
        "SELECT old.id FROM main.orders AS old JOIN main.sources AS source"
        " ON source.source = old.source_file"
        " WHERE source.path IN (SELECT path FROM incoming.sources)"
    )
    db.execute(
        f"DELETE FROM main.gone WHERE order_id IN ({read_again})"
        " OR order_id IN (SELECT id FROM matched)"
    )
    return db.execute(
        f"INSERT INTO main.gone {read_again} AND old.id NOT IN (SELECT id FROM matched)"
    ).rowcount


def _insert_new(db: sqlite3.Connection) -> int:
    columns = ", ".join((*ORDER_COLUMNS, "updated_at"))
    db.execute(
        "CREATE TEMP TABLE placed AS SELECT new.id AS new_id, row_number() OVER (ORDER BY new.id)"
        " + (SELECT coalesce(max(id), 0) FROM main.orders) AS id"
        " FROM incoming.orders AS new WHERE new.id NOT IN (SELECT new_id FROM matched)"
    )
    cursor = db.execute(
        f"INSERT INTO main.orders (id, {columns}) SELECT placed.id, {columns}"
        " FROM placed JOIN incoming.orders AS new ON new.id = placed.new_id ORDER BY placed.id"
    )
    return cursor.rowcount


def _replace(db: sqlite3.Connection) -> None:
    columns = (*ORDER_COLUMNS, "updated_at")
    sets = ", ".join(f"{column} = new.{column}" for column in columns if column != "state")
    replaced = "SELECT id FROM judged WHERE verdict = 'replaced'"
    db.execute(f"DELETE FROM main.problems WHERE order_id IN ({replaced})")
    db.execute(
        "UPDATE main.orders SET state = CASE"
        " WHEN main.orders.state = 'undone' AND new.state = 'pending' THEN 'undone'"
        f" ELSE new.state END, {sets}, attempts = 0, http_status = NULL, shout_order_id = NULL"
        " FROM judged JOIN incoming.orders AS new ON new.id = judged.new_id"
        " WHERE judged.verdict = 'replaced' AND main.orders.id = judged.id"
    )
    db.execute("INSERT INTO placed SELECT new_id, id FROM judged WHERE verdict = 'replaced'")


def _note_changes(db: sqlite3.Connection) -> None:
    db.execute(
        "DELETE FROM main.changes WHERE order_id IN (SELECT id FROM judged WHERE id IS NOT NULL)"
    )
    columns = ", ".join(column for column in CHANGE_COLUMNS if column != "order_id")
    db.execute(
        f"INSERT INTO main.changes (order_id, {columns}) SELECT judged.id, {columns}"
        " FROM judged JOIN incoming.orders AS new ON new.id = judged.new_id"
        " WHERE judged.verdict = 'changed'"
    )


def _take_problems(db: sqlite3.Connection) -> None:
    """Take over what was found in the orders that were added or replaced."""
    columns = ", ".join(column for column in PROBLEM_COLUMNS if column != "order_id")
    db.execute(
        f"INSERT INTO main.problems (order_id, {columns}) SELECT placed.id, {columns}"
        " FROM incoming.problems AS problem JOIN placed ON placed.new_id = problem.order_id"
    )
    # Lines that stand for many orders or for none: once for each place.
    db.execute(
        "DELETE FROM main.problems WHERE order_id IS NULL AND (rule, source_file) IN"
        " (SELECT rule, source_file FROM incoming.problems WHERE order_id IS NULL)"
    )
    db.execute(
        f"INSERT INTO main.problems (order_id, {columns}) SELECT NULL, {columns}"
        " FROM incoming.problems WHERE order_id IS NULL"
    )


def _take_decisions(db: sqlite3.Connection) -> None:
    """Take over what was decided about the sources that were read now."""
    db.execute(
        "DELETE FROM main.decisions"
        " WHERE source IS NULL OR source IN (SELECT source FROM incoming.sources)"
    )
    columns = "what, source, column_name, value, settled_by, evidence, override"
    db.execute(
        f"INSERT INTO main.decisions ({columns}) SELECT {columns} FROM incoming.decisions"
        " ORDER BY id"
    )


def _flush_folder(folder: Path) -> None:
    """Make a rename last through a power loss, where the system lets a folder be flushed."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    with storage_errors(folder):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
