"""SQLite as the checkpoint uses it: opening a file, and turning its errors into messages."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from backfill.errors import CheckpointError, StorageError


@contextlib.contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into ours, with what to do next.

    :raises StorageError: the disk is full, the folder is read-only, the file is locked.
    :raises CheckpointError: the file is damaged or is no checkpoint.
    """
    try:
        yield
    except sqlite3.DatabaseError as exc:
        text = str(exc)
        if "full" in text:
            raise StorageError(
                f"{path}: the disk is full, so nothing more was sent",
                hint="free some space and run the same command again",
            ) from exc
        if "readonly" in text or "unable to open" in text or "attempt to write" in text:
            raise StorageError(
                f"{path}: cannot be written ({text})",
                hint="make the job folder writable, or name another with --job",
            ) from exc
        if "disk I/O" in text:
            raise StorageError(
                f"{path}: the disk cannot be read or written ({text})",
                hint="check the disk and its free space, then run the same command again",
            ) from exc
        if "locked" in text:
            raise StorageError(
                f"{path}: another program has locked the checkpoint",
                hint="close it and run the same command again",
            ) from exc
        if isinstance(exc, sqlite3.IntegrityError | sqlite3.ProgrammingError):
            raise  # a rule of the schema was broken: a bug, and not to be dressed up
        raise CheckpointError(
            f"{path}: the checkpoint is damaged, or not a checkpoint ({text})",
            hint="restore a backup of the job folder; never import the same orders with a new job",
        ) from exc


def now() -> str:
    """The present moment in UTC, ISO 8601, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def remember(db: sqlite3.Connection, values: Mapping[str, str]) -> None:
    """Write rows of ``meta``, by their keys."""
    db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", values.items())


def refuse_tampered(path: Path) -> None:
    """Refuse a checkpoint that is not the whole truth of its own job.

    :raises CheckpointError: it is a link, which another job's lock does not cover; or its journal
        was deleted after a crash, and with it what was recorded last. SQLite removes the shared
        index of the journal no later than the journal itself.
    """
    if path.is_symlink():
        raise CheckpointError(
            f"{path}: is a link, not a checkpoint",
            hint="name the job folder that it leads to with --job",
        )
    journal, index = path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")
    # Asked again: another process may just have closed the checkpoint, and removed both.
    if index.exists() and not journal.exists() and index.exists():
        raise CheckpointError(
            f"{journal}: is missing, and with it what was recorded last",
            hint="restore a backup of the job folder; never import the same orders with a new job",
        )


def connect(path: Path, *, readonly: bool) -> sqlite3.Connection:
    mode = "ro" if readonly else "rwc"
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        isolation_level=None,  # transactions are written out, see the rules above
        check_same_thread=False,  # deliver commits in a thread; one at a time, never two
        timeout=10.0,
    )
    connection.row_factory = sqlite3.Row
    return connection
