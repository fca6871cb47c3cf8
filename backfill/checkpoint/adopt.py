"""Makes a finished import part of the job, as a whole and without touching what was sent.

By reference id, an incoming order is

- **new**: the job has no such order; it is added;
- **unchanged**: the same body for the same account, or an order that is on its way already;
- **replaced**: it was not sent yet (``REPLACEABLE``), and its content changed;
- **changed after it was sent**: listed in ``changes``; what Shout has stays as it is.

An order that was undone takes the new body and stays undone: sending it again is a decision of
its own.

Orders that a newer copy of their own export no longer has are **gone**. One that was never sent
leaves the job and is listed in ``removed``; any other stays and is listed in ``gone``.
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
    NOT_CREATED,
    ORDER_COLUMNS,
    PROBLEM_COLUMNS,
    REPLACEABLE,
    Adopted,
    as_sql,
)
from backfill.checkpoint.store import Checkpoint
from backfill.job_folder.files import CHECKPOINT, INCOMING

_REPLACEABLE = as_sql(REPLACEABLE)
_NEVER_SENT = "'pending', 'skipped', 'rejected'"

# Each incoming order beside the job's order of the same key (or, without a key, of the same rows).
# A fixed order comes from another file than the one it was rejected from; reading the
# old file again must not undo that, hence from_elsewhere. But a fixed row that does not fit to its
# order holds it back: hence fixed.
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
           AND NOT (instr(old.source_file || new.source_file, '; ') AND EXISTS (
               SELECT 1 FROM main.sources AS one JOIN incoming.sources AS other USING (path)
               WHERE instr('; ' || old.source_file || '; ', '; ' || one.source || '; ')
               AND instr('; ' || new.source_file || '; ', '; ' || other.source || '; ')))
           AS from_elsewhere,
       EXISTS (SELECT 1 FROM fixed_files
               WHERE instr('; ' || new.source_file || '; ', '; ' || label || '; ')) AS fixed
FROM incoming.orders AS new
JOIN main.orders AS old ON old.reference_id = new.reference_id
UNION ALL
SELECT new.id, old.id, old.state, new.state,
       old.reason IS new.reason, 1, 0, 0
FROM incoming.orders AS new
JOIN main.orders AS old ON new.reference_id IS NULL AND old.reference_id IS NULL
     AND old.source_rows = new.source_rows AND new.source_file IN
         (SELECT label FROM copies WHERE older = old.source_file
          UNION ALL SELECT old.source_file)
"""

_VERDICT = f"""
CREATE TEMP TABLE judged AS
SELECT new_id, id, CASE
    WHEN old_state IN ('created', 'existing') AND NOT same_body
         AND NOT (new_state = 'rejected' AND from_elsewhere) THEN 'changed'
    WHEN old_state NOT IN ({_REPLACEABLE}) OR same THEN 'unchanged'
    WHEN old_state = 'undone' AND new_state = 'pending' AND same_body THEN 'unchanged'
    WHEN new_state = 'rejected' AND old_state <> 'rejected' AND from_elsewhere AND NOT fixed
         THEN 'unchanged'
    WHEN old_state IN ('failed', 'skipped') AND same_body AND NOT from_elsewhere THEN 'unchanged'
    ELSE 'replaced' END AS verdict
FROM matched
"""


def adopt(folder: Path) -> Adopted:
    """Make the finished import in ``folder`` the job's, in one step (rule 6).

    :raises StorageError: nothing was changed.
    """
    target, incoming = folder / CHECKPOINT, folder / INCOMING
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
    _find_copies(db)
    db.execute(
        "CREATE TEMP TABLE fixed_files AS"
        " SELECT DISTINCT fixed_file AS label FROM incoming.fixed_rows"
    )
    db.execute(_MATCH)
    db.execute("CREATE INDEX temp.matched_by_new_id ON matched (new_id)")
    db.execute(_VERDICT)
    db.execute("CREATE INDEX temp.judged_by_new_id ON judged (new_id)")
    books.before_merge(db)
    _drop_superseded(db)
    gone, removed = _take_out_gone(db)
    new = _insert_new(db)
    _replace(db)
    _move_to_copies(db)
    _note_changes(db)
    _take_problems(db)
    _take_decisions(db)
    db.execute("INSERT OR IGNORE INTO main.sources SELECT * FROM incoming.sources")
    _recount_sources(db)
    books.after_merge(db)
    db.execute(
        "INSERT OR REPLACE INTO main.meta SELECT * FROM incoming.meta WHERE key <> 'export_cents'"
    )
    verdicts = dict(db.execute("SELECT verdict, count(*) FROM judged GROUP BY verdict").fetchall())
    for table in ("matched", "judged", "placed", "moved", "copies", "read_again", "fixed_files"):
        db.execute(f"DROP TABLE temp.{table}")
    return Adopted(
        new=new,
        unchanged=verdicts.get("unchanged", 0),
        replaced=verdicts.get("replaced", 0),
        changed_after_sent=verdicts.get("changed", 0),
        gone=gone,
        removed=removed,
    )


