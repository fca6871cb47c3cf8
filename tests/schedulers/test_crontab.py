"""The crontab line of the README, run by ``sh`` with nothing but what cron provides."""

from __future__ import annotations

import csv
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from backfill.sandbox.process import SandboxProcess
from tests.places import ROOT

BACKFILL = Path(sys.executable).with_name("backfill")
COLUMNS = ("reference_id", "created_at", "profile_name", "item_name", "item_each_price")

pytestmark = pytest.mark.skipif(not BACKFILL.exists(), reason="backfill is not installed here")


def crontab_line() -> str:
    """The command of the README's crontab line, without its five fields of time."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.search(r"^(?:[\d*]+ +){5}(.*backfill run .*)$", readme, re.M)
    assert found, "the README has no crontab line"
    assert "%" not in found[1], "cron reads % as a line break"
    return found[1]


@pytest.fixture
def srv(tmp_path: Path, sandbox: SandboxProcess) -> Path:
    """A folder that stands for /srv: settings, the credential, one job of three orders."""
    (tmp_path / "backfill.toml").write_text(
        f'api-url = "{sandbox.url}"\nprogress = "none"\n'
        '[headers]\nAuthorization = "env:SHOUT_AUTHORIZATION"\n'
    )
    name, value = sandbox.header
    assert name == "Authorization"
    (tmp_path / "shout.env").write_text(f"export SHOUT_AUTHORIZATION='{value}'\n")
    (tmp_path / "venv" / "bin").mkdir(parents=True)
    (tmp_path / "venv" / "bin" / "backfill").symlink_to(BACKFILL)
    prepare(tmp_path)
    return tmp_path


def prepare(srv: Path, **changes: str) -> None:
    """Validate an export of three orders into ``orders.backfill``; ``changes``: of the last one."""
    shutil.rmtree(srv / "orders.backfill", ignore_errors=True)
    rows = [["1", "2021-04-05T10:00:00Z", "Jo", "Mug", "5.00"] for _ in range(3)]
    for number, row in enumerate(rows, start=1):
        row[0] = str(number)
    rows[-1] = [changes.get(column, cell) for column, cell in zip(COLUMNS, rows[-1], strict=True)]
    with (srv / "orders.csv").open("w", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *rows])
    subprocess.run(
        [BACKFILL, "validate", "orders.csv", "--connect-id", "A1", "--progress", "none"],
        cwd=srv,
        check=False,
        capture_output=True,
    )


def as_cron(srv: Path) -> subprocess.Popen[str]:
    """Start the line as cron does: by /bin/sh, in HOME, with four variables."""
    return subprocess.Popen(
        ["/bin/sh", "-c", crontab_line().replace("/srv", str(srv))],
        cwd=srv,
        env={"HOME": str(srv), "LOGNAME": "ops", "SHELL": "/bin/sh", "PATH": "/usr/bin:/bin"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """The exit code, and what cron would send by mail."""
    out, err = process.communicate(timeout=60)
    return process.returncode, out + err


def test_a_finished_job_sends_no_mail(srv: Path, sandbox: SandboxProcess) -> None:
    """Exit code 0: no output, so cron stays silent; the next night does nothing."""
    assert ended(as_cron(srv)) == (0, "")
    assert ended(as_cron(srv)) == (0, "")
    assert len(sandbox.orders()) == 3


def test_rejected_orders_are_no_failure(srv: Path, sandbox: SandboxProcess) -> None:
    """Exit code 3 counts as finished."""
    prepare(srv, created_at="soon")
    with (srv / "backfill.toml").open("r+") as file:
        settings = file.read()
        file.seek(0)
        file.write(f"max-rejected = 50\n{settings}")
    assert ended(as_cron(srv)) == (0, "")
    assert len(sandbox.orders()) == 2


def test_refused_credentials_are_told(srv: Path) -> None:
    """Exit code 4: the reason is on stderr, and so in cron's mail."""
    (srv / "shout.env").write_text("export SHOUT_AUTHORIZATION='Bearer another'\n")
    code, mail = ended(as_cron(srv))
    assert (code, "credentials" in mail) == (1, True), mail


def test_a_job_that_is_not_there_is_told(srv: Path) -> None:
    """Exit code 2: the missing job is named."""
    shutil.rmtree(srv / "orders.backfill")
    code, mail = ended(as_cron(srv))
    assert (code, "orders.backfill" in mail) == (1, True), mail


def test_a_damaged_checkpoint_is_told(srv: Path) -> None:
    """Exit code 1: the file is named."""
    (srv / "orders.backfill" / "checkpoint.sqlite").write_bytes(b"no database" * 100)
    code, mail = ended(as_cron(srv))
    assert (code, "checkpoint.sqlite" in mail) == (1, True), mail


def test_two_nights_that_overlap(srv: Path, sandbox: SandboxProcess) -> None:
    """Exit code 11: the second run leaves the first one alone, and says so."""
    sandbox.set_faults({"fault": [{"kind": "latency", "ms": 1500, "on": ["create"]}]})
    first = as_cron(srv)
    wait_for_a_request(first, sandbox)
    code, mail = ended(as_cron(srv))
    assert (code, "another run" in mail) == (1, True), mail
    assert ended(first) == (0, "")
    assert len(sandbox.orders()) == 3


def test_a_night_that_is_cut_short_is_resumed(srv: Path, sandbox: SandboxProcess) -> None:
    """Exit code 130: what a shutdown interrupts, the next night finishes; nothing goes twice."""
    sandbox.set_faults({"fault": [{"kind": "latency", "ms": 1500, "on": ["create"]}]})
    first = as_cron(srv)
    wait_for_a_request(first, sandbox)
    for pid in running_backfills(srv):
        os.kill(pid, 15)
    code, mail = ended(first)
    assert (code, "interrupted" in mail) == (1, True), mail
    sandbox.set_faults({})
    assert ended(as_cron(srv)) == (0, "")
    assert sorted(order["order"]["reference_id"] for order in sandbox.orders()) == ["1", "2", "3"]


def wait_for_a_request(process: subprocess.Popen[str], sandbox: SandboxProcess) -> None:
    """Wait until the run has begun to send."""
    while not sandbox.stats()["requests"]["arrived"].get("create"):
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)


def running_backfills(srv: Path) -> list[int]:
    """The processes that ``sh`` started for this folder."""
    found = subprocess.run(
        ["pgrep", "-f", f"backfill run --job {srv}"], capture_output=True, text=True, check=False
    )
    own = os.getpid()
    return [int(pid) for pid in found.stdout.split() if int(pid) != own and not is_shell(int(pid))]


def is_shell(pid: int) -> bool:
    """Whether a process is the shell itself, which does not pass signals on."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip() in ("sh", "dash", "bash")
    except OSError:
        return True
