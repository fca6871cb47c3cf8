"""The books: every row and every cent that was read is accounted for, or nothing is adopted."""

from __future__ import annotations

import socket
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from backfill import open_job
from backfill.checkpoint import Checkpoint
from backfill.checkpoint.books import export_cents, require_balance
from backfill.cli import main
from backfill.errors import BooksDoNotBalance
from backfill.job_folder.files import CHECKPOINT, INCOMING
from backfill.prepare import books, pipeline
from backfill.prepare.validation.validate import Validated, validate

HEADER = "reference_id,created_at,profile_name,item_name,item_price,total\n"


def export(folder: Path, orders: int = 30, *, name: str = "orders.csv") -> Path:
    """Orders of two lines each, worth 15.00."""
    path = folder / name
    lines = (
        f"{number},2021-04-09,Jo,{item},{price},15.00\n"
        for number in range(orders)
        for item, price in (("Mug", "5.00"), ("Pot", "10.00"))
    )
    path.write_text(HEADER + "".join(lines), encoding="utf-8")
    return path


def prepare(folder: Path, *exports: Path) -> Path:
    """Prepare exports as the dry run does; returns the job folder."""
    target = folder / "job"
    open_job(target).prepare(*exports, connect_id="A1")
    return target


def test_each_row_that_was_read_is_in_one_place() -> None:
    """Rows of orders, ignored rows and rows without an order key add up to the rows read."""
    ledger = books.RowBooks({"a.csv": 1, "b; c.csv": 2})
    ledger.read(0, np.arange(2, 12))
    ledger.read(1, np.arange(5, 8))
    ledger.ignored(0, np.array([11]))
    ledger.placed(orders(("1", "a.csv", "2-4,9"), ("2", "a.csv; b; c.csv", "5-7; 5-7")))
    ledger.placed(orders((None, "a.csv", "8"), ("3", "a.csv", "10")))
    counts = ledger.close()
    assert counts["a.csv"] == books.RowCounts(
        read=10, in_orders=8, ignored=1, in_no_order=1, blank=0, first_blank=None
    )
    assert counts["b; c.csv"] == books.RowCounts(
        read=3, in_orders=3, ignored=0, in_no_order=0, blank=2, first_blank=3
    )


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("2-3", "row 4 was read but is neither in an order nor in a list"),
        ("2-4,3", "row 3 ended in two places"),
        ("2-5", "row 5 is in an order but was never read"),
    ],
)
def test_a_row_lost_doubled_or_invented_stops_it(rows: str, said: str) -> None:
    """The line names the source and the first row that is wrong."""
    ledger = books.RowBooks({"a.csv": 1})
    ledger.read(0, np.array([2, 3, 4]))
    ledger.read(0, np.array([9]))
    ledger.placed(orders(("1", "a.csv", rows), ("2", "a.csv", "9")))
    with pytest.raises(BooksDoNotBalance, match=f"a.csv: the books do not balance: {said}"):
        ledger.close()


def test_a_batch_that_loses_a_row_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A planted bug between reading and grouping stops the preparation; no import is left."""
    sound = pipeline._batches

    def losing(*args: object) -> Iterator[pa.Table]:
        for batch in sound(*args):  # type: ignore[arg-type]
            yield batch.slice(0, batch.num_rows - 1)

    monkeypatch.setattr(pipeline, "_batches", losing)
    with pytest.raises(BooksDoNotBalance, match="row 61 was read but is neither"):
        prepare(tmp_path, export(tmp_path))
    assert not (tmp_path / "job" / CHECKPOINT).exists()
    assert not (tmp_path / "job" / INCOMING).exists()


def test_nothing_is_sent_where_a_row_got_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command ends with the row and opens no connection."""
    sound = pipeline._batches

    def losing(*args: object) -> Iterator[pa.Table]:
        for batch in sound(*args):  # type: ignore[arg-type]
            yield batch.slice(1)

    monkeypatch.setattr(pipeline, "_batches", losing)
    with socket.create_server(("127.0.0.1", 0)) as shout:
        shout.setblocking(False)
        address = f"http://127.0.0.1:{shout.getsockname()[1]}"
        command = ["run", str(export(tmp_path)), "--connect-id", "A1", "--api-url", address]
        assert main([*command, "--job", str(tmp_path / "job"), "--progress", "none"]) == 1
        with pytest.raises(BlockingIOError):
            shout.accept()
    said = capsys.readouterr().err
    assert (
        "the books do not balance: row 2 was read but is neither in an order nor in a list" in said
    )


