"""A job from an export to orders in Shout, through the real command, socket and SQLite file."""

from __future__ import annotations

import csv
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from backfill.checkpoint import Checkpoint
from backfill.job_folder.files import CHECKPOINT
from backfill.sandbox.process import SandboxProcess, start_process
from tests.places import ROOT

EXPORTS = ROOT / ".." / "shared" / "exports"
SAMPLES = ROOT / "sample_data"

needs_exports = pytest.mark.skipif(
    not EXPORTS.is_dir(), reason="the real exports are not beside this checkout"
)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxProcess]:
    """A local Shout in a process of its own."""
    with start_process() as running:
        yield running


@pytest.fixture(autouse=True)
def _fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sandbox: SandboxProcess) -> None:
    monkeypatch.chdir(tmp_path)
    sandbox.reset()
    sandbox.set_faults({})


def backfill(*words: object, code: str = "") -> subprocess.CompletedProcess[str]:
    """The command in a process of its own; ``code`` runs in it first."""
    program = f"{code}\nimport sys; from backfill.cli import main; sys.exit(main(sys.argv[1:]))"
    return subprocess.run(
        [sys.executable, "-c", program, *map(str, words), "--progress", "none"],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def to(sandbox: SandboxProcess) -> list[str]:
    """The options that reach the local Shout."""
    return ["--api-url", sandbox.url, "--header", ": ".join(sandbox.header), "--settle", "0.3"]


def rows_of(path: Path) -> list[dict[str, str]]:
    """A CSV's rows."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


def write(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write rows as CSV."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def simple_orders(count: int) -> list[dict[str, str]]:
    """Orders of two lines each."""
    return [
        {
            "reference_id": str(number),
            "created_at": "2021-04-09T12:00:00-06:00",
            "connect_id": f"A{number % 3}",
            "profile_name": "Janet Smith",
            "item_name": name,
            "item_quantity": "1",
            "item_each_price": "35.00",
        }
        for number in range(1, count + 1)
        for name in ("Tank Top", "T-Shirt")
    ]


# --- real exports ----------------------------------------------------------------------------


@needs_exports
def test_the_shopify_export_arrives_to_the_cent_and_once(sandbox: SandboxProcess) -> None:
    """51 orders, 121 line items, the Total column's sum; the same command again posts nothing."""
    export = EXPORTS / "shopify" / "orders_export_1.csv"
    command = ["run", export, "--currency", "INR", "--connect-id", "A1", *to(sandbox)]
    assert backfill(*command).returncode == 0
    arrived = [one["order"] for one in sandbox.orders()]
    totals = sum(Decimal(row["Total"]) for row in rows_of(export) if row["Total"])
    assert len(arrived) == 51
    assert sum(len(order["line_items"]) for order in arrived) == 121
    assert sum(order["total_cents"] for order in arrived) == totals * 100
    assert backfill(*command).returncode == 0
    stats = sandbox.stats()
    assert (stats["requests"]["arrived"]["create"], stats["texts"]) == (51, 0)


@needs_exports
def test_every_order_of_the_online_retail_workbook_is_accounted_for() -> None:
    """3,056 orders: each ready to send, or rejected with a rule; every row with one of them."""
    export = EXPORTS / "online_retail" / "online_retail_70051_rows.xlsx"
    done = backfill(
        *("validate", export, "--map", "profile_name=CustomerID", "--job", "job"),
        *("--currency", "GBP", "--connect-id", "A1"),
    )
    assert done.returncode == 3, done.stderr
    report = json.loads(Path("job/report.json").read_text())
    assert report["rows"] == 70_051
    assert report["orders"]["total"] == 3_056
    assert report["orders"]["pending"] + report["orders"]["rejected"] == 3_056
    with Checkpoint(Path("job") / CHECKPOINT, readonly=True) as checkpoint:
        reasonless = checkpoint.query(
            "SELECT count(*) FROM orders WHERE state = 'rejected' AND (rule IS NULL OR reason = '')"
        ).fetchone()[0]
        pending = checkpoint.query(
            "SELECT sum(line_items) FROM orders WHERE state = 'pending'"
        ).fetchone()[0]
    assert reasonless == 0
    assert pending + len(rows_of(Path("job/rejected_rows.csv"))) == 70_051


# --- dry run ---------------------------------------------------------------------------------

NO_SOCKETS = """
import socket
def refuse(*_, **__): raise AssertionError("a dry run opened a socket")
class Refused(socket.socket):  # still a class: ssl derives from it
    __init__ = refuse
socket.socket, socket.create_connection, socket.getaddrinfo = Refused, refuse, refuse
"""


def test_the_dry_run_opens_no_socket_and_prepares_the_bytes_that_are_sent(
    sandbox: SandboxProcess,
) -> None:
    """Promise 3: where every socket fails, the dry run does not; and run sends its very bodies."""
    write(Path("orders.csv"), simple_orders(20))
    done = backfill("validate", "orders.csv", code=NO_SOCKETS)
    assert done.returncode == 0, done.stderr
    with Checkpoint(Path("orders.backfill") / CHECKPOINT, readonly=True) as checkpoint:
        reviewed = {row[0] for row in checkpoint.query("SELECT payload FROM orders")}
    assert backfill("run", "orders.csv", *to(sandbox)).returncode == 0
    assert {one["body"] for one in sandbox.orders()} == reviewed


def test_a_run_does_fail_without_sockets(sandbox: SandboxProcess) -> None:
    """So that the test above can be believed."""
    write(Path("orders.csv"), simple_orders(1))
    done = backfill("run", "orders.csv", *to(sandbox), code=NO_SOCKETS)
    assert done.returncode != 0


# --- interrupted -----------------------------------------------------------------------------


def test_killed_at_ten_moments_each_order_is_there_once(sandbox: SandboxProcess) -> None:
    """Promise 2. SIGKILL while preparing, sending, answering; then the same command."""
    write(Path("orders.csv"), simple_orders(400))
    command = [sys.executable, "-m", "backfill", "run", "orders.csv", *to(sandbox)]
    moments = random.Random(7)
    for moment in range(10):
        child = subprocess.Popen(
            [*command, "--rate", "200", "--progress", "none"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        goal = sandbox.stats()["orders"] + moments.randint(0, 40)
        while child.poll() is None and sandbox.stats()["orders"] < goal:
            time.sleep(0.005)
        time.sleep(moments.random() * 0.05)
        child.kill()
        child.wait()
        assert sandbox.stats()["duplicates"] == 0, f"after kill {moment + 1}"
    done = backfill("run", "orders.csv", *to(sandbox))
    assert done.returncode == 0, done.stderr
    stats = sandbox.stats()
    assert (stats["orders"], stats["duplicates"], stats["texts"]) == (400, 0, 0)


def test_a_job_goes_on_without_its_export(sandbox: SandboxProcess) -> None:
    """The checkpoint holds all that a resume needs."""
    write(Path("orders.csv"), simple_orders(9))
    assert backfill("run", "orders.csv", *to(sandbox), "--limit", "4").returncode == 0
    Path("orders.csv").unlink()
    assert backfill("run", "--job", "orders.backfill", *to(sandbox)).returncode == 0
    assert sandbox.stats()["distinct_orders"] == 9


# --- changed and fixed ----------------------------------------------------------------------


def test_a_changed_export_is_told_and_touches_nothing_that_was_sent(
    sandbox: SandboxProcess,
) -> None:
    """New orders are added, waiting ones replaced, and those in Shout left as they were sent."""
    rows = simple_orders(6)
    write(Path("orders.csv"), rows)
    assert backfill("run", "orders.csv", *to(sandbox), "--limit", "3").returncode == 0
    before = {one["order"]["reference_id"]: one["body"] for one in sandbox.orders()}
    for row in rows:
        row["profile_name"] = "Janet Jones"
    write(Path("orders.csv"), [*rows, *simple_orders(7)[-2:]])
    done = backfill("run", "orders.csv", *to(sandbox))
    assert done.returncode == 0, done.stderr
    after = {one["order"]["reference_id"]: one["body"] for one in sandbox.orders()}
    assert {key: after[key] for key in before} == before
    assert sorted(after) == list("1234567")
    assert sum("Janet Jones" in body for body in after.values()) == 3
    with Checkpoint(Path("orders.backfill") / CHECKPOINT, readonly=True) as checkpoint:
        adopted = json.loads(checkpoint.meta()["adopted"])
    assert adopted == {
        "new": 1,
        "replaced": 3,
        "changed_after_sent": 3,
        "unchanged": 0,
        "gone": 0,
        "removed": 0,
    }


#: For each reason that a row came back with: what a person would do about it.
FIXES: dict[str, dict[str, str]] = {
    "missing_reference_id": {"reference_id": "fixed-1"},
    "bad_time": {"created_at": "2021-02-28", "paid_at": ""},
    "time_is_now": {"paid_at": "2021-03-01"},
    "future_time": {"created_at": "2021-05-04T11:20:00-07:00"},
    "no_time": {"created_at": "2021-05-04T11:20:00-07:00"},
    "bad_money": {"total": ""},
    "missing_price": {"item_each_price": "20.00", "total": ""},
    "unreadable_quantity": {"item_quantity": "1", "total": ""},
    "zero_quantity": {"item_quantity": "1", "total": ""},
    "no_line_items": {
        "item_name": "Soap",
        "item_quantity": "1",
        "item_each_price": "5",
        "total": "",
    },
    "negative_total": {"total": "", "item_each_price": "48.50"},
    "cancelled": {"status": "completed", "cancelled_at": ""},
    "voided": {"status": "completed"},
    "conflicting_fields": {"total": ""},
    "conflicting_accounts": {"affiliate": "Marisol Quennell"},
    "unknown_affiliate": {"affiliate": "Marisol Quennell"},
    "missing_account": {"affiliate": "Marisol Quennell"},
    "other_currency": {"currency": "USD"},
    "unreachable_customer": {"profile_name": "Ann"},
}


def test_fixed_rows_go_straight_back_and_end_with_nothing_rejected(
    sandbox: SandboxProcess,
) -> None:
    """Every planted error once; only rejected_rows.csv is fixed, by what its rows say."""
    options = ["--affiliates", SAMPLES / "affiliates.csv", "--timezone", "America/Denver"]
    job = Path("orders.backfill")
    assert backfill("validate", SAMPLES / "orders.csv", *options).returncode == 3
    rejected = [
        row
        for row in rows_of(job / "rejected_rows.csv")
        if row["backfill_rule"] != "affiliate_not_connected"
    ]
    rules = {row["backfill_rule"] for row in rejected}
    assert len(rules) > 12
    for row in rejected:
        if row["backfill_rule"] != "ragged_row":  # put right by having been written out straight
            row.update(FIXES[row["backfill_rule"]])
    write(Path("rejected_rows.csv"), rejected)
    done = backfill(
        *("run", "rejected_rows.csv", "--job", job, *options, *to(sandbox)),
        *("--max-rejected", "100"),
    )
    with Checkpoint(job / CHECKPOINT, readonly=True) as checkpoint:
        left = checkpoint.query(
            "SELECT reference_id, rule, reason FROM orders WHERE state = 'rejected'"
        ).fetchall()
        created = checkpoint.counts()["created"]  # type: ignore[index]
    assert [tuple(row) for row in left] == [], done.stderr
    stats = sandbox.stats()
    assert (
        stats["orders"]
        == created
        == json.loads((job / "report.json").read_text())["orders"]["created"]
    )
    assert (stats["duplicates"], stats["texts"]) == (0, 0)
    assert done.returncode == 3  # those whose affiliate has not connected are still set aside


def test_line_items_in_a_second_file_are_joined_on_the_order_key(sandbox: SandboxProcess) -> None:
    """--items: its rows belong to orders of the export, wherever they stand."""
    rows = simple_orders(3)
    items = [
        {key: row[key] for key in ("reference_id", "item_name", "item_quantity", "item_each_price")}
        for row in reversed(rows)
    ]
    orders = [
        {key: row[key] for key in ("reference_id", "created_at", "connect_id", "profile_name")}
        | {"total": "70.00"}
        for row in rows[::2]
    ]
    write(Path("orders.csv"), orders)
    write(Path("items.csv"), items)
    done = backfill("run", "orders.csv", "--items", "items.csv", *to(sandbox))
    assert done.returncode == 0, done.stderr
    arrived = {one["order"]["reference_id"]: one["order"] for one in sandbox.orders()}
    assert {key: len(order["line_items"]) for key, order in arrived.items()} == {
        "1": 2,
        "2": 2,
        "3": 2,
    }