def _drop_superseded(db: sqlite3.Connection) -> None:
    """Drop orders that were not sent and whose every row came back, fixed or to be read again.

    A row counts once it is in an order, or is reported as a change of one.
    """
    came_from: dict[tuple[str, int], tuple[str, int]] = {
        (fixed_file, fixed_row): (source_file, row)
        for source_file, row, fixed_file, fixed_row in db.execute(
            "SELECT * FROM incoming.fixed_rows"
        )
    }
    if not came_from:
        return
    labels = [row[0] for row in db.execute("SELECT source FROM incoming.sources")]
    labels += [row[0] for row in db.execute("SELECT source FROM main.sources")]
    read_again = set()
    for source_file, source_rows, left_out in db.execute(
        "SELECT source_file, source_rows, verdict IS 'unchanged' AND NOT same_body"
        " FROM incoming.orders LEFT JOIN judged ON new_id = orders.id"
        " LEFT JOIN matched USING (new_id)"
        " WHERE verdict IS 'unchanged' OR source_file NOT IN (SELECT source FROM incoming.sources)"
    ):
        for source, numbers in addresses(source_file, source_rows, labels):
            for row in numbers:
                if left_out:
                    came_from.pop((source, row), None)
                else:
                    read_again.add((source, row))
    there = set(came_from.values()) | read_again
    left_over = db.execute(
        "SELECT id, source_file, source_rows FROM main.orders"
        f" WHERE state IN ({as_sql(NOT_CREATED)}) AND id NOT IN (SELECT id FROM matched)"
    ).fetchall()
    for order, source_file, source_rows in left_over:
        rows = {
            (source, row)
            for source, numbers in addresses(source_file, source_rows, labels)
            for row in numbers
        }
        if rows <= there:
            db.execute("DELETE FROM main.problems WHERE order_id = ?", (order,))
            db.execute("DELETE FROM main.orders WHERE id = ?", (order,))


def _find_copies(db: sqlite3.Connection) -> None:
    """Which sources of the job the import has read a newer (or the same) copy of, in ``copies``.

    Fixed rows are no export: what is missing from them is not gone.
    """
    db.execute("CREATE TEMP TABLE copies (label TEXT, older TEXT)")
    places = (
        "SELECT source, coalesce(json_extract(details, '$.file'), path) AS file, sheet"
        " FROM {}.sources WHERE NOT coalesce(json_extract(details, '$.of_fixed_rows'), 0)"
    )
    new, old = places.format("incoming"), places.format("main")
    db.execute(
        f"INSERT INTO copies SELECT new.source, old.source FROM ({new}) AS new"
        f" JOIN ({old}) AS old ON old.file = new.file AND old.sheet IS new.sheet"
    )


def _take_out_gone(db: sqlite3.Connection) -> tuple[int, int]:
    """Find the orders whose every source was read again and that are in none of the copies.

    Rows without an order key cannot be followed from one copy to the next, so they are not listed.

    :returns: how many stay as they were sent, and how many left the job.
    """
    read_again = {row[0] for row in db.execute("SELECT older FROM copies")}
    labels = [row[0] for row in db.execute("SELECT source FROM main.sources")]
    db.execute("CREATE TEMP TABLE read_again (source_file TEXT PRIMARY KEY)")
    for source_file, source_rows in db.execute(
        "SELECT source_file, min(source_rows) FROM main.orders GROUP BY source_file"
    ).fetchall():
        if read_again.issuperset(label for label, _ in addresses(source_file, source_rows, labels)):
            db.execute("INSERT INTO read_again VALUES (?)", (source_file,))
    unmatched = (
        "FROM main.orders WHERE source_file IN (SELECT source_file FROM read_again)"
        " AND id NOT IN (SELECT id FROM matched)"
    )
    never_sent = f"{unmatched} AND state IN ({_NEVER_SENT})"
    keyed = f"{never_sent} AND reference_id NOT NULL"
    db.execute(
        "DELETE FROM main.gone WHERE order_id IN (SELECT id FROM matched)"
        f" OR order_id IN (SELECT id {unmatched})"
    )
    db.execute(
        "DELETE FROM main.removed WHERE reference_id IN (SELECT reference_id FROM incoming.orders)"
    )
    removed = db.execute(
        f"INSERT INTO main.removed SELECT reference_id, account_id, state {keyed}"
    ).rowcount
    db.execute(f"DELETE FROM main.problems WHERE order_id IN (SELECT id {never_sent})")
    db.execute(f"DELETE {never_sent}")
    gone = db.execute(f"INSERT INTO main.gone SELECT id {unmatched}").rowcount
    return gone, removed


