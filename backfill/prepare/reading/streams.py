"""The bytes of an export, as the parser of delimited text wants them: unpacked, UTF-8, no litter.

Most files need nothing done to them. So each is surveyed once, cheaply, and only what the survey
found (another encoding, NUL bytes, stray carriage returns) puts a filter in front of the parser.
"""

from __future__ import annotations

import codecs
import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

import numpy as np
import pyarrow as pa

from backfill.errors import SourceError
from backfill.prepare.reading.fingerprint import unreadable

Compression = Literal["gzip", "zstd", "bz2"]

STRAY_CR = "\ue00d\uf80d\ue00d"
"""Stands for a carriage return that ends no line, so that no parser takes it for a line's end; the
reader puts the carriage return back. From the private use area: no export has these three."""

_BLOCK = 1 << 20
_TAIL = 1 << 16
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, which begins alike
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_LITTER = re.compile(f"[\0\r]|{STRAY_CR}")
_MIXED = "utf-8 with windows-1252 in places"
_ENOUGH_BAD_BYTES = 1000


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the bytes of one text file are: a file, packed or not, or a member of a zip."""

    path: Path
    member: str | None = None
    compression: Compression | None = None

    @contextmanager
    def open(self) -> Iterator[IO[bytes] | pa.NativeFile]:
        """The unpacked bytes from the first on. Raises SourceError, also while they are read,
        where the file may not be read or its packing is damaged."""
        try:
            if self.member is not None:
                with zipfile.ZipFile(self.path) as archive, archive.open(self.member) as file:
                    yield file
            else:
                with pa.OSFile(str(self.path)) as file:
                    if self.compression is None:
                        yield file
                    else:
                        with pa.CompressedInputStream(file, self.compression) as unpacked:
                            yield unpacked
        except (PermissionError, FileNotFoundError) as error:
            raise unreadable(self.path, error) from error
        except (OSError, EOFError, zlib.error, zipfile.BadZipFile, NotImplementedError) as error:
            raise self.damaged(str(error)) from error
        except RuntimeError as error:  # how zipfile says that a member is encrypted
            if "encrypted" not in str(error):
                raise
            raise SourceError(
                self.path, "is protected by a password", hint="unpack it and give the file inside"
            ) from error

    def damaged(self, why: str) -> SourceError:
        """What to say of a file that breaks off or does not unpack."""
        if self.member is None and self.compression is None:
            return SourceError(self.path, f"cannot be read ({why})")
        return SourceError(
            self.path,
            f"is cut off or damaged, and cannot be unpacked ({why})",
            hint="download or copy the file again",
        )


@dataclass(frozen=True, slots=True)
class Survey:
    """What one pass over the bytes of a text file found."""

    size: int
    encoding: str
    """For people, and the codec's name but for windows-1252 among UTF-8."""
    bom: int
    """How many bytes of byte order mark stand before the text."""
    has_nul: bool
    stray_cr: bool
    """Whether a carriage return stands where no line ends."""
    doubled_cr: bool
    """Whether lines end in CR CR LF, as a file does that was converted once too often."""
    tail: bytes
    """The last 64 KB or less, in UTF-8 if the text is UTF-16 or -32 and as they stand if not."""

    @property
    def is_clean(self) -> bool:
        """Whether the parser can have the bytes as they are."""
        return self.encoding == "utf-8" and not (self.has_nul or self.stray_cr or self.doubled_cr)

    def breaks_off_in(self, cell: str, delimiter: str) -> bool:
        """Whether the text ends inside of ``cell``, its last one: its quotes were never closed."""
        encoding = "utf-8" if self.encoding.startswith("utf") else "windows-1252"
        tail = _LITTER.sub("", self.tail.decode(encoding, "replace"))
        opened = '"' + _LITTER.sub("", cell).replace('"', '""')
        if len(opened) > len(tail) >= _TAIL // 4:
            return True  # too large to tell, and so large a last cell is nothing else
        return tail.endswith(delimiter + opened)


