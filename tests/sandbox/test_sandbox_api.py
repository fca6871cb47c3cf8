"""The sandbox answers as Shout's public pages say."""

from __future__ import annotations

import ast
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import backfill.sandbox
from backfill.sandbox.process import SandboxProcess
from tests.sandbox.sandbox_client import NO_DUPLICATES, Client, by_reference, order

DOCUMENTED = {
    "order": {
        "created_at": "2021-04-09T12:00:00.123456-06:00",
        "invoiced_at": "2023-01-03",
        "paid_at": "2023-01-03",
        "description": "Order from Ecommerce Site",
        "profile_name": "Janet Smith",
        "profile_phone_number": "(801) 555-6788",
        "profile_shipping_address_raw": "1 E Center St, Provo, UT 84606",
        "line_items": [
            {"name": "Tank Top", "each_price_cents": 3500, "quantity": 2, "price_cents": 7000},
            {"name": "T-Shirt", "each_price_cents": 4900, "quantity": 1, "price_cents": 4900},
        ],
        "total_cents": 16800,
        "fail_if_connect_orders_not_enabled": True,
        "dont_trigger_auto_actions": True,
    }
}


def test_the_documented_example_is_created_and_echoed(client: Client) -> None:
    """The example of the documentation is taken as it stands and echoed as documented."""
    reply = client.call("POST", "/orders", DOCUMENTED)
    echo = reply.json
    assert reply.status == 201
    expected = {
        "id": echo["id"],
        "company_id": 1,
        "object": "order",
        "integration": "connect",
        "status": "paid",
        "created_at": "2021-04-09T12:00:00.123456-06:00",
        "invoiced_at": "2023-01-03T00:00:00+00:00",
        "paid_at": "2023-01-03T00:00:00+00:00",
        "profile_phone_number": "+18015556788",
        "total": "$168.00",
        "total_cents": 16800,
        "total_currency": "USD",
        "reference_id": None,
        "dont_trigger_auto_actions": True,
    }
    assert expected.items() <= echo.items()
    assert isinstance(echo["profile_id"], int)
    assert echo["line_items"][0] == {
        "name": "Tank Top",
        "quantity": 2.0,
        "each_price": "$35.00",
        "each_price_cents": 3500,
        "each_price_currency": "USD",
        "price": "$70.00",
        "price_cents": 7000,
        "price_currency": "USD",
    }


@pytest.mark.parametrize("value", [None, "", "Bearer wrong", "bearer sandbox"])
def test_wrong_or_missing_credentials_are_refused(
    client: Client, sandbox: SandboxProcess, value: str | None
) -> None:
    """Without the right credentials header there is a 401 and nothing else."""
    headers = {"X-Shout-Connect-ID": "A1"} | ({} if value is None else {"Authorization": value})
    reply = client.ask("POST", "/orders", {"order": order()}, headers)
    assert reply.status == 401
    assert sandbox.stats()["orders"] == 0


