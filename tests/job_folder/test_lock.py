"""The job folder and its lock, with real processes."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from backfill.errors import JobLocked, StorageError, UsageError
from backfill.job_folder import files, lock
from tests.places import ROOT

HOLDER = """
import sys, time
from pathlib import Path
from backfill.job_folder import lock
with lock.hold(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def holder(folder: Path) -> subprocess.Popen[str]:
    """A process that holds the job in ``folder``."""
    child = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "held\n"
    return child


def mode(path: Path) -> int:
    """The permission bits of a path."""
    return stat.S_IMODE(path.stat().st_mode)


def test_a_second_run_is_refused_and_a_dead_one_never_blocks(tmp_path: Path) -> None:
    """Promise 8: a held job is JobLocked (11) to others; after a SIGKILL of its holder to none."""
    folder = tmp_path / "job"
    child = holder(folder)
    try:
        with pytest.raises(JobLocked, match="another run holds") as caught, lock.hold(folder):
            pass
        assert caught.value.exit_code == 11
        assert str(folder) in str(caught.value.hint)
    finally:
        child.kill()
        child.communicate()
    assert (folder / files.LOCK).exists()
    with lock.hold(folder):
        pass


def test_the_lock_is_free_again_after_the_block(tmp_path: Path) -> None:
    """The same process can hold a job again after it has let go of it, also after an error."""
    with pytest.raises(ZeroDivisionError), lock.hold(tmp_path / "job"):
        raise ZeroDivisionError
    with lock.hold(tmp_path / "job"):
        pass


def test_everything_is_for_the_owner_only(tmp_path: Path) -> None:
    """Promise 9: the folder is 0700 and a file made in it 0600; then the umask is back."""
    before = os.umask(0o022)
    try:
        with lock.hold(tmp_path / "job"):
            (tmp_path / "job" / "report.html").write_text("made while it is held")
        (tmp_path / "outside").write_text("made afterwards")
    finally:
        os.umask(before)
    assert mode(tmp_path / "job") == 0o700
    assert mode(tmp_path / "job" / "report.html") == 0o600
    assert mode(tmp_path / "job" / files.LOCK) == 0o600
    assert mode(tmp_path / "outside") == 0o644


def test_a_job_that_stood_open_is_closed(tmp_path: Path) -> None:
    """A job folder that others could read is closed when it is held."""
    folder = tmp_path / "job"
    folder.mkdir()
    folder.chmod(0o755)
    (folder / files.LOCK).touch()
    with lock.hold(folder):
        assert mode(folder) == 0o700


def test_somebodys_own_folder_is_left_alone(tmp_path: Path) -> None:
    """A folder with files that are not a job's is refused, and its permissions stay."""
    tmp_path.chmod(0o755)
    (tmp_path / "letters.txt").touch()
    with pytest.raises(UsageError, match="not a job folder"), lock.hold(tmp_path):
        pass
    assert mode(tmp_path) == 0o755


def test_a_file_in_the_way(tmp_path: Path) -> None:
    """A file where the folder, or a folder above it, should be is one clear line."""
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "job"):
        with pytest.raises(StorageError, match="a file has this name"), lock.hold(folder):
            pass
