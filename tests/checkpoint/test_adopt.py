"""An import is adopted whole, and never touches what was sent."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from backfill.checkpoint import (
    FILE_NAME,
    Adopted,
    Checkpoint,
    Result,
    Source,
    State,
    adopt,
)
from backfill.checkpoint.incoming import Incoming
from tests.checkpoint.claiming import claim, record
from tests.order_columns import order_columns

Order = tuple[str | None, str, str | None]
"""An order key, what its body says (empty: it is rejected), and its rows."""


def bring(
    folder: Path,
    orders: list[Order],
    *,
    source: str = "orders.csv",
    mended: list[int] | None = None,
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
    path = source.removesuffix(" (2)")
    incoming.add_source(Source(source, path, None, "0" * 64, "generic", len(orders)))
    if mended:
        incoming.add_mended([("orders.csv", row) for row in mended])
    incoming.finish({"fingerprint": repr(orders)})
    return adopt(folder)


def states(folder: Path) -> dict[str | None, tuple[str, str | None]]:
    """Each order's state and body."""
    with Checkpoint(folder / FILE_NAME) as checkpoint:
        rows = checkpoint.query("SELECT reference_id, state, payload FROM orders ORDER BY id")
        return {key: (state, body) for key, state, body in rows.fetchall()}


def settle(folder: Path, outcomes: dict[str, State]) -> None:
    """Send the pending orders; each ends as ``outcomes`` says, or goes back to pending."""
    with Checkpoint(folder / FILE_NAME) as checkpoint:
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
    assert sorted(path.name for path in tmp_path.iterdir()) == [FILE_NAME]


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
    assert adopted == Adopted(new=1, unchanged=1, replaced=3, gone=1)
    assert states(tmp_path) == {
        "1": ("pending", body("a")),
        "2": ("pending", body("B")),
        "3": ("pending", body("c")),
        "4": ("pending", body("D")),
        "5": ("pending", body("e")),
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
    with Checkpoint(tmp_path / FILE_NAME) as checkpoint:
        [row] = checkpoint.query("SELECT order_id, payload FROM changes").fetchall()
    assert tuple(row) == (1, body("changed"))


def test_mended_rows_replace_the_orders_they_came_from(tmp_path: Path) -> None:
    """By key where it stayed, and by their rows where the key was what had to be mended."""
    bring(tmp_path, [("1", "", "2"), (None, "", "3"), ("2", "b", "4")])
    adopted = bring(
        tmp_path, [("1", "a", None), ("9", "n", None)], source="rejected_rows.csv", mended=[2, 3]
    )
    assert (adopted.new, adopted.replaced) == (1, 1)
    assert states(tmp_path) == {
        "1": ("pending", body("a")),
        "2": ("pending", body("b")),
        "9": ("pending", body("n")),
    }


def test_the_first_export_again_does_not_undo_what_was_mended(tmp_path: Path) -> None:
    """A mended order that waits to be sent is not rejected again by the file it was mended from."""
    bring(tmp_path, [("1", "", None)])
    bring(tmp_path, [("1", "a", None)], source="rejected_rows.csv", mended=[2])
    assert bring(tmp_path, [("1", "", None)]) == Adopted(unchanged=1)
    assert states(tmp_path) == {"1": ("pending", body("a"))}


def test_problems_follow_their_orders(tmp_path: Path) -> None:
    """A mended order has none left; one that is still rejected has its own once."""
    bring(tmp_path, [("1", "", None), ("2", "", None)])
    bring(tmp_path, [("1", "a", None), ("2", "", None)], source="orders.csv (2)")
    with Checkpoint(tmp_path / FILE_NAME) as checkpoint:
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
