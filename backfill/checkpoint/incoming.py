"""A new import: built in a file of its own, and adopted by the checkpoint as a whole.

Orders go into SQLite as Arrow columns. Only ``prepare`` uses this module, so Arrow is not imported
when a job is only resumed.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import pyarrow as pa

from backfill.checkpoint import books
from backfill.checkpoint.bulk import BulkLoad
from backfill.checkpoint.connection import connect, now, storage_errors
from backfill.checkpoint.decisions import Decision, as_rows
from backfill.checkpoint.schema import (
    APPLICATION_ID,
    INDICES,
    ORDER_COLUMNS,
    PROBLEM_COLUMNS,
    SCHEMA,
    SCHEMA_VERSION,
    ProblemRow,
    Source,
)
from backfill.job_folder.files import INCOMING

_NUMBERS = ("total_cents", "line_items", "order_id", "orders", "rows", "row", "fixed_row")


def _schema(columns: Iterable[str]) -> pa.Schema:
    return pa.schema([(name, pa.int64() if name in _NUMBERS else pa.string()) for name in columns])


#: What :meth:`Incoming.add_orders` takes; the payload as text.
ORDERS = _schema(name for name in ORDER_COLUMNS if name != "payload_sha256")
_PROBLEMS = _schema(PROBLEM_COLUMNS)
_FIXED_ROWS = _schema(("source_file", "row", "fixed_file", "fixed_row"))


class Incoming:
    """A whole new import, in a file of its own until it is adopted (rule 6).

    The file is thrown away after a crash, so it needs no journal and no flushing until the end.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / INCOMING
        self._sources: list[Source] = []
        self._decisions: list[Decision] = []
        self._expected: books.Export | None = None
        with storage_errors(self.path):
            for leftover in folder.glob(f"{INCOMING}*"):
                leftover.unlink()
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
            with self._opened() as db:
                db.executescript(
                    f"PRAGMA application_id={APPLICATION_ID}; PRAGMA user_version={SCHEMA_VERSION};"
                    f"{SCHEMA}"
                )
        self._bulk = BulkLoad(self.path)

    def add_orders(self, orders: pa.RecordBatch) -> None:
        """Add orders in their order of appearance; ids count from 1.

        :param orders: columns as in :data:`ORDERS`.
        """
        hashed = orders.append_column("payload_sha256", _sha256(orders["payload"]))
        stamp = pa.repeat(now(), len(orders))
        self._bulk.insert("orders", hashed.append_column("updated_at", stamp))

    def add_problems(self, rows: Iterable[ProblemRow]) -> None:
        """Add what validation found; ``order_id`` counts as in :meth:`add_orders`."""
        self._bulk.insert("problems", _batch(rows, _PROBLEMS))

    def add_fixed_rows(self, rows: Iterable[tuple[str, int, str, int]]) -> None:
        """Note which rows of earlier sources this import brings back fixed, and where."""
        self._bulk.insert("fixed_rows", _batch(rows, _FIXED_ROWS))

    def add_source(self, source: Source) -> None:
        """Add one table of an export."""
        self._sources.append(source)

    def add_decisions(self, decisions: Iterable[Decision]) -> None:
        """Add what was decided while reading, in this order."""
        self._decisions.extend(decisions)

    def expect(self, orders: int, cents: int) -> None:
        """What the orders must add up to, as the export was read."""
        self._expected = books.Export(orders, cents)

    def finish(self, meta: dict[str, str]) -> Path:
        """Finish the import; it is completely on disk when this returns.

        :raises StorageError: the disk is full; nothing is left of the import.
        :raises BooksDoNotBalance: the orders are not those that were read; likewise.
        """
        try:
            self._bulk.commit()
            with storage_errors(self.path):
                with ThreadPoolExecutor(1) as beside, self._opened() as db:
                    flushing = beside.submit(self._flush)  # most of it, while an index is sorted
                    db.execute("BEGIN")
                    db.executemany("INSERT INTO meta VALUES (?, ?)", meta.items())
                    db.executemany(
                        "INSERT INTO sources VALUES (?, ?, ?, ?, ?, ?, ?)", map(_row, self._sources)
                    )
                    db.executemany(
                        "INSERT INTO decisions VALUES (NULL, ?, ?, ?, ?, ?, ?, ?)",
                        as_rows(self._decisions),
                    )
                    if self._expected is not None:
                        books.open_books(db, self._expected)
                    db.execute("COMMIT")
                    db.executescript(INDICES)
                    flushing.result()
                self._flush()
        except BaseException:  # leave nothing behind on a full disk
            self.discard()
            raise
        return self.path

    def discard(self) -> None:
        """Throw the import away."""
        self._bulk.close()
        self.path.unlink(missing_ok=True)

    def _flush(self) -> None:
        with open(self.path, "rb+") as file:
            os.fsync(file.fileno())

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        db = connect(self.path, readonly=False)
        try:
            # Threads: sorting for an index can use the other core.
            db.executescript("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA threads=2;")
            yield db
        finally:
            db.close()


def _batch(rows: Iterable[tuple[object, ...]], schema: pa.Schema) -> pa.RecordBatch:
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    arrays = [pa.array(column, kind) for column, kind in zip(columns, schema.types, strict=True)]
    return pa.record_batch(arrays, schema=schema)


def _sha256(bodies: pa.StringArray) -> pa.StringArray:
    texts = bodies.cast(pa.binary()).to_numpy(zero_copy_only=False).tolist()
    hashes = [None if text is None else sha256(text).hexdigest() for text in texts]
    return pa.array(hashes, pa.string())


def _row(source: Source) -> tuple[object, ...]:
    return (
        source.source,
        source.path,
        source.sheet,
        source.sha256,
        source.format,
        source.rows,
        json.dumps(source.details, ensure_ascii=False),
    )
