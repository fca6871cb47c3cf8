"""A preparation writes its orders as whole columns; what the disk says to that reaches a person."""

from __future__ import annotations

import resource
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from hashlib import sha256
from pathlib import Path

import pyarrow as pa
import pytest

from backfill.checkpoint.incoming import Incoming
from backfill.errors import StorageError
from tests.order_columns import order_columns

ODD = 'Zoë "The Rose" \\ 薔薇 🌹\n\t\x7f'


def orders(count: int, text: str = "x") -> pa.RecordBatch:
    row = (*("X-Shout-Connect-ID", text), "pending", 700, 1, "2021-04-09", "o.csv", "2", None, None)
    return order_columns([(str(number), *row, text) for number in range(count)])


def test_columns_arrive_as_they_were(tmp_path: Path) -> None:
    """Text in any script, numbers up to int64, and nulls; the hash is that of the very bytes."""
    incoming = Incoming(tmp_path)
    sent = ("pending", 2**63 - 1, 3, None, "a.csv", "2-4", None, None, ODD)
    kept = ("rejected", None, 0, None, "a.csv", "5", "bad_money", "why", None)
    rows = [("#1", "X-Shout-User-Id", ODD, *sent), (None, None, None, *kept)]
    incoming.add_orders(order_columns(rows))
    incoming.add_problems([("bad_money", "error", 2, 1, 1, "a.csv", 5, "total", "x", "why")])
    with closing(sqlite3.connect(incoming.finish({"some": "thing"}))) as db:
        names = "reference_id, account_header, account_id, state, total_cents, line_items,"
        names += " ordered_on, source_file, source_rows, rule, reason, payload"
        assert db.execute(f"SELECT {names} FROM orders ORDER BY id").fetchall() == rows
        assert db.execute("SELECT id, typeof(payload), payload_sha256 FROM orders").fetchall() == [
            (1, "text", sha256(ODD.encode()).hexdigest()),
            (2, "null", None),
        ]
        assert db.execute("SELECT order_id, row, value FROM problems").fetchall() == [(2, 5, "x")]
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_disk_that_takes_no_more_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    """Whether it shows while orders are added or when the rest is written."""
    incoming = Incoming(tmp_path)
    with files_of_at_most(1 << 20), pytest.raises(StorageError, match="disk"):
        for _ in range(100):
            incoming.add_orders(orders(1000, "x" * 500))
    incoming.discard()
    assert not list(tmp_path.iterdir())

    incoming = Incoming(tmp_path)
    incoming.add_orders(orders(300, "x" * 2000))
    with files_of_at_most(1 << 16), pytest.raises(StorageError, match="disk"):
        incoming.finish({})
    assert not list(tmp_path.iterdir())


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