def test_an_order_whose_total_changes_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A planted bug that moves one cent stops the preparation, with both sums."""

    def changing(*args: object) -> Validated:
        sound = validate(*args)  # type: ignore[arg-type]
        at = sound.orders.schema.get_field_index("total_cents")
        cents = sound.orders["total_cents"].to_pylist()
        changed = pa.array([cents[0] + 1, *cents[1:]], pa.int64())
        return Validated(sound.orders.set_column(at, "total_cents", changed), sound.problems)

    monkeypatch.setattr(pipeline, "validate", changing)
    with pytest.raises(BooksDoNotBalance, match=r"add up to 45,000 cents, and .* to 45,001"):
        prepare(tmp_path, export(tmp_path))
    assert not (tmp_path / "job" / CHECKPOINT).exists()


def test_a_lost_order_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A planted bug that drops an order on its way to the checkpoint is noticed by its rows."""

    def dropping(*args: object) -> Validated:
        sound = validate(*args)  # type: ignore[arg-type]
        return Validated(sound.orders.slice(1), sound.problems)

    monkeypatch.setattr(pipeline, "validate", dropping)
    with pytest.raises(BooksDoNotBalance, match="row 2 was read but is neither"):
        prepare(tmp_path, export(tmp_path))


def test_whoever_counts_the_rows_of_the_file_finds_all_of_them(tmp_path: Path) -> None:
    """Headers that are repeated and rows that explain the columns are ignored rows; blank rows
    between others are named."""
    path = tmp_path / "orders.csv"
    explained = "Our number,Date of the order,Who,What,Price of the line,With tax\n"
    first = "".join(f"{number},2021-04-09,Jo,Mug,5.00,5.00\n" for number in range(3))
    last = "9,2021-04-09,Jo,Mug,5.00,5.00\n\n"
    path.write_text(f"{HEADER}{explained}{first}\n,,,,,\n{HEADER}{last}")
    job = open_job(prepare(tmp_path, path))
    rows = job.report().books.rows
    assert (rows.read, rows.in_orders, rows.ignored, rows.in_no_order) == (6, 4, 2, 0)
    ignored = job.problems().query("rule == 'ignored_row'")
    assert ignored["row"].tolist() == [2, 8]
    (blank,) = (one for one in job.decisions() if one.what == "blank rows")
    assert (blank.evidence.supporting, blank.evidence.row) == (2, 6)
    with Checkpoint(job.folder / CHECKPOINT) as checkpoint:
        assert [source.rows for source in checkpoint.sources()] == [6]


def test_a_newer_export_moves_the_books(tmp_path: Path) -> None:
    """Orders that are added and changed move what the export is worth, and it balances."""
    folder = prepare(tmp_path, export(tmp_path))
    newer = export(tmp_path, 35)
    newer.write_text(newer.read_text().replace("0,2021-04-09,Jo,Pot,10.00,15.00", ""))
    prepare(tmp_path, newer)
    with Checkpoint(folder / CHECKPOINT) as checkpoint:
        require_balance(checkpoint)
        (found,) = checkpoint.query("SELECT sum(total_cents) FROM orders").fetchone()
        assert export_cents(checkpoint) == found


def test_an_order_that_changes_afterwards_is_noticed(tmp_path: Path) -> None:
    """Whoever touches a total in the checkpoint is found out before anything is sent."""
    folder = prepare(tmp_path, export(tmp_path))
    db = sqlite3.connect(folder / CHECKPOINT)
    with db:
        db.execute("UPDATE orders SET total_cents = total_cents - 100 WHERE id = 3")
    db.close()
    with (
        Checkpoint(folder / CHECKPOINT) as checkpoint,
        pytest.raises(BooksDoNotBalance, match=r"add up to 45,000 cents, and .* to 44,900"),
    ):
        require_balance(checkpoint)


def test_copies_and_orders_of_other_currencies_balance(tmp_path: Path) -> None:
    """The same export twice counts once; an order in another currency has no total in this one."""
    first = export(tmp_path)
    copy = export(tmp_path, name="again.csv")
    foreign = tmp_path / "foreign.csv"
    foreign.write_text(HEADER + "x,2021-04-09,Jo,Mug,EUR 5.00,EUR 5.00\n", encoding="utf-8")
    folder = prepare(tmp_path, first, copy, foreign)
    with Checkpoint(folder / CHECKPOINT) as checkpoint:
        assert export_cents(checkpoint) == 30 * 1500
        ignored = {one.path: one.details["rows_ignored"] for one in checkpoint.sources()}
    assert list(ignored.values()) == [0, 60, 0]


def orders(*places: tuple[str | None, str, str]) -> pa.RecordBatch:
    """Orders as they go to the checkpoint: key, sources and rows."""
    names = ("reference_id", "source_file", "source_rows")
    columns = [pa.array(column, pa.string()) for column in zip(*places, strict=True)]
    return pa.RecordBatch.from_arrays(columns, names=list(names))
