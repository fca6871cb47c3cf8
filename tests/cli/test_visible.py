"""What an export, an option or Shout's answers say is shown, and gives no orders to a terminal."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from backfill.sandbox.process import SandboxProcess
from tests.operations.jobs import JOB, order, to, typed, write

#: Clear the screen (with C1's escape), write from right to left, and an isolate.
HOSTILE = "\u202e\x9b2J\u2066<script>=1"
FILE = "e\x1b[2J\u202ex.csv"
ORDERS = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def rows() -> list[dict[str, str]]:
    hostile = {
        "profile_name": HOSTILE,
        "item_name": HOSTILE,
        f"x{HOSTILE}": HOSTILE,
    }
    return [
        *order(1, reference_id=f"a{HOSTILE}", **hostile),
        *order(2, account=f"A{HOSTILE}", **hostile),
        *order(3, item_each_price=f"5{HOSTILE}", created_at=f"soon{HOSTILE}", **hostile),
    ]


def test_nothing_that_is_shown_steers_the_terminal(
    sandbox: SandboxProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each command, with what went wrong and with --verbose; the log is as clean."""
    write(FILE, rows())
    shout = [*to(sandbox)[:-1], "plain", "--verbose"]
    job = ["--job", str(JOB), "--max-rejected", "100"]
    refused = {"kind": "error_before_commit", "status": 422, "on": ["create"], "at": [1]}
    assert typed("validate", FILE, *job, "--progress", "none") == 3
    commands: list[tuple[str, ...]] = [
        ("inspect", FILE),
        ("validate", FILE, *job, "--verbose"),
        ("show", str(JOB)),
        ("status", str(JOB)),
        ("status", str(JOB), "--json"),
        ("run", *job, *shout),
        ("retry", str(JOB), *shout),
        ("verify", str(JOB), *shout),
        ("notify", str(JOB), "--message", f"hi {HOSTILE}", *shout),
        ("undo", str(JOB), *shout),
        ("report", str(JOB)),
        ("validate", f"no{FILE}"),
        ("validate", FILE, "--map", f"x\x1b[2J={HOSTILE}"),
        ("run", FILE, "--job", f"j{HOSTILE}", "--max-rejected", "0", *shout),
    ]
    sandbox.set_faults({"fault": [refused]})
    for words in commands:
        code = typed(*words)
        shown = capsys.readouterr()
        assert not ORDERS.findall(shown.out), words
        assert not ORDERS.findall(shown.err), words
        assert "Traceback" not in shown.err
        assert code in (0, 1, 2, 3, 4), words
    assert not ORDERS.findall((JOB / "backfill.log").read_text())


def test_what_a_program_reads_is_what_was_meant(capsys: pytest.CaptureFixture[str]) -> None:
    """JSON has other letters for it, and means the same."""
    write(FILE, rows())
    words = ["validate", FILE, "--job", str(JOB), "--max-rejected", "100", "--progress", "none"]
    assert typed(*words) == 3
    capsys.readouterr()
    assert typed("show", JOB, f"a{HOSTILE}") == 0
    assert json.loads(capsys.readouterr().out)["reference_id"] == f"a{HOSTILE}"
    for line in Path(JOB, "backfill.log").read_text().splitlines():
        json.loads(line)
