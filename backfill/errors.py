"""Every trouble that is expected, as one tree; anything else that is raised is a bug.

    BackfillError                 exit 1    it failed: the line says what, where, and what next
    ├── UsageError                exit 2    an option, a path or a setting is not usable
    │   └── MappingError          exit 2    the columns of an export cannot be mapped to fields
    ├── SourceError               exit 1    an export is there, but cannot be read as orders
    ├── BooksDoNotBalance         exit 1    a row or an amount got lost on the way: a bug, told
    ├── StorageError              exit 1    the job folder: full, read-only, or not ours to write
    │   └── CheckpointError       exit 1    the checkpoint is damaged, or from a newer version
    ├── SafetyStop                exit 4    stopped for safety, or since Shout refuses or is down
    ├── JobLocked                 exit 11   another run holds this job
    └── Interrupted               exit 130  Ctrl-C, SIGTERM or a closed terminal; resumable

Errors of the libraries below are turned into these where they arise (``raise ... from``).
``backfill.cli`` is the one place that turns them into a message and an exit code.
Exit 3 (finished, and some orders were left out) is an outcome, not an error.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar


class BackfillError(Exception):
    """Trouble that a person can act on.

    ``message`` is one line that says what is wrong and where; ``hint`` says what to do next.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(BackfillError):
    """An option, a path or a setting that cannot be used as given."""

    exit_code = 2


class MappingError(UsageError):
    """The columns of an export cannot be mapped to the fields of an order."""


class SourceError(BackfillError):
    """An export that is there but cannot be read as orders."""

    def __init__(self, path: Path | str, message: str, *, hint: str | None = None) -> None:
        super().__init__(f"{path}: {message}", hint=hint)
        self.path = path


class BooksDoNotBalance(BackfillError):
    """What was prepared is not what was read, to the row and the cent; nothing is sent."""

    def __init__(self, message: str) -> None:
        super().__init__(
            message,
            hint="nothing more is sent; this is a bug in backfill: please report it with this line",
        )


class StorageError(BackfillError):
    """The job folder cannot be written or read."""


class CheckpointError(StorageError):
    """The checkpoint is damaged, from a newer version, or not a checkpoint at all."""


class SafetyStop(BackfillError):
    """The run stopped before harm was done, or because Shout refuses or is down; resumable."""

    exit_code = 4


class JobLocked(BackfillError):
    """Another run holds this job."""

    exit_code = 11


class Interrupted(BackfillError):
    """Stopped by Ctrl-C, SIGTERM or a closed terminal; resumable."""

    exit_code = 130
