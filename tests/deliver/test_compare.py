"""Is the order that Shout shows the one that was sent?"""

from __future__ import annotations

from typing import Any

import pytest

from backfill.deliver.compare import cents, differences, sent_order
from backfill.sandbox.order import echo
from tests.deliver.delivering import body

SENT = sent_order(body("1001", 77))


def shown(**changes: Any) -> dict[str, Any]:
    """The documented response to that order, changed."""
    return {**echo(1, dict(SENT), "2024-01-01T00:00:00+00:00"), **changes}


def lines(**changes: Any) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = shown()["line_items"]
    return [{**items[0], **changes}, items[1]]


def without_cents(**changes: Any) -> list[dict[str, Any]]:
    """Lines as the public page shows them: prices formatted only."""
    return [
        {name: value for name, value in line.items() if not name.endswith("_cents")}
        for line in lines(**changes)
    ]


SAME = {
    "the documented response": {},
    "nothing shown": dict.fromkeys(shown(), None) | {"dont_trigger_auto_actions": True},
    "formatted prices": {"line_items": without_cents()},
    "lines in another order": {"line_items": lines()[::-1]},
    "another zone": {"created_at": "2021-04-09T18:00:00Z"},
    "fractions of a second": {"created_at": "2021-04-09T12:00:00.000000-06:00"},
    "a total that is only formatted": {"total_cents": None, "total": "$70.77"},
    "a key that is a number": {"reference_id": 1001},
    "fields of its own": {"status": "paid", "company_id": 7},
}
OTHER = {
    "flag off": (
        {"dont_trigger_auto_actions": False},
        "dont_trigger_auto_actions is false, not true",
    ),
    "flag null": (
        {"dont_trigger_auto_actions": None},
        "dont_trigger_auto_actions is null, not true",
    ),
    "a cent": ({"total_cents": 7078}, "total_cents is 7078, not 7077"),
    "a formatted cent": ({"total_cents": None, "total": "$70.78"}, "total_cents is 7078"),
    "another time": ({"created_at": "2021-04-09T12:00:01-06:00"}, "created_at is 2021-04-09T12"),
    "another key": ({"reference_id": "1002"}, "reference_id is 1002, not 1001"),
    "a line missing": ({"line_items": lines()[:1]}, "the number of line items is 1, not 2"),
    "no lines": ({"line_items": []}, "the number of line items is 0, not 2"),
    "another name": ({"line_items": lines(name="Vest")}, "'Tank Top' is Vest"),
    "another quantity": (
        {"line_items": lines(quantity=3.0)},
        "line item 'Tank Top' is 3.0, not 2.0",
    ),
    "another price": ({"line_items": lines(price_cents=1)}, "line item 'Tank Top' is 1, not 7000"),
    "another formatted price": ({"line_items": without_cents(price="$70.01")}, "is 7001, not 7000"),
}


@pytest.mark.parametrize("changes", SAME.values(), ids=SAME.keys())
def test_the_same_order_has_no_differences(changes: dict[str, Any]) -> None:
    """What is not shown, or only shown otherwise, is no difference."""
    assert differences(SENT, shown(**changes)) == []


@pytest.mark.parametrize(("changes", "what"), OTHER.values(), ids=OTHER.keys())
def test_another_order_is_told_by_what_differs(changes: dict[str, Any], what: str) -> None:
    """Each difference is named."""
    found = differences(SENT, shown(**changes))
    assert len(found) == 1
    assert what in str(found[0])


def test_a_missing_flag_is_no_contradiction() -> None:
    """It is read back instead: see the canary."""
    answer = shown()
    del answer["dont_trigger_auto_actions"]
    assert differences(SENT, answer) == []


def test_a_date_alone_is_any_time_of_that_day() -> None:
    """Shout shows a date as a time in a zone of its own."""
    dated = sent_order(body("1001", 77, created_at="2021-04-09"))
    assert differences(dated, shown(created_at="2021-04-09T00:00:00-06:00")) == []
    assert differences(dated, shown(created_at="2021-04-11T00:00:00-06:00")) != []


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("$70.00", 7000),
        ("$1,234.50", 123450),
        ("-$5.00", -500),
        ("$-5.00", -500),
        ("($5.00)", -500),
        ("€ 0.05", 5),
        ("70", 7000),
        ("1.234,50 €", 123450),
        ("free", None),
        ("", None),
        (None, None),
        (7000, None),
    ],
)
def test_formatted_money_is_read_where_it_can_be(text: object, amount: int | None) -> None:
    """What cannot be read says nothing."""
    assert cents(text) == amount
