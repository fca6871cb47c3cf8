"""No row gets lost: whatever rows an export has, each is in one place, and the money adds up.

Tables with any mixture of odd rows are prepared through the Python API. Then rows come back fixed,
and exports are made shorter and longer. After each step the job folder is compared with what the
example knows from making the rows.

``BACKFILL_ROWS=500 python -m pytest -m fuzz tests/prepare/test_no_row_lost.py`` is the long form.
"""

from __future__ import annotations

import csv
import os
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from backfill import open_job
from backfill.errors import BackfillError, BooksDoNotBalance
from backfill.job import Job
from backfill.job_folder.files import CHECKPOINT
from tests.prepare.odd_tables import (
    HEADER_AGAIN,
    NUMBER,
    Export,
    Row,
    Table,
    cents,
    order_rows,
    tables,
)

Draw = Callable[[st.SearchStrategy[Any]], Any]
#: Rows that a rule names as no line item of the order that they are in.
NO_ITEM_RULES = {"zero_line", "subtotal_row", "refunded_line"}
NOT_GOING = {"rejected", "skipped", "failed"}


# --- what the job folder says ---------------------------------------------------------------------


def listed(job: Job) -> Counter[str]:
    """The rows in the files of rejected rows, by number."""
    found: Counter[str] = Counter()
    for path in job.folder.glob("rejected_rows*.csv"):
        found.update(row[NUMBER] for row in rejected_rows(path))
    return found


def rejected_rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def check(job: Job, table: Table, *, first: bool = False) -> None:
    """Everything that must hold after each step."""
    figures = job.report()
    books = figures.books
    assert books.rows.read == books.rows.in_orders + books.rows.ignored + books.rows.in_no_order
    assert books.export_cents == sum(books.cents.values())
    shown = job.show(show_personal_data=True)
    going = [order for order in shown if order.state not in NOT_GOING]
    in_orders = Counter(row.cells[NUMBER] for order in going for row in order.rows)
    in_lists = listed(job)
    there = Counter(
        row.number
        for export in table.exports
        for row in export.rows
        if row.number and row.cells is not HEADER_AGAIN
    )
    twice = (in_orders + in_lists) - there
    assert not twice, f"rows in two places: {twice}"
    missing = there - in_orders - in_lists
    named = named_as_ignored(job, table)
    lost = set(missing) - named - set(in_orders) - set(in_lists)
    assert not lost, f"rows in no place: {lost}"
    if first:
        assert books.rows.read == sum(map(rows_with_values, table.exports))
        headers = sum(row.cells is HEADER_AGAIN for each in table.exports for row in each.rows)
        assert books.rows.ignored == missing.total() + headers
        assert books.rows.in_orders + books.rows.in_no_order == (in_orders + in_lists).total()
    check_orders(job, table, going)
    bodies = [order.body for order in going if order.state == "pending" and order.body]
    assert books.cents["ready"] == sum(body["order"]["total_cents"] for body in bodies)


def rows_with_values(export: Export) -> int:
    """The rows below the header that are not blank, as a person would count them."""
    below = export.records()[len(export.titles) + 1 :]
    return sum(any(cell.strip() for cell in cells) for cells in below)


def named_as_ignored(job: Job, table: Table) -> set[str]:
    """The rows that the list of problems names as ignored, by number."""
    found = set()
    problems = job.problems()
    for _, problem in problems[problems["rule"] == "ignored_row"].iterrows():
        for export in table.exports:
            if Path(problem["source_file"].removesuffix(" (2)")).name == export.name:
                found.add(export.records()[int(problem["row"]) - 1][0])
    return found


def check_orders(job: Job, table: Table, going: list[Any]) -> None:
    """No order has lost a line, and each is worth what its rows say."""
    problems = job.problems()
    aside = problems[problems["rule"].isin(NO_ITEM_RULES)]
    places = set(zip(aside["source_file"], aside["row"].astype(int), strict=True))
    for order in going:
        if order.state != "pending":
            continue
        numbers = {row.cells[NUMBER] for row in order.rows}
        rows = [table.rows[number] for number in sorted(numbers, key=int)]
        wanted = {n for n, row in table.rows.items() if row.key == order.reference_id}
        assert wanted <= numbers, f"{order.reference_id} lost rows {wanted - numbers}"
        others = [row for row in rows if row.key not in ("", order.reference_id)]
        assert not others, f"{order.reference_id} has rows of other orders"
        no_items = {row.cells[NUMBER] for row in order.rows if (row.source, row.row) in places}
        items = sorted(
            row.cells["item_name"]
            for row in rows
            if row.cells.get("item_name") and row.number not in no_items
        )
        body = order.body["order"]
        sent = sorted(line["name"] for line in body["line_items"])
        assert sent == items, f"{order.reference_id} has lines {sent} instead of {items}"
        expected = worth(rows, no_items, table)
        assert body["total_cents"] == expected, f"{order.reference_id} is worth {expected}"


