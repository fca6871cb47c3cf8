"""What the tests of the whole preparation share: exports in, orders as the checkpoint has them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from backfill import progress
from backfill.prepare.pipeline import prepare
from backfill.settings import ImportSettings

Line = tuple[str | None, float, int]
"""name, quantity, price_cents"""


@dataclass(frozen=True)
class Prepared:
    """What exports came to."""

    formats: list[str]
    """of each source"""
    orders: list[dict[str, Any]]
    """the checkpoint's rows, with ``body`` the order inside the payload (None: rejected)"""
    problems: list[dict[str, Any]]

    @property
    def bodies(self) -> dict[str, dict[str, Any]]:
        """The orders that would be sent, by their order keys."""
        return {order["reference_id"]: order["body"] for order in self.orders if order["body"]}

    @property
    def rejected(self) -> dict[str | None, str]:
        """The rule that rejects each order that would not be sent."""
        return {order["reference_id"]: order["rule"] for order in self.orders if order["rule"]}

    @property
    def rules(self) -> set[str]:
        """The rules of all problems."""
        return {problem["rule"] for problem in self.problems}

    def lines(self, key: str) -> list[Line]:
        """An order's line items."""
        return [
            (line.get("name"), line["quantity"], line["price_cents"])
            for line in self.bodies[key]["line_items"]
        ]


def prepared(*exports: Path, **settings: Any) -> Prepared:
    """Prepare exports for one account, in UTC unless ``timezone`` is given."""
    wanted = ImportSettings(
        **{"exports": exports, "connect_id": "A1", "timezone": "UTC", **settings}
    )
    with TemporaryDirectory() as folder:
        done = prepare(wanted, Path(folder), known={}, progress=progress.make("none"))
        with closing(sqlite3.connect(done.incoming.finish({}))) as db:
            db.row_factory = sqlite3.Row
            orders = [dict(row) for row in db.execute("SELECT * FROM orders ORDER BY id")]
            problems = [dict(row) for row in db.execute("SELECT * FROM problems ORDER BY id")]
            formats = [row["format"] for row in db.execute("SELECT format FROM sources")]
    for order in orders:
        payload = order["payload"]
        order["body"] = json.loads(payload)["order"] if payload is not None else None
    return Prepared(formats, orders, problems)


def csv_text(*rows: Sequence[object], delimiter: str = ",") -> str:
    """Rows as CSV, quoted where needed."""
    return "".join(delimiter.join(map(_quoted, row)) + "\r\n" for row in rows)


def _quoted(cell: object) -> str:
    text = "" if cell is None else str(cell)
    if any(char in text for char in ',;\t|"\r\n'):
        return '"' + text.replace('"', '""') + '"'
    return text
