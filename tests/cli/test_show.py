"""``backfill show``: prepared orders beside the source rows they come from."""

from __future__ import annotations

import json
from typing import Any

import pytest

import backfill
from tests.operations.jobs import JOB, asked, order, orders, typed, write


def shown(capsys: pytest.CaptureFixture[str], *words: str) -> list[dict[str, Any]]:
    """What the command prints, one order per line."""
    capsys.readouterr()
    assert typed("show", JOB, *words) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.fixture(autouse=True)
def _job() -> None:
    rows = [
        *orders([1, 2], accounts=["A1"]),
        *order(3, item_each_price="no money"),
        *order(4, account="A2"),
    ]
    write("orders.csv", rows)
    assert typed("validate", "orders.csv", "--max-rejected", "100") == 3


def test_the_body_is_the_one_that_is_sent(capsys: pytest.CaptureFixture[str]) -> None:
    """With --show-personal-data, the body and the cells are those of checkpoint and export."""
    (order,) = shown(capsys, "#2", "--show-personal-data")
    payload = asked("SELECT payload FROM orders WHERE reference_id = '#2'")[0][0]
    assert order["body"] == json.loads(payload)
    assert [(row["source"], row["row"]) for row in order["rows"]] == [
        ("orders.csv", 4),
        ("orders.csv", 5),
    ]
    assert order["rows"][0]["cells"]["profile_name"] == order["body"]["order"]["profile_name"]


def test_personal_data_is_masked(capsys: pytest.CaptureFixture[str]) -> None:
    """Without the option neither the body nor the rows show a customer."""
    name = asked("SELECT json_extract(payload, '$.order.profile_name') FROM orders LIMIT 1")[0][0]
    found = shown(capsys)
    assert len(found) == 4
    assert name not in json.dumps(found)


def test_orders_are_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    """By state, account, reference id and number; a rejected order has its reason, and no body."""
    (rejected,) = shown(capsys, "--state", "rejected")
    assert (rejected["reference_id"], rejected["body"]) == ("#3", None)
    assert rejected["reason"]
    assert [one["reference_id"] for one in shown(capsys, "--account", "A2")] == ["#4"]
    assert [one["reference_id"] for one in shown(capsys, "--limit", "2")] == ["#1", "#2"]
    assert [one["reference_id"] for one in shown(capsys, "#4", "--limit", "9", "#1")] == [
        "#1",
        "#4",
    ]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["#9"], "the job has no order with reference id '#9'"),
        (["--state", "gone"], "is not one of rejected"),
    ],
)
def test_what_is_not_there(words: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    """An unknown reference id or state is an error, not an empty answer."""
    assert typed("show", JOB, *words) == 2
    assert says in capsys.readouterr().err


def test_from_python() -> None:
    """``Job.show`` returns typed orders."""
    (order,) = backfill.open_job(JOB).show("#1")
    assert (order.reference_id, order.state, order.account_id) == ("#1", "pending", "A1")
    assert order.body is not None
    assert order.body["order"]["dont_trigger_auto_actions"] is True
