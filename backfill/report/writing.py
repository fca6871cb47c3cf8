"""How each report file comes to be written."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO

from backfill.job_folder.replacing import replacing


def writing(path: Path) -> AbstractContextManager[BinaryIO]:
    """A report file to write, which takes the place of ``path`` at the end.

    :raises StorageError: the file cannot be written; the old one stays.
    """
    return replacing(path, again=f"run: backfill report {path.parent}")
