"""The summary of a job on stdout, and what a newer export changed in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from backfill.report.terminal import summary

if TYPE_CHECKING:
    from backfill.job import PrepareResult
    from backfill.report.figures import Figures


def print_summary(figures: Figures, folder: Path, before: Iterable[str] = ()) -> None:
    """Print the summary, below some lines of news."""
    news = "\n".join(before)
    print(f"{news}\n\n{summary(figures, folder)}" if news else summary(figures, folder))


def lines_of_changes(prepared: PrepareResult | None) -> Iterator[str]:
    """What an export that was given again changed in the job."""
    if prepared is None:
        return
    adopted = prepared.adopted
    if adopted is None:
        yield "The export and its settings are unchanged: continuing with what was prepared."
    elif prepared.again:
        yield (
            f"The export or its settings changed: {adopted.new:,} orders are new, "
            f"{adopted.replaced:,} that were not sent are replaced, {adopted.unchanged:,} are "
            "unchanged."
        )
        if adopted.changed_after_sent:
            yield (
                f"{adopted.changed_after_sent:,} orders changed in the export after they were sent "
                "(see changed.csv; --update-changed updates them in Shout)."
            )
        if adopted.removed:
            yield (
                f"No longer in the export and never sent: {adopted.removed:,} removed from the job "
                "(see changed.csv)."
            )
        if adopted.gone:
            yield (
                f"No longer in the export but already sent: {adopted.gone:,} left as they are "
                "(see changed.csv)."
            )
