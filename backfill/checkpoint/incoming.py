"""A new import: built apart from the checkpoint, and adopted by it whole."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterable
from pathlib import Path

from backfill.checkpoint.connection import connect, now, storage_errors
from backfill.checkpoint.schema import (
    APPLICATION_ID,
    INCOMING_NAME,
    INDICES,
    ORDER_COLUMNS,
    PROBLEM_COLUMNS,
    SCHEMA,
    SCHEMA_VERSION,
    OrderRow,
    ProblemRow,
    Source,
)


class Incoming:
    """A whole new import, in a file of its own until it is adopted (rule 6).

    The file is thrown away after a crash, so it needs no journal and no flushing until the end.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / INCOMING_NAME
        self.orders = 0
        self._lock = threading.Lock()  # rows are read in one thread and orders written in another
        with storage_errors(self.path):
            for leftover in folder.glob(f"{INCOMING_NAME}*"):
                leftover.unlink()
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
            self._db = connect(self.path, readonly=False)
            self._db.executescript(
                f"PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA locking_mode=EXCLUSIVE;"
                f"PRAGMA application_id={APPLICATION_ID}; PRAGMA user_version={SCHEMA_VERSION};"
                f"{SCHEMA}"
            )
            self._db.execute("BEGIN")

    def add_orders(self, rows: Iterable[OrderRow]) -> None:
        """Add orders in their order of appearance; ids count from 1."""
        places = ", ".join("?" * (len(ORDER_COLUMNS) - 1))
        with self._lock, storage_errors(self.path):
            cursor = self._db.executemany(
                # CAST keeps the very bytes and makes them readable as text in any SQLite tool.
                f"INSERT INTO orders ({', '.join(ORDER_COLUMNS)}, updated_at)"
                f" VALUES ({places}, CAST(? AS TEXT), '{now()}')",
                rows,
            )
            self.orders += cursor.rowcount

    def add_problems(self, rows: Iterable[ProblemRow]) -> None:
        """Add what validation found; ``order_id`` counts as in :meth:`add_orders`."""
        places = ", ".join("?" * len(PROBLEM_COLUMNS))
        with self._lock, storage_errors(self.path):
            self._db.executemany(
                f"INSERT INTO problems ({', '.join(PROBLEM_COLUMNS)}) VALUES ({places})", rows
            )

    def add_mended(self, rows: Iterable[tuple[str, int]]) -> None:
        """Note which rows of earlier sources this import brings back mended."""
        with self._lock, storage_errors(self.path):
            self._db.executemany("INSERT INTO mended VALUES (?, ?)", rows)

    def add_source(self, source: Source) -> None:
        """Add one table of an export."""
        with storage_errors(self.path):
            self._db.execute(
                "INSERT INTO sources VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    source.source,
                    source.path,
                    source.sheet,
                    source.sha256,
                    source.format,
                    source.rows,
                    json.dumps(source.details, ensure_ascii=False),
                ),
            )

    def finish(self, meta: dict[str, str]) -> Path:
        """Close the import; it is on disk, whole, when this returns."""
        with storage_errors(self.path):
            self._db.executemany("INSERT INTO meta VALUES (?, ?)", meta.items())
            self._db.execute("COMMIT")
            self._db.executescript(INDICES)
            self._db.close()
            with open(self.path, "rb+") as file:
                os.fsync(file.fileno())
        return self.path

    def discard(self) -> None:
        """Throw the import away."""
        self._db.close()
        self.path.unlink(missing_ok=True)
