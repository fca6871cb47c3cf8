"""Answers that are no answers, on every kind of request: nothing is lost, sent twice or texted.

A cell of the table is an answer that Shout, or something in front of it, gives to one kind of
request, to each of them from the first or from a later one on. Whatever it is:

- an order counts as created, found, updated or deleted only if that is so;
- a message counts as sent only if it was, and no account gets two;
- orders that somebody else created stay;
- a run that leaves orders in doubt does not exit with 0;
- with a Shout that behaves again, the same command brings everything to its end.

The short form, a cell in seven, is part of every run of the tests. All of it::

    pytest -m chaos tests/operations/test_answers.py
"""

from __future__ import annotations

import itertools
import json
from collections import Counter
from typing import Any

import pytest

from backfill.sandbox.process import SandboxProcess
from tests.operations.jobs import JOB, asked, keys_in, orders, states, to, typed, write

PAGE = "<!doctype html><title>Log in</title><h1>Please log in</h1>"
ANOTHER = {"id": 999_999, "object": "order", "reference_id": "another", "total_cents": 1}


def answer(status: int, body: Any, content_type: str = "application/json") -> dict[str, Any]:
    text = body if isinstance(body, str) else json.dumps(body)
    return {"kind": "answer", "status": status, "body": text, "content_type": content_type}


ANSWERS: dict[str, dict[str, Any]] = {
    "200 error": answer(200, {"error": "something went wrong"}),
    "200 errors beside an order": answer(200, {"order": ANOTHER, "errors": ["no"]}),
    "200 not found": answer(200, {"error": "not found"}),
    "200 success false": answer(200, {"success": False}),
    "200 {}": answer(200, {}),
    "200 null order": answer(200, {"order": None}),
    "200 []": answer(200, []),
    "200 another order": answer(200, ANOTHER),
    "200 data": answer(200, {"data": {"order": ANOTHER}}),
    "200 nothing": answer(200, ""),
    "200 page": answer(200, PAGE, "text/html"),
    "202 {}": answer(202, {}),
    "302": {"kind": "redirect", "location": "https://login.example.com/"},
    "403": answer(403, {"error": "forbidden"}),
    "404": answer(404, {"error": "not found"}),
    "404 page": answer(404, PAGE, "text/html"),
    "405": answer(405, {"error": "method not allowed"}),
    "500": answer(500, {"error": "oops"}),
    "501": answer(501, {"error": "not implemented"}),
    "cut": {"kind": "cut_json"},
    "lost": {"kind": "drop_before_commit"},
    "lost after commit": {"kind": "drop_after_commit"},
}
REQUESTS = ("create", "get", "update", "delete", "notify")
#: From which request on; None: at a few, in between good ones.
FROM: tuple[int | None, ...] = (1, 6, None)
TABLE = list(itertools.product(ANSWERS, REQUESTS, FROM))
ORDERS = 14


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backfill.deliver.pace._NOT_SHOUT_FOR", 0.5)


@pytest.mark.parametrize(("kind", "request_", "begins"), TABLE[::7])
def test_no_answer_is_taken_for_more_than_it_says(
    kind: str, request_: str, begins: int | None, sandbox: SandboxProcess
) -> None:
    """A sample of the table."""
    CHECKS[request_](sandbox, {**ANSWERS[kind], "on": [request_], **_when(begins)})


@pytest.mark.chaos
@pytest.mark.parametrize(("kind", "request_", "begins"), TABLE)
def test_the_table(kind: str, request_: str, begins: int | None, sandbox: SandboxProcess) -> None:
    """Every answer x every kind of request x from the first, from a later one on, and at times."""
    CHECKS[request_](sandbox, {**ANSWERS[kind], "on": [request_], **_when(begins)})


def _when(begins: int | None) -> dict[str, Any]:
    return {"at": [2, 5, 6, 11]} if begins is None else {"from": begins}


def _to(sandbox: SandboxProcess) -> list[str]:
    return [*to(sandbox, timeout=0.5), "--give-up-after", "1.5", "--yes"]


def _in_doubt_too(fault: dict[str, Any]) -> list[dict[str, Any]]:
    """Some creates are lost, before and after their commit, so that lookups matter."""
    lost = {"on": ["create"]}
    return [
        fault,
        {"kind": "drop_before_commit", "at": [4, 9], **lost},
        {"kind": "drop_after_commit", "at": [5, 10], **lost},
    ]


def check_create(sandbox: SandboxProcess, fault: dict[str, Any]) -> None:
    _check_run(sandbox, [fault])


def check_get(sandbox: SandboxProcess, fault: dict[str, Any]) -> None:
    _check_run(sandbox, _in_doubt_too(fault))
    _check_verify(sandbox, fault)


