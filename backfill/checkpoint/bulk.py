"""Arrow columns into a table of SQLite, through ADBC.

Inserting rows as Python objects takes three times as long, and holds the interpreter lock. ADBC
brings its own SQLite, which does not know the locks of Python's SQLite: never open a file in both
at once.

Only ADBC's low-level API is used. Its DB-API replaces Python's handling of Ctrl-C, and its import
takes half a second for parts of Arrow that are not needed here.
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
        """Add rows to a table; columns are matched by name.

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
        """Close the file; what was not committed is lost."""
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
        """Turn ADBC's errors into those of SQLite, which they report."""
        with storage_errors(self._path):
            try:
                yield
            except (adbc_driver_manager.OperationalError, adbc_driver_manager.InternalError) as exc:
                raise sqlite3.OperationalError(str(exc)) from exc
