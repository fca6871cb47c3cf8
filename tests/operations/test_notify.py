"""``backfill notify``: each account at most one message, whatever crashes."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

import pytest

from backfill.sandbox.process import SandboxProcess
from tests.operations.jobs import JOB, asked, begin, orders, to, typed, write

TEXT = "{company} added your {orders} orders ({total}), {first_month} to {last_month}."
COMPANY = ("--company", "Example Shop")
MESSAGE = ("--message", TEXT, *COMPANY)


def imported(sandbox: SandboxProcess, accounts: int, *, each: int = 1) -> None:
    names = [f"A{number}" for number in range(accounts)]
    write("orders.csv", orders(range(accounts * each), accounts=names))
    assert typed("run", "orders.csv", *to(sandbox)) == 0


def message_states() -> dict[str, str]:
    """Account ids, with the state of their message."""
    return dict(asked("SELECT account_id, state FROM notifications"))


def got(sandbox: SandboxProcess) -> Counter[str]:
    """How many messages each account got."""
    return Counter(one["account"] for one in sandbox.messages())


def test_one_message_an_account(
    sandbox: SandboxProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    """The text is filled in for each account; a second command sends nothing more."""
    imported(sandbox, 3, each=4)
    assert typed("notify", JOB, *MESSAGE, *to(sandbox)) == 0
    told = capsys.readouterr().out
    assert got(sandbox) == {"A0": 1, "A1": 1, "A2": 1}
    texts = {one["account"]: one["body"] for one in sandbox.messages()}
    assert texts["A0"] == (
        "Example Shop added your 4 orders (USD 476.36), January 2021 to October 2021."
    )
    assert all(text in told for text in texts.values()), "what is sent is what was shown"
    assert typed("notify", JOB, *MESSAGE, *to(sandbox)) == 0
    assert len(sandbox.messages()) == 3


def test_only_accounts_with_created_orders(sandbox: SandboxProcess) -> None:
    """An account whose orders all were in Shout before, or were refused, is told nothing."""
    write("before.csv", orders([1], accounts=["B1"]))
    assert typed("run", "before.csv", *to(sandbox)) == 0
    sandbox.set_faults({"accounts": {"not_enabled": ["C1"]}})
    rows = orders([1], accounts=["B1"]) + orders([2], accounts=["C1"]) + orders([3, 4])
    write("orders.csv", rows)
    assert typed("run", "orders.csv", *to(sandbox)) == 3
    assert typed("notify", JOB, *MESSAGE, *to(sandbox)) == 0
    assert got(sandbox) == {"A1": 1, "A2": 1}


def test_an_account_is_named_by_the_id_that_its_orders_went_under(sandbox: SandboxProcess) -> None:
    """A user id goes as ``user_id``, as a number, where the orders were sent under it."""
    rows = [{k: v for k, v in row.items() if k != "connect_id"} for row in orders([1])]
    write("orders.csv", rows)
    assert typed("run", "orders.csv", "--user-id", "315", *to(sandbox)) == 0
    assert typed("notify", JOB, *MESSAGE, *to(sandbox)) == 0
    (message,) = sandbox.messages()
    assert (message["user_id"], message["connect_id"]) == ("315", None)


def test_a_preview_sends_nothing(
    sandbox: SandboxProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    """--dry-run shows the texts and needs no address."""
    imported(sandbox, 2)
    assert typed("notify", JOB, *MESSAGE, "--dry-run", "--progress", "none") == 0
    told = capsys.readouterr().out
    assert "2 messages to send" in told
    assert "To A1:\n  Example Shop added your 1 orders" in told
    assert (sandbox.messages(), message_states()) == ([], {})


def test_killed_and_dropped(sandbox: SandboxProcess) -> None:
    """Promise 12. SIGKILLs and dropped connections: nobody gets two; the doubtful are named."""
    imported(sandbox, 80)
    bad = [
        {"kind": kind, "p": 0.06, "on": ["notify"]}
        for kind in ("drop_before_commit", "drop_after_commit", "error_after_commit", "empty")
    ]
    sandbox.set_faults({"seed": 11, "rate_limit": 200, "fault": bad})
    for seen in (10, 30, 50):
        child = begin("notify", JOB, *MESSAGE, *to(sandbox), "--rate", "60")
        while child.poll() is None and len(sandbox.messages()) < seen:
            time.sleep(0.01)
        child.kill()
        child.communicate()
    last = begin("notify", JOB, *MESSAGE, *to(sandbox))
    told, _ = last.communicate(timeout=60)
    assert last.returncode == 3, told
    found = message_states()
    doubt = {account for account, state in found.items() if state == "in_doubt"}
    assert set(found.values()) == {"sent", "in_doubt"}
    assert len(found) == 80
    assert doubt
    assert max(got(sandbox).values()) == 1, "nobody gets two"
    assert got(sandbox).keys() | doubt == found.keys(), "nobody is forgotten"
    assert all(f"in doubt: {account}: " in told for account in doubt)


def test_in_doubt_is_sent_again_only_when_asked(
    sandbox: SandboxProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    """A SIGKILL between the intent and the answer: in doubt for good, unless a person says so."""
    imported(sandbox, 1)
    sandbox.set_faults({"fault": [{"kind": "hang_before_commit", "on": ["notify"]}]})
    child = begin("notify", JOB, *MESSAGE, *to(sandbox, timeout=30))
    while not sandbox.stats()["requests"]["arrived"].get("notify"):
        assert child.poll() is None
        time.sleep(0.01)
    child.kill()
    child.communicate()
    assert message_states() == {"A0": "sending"}
    sandbox.set_faults({})
    assert typed("notify", JOB, *MESSAGE, *to(sandbox)) == 3
    assert "in doubt: A0: interrupted while it was being sent" in capsys.readouterr().out
    assert (sandbox.messages(), message_states()) == ([], {"A0": "in_doubt"})
    assert typed("notify", JOB, *MESSAGE, "--resend-in-doubt", *to(sandbox)) == 0
    assert got(sandbox) == {"A0": 1}


def test_refused_and_busy(sandbox: SandboxProcess) -> None:
    """A refused message is told and may go the next time; after a 429 it waits."""
    imported(sandbox, 6)
    fault = {"kind": "error_before_commit", "status": 422, "on": ["notify"], "nth": 3}
    sandbox.set_faults({"rate_limit": 5, "burst": 2, "fault": [fault]})
    assert typed("notify", JOB, *MESSAGE, *to(sandbox)) == 3
    assert Counter(message_states().values()) == {"sent": 4, "failed": 2}
    sandbox.set_faults({})
    assert typed("notify", JOB, *MESSAGE, *to(sandbox)) == 0
    assert set(got(sandbox).values()) == {1}
    assert len(got(sandbox)) == 6


def test_wrong_credentials_stop_it(sandbox: SandboxProcess) -> None:
    """401: exit 4 after one message, which was not sent and goes the next time."""
    imported(sandbox, 4)
    sandbox.set_faults(
        {"fault": [{"kind": "error_before_commit", "status": 401, "on": ["notify"]}]}
    )
    assert typed("notify", JOB, *MESSAGE, *to(sandbox)) == 4
    assert sandbox.stats()["requests"]["arrived"]["notify"] == 1
    sandbox.set_faults({})
    assert typed("notify", JOB, *MESSAGE, *to(sandbox)) == 0
    assert len(got(sandbox)) == 4


def test_only_some_accounts(sandbox: SandboxProcess) -> None:
    """--accounts FILE and --limit narrow it; an account that is not known is a mistake."""
    imported(sandbox, 5)
    Path("ids.txt").write_text("A1\nA3\n")
    assert typed("notify", JOB, *MESSAGE, "--accounts", "ids.txt", *to(sandbox)) == 0
    assert got(sandbox).keys() == {"A1", "A3"}
    Path("ids.txt").write_text("A1\nsomebody\n")
    assert typed("notify", JOB, *MESSAGE, "--accounts", "ids.txt", *to(sandbox)) == 2
    assert typed("notify", JOB, *MESSAGE, "--limit", "1", *to(sandbox)) == 0
    assert len(got(sandbox)) == 3


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "either --message or --template is required"),
        (["--message", "Hello {name}"], "an unknown field: {name}"),
        (["--message", "Hello {}"], "an unknown field"),
        (["--message", "Hello {orders.real}"], "an unknown field"),
        (["--message", "Hello {orders!r}"], "an unknown field: {orders!r}"),
        (["--message", "Hello {orders:>9999999}"], "an unknown field"),
        (["--message", "Hello {orders"], "the template cannot be read"),
        (["--message", "{company} says hello"], "--company is missing"),
        (["--message", "  "], "the message is empty"),
        (["--message", "x" * 481], "has 481 characters, more than 480"),
        (["--template", "nowhere.txt"], "cannot be read"),
    ],
)
def test_templates_that_cannot_be_used(
    words: list[str], says: str, sandbox: SandboxProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    """A mistake in the template is exit 2 before anything is sent."""
    imported(sandbox, 1)
    assert typed("notify", JOB, *words, *to(sandbox)) == 2
    assert says in capsys.readouterr().err
    assert sandbox.messages() == []
