"""How a report file comes to be: whole or not at all, and for its owner only."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from backfill.errors import StorageError
from backfill.job_folder.files import DRAFT


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file to write that takes the place of ``path`` at the end; mode 0600.

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
                f"{path}: the report cannot be written ({exc.strerror or exc})",
                hint="free some space or make the folder writable, then run: "
                f"backfill report {path.parent}",
            ) from exc
        raise
