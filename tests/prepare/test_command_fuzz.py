"""Whatever an export holds, the dry run ends with an exit code and a line, never with a traceback.

The short form runs with the other tests. The long form takes its count from the environment:
``BACKFILL_FUZZ=100000 python -m pytest -m fuzz tests/prepare/test_command_fuzz.py``. A failure
names its seed; ``BACKFILL_FUZZ_SEED`` starts there again.
"""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

import pytest
from jinja2 import Environment

from backfill.cli import main
from tests.places import GOLDEN
from tests.prepare.reading.test_read_fuzz import PACKS, TOKENS, changed, random_file

EXPORTS = [
    path.read_bytes()
    for path in sorted(GOLDEN.iterdir())
    if path.suffix in (".csv", ".txt") and path.stem != "magento-items"
]
CELLS = [
    *(token for token in TOKENS if token not in (b'"', b'""', b"\n", b"\r", b"\r\n")),
    *b"-1|0|1e400|-0.001|99999999999999999999|1.234|1,234|12.34.5|(5.00)|5-|$|NaN|NULL".split(b"|"),
    *b"31/12/2021|02/30/2021|0000-00-00|9999-12-31T23:59:59+99:99|now|24:61|44312.5".split(b"|"),
    *b"=cmd()|+1|8.015556788E9|+0|'00501|a@b|<script>|\\N|{a}|name:x|Product ID: 1".split(b"|"),
    b"1" * 400, "é漢\u202e\U0001f600".encode(), b"\xed\xa0\x80", b"x" * 40_000,
]  # fmt: skip
OPTIONS: tuple[list[str], ...] = (
    [],
    ["--date-order", "dmy"],
    ["--timezone", "America/Denver", "--region", "DE"],
    ["--map", "profile_name=", "--currency", "EUR"],
    ["--map", "created_at="],
    ["--reference-prefix", "x-"],
)


def random_export(dice: random.Random) -> bytes:
    """A platform's export with odd cells, or broken, packed, cut; or no export at all."""
    if dice.random() < 0.1:
        return random_file(dice)
    data = dice.choice(EXPORTS)
    if dice.random() < 0.8:
        data = with_odd_cells(data, dice)
    if dice.random() < 0.5:
        data = changed(data, dice)
    if dice.random() < 0.1:
        data = dice.choice(PACKS)(data)
    return data


def with_odd_cells(data: bytes, dice: random.Random) -> bytes:
    """Some cells of the rows replaced."""
    lines = data.split(b"\n")
    for _ in range(dice.randint(1, 6)):
        at = dice.randrange(len(lines))
        delimiter = b"\t" if lines[at].count(b"\t") > lines[at].count(b",") else b","
        cells = lines[at].split(delimiter)
        cells[dice.randrange(len(cells))] = dice.choice(CELLS)
        lines[at] = delimiter.join(cells)
    return b"\n".join(lines)


def run(seeds: range, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Each export through ``validate``, some beside another, some through ``inspect`` before."""
    for seed in seeds:
        dice = random.Random(seed)
        path = folder / "export.csv"
        path.write_bytes(random_export(dice))
        exports = [str(path)]
        if dice.random() < 0.3:
            (folder / "another.csv").write_bytes(random_export(dice))
            exports.insert(dice.randrange(2), str(folder / "another.csv"))
            if dice.random() < 0.3:
                exports.insert(1, "--items")
        options = dice.choice(OPTIONS)
        job = folder / "job"
        shutil.rmtree(job, ignore_errors=True)
        commands = [["validate", *exports, "--connect-id", "A1", "--job", str(job), *options]]
        if dice.random() < 0.3:
            commands.insert(0, ["inspect", *exports, *options])
        for command in commands:
            try:
                code = main([*command, "--progress", "none"])
            except BaseException as error:
                error.add_note(f"seed {seed}: {command}; the export is still there")
                raise
            told = capfd.readouterr().err
            assert code in (0, 1, 2, 3), (seed, code, told)
            assert "Traceback" not in told, (seed, told)
            assert "bug in backfill" not in told, (seed, told)
            assert code in (0, 3) or told.count("\n") <= 6, (seed, told)


@pytest.fixture(autouse=True)
def template_compiled_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What takes most of the time of so small a dry run, and knows nothing of the export."""
    compiled: dict[object, object] = {}
    really = Environment.compile

    def once(self: Environment, source: str, name: str, filename: str) -> object:
        if name not in compiled:
            compiled[name] = really(self, source, name, filename)
        return compiled[name]

    monkeypatch.setattr(Environment, "compile", once)
    monkeypatch.chdir(tmp_path)


def test_some_odd_exports(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run(range(20), tmp_path, capfd)


@pytest.mark.fuzz
def test_as_many_odd_exports_as_wanted(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    first = int(os.environ.get("BACKFILL_FUZZ_SEED", "0"))
    count = int(os.environ.get("BACKFILL_FUZZ", "10000"))
    run(range(first, first + count), tmp_path, capfd)
