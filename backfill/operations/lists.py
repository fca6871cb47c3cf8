"""Lists of orders that operations leave in the job folder: ``verify.csv`` and ``changed.csv``."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

from backfill.job_folder.replacing import replacing


def write_list(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write the rows below the columns' names; without rows, remove the file.

    :raises StorageError: the file cannot be written; the old one stays.
    """
    rows = list(rows)
    if not rows:
        path.unlink(missing_ok=True)
        return
    with replacing(path) as file, io.TextIOWrapper(file, "utf-8", newline="") as text:
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
