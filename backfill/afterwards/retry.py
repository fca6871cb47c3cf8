"""Failed and skipped orders go back to pending, and the job goes on."""

from __future__ import annotations

from dataclasses import replace

from backfill import job, steps
from backfill.checkpoint.afterwards import Selection, count_refused, put_back
from backfill.progress import Progress
from backfill.settings import ApiSettings, RunSettings
from backfill.steps import Tell


def retry(
    api: ApiSettings,
    run: RunSettings,
    progress: Progress,
    which: Selection,
    tell: Tell = print,
) -> int:
    """Send again what Shout refused and what was set aside; ``which`` narrows it.

    An order that was sent before is looked up first, so that it is not sent twice.
    """
    with steps.opened_and_held(run, progress) as checkpoint:
        steps.refuse_purged(checkpoint, run.job)
        count = count_refused(checkpoint, which)
        if count:
            put_back(checkpoint, which)
            progress.say(f"{count:,} orders are pending again.")
        else:
            progress.say("No failed or skipped order is to be sent again.")
        job.send(checkpoint, api, replace(run, leave_undone=True), progress, tell)
        figures = steps.report(run, progress, tell)
    return steps.exit_code(figures.states)
