"""The steps that every command of a job is made of: hold it, open it, ask, report.

``tell`` is where a command puts its summary: ``print`` on the command line, and nowhere when the
package is used as a library.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from backfill import confirm, log
from backfill.checkpoint import FILE_NAME, Checkpoint, State
from backfill.errors import UsageError
from backfill.job_folder import lock
from backfill.progress import Progress
from backfill.settings import ApiSettings, RunSettings

if TYPE_CHECKING:
    from backfill.report.figures import Figures

DONE = 0
SOME_DID_NOT_GO = 3
#: ``meta``: when a job's personal data was purged.
PURGED = "purged_at"

Tell = Callable[[str], None]

_log = logging.getLogger(__name__)


@contextmanager
def held(run: RunSettings, progress: Progress) -> Iterator[None]:
    """Hold the job and its log.

    :raises JobLocked: another process holds it.
    """
    with lock.hold(run.job), log.opened(run.job, say=progress.say if run.verbose else None):
        yield


@contextmanager
def opened(folder: Path, *, readonly: bool = False) -> Iterator[Checkpoint]:
    """The checkpoint of a job that is there.

    :raises UsageError: no job is there.
    """
    path = folder / FILE_NAME
    if not path.exists():
        raise UsageError(
            f"{folder}: there is no job here",
            hint="name the job folder of an earlier run, or give an export to start from",
        )
    with Checkpoint(path, readonly=readonly) as checkpoint:
        yield checkpoint


@contextmanager
def opened_and_held(run: RunSettings, progress: Progress) -> Iterator[Checkpoint]:
    """Hold a job that is there, and open its checkpoint.

    :raises UsageError: no job is there; no folder is made.
    :raises JobLocked: another process holds it.
    """
    with opened(run.job, readonly=True):
        pass
    with held(run, progress), opened(run.job) as checkpoint:
        yield checkpoint


def refuse_purged(checkpoint: Checkpoint, folder: Path) -> None:
    """
    :raises UsageError: the job's personal data was purged, and with it what this would need.
    """
    if (when := checkpoint.meta().get(PURGED)) is not None:
        raise UsageError(
            f"{folder}: was purged at {when}; bodies, reasons and source rows are gone",
            hint="status, verify and undo still work; start a new job for a new export",
        )


def host_of(api: ApiSettings) -> str:
    """The host that a job's orders are sent to."""
    from urllib.parse import urlsplit

    return urlsplit(api.api_url).hostname or ""


def ask(
    api: ApiSettings,
    run: RunSettings,
    summary: Sequence[str],
    *,
    otherwise: str = "nothing was sent",
) -> None:
    """Ask before Shout is changed; not on this machine, and not with ``--yes``.

    :raises UsageError: nobody is there to be asked. :raises SafetyStop: the answer was no.
    """
    from backfill.settings.checks import is_this_machine

    if not (run.yes or is_this_machine(api.api_url)):
        confirm.ask(summary, host_of(api), otherwise=otherwise)


def report(run: RunSettings, progress: Progress, tell: Tell) -> Figures:
    """Write the reports, and tell the summary."""
    from backfill import report as reports

    with opened(run.job) as checkpoint, progress.stage("reporting", total=None, unit="files"):
        figures = reports.write(run.job, checkpoint, show_personal_data=run.show_personal_data)
    from backfill.report.terminal import summary

    tell(summary(figures, run.job))
    return figures


def refresh(run: RunSettings, checkpoint: Checkpoint, progress: Progress) -> None:
    """Bring the reports up to date; a purged job has none but ``results.csv``."""
    if PURGED not in checkpoint.meta():
        report(run, progress, tell=lambda summary: None)
        return
    from backfill.report.results import write_results

    write_results(run.job, checkpoint)


def report_quietly(run: RunSettings, progress: Progress, tell: Tell) -> None:
    """Leave true reports behind a run that stopped, without hiding why it stopped."""
    try:
        report(run, progress, tell)
    except Exception:
        _log.exception("the reports could not be written after a run that stopped")


def exit_code(states: Mapping[State, int]) -> int:
    """What a run's exit code is: 3 where some orders did not go."""
    did_not_go = (State.REJECTED, State.FAILED, State.SKIPPED)
    return SOME_DID_NOT_GO if any(states[state] for state in did_not_go) else DONE
