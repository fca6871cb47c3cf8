"""What the rules come to: which orders go, the reasons, the problems, the checkpoint's rows."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from backfill.errors import UsageError
from backfill.prepare.validation.rules import RULES, severities
from backfill.prepare.validation.validate import WARNINGS_IN_FULL
from tests.prepare.preparing import csv_text, prepared

HEADER = ("reference_id", "created_at", "profile_name", "item_name", "item_price", "total")


def written(path: Path, *rows: Sequence[Any], header: Sequence[str] = HEADER) -> Path:
    path.write_bytes(csv_text(header, *rows).encode())
    return path


def tea(key: str, **cells: str) -> list[str]:
    """A row of a good order, but for some cells."""
    good = dict(zip(HEADER, (key, "2021-04-09", "Ann Lee", "Tea", "5.00", ""), strict=True))
    return list({**good, **cells}.values())


# --- the rows of the checkpoint ------------------------------------------------------------------


def test_an_order_as_the_checkpoint_has_it(tmp_path: Path) -> None:
    """Its account, worth, day, place, and the hash of the very bytes that will be sent."""
    found = prepared(written(tmp_path / "a.csv", tea("1"), tea("1", item_price="2.50")))
    (order,) = found.orders
    assert (order["reference_id"], order["account_header"], order["account_id"]) == (
        "1",
        "X-Shout-Connect-ID",
        "A1",
    )
    assert (order["state"], order["rule"], order["reason"]) == ("pending", None, None)
    assert (order["total_cents"], order["line_items"]) == (750, 2)
    assert order["payload_sha256"] == sha256(order["payload"].encode()).hexdigest()


def test_the_day_of_an_order_is_that_of_its_time_as_it_is_sent(tmp_path: Path) -> None:
    """Not the day that it was in UTC."""
    rows = [tea("1", created_at="2021-12-31T23:30:00-07:00"), tea("2", created_at="2022-01-01")]
    found = prepared(written(tmp_path / "a.csv", *rows))
    assert [order["ordered_on"] for order in found.orders] == ["2021-12-31", "2022-01-01"]


def test_the_prefix_stands_before_the_key_wherever_the_key_goes(tmp_path: Path) -> None:
    """In the body and in the checkpoint; an order without a key does not get one by it."""
    path = written(tmp_path / "a.csv", tea("1"), tea("", profile_name="Bea"))
    found = prepared(path, reference_prefix="old-")
    assert [order["reference_id"] for order in found.orders] == ["old-1", None]
    assert found.bodies["old-1"]["reference_id"] == "old-1"


def test_where_an_order_stands(tmp_path: Path) -> None:
    """Rows as a spreadsheet numbers them, with spans; a part a file where there are several."""
    first = written(
        tmp_path / "a.csv",
        *(tea(key) for key in ("1", "2", "2", "2", "1", "3", "1", "4", "4", "5")),
    )
    second = written(tmp_path / "b.csv", tea("5", item_name="Cup"), tea("6"))
    found = prepared(first, second)
    assert {order["reference_id"]: order["source_rows"] for order in found.orders} == {
        "1": "2,6,8",
        "2": "3-5",
        "3": "7",
        "4": "9-10",
        "5": "11; 2",
        "6": "3",
    }
    files = {order["reference_id"]: order["source_file"] for order in found.orders}
    assert files["5"] == f"{first}; {second}"
    assert (files["4"], files["6"]) == (str(first), str(second))


def test_what_an_order_is_worth_is_null_where_nobody_knows(tmp_path: Path) -> None:
    """An unreadable total, or neither total nor lines; a rejected order's lines still count."""
    blank = {"item_name": "", "item_price": ""}
    rows = [
        tea("unreadable", total="ten"),
        tea("nothing", **blank),
        tea("total only", **blank, total="7.00"),
        tea("one unpriced"),
        tea("one unpriced", item_price=""),
    ]
    found = prepared(written(tmp_path / "a.csv", *rows))
    assert {order["reference_id"]: order["total_cents"] for order in found.orders} == {
        "unreadable": None,
        "nothing": None,
        "total only": 700,
        "one unpriced": 500,
    }


def test_the_earliest_other_time_stands_for_a_missing_created_at(tmp_path: Path) -> None:
    """As moments, not as texts; what cannot be read or is not there does not count."""
    header = ("reference_id", "created_at", "invoiced_at", "paid_at", "shipped_at",
              "refunded_at", "profile_name", "item_price")  # fmt: skip
    times = [
        ("own", "2021-05-09", "2021-05-01", "", "", ""),
        ("first", "", "2021-05-01", "2021-05-02", "", "2021-05-03"),
        ("second", "", "2021-05-02", "2021-05-01", "2021-05-03", ""),
        ("third", "", "", "2021-05-02T08:00:00+09:00", "2021-05-01T22:00:00-07:00", ""),
        ("offset", "", "", "2021-05-01T23:00:00-07:00", "2021-05-02T08:00:00+09:00", ""),
        ("last", "", "", "", "", "2021-05-03"),
    ]
    found = prepared(
        written(tmp_path / "a.csv", *((*row, "Ann", "5.00") for row in times), header=header)
    )
    assert {key: body["created_at"] for key, body in found.bodies.items()} == {
        "own": "2021-05-09",
        "first": "2021-05-01",
        "second": "2021-05-01",
        "third": "2021-05-02T08:00:00+09:00",
        "offset": "2021-05-02T08:00:00+09:00",
        "last": "2021-05-03",
    }


