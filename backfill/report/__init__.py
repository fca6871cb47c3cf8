"""The reports of a job, written from its checkpoint and the source rows beside it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from backfill.checkpoint import Checkpoint
from backfill.report.results import write_results

if TYPE_CHECKING:
    from backfill.report.figures import Figures


def write(folder: Path, checkpoint: Checkpoint, *, show_personal_data: bool) -> Figures:
    """Write ``report.html``, ``report.json``, ``results.csv`` and ``rejected_rows.csv``.

    Each file is replaced as a whole. Personal data is masked in the page and in ``report.json``;
    the tables of rows are for the owner and stay as they are. They are made beside the others, on
    a connection of their own, and ``results.csv`` is begun before anything slow is imported.

    :raises StorageError: a file cannot be written; those before it are, and the old ones stay.
    """
    with ThreadPoolExecutor(1) as beside:
        tables = [beside.submit(_write_table, write_results, folder, checkpoint.path)]
        from backfill.report.figures import collect
        from backfill.report.html import write_html
        from backfill.report.machine import write_json
        from backfill.report.masking import Privacy
        from backfill.report.rejected_rows import write_rejected_rows

        tables += [beside.submit(_write_table, write_rejected_rows, folder, checkpoint.path)]
        figures = collect(checkpoint)
        privacy = Privacy.of(figures.sources, show=show_personal_data)
        write_html(folder, checkpoint, figures, privacy)
        write_json(folder, figures, privacy)
        for table in tables:
            table.result()
    return figures


def _write_table(write: Callable[[Path, Checkpoint], object], folder: Path, path: Path) -> None:
    with Checkpoint(path, readonly=True) as checkpoint:
        write(folder, checkpoint)
