"""Blanks the personal data of a job that is signed off; keys, states, ids and totals stay."""

from __future__ import annotations

import shutil
from pathlib import Path

from backfill import confirm, steps
from backfill.afterwards import changes, verify
from backfill.checkpoint import INCOMING_NAME, State
from backfill.checkpoint.purge import purge as blank
from backfill.errors import UsageError
from backfill.progress import Progress
from backfill.settings import RunSettings
from backfill.steps import Tell

#: Files that hold a customer's data, or may: patterns in the job folder. ``results.csv`` is
#: written again, without reasons that could quote somebody.
_FILES = (
    "report.html",
    "report.json",
    "rejected_rows*.csv",
    "results.csv",
    changes.LISTED,
    verify.LISTED,
    f"{INCOMING_NAME}*",
)
_ROWS = "rows"


def purge(run: RunSettings, progress: Progress, tell: Tell = print) -> int:
    """Blank what identifies a customer in the checkpoint, and remove the files that hold it.

    :raises UsageError: orders are still to be sent or in doubt.
    """
    with steps.opened_and_held(run, progress) as checkpoint:
        counts = checkpoint.counts()
        if left := counts[State.PENDING] + counts[State.SENDING]:
            raise UsageError(
                f"{run.job}: {left:,} orders are still to be sent or in doubt",
                hint="finish the job with 'backfill run' first; without bodies nothing can be sent",
            )
        if not run.yes:
            confirm.ask(
                _before(run.job, counts), run.job.resolve().name, otherwise="nothing was erased"
            )
        with progress.stage("purging", total=None, unit="files"):
            blank(checkpoint)
            _remove_files(run.job)
            steps.refresh(run, checkpoint, progress)
    tell(
        f"Purged: no name, phone or address is left in {run.job}. Keys, states, ids and totals"
        " stay; status, verify and undo still work."
    )
    return steps.DONE


def _before(folder: Path, counts: dict[State, int]) -> list[str]:
    lost = counts[State.REJECTED] + counts[State.FAILED] + counts[State.SKIPPED]
    lines = [
        "",
        f"All personal data in {folder} will be erased: bodies, source rows, reports.",
        "Keys, states, ids and totals stay. This cannot be taken back.",
    ]
    if lost:
        lines.append(f"{lost:,} orders did not go; this job cannot send them any more.")
    return lines


def _remove_files(folder: Path) -> None:
    for pattern in _FILES:
        for path in folder.glob(pattern):
            path.unlink()
    shutil.rmtree(folder / _ROWS, ignore_errors=True)
