"""Each rule with a row that breaks it and one that just does not, through the whole preparation."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from backfill import progress
from backfill.checkpoint import FILE_NAME, Checkpoint, adopt
from backfill.errors import MappingError, UsageError
from backfill.prepare.checks import LONGEST_TEXT
from backfill.prepare.pipeline import prepare
from backfill.prepare.rules import RULES
from backfill.prepare.verdict import ALWAYS_ERRORS, severities
from backfill.settings import ImportSettings

Row = dict[str, str]

GOOD: Row = {
    "reference_id": "1001",
    "created_at": "2021-04-09T12:00:00-06:00",
    "paid_at": "",
    "refunded_at": "",
    "cancelled_at": "",
    "connect_id": "A1",
    "user_id": "",
    "affiliate": "",
    "profile_name": "Janet Smith",
    "profile_phone_number": "(801) 555-6788",
    "profile_email": "janet@example.com",
    "description": "Order from the shop",
    "total": "35.00",
    "currency": "USD",
    "status": "completed",
    "item_name": "Tank Top",
    "item_quantity": "1",
    "item_each_price": "35.00",
    "item_price": "",
}
TODAY = datetime.now(UTC).replace(microsecond=0)
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
    with Checkpoint(job / FILE_NAME, readonly=True) as checkpoint:
        problems = checkpoint.query("SELECT rule, column_name, value FROM problems").fetchall()
        orders = checkpoint.query("SELECT reference_id, state FROM orders").fetchall()
    return [tuple(row) for row in problems], [tuple(row) for row in orders]


#: A rule, a row (or rows) that breaks it, one that just does not, and where it is shown to stand.
Case = tuple[str, list[Row], list[Row], tuple[str | None, str | None]]
CASES: list[Case] = [
    (
        "missing_reference_id",
        [{"reference_id": " "}],
        [{"reference_id": "0"}],
        ("reference_id", None),
    ),
    (
        "cancelled",
        [{"status": "Cancelled"}],
        [{"status": "not cancelled"}],
        ("status", "Cancelled"),
    ),
    (
        "cancelled",
        [{"cancelled_at": "2021-05-01"}],
        [{"cancelled_at": ""}],
        ("cancelled_at", "2021-05-01"),
    ),
    (
        "conflicting_fields",
        [{"profile_name": "Ann"}, {"profile_name": "Bea"}],
        [{"profile_name": "Ann", "total": "70"}, {"profile_name": "", "total": "70"}],
        ("profile_name", "Bea"),
    ),
    (
        "conflicting_fields",
        [{"total": "10"}, {"total": "20"}],
        [{"total": "70"}, {"total": ""}],
        ("total", "20"),
    ),
    (
        "missing_account",
        [{"connect_id": ""}],
        [{"connect_id": "", "user_id": "315"}],
        ("connect_id", None),
    ),
    (
        "unknown_affiliate",
        [{"connect_id": "", "affiliate": "zoe"}],
        [{"connect_id": "", "affiliate": "ann"}],
        ("affiliate", "zoe"),
    ),
    (
        "conflicting_accounts",
        [{"connect_id": "A1"}, {"connect_id": "A2"}],
        [{"connect_id": "A1", "total": "70"}, {"connect_id": "", "total": "70"}],
        ("connect_id", "A2"),
    ),
    ("conflicting_accounts", [{"user_id": "315"}], [{"user_id": ""}], ("connect_id", "A1")),
    (
        "no_customer",
        [{"profile_name": "", "profile_phone_number": "", "profile_email": ""}],
        [{"profile_name": "", "profile_phone_number": "", "profile_email": "a@example.com"}],
        (None, None),
    ),
    (
        "unreachable_customer",
        [{"profile_name": "", "profile_phone_number": "123", "profile_email": ""}],
        [{"profile_name": "Ann", "profile_phone_number": "123", "profile_email": ""}],
        ("profile_phone_number", "123"),
    ),
    (
        "bad_phone",
        [{"profile_phone_number": "(801) 555-678"}],
        [{}],
        ("profile_phone_number", "(801) 555-678"),
    ),
    (
        "bad_time",
        [{"created_at": "2021-02-29"}],
        [{"created_at": "2020-02-29"}],
        ("created_at", "2021-02-29"),
    ),
    ("bad_time", [{"paid_at": "soon"}], [{"paid_at": "2021-04-09"}], ("paid_at", "soon")),
    ("time_is_now", [{"created_at": "now"}], [{}], ("created_at", "now")),
    (
        "no_time",
        [{"created_at": ""}],
        [{"created_at": "", "paid_at": "2021-04-09"}],
        ("created_at", None),
    ),
    (
        "created_from_other_time",
        [{"created_at": "", "paid_at": "2021-04-09"}],
        [{"paid_at": "2021-04-09"}],
        ("created_at", None),
    ),
    (
        "future_time",
        [{"created_at": (TODAY + timedelta(days=2)).isoformat()}],
        [{"created_at": (TODAY + timedelta(hours=20)).isoformat()}],
        ("created_at", (TODAY + timedelta(days=2)).isoformat()),
    ),
    (
        "old_time",
        [{"created_at": "1999-12-31"}],
        [{"created_at": "2000-01-01"}],
        ("created_at", "1999-12-31"),
    ),
    (
        "naive_time",
        [{"created_at": "2021-04-09 12:00"}],
        [{"created_at": "2021-04-09"}],
        ("created_at", "2021-04-09 12:00"),
    ),
    ("bad_money", [{"total": "ten"}], [{"total": "$35.00"}], ("total", "ten")),
    ("bad_money", [{"item_each_price": "3 5 apples"}], [{}], ("item_each_price", "3 5 apples")),
    (
        "missing_price",
        [{"item_each_price": ""}],
        [{"item_each_price": "", "item_price": "35.00"}],
        ("item_name", "Tank Top"),
    ),
    (
        "bad_quantity",
        [{"item_quantity": "0"}],
        [{"item_quantity": "0.001", "item_price": "35"}],
        ("item_quantity", "0"),
    ),
    ("bad_quantity", [{"item_quantity": "-1"}], [{}], ("item_quantity", "-1")),
    ("bad_quantity", [{"item_quantity": ""}], [{"item_quantity": "1.0"}], ("item_quantity", None)),
    (
        "no_line_items",
        [{"item_name": "", "item_quantity": "", "item_each_price": ""}],
        [{"item_name": ""}],
        (None, None),
    ),
    ("negative_total", [{"total": "-0.01"}], [{"total": "0.00"}], ("total", "-0.01")),
    ("zero_total", [{"total": "0.00"}], [{"total": "0.01"}], ("total", "0.00")),
    ("other_currency", [{"currency": "EUR"}], [{"currency": "usd"}], ("currency", "EUR")),
    (
        "affiliate_not_connected",
        [{"connect_id": "", "affiliate": "cid"}],
        [{"connect_id": "", "affiliate": "bea"}],
        ("affiliate", "cid"),
    ),
    ("total_differs", [{"total": "35.01"}], [{"total": "35"}], ("total", "35.01")),
    (
        "line_price_differs",
        [{"item_price": "34.00"}],
        [{"item_price": "35.00"}],
        ("item_price", "34.00"),
    ),
    (
        "rounded",
        [{"item_each_price": "", "item_price": "10.00", "item_quantity": "3", "total": "10"}],
        [{"item_each_price": "", "item_price": "9.00", "item_quantity": "3", "total": "9"}],
        ("item_price", "10.00"),
    ),
    ("rounded", [{"total": "35.005"}], [{"total": "34.99999999999999"}], ("total", "35.005")),
    (
        "broken_text",
        [{"profile_name": "M\ufffdller"}],
        [{"profile_name": "M\u00fcller\n2nd line"}],
        ("profile_name", "M\ufffdller"),
    ),
    (
        "broken_text",
        [{"item_name": "Tank\x07Top"}],
        [{"item_name": "Tank\tTop"}],
        ("item_name", "Tank\x07Top"),
    ),
    (
        "text_too_long",
        [{"description": "x" * (LONGEST_TEXT + 1)}],
        [{"description": "x" * LONGEST_TEXT}],
        ("description", "x" * (LONGEST_TEXT + 1)),
    ),
    (
        "formula_like",
        [{"profile_name": "=1+1"}],
        [{"profile_name": "1+1="}],
        ("profile_name", "=1+1"),
    ),
    (
        "formula_like",
        [{"item_name": "@SUM(A1)"}],
        [{"item_name": "-5 kg"}],
        ("item_name", "@SUM(A1)"),
    ),
]


class Judgement(NamedTuple):
    """What became of an order."""

    state: str
    problems: list[tuple[str, str | None, str | None]]
    """rule, column, value"""


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> dict[str | None, Judgement]:
    """All cases prepared at once, each as two orders; what became of each order."""
    rows = []
    for number, (_, broken, fine, _) in enumerate(CASES):
        for kind, order in (("broken", broken), ("fine", fine)):
            rows += [{"reference_id": f"{kind}-{number}", **row} for row in order]
    folder = tmp_path_factory.mktemp("rules")
    found(folder, rows)
    judged: dict[str | None, Judgement] = {}
    with Checkpoint(folder / "job" / FILE_NAME, readonly=True) as checkpoint:
        for id, key, state in checkpoint.query("SELECT id, reference_id, state FROM orders"):
            problems = checkpoint.query(
                "SELECT rule, column_name, value FROM problems WHERE order_id = ?", (id,)
            )
            judged[key] = Judgement(state, [tuple(problem) for problem in problems])
    return judged


@pytest.mark.parametrize(
    ("number", "case"),
    list(enumerate(CASES)),
    ids=[f"{case[0]}-{n}" for n, case in enumerate(CASES)],
)
def test_a_rule_finds_the_row_that_breaks_it_and_spares_the_one_beside(
    judged: dict[str | None, Judgement], number: int, case: Case
) -> None:
    """And it names the column and the value as it stands in the export."""
    name, broken, fine, place = case
    (rule,) = (each for each in RULES if each.id == name)
    breaking, sparing = (
        judged[order[0].get("reference_id", f"{kind}-{number}").strip() or None]
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
    assert [rule for rule, _, _ in problems].count("ragged_row") == 2


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


def test_every_rule_is_tested_here() -> None:
    """A rule added without a row that breaks it does not pass."""
    elsewhere = {
        "history_not_requested",
        "ragged_row",
        "repeated_order",
        "joined_order",
        "duplicate_order",
        # By the row rules of a platform, in the golden tests; and an order grid, below.
        "voided",
        "refund",
        "credit_note",
        "totals_only",
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
    for rule in sorted(ALWAYS_ERRORS):
        with pytest.raises(UsageError, match=rule):
            severities([(rule, "warning")])
    with pytest.raises(UsageError, match="no rule 'nonsense'"):
        severities([("nonsense", "error")])


def test_a_warning_that_everything_has_is_counted_without_a_line_each(tmp_path: Path) -> None:
    """The counts stay exact; the checkpoint does not grow by a line an order."""
    rows = [{"reference_id": str(number), "total": "36"} for number in range(1000)]
    found(tmp_path, rows)
    with Checkpoint(tmp_path / "job" / FILE_NAME, readonly=True) as checkpoint:
        lines, orders, rows_found = checkpoint.query(
            "SELECT count(*), sum(orders), sum(rows) FROM problems WHERE rule = 'total_differs'"
        ).fetchone()
    assert lines < 300
    assert (orders, rows_found) == (1000, 1000)


def test_reasons_say_what_to_do() -> None:
    """Each is 'what is wrong: what to do', so that reports can show the two apart."""
    for rule in RULES:
        wrong, colon, remedy = rule.reason.partition(": ")
        assert colon, rule.id
        assert wrong[0].isupper() or wrong[0] == "'", rule.id
        assert remedy, rule.id
