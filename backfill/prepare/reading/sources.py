"""Export files of any kind become sources: tables of text rows, in batches."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from backfill.errors import SourceError, UsageError
from backfill.prepare.reading.clean_text import beginning
from backfill.prepare.reading.delimited import open_text
from backfill.prepare.reading.fingerprint import READABLE, expand, sha256_of, unreadable
from backfill.prepare.reading.origin import Compression, Origin
from backfill.prepare.reading.table import HeaderJudge, SourceReader, SourceTable
from backfill.prepare.reading.workbook import open_workbook

__all__ = ["SourceReader", "SourceTable", "open_sources"]


def open_sources(
    paths: Sequence[Path],
    *,
    sheet: str | None,
    taken: Mapping[str, str],
    knows: HeaderJudge,
    sha256: Callable[[Path], str] = sha256_of,
    encoding: str | None = None,
    header_row: int | None = None,
) -> list[SourceReader]:
    """A reader for each source in ``paths`` (files, folders, glob patterns), in their order.

    Every file's header is found, and every packed file unpacked once, before this returns, so that
    a broken file is told of before any row is handed out. ``sheet`` reads just that sheet of each
    workbook. ``taken`` has the labels that stand for earlier sources already, with the SHA-256 of
    each: a file that has changed since gets a label of its own. ``knows`` judges how much a row
    looks like a header. ``sha256`` tells a file's SHA-256, for whoever knows it already.
    ``encoding`` is that of all text files, and ``header_row`` where every header stands, counted
    from 1; both are found out where they are None.

    Raises UsageError where a path leads to nothing or ``sheet`` is in no workbook; SourceError
    where a file cannot be read as a table, with what it is instead where that can be told.
    """
    as_text = partial(open_text, knows=knows, encoding=encoding, header_row=header_row)
    readers: list[SourceReader] = []
    has_sheets = False
    for path in expand(paths):
        kind = _kind(path)
        has_sheets |= kind.is_workbook
        if kind.is_workbook:
            readers += open_workbook(path, sheet=sheet, knows=knows, header_row=header_row)
        elif kind.is_archive:
            readers += _open_archive(path, sha256(path), as_text)
        else:
            origin = Origin(path, compression=kind.compression)
            _require_text(origin, str(path))
            readers.append(as_text(origin, source=str(path), sha256=sha256(path)))
    if sheet is not None and not has_sheets:
        raise UsageError(
            f"--sheet {sheet}: none of the exports is a workbook", hint="leave --sheet out"
        )
    return [reader.labelled(_free_label(reader.table, taken)) for reader in readers]


def _free_label(table: SourceTable, taken: Mapping[str, str]) -> str:
    """The source's label, unless it stands for other bytes: then with a number behind it."""
    label, copy = table.source, 1
    while taken.get(label, table.sha256) != table.sha256:
        copy += 1
        label = f"{table.source} ({copy})"
    return label


class _Kind(NamedTuple):
    """What a file is by its first bytes; its name says little: exports called .xls are often CSV,
    or web pages."""

    is_workbook: bool = False
    is_archive: bool = False
    compression: Compression | None = None


_COMPRESSIONS: tuple[tuple[bytes, Compression], ...] = (
    (b"\x1f\x8b", "gzip"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"BZh", "bz2"),
)
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED_PACKAGE = "EncryptedPackage".encode("utf-16-le")
_NOT_TABLES = (
    (b"%PDF", "a PDF"),
    (b"Rar!", "a RAR archive"),
    (b"7z\xbc\xaf", "a 7-Zip archive"),
    (b"\xfd7zXZ", "an xz archive"),
    (b"SQLite format 3", "an SQLite database"),
    (b"PAR1", "a Parquet file"),
    (b"ARROW1", "an Arrow file"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"GIF8", "a picture"),
    (b"{\\rtf", "a text document"),
)
_CONTROL = re.compile("[\x01-\x08\x0e-\x19\x1b-\x1f]")
_AS_TABLE = "export it as CSV or .xlsx"


