"""The rehearsal that a newcomer sees first."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from backfill import cli
from backfill.cli import rehearsal
from backfill.errors import UsageError


def test_the_demo_goes_as_it_should(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Dry run, import, a real kill, resume: all valid orders once, and no text message."""
    assert cli.main(["demo", "--keep", str(tmp_path / "rehearsal"), "--progress", "none"]) == 0
    told = capsys.readouterr().out
    assert "WRONG" not in told
    assert "0 text messages were sent to customers" in told
    arrived = re.search(r"Killed \(SIGKILL\) with (\d+) orders", told)
    in_all = re.search(r"ok +(\d+) orders are valid, \1 are in Shout", told)
    assert arrived
    assert in_all
    assert 0 < int(arrived[1]) < int(in_all[1])
    for report in re.findall(r"^  (\S+report\.html)$", told, re.M):
        assert Path(report).is_file()


def test_the_demo_leaves_a_folder_with_files_alone(tmp_path: Path) -> None:
    """A folder that holds something is not used."""
    (tmp_path / "letter.txt").touch()
    with pytest.raises(UsageError, match="the folder is not empty"):
        rehearsal.rehearse(tmp_path)
