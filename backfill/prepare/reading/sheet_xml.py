"""What a sheet's own XML says that pandas does not: hidden rows, and formulas without a result."""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from posixpath import join, normpath
from xml.etree import ElementTree

_BLOCK = 1 << 20
_OVERLAP = 1 << 10
_RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_HIDDEN_ROW = re.compile(rb'<row\b[^>]*\br="(\d+)"[^>]*\bhidden="(?:1|true)"')
_NO_RESULT = re.compile(
    rb'<c\b[^>]*\br="([A-Z]+\d+)"[^>]*>\s*<f\b[^>]*?(?:/>|>[^<]*</f>)\s*(?:<v\s*/>|<v>\s*</v>)?\s*</c>'
)


#: What another kind of workbook raises, or one that calamine reads though its XML is damaged.
_NOT_AS_EXPECTED = (
    zipfile.BadZipFile,
    zlib.error,
    KeyError,
    IndexError,
    EOFError,
    NotImplementedError,
    ElementTree.ParseError,
)


@dataclass(frozen=True, slots=True)
class SheetFacts:
    """What a spreadsheet shows, or does not, and its cells alone do not tell."""

    hidden_rows: int = 0
    first_hidden_row: int | None = None
    without_result: int = 0
    """formulas whose result is not in the file, as programs write them that cannot calculate"""
    first_without_result: str | None = None
    """the cell, such as ``C7``"""


def sheet_facts(content: bytes, index: int) -> SheetFacts:
    """The facts about a sheet of an .xlsx or .xlsm; of other kinds of workbook nothing is known.

    :param index: the sheet's place in the workbook, from 0.
    """
    hidden: list[int] = []
    without_result: list[str] = []
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for text in _texts(archive, _sheet_path(archive, index)):
                if b"hidden=" in text:
                    hidden += map(int, _HIDDEN_ROW.findall(text))
                if b"<f" in text:
                    without_result += [cell.decode() for cell in _NO_RESULT.findall(text)]
    except _NOT_AS_EXPECTED:
        return SheetFacts()
    hidden = list(dict.fromkeys(hidden))
    without_result = list(dict.fromkeys(without_result))
    return SheetFacts(
        len(hidden),
        hidden[0] if hidden else None,
        len(without_result),
        without_result[0] if without_result else None,
    )


def _sheet_path(archive: zipfile.ZipFile, index: int) -> str:
    """Where in the archive a sheet is; KeyError where there are no such parts."""
    book = ElementTree.fromstring(archive.read("xl/workbook.xml"))  # noqa: S314 (expat: no network)
    sheet = [each for each in book.iter() if each.tag.endswith("}sheet")][index]
    relations = ElementTree.fromstring(archive.read("xl/_rels/workbook.xml.rels"))  # noqa: S314
    target = {each.get("Id"): each.get("Target", "") for each in relations}[sheet.get(_RELATION)]
    return normpath(join("xl", target)) if not target.startswith("/") else target[1:]


def _texts(archive: zipfile.ZipFile, path: str) -> Iterator[bytes]:
    """The text in pieces that overlap, so that no element is cut in two in all of them."""
    with archive.open(path) as file:
        held = b""
        while block := file.read(_BLOCK):
            text = held + block
            yield text
            held = text[-_OVERLAP:]