def _kind(path: Path) -> _Kind:
    try:
        with path.open("rb") as file:
            start = file.read(16)
    except OSError as error:
        raise unreadable(path, error) from error
    for magic, compression in _COMPRESSIONS:
        if start.startswith(magic):
            return _Kind(compression=compression)
    if start.startswith(_OLE):
        _require_unlocked(path)
        return _Kind(is_workbook=True)
    if start.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _kind_of_zip(path)
    return _Kind()


def _kind_of_zip(path: Path) -> _Kind:
    names = set(_members(path))
    if names & {"xl/workbook.xml", "xl/workbook.bin"} or {"content.xml", "mimetype"} <= names:
        return _Kind(is_workbook=True)
    for member, what in (
        ("word/document.xml", "a text document"),
        ("ppt/presentation.xml", "a presentation"),
        ("Index/Document.iwa", "an Apple Numbers file"),
    ):
        if member in names:
            raise SourceError(path, f"this is {what}, not an export", hint=_AS_TABLE)
    return _Kind(is_archive=True)


def _members(path: Path) -> list[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    except (OSError, zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise SourceError(
            path,
            f"the file is cut off or damaged, and cannot be unpacked ({error})",
            hint="download or copy the file again",
        ) from error


def _require_unlocked(path: Path) -> None:
    """A workbook with a password is no zip: it is an encrypted package inside an OLE file."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise unreadable(path, error) from error
    if _ENCRYPTED_PACKAGE in content:
        raise SourceError(
            path,
            "the file is protected by a password",
            hint="save a copy of it without the password",
        )


def _require_text(origin: Origin, source: str) -> None:
    """Says what a file is that is no delimited text, as far as its first 64 KB tell."""
    start, text = beginning(origin)
    for magic, what in _NOT_TABLES:
        if start.startswith(magic):
            raise SourceError(source, f"this is {what}, not an export", hint=_AS_TABLE)
    if start[257:262] == b"ustar" or start.startswith((b"PK\x03\x04", _OLE)):
        raise SourceError(
            source,
            "the file contains other files or a workbook",
            hint="unpack it, and give what is inside",
        )
    first = text.lstrip()[:100].lower()
    if first.startswith(("<!doctype", "<html", "<table", "<head", "<?xml", "<meta")):
        raise SourceError(
            source,
            "this is a web page or XML, not a table, despite its name",
            hint="open it in a spreadsheet and save it as .xlsx or CSV",
        )
    if first.startswith(("{", "[{")):
        raise SourceError(source, "this is JSON, not a table", hint=_AS_TABLE)
    written = len(text) - text.count("\0")
    if len(_CONTROL.findall(text)) > max(4, written // 50) or 10 * written < len(text):
        raise SourceError(source, "this is neither text nor a workbook", hint=_AS_TABLE)


def _open_archive(
    path: Path, sha256: str, as_text: Callable[..., SourceReader]
) -> list[SourceReader]:
    """The exports inside a zip, each a source; its other files are named as skipped."""
    files = sorted(name for name in _members(path) if not name.endswith("/"))
    wanted = [name for name in files if _is_export(name)]
    if not wanted:
        raise SourceError(
            path, "the archive contains no export", hint=f"looked for {', '.join(sorted(READABLE))}"
        )
    skipped = tuple(name for name in files if name not in wanted)
    readers: list[SourceReader] = []
    for number, name in enumerate(wanted, start=1):
        origin = Origin(path, member=name)
        source = str(path) if len(wanted) == 1 else f"{path} [{name}]"
        _require_text(origin, source)
        readers.append(
            as_text(
                origin,
                source=source,
                number=0 if len(wanted) == 1 else number,
                sha256=sha256,
                skipped=skipped,
            )
        )
    return readers


def _is_export(member: str) -> bool:
    path = PurePosixPath(member)
    is_aside = any(part.startswith((".", "__MACOSX")) for part in path.parts)
    return path.suffix.lower() in READABLE and not is_aside
