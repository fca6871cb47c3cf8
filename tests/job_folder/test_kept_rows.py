"""The source rows in the job folder are the rows that were read, and easy to find again."""

from __future__ import annotations

import os
import resource
import stat
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pytest

from backfill.errors import StorageError
from backfill.job_folder import kept_rows

SHA256 = "0123456789abcdef" * 4
COLUMNS = ("id", "näme")
ROWS_FILE = kept_rows.file_name(SHA256, 0)


def batch(rows: Sequence[int]) -> pa.Table:
    return pa.table(
        {
            "id": pa.array([str(row) for row in rows], pa.string()),
            "näme": pa.array([None if row % 2 else "é\n" for row in rows], pa.string()),
            "_row": pa.array(rows, pa.int64()),
            "_ragged": pa.array([row % 3 == 0 for row in rows], pa.bool_()),
        }
    )


BATCHES = [batch(range(2, 10)), batch([10, 10, 10, 14]), batch(range(20, 1000))]


@pytest.fixture
def rows_file(tmp_path: Path) -> str:
    with kept_rows.writing(tmp_path, ROWS_FILE, COLUMNS) as write:
        for each in BATCHES:
            write(each)
    return ROWS_FILE


def test_the_rows_come_back(tmp_path: Path, rows_file: str) -> None:
    """In the batches in which they were written, nulls and marks too."""
    assert list(kept_rows.batches(tmp_path, rows_file)) == BATCHES


def test_a_source_without_rows(tmp_path: Path) -> None:
    with kept_rows.writing(tmp_path, ROWS_FILE, COLUMNS):
        pass
    assert list(kept_rows.batches(tmp_path, ROWS_FILE)) == []
    assert kept_rows.take_rows(tmp_path, ROWS_FILE, [1]).num_rows == 0


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ([], []),
        ([3], ["3"]),
        ([999, 2, 2], ["2", "999"]),
        ([1, 11, 13, 1000], []),
        ([10, 14, 20], ["10", "10", "10", "14", "20"]),
    ],
)
def test_rows_are_taken_by_number(
    tmp_path: Path, rows_file: str, wanted: list[int], found: list[str]
) -> None:
    """In the order of the source; every part of a packed row; numbers of no row are passed over."""
    taken = kept_rows.take_rows(tmp_path, rows_file, wanted)
    assert taken["id"].to_pylist() == found
    assert taken.column_names == ["id", "näme", "_row", "_ragged"]


def test_for_its_owner_only(tmp_path: Path, rows_file: str) -> None:
    path = tmp_path / rows_file
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_sources_of_one_file_have_files_of_their_own() -> None:
    assert ROWS_FILE == "rows/0123456789abcdef.arrow"
    assert kept_rows.file_name(SHA256, 2) == "rows/0123456789abcdef-2.arrow"


def test_a_failure_leaves_what_was_there(tmp_path: Path, rows_file: str) -> None:
    """Half a file is never taken for a whole one, and an earlier whole one stays."""

    def breaks_off() -> None:
        with kept_rows.writing(tmp_path, ROWS_FILE, COLUMNS) as write:
            write(BATCHES[0])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        breaks_off()
    assert os.listdir((tmp_path / rows_file).parent) == [Path(rows_file).name]
    assert list(kept_rows.batches(tmp_path, rows_file)) == BATCHES


def test_gone_or_damaged(tmp_path: Path, rows_file: str) -> None:
    """Said in one line, with what to do."""
    path = tmp_path / rows_file
    path.write_bytes(path.read_bytes()[:-100])
    for name in (rows_file, "rows/none.arrow"):
        with pytest.raises(StorageError, match="cannot be read") as caught:
            list(kept_rows.batches(tmp_path, name))
        assert caught.value.hint
        assert "\n" not in caught.value.message
        with pytest.raises(StorageError, match="cannot be read"):
            kept_rows.take_rows(tmp_path, name, [2])


def test_a_full_disk(tmp_path: Path) -> None:
    """The system's refusal is one clear line, and nothing is left behind."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fills_the_disk() -> None:
        with kept_rows.writing(tmp_path, ROWS_FILE, COLUMNS) as write:
            for each in BATCHES:
                write(each)

    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        with pytest.raises(StorageError, match=r"arrow: .* cannot be written \(.*too large"):
            fills_the_disk()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not os.listdir(tmp_path / "rows")


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "rows").write_text("a file")
    with (
        pytest.raises(StorageError, match="cannot be written"),
        kept_rows.writing(tmp_path, ROWS_FILE, COLUMNS),
    ):
        pass
