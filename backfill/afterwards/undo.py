"""Takes back what this job created, and only that."""

from __future__ import annotations

from backfill import steps
from backfill.checkpoint import Checkpoint, State
from backfill.checkpoint.afterwards import Selection, count_to_undo
from backfill.progress import Progress
from backfill.settings import ApiSettings, RunSettings
from backfill.steps import Tell

_SHOWN = 10


def undo(
    api: ApiSettings,
    run: RunSettings,
    progress: Progress,
    which: Selection,
    tell: Tell = print,
) -> int:
    """Delete the orders that this job created; ``which`` narrows it; run again to resume.

    Orders that were in Shout before the job are never touched. Orders that are in doubt from an
    interrupted run are not known to be ours: a run settles them first.
    """
    with steps.opened_and_held(run, progress) as checkpoint:
        orders, accounts, cents = count_to_undo(checkpoint, which)
        if not orders:
            tell("Nothing to take back: no order that this job created is selected.")
            return steps.DONE
        now = orders if run.limit is None else min(orders, run.limit)
        host = steps.host_of(api)
        steps.ask(
            api,
            run,
            _before(checkpoint, host, now, orders, accounts, cents),
            otherwise="nothing was deleted",
        )
        from backfill.deliver.undo import Undo
        from backfill.deliver.walk import walk

        errand = Undo(checkpoint, which, run.limit)
        try:
            walk(errand, api, total=now, progress=progress)
        finally:
            undone = errand.done[State.UNDONE]
            tell(f"Taken back: {undone:,} orders.")
            if errand.found_gone:
                tell(f"  {errand.found_gone:,} of them were not in their account any more.")
            for key, why in errand.stay[:_SHOWN]:
                tell(f"  stays in Shout: {key}: {why}"[:160])
            if len(errand.stay) > _SHOWN:
                tell(f"  and {len(errand.stay) - _SHOWN:,} more")
            if checkpoint.counts()[State.UNDONE]:
                tell(
                    f"'backfill run --job {run.job}' would create what was taken back again;"
                    " with --leave-undone it does not."
                )
    return steps.SOME_DID_NOT_GO if errand.stay else steps.DONE


def _before(
    checkpoint: Checkpoint, host: str, now: int, orders: int, accounts: int, cents: int
) -> list[str]:
    counts = checkpoint.counts()
    lines = [
        "",
        f"Orders will be DELETED from Shout at {host}: those that this job created.",
        f"  orders     {now:,}"
        + (f" of {orders:,} that are selected" if now < orders else "")
        + f" in {accounts:,} accounts",
        f"  money      {cents / 100:,.2f}" + (" in all that are selected" if now < orders else ""),
    ]
    if counts[State.EXISTING]:
        lines.append(f"  staying    {counts[State.EXISTING]:,} that were there before this job")
    if in_doubt := _in_doubt(checkpoint):
        lines.append(f"  staying    {in_doubt:,} in doubt; a run settles them first")
    return lines


def _in_doubt(checkpoint: Checkpoint) -> int:
    found = checkpoint.query(
        "SELECT count(*) FROM orders WHERE state = 'sending' AND rule IS NOT 'undoing'"
    )
    return int(found.fetchone()[0])
