"""Lookups that know an order only seconds after its commit: none is sent twice."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backfill.checkpoint import LEARNED, Checkpoint
from backfill.deliver import run
from backfill.sandbox.process import SandboxProcess, start_process
from tests.deliver.delivering import Listener, assert_exactly_once, make_job, settings, states


@pytest.fixture
def sandbox() -> Iterator[SandboxProcess]:
    with start_process() as process:
        yield process


def deliver(job: Path, sandbox: SandboxProcess, **changes: Any) -> list[str]:
    """What the run said."""
    told = Listener()
    with Checkpoint(job) as checkpoint:
        run(checkpoint, settings(sandbox.url, **changes), progress=told)
    return told.said


def behave(sandbox: SandboxProcess, lag: float, *, honour: bool, **lost: Any) -> None:
    fault = {"kind": "drop_after_commit", "on": ["create"], **lost}
    sandbox.set_faults({"lookup_lag": lag, "honour_duplicate_header": honour, "fault": [fault]})


@pytest.mark.parametrize("honour", [True, False])
@pytest.mark.parametrize(
    "lag", [1.0, *(pytest.param(lag, marks=pytest.mark.chaos) for lag in (2.0, 10.0, 30.0))]
)
def test_lookups_that_lag_longer_than_settle(
    tmp_path: Path, sandbox: SandboxProcess, lag: float, honour: bool
) -> None:
    """The canary shows the lag; 'not there' is believed only after three times as long."""
    behave(sandbox, lag, honour=honour, nth=10)
    job = make_job(tmp_path, 100)
    said = deliver(job, sandbox, settle=lag / 2)
    assert_exactly_once(sandbox, job)
    assert states(job).keys() <= {"created", "existing"}
    assert any("Shout's lookups find an order only" in line for line in said)
    with Checkpoint(job, readonly=True) as checkpoint:
        assert checkpoint.remembered(LEARNED)["lookup_lag"] >= lag * 0.9


def test_lookups_that_begin_to_lag_in_mid_run(tmp_path: Path, sandbox: SandboxProcess) -> None:
    """The canary was found at once. A lookup of an order that was confirmed after the one in
    doubt shows that lookups lag by now."""
    job = make_job(tmp_path, 400)
    first = make_job(tmp_path / "first", 1, first=1000)
    deliver(first, sandbox)
    behave(sandbox, 0, honour=False, at=[60, 61])

    def lag_soon() -> None:
        while sandbox.stats()["orders"] < 40:
            pass
        sandbox.change_faults(lookup_lag=1.0)

    thread = threading.Thread(target=lag_soon)
    thread.start()
    with Checkpoint(job) as checkpoint:
        run(checkpoint, settings(sandbox.url, settle=0.2, rate=60), progress=Listener())
    thread.join()
    there = sandbox.stats()
    assert (there["orders"], there["duplicates"]) == (401, 0)


@pytest.mark.parametrize(
    "body", ['{"order": null}', '{"error": "not found"}', '{"data": null}', "null", "[]"]
)
def test_not_found_with_a_status_of_success(
    tmp_path: Path, sandbox: SandboxProcess, body: str
) -> None:
    """It is learned how Shout says so: what was lost is sent again, and what was not, is not."""
    sandbox.set_faults(
        {
            "status": {"not_found": 200},
            "not_found_body": body,
            "honour_duplicate_header": False,
            "fault": [
                {"kind": "drop_before_commit", "on": ["create"], "nth": 7},
                {"kind": "drop_after_commit", "on": ["create"], "nth": 9},
            ],
        }
    )
    job = make_job(tmp_path, 60)
    deliver(job, sandbox)
    assert_exactly_once(sandbox, job)


def test_an_order_that_was_there_before_and_whose_create_was_lost(
    tmp_path: Path, sandbox: SandboxProcess
) -> None:
    """A lookup finds the other one. It is existing, not ours."""
    before = make_job(tmp_path / "before", 1, first=40)
    deliver(before, sandbox)
    sandbox.set_faults(
        {
            "honour_duplicate_header": False,
            "fault": [{"kind": "drop_before_commit", "on": ["create"], "at": [40]}],
        }
    )
    job = make_job(tmp_path / "job", 60)
    deliver(job, sandbox, concurrency=1)
    assert states(job) == {"created": 59, "existing": 1}
    with Checkpoint(job, readonly=True) as checkpoint:
        row = checkpoint.query("SELECT * FROM orders WHERE state = 'existing'").fetchone()
    assert (row["reference_id"], row["rule"]) == ("40", "not_proven_ours")
    assert_exactly_once(sandbox, job)


def test_not_found_in_other_words_is_not_believed(tmp_path: Path, sandbox: SandboxProcess) -> None:
    """A gateway does not know the address of one account's orders: its 404 is not Shout's. The
    order was committed, and stays in doubt."""
    no_route = {"kind": "answer", "status": 404, "body": '{"message": "no route"}'}
    sandbox.set_faults(
        {
            "honour_duplicate_header": False,
            "fault": [
                {**no_route, "account": "A9", "on": ["get"]},
                {"kind": "error_after_commit", "account": "A9", "on": ["create"]},
            ],
        }
    )
    job = make_job(tmp_path, 30, accounts=(*["A1"] * 29, "A9"))
    deliver(job, sandbox)
    assert states(job) == {"created": 29, "sending": 1}
    assert len(sandbox.orders()) == 30
    sandbox.set_faults({})
    deliver(job, sandbox)
    assert_exactly_once(sandbox, job)
