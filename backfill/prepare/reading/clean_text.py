"""The text of an export, as the parser of delimited text wants it: UTF-8, and no litter.

Most files need nothing done to them. So each is surveyed once, cheaply, and only what the survey
found (another encoding, NUL bytes, stray carriage returns, a dialect) puts a filter in front of
the parser.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import IO

import numpy as np
import pyarrow as pa

from backfill.checkpoint.decisions import Decision, Evidence, SettledBy
from backfill.prepare.reading.encoding import (
    Encoding,
    Sample,
    Utf8Evidence,
    decoder,
    named,
    told_by_mark,
    told_by_words,
)
from backfill.prepare.reading.origin import Origin

STRAY_CR = "\ue00d\uf80d\ue00d"
"""Stands for a carriage return that ends no line, so that no parser takes it for a line's end; the
reader puts the carriage return back. From the private use area: no export has these three."""

DELIMITERS = (",", ";", "\t", "|")
_BLOCK = 1 << 20
_TAIL = 1 << 16
_LITTER = re.compile(f"[\0\r]|{STRAY_CR}")
_NO_DELIMITER = "\x1f"


@dataclass(frozen=True, slots=True)
class Survey:
    """What one pass over the bytes of a text file found."""

    size: int
    encoding: Encoding
    bom: int
    """How many bytes of byte order mark stand before the text."""
    has_nul: bool
    stray_cr: bool
    """Whether a carriage return stands where no line ends."""
    doubled_cr: bool
    """Whether lines end in CR CR LF, as a file does that was converted once too often."""
    escapes: int
    """How many quotes a backslash escapes; 0 where quotes are doubled, as usual."""
    tail: str
    """The last 64 KB or less."""
    wrapped: str | None = None
    """Where each row stands in one quoted cell, as if it were text: the delimiter of the blank
    cells beside it, or an empty text. None where rows stand as rows."""

    @property
    def is_clean(self) -> bool:
        """Whether the parser can have the bytes as they are."""
        return self.encoding.name == "utf-8" and not (
            self.has_nul
            or self.stray_cr
            or self.doubled_cr
            or self.escapes
            or self.wrapped is not None
        )

    def breaks_off_in(self, cell: str, delimiter: str) -> bool:
        """Whether the text ends inside of ``cell``, its last one: its quotes were never closed."""
        if self.escapes or self.wrapped is not None:
            return False
        tail = _LITTER.sub("", self.tail)
        opened = '"' + _LITTER.sub("", cell).replace('"', '""')
        if len(opened) > len(tail) >= _TAIL // 4:
            return True  # too large to tell, and so large a last cell is nothing else
        return tail.endswith(delimiter + opened)

    def decisions(self, source: str) -> list[Decision]:
        """What is out of the ordinary about the text."""
        made = [self.encoding.decision(source)]
        if self.escapes:
            made.append(
                _quoting(
                    source,
                    "backslash",
                    Evidence(
                        supporting=self.escapes,
                        note='quotes behind a backslash (\\") are part of their cell: otherwise '
                        "cells would end in the middle",
                    ),
                )
            )
        if self.wrapped is not None:
            made.append(
                _quoting(
                    source,
                    "whole rows",
                    Evidence(note="each row stands in one quoted cell, and was taken out of it"),
                )
            )
        return [one for one in made if one is not None]


def survey(origin: Origin, source: str, encoding: str | None = None) -> Survey:
    """Reads the bytes once, for what stands in a parser's way.

    :param encoding: what the user says it is.
    :raises SourceError: the bytes cannot be read.
    :raises UsageError: the encoding cannot be told from the bytes, or there is none of that name.
    """
    utf8, lines = Utf8Evidence(), _LineEnds()
    size, tail, has_escapes = 0, b"", False
    with origin.open() as file:
        first = block = file.read(_BLOCK)
        bom, told = told_by_mark(first)
        if encoding is not None:
            told = named(encoding)
        wide = decoder(told) if told not in (None, "utf-8") else None
        while block:
            size += len(block)
            if wide is None:
                utf8.add(block)
            else:
                block = wide.decode(block).encode("utf-8", "replace")
            lines.add(block)
            has_escapes = has_escapes or b'\\"' in block
            tail = (tail + block)[-_TAIL:] if len(block) < _TAIL else block[-_TAIL:]
            block = file.read(_BLOCK)
    if encoding is not None:
        found = Encoding(str(told), SettledBy.OPTION)
    elif wide is not None:
        found = Encoding(str(told))
    else:
        found = utf8.verdict() or told_by_words(source, _sample(origin))
    result = Survey(
        size=size,
        encoding=found,
        bom=bom,
        has_nul=lines.has_nul,
        stray_cr=lines.stray_cr,
        doubled_cr=lines.doubled_cr,
        escapes=0,
        tail=decoder("utf-8" if wide is not None else found.name).decode(tail, True),
    )
    return replace(result, escapes=_escapes(origin, result)) if has_escapes else result


def _sample(origin: Origin) -> list[bytes]:
    sample = Sample()
    with origin.open() as file:
        while block := file.read(_BLOCK):
            sample.add(block)
    sample.add(b"", is_last=True)
    return sample.cells()


def _escapes(origin: Origin, found: Survey) -> int:
    """How many quotes a backslash escapes, as PHP and databases write them; 0 where quotes fit
    the cells better as they stand."""
    doubled, escaped = _Quotes(behind_backslash=True), _Quotes(behind_backslash=False)
    with open_clean(origin, found) as file:
        while block := file.read(_BLOCK):
            doubled.add(block)
            escaped.add(block)
    return escaped.left_out if escaped.misplaced() < doubled.misplaced() else 0


class _Quotes:
    """Counts the quotes that neither begin nor end a cell, over the blocks of a text."""

    def __init__(self, *, behind_backslash: bool) -> None:
        self.left_out = 0
        self._counts_all = behind_backslash
        self._misplaced = 0
        self._is_open = False
        self._held = b"\n\n"  # what stands before the text, as it were

    def add(self, block: bytes) -> None:
        """The next block; its last byte waits, since what follows it is not known."""
        text = np.frombuffer(self._held + block, np.uint8)
        self._held = bytes(text[-2:])
        quotes = np.flatnonzero(text[1:-1] == ord('"')) + 1
        if not self._counts_all:
            plain = text[quotes - 1] != ord("\\")
            self.left_out += len(quotes) - int(plain.sum())
            quotes = quotes[plain]
        opening, closing = quotes[self._is_open :: 2], quotes[not self._is_open :: 2]
        self._misplaced += int(np.sum(~_BESIDE_QUOTES[text[opening - 1]]))
        self._misplaced += int(np.sum(~_BESIDE_QUOTES[text[closing + 1]]))
        self._is_open ^= bool(len(quotes) % 2)

    def misplaced(self) -> int:
        """A text that ends within quotes counts as one more."""
        if self._held != b"\n\n":
            self.add(b"\n")
        return self._misplaced + self._is_open


_BESIDE_QUOTES = np.zeros(256, dtype=bool)
_BESIDE_QUOTES[list(b'"\r\n' + "".join(DELIMITERS).encode())] = True


def _quoting(source: str, value: str, evidence: Evidence) -> Decision:
    return Decision(
        what="quoting",
        source=source,
        column=None,
        value=value,
        settled_by=SettledBy.PROOF,
        evidence=evidence,
    )


def beginning(origin: Origin) -> tuple[bytes, str]:
    """The first 64 KB at most, and the same as text: good enough to tell what kind of file it is,
    with a character a byte where the encoding has no mark of its own."""
    with origin.open() as file:
        start = file.read(1 << 16)
    bom, encoding = told_by_mark(start)
    return start, start[bom:].decode(encoding or "latin-1", "replace")


@contextmanager
def open_clean(
    origin: Origin, found: Survey, offset: int = 0
) -> Iterator[IO[bytes] | pa.NativeFile]:
    """The text as clean UTF-8 from ``offset`` on, counted in bytes of just that clean UTF-8.

    Stray carriage returns come as :data:`STRAY_CR`; NUL bytes are gone, and
    quotes are doubled as usual. Raises as Origin.open.
    """
    with origin.open() as file:
        if found.is_clean:
            _skip(file, found.bom + offset)
            yield file
        else:
            blocks = _cleaned(file, found)
            if found.wrapped is not None:
                blocks = _unwrapped(blocks, found.wrapped)
            filtered = io.BufferedReader(_Blocks(blocks), _BLOCK)
            _skip(filtered, offset)
            yield filtered


def _skip(file: IO[bytes] | pa.NativeFile, count: int) -> None:
    while count > 0 and (block := file.read(min(count, _BLOCK))):
        count -= len(block)


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
    decoding = decoder(found.encoding.name)
    held = ""  # what a block ends with, until it is known what follows
    is_first = True
    final = False
    while not final:
        block = file.read(_BLOCK)
        final = not block
        text = held + decoding.decode(block, final)
        if is_first and text:
            text = text.removeprefix("\ufeff")
            is_first = False
        if found.has_nul:
            text = text.replace("\0", "")
        held = "" if final else text[len(text.rstrip("\r\\")) :]
        text = text[: len(text) - len(held)]
        if found.doubled_cr:
            text = text.replace("\r\r\n", "\r\n")
        if found.stray_cr:
            text = re.sub("\r(?!\n)", STRAY_CR, text)
        if found.escapes:
            text = text.replace('\\"', '\\""')
        yield text.encode("utf-8", "replace")


def _unwrapped(blocks: Iterable[bytes], delimiter: str) -> Iterator[bytes]:
    """Each record is one quoted cell: what is in it is the record that was meant.

    :param delimiter: of the blank cells behind it; empty where there are none.
    """
    delimiter = delimiter or _NO_DELIMITER
    lines = io.TextIOWrapper(
        io.BufferedReader(_Blocks(iter(blocks)), _BLOCK), "utf-8", "replace", newline=""
    )
    for cells in csv.reader(lines, delimiter=delimiter):
        record = delimiter.join(cells) if any(cells[1:]) else "".join(cells)
        yield (record + "\n").encode()


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
