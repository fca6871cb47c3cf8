"""Choosing which prepared orders a run takes up."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import backfill
from backfill.confirmation import Plan
from backfill.errors import SafetyStop
from backfill.operations.send import SendPlan
from backfill.sandbox.process import SandboxProcess
from tests.operations.jobs import JOB, asked, orders, states, to, typed, write


@pytest.fixture(autouse=True)
def _job() -> None:
    write("orders.csv", orders(range(12)))
    assert typed("validate", "orders.csv") == 0


def created() -> Iterator[str]:
    """The reference ids of the orders that are created."""
    return (row[0] for row in asked("SELECT reference_id FROM orders WHERE state = 'created'"))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--account", "A2"], ["#1", "#4", "#7", "#10"]),
        (["--account", "A1", "--account", "A2", "--limit", "3"], ["#0", "#1", "#3"]),
        (["--reference-id", "#5", "--reference-id", "#3"], ["#3", "#5"]),
        (["--since", "2021-11-01"], ["#10", "#11"]),
        (["--since", "2021-03-09", "--until", "2021-04-09"], ["#2", "#3"]),
        (["--account", "A1", "--until", "2021-06-30"], ["#0", "#3"]),
    ],
)
def test_only_the_chosen_orders_are_sent(
    words: list[str],
    expected: list[str],
    sandbox: SandboxProcess,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Shout gets the chosen orders; the others stay pending for a run without a choice."""
    assert typed("run", "--job", JOB, *words, *to(sandbox)) == 0
    assert sorted(created()) == sorted(expected)
    assert sandbox.stats()["orders"] == len(expected)
    assert states() == {"created": len(expected), "pending": 12 - len(expected)}
    told = capsys.readouterr().out
    assert all(f"  {key}  in account A" in told for key in expected)
    assert typed("run", "--job", JOB, *to(sandbox)) == 0
    assert states() == {"created": 12}
    assert sandbox.stats()["texts"] == 0


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--reference-id", "#99"], "no order with reference id '#99'"),
        (["--account", "A9"], "no order with account 'A9'"),
        (["--since", "May"], "--since: 'May' is not a date"),
    ],
)
def test_a_choice_that_names_nothing(
    words: list[str], says: str, sandbox: SandboxProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    """A misspelt account or reference id is an error, and nothing is sent."""
    assert typed("run", "--job", JOB, *words, *to(sandbox)) == 2
    assert says in capsys.readouterr().err
    assert sandbox.stats()["orders"] == 0


def test_the_confirmation_shows_what_is_chosen() -> None:
    """Count, money and dates are those of the orders that go now, not of the job."""
    plans: list[Plan] = []

    def no(plan: Plan) -> bool:
        plans.append(plan)
        return False

    with pytest.raises(SafetyStop):
        backfill.open_job(JOB).run(
            api_url="https://shout.example", confirm=no, account="A2", limit=2
        )
    (plan,) = plans
    assert isinstance(plan, SendPlan)
    assert (plan.orders, plan.accounts, plan.later) == (2, 1, 10)
    assert plan.total_cents == (11900 + 2) + (11900 + 8)
    assert (plan.first_day, plan.last_day) == ("2021-02-09", "2021-05-09")


def test_an_order_in_doubt_waits_for_a_run_that_chooses_it(sandbox: SandboxProcess) -> None:
    """A choice also holds for orders whose outcome is not known."""
    from backfill.checkpoint import Checkpoint
    from backfill.job_folder.files import CHECKPOINT

    with Checkpoint(JOB / CHECKPOINT) as checkpoint, checkpoint.writing() as db:
        db.execute("UPDATE orders SET state = 'sending', attempts = 1 WHERE reference_id = '#1'")
    assert typed("run", "--job", JOB, "--account", "A1", *to(sandbox)) == 4
    assert states() == {"created": 4, "pending": 7, "sending": 1}
    assert typed("run", "--job", JOB, "--account", "A2", *to(sandbox)) == 0
    assert states() == {"created": 8, "pending": 4}


def test_a_job_may_be_named_in_place_of_an_export(sandbox: SandboxProcess) -> None:
    """``backfill run JOB`` can only mean to continue that job."""
    assert typed("run", JOB, *to(sandbox)) == 0
    assert states() == {"created": 12}
