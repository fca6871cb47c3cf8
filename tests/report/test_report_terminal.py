"""The summary that the terminal shows: short, whole, and with the next command to type."""

from __future__ import annotations

from pathlib import Path

import pytest

from backfill.checkpoint import Checkpoint, State
from backfill.job_folder.files import CHECKPOINT
from backfill.report import terminal
from backfill.report.figures import collect
from tests.report.report_jobs import Job, a_shop, deliver


def summary(folder: Path, width: int = 80) -> str:
    with Checkpoint(folder / CHECKPOINT) as checkpoint:
        return terminal.summary(collect(checkpoint), Path("shop.backfill"), width=width)


def crowded(folder: Path) -> Path:
    """A job that has something to say in every line of the summary."""
    job = Job(folder)
    long = "word " * 60
    for number, state in enumerate(State):
        rows = job.add_rows({"reference_id": str(number)})
        order = job.add_order(str(number), rows, state=state, rule="r", reason=long)
        job.add_problem(f"rule_{number}", order, 2, "total", long, message=f"{long}: {long}")
    return job.finish()


@pytest.mark.parametrize("width", [80, 60])
def test_it_fits_a_terminal(tmp_path: Path, width: int) -> None:
    """25 lines at most, none wider than the terminal, however much there is to say."""
    lines = summary(crowded(tmp_path), width).splitlines()
    assert len(lines) <= 25
    assert max(map(len, lines[:-4])) <= width


def test_a_dry_run_tells_what_will_go_and_what_to_type(tmp_path: Path) -> None:
    """Counts, money, dates, the commonest problems with an address, and the pilot."""
    text = summary(a_shop(tmp_path))
    assert text.startswith("386 of 400 orders are ready to send. 14 left out: fix")
    assert "386 ready to send · 14 rejected" in text
    assert "error bad_money: 14 orders, e.g. row 7, total '12,x'" in text
    assert "The amount cannot be read as money: write it like 1234.50" in text
    assert "backfill run --job shop.backfill --limit 10" in text


def test_after_a_run_it_tells_what_became_of_them(tmp_path: Path) -> None:
    """What Shout refused comes before what validation found."""
    deliver(a_shop(tmp_path))
    text = summary(tmp_path)
    assert text.startswith("383 of 400 orders are in Shout. 17 left out: fix")
    assert "383 created · 3 failed · 14 rejected" in text
    assert text.index("refused by Shout: 3 orders") < text.index("error bad_money")
    assert "backfill run shop.backfill/rejected_rows.csv --job shop.backfill" in text


@pytest.mark.parametrize(
    ("states", "verdict", "command"),
    [
        ([State.PENDING], "The one order is ready to send.", "backfill run --job shop.backfill"),
        ([State.CREATED] * 2, "All 2 orders are in Shout.", "backfill verify shop.backfill"),
        (
            [State.CREATED, State.PENDING],
            "1 of 2 orders is in Shout. 1 still to be sent.",
            "backfill run --job shop.backfill\n",
        ),
        (
            [State.CREATED, State.SENDING],
            "1 of 2 orders is in Shout. 1 in doubt: the next run looks them up",
            "backfill run --job shop.backfill\n",
        ),
        (
            [State.CREATED, State.SKIPPED],
            "1 of 2 orders is in Shout. 1 skipped",
            "backfill retry shop.backfill",
        ),
        (
            [State.REJECTED],
            "The one order is not ready to send. 1 left out",
            "rejected_rows.csv",
        ),
        ([State.UNDONE], "The one order is not in Shout. 1 undone.", "backfill inspect"),
    ],
)
def test_the_verdict_and_the_next_command_go_together(
    tmp_path: Path, states: list[State], verdict: str, command: str
) -> None:
    """Wherever a job stands, the summary says so and knows what comes next."""
    job = Job(tmp_path)
    for number, state in enumerate(states):
        job.add_order(str(number), job.add_rows({}), state=state, rule="r", reason="why")
    text = " ".join(summary(job.finish()).split("\n\n")[0].split())
    assert text.startswith(verdict)
    assert command in summary(tmp_path) + "\n"


def test_a_terminal_is_not_steered_by_an_export(tmp_path: Path) -> None:
    """Escape sequences and marks that turn a line around are written out."""
    job = Job(tmp_path)
    order = job.add_order("1", job.add_rows({}))
    job.add_problem("x", order, 2, "total", "\x1b[31mred\u202e", message="odd")
    text = summary(job.finish())
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert r"\u001b[31mred\u202e" in text.replace("\\\\", "\\").replace(r"\x1b", r"\u001b")
