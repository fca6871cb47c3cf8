"""Which files are meant, and what is in them: told without opening one as an export.

A run that only resumes needs no more than this, so nothing heavy is imported here.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from glob import glob, has_magic
from pathlib import Path

from backfill.errors import SourceError, UsageError
from backfill.job_folder.files import has_job

READABLE = frozenset(
    {".csv", ".tsv", ".tab", ".psv", ".txt"}
    | {".xlsx", ".xlsm", ".xls", ".xlsb", ".ods"}
    | {".gz", ".zip", ".zst", ".bz2"}
)
"""Name endings that mark an export among other files of a folder; a file that is named counts
whatever it is called."""

_BLOCK = 1 << 20
#: As it looks after it became a path. One letter is a drive of Windows.
_URL = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]+):/+")


def expand(paths: Sequence[Path]) -> list[Path]:
    """The files that ``paths`` (files, folders, glob patterns) stand for, each of them once.

    The order is the one given; inside a folder or pattern it is by name. A folder stands for the
    exports right inside it, hidden files and spreadsheet lock files aside; for those further down
    there is the pattern ``folder/**/*.csv``.

    Raises UsageError where a path leads to nothing, SourceError where a folder cannot be listed.
    """
    found: dict[Path, Path] = {}
    for given in paths:
        for path in _stands_for(given):
            found.setdefault(path.resolve(), path)
    if not found:
        raise UsageError("no export was given", hint="name a file, a folder or a pattern")
    return list(found.values())


def sha256_of(path: Path) -> str:
    """The SHA-256 of the file's bytes, as hex. Raises SourceError where it cannot be read."""
    digest = hashlib.sha256()
    try:
        with path.open("rb", buffering=0) as file:
            while block := file.read(_BLOCK):
                digest.update(block)
    except OSError as error:
        raise unreadable(path, error) from error
    return digest.hexdigest()


def unreadable(path: Path, error: OSError) -> SourceError:
    """What to tell a person whose file the system does not let us read."""
    if isinstance(error, PermissionError):
        return SourceError(
            path, "cannot be read: permission denied", hint="check the permissions of the file"
        )
    return SourceError(path, f"cannot be read ({error.strerror or error})")


def _stands_for(given: Path) -> list[Path]:
    if remote := _URL.match(str(given)):
        raise UsageError(
            f"{remote[1]}://{str(given)[remote.end() :]}: an export has to be a file on this"
            " machine, not an address",
            hint="download it first, then name the file",
        )
    if str(given) == "-":
        raise UsageError(
            "-: standard input cannot be used, because an export is read twice",
            hint="save it to a file first, then name the file",
        )
    try:
        if given.is_dir() and has_job(given):
            raise UsageError(
                f"{given}: this is a job folder, not an export",
                hint=f"continue the job with 'backfill run --job {given}', or name an export",
            )
        if given.is_dir():
            found = _exports(given.iterdir())
            if not found:
                raise UsageError(
                    f"{given}: no export in this folder",
                    hint=f"looked for {', '.join(sorted(READABLE))}; "
                    f"for folders inside it give the pattern '{given}/**/*.csv'",
                )
            return found
        if given.exists():
            return [given]
    except PermissionError as error:
        raise SourceError(
            given, "cannot be read: permission denied", hint="check the permissions of the folder"
        ) from error
    except (OSError, ValueError) as error:  # a name too long, or with a NUL in it
        raise UsageError(f"{given}: not a valid path ({error})") from error
    if not has_magic(str(given)):
        raise UsageError(f"{given}: no such file", hint="check the spelling of the path")
    matches = (Path(match) for match in glob(str(given), recursive=True))
    found = sorted(path for path in matches if path.is_file() and not _is_aside(path))
    if not found:
        raise UsageError(f"{given}: no file matches this pattern")
    return found


def _exports(paths: Iterable[Path]) -> list[Path]:
    return sorted(
        path
        for path in paths
        if path.suffix.lower() in READABLE and path.is_file() and not _is_aside(path)
    )


def _is_aside(path: Path) -> bool:
    """Hidden files, and the lock file that a spreadsheet program leaves beside an open one."""
    return path.name.startswith((".", "~$"))
