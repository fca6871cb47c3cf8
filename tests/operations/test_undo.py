"""``backfill undo``: what this job created goes, all else stays, whatever interrupts it."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from backfill.job_folder import lock
from backfill.sandbox.process import SandboxProcess
from tests.operations.jobs import (
    JOB,
    asked,
    assert_as_meant,
    begin,
    keys_in,
    killed,
    orders,
    states,
    to,
    typed,
    write,
)
from tests.places import ROOT


def imported(sandbox: SandboxProcess, count: int, *, existing: int = 0) -> None:
    """A finished job of orders of which some were in Shout before."""
    rows = orders(range(1, count + 1))
    if existing:
        write("before.csv", rows[: 2 * existing])
        assert typed("run", "before.csv", *to(sandbox)) == 0
    write("orders.csv", rows)
    assert typed("run", "orders.csv", *to(sandbox)) == 0
    counts = {"created": count - existing, "existing": existing}
    assert states() == {state: n for state, n in counts.items() if n}


def test_an_undo_takes_back_what_the_job_created_and_a_run_sends_it_again(
    sandbox: SandboxProcess,
) -> None:
    """Promise 11. With 50 orders that were there before, and kills in the middle, twice: the 50
    remain, all others are gone; run once more, and all are there exactly once."""
    imported(sandbox, 250, existing=50)
    before = sandbox.orders()[:50]
    for left in (200, 120):
        undo: list[str | Path] = ["undo", JOB, *to(sandbox), "--rate", "250"]
        assert killed(undo, lambda: sandbox.stats()["orders"] <= left)  # noqa: B023
    assert typed("undo", JOB, *to(sandbox)) == 0
    assert sandbox.orders() == before
    assert states() == {"existing": 50, "undone": 200}
    assert typed("undo", JOB, *to(sandbox)) == 0, "once more is no harm"
    assert typed("run", "--job", JOB, *to(sandbox)) == 0
    assert states() == {"existing": 50, "created": 200}
    assert_as_meant(sandbox)


def test_a_run_after_a_killed_undo_settles_what_was_being_deleted(
    sandbox: SandboxProcess,
) -> None:
    """Instead of finishing the undo the job is run again: every order is there exactly once."""
    imported(sandbox, 120)
    assert killed(
        ["undo", JOB, *to(sandbox), "--rate", "200"], lambda: sandbox.stats()["orders"] < 80
    )
    assert typed("run", "--job", JOB, *to(sandbox)) == 0
    assert states() == {"created": 120}
    assert_as_meant(sandbox)


def test_trouble_on_the_wire(sandbox: SandboxProcess) -> None:
    """Deletions that are dropped, hang, fail before and after: all gone, and back after a run."""
    imported(sandbox, 100)
    kinds = (
        *("drop_before_commit", "drop_after_commit", "error_before_commit", "error_after_commit"),
        *("html", "late_commit"),
    )
    bad = [{"kind": kind, "p": 0.05, "on": ["delete"]} for kind in kinds]
    bad[-1]["seconds"] = 0.1
    sandbox.set_faults({"seed": 5, "rate_limit": 500, "fault": bad})
    assert typed("undo", JOB, *to(sandbox, timeout=0.4)) == 0
    assert (sandbox.stats()["orders"], states()) == (0, {"undone": 100})
    sandbox.set_faults({})
    assert typed("run", "--job", JOB, *to(sandbox)) == 0
    assert_as_meant(sandbox)


def test_a_late_deletion_does_not_reach_an_order_that_is_created_anew(
    sandbox: SandboxProcess,
) -> None:
    """A request to delete that Shout carries out long after it was given up on: the order counts
    as undone only when that cannot happen any more, so a run right after it loses nothing."""
    imported(sandbox, 3)
    late = {"kind": "late_commit", "seconds": 1.5, "on": ["delete"], "at": [2]}
    sandbox.set_faults({"fault": [late]})
    words = [*to(sandbox, timeout=0.3), "--settle", "2"]
    assert typed("undo", JOB, *words) == 0
    assert typed("run", "--job", JOB, *words) == 0
    time.sleep(1.6)
    assert_as_meant(sandbox)


def test_an_order_that_somebody_else_made_anew_stays(
    sandbox: SandboxProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    """Deleted and created again by another hand, it has another id in Shout: not ours, exit 3."""
    imported(sandbox, 12)
    (theirs,) = sandbox.orders(reference_id="#5")
    sandbox.delete_order(theirs["id"])
    write("anew.csv", orders([5]))
    assert typed("run", "anew.csv", *to(sandbox)) == 0
    assert typed("undo", JOB, *to(sandbox)) == 3
    assert keys_in(sandbox) == {("A3", "#5"): 1}
    assert states() == {"undone": 11, "created": 1}
    assert "stays in Shout: #5: it is now another order" in capsys.readouterr().out


def test_an_order_whose_id_is_not_known_stays(sandbox: SandboxProcess) -> None:
    """Its content proves nothing: somebody else may have created the same order."""
    imported(sandbox, 6)
    import sqlite3

    with sqlite3.connect(JOB / "checkpoint.sqlite") as db:
        db.execute("UPDATE orders SET shout_order_id = NULL")
    db.close()
    assert typed("undo", JOB, *to(sandbox)) == 3
    assert len(sandbox.orders()) == 6
    assert states() == {"created": 6}


def test_an_order_that_may_have_been_there_before_stays(
    sandbox: SandboxProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    """A duplicate whose refusal got lost is found by a lookup. Where Shout's id says that it came
    after our first order, we created it, and it is taken back; the others stay and are named."""
    rows = orders(range(1, 61))
    write("before.csv", rows[60:])
    assert typed("run", "before.csv", *to(sandbox)) == 0
    before = keys_in(sandbox)
    write("orders.csv", rows)
    fault = {"kind": "drop_after_commit", "on": ["create"], "at": [12, 14, 52, 56]}
    sandbox.set_faults({"fault": [fault]})
    assert typed("run", "orders.csv", *to(sandbox)) == 0
    ((proven,),) = asked(
        "SELECT count(*) FROM orders WHERE state = 'created' AND http_status IS NULL"
    )
    ((unproven,),) = asked("SELECT count(*) FROM orders WHERE rule = 'not_proven_ours'")
    assert proven + unproven == 4
    assert unproven >= 2, "those that had been there before"
    assert typed("undo", JOB, *to(sandbox)) == 3
    assert before - keys_in(sandbox) == {}
    assert keys_in(sandbox).total() == before.total() + unproven - 2
    assert f"{unproven} orders may have been in Shout before this job" in capsys.readouterr().out


def test_reports_follow(sandbox: SandboxProcess) -> None:
    """What results.csv says after an undo is what is so."""
    imported(sandbox, 4)
    assert typed("undo", JOB, "--limit", "1", *to(sandbox)) == 0
    text = (JOB / "results.csv").read_text()
    assert (text.count(",created,"), text.count(",undone,")) == (3, 1)


def test_ctrl_c_ends_it_in_good_order(sandbox: SandboxProcess) -> None:
    """SIGINT in the middle: 130, and the same command goes on. Deletions that no lookup has
    confirmed yet are in doubt."""
    imported(sandbox, 80)
    child = begin("undo", JOB, *to(sandbox), "--rate", "80")
    while sandbox.stats()["orders"] > 60:
        assert child.poll() is None
    child.send_signal(signal.SIGINT)
    told, _ = child.communicate(timeout=30)
    assert child.returncode == 130, told
    left = sandbox.stats()["orders"]
    assert 0 < left <= 60
    found = states()
    assert found["undone"] + found.get("sending", 0) >= 80 - left >= found["undone"]
    assert typed("undo", JOB, *to(sandbox)) == 0
    assert sandbox.orders() == []


@pytest.mark.parametrize("command", ["undo", "verify", "retry", "purge", "notify"])
def test_a_job_that_runs_is_left_alone(sandbox: SandboxProcess, command: str) -> None:
    """Each of the commands that come after an import exits with 11 while another holds the job."""
    imported(sandbox, 2)
    words = ["--yes", "--progress", "none"] if command == "purge" else to(sandbox)
    words += ["--message", "x"] if command == "notify" else []
    with lock.hold(JOB):
        assert typed(command, JOB, *words) == 11
    assert sandbox.stats()["orders"] == 2


def test_narrowed_by_account_date_and_number(sandbox: SandboxProcess) -> None:
    """--account, --since and --limit leave the rest alone."""
    imported(sandbox, 30)
    assert typed("undo", JOB, "--account", "A1", "--limit", "4", *to(sandbox)) == 0
    assert asked("SELECT DISTINCT account_id FROM orders WHERE state = 'undone'") == [("A1",)]
    assert sandbox.stats()["orders"] == 26
    assert typed("undo", JOB, "--since", "2999-01-01", *to(sandbox)) == 0
    assert sandbox.stats()["orders"] == 26
    assert typed("undo", JOB, "--since", "yesterday", *to(sandbox)) == 2
    assert typed("undo", JOB, "--since", "2020-01-01", *to(sandbox)) == 0
    assert sandbox.stats()["orders"] == 0


def test_what_is_undone_can_be_left_undone(
    sandbox: SandboxProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run says that it creates undone orders again; --leave-undone, and retry, do not."""
    imported(sandbox, 9)
    assert typed("undo", JOB, "--account", "A1", *to(sandbox)) == 0
    assert "would create the deleted orders again" in capsys.readouterr().out
    assert typed("run", "--job", JOB, "--leave-undone", *to(sandbox)) == 0
    assert typed("retry", JOB, *to(sandbox)) == 0
    assert states() == {"created": 6, "undone": 3}
    words = [*to(sandbox), "--progress", "plain"]
    assert typed("run", "--job", JOB, *words) == 0
    assert "3 orders that an undo had deleted were created again" in capsys.readouterr().out
    assert_as_meant(sandbox)


