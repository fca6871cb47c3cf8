"""``backfill.log`` tells what happened, to somebody who was not there."""

from __future__ import annotations

import json
from typing import Any

import pytest

from backfill.deliver import create
from backfill.sandbox.process import SandboxProcess
from tests.operations.jobs import JOB, orders, to, typed, write


def events() -> list[dict[str, Any]]:
    text = (JOB / "backfill.log").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def test_a_run_with_troubles_reads_in_order(
    sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Begin with settings, decisions, pauses, doubts, refusals, skipped accounts, result, end."""
    monkeypatch.setattr(create, "LOG_SECONDS", 0.0)
    sandbox.set_faults(
        {
            "rate_limit": 60,
            "burst": 20,
            "accounts": {"not_enabled": ["A3"]},
            "fault": [
                {"kind": "drop_after_commit", "on": ["create"], "at": [15]},
                {"kind": "error_before_commit", "status": 503, "on": ["create"], "at": [20]},
                {"kind": "error_before_commit", "status": 422, "on": ["create"], "at": [30]},
            ],
        }
    )
    write("orders.csv", orders(range(60)))
    assert typed("run", "orders.csv", *to(sandbox)) == 3
    told = events()
    names = [one["event"] for one in told]
    assert names[0] == "command began"
    assert told[0]["settings"]["exports"] == ["orders.csv"]
    assert names[-1] == "command ended"
    expected = [
        "decided",
        "prepared",
        "sent so far",
        "rate limited",
        "order in doubt",
        "found by lookup",
        "not found by lookup",
        "order refused",
        "account skipped",
        "sent",
    ]
    assert [name for name in expected if name not in names] == []
    assert names.index("decided") < names.index("prepared") < names.index("sent")
    (refused, *_) = [one for one in told if one["event"] == "order refused"]
    assert "HTTP 422" in refused["answer"]
    assert refused["reference_id"].startswith("#")
    last = [one for one in told if one["event"] == "sent so far"][-1]
    (end,) = [one for one in told if one["event"] == "sent"]
    states = ("created", "failed", "skipped")
    assert [last[state] for state in states] == [end[state] for state in states]


def test_neither_customers_nor_secrets(sandbox: SandboxProcess) -> None:
    """No name, phone number or credential gets into the log, even where Shout quotes one."""
    write("orders.csv", orders(range(12)))
    assert typed("run", "orders.csv", *to(sandbox)) == 0
    text = (JOB / "backfill.log").read_text(encoding="utf-8")
    assert "Janet" not in text
    assert "801555" not in text
    assert sandbox.header[1] not in text


def test_a_stop_is_told(sandbox: SandboxProcess) -> None:
    """An error ends the command with its message and exit code."""
    write("orders.csv", orders(range(3)))
    wrong = ["--api-url", sandbox.url, "--header", "Authorization: Bearer wrong-credential"]
    assert typed("run", "orders.csv", *wrong) == 4
    last = events()[-1]
    assert (last["event"], last["exit_code"], last["level"]) == ("command stopped", 4, "error")
    assert "credentials" in last["error"]