@pytest.mark.parametrize(
    "headers", [{}, {"X-Shout-Connect-ID": "A1", "X-Shout-User-Id": "315"}, {"X-Shout-User-Id": ""}]
)
def test_exactly_one_account_header(
    client: Client, sandbox: SandboxProcess, headers: dict[str, str]
) -> None:
    """None, both or an empty one are refused."""
    body = {"order": order()}
    reply = client.ask("POST", "/orders", body, {**client.credentials, **headers})
    assert reply.status == 422
    assert "X-Shout-User-Id" in reply.json["error"]
    assert sandbox.stats()["orders"] == 0


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        (b"", 400, "not JSON"),
        (b'{"order": {', 400, "not JSON"),
        (b'{"order": {"reference_id": "\xff"}}', 400, "not JSON"),
        (b'{"order": {"reference_id": "\\ud800"}}', 400, "not JSON"),
        ([], 400, "not a JSON object"),
        ({}, 422, "order: must be an object"),
        ({"order": {}}, 422, "order: must be an object"),
        ({"order": order(profil_name="x")}, 422, "order.profil_name: no such field"),
        ({"order": order(paid_at="04/09/2021")}, 422, "order.paid_at"),
        ({"order": order(paid_at="2021-02-31")}, 422, "order.paid_at"),
        ({"order": order(paid_at="2021-04-09T12:00:00")}, 422, "order.paid_at"),
        ({"order": order(total_cents=168.0)}, 422, "order.total_cents"),
        ({"order": order(total_cents=True)}, 422, "order.total_cents"),
        ({"order": order(total_cents=2**63)}, 422, "order.total_cents"),
        ({"order": order(reference_id=1001)}, 422, "order.reference_id"),
        ({"order": order(dont_trigger_auto_actions="true")}, 422, "order.dont_trigger_auto_act"),
        ({"order": order(profile_phone_number="555")}, 422, "order.profile_phone_number"),
        ({"order": order(line_items={})}, 422, "order.line_items"),
        ({"order": order(line_items=["Tank Top"])}, 422, "order.line_items[0]"),
        ({"order": order(line_items=[{"quantity": 1, "price_cents": 1}])}, 422, "[0].name"),
        ({"order": order(line_items=[{"name": "x", "price_cents": 1}])}, 422, "[0].quantity"),
        (b'{"order": {"line_items": [{"name": "x", "quantity": Infinity}]}}', 422, "[0].quantity"),
    ],
)
def test_a_body_of_the_wrong_shape_is_refused_with_the_field_named(
    client: Client, sandbox: SandboxProcess, body: Any, status: int, says: str
) -> None:
    """Nothing is created from it."""
    reply = client.call("POST", "/orders", body)
    assert reply.status == status
    assert says in " ".join(reply.json["errors"])
    assert sandbox.stats()["orders"] == 0


def test_a_duplicate_is_refused_only_with_the_header(
    client: Client, sandbox: SandboxProcess
) -> None:
    """Without it a second order is created, and the statistics say so."""
    assert client.create(order()).status == 201
    assert client.create(order()).status == 409
    assert client.create(order(), account="A2").status == 201, "another account, another order"
    assert sandbox.stats()["duplicates"] == 0

    again = client.create(order(description="the second"), headers={})
    assert again.status == 201
    assert (sandbox.stats()["orders"], sandbox.stats()["duplicates"]) == (3, 1)
    assert client.get("1001").json["description"] is None, "the first is found"
    assert len(sandbox.orders(account="A1", reference_id="1001")) == 2


def test_orders_without_a_reference_id_are_never_duplicates(
    client: Client, sandbox: SandboxProcess
) -> None:
    """Only a reference id can be there twice."""
    for _ in range(2):
        assert client.create(order(None)).status == 201
    assert (sandbox.stats()["orders"], sandbox.stats()["duplicates"]) == (2, 0)


def test_the_same_order_sent_by_many_at_once_is_created_once(
    client: Client, sandbox: SandboxProcess
) -> None:
    """The check and the commit are one step."""
    with ThreadPoolExecutor(20) as pool:
        replies = list(pool.map(lambda _: client.create(order()).status, range(20)))
    assert sorted(replies) == [201] + [409] * 19
    assert sandbox.stats()["max_in_flight"] >= 1


@pytest.mark.parametrize(
    "reference_id",
    ["#1001", "a/b", "50%", "50%25", "%2F", "a b", "a+b", "?x=1&y", "ä王🎉", "..", "x;y", '"<>'],
)
def test_get_put_and_delete_by_any_reference_id(client: Client, reference_id: str) -> None:
    """Whatever stands in a reference id, its percent-encoding finds the order."""
    path = by_reference(reference_id)
    assert client.get(reference_id).status == 404
    created = client.create(order(reference_id)).json
    assert client.get(reference_id).json == created
    assert client.get(reference_id, account="A2").status == 404

    changes = {"order": {"total_cents": 5, "dont_trigger_auto_actions": True}}
    updated = client.call("PUT", path, changes)
    assert updated.json == created | {"total": "$0.05", "total_cents": 5}
    assert client.get(reference_id).json == updated.json

    assert client.call("DELETE", path).json["id"] == created["id"]
    assert client.get(reference_id).status == 404
    assert client.create(order(reference_id)).json["id"] > created["id"], "no id is given twice"


