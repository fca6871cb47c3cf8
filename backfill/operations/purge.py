"""Erases the personal data of a job that is signed off; keys, states, ids and totals stay."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from backfill.checkpoint import NOT_CREATED, PURGED, Checkpoint, State, now, remember
from backfill.checkpoint.connection import storage_errors
from backfill.confirmation import Confirm, Plan, require
from backfill.errors import UsageError
from backfill.job_folder.files import with_personal_data
from backfill.progress import Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class PurgePlan(Plan):
    """The personal data that is about to be erased."""

    if_declined: ClassVar[str] = "nothing was erased"
    folder: Path
    files: Sequence[str]
    """names of the files and folders that are removed"""
    not_created: int
    """orders that were not created, and cannot be created by this job any more"""


@dataclass(frozen=True, slots=True)
class PurgeResult:
    """What was erased."""

    folder: Path
    removed: Sequence[str]
    """names of the files and folders that were removed"""


def purge(
    checkpoint: Checkpoint,
    folder: Path,
    progress: Progress,
    confirm: Confirm | None,
    *,
    yes: bool = False,
) -> PurgeResult:
    """Erase what identifies a customer: in the checkpoint, and the files that contain it.

    Safe to repeat, also after it was interrupted.

    :param yes: ask for no confirmation.
    :raises UsageError: orders are pending or in doubt, or nobody can be asked.
    :raises SafetyStop: it was not confirmed.
    """
    counts = checkpoint.counts()
    if left := counts[State.PENDING] + counts[State.SENDING]:
        raise UsageError(
            f"{folder}: {left:,} orders are pending or in doubt",
            hint="finish the job with 'backfill run' first; without bodies nothing can be sent",
        )
    files = with_personal_data(folder)
    names = [path.name for path in files]
    if not yes:
        plan = PurgePlan(
            confirm_with=folder.resolve().name,
            folder=folder,
            files=names,
            not_created=sum(counts[state] for state in NOT_CREATED),
        )
        require(plan, confirm)
    with progress.stage("purging", total=None, unit="files"):
        _erase(checkpoint)
        for path in files:
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink()
    return PurgeResult(folder, names)


def _erase(checkpoint: Checkpoint) -> None:
    """Erase bodies and every text that may quote one, and overwrite what was in the file.

    ``payload_sha256`` stays. Reasons become the title of their rule, without what they quoted.
    """
    rules = checkpoint.remembered("rules")
    titles = [(rule, about.get("title") or rule) for rule, about in rules.items()]
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
        remember(db, {PURGED: now()})
    with storage_errors(checkpoint.path):
        checkpoint.query("VACUUM")
        checkpoint.query("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
