"""Each expected trouble is one clear line, perhaps one of advice, and the contract's exit code."""

from __future__ import annotations

import os
import shlex
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from backfill import cli
from tests.places import ROOT

HEADER = "reference_id,created_at,profile_name,item_name,item_quantity,item_each_price\n"
ORDERS = HEADER + "1001,2021-04-09T12:00:00-06:00,Janet Smith,Tank Top,2,35.00\n"

Arrange = Callable[[], object]


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("BACKFILL_")]:
        monkeypatch.delenv(name)


def _orders(text: str = ORDERS) -> None:
    Path("orders.csv").write_text(text)


def _truncated_workbook() -> None:
    with zipfile.ZipFile("whole.xlsx", "w") as workbook:
        workbook.writestr("xl/workbook.xml", "<workbook/>" * 100)
    Path("orders.xlsx").write_bytes(Path("whole.xlsx").read_bytes()[:-40])


def _locked_workbook() -> None:
    """What Excel makes of a workbook with a password: an OLE file with an encrypted package."""
    free, end, fat = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD
    header = struct.pack(
        "<8s16xHHHHH6xIIIIIIIIII",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        *(0x3E, 3, 0xFFFE, 9, 6),  # versions, byte order, sectors of 512 bytes, small ones of 64
        *(0, 1, 1, 0, 4096, end, 0, end, 0, 0),  # one FAT sector, the directory in sector 1
    )
    directory = b""
    for number, name in enumerate(("Root Entry", "EncryptionInfo", "EncryptedPackage")):
        text = name.encode("utf-16-le") + b"\0\0"
        kind, child = (5, 1) if number == 0 else (2, free)
        right = 2 if number == 1 else free
        directory += struct.pack(
            "<64sHBBIII36xIQ", text, len(text), kind, 1, free, right, child, end, 0
        )
    sectors = struct.pack("<128I", fat, end, *[free] * 126) + directory.ljust(512, b"\0")
    Path("orders.xlsx").write_bytes(header + struct.pack("<109I", 0, *[free] * 108) + sectors)


def _with_affiliates() -> None:
    """Orders of affiliates, and no list of them."""
    _orders("reference_id,affiliate,created_at,profile_name,total\n1,ann,2021-04-09,Jo,5.00\n")


def _beside_affiliates() -> None:
    """A folder that holds more than exports."""
    _orders()
    Path("affiliates.csv").write_text("affiliate,connect_id\nann,A1\n")


def _job() -> None:
    """A folder that is a job, not an export."""
    _orders()
    assert cli.main(["validate", "orders.csv", "--connect-id", "A1", "--progress", "none"]) == 0


def trouble(words: str, code: int, says: str, *, arrange: Arrange = _orders) -> object:
    """One line of the table: what is typed, the exit code, and what the line must say."""
    return pytest.param(arrange, shlex.split(words), code, says, id=f"{words} {says}")


RUN = "run orders.csv --connect-id A1"

