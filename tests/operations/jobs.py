"""What the tests of the operations share: exports, and commands in this process or in another."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from backfill import cli
from backfill.checkpoint import Checkpoint
from backfill.job_folder.files import CHECKPOINT
from backfill.sandbox.process import SandboxProcess
from tests.places import ROOT

Row = dict[str, Any]
JOB = Path("orders.backfill")


def order(number: int, *, account: str = "A1", **changes: Any) -> list[Row]:
    """The two rows of one order."""
    first: Row = {
        "reference_id": f"#{number}",
        "created_at": f"2021-{1 + number % 12:02}-09T12:00:00-06:00",
        "paid_at": "2021-12-24",
        "profile_name": f"Janet Smith {number}",
        "profile_phone_number": f"+1801555{number % 10000:04}",
        "connect_id": account,
        "item_name": "Tank Top",
        "item_quantity": "2",
        "item_each_price": f"35.{number % 100:02}",
    }
    second = {**first, "item_name": "T-Shirt", "item_quantity": "1", "item_each_price": "49.00"}
    return [{**first, **changes}, {**second, **changes}]


def orders(
    numbers: Iterable[int], *, accounts: Sequence[str] = ("A1", "A2", "A3"), **changes: Any
) -> list[Row]:
    """Orders whose accounts take turns."""
    return [
        row
        for number in numbers
        for row in order(number, account=accounts[number % len(accounts)], **changes)
    ]


def write(path: str, rows: Sequence[Row]) -> Path:
    """An export with just these rows."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return Path(path)


def to(sandbox: SandboxProcess, *, timeout: float = 1.0) -> list[str]:
    """The options that reach the local Shout, with short times."""
    words = ["--api-url", sandbox.url, "--header", ": ".join(sandbox.header)]
    return [*words, "--settle", "0.2", "--timeout", str(timeout), "--progress", "none"]


def typed(*words: str | Path) -> int:
    """The exit code of a command line, in this process."""
    try:
        return cli.main([str(word) for word in words])
    except SystemExit as left:
        return int(left.code or 0)


def begin(*words: str | Path) -> subprocess.Popen[str]:
    """A command in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "backfill", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def killed(words: Sequence[str | Path], when: Callable[[], bool]) -> bool:
    """Begin a command and SIGKILL it when ``when`` says so; False where it ended before."""
    child = begin(*words)
    while child.poll() is None and not when():
        time.sleep(0.01)
    still_there = child.poll() is None
    child.kill()
    child.communicate(timeout=30)
    return still_there


def states(job: Path = JOB) -> dict[str, int]:
    """How many orders of a job are in which state; only states that occur."""
    with Checkpoint(job / CHECKPOINT, readonly=True) as checkpoint:
        return {state.value: n for state, n in checkpoint.counts().items() if n}


def asked(sql: str, job: Path = JOB) -> list[tuple[Any, ...]]:
    """Rows of the checkpoint."""
    with Checkpoint(job / CHECKPOINT, readonly=True) as checkpoint:
        return [tuple(row) for row in checkpoint.query(sql)]


def keys_in(sandbox: SandboxProcess) -> Counter[tuple[str, str]]:
    """Account and key of each order in Shout, with how often it is there."""
    return Counter((one["account"], one["order"]["reference_id"]) for one in sandbox.orders())


def assert_as_meant(sandbox: SandboxProcess, job: Path = JOB) -> None:
    """Each created order is in Shout once, with the body of the checkpoint, and nobody was texted.

    Not the bytes but the fields are compared: an update is merged by the server.
    """
    import json

    meant = Counter(
        (account, json.dumps(json.loads(body), sort_keys=True))
        for account, body in asked(
            "SELECT account_id, payload FROM orders WHERE state IN ('created', 'existing')", job
        )
    )
    there = Counter(
        (
            one["account"],
            json.dumps(
                {"order": {k: v for k, v in one["order"].items() if v is not None}}, sort_keys=True
            ),
        )
        for one in sandbox.orders()
    )
    assert there == meant
    assert sandbox.texts() == []