def test_accounts_unknown_not_enabled_and_of_two_names(
    client: Client, sandbox: SandboxProcess
) -> None:
    """Unknown and not enabled accounts refuse; connect and user id name one account."""
    sandbox.set_faults(
        {"accounts": {"unknown": ["A8"], "not_enabled": ["A9"], "pairs": [["A1", "315"]]}}
    )
    assert client.create(order(), account="A8").status == 404
    assert client.get("1001", account="A8").status == 404

    refused = client.create(order(), account="A9")
    assert refused.status == 422
    assert "has not enabled" in refused.json["error"]
    lenient = order(fail_if_connect_orders_not_enabled=None)
    assert client.create(lenient, account="A9").status == 201

    client.create(order())
    by_user = {**client.credentials, "X-Shout-User-Id": "315"}
    assert client.ask("GET", by_reference("1001"), headers=by_user).status == 200
    body = {"order": order()}
    assert client.ask("POST", "/orders", body, {**by_user, **NO_DUPLICATES}).status == 409
    accounts = sandbox.stats()["accounts"]
    assert accounts.keys() == {"A1", "A9"}
    assert accounts["A1"]["user_id"] == "315"


def test_only_known_accounts_where_auto_is_off(client: Client, sandbox: SandboxProcess) -> None:
    """With ``auto = false`` an id that is not named is unknown."""
    sandbox.set_faults({"accounts": {"auto": False, "known": ["A1"]}})
    assert client.create(order()).status == 201
    assert client.create(order(), account="A2").status == 404


@pytest.mark.parametrize(
    ("fields", "texts"),
    [
        ({}, 0),
        ({"dont_trigger_auto_actions": None}, 1),
        ({"dont_trigger_auto_actions": False}, 1),
        ({"dont_trigger_auto_actions": None, "profile_phone_number": None}, 0),
    ],
)
def test_only_the_flag_keeps_an_order_silent(
    client: Client, sandbox: SandboxProcess, fields: dict[str, Any], texts: int
) -> None:
    """An order with a phone and without ``dont_trigger_auto_actions: true`` is one text message."""
    client.create(order(**fields))
    assert sandbox.stats()["texts"] == texts
    assert [text["phone"] for text in sandbox.texts()] == ["+18015556788"] * texts


def test_an_update_without_the_flag_counts_as_a_text(
    client: Client, sandbox: SandboxProcess
) -> None:
    """Every body that leaves must carry the flag, an update's too."""
    client.create(order())
    client.call("PUT", by_reference("1001"), {"order": {"total_cents": 1}})
    assert sandbox.stats()["texts"] == 1


@pytest.mark.parametrize(
    ("phone", "echoed"),
    [
        ("(801) 555-6788", "+18015556788"),
        ("1-801-555-6788", "+18015556788"),
        ("+44 20 7946 0000", "+442079460000"),
        ("+1 801.555.6788", "+18015556788"),
    ],
)
def test_phones_are_echoed_as_e164(client: Client, phone: str, echoed: str) -> None:
    """A number without a country code is a US one."""
    assert client.create(order(profile_phone_number=phone)).json["profile_phone_number"] == echoed


@pytest.mark.parametrize(
    ("fields", "shipped"),
    [
        ({}, False),
        ({"shipping_state": "pre_transit"}, False),
        ({"shipping_state": "unknown"}, False),
        ({"shipping_state": "delivered"}, True),
        ({"shipping_link": "https://example.org/track/1"}, True),
    ],
)
def test_shipping_sets_shipped_at(client: Client, fields: dict[str, str], shipped: bool) -> None:
    """A link, or a state other than unknown and pre_transit, means shipped (changelog 20230615)."""
    assert (client.create(order(**fields)).json["shipped_at"] is not None) is shipped


def test_now_is_the_time_of_arrival(client: Client, sandbox: SandboxProcess) -> None:
    """``now`` is settled once, at the arrival."""
    created = client.create(order(created_at="now")).json
    assert created["created_at"] == sandbox.orders()[0]["arrived_at"]
    assert client.get("1001").json == created


