"""Each rule with a row that breaks it and one that just does not, through the whole preparation."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from backfill import progress
from backfill.checkpoint import Checkpoint, adopt
from backfill.errors import MappingError, UsageError
from backfill.job_folder.files import CHECKPOINT
from backfill.prepare.pipeline import prepare
from backfill.prepare.validation.rules import (
    OF_SOURCES,
    RULES,
    described,
    severities,
)
from backfill.settings import ImportSettings
from tests.prepare.validation.rule_cases import CASES, GOOD, Case, Row

AFFILIATES = (
    "affiliate,connect_id,connected,connect_import_order_history_at\n"
    "ann,A1,true,2024-01-01\nbea,B1,true,\ncid,C1,false,2024-01-01\n"
)


def found(
    folder: Path,
    rows: Sequence[Row],
    *more: Sequence[Row],
    **settings: Any,
) -> tuple[list[tuple[str, str, str]], list[tuple[str | None, str]]]:
    """Prepare exports of these rows; the (rule, column, value) found, and each order's state."""
    exports = []
    for number, table in enumerate([rows, *more]):
        path = folder / f"orders{number}.csv"
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(GOOD))
            writer.writeheader()
            writer.writerows({**GOOD, **row} for row in table)
        exports.append(path)
    affiliates = folder / "affiliates.csv"
    affiliates.write_text(AFFILIATES, encoding="utf-8")
    imports = ImportSettings(
        **{"exports": tuple(exports), "affiliates": affiliates, "timezone": "UTC", **settings}
    )
    job = folder / "job"
    job.mkdir()
    prepare(imports, job, known={}, progress=progress.make("none")).incoming.finish({})
    adopt(job)
    with Checkpoint(job / CHECKPOINT, readonly=True) as checkpoint:
        problems = checkpoint.query("SELECT rule, column_name, value FROM problems").fetchall()
        orders = checkpoint.query("SELECT reference_id, state FROM orders").fetchall()
    return [tuple(row) for row in problems], [tuple(row) for row in orders]


class Outcome(NamedTuple):
    """What became of an order."""

    state: str
    problems: list[tuple[str, str | None, str | None]]
    """rule, column, value"""


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str | None, Outcome]:
    """All cases prepared at once, each as two orders; what became of each order."""
    rows = []
    for number, (_, broken, fine, _) in enumerate(CASES):
        for kind, order in (("broken", broken), ("fine", fine)):
            rows += [{"reference_id": f"{kind}-{number}", **row} for row in order]
    folder = tmp_path_factory.mktemp("rules")
    found(folder, rows)
    outcomes: dict[str | None, Outcome] = {}
    with Checkpoint(folder / "job" / CHECKPOINT, readonly=True) as checkpoint:
        for id, key, state in checkpoint.query("SELECT id, reference_id, state FROM orders"):
            problems = checkpoint.query(
                "SELECT rule, column_name, value FROM problems WHERE order_id = ?", (id,)
            )
            outcomes[key] = Outcome(state, [tuple(problem) for problem in problems])
    return outcomes


@pytest.mark.parametrize(
    ("number", "case"),
    list(enumerate(CASES)),
    ids=[f"{case[0]}-{n}" for n, case in enumerate(CASES)],
)
def test_a_rule_finds_the_row_that_breaks_it_and_spares_the_one_beside(
    outcomes: dict[str | None, Outcome], number: int, case: Case
) -> None:
    """And it names the column and the value as it stands in the export."""
    name, broken, fine, place = case
    (rule,) = (each for each in RULES if each.id == name)
    breaking, sparing = (
        outcomes[order[0].get("reference_id", f"{kind}-{number}").strip() or None]
        for kind, order in (("broken", broken), ("fine", fine))
    )
    assert (name, *place) in breaking.problems
    unsent = "skipped" if rule.skips else "rejected"
    expected = "pending" if rule.severity == "warning" and not rule.skips else unsent
    assert breaking.state == expected
    assert name not in {each for each, _, _ in sparing.problems}
    assert sparing.state == "pending"


