"""Rows given back through ``rejected_rows.csv`` join the rows of their order that stayed."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from backfill import open_job
from backfill.checkpoint import Checkpoint
from backfill.checkpoint.books import require_balance
from backfill.job_folder.files import CHECKPOINT

HEADER = "reference_id,created_at,profile_name,item_name,item_price,total\n"
MARKS = HEADER.rstrip() + ",backfill_source,backfill_row,backfill_rule,backfill_reason\n"


def prepare(folder: Path, path: Path, text: str | None = None) -> Path:
    """Prepare an export as the dry run does; returns the job folder."""
    if text is not None:
        path.write_text(text, encoding="utf-8")
    open_job(folder / "job").prepare(path, connect_id="A1")
    return folder / "job"


def orders(job: Path) -> dict[str | None, tuple[str, str, list[str]]]:
    """By key: state, source rows and the names of the line items."""
    with Checkpoint(job / CHECKPOINT) as checkpoint:
        require_balance(checkpoint)
        rows = checkpoint.query(
            "SELECT reference_id, state, source_rows, payload FROM orders ORDER BY id"
        ).fetchall()
    return {
        key: (state, rows, [line["name"] for line in _lines(payload)])
        for key, state, rows, payload in rows
    }


def _lines(payload: str | None) -> list[dict[str, str]]:
    return json.loads(payload)["order"]["line_items"] if payload else []


def fix(job: Path, **cells: str) -> Path:
    """Change cells of the listed rows, as ``row2_total='5.00'``; the key ``drop`` drops a row."""
    path = job / "rejected_rows.csv"
    open_job(job).report()
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    for place, text in cells.items():
        number, _, column = place.removeprefix("row").partition("_")
        for row in rows:
            if row["backfill_row"] == number:
                row[column] = text
    fixed = job.parent / "fixed.csv"
    with fixed.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(row for row in rows if row["reference_id"] != "drop")
    return fixed


def test_a_row_whose_key_was_filled_in_joins_the_order_of_that_key(tmp_path: Path) -> None:
    """The order goes out with the rows that were there and the fixed one."""
    job = prepare(
        tmp_path,
        tmp_path / "orders.csv",
        f"{HEADER}1,2021-04-05,Jo,Mug,5.00,11.00\n,2021-04-06,Jo,Cup,6.00,\n"
        "2,2021-04-05,Al,Pot,7.00,7.00\n2,2021-04-05,Al,Pan,7.00,7.00\n",
    )
    assert orders(job)[None][0] == "rejected"
    prepare(tmp_path, fix(job, row3_reference_id="1", row3_created_at=""))
    found = orders(job)
    assert found["1"] == ("pending", "2; 2", ["Mug", "Cup"])
    assert None not in found
    with Checkpoint(job / CHECKPOINT) as checkpoint:
        assert [source.rows for source in checkpoint.sources()] == [3, 1], "each row counts once"


def test_an_order_keeps_the_rows_that_did_not_come_back(tmp_path: Path) -> None:
    """Only one of its two rows was given back; the other is as it was, and none is there twice."""
    job = prepare(
        tmp_path,
        tmp_path / "orders.csv",
        f"{HEADER}1,2021-02-30,Jo,Mug,5.00,11.00\n1,,,Cup,6.00,\n",
    )
    fixed = fix(job, row2_created_at="2021-02-31", row3_reference_id="drop")
    prepare(tmp_path, fixed)
    assert orders(job)["1"][0] == "rejected", "still a date that does not exist"
    prepare(tmp_path, fix(job, row2_created_at="2021-02-28"))
    state, _, lines = orders(job)["1"]
    assert (state, sorted(lines)) == ("pending", ["Cup", "Mug"])


def test_rows_below_the_key_come_back_without_a_key(tmp_path: Path) -> None:
    """Where the export writes the key on the first row only, a fixed row needs none either."""
    job = prepare(
        tmp_path,
        tmp_path / "orders.csv",
        f"{HEADER}1,2021-02-30,Jo,Mug,5.00,11.00\n,,,Cup,6.00,\n2,2021-04-05,Al,Pot,7.00,7.00\n",
    )
    prepare(tmp_path, fix(job, row2_created_at="2021-02-28"))
    assert orders(job)["1"] == ("pending", "2-3", ["Mug", "Cup"])


@pytest.mark.parametrize("state", ["created", "sending"])
def test_a_fixed_row_of_an_order_that_was_sent(tmp_path: Path, state: str) -> None:
    """It is reported as a change; while the order is in doubt, the row stays in the list."""
    job = prepare(
        tmp_path,
        tmp_path / "orders.csv",
        f"{HEADER}1,2021-04-05,Jo,Mug,5.00,5.00\n1,2021-04-05,Jo,Bag,0.00,5.00\n"
        ",2021-04-06,Jo,Cup,6.00,\n",
    )
    with Checkpoint(job / CHECKPOINT) as checkpoint, checkpoint.writing() as db:
        db.execute("UPDATE orders SET state = ? WHERE reference_id = '1'", (state,))
    prepare(tmp_path, fix(job, row4_reference_id="1", row4_created_at=""))
    found = orders(job)
    assert found["1"] == (state, "2-3", ["Mug", "Bag"])
    with Checkpoint(job / CHECKPOINT) as checkpoint:
        changed = checkpoint.query("SELECT payload FROM changes").fetchall()
    if state == "created":
        assert [line["name"] for line in _lines(changed[0][0])] == ["Mug", "Bag", "Cup"]
        assert None not in found
    else:
        assert not changed
        assert found[None][:2] == ("rejected", "4")


def test_a_fixed_row_that_does_not_fit_holds_its_order_back(tmp_path: Path) -> None:
    """The order would go without a line that somebody has said is its own."""
    job = prepare(
        tmp_path,
        tmp_path / "orders.csv",
        f"{HEADER}1,2021-04-05,Jo,Mug,5.00,5.00\n1,2021-04-05,Jo,Bag,0.00,5.00\n"
        ",2021-04-06,Al,Cup,6.00,\n",
    )
    assert orders(job)["1"][0] == "pending"
    prepare(tmp_path, fix(job, row4_reference_id="1", row4_created_at="", row4_total="a lot"))
    found = orders(job)
    assert found["1"][:2] == ("rejected", "2-3; 2")
    assert None not in found


def test_copies_that_differ_are_not_joined_by_giving_their_rows_back(tmp_path: Path) -> None:
    """Each of the rows stands in both exports: together they would be twice the order."""
    first, second = tmp_path / "a.csv", tmp_path / "b.csv"
    rows = "1,2021-04-05,Jo,Mug,5.00,11.00\n1,,,Cup,6.00,\n"
    first.write_text(f"{HEADER}{rows}2,2021-04-05,Al,Pot,7.00,7.00\n", encoding="utf-8")
    second.write_text(f"{HEADER}{rows.replace('Cup', 'Can')}", encoding="utf-8")
    open_job(tmp_path / "job").prepare(first, second, connect_id="A1")
    job = tmp_path / "job"
    assert orders(job)["1"][0] == "rejected"
    prepare(tmp_path, fix(job))
    assert orders(job)["1"][0] == "rejected"
    prepare(tmp_path, fix(job, row2_reference_id="drop"))
    assert orders(job)["1"][0] == "rejected"
    open_job(job).prepare(second, connect_id="A1")
    assert orders(job)["1"] == ("pending", "2-3", ["Mug", "Can"])


def test_one_of_two_rows_without_a_key_comes_back(tmp_path: Path) -> None:
    """The other one stays in the list, and neither is in two places."""
    job = prepare(
        tmp_path,
        tmp_path / "orders.csv",
        f"{HEADER}1,2021-04-05,Jo,Mug,5.00,11.00\n2,2021-04-05,Al,Pot,7.00,7.00\n"
        ",2021-04-06,Jo,Cup,6.00,\n,,,Can,4.00,\n",
    )
    assert orders(job)[None][:2] == ("rejected", "4-5")
    prepare(tmp_path, fix(job, row4_reference_id="1", row4_created_at="", row5_reference_id="drop"))
    found = orders(job)
    assert found["1"] == ("pending", "2; 2", ["Mug", "Cup"])
    assert found[None][:2] == ("rejected", "5")


def test_an_order_stays_held_back_until_its_doubtful_row_has_a_key(tmp_path: Path) -> None:
    """Giving back another row of the order does not make the doubtful one a line of it."""
    job = prepare(
        tmp_path,
        tmp_path / "orders.csv",
        f"{HEADER}1,2021-04-05,Jo,Mug,5.00,11.00\n1,,,Cup,6.00,\n,,,Wrap,2.00,\n",
    )
    assert orders(job)["1"][:2] == ("rejected", "2-4")
    prepare(tmp_path, fix(job, row2_total="11.00", row4_reference_id="drop"))
    assert orders(job)["1"][0] == "rejected"


def test_an_order_goes_once_its_doubtful_row_has_a_key(tmp_path: Path) -> None:
    """The key says where the row belongs."""
    job = prepare(
        tmp_path,
        tmp_path / "orders.csv",
        f"{HEADER}1,2021-04-05,Jo,Mug,5.00,13.00\n1,,,Cup,6.00,\n,,,Wrap,2.00,\n",
    )
    prepare(tmp_path, fix(job, row4_reference_id="1"))
    assert orders(job)["1"] == ("pending", "2-4", ["Mug", "Cup", "Wrap"])


def test_an_order_of_two_files_follows_the_newer_copy_of_one(tmp_path: Path) -> None:
    """Its row in the other file is gone, and what is left cannot be read: the old body is too."""
    first, second = tmp_path / "a.csv", tmp_path / "b.csv"
    first.write_text(
        f"{HEADER}1,2021-04-05,Jo,Pot,7.00,7.00\n2,2021-04-05,Al,Mug,5.00,\n", encoding="utf-8"
    )
    second.write_text(
        f"{HEADER}2,2021-04-05,Al,Cup,6.00,\n3,2021-04-05,Cy,Pot,7.00,7.00\n", encoding="utf-8"
    )
    open_job(tmp_path / "job").prepare(first, second, connect_id="A1")
    assert orders(tmp_path / "job")["2"] == ("pending", "3; 2", ["Mug", "Cup"])
    first.write_text(f"{HEADER}1,2021-04-05,Jo,Pot,7.00,7.00\n", encoding="utf-8")
    second.write_text(second.read_text().replace("2021-04-05,Al", "?,Al"), encoding="utf-8")
    open_job(tmp_path / "job").prepare(first, second, connect_id="A1")
    assert orders(tmp_path / "job")["2"] == ("rejected", "2", [])
