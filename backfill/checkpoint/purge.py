"""Blanks personal data in a checkpoint, so that not a byte of it stays in its file."""

from __future__ import annotations

import json

from backfill.checkpoint.connection import now, storage_errors
from backfill.checkpoint.store import Checkpoint


def purge(checkpoint: Checkpoint) -> None:
    """Blank bodies, and every text that may quote one; what was in the file is overwritten.

    ``payload_sha256`` stays. Reasons become the words of their rule, without what they quoted.
    Safe to repeat, also after it was interrupted.
    """
    words = json.loads(checkpoint.meta().get("rules") or "{}")
    titles = [(rule, about.get("title") or rule) for rule, about in words.items()]
    with checkpoint.writing() as db:
        db.execute("CREATE TEMP TABLE IF NOT EXISTS titles (rule TEXT PRIMARY KEY, title TEXT)")
        db.executemany("INSERT OR REPLACE INTO titles VALUES (?, ?)", titles)
        title = "coalesce((SELECT title FROM titles WHERE titles.rule = {0}.rule), {0}.rule)"
        db.execute(
            f"UPDATE orders SET payload = NULL, reason = {title.format('orders')}"
            " WHERE payload IS NOT NULL OR reason IS NOT NULL"
        )
        db.execute(f"UPDATE problems SET value = NULL, message = {title.format('problems')}")
        db.execute("UPDATE verified SET what = NULL")
        db.execute("UPDATE notifications SET body = '', reason = NULL")
        db.execute("DELETE FROM changes")
        db.execute("INSERT OR REPLACE INTO meta VALUES ('purged_at', ?)", (now(),))
    with storage_errors(checkpoint.path):
        checkpoint.query("VACUUM")
        checkpoint.query("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
