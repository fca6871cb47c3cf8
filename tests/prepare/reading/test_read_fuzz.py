"""Whatever bytes are in a file, it is read as rows or refused in one line: never a traceback.

The short form runs with the other tests. The long form takes its count from the environment:
``BACKFILL_FUZZ=1000000 pytest -m fuzz tests/prepare/test_read_fuzz.py``. A failure names its seed;
``BACKFILL_FUZZ_SEED`` starts there again.
"""

from __future__ import annotations

import bz2
import gzip
import io
import os
import random
import zipfile
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
import xlsxwriter  # type: ignore[import-untyped]
import zstandard

from backfill.errors import SourceError, UsageError
from backfill.prepare.reading import csv_blocks, delimited
from backfill.prepare.reading.sources import open_sources
from backfill.prepare.reading.table import to_arrow

CSV = (
    'sep=;\r\nSales of 2021\r\n\r\nid;nämé;total;"no\r\nte"\r\n1;Zoë;5,00;"a ""b""\r\nc"\r\n'
    '2;12" pipe;\r\n\r\n3;Bob;7,00;x;y\r\n;;;\r\n4;"Ann;8\r\n'
)
TOKENS = [b'"', b'""', b",", b";", b"\t", b"|", b"\n", b"\r", b"\r\n", b"\r\r\n", b"\0", b"\xff"]
TOKENS += [b"\xef\xbb\xbf", b"\xff\xfe", "é".encode(), b"\xe9", b"a", b"1.5", b" ", b"\x1a", b"<"]


def zipped(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def workbook() -> bytes:
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer, {"in_memory": True}) as book:
        sheet = book.add_worksheet("Orders")
        sheet.write_row(2, 1, ["id", "name", "total"])
        for row in range(3, 8):
            sheet.write_row(row, 1, [row, "x" * row, row / 7])
    return buffer.getvalue()


def workbook_parts(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


TEXTS = [CSV.encode(name) for name in ("utf-8", "utf-8-sig", "utf-16", "utf-16-be", "cp1252")]
PACKS: list[Callable[[bytes], bytes]] = [
    gzip.compress,
    zstandard.compress,
    bz2.compress,
    lambda data: zipped(**{"a.csv": data, "b.txt": data}),
]
WORKBOOK = workbook()
PARTS = workbook_parts(WORKBOOK)


def changed(data: bytes, dice: random.Random) -> bytes:
    """A few cuts, flips, copies and insertions."""
    changed = bytearray(data)
    for _ in range(dice.randint(0, 6)):
        at = dice.randint(0, len(changed))
        length = dice.choice([1, 1, 2, 8, 60])
        match dice.randrange(5):
            case 0:
                del changed[at : at + length]
            case 1:
                changed[at:at] = dice.choice(TOKENS) * dice.choice([1, 1, 1, 3, 200])
            case 2:
                changed[at : at + length] = dice.randbytes(length)
            case 3:
                changed[at:at] = changed[max(0, at - length) : at]
            case 4:
                del changed[at:]
    return bytes(changed)


def random_file(dice: random.Random) -> bytes:
    """Litter, text, packed text and workbooks, more or less broken."""
    match dice.randrange(12):
        case 0:
            return dice.randbytes(dice.randrange(400))
        case 1 | 2 | 3:
            return b"".join(dice.choices(TOKENS, k=dice.randrange(60)))
        case 4 | 5 | 6 | 7:
            return changed(dice.choice(TEXTS), dice)
        case 8:
            return changed(dice.choice(PACKS)(dice.choice(TEXTS)), dice)
        case 9:
            return dice.choice(PACKS)(changed(dice.choice(TEXTS), dice))
        case 10:
            return changed(WORKBOOK, dice)
        case _:
            broken = dice.choice(sorted(PARTS))
            return zipped(**(PARTS | {broken: changed(PARTS[broken], dice)}))


def judge(dice: random.Random) -> Callable[[object], float]:
    verdict = dice.choice([0.0, 0.05, 0.5, 2.0])
    return lambda _: verdict


def check(path: Path, seed: int) -> None:
    dice = random.Random(seed)
    path.write_bytes(random_file(dice))
    refused: SourceError | UsageError | None = None
    try:
        readers = open_sources([path], sheet=None, taken={}, knows=judge(dice))
        for reader in readers:
            numbers = [reader.table.header_row]
            for batch in map(to_arrow, reader.batches()):
                assert batch.column_names == [*reader.table.columns, "_row", "_ragged"]
                batch.validate(full=True)
                assert sum(column.null_count for column in batch.columns[-2:]) == 0
                numbers += batch["_row"].to_pylist()
            assert all(first < second for first, second in pairwise(numbers))
    except (SourceError, UsageError) as error:
        refused = error
    if refused is not None:
        assert "\n" not in refused.message
        assert refused.message.startswith(str(path))


def run(folder: Path, seeds: range, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in seeds:
        # Tiny blocks and batches, so that small files have borders too.
        monkeypatch.setattr(csv_blocks, "BLOCK_BYTES", (32, 300, 1 << 20)[seed % 3])
        monkeypatch.setattr(delimited, "BATCH_ROWS", (1, 1 << 16)[seed % 2])
        try:
            check(folder / "any", seed)
        except BaseException as error:
            error.add_note(f"seed {seed}; the file is still there: {folder / 'any'}")
            raise


def test_some_hundred_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(tmp_path, range(600), monkeypatch)


@pytest.mark.fuzz
def test_as_many_files_as_wanted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = int(os.environ.get("BACKFILL_FUZZ_SEED", "0"))
    count = int(os.environ.get("BACKFILL_FUZZ", "100000"))
    run(tmp_path, range(first, first + count), monkeypatch)
