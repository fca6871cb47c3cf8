"""``backfill status`` from a second terminal, while a run goes on."""

from __future__ import annotations

import json
import time

import pytest

from backfill.checkpoint import State
from backfill.cli.status import watch
from backfill.job import open_job
from backfill.sandbox.process import SandboxProcess
from backfill.status import Status
from tests.operations.jobs import JOB, begin, orders, to, typed, write


def counts(capsys: pytest.CaptureFixture[str]) -> dict[str, int]:
    """What ``status --json`` counts."""
    capsys.readouterr()
    assert typed("status", JOB, "--json") == 0
    found: dict[str, int] = json.loads(capsys.readouterr().out)["orders"]
    return found


def test_status_and_watch_during_a_run(
    sandbox: SandboxProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each look sees more created orders and disturbs nothing; a watch ends with the run."""
    write("orders.csv", orders(range(120)))
    assert typed("validate", "orders.csv", "--progress", "none") == 0
    run = begin("run", "--job", JOB, *to(sandbox), "--rate", "60")
    while sandbox.stats()["orders"] < 20:
        assert run.poll() is None
        time.sleep(0.01)
    watch = begin("status", JOB, "--watch", "--json")
    seen = [counts(capsys)]
    while run.poll() is None:
        seen.append(counts(capsys))
        time.sleep(0.1)
    run.communicate()
    assert run.returncode == 0
    created = [one["created"] for one in seen]
    assert created == sorted(created)
    assert 0 < created[0] < 120
    assert all(one["total"] == 120 for one in seen)
    told, _ = watch.communicate(timeout=30)
    watched = [json.loads(line)["orders"]["created"] for line in told.splitlines()]
    assert watch.returncode == 0
    assert watched[0] < 120
    assert watched[-1] == 120
    assert sandbox.stats()["duplicates"] == 0


def test_the_rate_is_that_of_the_sending(sandbox: SandboxProcess) -> None:
    """A run of a few seconds has the rate of those seconds, not of the minute around them."""
    write("orders.csv", orders(range(200)))
    assert typed("run", "orders.csv", *to(sandbox), "--rate", "50") == 0
    rate = open_job(JOB).status().created_a_minute
    assert 50 * 60 / 2 < rate < 50 * 60 * 2


def test_a_watch_writes_over_itself_in_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second look goes up as many lines as the first took, and clears them; Ctrl-C ends it."""
    import io

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    looks = iter([{"pending": 2}, {"pending": 1}])

    def read_now() -> Status:
        found = next(looks, None)
        if found is None:
            raise KeyboardInterrupt
        return Status(
            states={state: found.get(state.value, 0) for state in State},
            accounts=[],
            created_a_minute=0.0,
            last_errors=[],
            changed=0,
            gone=[],
            verified={},
        )

    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    out = Terminal()
    assert watch(read_now, as_json=False, out=out) == 130
    first, second = out.getvalue().split("\x1b[2F\x1b[J")
    assert first.startswith("2 orders, 2 left to send")
    assert second.startswith("1 orders, 1 left to send")
