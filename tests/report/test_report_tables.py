"""results.csv and rejected_rows.csv: true, whole, and fit to be read again."""

from __future__ import annotations

import csv
import os
import stat
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest

from backfill import report
from backfill.checkpoint import Checkpoint, State, addresses
from backfill.errors import StorageError
from backfill.job_folder.files import CHECKPOINT, REJECTION_COLUMNS
from backfill.report.results import COLUMNS
from tests.report.report_jobs import HEADER, Job, a_shop, deliver


def write(folder: Path) -> None:
    with Checkpoint(folder / CHECKPOINT) as checkpoint:
        report.write(folder, checkpoint, show_personal_data=False)


def rows_of(path: Path) -> list[dict[str, str]]:
    with open(path, encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_results_have_one_row_an_order(tmp_path: Path) -> None:
    """results.csv says of each order, in order, what the checkpoint says."""
    deliver(a_shop(tmp_path))
    write(tmp_path)
    columns = ", ".join(f"ifnull({column}, '')" for column in COLUMNS)
    with Checkpoint(tmp_path / CHECKPOINT) as checkpoint:
        orders = checkpoint.query(f"SELECT {columns} FROM orders ORDER BY id").fetchall()
    found = rows_of(tmp_path / "results.csv")
    assert tuple(found[0]) == COLUMNS
    assert [list(row.values()) for row in found] == [[str(v) for v in row] for row in orders]


@pytest.mark.parametrize("text", ["=1+1", "@SUM(A1)", "+1", "-1", "\t=1"])
def test_results_hold_nothing_that_a_spreadsheet_runs(tmp_path: Path, text: str) -> None:
    """An apostrophe keeps a formula a text."""
    job = Job(tmp_path)
    job.add_order(text, job.add_rows({}), account=text, reason=text)
    write(job.finish())
    (row,) = rows_of(tmp_path / "results.csv")
    assert [row[name] for name in ("reference_id", "account_id", "reason")] == [f"'{text}"] * 3


@pytest.mark.parametrize("text", ['a "b", c', "two\nlines", "ünï, çødé", "'x", "a;b", "1001"])
def test_results_keep_every_other_text(tmp_path: Path, text: str) -> None:
    """Quotes, commas and new lines come through a CSV reader as they were."""
    job = Job(tmp_path)
    job.add_order(text, job.add_rows({}), account=text, reason=text)
    write(job.finish())
    (row,) = rows_of(tmp_path / "results.csv")
    assert [row[name] for name in ("reference_id", "account_id", "reason")] == [text] * 3


def test_rejected_rows_are_every_row_that_did_not_go(tmp_path: Path) -> None:
    """Rejected, failed and skipped orders, all their rows, in the source's own text."""
    texts = {"Buyer": '=cmd|"/c calc"!A1', "Address": "two\nlines, ünï", "total": " 007.50 "}
    job = Job(tmp_path)
    good = job.add_rows({"reference_id": "good"})
    bad = job.add_rows({"reference_id": "bad"} | texts, {"reference_id": "bad"})
    off = job.add_rows({"reference_id": "off"})
    job.add_order("good", good)
    job.add_order("bad", bad, state=State.REJECTED, rule="bad_money", reason="no money")
    job.add_order("off", off, state=State.SKIPPED, rule="parked", reason="not connected")
    write(job.finish())
    found = rows_of(tmp_path / "rejected_rows.csv")
    assert tuple(found[0]) == (*HEADER, *REJECTION_COLUMNS)
    marks = [tuple(row[name] for name in REJECTION_COLUMNS) for row in found]
    assert marks == [
        ("exports/orders.csv", "3", "bad_money", "no money"),
        ("exports/orders.csv", "4", "bad_money", "no money"),
        ("exports/orders.csv", "5", "parked", "not connected"),
    ]
    assert {name: found[0][name] for name in texts} == texts


def test_a_row_of_no_order_is_handed_back_with_its_reason(tmp_path: Path) -> None:
    """An error that belongs to no order still has its row in the file."""
    job = Job(tmp_path)
    job.add_rows({"reference_id": "lost"})
    job.add_problem("ragged_row", None, 2, message="too few cells")
    write(job.finish())
    (row,) = rows_of(tmp_path / "rejected_rows.csv")
    assert (row["reference_id"], row["backfill_reason"]) == ("lost", "too few cells")


def test_nothing_rejected_leaves_the_header(tmp_path: Path) -> None:
    """A script finds the file whether or not there is a row in it."""
    job = Job(tmp_path)
    job.add_order("1", job.add_rows({"reference_id": "1"}))
    write(job.finish())
    assert (tmp_path / "rejected_rows.csv").read_text() == ",".join(
        (*HEADER, *REJECTION_COLUMNS)
    ) + "\n"


def test_sources_with_other_columns_have_a_file_each(tmp_path: Path) -> None:
    """The most rows come first; equal headers share a file; an order of two sources is in both."""
    job = Job(tmp_path)
    job.add_rows({"reference_id": "1"}, {"reference_id": "1"})
    job.add_source("items.csv", ("id", "item", "item"), [["1", "a", "b"], ["2", "c", "d"]])
    job.add_source("more.csv", HEADER, [["9"] * len(HEADER)])
    reject = partial(job.add_order, state=State.REJECTED, rule="x", reason="why")
    reject("1", "2-3; 2", source="exports/orders.csv; items.csv")
    reject("9", "2", source="more.csv")
    write(job.finish())
    first, second = rows_of(tmp_path / "rejected_rows.csv"), tmp_path / "rejected_rows-2.csv"
    assert [row["backfill_source"] for row in first] == ["exports/orders.csv"] * 2 + ["more.csv"]
    assert second.read_text() == (
        'id,item,item,backfill_source,backfill_row,backfill_rule,backfill_reason\n'
        '1,a,b,items.csv,2,x,why\n'
    )  # fmt: skip


def test_a_file_of_an_earlier_report_does_not_linger(tmp_path: Path) -> None:
    """Once every row of a source went, nobody is asked to fix them."""
    (tmp_path / "rejected_rows-2.csv").write_text("old")
    write(Job(tmp_path).finish())
    assert not (tmp_path / "rejected_rows-2.csv").exists()


def test_rows_that_were_fixed_once_keep_their_first_address(tmp_path: Path) -> None:
    """A fixed file that is rejected again goes out under the export's own columns and rows."""
    job = Job(tmp_path)
    job.add_rows({"reference_id": "1"})
    header = (*HEADER, *REJECTION_COLUMNS)
    fixed = ["1", *["m"] * (len(HEADER) - 1), "exports/orders.csv", "2", "old_rule", "old reason"]
    added = ["2", *["n"] * (len(HEADER) - 1), "", "", "", ""]
    job.add_source("rejected_rows.csv", header, [fixed, added])
    reject = partial(job.add_order, state=State.REJECTED, rule="new", reason="still wrong")
    reject("1", "2", source="rejected_rows.csv")
    reject("2", "3", source="rejected_rows.csv")
    write(job.finish())
    found = rows_of(tmp_path / "rejected_rows.csv")
    assert [list(row.values())[-4:] for row in found] == [
        ["exports/orders.csv", "2", "new", "still wrong"],
        ["rejected_rows.csv", "3", "new", "still wrong"],
    ]
    assert found[0]["Buyer"] == "m"


@pytest.mark.parametrize(("name", "marked"), [("Janet", False), ("Lucía", True)])
def test_a_byte_order_mark_only_where_a_spreadsheet_needs_one(
    tmp_path: Path, name: str, marked: bool
) -> None:
    """Excel takes a file without one for its own code page; programs would rather have none."""
    job = Job(tmp_path)
    job.add_order("1", job.add_rows({"Buyer": name}), state=State.REJECTED)
    write(job.finish())
    raw = (tmp_path / "rejected_rows.csv").read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf") is marked
    assert not (tmp_path / "results.csv").read_bytes().startswith(b"\xef\xbb\xbf")


@pytest.mark.parametrize(
    ("source_file", "source_rows", "expected"),
    [
        ("a.csv", "2-4,9", [("a.csv", [2, 3, 4, 9])]),
        ("a.csv; b.csv", "2; 7-8", [("a.csv", [2]), ("b.csv", [7, 8])]),
        ("odd; name.csv", "5", [("odd; name.csv", [5])]),
        ("odd; name.csv; a.csv", "5; 6", [("odd; name.csv", [5]), ("a.csv", [6])]),
    ],
)
def test_an_address_names_its_rows(
    source_file: str, source_rows: str, expected: Sequence[tuple[str, list[int]]]
) -> None:
    """The grammar of source_file and source_rows, with a file name that looks like two."""
    labels = ("a.csv", "b.csv", "odd; name.csv", "odd")
    assert list(addresses(source_file, source_rows, labels)) == expected


def test_reports_are_for_their_owner_only(tmp_path: Path) -> None:
    """They hold what customers bought, and where they live."""
    write(a_shop(tmp_path, 40))
    for name in ("report.html", "report.json", "results.csv", "rejected_rows.csv"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


def test_a_failure_leaves_the_old_file_and_says_so(tmp_path: Path) -> None:
    """A report is replaced as a whole or not at all."""
    write(a_shop(tmp_path, 40))
    old = (tmp_path / "results.csv").read_bytes()
    (tmp_path / ".results.csv.part").mkdir()  # even root cannot write a file over a folder
    with pytest.raises(StorageError) as caught:
        write(tmp_path)
    assert "results.csv" in caught.value.message
    assert "backfill report" in (caught.value.hint or "")
    assert (tmp_path / "results.csv").read_bytes() == old
    os.rmdir(tmp_path / ".results.csv.part")