def worth(rows: list[Row], no_items: set[str], table: Table) -> int:
    """An order's cents by its own rows: its total, or the sum of its lines."""
    columns = table.exports[0].columns
    totals = {row.cells["total"] for row in rows if row.cells.get("total")}
    if "total" in columns and totals:
        (total,) = totals
        return cents(total)
    return sum(
        cents(row.cells["item_each_price"])
        * (int(row.cells["item_quantity"]) if "item_quantity" in columns else 1)
        for row in rows
        if row.cells.get("item_name") and row.number not in no_items
    )


# --- the steps ------------------------------------------------------------------------------------


def prepare(job: Job, *paths: Path) -> bool:
    """Prepare exports as the dry run does; False where they are refused with a clear line."""
    before = fingerprint(job)
    try:
        job.prepare(*paths, connect_id="A1", timezone="UTC", decimal_mark="point")
    except BooksDoNotBalance:
        raise
    except BackfillError as refused:
        event(f"refused: {type(refused).__name__}")
        assert fingerprint(job) == before, "a refusal changes nothing"
        return False
    return True


def fingerprint(job: Job) -> list[Any]:
    path = job.folder / CHECKPOINT
    if not path.exists():
        return []
    with closing(sqlite3.connect(path)) as db:
        return db.execute("SELECT reference_id, state, source_rows, payload FROM orders").fetchall()


def give_back_fixed(draw: Draw, job: Job, table: Table, folder: Path, step: int) -> bool:
    """Some of the rejected rows come back as they were meant, some stay away."""
    source = job.folder / "rejected_rows.csv"
    rows = rejected_rows(source)
    fixable = [row for row in rows if row[NUMBER] and table.rows[row[NUMBER]].meant]
    if not fixable:
        return False
    chosen = draw(st.lists(st.sampled_from(fixable), unique_by=lambda row: row[NUMBER], min_size=1))
    columns = table.exports[0].columns
    for cells in chosen:
        row = table.rows[cells[NUMBER]]
        cells |= {name: row.meant[name] for name in columns}
    path = folder / f"fixed{step}.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(chosen)
    if not prepare(job, path):
        return False
    for cells in chosen:
        row = table.rows[cells[NUMBER]]
        row.cells = dict(row.meant)
    table.fixed = True
    return True


def export_again(draw: Draw, job: Job, table: Table, folder: Path) -> bool:
    """The exports are made again, shorter or longer, and given to the same job."""
    export = draw(st.sampled_from(table.exports))
    kept = list(export.rows)
    # An order that came back fixed stays, whatever becomes of its export.
    # So does one of two files that loses the part in one of them.
    if not table.fixed and len(table.exports) == 1 and draw(st.booleans()):
        keys = sorted({row.key for row in kept if row.key})
        gone = draw(st.sampled_from(keys)) if keys else ""
        export.rows = [row for row in kept if not gone or row.key != gone]
    added: list[Row] = []
    if draw(st.booleans()):
        highest = max(map(int, table.rows), default=0)
        added = draw(order_rows(f"N{highest}", highest + 1))
    export.rows = [*export.rows, *added]
    table.add(added)
    if prepare(job, *(each.write(folder) for each in table.exports)):
        return True
    export.rows = kept
    return False


def check_job(draw: Draw) -> None:
    table = draw(tables())
    with TemporaryDirectory() as name:
        folder = Path(name)
        job = open_job(folder / "job")
        if not prepare(job, *(export.write(folder) for export in table.exports)):
            return
        event("prepared")
        check(job, table, first=True)
        for step in range(draw(st.integers(0, 2))):
            if draw(st.booleans()):
                done = give_back_fixed(draw, job, table, folder, step)
                event(f"fixed: {done}")
            else:
                done = export_again(draw, job, table, folder)
                event(f"again: {done}")
                table.rows = {
                    number: row
                    for number, row in table.rows.items()
                    if any(row in export.rows for export in table.exports)
                }
            check(job, table)


def often(count: int, *, same_each_time: bool = False) -> settings:
    unhurried = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
    return settings(
        max_examples=count,
        deadline=None,
        suppress_health_check=unhurried,
        derandomize=same_each_time,
    )


@given(st.data())
@often(25, same_each_time=True)  # the long form looks for new ones
def test_each_row_is_in_one_place(data: st.DataObject) -> None:
    """Odd rows in any mixture, one file or two, given back fixed, made shorter and longer."""
    check_job(data.draw)


@pytest.mark.fuzz
def test_each_row_of_many_tables_is_in_one_place() -> None:
    """The long form."""

    @given(st.data())
    @often(int(os.environ.get("BACKFILL_ROWS", "500")))
    def many(data: st.DataObject) -> None:
        check_job(data.draw)

    many()
