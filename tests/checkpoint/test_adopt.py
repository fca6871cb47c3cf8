"""An import is adopted whole, and never touches what was sent."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import pytest

from backfill import open_job
from backfill.checkpoint import (
    Adopted,
    Checkpoint,
    Result,
    Source,
    State,
    adopt,
)
from backfill.checkpoint.books import require_balance
from backfill.checkpoint.incoming import Incoming
from backfill.job_folder.files import CHECKPOINT
from tests.checkpoint.claiming import claim, record
from tests.order_columns import order_columns

Order = tuple[str | None, str, str | None]
"""An order key, what its body says (empty: it is rejected), and its rows."""


def bring(
    folder: Path,
    orders: list[Order],
    *,
    source: str = "orders.csv",
    fixed: list[int] | None = None,
) -> Adopted:
    """Import orders into the job, as prepare would."""
    incoming = Incoming(folder)
    rows = []
    for number, (key, says, source_rows) in enumerate(orders, start=2):
        body = f'{{"order":"{says}"}}' if says else None
        rows.append(
            (
                key,
                "X-Shout-Connect-ID",
                "A1",
                "pending" if says else "rejected",
                100,
                1,
                "2024-01-01",
                source,
                source_rows or str(number),
                None if says else "bad_money",
                None if says else "the amount is no money",
                body,
            )
        )
    incoming.add_orders(order_columns(rows))
    incoming.add_problems(
        [
            ("bad_money", "error", number, 1, 1, source, number + 1, "total", "x", "no money")
            for number, (_, says, _) in enumerate(orders, start=1)
            if not says
        ]
    )
    path, _, sheet = re.sub(r" \(\d\)$", "", source).rstrip("]").partition(" [")
    details = {"of_fixed_rows": bool(fixed)}
    incoming.add_source(
        Source(source, path, sheet or None, "0" * 64, "generic", len(orders), details)
    )
    if fixed:
        incoming.add_fixed_rows(
            ("orders.csv", row, source, own) for own, row in enumerate(fixed, start=2)
        )
    incoming.finish({"fingerprint": repr(orders)})
    return adopt(folder)


def states(folder: Path) -> dict[str | None, tuple[str, str | None]]:
    """Each order's state and body."""
    with Checkpoint(folder / CHECKPOINT) as checkpoint:
        rows = checkpoint.query("SELECT reference_id, state, payload FROM orders ORDER BY id")
        return {key: (state, body) for key, state, body in rows.fetchall()}


def settle(folder: Path, outcomes: dict[str, State]) -> None:
    """Send the pending orders; each ends as ``outcomes`` says, or goes back to pending."""
    with Checkpoint(folder / CHECKPOINT) as checkpoint:
        results = [
            Result(one.id, outcomes.get(one.reference_id, State.PENDING), 1)
            for one in claim(checkpoint, 100)
        ]
        record(checkpoint, results)


def body(says: str) -> str:
    return f'{{"order":"{says}"}}'


def test_a_first_import_becomes_the_checkpoint(tmp_path: Path) -> None:
    """By a rename: there is no moment at which half of it is there."""
    assert bring(tmp_path, [("1", "a", None), ("2", "", None)]) == Adopted(new=2)
    assert states(tmp_path) == {"1": ("pending", body("a")), "2": ("rejected", None)}
    assert sorted(path.name for path in tmp_path.iterdir()) == [CHECKPOINT]


def test_an_import_that_was_not_finished_leaves_nothing_behind(tmp_path: Path) -> None:
    """The next import begins from nothing, and the job from the last whole one."""
    bring(tmp_path, [("1", "a", None)])
    half = Incoming(tmp_path)
    killed = half.path.read_bytes()
    half.discard()
    half.path.write_bytes(killed)
    assert bring(tmp_path, [("1", "a", None), ("2", "b", None)]) == Adopted(new=1, unchanged=1)


