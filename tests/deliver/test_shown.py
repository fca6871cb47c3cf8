"""What counts as an order, a message, or the word that there is none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from backfill.checkpoint import Claim
from backfill.deliver.api import Answer
from backfill.deliver.learned import RisingIds
from backfill.deliver.shown import may_say_not_there, shown_message, shown_order
from backfill.sandbox.order import echo
from tests.deliver.delivering import body

CLAIM = Claim(1, "1001", "X-Shout-Connect-ID", "A1", body("1001", 77), 0, 7077)
ORDER = echo(5, json.loads(CLAIM.payload)["order"], "2024-01-01T00:00:00+00:00")
WITHOUT_KEY = {**ORDER, "reference_id": None}


def answer(document: Any, status: int = 200) -> Answer:
    text = document if isinstance(document, bytes) else json.dumps(document).encode()
    return Answer(status, {}, text)


@pytest.mark.parametrize(
    "document",
    [
        ORDER,
        {"order": ORDER},
        {"data": ORDER},
        {"data": {"order": ORDER}},
        {"order": ORDER, "error": None, "errors": [], "success": True},
        {**ORDER, "id": "ord_5"},
        {**ORDER, "reference_id": 1001},
        WITHOUT_KEY,
        {**WITHOUT_KEY, "connect_id": "A1"},
    ],
)
def test_an_order_is_shown_by_its_id_and_its_key(document: Any) -> None:
    """Bare or wrapped; without a key by its total, in the same account."""
    assert shown_order(answer(document), CLAIM) is not None


@pytest.mark.parametrize(
    "document",
    [
        {**ORDER, "id": None},
        {**ORDER, "id": ""},
        {**ORDER, "id": True},
        {**ORDER, "reference_id": "1002"},
        {**ORDER, "object": "error"},
        {**ORDER, "object": "message"},
        {**ORDER, "error": "no"},
        {"order": ORDER, "error": {"code": 1}},
        {"order": ORDER, "errors": ["no"]},
        {"order": ORDER, "success": False},
        {"order": ORDER, "ok": False},
        {"data": {"order": ORDER}, "status": "error"},
        {**WITHOUT_KEY, "total_cents": 7078},
        {**WITHOUT_KEY, "total_cents": None, "total": None},
        {**WITHOUT_KEY, "connect_id": "A2"},
        [ORDER],
        {},
        None,
        7,
        b"",
        b"<html>",
        b'{"id":',
        b"\xff",
        b"[" * 100_000,
    ],
)
def test_anything_else_shows_no_order(document: Any) -> None:
    """Above all an error beside it, and the order of somebody else."""
    assert shown_order(answer(document), CLAIM) is None


@pytest.mark.parametrize(
    ("status", "document", "may"),
    [
        (404, {"error": "not found"}, True),
        (410, b"", True),
        (404, b"<html>not found</html>", False),
        (200, None, True),
        (200, [], True),
        (200, {"order": None}, True),
        (200, {"data": None}, True),
        (200, {"error": "not found"}, True),
        (200, ORDER, False),
        (200, {"order": {"id": 7}}, False),
        (200, b"", False),
        (200, b"<html>log in</html>", False),
        (422, {"error": "not found"}, False),
        (500, {"error": "not found"}, False),
    ],
)
def test_what_may_say_that_an_order_is_not_there(status: int, document: Any, may: bool) -> None:
    """Not a page, not an order, and no other refusal."""
    assert may_say_not_there(answer(document, status)) is may


def test_a_message_is_shown_by_its_id() -> None:
    """An order is no message, and neither is an error."""
    assert shown_message(answer({"message": {"id": 3, "object": "message"}})) is not None
    assert shown_message(answer({"id": 3})) is not None
    assert shown_message(answer({"id": 3, "error": "no"})) is None
    assert shown_message(answer({"body": "sent"})) is None
    assert shown_message(answer(ORDER)) is None


def test_rising_ids_prove_what_came_later() -> None:
    """Only after enough orders, only if each id rose, and only a higher id than the first."""
    ids = RisingIds()
    for number in range(100, 120):
        ids.confirmed(str(number), ids.highest)
    assert not ids.came_after_the_first("119"), "one too few"
    ids.confirmed("120", ids.highest)
    assert ids.came_after_the_first("101")
    assert not ids.came_after_the_first("100")
    assert not ids.came_after_the_first("99")
    assert not ids.came_after_the_first(None)
    ids.confirmed("50", ids.highest)
    assert not ids.came_after_the_first("119"), "one id did not rise"


def test_ids_that_are_no_numbers_prove_nothing() -> None:
    """Such as UUIDs."""
    ids = RisingIds()
    for letter in "abcdefghijklmnopqrstuvwxyz":
        ids.confirmed(letter, ids.highest)
    assert not ids.came_after_the_first("zz")