def test_messages_go_to_an_account_by_either_id(client: Client, sandbox: SandboxProcess) -> None:
    """The answer is the message with its id."""
    sandbox.set_faults({"accounts": {"pairs": [["A1", "315"]], "unknown": ["A8"]}})
    first, second = (
        client.notify(body="Hello", connect_id="A1"),
        client.notify(body="!", user_id=315),
    )
    assert (first.status, second.status) == (201, 201)
    assert first.json["id"] != second.json["id"]
    assert client.notify(body="Hello", connect_id="A8").status == 404
    assert client.notify(body="Hello", connect_id="A1", user_id=315).status == 422
    assert client.notify(body=" ", connect_id="A1").status == 422
    assert client.notify(connect_id="A1").status == 422
    assert [(one["account"], one["body"]) for one in sandbox.messages()] == [
        ("A1", "Hello"),
        ("A1", "!"),
    ]
    assert sandbox.stats()["accounts"]["A1"]["messages"] == 2


def test_undocumented_answers_can_be_set(client: Client, sandbox: SandboxProcess) -> None:
    """Status codes that Shout does not document, and an envelope, are settings."""
    sandbox.set_faults(
        {
            "envelope": True,
            "status": {
                "created": 200,
                "duplicate": 422,
                "unknown_account": 403,
                "not_enabled": 400,
            },
            "accounts": {"unknown": ["A8"], "not_enabled": ["A9"]},
        }
    )
    created = client.create(order())
    assert (created.status, created.json["order"]["reference_id"]) == (200, "1001")
    assert client.get("1001").json == created.json
    assert client.notify(body="Hello", connect_id="A1").json["message"]["body"] == "Hello"
    assert client.create(order()).status == 422
    assert client.create(order(), account="A8").status == 403
    assert client.create(order(), account="A9").status == 400


def test_stats_and_orders_tell_what_came(client: Client, sandbox: SandboxProcess) -> None:
    """Requests by operation and status, orders and money by account, bodies as they came."""
    for number in range(5):
        client.create(order(str(number), total_cents=100), account=f"A{number % 2}")
    client.create(order("0"), account="A0")
    client.get("nowhere")
    stats = sandbox.stats()
    assert stats["requests"]["by_operation"] == {"create": {"201": 5, "409": 1}, "get": {"404": 1}}
    assert stats["requests"]["total"] == 7 == sum(stats["per_second"].values())
    assert (stats["distinct_orders"], stats["total_cents"], stats["in_flight"]) == (5, 500, 0)
    assert stats["accounts"]["A0"]["orders"] == 3

    page = sandbox.ask("GET", "/sandbox/orders?limit=2")
    assert len(page["orders"]) == 2
    assert [one["order"]["reference_id"] for one in sandbox.orders()] == ["0", "1", "2", "3", "4"]
    assert json.loads(sandbox.orders()[0]["body"]) == {"order": order("0", total_cents=100)}
    assert [one["order"]["reference_id"] for one in sandbox.orders(account="A1")] == ["1", "3"]
    assert sandbox.orders(account="nobody") == []


def test_an_order_can_be_changed_behind_everybodys_back(
    client: Client, sandbox: SandboxProcess
) -> None:
    """For tests of what ``verify`` must find: no check, no text message, no count."""
    for number in range(3):
        client.create(order(str(number)))
    first, second, third = (one["id"] for one in sandbox.orders())
    sandbox.change_order(first, total_cents=16801, dont_trigger_auto_actions=False)
    sandbox.change_order(second, account="A2")
    sandbox.delete_order(third)
    assert client.get("0").json["total_cents"] == 16801
    assert client.get("0").json["dont_trigger_auto_actions"] is False
    assert client.get("1").status == 404
    assert client.get("1", account="A2").status == 200
    assert client.get("2").status == 404
    assert sandbox.stats()["texts"] == 0


def test_it_imports_nothing_of_the_rest() -> None:
    """The sandbox is apart: it must not inherit a mistake of the importer."""
    for path in Path(backfill.sandbox.__path__[0]).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                modules = [node.module or ""]
            for module in modules:
                assert not module.startswith("backfill") or module.startswith("backfill.sandbox")
