"""Job folders that were damaged, cleared out or laid with traps: one clear line, nothing sent."""

from __future__ import annotations

import os
import resource
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from backfill.sandbox.process import SandboxProcess
from tests.operations.jobs import JOB, begin, killed, orders, to, typed, write
from tests.places import ROOT

CHECKPOINT = JOB / "checkpoint.sqlite"
COMMANDS = (
    *("validate orders.csv", "run orders.csv", "run --job JOB", "retry JOB", "verify JOB"),
    *("undo JOB --yes", "notify JOB --message hi", "purge JOB --yes", "report JOB"),
    *("show JOB", "status JOB"),
)
OFFLINE = ("validate", "purge", "report", "show", "status")


@pytest.fixture
def job(sandbox: SandboxProcess) -> SandboxProcess:
    """A job of which 5 of 20 orders are created."""
    write("orders.csv", orders(range(20)))
    assert typed("run", "orders.csv", "--limit", "5", *to(sandbox)) == 0
    return sandbox


def every_command(
    sandbox: SandboxProcess, capsys: pytest.CaptureFixture[str]
) -> dict[str, tuple[int, str]]:
    """The exit code and the first line on stderr of each command; none says that it is a bug."""
    found = {}
    for line in COMMANDS:
        words = [str(JOB) if word == "JOB" else word for word in line.split()]
        offline = words[0] in OFFLINE
        code = typed(*words, *(["--progress", "none"] if offline else to(sandbox)))
        said = capsys.readouterr().err
        assert "Traceback" not in said
        found[line] = code, said.partition("\n")[0]
    return found


def overwrite(size: int) -> None:
    with CHECKPOINT.open("r+b") as file:
        file.write(b"\xa5" * size)


def with_sql(sql: str) -> None:
    with closing(sqlite3.connect(CHECKPOINT)) as db:
        db.executescript(sql)


def in_place_of_it(make: Callable[[Path], object]) -> None:
    CHECKPOINT.unlink()
    make(CHECKPOINT)


def a_journal_deleted() -> None:
    """As after a crash: journal and index are both there, and then one is not."""
    CHECKPOINT.with_name("checkpoint.sqlite-shm").write_bytes(bytes(32768))