def test_undone_orders_take_a_corrected_export(sandbox: SandboxProcess) -> None:
    """Undo, fix the export, run: what comes is the new content; what is gone stays away."""
    imported(sandbox, 10)
    assert typed("undo", JOB, *to(sandbox)) == 0
    write("orders.csv", orders(range(2, 11), profile_name="Janet S."))
    assert typed("validate", "orders.csv", "--progress", "none") == 0
    assert states() == {"undone": 10}, "a dry run decides nothing"
    assert typed("run", "orders.csv", *to(sandbox)) == 0
    assert states() == {"created": 9, "undone": 1}
    assert {one["order"]["profile_name"] for one in sandbox.orders()} == {"Janet S."}
    assert_as_meant(sandbox)


def test_wrong_credentials_stop_it(sandbox: SandboxProcess) -> None:
    """401 on the first deletion: exit 4, nothing is gone, and everything is still ours."""
    imported(sandbox, 10)
    fault = {"kind": "error_before_commit", "status": 403, "on": ["delete"]}
    sandbox.set_faults({"fault": [fault]})
    assert typed("undo", JOB, *to(sandbox)) == 4
    assert (sandbox.stats()["orders"], states()) == (10, {"created": 10})


def test_a_server_that_only_says_it_deletes_is_found_out(sandbox: SandboxProcess) -> None:
    """The first deletion goes alone and is looked up: nothing follows one that did not work."""
    imported(sandbox, 10)
    fault = {"kind": "error_before_commit", "status": 200, "on": ["delete"]}
    sandbox.set_faults({"fault": [fault]})
    assert typed("undo", JOB, *to(sandbox)) == 4
    assert sandbox.stats()["requests"]["arrived"]["delete"] == 1
    sandbox.set_faults({})
    assert typed("undo", JOB, *to(sandbox)) == 0
    assert sandbox.stats()["orders"] == 0


def test_it_asks_first(sandbox: SandboxProcess) -> None:
    """Counts and host are shown, and the host has to be typed; anything else deletes nothing."""
    imported(sandbox, 3)
    ours, theirs = pty.openpty()
    words = ["undo", str(JOB), "--api-url", "https://shout.example"]
    with subprocess.Popen(
        [sys.executable, "-m", "backfill", *words, "--progress", "none"],
        stdin=theirs,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as child:
        os.write(ours, b"yes\n")
        _, said = child.communicate(timeout=60)
    os.close(theirs)
    os.close(ours)
    assert child.returncode == 4, said
    assert "will be DELETED from Shout at shout.example" in said
    assert "3 in 3 accounts" in said
    assert "not confirmed, so nothing was deleted" in said
    assert states() == {"created": 3}


def test_no_job_is_made(sandbox: SandboxProcess) -> None:
    """A folder that is no job is a plain mistake."""
    assert typed("undo", "nowhere.backfill", *to(sandbox)) == 2
    assert not Path("nowhere.backfill").exists()
