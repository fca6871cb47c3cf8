"""Job folders for the tests of the reports, as ``prepare`` and ``deliver`` leave them."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from backfill.checkpoint import (
    Activity,
    Checkpoint,
    Result,
    Source,
    State,
)
from backfill.checkpoint.incoming import Incoming
from backfill.job_folder import kept_rows
from backfill.job_folder.files import CHECKPOINT
from tests.checkpoint.claiming import claim, record
from tests.order_columns import order_columns

HEADER = (
    "reference_id",
    "created_at",
    "Buyer",
    "Phone",
    "Mail",
    "Address",
    "connect_id",
    "item_name",
    "item_price",
    "total",
    "Secret note",
)
MAPPING = {
    "reference_id": "reference_id",
    "created_at": "created_at",
    "profile_name": "Buyer",
    "profile_phone_number": "Phone",
    "profile_email": "Mail",
    "profile_shipping_address_raw": "{Address}",
    "connect_id": "connect_id",
    "item_name": "item_name",
    "item_price": "item_price",
    "total": "total",
}
RULES = {
    "bad_money": ("error", "The amount cannot be read as money: write it like 1234.50"),
    "no_customer": ("error", "The order has no customer: fill in a name, a phone or an e-mail"),
    "bad_phone": ("warning", "The phone number cannot be real, so it is left out: fix it"),
    "total_differs": ("warning", "The total differs from the lines: right if that is shipping"),
    "ignored_row": ("warning", "The row is no part of an order: nothing to do"),
}


@dataclass
class Job:
    """A job in the making; :meth:`finish` gives the folder."""

    folder: Path
    source: str = "exports/orders.csv"
    header: Sequence[str] = HEADER
    mapping: Mapping[str, str] = field(default_factory=lambda: MAPPING)
    rows: list[list[str]] = field(default_factory=list)
    orders: list[tuple[Any, ...]] = field(default_factory=list)
    problems: list[tuple[Any, ...]] = field(default_factory=list)
    others: list[Source] = field(default_factory=list)

    def add_rows(self, *cells: Mapping[str, str]) -> str:
        """Rows of the source; returns their span as the checkpoint writes it."""
        first = len(self.rows) + 2
        self.rows += [[row.get(name, "") for name in self.header] for row in cells]
        last = len(self.rows) + 1
        return str(first) if first == last else f"{first}-{last}"

    def add_order(
        self,
        reference_id: str | None,
        rows: str,
        *,
        state: State = State.PENDING,
        account: str | None = "A1",
        cents: int | None = 1000,
        day: str | None = "2021-04-09",
        lines: int = 1,
        rule: str | None = None,
        reason: str | None = None,
        source: str | None = None,
        **fields: Any,
    ) -> int:
        """An order; returns its id."""
        body = None
        if state is not State.REJECTED:
            order = {
                "reference_id": reference_id,
                "created_at": f"{day}T12:00:00Z",
                **fields,
                "line_items": [{"name": "Tank Top", "quantity": 1, "price_cents": cents}] * lines,
                "total_cents": cents,
                "fail_if_connect_orders_not_enabled": True,
                "dont_trigger_auto_actions": True,
            }
            body = json.dumps({"order": order}, ensure_ascii=False, separators=(",", ":"))
        self.orders.append(
            (
                reference_id,
                None if account is None else "X-Shout-Connect-ID",
                account,
                state.value,
                cents,
                lines,
                day,
                source or self.source,
                rows,
                rule,
                reason,
                body,
            )
        )
        return len(self.orders)

    def add_problem(
        self,
        rule: str,
        order: int | None,
        row: int | None,
        column: str | None = None,
        value: str | None = None,
        *,
        message: str | None = None,
        orders: int = 1,
        rows: int = 1,
        source: str | None = None,
    ) -> None:
        severity, reason = RULES.get(rule, ("error", rule))
        place = (source or self.source, row, column, value, message or reason)
        self.problems.append((rule, severity, order, orders, rows, *place))

    def add_source(self, source: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """A further source, its rows counted from 2."""
        self.others.append(self._source(source, header, rows, {name: name for name in header}))

    def finish(self, **meta: str) -> Path:
        """Write the checkpoint and the source rows; returns the job folder."""
        incoming = Incoming(self.folder)
        incoming.add_orders(order_columns(self.orders))
        incoming.add_problems(self.problems)
        incoming.add_source(self._source(self.source, self.header, self.rows, self.mapping))
        for other in self.others:
            incoming.add_source(other)
        rules = {
            rule: {"severity": severity, "title": title, "remedy": remedy}
            for rule, (severity, reason) in RULES.items()
            for title, _, remedy in [reason.partition(": ")]
        }
        told = {
            "prepared_at": "2026-01-02T03:04:05Z",
            "tool_version": "0.1.0",
            "fingerprint": "f" * 64,
            "seconds_prepare": "1.25",
            "settings": json.dumps({"exports": [self.source], "currency": "USD", "sheet": None}),
            "rules": json.dumps(rules),
        }
        incoming.finish(told | meta).rename(self.folder / CHECKPOINT)
        return self.folder

    def _source(
        self,
        source: str,
        header: Sequence[str],
        rows: Sequence[Sequence[str]],
        mapping: Mapping[str, str],
    ) -> Source:
        columns = tuple(
            f"{name} (2)" if name in header[:at] else name for at, name in enumerate(header)
        )
        sha256 = hashlib.sha256(source.encode()).hexdigest()
        rows_file = kept_rows.file_name(sha256, 0)
        cells = {
            name: pa.array([row[index] for row in rows], pa.string())
            for index, name in enumerate(columns)
        }
        numbers = pa.array(range(2, len(rows) + 2), pa.int64())
        ragged = pa.array([False] * len(rows), pa.bool_())
        with kept_rows.writing(self.folder, rows_file, columns) as write:
            write(pa.table({**cells, "_row": numbers, "_ragged": ragged}))
        details = {
            "encoding": "utf-8",
            "delimiter": ",",
            "header_row": 1,
            "columns": list(columns),
            "header": list(header),
            "mapping": dict(mapping),
            "mapped_columns": {name: [spec.strip("{}")] for name, spec in mapping.items()},
            "of_fixed_rows": False,
            "rows_file": rows_file,
        }
        return Source(source, source, None, sha256, "generic", len(rows), details)


FIRST_NAMES = ("Janet", "Omar", "Lucía", "Wei", "Ingrid", "Kwame")
LAST_NAMES = ("Smith", "Haddad", "Fernández", "Zhang", "Olsen", "Mensah")


def a_shop(folder: Path, orders: int = 400, *, seed: int = 7) -> Path:
    """A dry run of some years of an invented shop, with a few of everything that goes wrong."""
    rng = random.Random(seed)
    job = Job(folder)
    for number in range(orders):
        year, month = 2019 + number * 5 // orders, 1 + number * 60 // orders % 12
        day = f"{year}-{month:02d}-{rng.randrange(1, 28):02d}"
        account = f"affiliate-{min(int(rng.expovariate(0.4)), 9)}"
        buyer = f"{rng.choice(FIRST_NAMES)} {rng.choice(LAST_NAMES)}"
        cents = int(rng.lognormvariate(8.4, 0.9))
        lines = rng.choice((1, 1, 1, 2, 3))
        broken = number % 29 == 3
        cell = {
            "reference_id": str(1000 + number),
            "created_at": day,
            "Buyer": buyer,
            "Phone": "+18015556788",
            "Mail": f"{buyer.split()[0].lower()}@example.com",
            "Address": "1 E Center St, Provo, UT 84606",
            "connect_id": account,
            "item_name": "Tank Top",
            "item_price": f"{cents / lines / 100:.2f}",
            "total": "12,x" if broken else f"{cents / 100:.2f}",
            "Secret note": "call before noon",
        }
        rows = job.add_rows(*[cell] * lines)
        first = int(rows.split("-")[0])
        if broken:
            reason = RULES["bad_money"][1]
            order = job.add_order(
                str(1000 + number), rows, state=State.REJECTED, account=account,
                cents=cents if number % 2 else None,
                day=day, lines=lines, rule="bad_money", reason=reason,
            )  # fmt: skip
            job.add_problem("bad_money", order, first, "total", "12,x")
            continue
        order = job.add_order(
            str(1000 + number), rows, account=account, cents=cents, day=day, lines=lines,
            profile_name=buyer, profile_phone_number="+18015556788",
            profile_email=cell["Mail"], profile_shipping_address_raw=cell["Address"],
        )  # fmt: skip
        if number % 17 == 1:
            job.add_problem("bad_phone", order, first, "Phone", "555-12")
        if number % 5 == 1:
            job.add_problem("total_differs", order, first, "total", cell["total"])
    job.add_problem("ignored_row", None, len(job.rows) + 2, orders=0)
    return job.finish()


def deliver(folder: Path, *, refuse: int = 3, leave: int = 0, minutes: int = 1) -> None:
    """Send a job's orders, as the checkpoint sees it: created, a few refused, some left pending."""
    with Checkpoint(folder / CHECKPOINT) as checkpoint:
        pending = checkpoint.counts()[State.PENDING]
        claims = claim(checkpoint, pending - leave)
        results = [
            Result(one.id, State.CREATED, 1, 201, f"ord_{one.id}") for one in claims[refuse:]
        ] + [
            Result(one.id, State.FAILED, 1, 422, rule="refused",
                   reason="Shout said 422: phone +18015556788 is not allowed")
            for one in claims[:refuse]
        ]  # fmt: skip
        activity = Activity(len(results) + 9, 5, 4, 2, len(results) - refuse, refuse)
        record(checkpoint, results, activity)
        checkpoint.set_meta({"seconds_deliver": "12.5", "api_host": "shout.test"})
        for minute in range(1, minutes):
            checkpoint.query(
                "INSERT INTO activity VALUES (?, ?, ?, ?, ?, ?, 0)",
                (f"2026-01-02T03:{minute:02d}", 300, minute % 4 * 5, minute % 3 * 9, 1,
                 220 + minute * 37 % 90),
            )  # fmt: skip