def test_a_changed_export_replaces_what_was_not_sent_and_adds_what_is_new(tmp_path: Path) -> None:
    """Rejected, failed and pending orders take their new bodies; equal ones stay."""
    bring(
        tmp_path,
        [("1", "a", None), ("2", "b", None), ("3", "", None), ("4", "d", None), ("5", "e", None)],
    )
    settle(tmp_path, {"4": State.FAILED})
    adopted = bring(
        tmp_path,
        [("1", "a", None), ("2", "B", None), ("3", "c", None), ("4", "D", None), ("6", "f", None)],
        source="orders.csv (2)",
    )
    assert adopted == Adopted(new=1, unchanged=1, replaced=3, removed=1)
    assert states(tmp_path) == {
        "1": ("pending", body("a")),
        "2": ("pending", body("B")),
        "3": ("pending", body("c")),
        "4": ("pending", body("D")),
        "6": ("pending", body("f")),
    }


@pytest.mark.parametrize("state", [State.CREATED, State.EXISTING, State.SENDING])
def test_what_was_sent_is_never_touched(tmp_path: Path, state: State) -> None:
    """Neither its body nor its state, whatever a later export says."""
    bring(tmp_path, [("1", "a", None)])
    settle(tmp_path, {"1": state})
    bring(tmp_path, [("1", "changed", None)], source="orders.csv (2)")
    assert states(tmp_path) == {"1": (state.value, body("a"))}


def test_an_order_that_changed_after_it_was_created_is_listed(tmp_path: Path) -> None:
    """With the body that the export would make of it now."""
    bring(tmp_path, [("1", "a", None), ("2", "b", None)])
    settle(tmp_path, {"1": State.CREATED, "2": State.CREATED})
    adopted = bring(tmp_path, [("1", "changed", None), ("2", "b", None)], source="orders.csv (2)")
    assert adopted == Adopted(unchanged=1, changed_after_sent=1)
    with Checkpoint(tmp_path / CHECKPOINT) as checkpoint:
        [row] = checkpoint.query("SELECT order_id, payload FROM changes").fetchall()
    assert tuple(row) == (1, body("changed"))


@pytest.mark.parametrize("state", [State.CREATED, State.EXISTING, State.SENDING, State.FAILED])
def test_a_sent_order_that_is_gone_from_its_export_stays_and_is_listed(
    tmp_path: Path, state: State
) -> None:
    """It is or was in Shout's hands, so the job goes on to account for it."""
    bring(tmp_path, [("1", "a", None), ("2", "b", None), ("3", "", None)])
    settle(tmp_path, {"1": state})
    adopted = bring(tmp_path, [("4", "d", None)], source="orders.csv (2)")
    assert adopted == Adopted(new=1, gone=1, removed=2)
    assert states(tmp_path) == {"1": (state.value, body("a")), "4": ("pending", body("d"))}
    with Checkpoint(tmp_path / CHECKPOINT) as checkpoint:
        assert [row[0] for row in checkpoint.query("SELECT order_id FROM gone")] == [1]
        removed = checkpoint.query("SELECT reference_id, state FROM removed").fetchall()
        assert [tuple(row) for row in removed] == [("2", "pending"), ("3", "rejected")]
        assert {each.source: each.rows for each in checkpoint.sources()} == {
            "orders.csv": 1,
            "orders.csv (2)": 1,
        }


def test_an_order_that_comes_back_is_gone_no_longer(tmp_path: Path) -> None:
    """Neither list keeps an order that a later copy of the export has again."""
    both: list[Order] = [("1", "a", None), ("2", "b", None)]
    bring(tmp_path, both)
    settle(tmp_path, {"1": State.CREATED})
    bring(tmp_path, [("3", "c", None)], source="orders.csv (2)")
    bring(tmp_path, both, source="orders.csv (3)")
    with Checkpoint(tmp_path / CHECKPOINT) as checkpoint:
        assert not checkpoint.query("SELECT * FROM gone").fetchall()
        removed = checkpoint.query("SELECT reference_id FROM removed").fetchall()
        assert [tuple(row) for row in removed] == [("3",)]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("orders.csv", "other.csv"),
        ("book.xlsx [May]", "book.xlsx [June]"),
        ("orders.csv", "rejected_rows.csv"),
    ],
)
def test_only_a_newer_copy_of_its_own_export_takes_an_order_out(
    tmp_path: Path, first: str, second: str
) -> None:
    """Not another file, not another sheet of the workbook, and not rows that were fixed."""
    bring(tmp_path, [("1", "a", None), ("2", "b", None)], source=first)
    for says in ("c", "d"):
        fixed = [9] if second == "rejected_rows.csv" else None
        adopted = bring(tmp_path, [("1", says, None)], source=second, fixed=fixed)
        assert (adopted.gone, adopted.removed) == (0, 0)