def survey(origin: Origin) -> Survey:
    """Reads the bytes once, for what stands in a parser's way.

    Raises SourceError where they cannot be read.
    """
    utf8 = _Utf8Evidence()
    lines = _LineEnds()
    size, tail = 0, b""
    wide: codecs.IncrementalDecoder | None = None
    with origin.open() as file:
        first = block = file.read(_BLOCK)
        bom, encoding = _told_by_bom(first) or (0, _told_by_zeros(first))
        if encoding not in (None, "utf-8"):
            wide = codecs.getincrementaldecoder(encoding)("replace")
        while block:
            size += len(block)
            if wide is None:
                utf8.add(block)
            else:
                block = wide.decode(block).encode("utf-8", "replace")
            lines.add(block)
            tail = (tail + block)[-_TAIL:] if len(block) < _TAIL else block[-_TAIL:]
            block = file.read(_BLOCK)
    return Survey(
        size=size,
        encoding=encoding if wide is not None and encoding else utf8.verdict(),
        bom=bom,
        has_nul=lines.has_nul,
        stray_cr=lines.stray_cr,
        doubled_cr=lines.doubled_cr,
        tail=tail,
    )


def beginning(origin: Origin) -> tuple[bytes, str]:
    """The first 64 KB at most, and the same as text: good enough to tell what kind of file it is,
    with a character a byte where the encoding has no mark of its own."""
    with origin.open() as file:
        start = file.read(1 << 16)
    bom, encoding = _told_by_bom(start) or (0, _told_by_zeros(start))
    return start, start[bom:].decode(encoding or "latin-1", "replace")


@contextmanager
def open_clean(
    origin: Origin, found: Survey, offset: int = 0
) -> Iterator[IO[bytes] | pa.NativeFile]:
    """The text as clean UTF-8 from ``offset`` on, counted in bytes of just that clean UTF-8.

    Stray carriage returns come as :data:`STRAY_CR`; NUL bytes are gone. Raises as Origin.open.
    """
    with origin.open() as file:
        if found.is_clean:
            _skip(file, found.bom + offset)
            yield file
        else:
            filtered = io.BufferedReader(_Blocks(_cleaned(file, found)), _BLOCK)
            _skip(filtered, offset)
            yield filtered


def _skip(file: IO[bytes] | pa.NativeFile, count: int) -> None:
    while count > 0 and (block := file.read(min(count, _BLOCK))):
        count -= len(block)


def _told_by_bom(first: bytes) -> tuple[int, str] | None:
    return next(((len(bom), name) for bom, name in _BOMS if first.startswith(bom)), None)


def _told_by_zeros(first: bytes) -> str | None:
    """UTF-16 without its mark: of Western text, punctuation and digits every second byte is 0."""
    start = first[: 1 << 16]
    even, odd = start[::2].count(0), start[1::2].count(0)
    if 10 * max(even, odd) < len(start) // 2:
        return None
    if 10 * even < odd:
        return "utf-16-le"
    return "utf-16-be" if 10 * odd < even else None


#: The first bytes of a UTF-8 character at the end, fewer than it has (RFC 3629, section 3).
_UNFINISHED = re.compile(
    rb"(?:[\xc2-\xf4]|[\xe0-\xf4][\x80-\xbf]|[\xf0-\xf4][\x80-\xbf][\x80-\xbf])\Z"
)


def _is_utf8(text: bytes) -> bool:
    """Told by Arrow, which needs no decoded copy of the text to know."""
    bounds = pa.py_buffer(np.array([0, len(text)], dtype=np.int32))
    try:
        pa.StringArray.from_buffers(1, bounds, pa.py_buffer(text)).validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


