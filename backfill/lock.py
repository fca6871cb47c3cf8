"""The job folder, and the lock that keeps a second run out of it.

The lock belongs to the kernel (``flock``), not to the file: when the process that holds it ends,
however it ends, the lock is gone. A ``lock`` file that lies there says nothing.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from backfill.checkpoint import FILE_NAME as CHECKPOINT
from backfill.errors import JobLocked, StorageError, UsageError

LOCK_NAME = "lock"
OWNER_ONLY = 0o077  # as a umask: folders 0700, files 0600


@contextlib.contextmanager
def hold(folder: Path) -> Iterator[None]:
    """Hold the job in ``folder``, which is made where it is missing, for the time of the block.

    While it is held, every file this process makes is for its owner only.

    :raises JobLocked: another process holds it.
    :raises UsageError: the folder holds files that are not a job's.
    :raises StorageError: the folder cannot be made, closed to others, or locked.
    """
    from filelock import FileLock, Timeout

    before = os.umask(OWNER_ONLY)
    try:
        make_folder(folder)
        lock = FileLock(folder / LOCK_NAME, timeout=0, mode=0o600)
        try:
            lock.acquire()
        except Timeout:
            raise JobLocked(
                f"{folder}: another run holds this job",
                hint=f"see how far it is with 'backfill status {folder}', and wait for its end",
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
    """Make the job folder, for its owner only (0700); a job folder that is there is closed too.

    :raises UsageError: it is there and holds files that are not a job's.
    :raises StorageError: it cannot be made or closed to others.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not _is_a_jobs(folder):
            raise UsageError(
                f"{folder}: is no job folder, and holds files of somebody's own",
                hint="name a folder that is empty or not there yet with --job",
            )
        if os.name == "posix" and folder.stat().st_mode & OWNER_ONLY:
            folder.chmod(0o700)
    except (FileExistsError, NotADirectoryError) as exc:
        raise StorageError(
            f"{folder}: cannot be a job folder, because a file stands in the way",
            hint="name another folder with --job",
        ) from exc
    except OSError as exc:
        raise StorageError(
            f"{folder}: the job folder cannot be made ({_why(exc)})",
            hint="name a folder that you can write to with --job",
        ) from exc


def _is_a_jobs(folder: Path) -> bool:
    """Whether the folder is empty or was a job's before, so that closing it to others is right."""
    return any((folder / name).exists() for name in (LOCK_NAME, CHECKPOINT)) or not any(
        folder.iterdir()
    )


def _why(exc: Exception) -> str:
    return (exc.strerror if isinstance(exc, OSError) else None) or type(exc).__name__
