"""Arrow columns into a table of SQLite, through ADBC.

Rows that become Python's own objects on their way take three times as long, and hold the
interpreter meanwhile. ADBC brings an SQLite of its own, which does not know of the locks that
Python's holds: never have a file open in both at once.

Only ADBC's lower half is used. Its DB-API answers Ctrl-C in Python's place, and imports half a
second of Arrow that nobody here needs.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

import adbc_driver_manager
import adbc_driver_sqlite
import pyarrow as pa

from backfill.checkpoint.connection import storage_errors


class BulkLoad:
    """One transaction over a file that is thrown away if it fails: no journal, no flushing."""

    def __init__(self, path: Path) -> None:
        """:raises StorageError: the file cannot be written."""
        self._path = path
        self._lock = Lock()  # rows are read in one thread and orders written in another
        with self._errors():
            self._database = adbc_driver_sqlite.connect(str(path))
            self._connection = adbc_driver_manager.AdbcConnection(self._database)
            for pragma in ("journal_mode=OFF", "synchronous=OFF", "locking_mode=EXCLUSIVE"):
                self._execute(f"PRAGMA {pragma}")
            self._execute("BEGIN")

    def insert(self, table: str, rows: pa.RecordBatch) -> None:
        """Add rows to a table, whose columns bear the names of theirs.

        :raises StorageError: the disk is full.
        """
        names = rows.schema.names
        places = ", ".join("?" * len(names))
        if rows.num_rows:
            with self._lock, self._errors():
                self._execute(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({places})", rows)

    def commit(self) -> None:
        """Write the rest, and close the file.

        :raises StorageError: the disk is full.
        """
        with self._errors():
            self._execute("COMMIT")
        self.close()

    def close(self) -> None:
        """Let go of the file; what was not committed is void."""
        self._connection.close()
        self._database.close()

    def _execute(self, sql: str, rows: pa.RecordBatch | None = None) -> None:
        with adbc_driver_manager.AdbcStatement(self._connection) as statement:
            statement.set_sql_query(sql)
            if rows is not None:
                statement.prepare()
                statement.bind(rows)
            statement.execute_update()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """What ADBC reports is what SQLite said to it."""
        with storage_errors(self._path):
            try:
                yield
            except (adbc_driver_manager.OperationalError, adbc_driver_manager.InternalError) as exc:
                raise sqlite3.OperationalError(str(exc)) from exc