TROUBLES = [
    # the export
    trouble(
        "validate orders.xlsx", 1, "orders.xlsx: the file is cut off", arrange=_truncated_workbook
    ),
    trouble("validate orders.xlsx", 1, "protected by a password", arrange=_locked_workbook),
    trouble("validate more.csv", 2, "more.csv: no such file"),
    trouble("validate 'more*.csv'", 2, "more*.csv: no file matches"),
    trouble("validate orders.csv/more.csv", 2, "orders.csv/more.csv: "),
    trouble("validate orders.csv", 1, "orders.csv: the file is empty", arrange=lambda: _orders("")),
    trouble("validate orders.csv", 1, "no rows below", arrange=lambda: _orders(HEADER)),
    trouble("validate orders.csv", 2, "is mapped to", arrange=lambda: _orders("a,b\n1,2\n")),
    trouble("validate", 2, "no export was given"),
    trouble(
        "validate s3://bucket/orders.csv", 2, "s3://bucket/orders.csv: an export has to be a file"
    ),
    trouble("validate -", 2, "standard input cannot be used"),
    trouble("validate orders.csv", 2, "nothing says which account", arrange=_with_affiliates),
    trouble("validate .", 2, "affiliates.csv: no known platform", arrange=_beside_affiliates),
    trouble("validate orders.backfill", 2, "is a job folder, not an export", arrange=_job),
    trouble("inspect", 2, "no export was given"),
    trouble("inspect more.csv", 2, "more.csv: no such file"),
    trouble(
        "inspect orders.csv --write-mapping orders.csv", 2, "orders.csv: the file already exists"
    ),
    trouble("inspect orders.csv --write-mapping x/m.toml", 2, "x: there is no such folder"),
    # how to read it
    trouble("validate orders.csv --map totl=Sum", 2, "no field 'totl'"),
    trouble("validate orders.csv --map total=Sum", 2, "'Sum'"),
    trouble("validate orders.csv --map =Sum", 2, "--map: '=Sum' is not FIELD=SPEC"),
    trouble("validate orders.csv --map total", 2, "--map: 'total' is not FIELD=SPEC"),
    trouble("validate orders.csv --mapping m.toml", 2, "m.toml: there is no such file"),
    trouble("validate orders.csv --affiliates a.csv", 2, "a.csv: there is no such file"),
    trouble("validate orders.csv --items i.csv", 2, "i.csv: there is no such file"),
    trouble("validate orders.csv --config c.toml", 2, "c.toml: there is no such settings file"),
    trouble("validate orders.csv --format shopfy", 2, "no format 'shopfy'"),
    trouble("validate orders.csv --timezone Denver", 2, "--timezone: 'Denver' is not"),
    trouble("validate orders.csv --sheet Orders", 2, "--sheet Orders: "),
    # the job
    trouble("validate orders.csv --job orders.csv", 1, "a file has this name"),
    trouble("validate orders.csv --job .", 2, "not a job folder"),
    trouble("status orders.backfill", 2, "there is no job here"),
    trouble("report orders.backfill", 2, "there is no job here"),
    trouble("run --job j --api-url http://localhost:1", 2, "there is no job here"),
    trouble("run --api-url http://localhost:1", 2, "no export and no job"),
    # Shout
    trouble(RUN, 2, "--api-url is missing"),
    trouble(f"{RUN} --api-url http://shout.example", 2, "plain http: address is refused"),
    trouble(f"{RUN} --api-url https://me:pw@shout.example", 2, "a user name or a password"),
    trouble(f"{RUN} --api-url https://shout.example", 2, "no terminal is attached"),
    trouble(f"{RUN} --api-url https://shout.example --header 'Host: x'", 2, "sets itself"),
    trouble(f"{RUN} --api-url https://shout.example --header 'X: env:NO'", 2, "NO is not set"),
    trouble(f"{RUN} --api-url https://shout.example --user-id 3", 2, "cannot be used together"),
    trouble("sandbox --faults f.toml", 2, "f.toml"),
    trouble("sandbox --port 70000", 2, "--port: '70000' is not a port"),
]


@pytest.mark.parametrize(("arrange", "words", "code", "says"), TROUBLES)
def test_troubles(
    arrange: Arrange,
    words: list[str],
    code: int,
    says: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each expected trouble is one line, perhaps one of advice, no traceback, the right code."""
    arrange()
    with open(os.devnull) as nobody:
        monkeypatch.setattr(sys, "stdin", nobody)
        assert cli.main([*words, "--progress", "none"]) == code
    shown = capsys.readouterr()
    _is_clear(shown.err, says)
    assert "Traceback" not in shown.out


def _is_clear(said: str, says: str) -> None:
    error, *hint = said.splitlines()
    assert error.startswith("backfill: error: ")
    assert says in error
    assert len(hint) <= 1
    assert all(line.startswith("  ") for line in hint)


#: Runs a command line as a user who may not read everything, which root otherwise may.
WITHOUT_POWERS = """
import ctypes, os, struct, sys
if os.geteuid() == 0:
    nothing = struct.pack("6I", 0, 0, 0, 0, 0, 0)
    assert ctypes.CDLL(None).capset(struct.pack("Ii", 0x20080522, 0), nothing) == 0
from backfill.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("validate closed", "closed: cannot be read: permission denied"),
        ("validate closed/orders.csv", "closed/orders.csv: cannot be read: permission denied"),
        ("validate orders.csv --job closed/job", "closed/job: the job folder cannot be created"),
    ],
)
def test_unreadable_folder(words: str, says: str) -> None:
    """A folder that this user may not enter is one clear line and exit 1."""
    _orders()
    Path("closed").mkdir(mode=0)
    try:
        done = subprocess.run(
            [sys.executable, "-c", WITHOUT_POWERS, *shlex.split(words), "--progress", "none"],
            capture_output=True,
            text=True,
            timeout=60,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
    finally:
        Path("closed").chmod(0o700)
    assert done.returncode == 1, done.stderr
    _is_clear(done.stderr, says)