def _check_run(sandbox: SandboxProcess, faults: list[dict[str, Any]]) -> None:
    """One order was there before, and the duplicate header is ignored."""
    write("before.csv", orders([ORDERS - 1]))
    assert typed("run", "before.csv", *_to(sandbox)) == 0
    theirs = sandbox.orders()[0]["id"]
    write("orders.csv", orders(range(ORDERS)))
    sandbox.set_faults({"fault": faults})
    code = typed("run", "orders.csv", *_to(sandbox))
    _assert_nothing_is_claimed(sandbox)
    if states().get("sending"):
        assert code == 4
    sandbox.set_faults({})
    for _ in range(3):
        code = typed("run", "--job", JOB, *_to(sandbox))
        _assert_nothing_is_claimed(sandbox)
        if code != 4:
            break
    assert code in (0, 3), states()
    if states().get("failed"):
        assert typed("retry", JOB, *_to(sandbox)) == 0
    _assert_nothing_is_claimed(sandbox)
    assert states().keys() <= {"created", "existing"}
    assert keys_in(sandbox).total() == ORDERS
    assert typed("undo", JOB, *_to(sandbox)) in (0, 3)
    assert theirs in [one["id"] for one in sandbox.orders()]


def _assert_nothing_is_claimed(sandbox: SandboxProcess) -> None:
    """What the checkpoint says is in Shout is there, once; and nobody was texted."""
    there = keys_in(sandbox)
    claimed = asked(
        "SELECT account_id, reference_id FROM orders WHERE state IN ('created', 'existing')"
    )
    assert not Counter(map(tuple, claimed)) - there, "counts as in Shout, and is not"
    assert max(there.values(), default=1) == 1, "twice"
    assert sandbox.texts() == []


def _check_verify(sandbox: SandboxProcess, fault: dict[str, Any]) -> None:
    """Orders that were deleted by hand are not equal, whatever lookups say."""
    sandbox.reset()
    write("more.csv", orders(range(20, 20 + ORDERS)))
    assert typed("run", "more.csv", *_to(sandbox)) == 0
    for one in sandbox.orders()[:4]:
        sandbox.delete_order(one["id"])
    sandbox.set_faults({"fault": [fault]})
    job = "more.backfill"
    assert typed("verify", job, *_to(sandbox)) in (3, 4)
    there = {key for _, key in keys_in(sandbox)}
    equal = asked(
        "SELECT reference_id FROM orders JOIN verified ON order_id = id WHERE verdict = 'equal'",
        JOB.with_name(job),
    )
    assert {key for (key,) in equal} <= there
    sandbox.set_faults({})
    assert typed("verify", job, *_to(sandbox)) == 3


def check_update(sandbox: SandboxProcess, fault: dict[str, Any]) -> None:
    write("orders.csv", orders(range(ORDERS)))
    assert typed("run", "orders.csv", *_to(sandbox)) == 0
    write("orders.csv", orders(range(ORDERS), item_quantity="3"))
    sandbox.set_faults({"fault": [fault]})
    typed("run", "orders.csv", "--update-changed", *_to(sandbox))
    updated = asked("SELECT reference_id FROM orders WHERE reason LIKE 'updated%'")
    now = {
        one["order"]["reference_id"]
        for one in sandbox.orders()
        if all(line["quantity"] == 3 for line in one["order"]["line_items"])
    }
    assert {key for (key,) in updated} <= now
    sandbox.set_faults({})
    assert typed("run", "orders.csv", "--update-changed", *_to(sandbox)) == 0
    assert typed("verify", JOB, *_to(sandbox)) == 0
    assert sandbox.texts() == []


def check_delete(sandbox: SandboxProcess, fault: dict[str, Any]) -> None:
    """Another order under one of the keys, in another account, is not ours."""
    write("theirs.csv", orders(range(3), accounts=("B1",)))
    assert typed("run", "theirs.csv", *_to(sandbox)) == 0
    before = keys_in(sandbox)
    write("orders.csv", orders(range(ORDERS)))
    assert typed("run", "orders.csv", *_to(sandbox)) == 0
    sandbox.set_faults({"fault": [fault]})
    code = typed("undo", JOB, *_to(sandbox))
    _assert_undone_is_gone(sandbox)
    if states().keys() != {"undone"}:
        assert code in (3, 4)
    sandbox.set_faults({})
    assert typed("undo", JOB, *_to(sandbox)) == 0
    _assert_undone_is_gone(sandbox)
    assert states() == {"undone": ORDERS}
    assert keys_in(sandbox) == before


def _assert_undone_is_gone(sandbox: SandboxProcess) -> None:
    undone = asked("SELECT account_id, reference_id FROM orders WHERE state = 'undone'")
    assert not Counter(map(tuple, undone)) & keys_in(sandbox)


def check_notify(sandbox: SandboxProcess, fault: dict[str, Any]) -> None:
    names = [f"A{number}" for number in range(ORDERS)]
    write("orders.csv", orders(range(ORDERS), accounts=names))
    assert typed("run", "orders.csv", *_to(sandbox)) == 0
    sandbox.set_faults({"fault": [fault]})
    words = ["notify", str(JOB), "--message", "{orders} orders", *_to(sandbox)]
    code = typed(*words)
    _assert_sent_is_there(sandbox)
    if len(sandbox.messages()) < ORDERS:
        assert code in (3, 4)
    sandbox.set_faults({})
    typed(*words)
    _assert_sent_is_there(sandbox)


def _assert_sent_is_there(sandbox: SandboxProcess) -> None:
    got = Counter(one["account"] for one in sandbox.messages())
    assert max(got.values(), default=1) == 1
    sent = asked("SELECT account_id FROM notifications WHERE state = 'sent'")
    assert {account for (account,) in sent} <= got.keys()


CHECKS = {
    "create": check_create,
    "get": check_get,
    "update": check_update,
    "delete": check_delete,
    "notify": check_notify,
}