class _Utf8Evidence:
    """Whether bytes are UTF-8; and if not, whether that is an accident or they never were."""

    def __init__(self) -> None:
        self._pending = b""  # a character at a block's end, whose rest is in the next
        self._good = 0  # characters outside ASCII
        self._bad = 0  # bytes that are no part of a character

    def add(self, block: bytes) -> None:
        if self._bad > _ENOUGH_BAD_BYTES:
            return
        text = self._pending + block if self._pending else block
        cut = _UNFINISHED.search(text, max(0, len(text) - 3))
        self._pending = text[cut.start() :] if cut else b""
        self._count(text[: cut.start()] if cut else text)

    def verdict(self) -> str:
        self._count(self._pending)
        if not self._bad:
            return "utf-8"
        return _MIXED if self._good > self._bad else "windows-1252"

    def _count(self, text: bytes) -> None:
        if text.isascii():
            return
        if _is_utf8(text):
            self._good += int(np.count_nonzero(np.frombuffer(text, np.uint8) >= 0xC0))
            return
        escaped = text.decode("utf-8", "surrogateescape")
        self._bad += len(re.findall("[\udc80-\udcff]", escaped))
        self._good += len(re.findall("[^\0-\x7f\udc80-\udcff]", escaped))


class _LineEnds:
    """What stands at and between the ends of lines, across blocks of UTF-8.

    Counts are made only as far as they are needed: looking for a byte is ten times as fast.
    """

    def __init__(self) -> None:
        self.has_nul = False
        self._cr = self._crlf = self._crcrlf = self._lf = 0
        self._tail = b""
        self._is_mac: bool | None = None

    def add(self, block: bytes) -> None:
        if self._is_mac is None:
            self._is_mac = _ends_lines_with_cr(block)
        self.has_nul = self.has_nul or b"\0" in block
        joined = self._tail + block if self._tail else block
        self._tail = b""
        if b"\r" not in joined:
            return
        if joined.endswith(b"\r"):  # what follows it is in the next block
            plain = joined.rstrip(b"\r")
            self._tail = joined[len(plain) :]
            joined = plain
        self._cr += joined.count(b"\r")
        self._crlf += joined.count(b"\r\n")
        if self._cr > self._crlf:
            self._crcrlf += joined.count(b"\r\r\n")
            self._lf += joined.count(b"\n")

    @property
    def doubled_cr(self) -> bool:
        return 2 * self._crcrlf > self._lf

    @property
    def stray_cr(self) -> bool:
        ending_lines = self._crlf + (self._crcrlf if self.doubled_cr else 0)
        return not self._is_mac and self._cr + len(self._tail) > ending_lines


def _ends_lines_with_cr(block: bytes) -> bool:
    """Whether lines end as on a classic Macintosh: outside quotes there are only CRs."""
    outside = b"".join(block.split(b'"')[::2])
    return b"\r" in outside and b"\n" not in outside


def _cleaned(file: IO[bytes] | pa.NativeFile, found: Survey) -> Iterator[bytes]:
    decoder = _decoder(found.encoding)
    held = ""  # carriage returns at a block's end, until it is known what follows them
    is_first = True
    final = False
    while not final:
        block = file.read(_BLOCK)
        final = not block
        text = held + decoder.decode(block, final)
        if is_first and text:
            text = text.removeprefix("\ufeff")
            is_first = False
        if found.has_nul:
            text = text.replace("\0", "")
        held = "" if final else text[len(text.rstrip("\r")) :]
        text = text[: len(text) - len(held)]
        if found.doubled_cr:
            text = text.replace("\r\r\n", "\r\n")
        if found.stray_cr:
            text = re.sub("\r(?!\n)", STRAY_CR, text)
        yield text.encode("utf-8", "replace")


def _decoder(encoding: str) -> codecs.IncrementalDecoder:
    if encoding == _MIXED:
        return codecs.getincrementaldecoder("utf-8")("backfill-windows-1252")
    return codecs.getincrementaldecoder(encoding)("replace")


def _as_windows_1252(error: UnicodeError) -> tuple[str, int]:
    """Decodes only the bytes that are no UTF-8; a codec's error handler."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start : error.end].decode("cp1252", "replace"), error.end


codecs.register_error("backfill-windows-1252", _as_windows_1252)


class _Blocks(io.RawIOBase):
    """A file over blocks of bytes."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        while not self._rest:
            block = next(self._blocks, None)
            if block is None:
                return 0
            self._rest = memoryview(block)
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count