DAMAGES: dict[str, tuple[Callable[[], object], str]] = {
    "cut off": (lambda: os.truncate(CHECKPOINT, 5000), "damaged"),
    "empty": (lambda: os.truncate(CHECKPOINT, 0), "not a checkpoint"),
    "overwritten": (lambda: overwrite(20000), "damaged"),
    "another database": (
        lambda: in_place_of_it(lambda path: with_sql("CREATE TABLE x (y)")),
        "not a checkpoint",
    ),
    "a newer version": (lambda: with_sql("PRAGMA user_version=99"), "another version"),
    "a text": (lambda: CHECKPOINT.write_text("hello\n" * 100), "not a checkpoint"),
    "a folder": (lambda: in_place_of_it(Path.mkdir), "checkpoint.sqlite: "),
    "a dead link": (
        lambda: in_place_of_it(lambda path: path.symlink_to("/nowhere/checkpoint.sqlite")),
        "is a link",
    ),
    "a link": (
        lambda: in_place_of_it(
            lambda path: path.symlink_to(shutil.copy(Path("copy.sqlite"), "other.sqlite"))
        ),
        "is a link",
    ),
    "its journal deleted": (a_journal_deleted, "checkpoint.sqlite-wal: is missing"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint(
    job: SandboxProcess, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every command says what is wrong and exits with 1; no order is sent, deleted or told of."""
    shutil.copy(CHECKPOINT, "copy.sqlite")
    damaging, says = DAMAGES[damage]
    damaging()
    requests = job.stats()["requests"]
    for line, (code, said) in every_command(job, capsys).items():
        assert (code, says in said) == (1, True), (line, said)
    assert job.stats()["requests"] == requests


def test_a_checkpoint_that_is_gone(job: SandboxProcess, capsys: pytest.CaptureFixture[str]) -> None:
    """The export is not sent from the beginning as if nothing had been."""
    CHECKPOINT.unlink()
    assert {code for code, _ in every_command(job, capsys).values()} == {2}
    assert typed("run", "orders.csv", *to(job)) == 2
    assert "checkpoint.sqlite is missing" in capsys.readouterr().err
    assert job.stats()["orders"] == 5


def test_kept_rows_that_are_gone_come_back_with_the_export(job: SandboxProcess) -> None:
    """As the message says."""
    shutil.rmtree(JOB / "rows")
    assert typed("report", JOB) == 1
    assert typed("run", "orders.csv", *to(job)) == 0
    assert typed("report", JOB) == 0
    assert job.stats()["orders"] == 20


def test_nothing_is_written_through_a_link(
    job: SandboxProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    """Reports replace a link by a file; the log refuses it."""
    victim = Path("victim")
    victim.write_text("precious")
    traps = ("report.html", "report.json", "results.csv", "rejected_rows.csv", "verify.csv")
    drafts = tuple(f".{name}.part" for name in traps)
    for name in (*traps, *drafts):
        (JOB / name).unlink(missing_ok=True)
        (JOB / name).symlink_to(victim.resolve())
    for rows in (JOB / "rows").iterdir():
        rows.with_suffix(".partial").symlink_to(victim.resolve())
        rows.unlink()
    assert typed("run", "orders.csv", *to(job)) == 0
    assert typed("verify", JOB, *to(job)) == 0
    assert victim.read_text() == "precious"
    assert not [name for name in traps if (JOB / name).is_symlink()]
    (JOB / "backfill.log").unlink()
    (JOB / "backfill.log").symlink_to(victim.resolve())
    capsys.readouterr()
    assert typed("undo", JOB, *to(job)) == 1
    assert "backfill.log: cannot be written (it is a link)" in capsys.readouterr().err
    assert victim.read_text() == "precious"


@pytest.mark.parametrize("size", [4096, 300_000])
def test_a_disk_that_is_full(job: SandboxProcess, size: int) -> None:
    """No file may become longer: one clear line, and with space the same command goes on."""
    write("orders.csv", orders(range(800)))
    command = ["run", "orders.csv", *to(job)]
    full = subprocess.run(
        [sys.executable, "-m", "backfill", *command],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)),
    )
    assert full.returncode == 1
    assert full.stderr.startswith("backfill: error: orders.backfill/"), full.stderr
    assert len(full.stderr.splitlines()) == 2
    assert typed(*command) == 0
    stats = job.stats()
    assert (stats["orders"], stats["duplicates"]) == (800, 0)


def test_two_runs_at_once(job: SandboxProcess) -> None:
    """The second one says that there is another, and touches nothing."""
    first = begin("run", "--job", JOB, *to(job), "--rate", "10")
    while job.stats()["orders"] < 7:
        assert first.poll() is None
    assert typed("run", "--job", JOB, *to(job)) == 11
    told, _ = first.communicate(timeout=30)
    assert first.returncode == 0, told
    stats = job.stats()
    assert (stats["orders"], stats["duplicates"]) == (20, 0)


def test_a_journal_of_another_file_is_not_played_back(job: SandboxProcess) -> None:
    """It has no checksums of ours. Orders of the lost one are found in Shout by their keys."""
    words: list[str | Path] = ["run", "--job", JOB, *to(job), "--rate", "20"]
    assert killed(words, lambda: job.stats()["orders"] > 9)
    CHECKPOINT.with_name("checkpoint.sqlite-wal").write_bytes(os.urandom(40000))
    CHECKPOINT.with_name("checkpoint.sqlite-shm").write_bytes(os.urandom(32768))
    assert typed("run", "--job", JOB, *to(job)) == 0
    stats = job.stats()
    assert (stats["orders"], stats["duplicates"], stats["texts"]) == (20, 0, 0)
