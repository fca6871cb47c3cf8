"""``--on-finish``: somebody is told how a run ended."""

from __future__ import annotations

from pathlib import Path

import pytest

from backfill.sandbox.process import SandboxProcess
from tests.operations.jobs import JOB, order, orders, to, typed, write

TELL = (
    'printf "%s|%s|%s|%s" "$BACKFILL_OUTCOME" "$BACKFILL_EXIT_CODE" "$BACKFILL_MESSAGE" "$1" >told'
)


def told() -> list[str]:
    return Path("told").read_text(encoding="utf-8").split("|")


def test_a_run_that_finished(sandbox: SandboxProcess) -> None:
    """The outcome is in the environment, the path of report.json is the argument."""
    write("orders.csv", orders(range(3)))
    assert typed("run", "orders.csv", "--on-finish", TELL, *to(sandbox)) == 0
    assert told() == ["finished", "0", "3 created", str(JOB / "report.json")]


def test_orders_that_did_not_go(sandbox: SandboxProcess) -> None:
    """Exit code 3 is told as incomplete, with the counts."""
    write("orders.csv", [*orders(range(3)), *order(9, item_quantity="none")])
    words = ["--max-rejected", "100", "--on-finish", TELL]
    assert typed("run", "orders.csv", *words, *to(sandbox)) == 3
    assert told()[:3] == ["incomplete", "3", "1 rejected, 3 created"]


def test_a_run_that_stopped(sandbox: SandboxProcess) -> None:
    """An error is told with its message."""
    write("orders.csv", orders(range(3)))
    url = f"{sandbox.url}/wrong"
    words = ["--api-url", url, "--header", "Authorization: Bearer x", "--on-finish", TELL]
    assert typed("run", "orders.csv", *words) == 4
    outcome, code, message, _ = told()
    assert (outcome, code) == ("stopped", "4")
    assert message


def test_the_argument_is_given_to_a_script(sandbox: SandboxProcess) -> None:
    """A command that does not mention its argument gets it at its end."""
    Path("tell.sh").write_text('cp "$1" copied.json\n', encoding="utf-8")
    write("orders.csv", orders(range(3)))
    assert typed("run", "orders.csv", "--on-finish", "sh ./tell.sh", *to(sandbox)) == 0
    assert Path("copied.json").read_bytes() == (JOB / "report.json").read_bytes()


def test_a_command_that_fails_changes_nothing(
    sandbox: SandboxProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    """The exit code stays that of the run, and the failure is said."""
    write("orders.csv", orders(range(3)))
    assert typed("run", "orders.csv", "--on-finish", "exit 7 #", *to(sandbox)) == 0
    assert "--on-finish ended with exit code 7" in capsys.readouterr().err
