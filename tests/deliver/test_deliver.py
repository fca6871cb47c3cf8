"""Whole runs against a sandbox: a real socket, a real checkpoint."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backfill.checkpoint import Checkpoint, Result, State
from backfill.deliver import Delivered, Stop, run
from backfill.errors import Interrupted, SafetyStop, StorageError
from backfill.sandbox.process import SandboxProcess, start_process
from backfill.settings import Secret
from tests.checkpoint.claiming import claim, record
from tests.deliver.delivering import (
    CREDENTIAL,
    IN_DOUBT_FOR_GOOD,
    Listener,
    assert_exactly_once,
    body,
    make_job,
    settings,
    states,
)
from tests.places import ROOT

TEN = tuple(f"A{n}" for n in range(10))


@pytest.fixture(scope="module")
def shared() -> Iterator[SandboxProcess]:
    with start_process() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(shared: SandboxProcess) -> SandboxProcess:
    """A Shout without orders that behaves."""
    shared.set_faults({})
    shared.reset()
    return shared


def deliver(job: Path, sandbox: SandboxProcess, **changes: Any) -> Delivered:
    limit, progress, stop = (
        changes.pop(name, default)
        for name, default in (("limit", None), ("progress", Listener()), ("stop", None))
    )
    with Checkpoint(job) as checkpoint:
        return run(
            checkpoint,
            settings(sandbox.url, **changes),
            limit=limit,
            progress=progress,
            stop=stop,
        )


def rows(job: Path) -> list[sqlite3.Row]:
    with Checkpoint(job, readonly=True) as checkpoint:
        return checkpoint.query("SELECT * FROM orders ORDER BY id").fetchall()


def creates(sandbox: SandboxProcess) -> int:
    arrived: dict[str, int] = sandbox.stats()["requests"]["arrived"]
    return arrived.get("create", 0)


def test_every_order_is_created_once_and_told_of(tmp_path: Path, sandbox: SandboxProcess) -> None:
    """300 orders of 10 accounts; the checkpoint knows Shout's id, status and tries of each."""
    job, told = make_job(tmp_path, 300, accounts=TEN), Listener()
    done = deliver(job, sandbox, progress=told)
    assert (dict(done.orders), done.ended) == ({State.CREATED: 300}, "finished")
    assert_exactly_once(sandbox, job)
    assert {(row["state"], row["http_status"], row["attempts"]) for row in rows(job)} == {
        ("created", 201, 1)
    }
    ids = {one["body"]: str(one["id"]) for one in sandbox.orders()}
    assert all(ids[row["payload"]] == row["shout_order_id"] for row in rows(job))
    assert (told.total, told.advanced, told.shown) == (300, 300, {"created": 300})
    assert done.activity.created == 300
    assert done.activity.requests == sandbox.stats()["requests"]["total"]


def test_a_run_over_a_finished_job_sends_nothing(tmp_path: Path, sandbox: SandboxProcess) -> None:
    """Not even a lookup."""
    job = make_job(tmp_path, 5)
    deliver(job, sandbox)
    before = sandbox.stats()["requests"]["total"]
    assert deliver(job, sandbox).orders == {}
    assert sandbox.stats()["requests"]["total"] == before


