"""The reports of a job, written from its checkpoint and the source rows beside it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from backfill.checkpoint import Checkpoint
from backfill.report.figures import Figures, collect
from backfill.report.html import write_html
from backfill.report.machine import write_json
from backfill.report.masking import Privacy
from backfill.report.tables import write_rejected_rows, write_results
from backfill.report.terminal import summary

__all__ = ["Figures", "collect", "summary", "write"]


def write(folder: Path, checkpoint: Checkpoint, *, show_personal_data: bool) -> Figures:
    """Write ``report.html``, ``report.json``, ``results.csv`` and ``rejected_rows.csv``.

    Each file is replaced as a whole. Personal data is masked in the page and in ``report.json``;
    the tables of rows are for the owner and stay as they are. They are made beside the others, on
    a connection of their own.

    :raises StorageError: a file cannot be written; those before it are, and the old ones stay.
    """
    with ThreadPoolExecutor(1) as beside:
        tables = beside.submit(_write_tables, folder, checkpoint.path)
        figures = collect(checkpoint)
        privacy = Privacy.of(figures.sources, show=show_personal_data)
        write_html(folder, checkpoint, figures, privacy)
        write_json(folder, figures, privacy)
        tables.result()
    return figures


def _write_tables(folder: Path, path: Path) -> None:
    with Checkpoint(path, readonly=True) as checkpoint:
        write_results(folder, checkpoint)
        write_rejected_rows(folder, checkpoint)