def test_history_is_only_sent_to_those_who_asked_where_that_is_wanted(tmp_path: Path) -> None:
    """--only-requested-history: bea is connected and did not ask."""
    rows = [
        {"reference_id": "1", "connect_id": "", "affiliate": "ann"},
        {"reference_id": "2", "connect_id": "", "affiliate": "bea"},
    ]
    problems, states = found(tmp_path, rows, only_requested_history=True)
    assert states == [("1", "pending"), ("2", "skipped")]
    assert ("history_not_requested", "affiliate", "bea") in problems


def test_a_row_with_a_cell_too_many_rejects_its_order(tmp_path: Path) -> None:
    """Its cells may stand in the wrong columns, so nothing of it is sent."""
    path = tmp_path / "ragged.csv"
    path.write_text(
        "reference_id,created_at,connect_id,profile_name,item_name,item_price\n"
        "1,2021-01-01,A1,Ann,Soap,1.00\n2,2021-01-01,A1,Bea,Soap,1.00,7\n3,2021-01-01,A1\n",
        encoding="utf-8",
    )
    problems, states = found(tmp_path, [GOOD], exports=(path,))
    assert states == [("1", "pending"), ("2", "rejected"), ("3", "rejected")]
    assert [rule for rule, _, _ in problems] == ["ragged_row", "ragged_row"]


def test_copies_in_two_files_are_taken_once_or_refused(tmp_path: Path) -> None:
    """Equal copies once, with a warning; differing ones not at all."""
    same, other = {"reference_id": "same"}, {"reference_id": "other"}
    problems, states = found(
        tmp_path,
        [same, other, {"reference_id": "a"}],
        [{"reference_id": "b"}, same, {**other, "total": "9"}],
    )
    assert dict(states) == {
        "same": "pending",
        "other": "rejected",
        "a": "pending",
        "b": "pending",
    }
    assert ("repeated_order", "reference_id", "same") in problems
    assert ("duplicate_order", "reference_id", "other") in problems


def test_an_order_at_the_cut_between_two_files_is_joined_with_a_warning(tmp_path: Path) -> None:
    """Two exports that meet there by chance would look the same, so it is said."""
    first = [{"reference_id": "a"}, {"reference_id": "cut", "total": "70"}]
    second = [{"reference_id": "cut", "total": "70", "item_name": "Hat"}, {"reference_id": "b"}]
    problems, states = found(tmp_path, first, second)
    assert states == [("a", "pending"), ("cut", "pending"), ("b", "pending")]
    assert problems == [("joined_order", "reference_id", "cut")]


def test_an_account_for_all_orders_overrides_those_of_the_export(tmp_path: Path) -> None:
    """With --connect-id it does not matter whom the rows name, nor that they disagree."""
    rows = [
        {"reference_id": "1", "user_id": "315"},
        {"reference_id": "2", "connect_id": "B1", "total": "70"},
        {"reference_id": "2", "connect_id": "B2", "total": "70"},
    ]
    problems, states = found(tmp_path, rows, connect_id="A9")
    assert (problems, states) == ([], [("1", "pending"), ("2", "pending")])


def test_an_order_that_only_a_platform_knows_to_be_cancelled(tmp_path: Path) -> None:
    """Wix says so in a column of its own, beside a payment status that is fine."""
    path = tmp_path / "wix.csv"
    path.write_text(
        "Order number,Date created,Time,Contact email,Item,Qty,Price,Payment status,"
        'Total,Fulfillment status\n1,"Apr 15, 2021",4:35 PM,a@example.com,Mug,1,6.50,Paid,'
        '6.50,Canceled\n2,"Apr 15, 2021",4:35 PM,b@example.com,Mug,1,6.50,Paid,6.50,\n'
        '3,"Apr 15, 2021",4:35 PM,c@example.com,Mug,1,6.50,Canceled,6.50,Canceled\n',
        encoding="utf-8",
    )
    problems, states = found(tmp_path, [GOOD], exports=(path,), connect_id="A1")
    assert states == [("1", "rejected"), ("2", "pending"), ("3", "rejected")]
    assert [problem for problem in problems if problem[0] == "cancelled"] == [
        ("cancelled", "Payment status", "Canceled"),
        ("cancelled", "Fulfillment status", "Canceled"),
    ]


