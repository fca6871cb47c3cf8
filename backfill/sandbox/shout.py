"""What Shout does with a request, without the wire: a call in, an answer out.

Source: Shout's public pages on Connect orders and its changelog of version 20230615.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from backfill.sandbox import order as orders
from backfill.sandbox.faults import Faults
from backfill.sandbox.store import AccountKind, Store, StoredOrder

ACCOUNT_HEADERS: Mapping[str, AccountKind] = {
    "X-Shout-Connect-ID": "connect_id",
    "X-Shout-User-Id": "user_id",
}
DUPLICATE_HEADER = "X-Fail-Creation-On-Duplicate-Reference-Id"


@dataclass(slots=True)
class Call:
    """One request to the API."""

    operation: str
    headers: Mapping[str, str]
    body: bytes = b""
    reference_id: str = ""
    ignore_duplicates: bool = False

    @property
    def account_id(self) -> str | None:
        """The value of the account header, whichever it is."""
        for header in ACCOUNT_HEADERS:
            if (value := self.headers.get(header)) is not None:
                return value
        return None


@dataclass(slots=True)
class Answer:
    """A status and a JSON object; ``about`` is the kind of thing the object is."""

    status: int
    body: dict[str, Any]
    about: str = "error"
    headers: dict[str, str] = field(default_factory=dict)


class Refused(Exception):
    """The call is refused with this answer."""

    def __init__(self, status: int, *messages: str) -> None:
        super().__init__(*messages)
        self.answer = Answer(status, {"error": messages[0], "errors": list(messages)})


class Shout:
    """The accounts and orders of one company."""

    def __init__(self, store: Store, faults: Faults) -> None:
        self.store = store
        self.faults = faults
        self._accounts: dict[tuple[AccountKind, str], int] = {}
        self._acts: Mapping[str, Callable[[Call], Answer]] = {
            "create": self._create,
            "get": self._get,
            "update": self._update,
            "delete": self._delete,
            "notify": self._notify,
        }

    def answer(self, call: Call) -> Answer:
        """Do what the call asks for, down to the commit."""
        try:
            return self._acts[call.operation](call)
        except Refused as refused:
            return refused.answer

    def behave(self, faults: Faults) -> None:
        """Use other faults and accounts from now on."""
        self.faults = faults
        self._accounts.clear()

    def reset(self) -> None:
        """Forget all accounts and orders."""
        self.store.reset()
        self._accounts.clear()

    def _create(self, call: Call) -> Answer:
        account, name = self._account(call)
        text, order = self._order(call)
        if problems := orders.problems(order):
            raise Refused(422, *problems)
        if order.get("fail_if_connect_orders_not_enabled") and not self.faults.has_enabled(name):
            raise Refused(
                self.faults.status["not_enabled"], f"account {name} has not enabled Connect orders"
            )
        reference_id = order.get("reference_id")
        checks = self.faults.honour_duplicate_header and not call.ignore_duplicates
        if (
            checks
            and reference_id is not None
            and call.headers.get(DUPLICATE_HEADER, "").lower() == "true"
            and self.store.has(account, reference_id)
        ):
            raise Refused(
                self.faults.status["duplicate"],
                f"an order with reference_id {reference_id} already exists",
            )
        text_to = orders.would_text(order)
        order_id, arrived_at = self.store.create(account, order, text, text_to)
        echo = orders.echo(order_id, order, arrived_at)
        return Answer(self.faults.status["created"], echo, "order")

    def _get(self, call: Call) -> Answer:
        stored = self._stored(call)
        return Answer(200, orders.echo(stored.id, stored.order, stored.arrived_at), "order")

    def _update(self, call: Call) -> Answer:
        stored = self._stored(call)
        _, changes = self._order(call)
        if problems := orders.problems(changes):
            raise Refused(422, *problems)
        order = {**stored.order, **changes}
        # Whether a real Shout texts on an update is not documented: a body without the flag counts.
        silent = changes.get("dont_trigger_auto_actions") is True
        stored = self.store.update(
            stored,
            order,
            None if silent else orders.would_text({**order, "dont_trigger_auto_actions": False}),
        )
        return Answer(200, orders.echo(stored.id, order, stored.arrived_at), "order")

    def _delete(self, call: Call) -> Answer:
        stored = self._stored(call)
        self.store.delete(stored.id)
        return Answer(200, {"id": stored.id, "object": "order", "deleted": True}, "order")

    def _notify(self, call: Call) -> Answer:
        message = _json_object(call.body)[1].get("message")
        if not isinstance(message, dict):
            raise Refused(422, "message: missing or not an object")
        body = message.get("body")
        if not isinstance(body, str) or not body.strip():
            raise Refused(422, "message.body: missing or empty")
        kinds: list[AccountKind] = [
            k for k in ACCOUNT_HEADERS.values() if message.get(k) is not None
        ]
        if len(kinds) != 1:
            raise Refused(422, "message: exactly one of user_id and connect_id")
        account = self._named(kinds[0], str(message[kinds[0]]))
        message_id, sent_at = self.store.message(account, body)
        answer = {"id": message_id, "object": "message", "body": body, "created_at": sent_at}
        return Answer(
            self.faults.status["created"], {**answer, kinds[0]: message[kinds[0]]}, "message"
        )

    def _account(self, call: Call) -> tuple[int, str]:
        given = [
            (k, v) for h, k in ACCOUNT_HEADERS.items() if (v := call.headers.get(h)) is not None
        ]
        if len(given) != 1 or not given[0][1]:
            raise Refused(422, f"exactly one of the headers {' and '.join(ACCOUNT_HEADERS)}")
        kind, value = given[0]
        return self._named(kind, value), value

    def _named(self, kind: AccountKind, value: str) -> int:
        if (account := self._accounts.get((kind, value))) is not None:
            return account
        if not self.faults.knows(value):
            raise Refused(self.faults.status["unknown_account"], f"no account with {kind} {value}")
        account = self.store.account(kind, value, self.faults.partner(kind, value))
        self._accounts[kind, value] = account
        return account

    def _order(self, call: Call) -> tuple[str, dict[str, Any]]:
        text, document = _json_object(call.body)
        order: dict[str, Any] = document.get("order")  # type: ignore[assignment]  # checked by problems
        return text, order

    def _stored(self, call: Call) -> StoredOrder:
        account, name = self._account(call)
        stored = self.store.first(account, call.reference_id)
        if stored is None or (call.operation == "get" and self._is_new(stored)):
            status, body = self.faults.status["not_found"], self.faults.not_found_body
            refused = Refused(
                status, f"account {name} has no order with reference_id {call.reference_id}"
            )
            if body:
                refused.answer = Answer(status, json.loads(body))
            raise refused
        return stored

    def _is_new(self, stored: StoredOrder) -> bool:
        """Whether lookups, which lag, do not know the order yet."""
        age = datetime.now(UTC) - datetime.fromisoformat(stored.arrived_at)
        return age.total_seconds() < self.faults.lookup_lag


def _json_object(body: bytes) -> tuple[str, dict[str, Any]]:
    try:
        text = body.decode()
        document = json.loads(text)
        if "\\ud" in text.lower():  # half of a surrogate pair is no character
            json.dumps(document, ensure_ascii=False).encode()
    except ValueError as error:
        raise Refused(400, f"the body is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise Refused(400, "the body is not a JSON object")
    return text, document
