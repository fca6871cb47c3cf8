"""What the tests of delivery share: jobs full of orders, settings, and a progress that listens."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from backfill.checkpoint import Checkpoint, adopt
from backfill.checkpoint.incoming import Incoming
from backfill.job_folder.files import CHECKPOINT
from backfill.progress import Stage
from backfill.sandbox.process import SandboxProcess
from backfill.settings import ApiSettings, Secret
from tests.order_columns import order_columns

CREDENTIAL = "Bearer sandbox"
#: The creates of account A9 are committed and answered with an error; its lookups are refused.
IN_DOUBT_FOR_GOOD = {
    "fault": [
        {"kind": "error_after_commit", "account": "A9", "on": ["create"]},
        {"kind": "error_before_commit", "status": 422, "account": "A9", "on": ["get"]},
    ]
}


def body(key: str, number: int = 1, **changes: Any) -> bytes:
    """A request body as ``prepare`` makes it."""
    order = {
        "reference_id": key,
        "created_at": "2021-04-09T12:00:00-06:00",
        "profile_name": f"Janet Smith {number}",
        "profile_phone_number": f"+1801555{number % 10000:04}",
        "line_items": [
            {"name": "Tank Top", "each_price_cents": 3500, "quantity": 2, "price_cents": 7000},
            {"name": "T-Shirt", "each_price_cents": number, "quantity": 1, "price_cents": number},
        ],
        "total_cents": 7000 + number,
        "fail_if_connect_orders_not_enabled": True,
        "dont_trigger_auto_actions": True,
        **changes,
    }
    return json.dumps({"order": order}, ensure_ascii=False, separators=(",", ":")).encode()


def make_job(
    folder: Path,
    orders: int,
    *,
    accounts: Sequence[str] = ("A1",),
    first: int = 1,
    bodies: Sequence[bytes] | None = None,
) -> Path:
    """A job of ``orders`` pending orders with keys from ``first`` on, accounts taking turns."""
    folder.mkdir(parents=True, exist_ok=True)
    incoming = Incoming(folder)
    rows = []
    for index in range(orders):
        number = first + index
        payload = bodies[index] if bodies else body(str(number), number)
        rows.append(
            (
                str(number),
                "X-Shout-Connect-ID",
                accounts[index % len(accounts)],
                "pending",
                7000 + number,
                2,
                "2021-04-09",
                "orders.csv",
                str(number + 1),
                None,
                None,
                payload.decode(),
            )
        )
    incoming.add_orders(order_columns(rows))
    incoming.finish({})
    adopt(folder)
    return folder / CHECKPOINT


def settings(url: str, **changes: Any) -> ApiSettings:
    """How to reach a sandbox, with short times."""
    fields = {
        "api_url": url,
        "headers": (("Authorization", Secret(CREDENTIAL)),),
        "timeout": 1.0,
        "settle": 0.2,
        **changes,
    }
    return ApiSettings(**fields)


class Listener:
    """A progress that remembers what it was told."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.advanced = 0
        self.total: int | None = None
        self.shown: dict[str, int | str] = {}

    @contextlib.contextmanager
    def stage(self, name: str, *, total: int | None, unit: str) -> Iterator[Stage]:
        self.total = total
        yield self

    def say(self, line: str) -> None:
        self.said.append(line)

    def advance(self, n: int = 1) -> None:
        self.advanced += n

    def show(self, **counts: int | str) -> None:
        self.shown = counts


def states(job: Path) -> dict[str, int]:
    """How many orders of a job are in which state; only states that occur."""
    with Checkpoint(job) as checkpoint:  # not readonly: there may be a journal to play back
        return {state.value: n for state, n in checkpoint.counts().items() if n}


def assert_exactly_once(sandbox: SandboxProcess, job: Path) -> None:
    """Every order of the job is in the sandbox once, as meant; and no text message was sent."""
    with Checkpoint(job, readonly=True) as checkpoint:
        meant = Counter(
            (row["account_id"], row["payload"])
            for row in checkpoint.query("SELECT account_id, payload FROM orders")
        )
    there = Counter((one["account"], one["body"]) for one in sandbox.orders())
    assert there - meant == Counter(), "twice, or not ours"
    assert meant - there == Counter(), "lost"
    assert sandbox.texts() == []