def _move_to_copies(db: sqlite3.Connection) -> None:
    """Update where unchanged orders are in the newer copy of their export."""
    db.execute(
        "CREATE TEMP TABLE moved AS SELECT judged.new_id, judged.id"
        " FROM judged JOIN matched USING (new_id)"
        " JOIN main.orders AS old ON old.id = judged.id"
        " JOIN incoming.orders AS new ON new.id = judged.new_id"
        " WHERE judged.verdict = 'unchanged' AND matched.same_body"
        " AND old.source_file IN (SELECT source_file FROM read_again)"
        " AND old.source_file <> new.source_file"
    )
    db.execute(
        "UPDATE main.orders SET source_file = new.source_file, source_rows = new.source_rows"
        " FROM moved JOIN incoming.orders AS new ON new.id = moved.new_id"
        " WHERE moved.id = main.orders.id"
    )
    db.execute("DELETE FROM main.problems WHERE order_id IN (SELECT id FROM moved)")


def _recount_sources(db: sqlite3.Connection) -> None:
    """Of sources with a newer copy, or whose rows came back fixed, count what is left of them.

    Of an older copy that is only what its orders still need; without any it leaves the job.
    """
    labels = [row[0] for row in db.execute("SELECT source FROM main.sources")]
    older = {row[0] for row in db.execute("SELECT older FROM copies WHERE label <> older")}
    fixed = {row[0] for row in db.execute("SELECT DISTINCT source_file FROM incoming.fixed_rows")}
    rows = {label: [0, 0] for label in labels if label in older | fixed}
    if not rows:
        return
    for source_file, source_rows, keyed in db.execute(
        "SELECT source_file, source_rows, reference_id NOT NULL FROM main.orders"
    ):
        if ";" in source_file or source_file in rows:
            for label, numbers in addresses(source_file, source_rows, labels):
                if label in rows:
                    rows[label][keyed] += len(numbers)
    for label, (in_no_order, in_orders) in rows.items():
        if label in older:
            _forget_what_was_said(db, label)
        db.execute(
            "UPDATE main.sources SET details = json_set(details, '$.rows_in_orders', ?,"
            " '$.rows_in_no_order', ?) WHERE source = ?",
            (in_orders, in_no_order, label),
        )
        db.execute(
            "UPDATE main.sources SET rows = ? + ? + coalesce("
            "json_extract(details, '$.rows_ignored'), 0) WHERE source = ?",
            (in_orders, in_no_order, label),
        )
        if label in older and not in_orders + in_no_order:
            db.execute("DELETE FROM main.sources WHERE source = ?", (label,))


def _forget_what_was_said(db: sqlite3.Connection, label: str) -> None:
    """Drop the decisions, the ignored rows and the problems of no order of an older copy."""
    db.execute(
        "DELETE FROM main.problems WHERE source_file = ?"
        " AND (order_id IS NULL OR order_id NOT IN (SELECT id FROM main.orders))",
        (label,),
    )
    db.execute("DELETE FROM main.decisions WHERE source = ?", (label,))
    db.execute(
        "UPDATE main.sources SET details = json_set(details, '$.rows_ignored', 0) WHERE source = ?",
        (label,),
    )


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
        " FROM incoming.problems AS problem"
        " JOIN (SELECT * FROM placed UNION ALL SELECT * FROM moved) AS placed"
        " ON placed.new_id = problem.order_id"
    )
    # Kept rows that were read again say nothing about their source as a whole.
    of_this_import = "source_file IN (SELECT source FROM incoming.sources)"
    # Lines that stand for many orders or for none: once for each place.
    db.execute(
        "DELETE FROM main.problems WHERE order_id IS NULL AND (rule, source_file) IN"
        " (SELECT rule, source_file FROM incoming.problems WHERE order_id IS NULL"
        f" AND {of_this_import})"
    )
    db.execute(
        f"INSERT INTO main.problems (order_id, {columns}) SELECT NULL, {columns}"
        f" FROM incoming.problems WHERE order_id IS NULL AND {of_this_import}"
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
    """Make a rename survive a power loss, where the system can flush a folder."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    with storage_errors(folder):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
