"""``backfill verify``: each way in which Shout can differ is found, and nothing else."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from backfill.checkpoint import Checkpoint
from backfill.job_folder.files import CHECKPOINT
from backfill.sandbox.process import SandboxProcess
from tests.operations.jobs import JOB, asked, killed, orders, to, typed, write


def imported(sandbox: SandboxProcess, count: int) -> None:
    write("orders.csv", orders(range(1, count + 1)))
    assert typed("run", "orders.csv", *to(sandbox)) == 0


def verdict() -> dict[str, object]:
    """What the job remembers of the last check."""
    found: dict[str, object] = json.loads(
        asked("SELECT value FROM meta WHERE key = 'verify'")[0][0]
    )
    return found


def test_every_difference_is_found_and_nothing_else(
    sandbox: SandboxProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    """Promise 10, among 5,000: deleted, a cent more, a line less, the flag off, another account."""
    imported(sandbox, 5000)
    there = sandbox.orders()[100:4000:500]
    deleted, cent, line, flag, moved, paid, created, name = there
    sandbox.delete_order(deleted["id"])
    total = cent["order"]["total_cents"]
    sandbox.change_order(cent["id"], total_cents=total + 1)
    sandbox.change_order(line["id"], line_items=line["order"]["line_items"][:1])
    sandbox.change_order(flag["id"], dont_trigger_auto_actions=False)
    sandbox.change_order(moved["id"], account="A9")
    sandbox.change_order(paid["id"], paid_at="2021-12-20")
    sandbox.change_order(created["id"], created_at="2021-04-09T12:00:01-06:00")
    lines = name["order"]["line_items"]
    sandbox.change_order(name["id"], line_items=[{**lines[0], "name": "Tanktop"}, *lines[1:]])

    assert typed("verify", JOB, *to(sandbox)) == 3
    told = capsys.readouterr().out
    assert "4,992 equal, 6 different, 2 missing" in told
    assert f"total_cents is {total + 1}, not {total}" in told
    with (JOB / "verify.csv").open(newline="") as file:
        listed = {
            row["reference_id"]: (row["verdict"], row["fields"]) for row in csv.DictReader(file)
        }
    assert listed == {
        deleted["order"]["reference_id"]: ("missing", ""),
        moved["order"]["reference_id"]: ("missing", ""),
        cent["order"]["reference_id"]: ("different", "total_cents"),
        line["order"]["reference_id"]: ("different", "line_items"),
        flag["order"]["reference_id"]: ("different", "dont_trigger_auto_actions"),
        paid["order"]["reference_id"]: ("different", "paid_at"),
        created["order"]["reference_id"]: ("different", "created_at"),
        name["order"]["reference_id"]: ("different", "line_items"),
    }
    assert verdict()["fields"] == {
        "total_cents": 1,
        "line_items": 2,
        "dont_trigger_auto_actions": 1,
        "paid_at": 1,
        "created_at": 1,
    }
    assert sandbox.stats()["requests"]["arrived"].keys() <= {"create", "get"}, "it changes nothing"


def test_the_table_to_sign_adds_up(
    sandbox: SandboxProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    """By account and month: export, sent and found; a line that differs is marked."""
    imported(sandbox, 36)
    gone = sandbox.orders()[0]
    sandbox.delete_order(gone["id"])
    assert typed("verify", JOB, *to(sandbox)) == 3
    table = capsys.readouterr().out.rpartition("in the export")[2].splitlines()[1:]
    assert [line[0] for line in table].count("!") == 2, "its month and the sum"
    in_export = sum(cents for (cents,) in asked("SELECT total_cents FROM orders"))
    found = in_export - gone["order"]["total_cents"]
    assert table[-1].split() == [
        *("!", "all", "36", f"{in_export / 100:,.2f}", "36", f"{in_export / 100:,.2f}"),
        *("35", f"{found / 100:,.2f}"),
    ]
    in_report = json.loads((JOB / "report.json").read_bytes())
    assert in_report["verify"]["missing"] == 1
    assert sum(line["found_total_cents"] for line in in_report["sign_off"]) == found


def test_a_sample_is_a_quick_look(
    sandbox: SandboxProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    """--sample N looks up N orders, and leaves the verdict of the last whole check alone."""
    imported(sandbox, 40)
    assert typed("verify", JOB, *to(sandbox)) == 0
    before = verdict()
    for one in sandbox.orders():
        sandbox.delete_order(one["id"])
    looked_up = sandbox.stats()["requests"]["arrived"]["get"]
    assert typed("verify", JOB, "--sample", "7", *to(sandbox)) == 3
    assert "7 of 40 created orders were read back: 0 equal, 0 different, 7 missing" in (
        capsys.readouterr().out
    )
    # And two keys per account that cannot be there, to learn how Shout says so.
    assert looked_up + 7 < sandbox.stats()["requests"]["arrived"]["get"] <= looked_up + 7 + 3 * 2
    assert verdict() == before
    assert not (JOB / "verify.csv").exists()


def test_an_interrupted_check_goes_on(
    sandbox: SandboxProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    """Stopped in the middle: what was read back is not read again."""
    imported(sandbox, 200)
    sandbox.set_faults({"fault": [{"kind": "error_before_commit", "status": 401, "from": 120}]})
    assert typed("verify", JOB, *to(sandbox)) == 4, "stopped by refused credentials"
    read = asked("SELECT count(*) FROM verified")[0][0]
    assert 50 < read < 200
    sandbox.set_faults({})
    looked_up = sandbox.stats()["requests"]["arrived"]["get"]
    assert typed("verify", JOB, *to(sandbox)) == 0
    assert sandbox.stats()["requests"]["arrived"]["get"] - looked_up == 200 - read
    assert "200 of 200 created orders were read back: 200 equal" in capsys.readouterr().out
    looked_up += 200 - read
    assert typed("verify", JOB, *to(sandbox)) == 0, "a finished check begins anew"
    assert sandbox.stats()["requests"]["arrived"]["get"] - looked_up == 200


def test_a_killed_check_goes_on(sandbox: SandboxProcess) -> None:
    """SIGKILL leaves a checkpoint that the next check goes on from, to the same verdict."""
    imported(sandbox, 120)
    sandbox.delete_order(sandbox.orders()[0]["id"])
    looked_up = sandbox.stats()["requests"]["arrived"]["get"]

    def half_way() -> bool:
        return bool(sandbox.stats()["requests"]["arrived"]["get"] >= looked_up + 60)

    assert killed(["verify", JOB, *to(sandbox), "--rate", "200"], half_way)
    assert typed("verify", JOB, *to(sandbox)) == 3
    assert (verdict()["equal"], verdict()["missing"]) == (119, 1)


def test_trouble_on_the_wire_is_no_difference(sandbox: SandboxProcess) -> None:
    """Dropped connections, 500s and 429s are asked again; an account that refuses is told."""
    imported(sandbox, 150)
    bad = [
        {"kind": kind, "p": 0.1, "on": ["get"]}
        for kind in ("drop_before_commit", "error_before_commit", "cut_json")
    ]
    sandbox.set_faults({"seed": 3, "rate_limit": 400, "fault": bad})
    assert typed("verify", JOB, *to(sandbox)) == 0
    refused = {"kind": "error_before_commit", "status": 422, "account": "A2"}
    sandbox.set_faults({"fault": [refused]})
    assert typed("verify", JOB, *to(sandbox)) == 3
    assert (verdict()["equal"], verdict()["unanswered"]) == (100, 50)


def test_nothing_created_is_nothing_to_read(
    sandbox: SandboxProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    """A job that sent nothing is told so; a folder that is no job is a plain mistake."""
    write("orders.csv", orders([1]))
    assert typed("validate", "orders.csv", "--progress", "none") == 0
    assert typed("verify", JOB, *to(sandbox)) == 0
    assert "created no orders" in capsys.readouterr().out
    assert typed("verify", "nowhere.backfill", *to(sandbox)) == 2
    assert not Path("nowhere.backfill").exists()


def test_an_answer_without_the_flag_is_said(
    sandbox: SandboxProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where a lookup does not show the flag, that it could not be checked is told."""
    imported(sandbox, 20)
    sandbox.set_faults({"fault": [{"kind": "flag_missing", "on": ["get"]}]})
    code = typed("verify", JOB, *to(sandbox))
    assert code == 0
    assert "lookups do not show the flag, so it was not checked, in 20" in capsys.readouterr().out
    with Checkpoint(JOB / CHECKPOINT, readonly=True) as checkpoint:
        assert checkpoint.counts()["created"] == 20  # type: ignore[index]  # a StrEnum's text
