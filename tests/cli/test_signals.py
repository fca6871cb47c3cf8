"""A terminal that is closed, and a process that is stopped and continued."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from backfill.sandbox.process import SandboxProcess
from tests.operations.jobs import JOB, begin, orders, states, to, typed, write
from tests.places import ROOT


def in_a_terminal(*words: str | Path, nohup: bool = False) -> tuple[subprocess.Popen[bytes], int]:
    """A command in a terminal of its own, and the end to close it from."""

    def begin_session() -> None:
        os.setsid()
        os.close(os.open(os.ttyname(0), os.O_RDWR))  # which makes it the session's terminal
        if nohup:
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
        else:  # whatever the tests were started with
            signal.signal(signal.SIGHUP, signal.SIG_DFL)

    ours, theirs = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-m", "backfill", *map(str, words)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        preexec_fn=begin_session,
    )
    os.close(theirs)
    return child, ours


def wait_until(child: subprocess.Popen[bytes], reached: Callable[[], bool]) -> None:
    while not reached():
        assert child.poll() is None
        time.sleep(0.01)


def with_bars(sandbox: SandboxProcess) -> list[str]:
    return [*to(sandbox)[:-1], "bar"]


def test_a_closed_terminal_ends_a_run_in_good_order(sandbox: SandboxProcess) -> None:
    """130, nothing in doubt, and the same command finishes it."""
    write("orders.csv", orders(range(100)))
    child, terminal = in_a_terminal("run", "orders.csv", *with_bars(sandbox), "--rate", "80")
    wait_until(child, lambda: sandbox.stats()["orders"] > 20)
    os.close(terminal)
    assert child.wait(30) == 130
    assert states().keys() == {"created", "pending"}
    assert typed("run", "--job", JOB, *to(sandbox)) == 0
    stats = sandbox.stats()
    assert (stats["orders"], stats["duplicates"], stats["texts"]) == (100, 0, 0)


def test_a_closed_terminal_ends_an_undo_in_good_order(sandbox: SandboxProcess) -> None:
    """130; a deletion that no lookup has confirmed is in doubt, and the next undo settles it."""
    assert typed("run", write("orders.csv", orders(range(60))), *to(sandbox)) == 0
    child, terminal = in_a_terminal("undo", JOB, *with_bars(sandbox), "--rate", "80")
    wait_until(child, lambda: sandbox.stats()["orders"] < 50)
    os.close(terminal)
    assert child.wait(30) == 130
    left, found = sandbox.stats()["orders"], states()
    assert found["undone"] + found.get("sending", 0) >= 60 - left >= found["undone"]
    assert typed("undo", JOB, *to(sandbox)) == 0
    assert states() == {"undone": 60}


def test_a_run_under_nohup_outlives_its_terminal(sandbox: SandboxProcess) -> None:
    """It was asked to."""
    write("orders.csv", orders(range(60)))
    words = ["run", "orders.csv", *to(sandbox), "--rate", "80"]
    child, terminal = in_a_terminal(*words, nohup=True)
    wait_until(child, lambda: sandbox.stats()["orders"] > 10)
    os.close(terminal)
    child.wait(30)
    assert states() == {"created": 60}


@pytest.mark.parametrize("header", [True, False], ids=["header honoured", "header ignored"])
def test_a_run_that_is_stopped_and_continued(sandbox: SandboxProcess, header: bool) -> None:
    """What timed out meanwhile is looked up, and no order is sent twice."""
    slow = {"kind": "latency", "ms": 60, "on": ["create"]}
    sandbox.set_faults({"honour_duplicate_header": header, "fault": [slow]})
    write("orders.csv", orders(range(150)))
    child = begin("run", "orders.csv", *to(sandbox, timeout=0.4))
    while sandbox.stats()["orders"] < 30:
        assert child.poll() is None
    child.send_signal(signal.SIGSTOP)
    time.sleep(0.8)
    child.send_signal(signal.SIGCONT)
    told, _ = child.communicate(timeout=60)
    assert child.returncode == 0, told
    assert states() == {"created": 150}
    stats = sandbox.stats()
    assert (stats["orders"], stats["duplicates"], stats["texts"]) == (150, 0, 0)
