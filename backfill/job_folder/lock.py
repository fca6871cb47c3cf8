"""The lock of a job folder: one run at a time.

The kernel holds the lock (``flock``), not the file: it is released when the process ends, however
it ends. A ``lock`` file that is left behind means nothing.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from backfill.errors import JobLocked, StorageError, UsageError
from backfill.job_folder.files import CHECKPOINT, LOCK, has_lost_its_checkpoint, may_hold_job

OWNER_ONLY = 0o077  # as a umask: folders 0700, files 0600


@contextlib.contextmanager
def hold(folder: Path) -> Iterator[None]:
    """Lock the job in ``folder``, which is created if it is missing, for the block.

    Meanwhile every file that this process creates is for its owner only.

    :raises JobLocked: another process holds it.
    :raises UsageError: the folder contains files that are not a job's.
    :raises StorageError: the folder cannot be created, closed to others, or locked.
    """
    from filelock import FileLock, Timeout

    before = os.umask(OWNER_ONLY)
    try:
        make_folder(folder)
        lock = FileLock(folder / LOCK, timeout=0, mode=0o600)
        try:
            lock.acquire()
        except Timeout:
            raise JobLocked(
                f"{folder}: another run holds this job",
                hint=f"wait until it ends; 'backfill status {folder}' shows its progress",
            ) from None
        except (OSError, NotImplementedError) as exc:
            raise StorageError(
                f"{folder}: the job cannot be locked ({_why(exc)})",
                hint="put the job on a local disk that you can write to, with --job",
            ) from exc
        try:
            yield
        finally:
            lock.release()
    finally:
        os.umask(before)


def make_folder(folder: Path) -> None:
    """Create the job folder, for its owner only (0700); an existing one is closed to others too.

    :raises UsageError: it exists and contains files that are not a job's, or lost its checkpoint.
    :raises StorageError: it cannot be created or closed to others.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not may_hold_job(folder):
            raise UsageError(
                f"{folder}: not a job folder; it contains other files",
                hint="name an empty or new folder with --job",
            )
        if has_lost_its_checkpoint(folder):
            raise UsageError(
                f"{folder}: {CHECKPOINT} is missing, so it is not known which orders were sent",
                hint="restore it from a backup. If nothing was ever sent from this folder, name"
                " another one with --job",
            )
        if os.name == "posix" and folder.stat().st_mode & OWNER_ONLY:
            folder.chmod(0o700)
    except (FileExistsError, NotADirectoryError) as exc:
        raise StorageError(
            f"{folder}: cannot be a job folder, because a file has this name",
            hint="name another folder with --job",
        ) from exc
    except OSError as exc:
        raise StorageError(
            f"{folder}: the job folder cannot be created ({_why(exc)})",
            hint="name a folder that you can write to with --job",
        ) from exc


def _why(exc: Exception) -> str:
    return (exc.strerror if isinstance(exc, OSError) else None) or type(exc).__name__
