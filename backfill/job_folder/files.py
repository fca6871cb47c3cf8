"""Every file of a job folder, listed once."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

CHECKPOINT = "checkpoint.sqlite"
INCOMING = "incoming.sqlite"
REPORT_PAGE = "report.html"
REPORT_JSON = "report.json"
RESULTS = "results.csv"
REJECTED_ROWS = "rejected_rows.csv"
MORE_REJECTED_ROWS = "rejected_rows-*.csv"
"""of further groups of sources with the same header: -2, -3, ..."""
REJECTION_COLUMNS = ("backfill_source", "backfill_row", "backfill_rule", "backfill_reason")
"""what ``rejected_rows.csv`` adds to the source's own columns; it comes back with them"""
VERIFY = "verify.csv"
CHANGED = "changed.csv"
LOG = "backfill.log"
LOCK = "lock"
ROWS = "rows"
PARTS = "parts-"
"""the prefix of folders in which rows are regrouped on disk"""
DRAFT = ".*.part"
"""a report until it is complete; a crash leaves it behind"""


@dataclass(frozen=True, slots=True)
class JobFile:
    """One file, or folder, of a job folder."""

    pattern: str
    """its name, as a glob pattern where there may be several"""
    what: str
    written_by: str
    """the package that writes it"""
    personal_data: bool
    """contains names, phone numbers, addresses or source rows, so a purge removes it"""


FILES: tuple[JobFile, ...] = (
    JobFile(f"{CHECKPOINT}*", "one row per order: body, state, outcome", "checkpoint", False),
    JobFile(f"{INCOMING}*", "an unfinished import", "checkpoint", True),
    JobFile(ROWS, "the source rows as they were read", "prepare", True),
    JobFile(f"{PARTS}*", "rows that are being regrouped on disk", "prepare", True),
    JobFile(REPORT_PAGE, "the report for people", "report", True),
    JobFile(REPORT_JSON, "the report for programs", "report", True),
    JobFile(RESULTS, "one row per order", "report", True),
    JobFile("rejected_rows*.csv", "source rows of orders that were not created", "report", True),
    JobFile(DRAFT, "a report that is not complete", "report", True),
    JobFile(VERIFY, "orders that differ from what was sent", "operations", True),
    JobFile(CHANGED, "orders whose export changed or lost them", "operations", True),
    JobFile(LOG, "what happened, as JSON lines", "log", False),
    JobFile(LOCK, "held while a run works on the job", "job_folder", False),
)


def has_job(folder: Path) -> bool:
    """Whether a folder contains a job; a checkpoint that is a dead link is one that is not there
    now, perhaps as its disk is not.
    """
    return os.path.lexists(folder / CHECKPOINT)


def has_lost_its_checkpoint(folder: Path) -> bool:
    """Whether only the reports of a job are left. What it sent is not known any more."""
    return not has_job(folder) and (folder / RESULTS).exists()


def may_hold_job(folder: Path) -> bool:
    """Whether a folder is empty or contains a job, perhaps one that was only begun."""
    return has_job(folder) or (folder / LOCK).exists() or not any(folder.iterdir())


def with_personal_data(folder: Path) -> list[Path]:
    """The files and folders of a job that contain personal data, apart from the checkpoint."""
    return sorted(
        path for each in FILES if each.personal_data for path in folder.glob(each.pattern)
    )
