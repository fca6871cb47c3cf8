"""Takes back what this job created, and only that."""

from __future__ import annotations

from collections.abc import Sequence

from backfill import steps
from backfill.checkpoint import Checkpoint, State
from backfill.checkpoint.afterwards import Selection, maybe_not_ours, sums_of, to_undo
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
        selected, foreign = to_undo(checkpoint, which), maybe_not_ours(checkpoint)
        left = [key for order, key in foreign.items() if order in set(selected)]
        ids = [order for order in selected if order not in foreign][: run.limit]
        if left:
            tell(
                f"{len(left):,} orders stay in Shout, because they may have been there before this"
                f" job: {', '.join(left[:_SHOWN])}{', ...' if len(left) > _SHOWN else ''}"
            )
        if not ids:
            tell("Nothing to take back: no order that this job created is selected.")
            return steps.SOME_DID_NOT_GO if left else steps.DONE
        summary = _before(checkpoint, steps.host_of(api), ids)
        steps.ask(api, run, summary, otherwise="nothing was deleted")
        from backfill.deliver.undo import Undo
        from backfill.deliver.walk import walk

        errand = Undo(checkpoint, ids)
        try:
            walk(errand, api, total=len(ids), progress=progress)
        finally:
            undone = errand.done[State.UNDONE]
            tell(f"Taken back: {undone:,} orders.")
            if errand.found_gone:
                tell(f"  {errand.found_gone:,} of them were not in their account any more.")
            for key, why in errand.stay[:_SHOWN]:
                tell(f"  stays in Shout: {key}: {why}"[:160])
            if len(errand.stay) > _SHOWN:
                tell(f"  and {len(errand.stay) - _SHOWN:,} more")
            if in_doubt := _in_doubt(checkpoint):
                tell(f"  {in_doubt:,} in doubt from an interrupted run stay; run it again")
            if checkpoint.counts()[State.UNDONE]:
                tell(
                    f"'backfill run --job {run.job}' would create what was taken back again;"
                    " with --leave-undone it does not."
                )
            steps.refresh(run, checkpoint, progress)
    return steps.SOME_DID_NOT_GO if errand.stay or left else steps.DONE


def _before(checkpoint: Checkpoint, host: str, ids: Sequence[int]) -> list[str]:
    counts = checkpoint.counts()
    accounts, cents = sums_of(checkpoint, ids)
    lines = [
        "",
        f"Orders will be DELETED from Shout at {host}: those that this job created.",
        f"  orders     {len(ids):,} in {accounts:,} accounts",
        f"  money      {cents / 100:,.2f}",
    ]
    in_doubt = _in_doubt(checkpoint)
    begun = counts[State.SENDING] - in_doubt
    for count, what in (
        (counts[State.CREATED] + begun - len(ids), "that are not selected"),
        (counts[State.EXISTING], "that were there before this job"),
        (in_doubt, "in doubt from an interrupted run, which settles them when it is run again"),
    ):
        if count:
            lines.append(f"  staying    {count:,} {what}")
    return lines


def _in_doubt(checkpoint: Checkpoint) -> int:
    found = checkpoint.query(
        "SELECT count(*) FROM orders WHERE state = 'sending' AND rule IS NOT 'undoing'"
    )
    return int(found.fetchone()[0])
