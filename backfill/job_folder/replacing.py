"""Replaces a file of the job folder as a whole; only its owner can read it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from backfill.errors import StorageError
from backfill.job_folder.files import DRAFT


@contextmanager
def replacing(path: Path, *, again: str = "run the same command again") -> Iterator[BinaryIO]:
    """A file to write that takes the place of ``path`` at the end; mode 0600.

    :param again: what writes the file once there is space for it.
    :raises StorageError: the disk is full or the folder is read-only; the old file stays.
    """
    draft = path.with_name(DRAFT.replace("*", path.name))
    try:
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            yield file
        draft.replace(path)
    except BaseException as exc:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        if isinstance(exc, OSError):
            raise StorageError(
                f"{path}: the file cannot be written ({exc.strerror or exc})",
                hint=f"free some space or make the folder writable, then {again}",
            ) from exc
        raise