def test_every_rule_is_tested_here() -> None:
    """A rule added without a row that breaks it does not pass."""
    elsewhere = {
        "history_not_requested",
        "ragged_row",
        "repeated_order",
        "joined_order",
        "duplicate_order",
        "keyless_row",
        # In tests/prepare/test_settle.py.
        "unknown_zone",
        # By the row rules of a platform, in the golden tests; and an order grid, below.
        "rejected_status",  # in test_statuses
        "refund",
        "credit_note",
        "totals_only",
        # With packed line items, in tests/prepare/mapping.
        "unread_items",
        # What the arithmetic of an order proves, in test_draft.
        "adjustment_line",
        "zero_line",
        "subtotal_row",
        "refunded_line",
        "unpriced_lines",
    }
    assert {rule.id for rule in RULES} == {case[0] for case in CASES} | elsewhere


def test_an_export_without_line_items_is_sent_by_its_totals_with_a_warning(tmp_path: Path) -> None:
    """An order grid has none to give; an order without a total has nothing at all."""
    path = tmp_path / "grid.csv"
    path.write_text(
        "reference_id,created_at,connect_id,profile_name,total\n"
        "1,2021-01-01,A1,Ann,10.00\n2,2021-01-01,A1,Bea,\n",
        encoding="utf-8",
    )
    problems, states = found(tmp_path, [GOOD], exports=(path,))
    assert states == [("1", "pending"), ("2", "rejected")]
    assert {rule for rule, _, _ in problems} == {"totals_only", "no_line_items"}


def test_an_export_that_names_no_customer_is_refused_unless_that_is_wanted(tmp_path: Path) -> None:
    """One order without a customer is a counter sale; an export without is a mapping gone wrong."""
    path = tmp_path / "nobody.csv"
    path.write_text(
        "reference_id,created_at,connect_id,item_name,item_price\n1,2021-01-01,A1,Soap,1.00\n",
        encoding="utf-8",
    )
    with pytest.raises(MappingError, match="customer"):
        found(tmp_path, [GOOD], exports=(path,))
    (tmp_path / "job").rmdir()
    problems, states = found(tmp_path, [GOOD], exports=(path,), map=(("profile_name", ""),))
    assert states == [("1", "pending")]
    assert [rule for rule, _, _ in problems] == ["no_customer"]


def test_severities_can_be_set_where_an_order_can_still_be_sent(tmp_path: Path) -> None:
    """A warning becomes an error, an error a warning; a body that cannot be made stays refused."""
    _, states = found(tmp_path, [{"total": "36"}], severities=(("total_differs", "error"),))
    assert states == [("1001", "rejected")]
    assert severities([("future_time", "warning")])["future_time"] == "warning"
    for rule in (each.id for each in RULES if each.fixed_severity and not each.skips):
        with pytest.raises(UsageError, match=rule):
            severities([(rule, "warning")])
    with pytest.raises(UsageError, match="no rule 'nonsense'"):
        severities([("nonsense", "error")])


def test_a_warning_that_everything_has_is_counted_without_a_line_each(tmp_path: Path) -> None:
    """The counts stay exact; the checkpoint does not grow by a line an order."""
    rows = [{"reference_id": str(number), "total": "36"} for number in range(1000)]
    found(tmp_path, rows)
    with Checkpoint(tmp_path / "job" / CHECKPOINT, readonly=True) as checkpoint:
        lines, orders, rows_found = checkpoint.query(
            "SELECT count(*), sum(orders), sum(rows) FROM problems WHERE rule = 'total_differs'"
        ).fetchone()
    assert lines < 300
    assert (orders, rows_found) == (1000, 1000)


def test_a_rule_says_what_is_wrong_and_what_to_do() -> None:
    """As two texts, which a message joins with a colon, the detail of the place between them."""
    assert described()["no_time"] == {
        "severity": "error",
        "title": "The order has no date",
        "remedy": "fill in created_at",
    }
    assert set(described()) == {*OF_SOURCES, *(rule.id for rule in RULES)}
    for rule in RULES:
        assert rule.title[0].isupper() or rule.title[0] == "'", rule.id
        assert not rule.title.endswith("."), rule.id
        assert rule.remedy[0].islower(), rule.id
        assert rule.message("x") == f"{rule.title} (x): {rule.remedy}"