def test_a_slow_disk_and_one_connection_end_well(
    tmp_path: Path, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that is under way may come in during one commit; the next one claims more."""
    begin = Checkpoint.begin

    def slowly(self: Checkpoint, write: Any) -> Any:
        commit = begin(self, write)

        def commit_late() -> Any:
            time.sleep(0.05)
            return commit()

        return commit_late

    monkeypatch.setattr(Checkpoint, "begin", slowly)
    job = make_job(tmp_path, 20)
    assert deliver(job, sandbox, concurrency=1).orders == {State.CREATED: 20}


def test_a_limit_is_kept_and_the_rest_waits(tmp_path: Path, sandbox: SandboxProcess) -> None:
    """The pilot: 7 of 20, and then 20 of 20."""
    job = make_job(tmp_path, 20)
    done = deliver(job, sandbox, limit=7)
    assert (done.ended, states(job)) == ("limit", {"created": 7, "pending": 13})
    assert creates(sandbox) == 7
    assert deliver(job, sandbox, limit=13).ended == "finished"
    assert_exactly_once(sandbox, job)


def test_the_first_order_goes_alone_then_ten(tmp_path: Path, sandbox: SandboxProcess) -> None:
    """Until the first is confirmed nothing else is sent, until ten are no more than ten are."""
    sandbox.set_faults({"fault": [{"kind": "latency", "ms": 400, "on": ["create"]}]})
    job = make_job(tmp_path, 120)
    seen: list[int] = []

    def watch() -> None:
        for _ in range(2):
            time.sleep(0.3)
            seen.append(creates(sandbox))
            time.sleep(0.2)

    watcher = threading.Thread(target=watch)
    watcher.start()
    deliver(job, sandbox, concurrency=64)
    watcher.join()
    assert seen == [1, 11]
    assert sandbox.stats()["max_in_flight"] > 30


def test_an_answer_that_says_false_stops_the_run(tmp_path: Path, sandbox: SandboxProcess) -> None:
    """Issue 3, shows 4: after the 300th answer lies, only what was in flight was sent."""
    sandbox.set_faults(
        {
            "fault": [
                {"kind": "flag_false", "at": [300]},
                {"kind": "latency", "ms": 5, "on": ["create"]},
            ]
        }
    )
    job = make_job(tmp_path, 1000)
    with pytest.raises(SafetyStop, match="dont_trigger_auto_actions is false"):
        deliver(job, sandbox, concurrency=16)
    assert 300 <= creates(sandbox) <= 300 + 16
    assert states(job) == {"created": creates(sandbox), "pending": 1000 - creates(sandbox)}
    liar = [row for row in rows(job) if row["rule"] == "answer_differs"]
    assert len(liar) == 1
    assert "dont_trigger_auto_actions is false" in liar[0]["reason"]


@pytest.mark.parametrize("kind", ["flag_false", "amount_changed"])
def test_a_first_answer_that_is_wrong_is_the_only_one(
    kind: str, tmp_path: Path, sandbox: SandboxProcess
) -> None:
    """The canary: one order was sent, and no more."""
    sandbox.set_faults({"fault": [{"kind": kind}]})
    job = make_job(tmp_path, 100)
    with pytest.raises(SafetyStop, match="is not what was sent"):
        deliver(job, sandbox, concurrency=64)
    assert creates(sandbox) == 1


@pytest.mark.parametrize("kind", ["flag_missing", "amounts_missing"])
def test_what_an_answer_does_not_show_is_read_back(
    kind: str, tmp_path: Path, sandbox: SandboxProcess
) -> None:
    """A Shout that never echoes the flag: the canary's eleven orders are read back, then 1 %."""
    sandbox.set_faults({"fault": [{"kind": kind, "on": ["create"]}]})
    job = make_job(tmp_path, 250)
    done = deliver(job, sandbox)
    assert done.orders == {State.CREATED: 250}
    assert 11 <= done.activity.lookups <= 15


def test_a_flag_that_nothing_shows_stops_the_run(tmp_path: Path, sandbox: SandboxProcess) -> None:
    """Neither the answer nor the lookup: what cannot be confirmed is not repeated."""
    sandbox.set_faults({"fault": [{"kind": "flag_missing", "on": ["create", "get"]}]})
    job = make_job(tmp_path, 50)
    with pytest.raises(SafetyStop, match="neither in the answer nor by a lookup"):
        deliver(job, sandbox)
    assert creates(sandbox) == 1


def test_a_shout_that_cannot_look_up_is_not_trusted(
    tmp_path: Path, sandbox: SandboxProcess
) -> None:
    """In doubt is settled by lookups, so the canary proves that they tell the truth."""
    sandbox.set_faults({"fault": [{"kind": "error_before_commit", "status": 404, "on": ["get"]}]})
    job = make_job(tmp_path, 50)
    with pytest.raises(SafetyStop, match="lookups do not find it"):
        deliver(job, sandbox, give_up_after=1.0)
    assert creates(sandbox) == 1


def test_an_account_that_refuses_everything_is_set_aside(
    tmp_path: Path, sandbox: SandboxProcess
) -> None:
    """Issue 3, shows 7: one of ten not enabled, at most 5 refusals, all others created."""
    sandbox.set_faults({"accounts": {"not_enabled": ["A3"]}})
    job = make_job(tmp_path, 500, accounts=TEN)
    done = deliver(job, sandbox, concurrency=64)
    assert done.orders == {State.CREATED: 450, State.SKIPPED: 50}
    assert states(job) == {"created": 450, "skipped": 50}
    assert 1 <= sandbox.stats()["requests"]["by_operation"]["create"]["422"] <= 5
    skipped = [row for row in rows(job) if row["state"] == "skipped"]
    assert {(row["account_id"], row["rule"]) for row in skipped} == {("A3", "account_refused")}
    assert all("has not enabled Connect orders" in row["reason"] for row in skipped)


def test_an_account_first_in_line_that_refuses_does_not_hold_the_others_up(
    tmp_path: Path, sandbox: SandboxProcess
) -> None:
    """The canary goes on with the next account until one order is created."""
    sandbox.set_faults({"accounts": {"not_enabled": ["A0"], "unknown": ["A1"]}})
    job = make_job(tmp_path, 60, accounts=TEN[:3])
    deliver(job, sandbox)
    assert states(job) == {"created": 20, "skipped": 40}


def test_a_run_of_refusals_across_accounts_stops_the_run(
    tmp_path: Path, sandbox: SandboxProcess
) -> None:
    """50 in a row with nothing created: it is not the orders."""
    sandbox.set_faults({"accounts": {"auto": False}})
    job = make_job(tmp_path, 400, accounts=tuple(f"B{n}" for n in range(40)))
    with pytest.raises(SafetyStop, match="refused 50 requests in a row"):
        deliver(job, sandbox)
    assert creates(sandbox) <= 50 + 16
    assert "sending" not in states(job)


def test_an_order_that_is_refused_fails_with_the_answer(
    tmp_path: Path, sandbox: SandboxProcess
) -> None:
    """Its status and text are kept; the others go on."""
    job = make_job(tmp_path, 30, bodies=[body(str(n), n) for n in range(1, 30)] + [body("30", 0.5)])  # type: ignore[arg-type]
    deliver(job, sandbox)
    assert states(job) == {"created": 29, "failed": 1}
    refused = rows(job)[-1]
    assert (refused["http_status"], refused["rule"], refused["attempts"]) == (422, "refused", 1)
    assert "HTTP 422" in refused["reason"]
    assert "not whole cents" in refused["reason"]


@pytest.mark.parametrize("status", [409, 422, 400, 418])
def test_an_order_that_was_there_before_is_existing(
    status: int, tmp_path: Path, sandbox: SandboxProcess
) -> None:
    """Told by the lookup, whatever the status of a refused duplicate may be."""
    deliver(make_job(tmp_path / "first", 10), sandbox)
    sandbox.set_faults({"status": {"duplicate": status}})
    job = make_job(tmp_path / "second", 20)
    done = deliver(job, sandbox)
    assert done.orders == {State.EXISTING: 10, State.CREATED: 10}
    assert_exactly_once(sandbox, job)
    assert all(row["shout_order_id"] for row in rows(job))


def test_an_order_that_is_there_with_other_content_fails(
    tmp_path: Path, sandbox: SandboxProcess
) -> None:
    """It says what differs, and is not sent again."""
    deliver(make_job(tmp_path / "first", 3), sandbox)
    job = make_job(tmp_path / "second", 3, bodies=[body(str(n), n + 1) for n in range(1, 4)])
    deliver(job, sandbox)
    assert states(job) == {"failed": 3}
    assert "total_cents is 7001, not 7002" in rows(job)[0]["reason"]
    assert len(sandbox.orders()) == 3


def test_an_order_found_as_sending_is_looked_up_first(
    tmp_path: Path, sandbox: SandboxProcess
) -> None:
    """Rule 4. Those that arrived are not sent again, the others are. Nothing proves that the five
    are ours, as this job has seen too few of Shout's ids."""
    arrived, job = make_job(tmp_path / "arrived", 5), make_job(tmp_path / "job", 10)
    deliver(arrived, sandbox)
    with Checkpoint(job) as checkpoint:
        claim(checkpoint, 8)
    done = deliver(job, sandbox)
    assert done.orders == {State.CREATED: 5, State.EXISTING: 5}
    assert creates(sandbox) == 10
    assert_exactly_once(sandbox, job)


def test_an_order_that_was_refused_before_is_looked_up_before_it_is_sent_again(
    tmp_path: Path, sandbox: SandboxProcess
) -> None:
    """``retry``: with attempts behind it, an order may be there by now."""
    deliver(make_job(tmp_path / "arrived", 1), sandbox)
    sandbox.set_faults({"honour_duplicate_header": False})
    job = make_job(tmp_path / "job", 1)
    with Checkpoint(job) as checkpoint:
        (claimed,) = claim(checkpoint, 1)
        record(checkpoint, [Result(claimed.id, State.PENDING, 1)])
    deliver(job, sandbox)
    assert states(job) == {"existing": 1}
    assert creates(sandbox) == 1


def test_a_commit_that_comes_late_is_waited_for(tmp_path: Path, sandbox: SandboxProcess) -> None:
    """Not found at once is not believed: no second copy, though the server ignores the header."""
    sandbox.set_faults(
        {
            "honour_duplicate_header": False,
            "fault": [{"kind": "late_commit", "seconds": 0.6, "nth": 5}],
        }
    )
    job = make_job(tmp_path, 30)
    deliver(job, sandbox, timeout=0.3, settle=1.0)
    assert_exactly_once(sandbox, job)


def test_an_order_that_always_ends_in_an_error_fails_alone(
    tmp_path: Path, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One bad order neither blocks the others nor is sent for ever."""
    monkeypatch.setattr("backfill.deliver.send.MOST_UNANSWERED", 3)
    job = make_job(tmp_path, 40, accounts=(*["A1"] * 39, "A9"))
    sandbox.set_faults(
        {"fault": [{"kind": "error_before_commit", "account": "A9", "on": ["create"]}]}
    )
    done = deliver(job, sandbox, settle=0.05)
    assert states(job) == {"created": 39, "failed": 1}
    assert rows(job)[-1]["rule"] == "no_answer"
    assert done.orders[State.FAILED] == 1
    assert len(sandbox.orders()) == 39


def test_an_order_whose_lookups_fail_stays_in_doubt(
    tmp_path: Path, sandbox: SandboxProcess
) -> None:
    """Nothing is guessed; the next run settles it."""
    sandbox.set_faults(IN_DOUBT_FOR_GOOD)
    job = make_job(tmp_path, 40, accounts=(*["A1"] * 39, "A9"))
    done = deliver(job, sandbox)
    assert done.orders == {State.CREATED: 39, State.SENDING: 1}
    assert states(job) == {"created": 39, "sending": 1}
    sandbox.set_faults({})
    deliver(job, sandbox)
    assert_exactly_once(sandbox, job)


def test_an_order_whose_lookups_always_end_in_an_error_is_no_outage(
    tmp_path: Path, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lookups of other orders are answered: the run goes on, and one order stays in doubt."""
    monkeypatch.setattr("backfill.deliver.pace._DOWN_AFTER", 2)
    monkeypatch.setattr("backfill.deliver.lookup._MOST_LOOKUPS", 3)
    sandbox.set_faults(
        {
            "fault": [
                {"kind": "error_after_commit", "account": "A9", "on": ["create"]},
                {"kind": "error_before_commit", "account": "A9", "on": ["get"]},
            ]
        }
    )
    job = make_job(tmp_path, 40, accounts=(*["A1"] * 39, "A9"))
    deliver(job, sandbox)
    assert states(job) == {"created": 39, "sending": 1}
    assert "HTTP 500" in rows(job)[-1]["reason"]


def test_an_order_in_doubt_of_an_account_that_refuses_stays_in_doubt(
    tmp_path: Path, sandbox: SandboxProcess
) -> None:
    """It may be in Shout: were it skipped, a retry could send it without a look."""
    job = make_job(tmp_path, 40, accounts=("A1", "A2"))
    with Checkpoint(job) as checkpoint:
        claim(checkpoint, 40)
        with checkpoint.writing() as db:
            db.execute("UPDATE orders SET state = 'pending' WHERE id < 35 OR account_id = 'A1'")
    sandbox.set_faults(
        {
            "accounts": {"not_enabled": ["A2"]},
            "fault": [{"kind": "error_before_commit", "status": 422, "account": "A2", "on": "get"}],
        }
    )
    deliver(job, sandbox)
    found = states(job)
    assert (found["created"], found["sending"]) == (20, 3)
    assert found.get("failed", 0) + found["skipped"] == 17


def test_orders_that_are_all_refused_again_are_not_in_doubt(
    tmp_path: Path, sandbox: SandboxProcess
) -> None:
    """Not a single order is in Shout, and none needs to be: a refusal leaves no doubt."""
    sandbox.set_faults({"accounts": {"not_enabled": ["A1"]}})
    job = make_job(tmp_path, 12)
    for _ in range(2):
        deliver(job, sandbox)
        assert states(job).keys() <= {"failed", "skipped"}
        with Checkpoint(job) as checkpoint, checkpoint.writing() as db:
            db.execute("UPDATE orders SET state = 'pending'")


def test_wrong_credentials_stop_the_run_with_everything_left_to_send(
    tmp_path: Path, sandbox: SandboxProcess
) -> None:
    """401 is about all orders: none is failed, none is in doubt."""
    job = make_job(tmp_path, 50)
    with pytest.raises(SafetyStop, match="refuses the credentials"):
        deliver(job, sandbox, headers=(("Authorization", Secret("Bearer wrong-wrong")),))
    assert states(job) == {"pending": 50}
    assert creates(sandbox) == 1


def test_a_redirect_stops_a_run_that_has_created_nothing(
    tmp_path: Path, sandbox: SandboxProcess
) -> None:
    """The address is wrong; where orders were created before, it is but a hiccup."""
    sandbox.set_faults({"fault": [{"kind": "redirect", "at": [1, 30], "on": ["create"]}]})
    job = make_job(tmp_path, 40)
    with pytest.raises(SafetyStop, match="redirects to /elsewhere"):
        deliver(job, sandbox)
    assert states(job) == {"pending": 40}
    deliver(job, sandbox)
    assert_exactly_once(sandbox, job)


def test_a_shout_that_is_not_there_stops_the_run(tmp_path: Path) -> None:
    """After ``--give-up-after``; nothing was sent, so nothing is in doubt."""
    with start_process() as sandbox:
        sandbox.kill()
        job = make_job(tmp_path, 50)
        with pytest.raises(SafetyStop, match="for more than 1 seconds"):
            deliver(job, sandbox, give_up_after=1.0)
        assert states(job) == {"pending": 50}
        sandbox.restart()
        deliver(job, sandbox)
        assert_exactly_once(sandbox, job)


@pytest.mark.parametrize("form", ["seconds", "date", "none"])
def test_too_many_requests_are_waited_for(
    form: str, tmp_path: Path, sandbox: SandboxProcess
) -> None:
    """In both forms of Retry-After, and without."""
    sandbox.set_faults({"rate_limit": 60, "burst": 20, "retry_after": form})
    job = make_job(tmp_path, 30)
    done = deliver(job, sandbox)
    assert done.activity.rate_limited > 0
    assert_exactly_once(sandbox, job)


def test_a_program_can_end_a_run(tmp_path: Path, sandbox: SandboxProcess) -> None:
    """Stop.request: what is under way finishes, the rest waits, and the next run goes on."""
    job, stop = make_job(tmp_path, 400), Stop()

    class Impatient(Listener):
        def advance(self, n: int = 1) -> None:
            super().advance(n)
            stop.request()

    sandbox.set_faults({"fault": [{"kind": "latency", "ms": 20, "on": ["create"]}]})
    with pytest.raises(Interrupted):
        deliver(job, sandbox, progress=Impatient(), stop=stop)
    left = states(job)
    assert left.keys() == {"created", "pending"}
    assert left["created"] == creates(sandbox)
    deliver(job, sandbox)
    assert_exactly_once(sandbox, job)


def test_a_disk_that_fills_up_stops_everything(tmp_path: Path, sandbox: SandboxProcess) -> None:
    """Issue 3, shows 8: one clear line; with space again the same run finishes exactly once."""
    job = make_job(tmp_path, 1000)
    with Checkpoint(job) as checkpoint:
        pages = checkpoint.query("PRAGMA page_count").fetchone()[0]
        checkpoint.query("PRAGMA journal_size_limit = 0")
        checkpoint.query(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(StorageError, match="the disk is full"):
            run(checkpoint, settings(sandbox.url), progress=Listener())
    deliver(job, sandbox)
    assert_exactly_once(sandbox, job)


def test_the_open_files_limit_is_made_do_with(tmp_path: Path, sandbox: SandboxProcess) -> None:
    """64 connections where only a few files may be open: slower, and all the same."""
    job = make_job(tmp_path, 200)
    sandbox.set_faults({"fault": [{"kind": "latency", "ms": 20, "on": ["create"]}]})
    done = child(job, sandbox, concurrency=64, files=24)
    assert (done.wait(), states(job)) == (0, {"created": 200})
    assert_exactly_once(sandbox, job)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_run_in_good_order(
    number: signal.Signals, tmp_path: Path, sandbox: SandboxProcess
) -> None:
    """Exit 130, nothing in doubt but what did not answer in time."""
    sandbox.set_faults({"fault": [{"kind": "latency", "ms": 50, "on": ["create"]}]})
    job = make_job(tmp_path, 2000)
    process = child(job, sandbox)
    wait_for(lambda: creates(sandbox) > 30)
    process.send_signal(number)
    assert process.wait(10) == 130
    assert states(job).keys() == {"created", "pending"}
    assert creates(sandbox) == states(job)["created"]


def test_a_second_signal_leaves_at_once_and_safely(tmp_path: Path, sandbox: SandboxProcess) -> None:
    """With requests that hang: exit 130 now, and the next run looks them up."""
    sandbox.set_faults({"fault": [{"kind": "hang_after_commit", "from": 30, "on": ["create"]}]})
    job = make_job(tmp_path, 200)
    process = child(job, sandbox, timeout=60.0)
    wait_for(lambda: sandbox.stats()["faults"].get("hang_after_commit", {}).get("count", 0) >= 5)
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    assert process.wait(5) == 130
    assert states(job)["sending"] >= 5
    sandbox.set_faults({"honour_duplicate_header": False})
    deliver(job, sandbox)
    assert_exactly_once(sandbox, job)


def test_the_credential_is_nowhere(tmp_path: Path, sandbox: SandboxProcess) -> None:
    """Issue 3, shows 9: not in what is printed, not in any file, also where Shout refuses it."""
    job = make_job(tmp_path, 20)
    wrong = (("Authorization", Secret("Bearer pst-pst-secret")),)
    told = Listener()
    with pytest.raises(SafetyStop) as caught:
        deliver(job, sandbox, headers=wrong, progress=told)
    shown = "".join(traceback.format_exception(caught.value)) + repr(told.said)
    deliver(job, sandbox)
    for secret in ("pst-pst-secret", CREDENTIAL):
        assert secret not in shown
        for file in tmp_path.rglob("*"):
            assert secret.encode() not in file.read_bytes()


@pytest.mark.parametrize("down", ["503", "drop"])
def test_a_short_outage_is_sat_out(down: str, tmp_path: Path, sandbox: SandboxProcess) -> None:
    """3 seconds in mid-run: few requests meanwhile, and everything is created."""
    job, bothered = make_job(tmp_path, 600), []

    def outage() -> None:
        wait_for(lambda: creates(sandbox) > 100)
        sandbox.change_faults(down=down)
        before = sandbox.stats()["requests"]["total"]
        time.sleep(3)
        bothered.append(sandbox.stats()["requests"]["total"] - before)
        sandbox.change_faults(down=False)

    thread = threading.Thread(target=outage)
    thread.start()
    deliver(job, sandbox, concurrency=64, rate=300)
    thread.join()
    assert bothered[0] < 100
    assert_exactly_once(sandbox, job)


def child(job: Path, sandbox: SandboxProcess, **changes: Any) -> subprocess.Popen[bytes]:
    """The same in a process of its own: see tests/chaos/driver.py."""
    import json

    return subprocess.Popen(
        [sys.executable, "-m", "tests.chaos.driver", job, sandbox.url, json.dumps(changes)],
        cwd=ROOT,
    )


def wait_for(condition: Any) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