def test_an_order_in_two_sources_is_gone_once_both_were_read_again(tmp_path: Path) -> None:
    """Its other rows still stand in an export that was not read again."""
    folder = tmp_path / "job"
    orders, items = tmp_path / "orders.csv", tmp_path / "items.csv"
    header = "reference_id,item_name,item_price\n"
    orders.write_text("reference_id,created_at,profile_name\n1,2021-04-05,Jo\n2,2021-04-05,Al\n")
    items.write_text(f"{header}1,Mug,5.00\n2,Pot,6.00\n")
    open_job(folder).prepare(orders, items=items, connect_id="A1")
    orders.write_text("reference_id,created_at,profile_name\n1,2021-04-05,Jo\n")
    items.write_text(f"{header}1,Mug,5.00\n")
    adopted = open_job(folder).prepare(orders, items=items, connect_id="A1").adopted
    assert adopted == Adopted(unchanged=1, removed=1)
    with Checkpoint(folder / CHECKPOINT) as checkpoint:
        require_balance(checkpoint)
        [order] = checkpoint.query("SELECT source_file, source_rows FROM orders").fetchall()
        assert tuple(order) == (f"{orders} (2); {items} (2)", "2; 2")
        assert [each.rows for each in checkpoint.sources()] == [1, 1]


def test_fixed_rows_replace_the_orders_they_came_from(tmp_path: Path) -> None:
    """By key where it stayed, and by their rows where the key was what had to be fixed."""
    bring(tmp_path, [("1", "", "2"), (None, "", "3"), ("2", "b", "4")])
    adopted = bring(
        tmp_path, [("1", "a", None), ("9", "n", None)], source="rejected_rows.csv", fixed=[2, 3]
    )
    assert (adopted.new, adopted.replaced) == (1, 1)
    assert states(tmp_path) == {
        "1": ("pending", body("a")),
        "2": ("pending", body("b")),
        "9": ("pending", body("n")),
    }


def test_the_first_export_again_does_not_undo_what_was_mended(tmp_path: Path) -> None:
    """A fixed order that waits to be sent is not rejected again by the file it was fixed from."""
    bring(tmp_path, [("1", "", None)])
    bring(tmp_path, [("1", "a", None)], source="rejected_rows.csv", fixed=[2])
    assert bring(tmp_path, [("1", "", None)]) == Adopted(unchanged=1)
    assert states(tmp_path) == {"1": ("pending", body("a"))}


def test_problems_follow_their_orders(tmp_path: Path) -> None:
    """A fixed order has none left; one that is still rejected has its own once."""
    bring(tmp_path, [("1", "", None), ("2", "", None)])
    bring(tmp_path, [("1", "a", None), ("2", "", None)], source="orders.csv (2)")
    with Checkpoint(tmp_path / CHECKPOINT) as checkpoint:
        rows = checkpoint.query(
            "SELECT reference_id FROM problems JOIN orders ON orders.id = order_id"
        ).fetchall()
    assert [tuple(row) for row in rows] == [("2",)]


def test_a_merge_that_fails_changes_nothing(tmp_path: Path) -> None:
    """Rule 6: an import becomes visible as a whole or not at all."""
    bring(tmp_path, [("1", "a", None)])
    before = states(tmp_path)
    incoming = Incoming(tmp_path)
    incoming.add_source(Source("x.csv", "x.csv", None, "0" * 64, "generic", 1))
    path = incoming.finish({})
    with sqlite3.connect(path) as broken:
        broken.execute("DROP TABLE problems")
    broken.close()
    with pytest.raises(Exception, match="problems"):
        adopt(tmp_path)
    assert states(tmp_path) == before
