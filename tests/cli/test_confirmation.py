"""The question before the first order leaves this machine, asked at a real terminal."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from backfill.checkpoint import Checkpoint, State
from backfill.job_folder.files import CHECKPOINT
from tests.places import ROOT

ORDERS = """\
reference_id,created_at,profile_name,item_name,item_quantity,item_each_price
1001,2021-04-09T12:00:00-06:00,Janet Smith,Tank Top,2,35.00
"""

ASK = """
from backfill.cli.terminal import confirmation
from backfill.confirmation import Plan, require
require(Plan(confirm_with="shout.example"), confirmation(lambda plan: ["1 order"]))
"""


def answered(arguments: list[str], answer: bytes, folder: Path) -> tuple[int, str]:
    """Run Python at a terminal where somebody types ``answer``; its exit code and what it said."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, *arguments],
        stdin=theirs,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as child:
        os.write(ours, answer)
        _, said = child.communicate(timeout=60)
    os.close(theirs)
    os.close(ours)
    return child.returncode, said


def test_the_right_word_goes_on(tmp_path: Path) -> None:
    """Promise 7: the summary is shown, and only the very word that it asks for goes on."""
    code, said = answered(["-c", ASK], b"shout.example\n", tmp_path)
    assert code == 0, said
    assert "1 order" in said
    assert "Type shout.example to continue" in said


@pytest.mark.parametrize("answer", [b"yes\n", b"\n", b"\x04"])
def test_anything_else_sends_nothing(answer: bytes, tmp_path: Path) -> None:
    """Promise 7: another word, none, or the end of input stop the run before the first order."""
    (tmp_path / "orders.csv").write_text(ORDERS)
    words = ["run", "orders.csv", "--connect-id", "A1", "--api-url", "https://shout.example"]
    code, said = answered(["-m", "backfill", *words], answer, tmp_path)
    assert code == 4, said
    assert "backfill: error: not confirmed, so nothing was sent" in said
    with Checkpoint(tmp_path / "orders.backfill" / CHECKPOINT, readonly=True) as checkpoint:
        assert checkpoint.counts()[State.PENDING] == 1
