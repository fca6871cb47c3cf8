"""A job from Python: the README's example, the frames, and the errors."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import backfill
from backfill.checkpoint import State
from backfill.errors import MappingError, SafetyStop, UsageError
from backfill.sandbox.process import SandboxProcess
from tests.operations.jobs import JOB, orders, states, to, typed, write
from tests.places import ROOT


def shout(sandbox: SandboxProcess) -> dict[str, object]:
    """How to reach the local Shout."""
    name, value = sandbox.header
    return {"api_url": sandbox.url, "headers": {name: value}, "settle": 0.2}


def test_the_example_of_the_readme_works(
    sandbox: SandboxProcess,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It runs as it stands there, with Shout's address put in."""
    write(
        "orders.csv",
        [{k: v for k, v in row.items() if k != "connect_id"} for row in orders([1, 2])],
    )
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.search(r"<!-- test: library -->\n```python\n(.*?)```", readme, re.S)
    assert found
    monkeypatch.setenv("SHOUT_AUTHORIZATION", sandbox.header[1])
    exec(found[1].replace("https://...", sandbox.url), {})
    told = capsys.readouterr().out
    assert "pending" in told
    assert (sandbox.stats()["orders"], states()) == (2, {"created": 2})


def test_orders_and_problems_are_frames(sandbox: SandboxProcess) -> None:
    """Columns and types are as documented, with NA where nothing is known."""
    write("orders.csv", [*orders([1, 2]), *orders([3], item_each_price="no money")])
    job = backfill.open_job(JOB)
    job.prepare("orders.csv")
    states = job.status().states
    assert (states[State.PENDING], states[State.REJECTED]) == (2, 1)
    found = job.orders()
    assert list(found["reference_id"]) == ["#1", "#2", "#3"]
    assert "payload" not in found
    assert str(found["total_cents"].dtype) == "Int64"
    assert found["total_cents"].tolist()[:2] == [11902, 11904]
    assert found["http_status"].isna().all()
    problems = job.problems()
    wrong = problems[problems["severity"] == "error"]
    assert set(wrong["reference_id"]) == {"#3"}
    assert set(wrong["row"]) == {6, 7}
    assert set(wrong["source_file"]) == {"orders.csv"}


def test_a_run_resumes(sandbox: SandboxProcess, capsys: pytest.CaptureFixture[str]) -> None:
    """limit is a pilot, a second run sends the rest; nothing is printed."""
    write("orders.csv", orders(range(10)))
    job = backfill.open_job(JOB)
    job.prepare("orders.csv")
    assert job.run(**shout(sandbox), limit=4).states[State.CREATED] == 4  # type: ignore[arg-type]
    assert job.run(**shout(sandbox)).states[State.CREATED] == 10  # type: ignore[arg-type]
    assert capsys.readouterr().out == ""


def test_errors_are_those_of_the_command_line(sandbox: SandboxProcess) -> None:
    """Wrong values and refusals raise; each error has the exit code of the command."""
    write("orders.csv", orders(range(3)))
    job = backfill.open_job(JOB)
    with pytest.raises(UsageError, match="not the name of a time zone"):
        job.prepare("orders.csv", timezone="Mars/Olympus")
    with pytest.raises(MappingError):
        job.prepare("orders.csv", map={"profile_nme": "Name"})
    with pytest.raises(UsageError, match="no job here"):
        job.orders()
    job.prepare("orders.csv")
    with pytest.raises(backfill.BackfillError) as stopped:
        job.run(api_url=sandbox.url, headers={"Authorization": "Bearer wrong"})
    assert isinstance(stopped.value, SafetyStop)
    assert stopped.value.exit_code == 4
    with pytest.raises(UsageError, match="confirmation required"):
        job.run(api_url="https://shout.example")


def test_importing_the_package_costs_nothing() -> None:
    """``import backfill`` brings nothing heavy, and knows its names all the same."""
    program = (
        "import sys, backfill; heavy = {'pandas', 'pyarrow', 'aiohttp', 'dataclasses'};"
        "print(heavy & set(sys.modules), callable(backfill.open_job))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, timeout=60
    )
    assert done.stdout.split() == ["set()", "True"], done.stderr
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        getattr(backfill, "nothing")  # noqa: B009 - a type checker knows that it is not there


def test_the_command_line_goes_on_with_a_job_from_python(sandbox: SandboxProcess) -> None:
    """One job, whoever prepared it."""
    write("orders.csv", orders(range(5)))
    backfill.open_job(JOB).prepare(Path("orders.csv"))
    assert typed("run", "orders.csv", *to(sandbox)) == 0
    assert backfill.open_job(JOB).status().states[State.CREATED] == 5


def test_every_pass_after_the_import_is_a_method(
    sandbox: SandboxProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    """verify, notify, undo, retry and purge return what they did as fields, and print nothing."""
    write("orders.csv", orders(range(6)))
    job = backfill.open_job(JOB)
    job.run("orders.csv", **shout(sandbox))  # type: ignore[arg-type]
    (changed, *_) = sandbox.orders()
    sandbox.change_order(changed["id"], total_cents=1)
    verified = job.verify(**shout(sandbox))  # type: ignore[arg-type]
    assert (verified.equal, verified.different, verified.fields) == (5, 1, {"total_cents": 1})
    assert verified.examples[0].reference_id == changed["order"]["reference_id"]
    due = job.notify("{orders} orders", dry_run=True).due
    assert [one.body for one in due] == ["2 orders"] * 3
    sent = job.notify("{orders} orders", **shout(sandbox))  # type: ignore[arg-type]
    assert {one.state for one in sent.messages} == {"sent"}
    with pytest.raises(UsageError, match="confirmation required"):
        job.undo(api_url="https://shout.example")
    with pytest.raises(SafetyStop, match="not confirmed, so nothing was deleted"):
        job.undo(api_url="https://shout.example", confirm=lambda plan: plan.confirm_with == "")
    assert job.undo(limit=2, **shout(sandbox)).deleted == 2  # type: ignore[arg-type]
    assert job.retry(**shout(sandbox)).put_back == 0  # type: ignore[arg-type]
    assert "report.html" in job.purge(yes=True).removed
    assert job.status().states[State.UNDONE] == 2
    assert capsys.readouterr().out == ""


def test_an_option_of_an_operation_is_checked_as_on_the_command_line(
    sandbox: SandboxProcess,
) -> None:
    """A misspelt option is a TypeError that names the closest; a wrong value is a UsageError."""
    write("orders.csv", orders(range(3)))
    job = backfill.open_job(JOB)
    job.run("orders.csv", **shout(sandbox))  # type: ignore[arg-type]
    calls: list[tuple[Callable[..., object], str, str]] = [
        (job.undo, "acount", "account"),
        (job.retry, "reasons", "reason"),
        (job.verify, "samples", "sample"),
        (job.show, "limits", "limit"),
    ]
    for method, wrong, closest in calls:
        with pytest.raises(TypeError, match=f"{wrong}.*did you mean {closest}"):
            method(**{wrong: "1"})
    with pytest.raises(UsageError, match=r"--since: '2026-1-31' is not a date"):
        job.undo(since="2026-1-31", **shout(sandbox))  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="--sample: '0' is not a number of orders"):
        job.verify(sample=0, **shout(sandbox))  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="--state: 'sent' is not one of"):
        job.show(state="sent")
    assert job.undo(since="2999-01-31", **shout(sandbox)).selected == 0  # type: ignore[arg-type]
    assert len(job.show(state=State.CREATED, limit=2)) == 2
