"""The books and the decisions, as the terminal, ``report.json`` and ``report.html`` show them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from backfill.sandbox.process import SandboxProcess
from tests.operations.jobs import JOB, order, orders, to, typed, write


def report() -> Any:
    return json.loads((JOB / "report.json").read_text(encoding="utf-8"))


def require_balance(books: Any) -> None:
    rows, money = dict(books["rows"]), dict(books["money_cents"])
    assert rows.pop("read") == sum(rows.values())
    assert money.pop("export") == sum(money.values())


def test_the_books_follow_the_orders(
    sandbox: SandboxProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    """From ready to sent, undone and rejected, the parts always make up the export."""
    write("orders.csv", [*orders(range(6)), *order(9, item_quantity="none")])
    assert typed("validate", "orders.csv", "--max-rejected", "100") == 3
    ready = report()["books"]
    require_balance(ready)
    assert ready["rows"] == {"read": 14, "in_orders": 14, "ignored": 0, "in_no_order": 0}
    assert ready["money_cents"]["sent"] == 0
    assert typed("run", "--job", JOB, "--max-rejected", "100", *to(sandbox)) == 3
    assert typed("undo", JOB, "--limit", "2", *to(sandbox)) == 0
    assert typed("report", JOB) == 3
    books = report()["books"]
    require_balance(books)
    assert books["money_cents"]["export"] == ready["money_cents"]["export"]
    assert books["money_cents"]["undone"] > 0
    assert (
        books["money_cents"]["sent"] + books["money_cents"]["undone"]
        == (ready["money_cents"]["ready"])
    )
    told = capsys.readouterr().out
    assert "rows      14 read: 14 in orders" in told
    assert "in the export: " in told


def test_the_page_shows_books_and_decisions() -> None:
    """The books are its first table; what was decided stands with evidence and override."""
    write("orders.csv", orders(range(3)))
    assert typed("validate", "orders.csv") == 0
    page = (JOB / "report.html").read_text(encoding="utf-8")
    assert page.index("The books: every row") < page.index("<table") + 200
    assert "How this export was read" in page
    decisions = report()["decisions"]
    assert {"encoding", "header", "platform", "field"} <= {one["what"] for one in decisions}
    assert all(one["settled_by"] for one in decisions)
    assert "--encoding NAME" in page