def test_one_order_among_dated_ones_gets_its_other_time(tmp_path: Path) -> None:
    """Although the column is all but full."""
    header = (*HEADER, "paid_at")
    rows = [[*tea("1"), ""], [*tea("2", created_at=""), "2021-05-01"]]
    found = prepared(written(tmp_path / "a.csv", *rows, header=header))
    assert found.bodies["2"]["created_at"] == "2021-05-01"


# --- reasons and problems ------------------------------------------------------------------------


def test_an_order_gives_all_its_reasons_once_the_first_rule_in_front(tmp_path: Path) -> None:
    """In the sequence of the table, and not once a row."""
    rows = [
        tea("1", total="x", item_price="y"),
        tea("1", total="x", item_price="z", profile_name="Bea"),
    ]
    found = prepared(written(tmp_path / "a.csv", *rows))
    (order,) = found.orders
    reasons = order["reason"].split("; ")
    assert (order["state"], order["rule"], order["payload"]) == (
        "rejected",
        "conflicting_fields",
        None,
    )
    assert [reason.partition(":")[0] for reason in reasons] == [
        "Rows of one order have conflicting order-level values"
        " (profile_name is 'Ann Lee' on another row of the order)",
        "The amount cannot be read",
    ]


@pytest.mark.parametrize("status", ["Cancelled", "voided"])
def test_nothing_more_is_said_of_what_is_no_purchase(tmp_path: Path, status: str) -> None:
    """Its amounts and dates need no fixing; its neighbour's do."""
    header = (*HEADER, "status")
    rows = [[*tea("1", total="x"), status], [*tea("2", total="x"), "paid"]]
    found = prepared(written(tmp_path / "a.csv", *rows, header=header))
    assert [order["state"] for order in found.orders] == ["rejected", "rejected"]
    by_order = [(problem["order_id"], problem["rule"]) for problem in found.problems]
    assert by_order == [(1, found.orders[0]["rule"]), (2, "bad_money")]
    assert found.orders[0]["rule"] != "bad_money"


def test_nothing_more_is_said_of_an_order_that_there_are_two_of(tmp_path: Path) -> None:
    """Which of the two is right comes first."""
    first = written(tmp_path / "a.csv", tea("1"), tea("2"), tea("3"))
    second = written(tmp_path / "b.csv", tea("4"), tea("2", profile_name="Bea"), tea("5"))
    found = prepared(first, second)
    assert [problem["rule"] for problem in found.problems] == ["duplicate_order"]


def test_a_rule_that_is_made_a_warning_keeps_nothing_back(tmp_path: Path) -> None:
    """Not even what else would be said of an order that the rule settles."""
    path = written(tmp_path / "a.csv", [*tea("1"), "cancelled"], header=(*HEADER, "status"))
    found = prepared(path, severities=(("cancelled", "warning"),))
    assert [order["state"] for order in found.orders] == ["pending"]
    assert [(each["rule"], each["severity"]) for each in found.problems] == [
        ("cancelled", "warning")
    ]


def test_the_day_an_order_was_cancelled_is_no_day_to_file_it_under(tmp_path: Path) -> None:
    """Where cancelled orders are wanted, they still need a date of their own."""
    path = written(
        tmp_path / "a.csv",
        [*tea("1", created_at=""), "2021-05-01"],
        [*tea("2"), "2021-05-01"],
        header=(*HEADER, "cancelled_at"),
    )
    found = prepared(path, severities=(("cancelled", "warning"),))
    assert found.rejected == {"1": "no_time"}
    assert found.rules == {"cancelled", "no_time"}
    assert found.bodies["2"]["created_at"] == "2021-04-09"


def test_a_problem_has_an_address(tmp_path: Path) -> None:
    """File, row, the column's own name and the value as it stands there, and what to do."""
    header = ("Order", "Date", "Who", "What", "Price", "Sum")
    mapped = zip(HEADER, header, strict=True)
    path = written(tmp_path / "a.csv", tea("1", total="5"), tea("2", total="6"), header=header)
    (problem,) = prepared(path, map=tuple(mapped)).problems
    del problem["id"]
    assert problem == {
        "rule": "total_differs",
        "severity": "warning",
        "order_id": 2,
        "orders": 1,
        "rows": 1,
        "source_file": str(path),
        "row": 3,
        "column_name": "Sum",
        "value": "6",
        "message": "The total is not the sum of the lines (by +1.00): check that the difference "
        "is shipping, tax or a discount",
    }


