"""A plain HTTP client for the sandbox's own tests: a new connection a request, no retries."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from backfill.sandbox.process import SandboxProcess

#: What a client gets where no whole answer comes: a closed connection, half a body, silence.
NO_ANSWER = (http.client.HTTPException, OSError)

NO_DUPLICATES = {"X-Fail-Creation-On-Duplicate-Reference-Id": "true"}


@dataclass(frozen=True)
class Reply:
    """One answer."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.content)


def order(reference_id: object = "1001", **fields: Any) -> dict[str, Any]:
    """A silent order with two lines; a field given as None is left out."""
    whole = {
        "reference_id": reference_id,
        "created_at": "2021-04-09T12:00:00-06:00",
        "profile_name": "Janet Smith",
        "profile_phone_number": "(801) 555-6788",
        "line_items": [
            {"name": "Tank Top", "each_price_cents": 3500, "quantity": 2, "price_cents": 7000},
            {"name": "T-Shirt", "each_price_cents": 4900, "quantity": 1, "price_cents": 4900},
        ],
        "total_cents": 16800,
        "fail_if_connect_orders_not_enabled": True,
        "dont_trigger_auto_actions": True,
        **fields,
    }
    return {name: value for name, value in whole.items() if value is not None}


class Client:
    """Talks to one sandbox as the importer would."""

    def __init__(self, sandbox: SandboxProcess) -> None:
        self.sandbox = sandbox

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = 20.0,
    ) -> Reply:
        """One request with exactly these headers. ``body`` may be bytes, or what becomes JSON."""
        host = self.sandbox.url.removeprefix("http://")
        connection = http.client.HTTPConnection(host, timeout=timeout)
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        try:
            connection.request(method, path, data, dict(headers or {}))
            answer = connection.getresponse()
            return Reply(answer.status, dict(answer.getheaders()), answer.read())
        finally:
            connection.close()

    def call(
        self, method: str, path: str, body: Any = None, *, account: str = "A1", **more: Any
    ) -> Reply:
        """One request with credentials and the account header."""
        headers = {**self.credentials, "X-Shout-Connect-ID": account, **more.pop("headers", {})}
        return self.ask(method, path, body, headers, **more)

    def create(self, order: dict[str, Any], *, account: str = "A1", **more: Any) -> Reply:
        """``POST /orders`` with the duplicate header."""
        more.setdefault("headers", NO_DUPLICATES)
        return self.call("POST", "/orders", {"order": order}, account=account, **more)

    def get(self, reference_id: str, *, account: str = "A1", **more: Any) -> Reply:
        """Look an order up by its reference id."""
        return self.call("GET", by_reference(reference_id), account=account, **more)

    def notify(self, **message: Any) -> Reply:
        """``POST /messages/send_connect_notification``."""
        path = "/messages/send_connect_notification"
        return self.ask("POST", path, {"message": message}, self.credentials)

    @property
    def credentials(self) -> dict[str, str]:
        name, value = self.sandbox.header
        return {name: value}


def by_reference(reference_id: str) -> str:
    """The path of an order, percent-encoded."""
    return f"/orders/reference_id-{quote(reference_id, safe='')}"
