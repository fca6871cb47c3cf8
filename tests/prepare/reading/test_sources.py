"""Which files are read, packed or not, and what is said of those that cannot be."""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import pytest
import zstandard

from backfill.errors import SourceError, UsageError
from backfill.prepare.reading.fingerprint import expand, sha256_of
from backfill.prepare.reading.sources import open_sources
from tests.prepare.reading.reading_files import (
    PLAIN,
    PLAIN_ROWS,
    Write,
    cells_of,
    knows_nothing,
    open_one,
    read_all,
    rows_of,
)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    return Write(tmp_path)


# --- packed files ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "pack"),
    [("o.csv.gz", gzip.compress), ("o.csv.zst", zstandard.compress), ("o.csv.bz2", bz2.compress)],
)
class TestPacked:
    def test_is_unpacked_on_the_way(
        self, write: Write, name: str, pack: Callable[[bytes], bytes]
    ) -> None:
        """By its bytes, whatever it is called; the fingerprint is that of the packed file."""
        data = "id,näme\n".encode("cp1252") + b"1,x\n" * 1000
        for path in (write(pack(data), name), write(pack(data), "named.csv")):
            reader = open_one(path)
            assert reader.table.sha256 == sha256(path.read_bytes()).hexdigest()
            assert reader.table.header == ("id", "näme")
            assert read_all(reader).num_rows == 1000

    def test_cut_off(self, write: Write, name: str, pack: Callable[[bytes], bytes]) -> None:
        """Known before any row is handed out."""
        rows = "".join(f"{n * n},x{n}\n" for n in range(100_000)).encode()
        packed = pack(b"id,name\n" + rows)
        path = write(packed[: len(packed) // 2], name)
        with pytest.raises(SourceError, match="cut off or damaged"):
            open_one(path)

    def test_two_parts_in_one_file(
        self, write: Write, name: str, pack: Callable[[bytes], bytes]
    ) -> None:
        assert rows_of(write(pack(PLAIN.encode()) + pack(b"3,Cy,7\n"), name))[2][0] == "3"

    def test_a_workbook_inside(
        self, write: Write, name: str, pack: Callable[[bytes], bytes]
    ) -> None:
        with pytest.raises(SourceError, match="contains other files or a workbook"):
            open_one(write(pack(b"PK\x03\x04" + bytes(100)), name))


def zipped(**members: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def test_a_zip_of_one_export(write: Write) -> None:
    path = write(zipped(**{"out/orders.csv": PLAIN, "out/": "", "__MACOSX/orders.csv": "x"}), "a")
    reader = open_one(path)
    assert reader.table.source == str(path)
    assert reader.table.number == 0
    assert rows_of(path) == PLAIN_ROWS


def test_a_zip_of_several_exports(write: Write) -> None:
    """Each is a source; what is no export is named."""
    path = write(zipped(**{"b.csv": "id,x\n9,y\n", "a.csv": PLAIN, "photo.png": "x"}), "all.zip")
    readers = open_sources([path], sheet=None, taken={}, knows=knows_nothing)
    assert [reader.table.source for reader in readers] == [f"{path} [a.csv]", f"{path} [b.csv]"]
    assert [reader.table.number for reader in readers] == [1, 2]
    assert [cells_of(read_all(reader))[0][0] for reader in readers] == ["1", "9"]
    assert readers[0].skipped_sheets == ("photo.png",)
    assert {reader.table.sha256 for reader in readers} == {sha256(path.read_bytes()).hexdigest()}


# --- which files -------------------------------------------------------------------------------


def test_folders_and_patterns(write: Write, tmp_path: Path) -> None:
    """A folder is its exports by name, hidden and lock files aside; a pattern reaches deeper."""
    a, b = write(PLAIN, "in/b.csv"), write(PLAIN, "in/a.TXT")
    for name in ("in/.hidden.csv", "in/~$a.xlsx", "in/notes.md"):
        write("x", name)
    deep = tmp_path / "in" / "deep"
    deep.mkdir()
    (deep / "c.csv").write_text(PLAIN)
    folder = tmp_path / "in"
    assert expand([folder]) == [b, a]
    assert expand([folder / "*.csv", folder]) == [a, b]
    assert expand([folder / "**" / "*.csv"]) == [a, deep / "c.csv"]
    assert expand([folder / "deep" / ".." / "b.csv", a]) == [folder / "deep" / ".." / "b.csv"]


def test_a_name_with_brackets_is_a_name_first(write: Write) -> None:
    path = write(PLAIN, "orders [1].csv")
    assert expand([path]) == [path]


def test_fingerprints(write: Write) -> None:
    """Of the bytes, the same as the source's."""
    path = write(PLAIN)
    assert sha256_of(path) == sha256(PLAIN.encode()).hexdigest()
    assert open_one(path).table.sha256 == sha256(PLAIN.encode()).hexdigest()


def test_fingerprints_load_nothing_heavy() -> None:
    """A run that only resumes does not wait for pyarrow."""
    code = (
        "import sys, backfill.prepare.reading.fingerprint;"
        "sys.exit(bool({'pandas', 'numpy', 'pyarrow'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_changed_file_gets_a_label_of_its_own(write: Write) -> None:
    """A label that stands for other bytes is not used again; the same bytes keep theirs."""
    path = write(PLAIN)
    label = str(path)
    same = sha256(PLAIN.encode()).hexdigest()

    def labelled(**taken: str) -> str:
        named = {label + key.replace("_", " "): value for key, value in taken.items()}
        (reader,) = open_sources([path], sheet=None, taken=named, knows=knows_nothing)
        return reader.table.source

    assert labelled() == label
    assert labelled(**{"": same}) == label
    assert labelled(**{"": "other"}) == f"{label} (2)"
    assert labelled(**{"": "other", " (2)": same}) == f"{label} (2)"
    assert labelled(**{"": "other", " (2)": "third"}) == f"{label} (3)"


# --- what cannot be read -----------------------------------------------------------------------

REFUSED: list[tuple[str, bytes, str]] = [
    ("empty.csv", b"", "is empty"),
    ("blank.csv", b"\n \n,,\n", "only blank lines"),
    ("nul.csv", bytes(5000), "neither text nor a workbook"),
    ("bom.csv", codecs.BOM_UTF8, "is empty"),
    ("header.csv", b"id,name,total\n", "no rows below the header"),
    ("header.csv", b"id,name,total\n\n,,\n", "no rows below the header"),
    ("page.xls", b"<html><table><tr><td>id</td></tr></table></html>", "web page"),
    ("page.csv", b"\xef\xbb\xbf \n<!DOCTYPE html><p>", "web page"),
    ("page.csv", "<?xml version='1.0'?><Workbook/>".encode("utf-16"), "web page or XML"),
    ("orders.csv", b'{"orders": []}', "is JSON"),
    ("orders.csv", b'[{"id": 1}]', "is JSON"),
    ("orders.csv", b"%PDF-1.7\n", "is a PDF"),
    ("orders.csv", b"\x89PNG\r\n\x1a\n", "is a picture"),
    ("orders.csv", bytes(range(256)) * 8, "neither text nor a workbook"),
    ("orders.rar", b"Rar!\x1a\x07\x00", "RAR"),
    ("cut.xlsx", b"PK\x03\x04\x14\x00\x06\x00", "cut off or damaged"),
    ("cut.zip", zipped(**{"a.csv": PLAIN})[:60], "cut off or damaged"),
    ("none.zip", zipped(**{"a.png": "x"}), "contains no export"),
    ("empty.zip", zipped(), "contains no export"),
    ("letter.docx", zipped(**{"word/document.xml": "x"}), "is a text document"),
    ("sums.numbers", zipped(**{"Index/Document.iwa": "x"}), "is an Apple Numbers file"),
    ("zip.zip", zipped(**{"a.zip": "PK\x03\x04"}), "contains other files or a workbook"),
    ("old.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "cut off or damaged"),
    (
        "locked.xlsx",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600) + "EncryptedPackage".encode("utf-16-le"),
        "protected by a password",
    ),
]


@pytest.mark.parametrize(("name", "content", "says"), REFUSED)
def test_what_cannot_be_read_is_told_in_one_line(
    write: Write, name: str, content: bytes, says: str
) -> None:
    """With the file, what is wrong, and what to do next; never a traceback."""
    path = write(content, name)
    with pytest.raises(SourceError, match=says) as caught:
        open_one(path)
    assert caught.value.message.startswith(str(path))
    assert "\n" not in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("name", ["none.csv", "none", "no*.csv", "in", "a\0b", "x" * 5000])
def test_a_path_that_leads_to_nothing(tmp_path: Path, name: str) -> None:
    (tmp_path / "in").mkdir()
    with pytest.raises(UsageError) as caught:
        expand([tmp_path / name])
    assert "\n" not in caught.value.message


def test_no_path_at_all() -> None:
    with pytest.raises(UsageError, match="no export was given"):
        expand([])


@contextmanager
def as_nobody() -> Iterator[None]:
    """Root may read everything, so for a moment this process is not root."""
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)


@pytest.mark.parametrize(
    "content", [PLAIN.encode(), gzip.compress(b"x", mtime=0), b"PK\x03\x04", b""]
)
def test_a_file_that_may_not_be_read(write: Write, content: bytes) -> None:
    path = write(content)
    path.chmod(0)
    with as_nobody():
        with pytest.raises(SourceError, match="permission denied"):
            open_one(path)
        with pytest.raises(SourceError, match="permission denied"):
            sha256_of(path)


def test_a_folder_that_may_not_be_read(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir(mode=0)
    with as_nobody(), pytest.raises(SourceError, match="permission denied"):
        expand([folder])


def test_all_headers_are_checked_before_any_row(write: Write) -> None:
    good, bad = write(PLAIN, "a.csv"), write("", "b.csv")
    with pytest.raises(SourceError, match=r"b\.csv"):
        open_sources([good, bad], sheet=None, taken={}, knows=knows_nothing)


def test_sheet_without_a_workbook(write: Write) -> None:
    with pytest.raises(UsageError, match="--sheet Orders"):
        open_sources([write(PLAIN)], sheet="Orders", taken={}, knows=knows_nothing)
