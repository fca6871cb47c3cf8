"""Limits and outages in real time; tests/deliver/test_pace.py turns the clock by hand."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from backfill.checkpoint import Checkpoint
from backfill.deliver import run
from backfill.sandbox.process import SandboxProcess, start_process
from tests.deliver.delivering import Listener, assert_exactly_once, make_job, settings

pytestmark = pytest.mark.chaos


@pytest.fixture
def sandbox() -> Iterator[SandboxProcess]:
    with start_process() as process:
        yield process


def deliver_beside(
    job: Path, sandbox: SandboxProcess, happens: Callable[[], None], **changes: float
) -> None:
    thread = threading.Thread(target=happens)
    thread.start()
    with Checkpoint(job) as checkpoint:
        run(checkpoint, settings(sandbox.url, **changes), progress=Listener())
    thread.join()


@pytest.mark.parametrize("latency", [0, 100])
def test_a_limit_is_found_and_found_again(
    latency: int, tmp_path: Path, sandbox: SandboxProcess
) -> None:
    """Issue 3, shows 5: 50 a second, then 10: 90 % of it is used, under 5 % is refused."""
    faults = [{"kind": "latency", "ms": [latency, 2 * latency]}] if latency else []
    sandbox.set_faults({"rate_limit": 50, "fault": faults})
    job = make_job(tmp_path, 2200)
    rates, refused = [], []

    def watch() -> None:
        for limit in (50, 10):
            sandbox.change_faults(rate_limit=limit)
            time.sleep(10)
            before = sandbox.stats()
            time.sleep(25)
            after = sandbox.stats()
            rates.append((after["orders"] - before["orders"]) / 25)
            answers = after["requests"]["by_operation"]["create"]
            refused.append(answers.get("429", 0) / sum(answers.values()))
        sandbox.change_faults(rate_limit=None)

    deliver_beside(job, sandbox, watch, concurrency=16)
    print(f"created a second {rates}, refused up to then {refused}")
    assert rates[0] >= 45
    assert rates[1] >= 9
    assert max(refused) < 0.05
    assert_exactly_once(sandbox, job)


@pytest.mark.parametrize("down", ["503", "drop"])
def test_a_minute_of_outage_is_sat_out(down: str, tmp_path: Path, sandbox: SandboxProcess) -> None:
    """Issue 3, shows 6: everything is created, with fewer than 300 requests meanwhile."""
    job = make_job(tmp_path, 6000)
    bothered = []

    def outage() -> None:
        time.sleep(5)
        sandbox.change_faults(down=down)
        before = sandbox.stats()["requests"]["total"]
        time.sleep(60)
        bothered.append(sandbox.stats()["requests"]["total"] - before)
        sandbox.change_faults(down=False)

    deliver_beside(job, sandbox, outage, concurrency=64, rate=400, settle=2.0)
    print(f"{bothered[0]} requests in 60 seconds of outage")
    assert bothered[0] < 300
    assert_exactly_once(sandbox, job)
