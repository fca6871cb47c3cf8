"""``backfill retry``: what was refused or set aside goes again, all of it or some."""

from __future__ import annotations

import pytest

from backfill.sandbox.process import SandboxProcess
from tests.operations.jobs import (
    JOB,
    asked,
    assert_as_meant,
    orders,
    states,
    to,
    typed,
    write,
)


@pytest.fixture
def refused(sandbox: SandboxProcess) -> SandboxProcess:
    """A finished job: 20 created, 10 of A2 skipped (not enabled), 10 of A3 failed (two reasons)."""
    faults = [
        {"kind": "error_before_commit", "status": 422, "account": "A3", "on": ["create"], "at": n}
        for n in ([2, 4, 6, 8, 10], [3, 5, 7, 9, 11])
    ]
    faults[1]["status"] = 418
    sandbox.set_faults({"accounts": {"not_enabled": ["A2"]}, "fault": faults})
    rows = [row for n in range(40) for row in orders([n], accounts=["A1", "A2", "A3", "A4"])]
    write("orders.csv", rows)
    assert typed("run", "orders.csv", "--max-rejected", "100", *to(sandbox)) == 3
    assert states() == {"created": 21, "skipped": 10, "failed": 9}
    sandbox.set_faults({})
    return sandbox


def test_all_that_did_not_go_goes(refused: SandboxProcess) -> None:
    """Without options: failed and skipped orders are sent, each once."""
    assert typed("retry", JOB, *to(refused)) == 0
    assert states() == {"created": 40}
    assert_as_meant(refused)


def test_by_account_rule_and_reason(refused: SandboxProcess) -> None:
    """Each option narrows it; the others keep their state."""
    assert typed("retry", JOB, "--account", "A2", *to(refused)) == 3
    assert states() == {"created": 31, "failed": 9}
    assert typed("retry", JOB, "--reason", "HTTP 418", *to(refused)) == 3
    assert states() == {"created": 35, "failed": 5}
    assert typed("retry", JOB, "--rule", "no_such_rule", *to(refused)) == 3
    assert states() == {"created": 35, "failed": 5}
    assert typed("retry", JOB, "--rule", "refused", *to(refused)) == 0
    assert_as_meant(refused)


def test_what_is_refused_again_keeps_its_reason(refused: SandboxProcess) -> None:
    """An account that still refuses is set aside again, with the reason why."""
    refused.set_faults({"accounts": {"not_enabled": ["A2"]}})
    assert typed("retry", JOB, *to(refused)) == 3
    assert states() == {"created": 30, "skipped": 10}
    ((reason,),) = asked("SELECT DISTINCT reason FROM orders WHERE state = 'skipped' LIMIT 1")
    assert "not enabled" in reason


def test_what_was_sent_before_is_looked_up_first(refused: SandboxProcess) -> None:
    """An order that got to Shout by another way in the meantime is not created twice, even where
    Shout ignores the header against duplicates."""
    write("again.csv", orders(range(2, 40, 4), accounts=["A3"]))
    assert typed("run", "again.csv", *to(refused)) == 0
    refused.set_faults({"honour_duplicate_header": False})
    assert typed("retry", JOB, "--account", "A3", *to(refused)) == 3
    assert refused.stats()["duplicates"] == 0


def test_the_only_order_in_doubt_is_sent_again_on_a_persons_word(
    sandbox: SandboxProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    """No other order can show that lookups work, so nothing is sent until somebody has looked."""
    write("orders.csv", orders([1]))
    sandbox.set_faults({"fault": [{"kind": "drop_before_commit", "on": ["create"], "at": [1]}]})
    assert typed("run", "orders.csv", *to(sandbox)) == 4
    assert typed("run", "orders.csv", *to(sandbox)) == 4
    assert states() == {"sending": 1}
    assert sandbox.orders() == []
    ((reason,),) = asked("SELECT reason FROM orders")
    assert "--not-in-shout" in reason
    assert typed("retry", JOB, "--not-in-shout", "#2", *to(sandbox)) == 2
    assert "order #2 is not in doubt" in capsys.readouterr().err
    assert typed("retry", JOB, "--not-in-shout", "#1", *to(sandbox)) == 0
    assert states() == {"created": 1}
    assert_as_meant(sandbox)