def test_what_is_said_of_the_values(tmp_path: Path) -> None:
    """Amounts and codes that a person would otherwise have to work out."""
    header = (*HEADER, "item_quantity", "currency")
    rows = [
        [*tea("1", total="4.5"), "1", "USD"],
        [*tea("2", item_price="10", total="10"), "3", "USD"],
        [*tea("3", total="5"), "1", "eur"],
    ]
    found = prepared(written(tmp_path / "a.csv", *rows, header=header))
    said = {
        problem["rule"]: problem["message"].partition(" (")[2].partition("): ")[0]
        for problem in found.problems
    }
    assert said == {
        "total_differs": "by -0.50",
        "rounded": "sent as 3.33 each, 10.00 for the line",
        "other_currency": "EUR is not USD",
    }


def test_lines_of_one_order_count_it_once(tmp_path: Path) -> None:
    """Each line item is shown, and the order is counted with its first."""
    formula = {"item_name": "=A1"}
    path = written(
        tmp_path / "a.csv", tea("1", **formula), tea("1", **formula), tea("2"), tea("3", **formula)
    )
    problems = prepared(path).problems
    assert [(each["order_id"], each["orders"], each["rows"], each["row"]) for each in problems] == [
        (1, 1, 1, 2),
        (1, 0, 1, 3),
        (3, 1, 1, 5),
    ]  # fmt: skip


def test_of_many_equal_warnings_the_rest_is_counted_in_one_line(tmp_path: Path) -> None:
    """It says of how many orders and rows, and where the first of them stands."""
    many = WARNINGS_IN_FULL + 3
    rows = [tea(str(number), total="6") for number in range(many)]
    path = written(tmp_path / "a.csv", *rows, tea("last", item_name="-A1"))
    problems = [each for each in prepared(path).problems if each["rule"] == "total_differs"]
    assert len(problems) == WARNINGS_IN_FULL + 1
    assert [each["order_id"] for each in problems[:-1]] == list(range(1, WARNINGS_IN_FULL + 1))
    (rule,) = (rule for rule in RULES if rule.id == "total_differs")
    rest = problems[-1]
    assert (rest["order_id"], rest["orders"], rest["rows"]) == (None, 3, 3)
    assert (rest["source_file"], rest["row"]) == (str(path), WARNINGS_IN_FULL + 2)
    assert (rest["column_name"], rest["value"]) == ("total", None)
    assert rest["message"] == rule.message()


@pytest.mark.parametrize("count", [WARNINGS_IN_FULL, WARNINGS_IN_FULL + 3])
def test_errors_and_as_many_warnings_as_fit_are_shown_in_full(tmp_path: Path, count: int) -> None:
    """Each error has to be fixed; and a line that counts nothing would help nobody."""
    severity = "error" if count > WARNINGS_IN_FULL else "warning"
    rows = [tea(str(number), total="6") for number in range(count)]
    found = prepared(written(tmp_path / "a.csv", *rows), severities=(("total_differs", severity),))
    assert [each["row"] for each in found.problems] == list(range(2, count + 2))


# --- severities ----------------------------------------------------------------------------------

#: There would be nothing to send, or nobody to send it for.
UNSENDABLE = (
    "missing_reference_id", "damaged_reference_id", "ragged_row", "duplicate_order",
    "missing_account", "bad_account", "keyless_row",
    "unknown_affiliate", "conflicting_accounts", "unreachable_customer", "bad_time",
    "time_is_now", "no_time", "bad_money", "missing_price", "missing_quantity", "zero_quantity",
    "negative_quantity", "unreadable_quantity", "unread_items",
)  # fmt: skip


@pytest.mark.parametrize("rule", UNSENDABLE)
def test_what_cannot_be_sent_cannot_be_a_warning(rule: str) -> None:
    """To say that it is an error is allowed."""
    with pytest.raises(UsageError, match=rule):
        severities([(rule, "warning")])
    assert severities([(rule, "error")])[rule] == "error"


@pytest.mark.parametrize("rule", ["affiliate_not_connected", "history_not_requested"])
def test_what_sets_an_order_aside_is_no_matter_of_severity(rule: str) -> None:
    """Neither an error nor a warning can be made of it."""
    for severity in ("warning", "error"):
        with pytest.raises(UsageError, match=rule):
            severities([(rule, severity)])


def test_all_other_rules_can_be_either() -> None:
    """Whatever the table says of them."""
    fixed = {*UNSENDABLE, "affiliate_not_connected", "history_not_requested"}
    for rule in {rule.id for rule in RULES} - fixed:
        for severity in ("warning", "error"):
            assert severities([(rule, severity)])[rule] == severity
