"""The open checkpoint: transactions, and the queries that all packages share."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from backfill.checkpoint.choice import Choice, unknown
from backfill.checkpoint.connection import connect, refuse_tampered, remember, storage_errors
from backfill.checkpoint.schema import (
    APPLICATION_ID,
    SCHEMA_VERSION,
    Adopted,
    Source,
    State,
)
from backfill.errors import CheckpointError

T = TypeVar("T")


class Checkpoint:
    """An open checkpoint. One writer at a time: the job's lock sees to that."""

    def __init__(self, path: Path, *, readonly: bool = False) -> None:
        """Open the checkpoint at ``path``.

        :raises StorageError: it cannot be opened or written.
        :raises CheckpointError: it is damaged, from a newer version, or no checkpoint.
        """
        self.path = path
        refuse_tampered(path)
        with storage_errors(path):
            self._db = connect(path, readonly=readonly)
            try:
                self._check_version()
                if not readonly:
                    self._db.execute("PRAGMA journal_mode=WAL")
                    self._db.execute("PRAGMA synchronous=FULL")
            except BaseException:
                self._db.close()
                raise
        #: Further condition that an order meets to be taken up.
        self._chosen = ""

    def _check_version(self) -> None:
        if self._db.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
            raise CheckpointError(
                f"{self.path}: not a checkpoint of backfill",
                hint="name the job folder of an earlier run, or a new one, with --job",
            )
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version != SCHEMA_VERSION:
            raise CheckpointError(
                f"{self.path}: was written by another version of backfill "
                f"(schema {version}, this one knows {SCHEMA_VERSION})",
                hint="finish the job with the version it was started with",
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; what was committed stays."""
        self._db.close()

    # --- writing ----------------------------------------------------------------------------

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction: all of the block is written, or nothing."""
        with storage_errors(self.path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                self._roll_back()
                raise

    def begin(self, write: Callable[[sqlite3.Connection], T]) -> Callable[[], T]:
        """Run ``write`` in a new transaction; the function returned commits it.

        Only the commit gives out what ``write`` returned, so nothing can be acted on before it is
        on disk. The commit may run in another thread while nothing else uses the checkpoint. It
        is one call into SQLite; if ``write`` ran there as well, that thread would wait for the
        interpreter's lock hundreds of times.

        :raises StorageError: nothing was written; so does the commit.
        """
        with storage_errors(self.path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                written = write(self._db)
            except BaseException:
                self._roll_back()
                raise

        def commit() -> T:
            with storage_errors(self.path):
                try:
                    self._db.execute("COMMIT")
                except BaseException:
                    self._roll_back()
                    raise
            return written

        return commit

    # --- which orders a run takes up --------------------------------------------------------

    def choose(self, choice: Choice) -> None:
        """Let claims, and what is in doubt, be only the orders of ``choice``.

        :raises UsageError: no order has one of its accounts or reference ids.
        """
        for what, column, values in (
            ("account", "account_id", choice.accounts),
            ("reference id", "reference_id", choice.reference_ids),
        ):
            for value in values:
                if not self.query(f"SELECT 1 FROM orders WHERE {column} = ?", (value,)).fetchone():
                    raise unknown(what, value)
        condition, parameters = choice.where()
        with self.writing() as db:
            db.execute("CREATE TEMP TABLE chosen (id INTEGER PRIMARY KEY)")
            db.execute(f"INSERT INTO chosen SELECT id FROM orders WHERE {condition}", parameters)
        self._chosen = " AND id IN chosen"

    @property
    def chosen(self) -> str:
        """The choice as SQL that follows another condition; empty where there is none."""
        return self._chosen

    def left(self) -> dict[State, int]:
        """How many orders a run takes up: pending ones, and ones in doubt."""
        found = dict(
            self.query(
                "SELECT state, count(*) FROM orders WHERE state IN ('pending', 'sending')"
                f"{self._chosen} GROUP BY state"
            ).fetchall()
        )
        return {state: found.get(state.value, 0) for state in (State.PENDING, State.SENDING)}

    def _roll_back(self) -> None:
        with contextlib.suppress(sqlite3.Error):  # SQLite may have rolled back already
            self._db.execute("ROLLBACK")

    def adopt_from(self, incoming: Path, merge: Callable[[sqlite3.Connection], Adopted]) -> Adopted:
        """Run ``merge`` with the file ``incoming`` attached under that name; one transaction."""
        with storage_errors(self.path):
            self._db.execute("ATTACH ? AS incoming", (str(incoming),))
        try:
            with self.writing() as db:
                return merge(db)
        finally:
            with contextlib.suppress(sqlite3.Error):
                self._db.execute("DETACH incoming")

    # --- reading ----------------------------------------------------------------------------

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> sqlite3.Cursor:
        """Run one reading statement; rows come as :class:`sqlite3.Row`."""
        with storage_errors(self.path):
            return self._db.execute(sql, parameters)

    def counts(self) -> dict[State, int]:
        """How many orders are in each state; every state is a key."""
        found = dict(self.query("SELECT state, count(*) FROM orders GROUP BY state").fetchall())
        return {state: found.get(state.value, 0) for state in State}

    def meta(self) -> dict[str, str]:
        """What is remembered of the job as a whole."""
        return dict(self.query("SELECT key, value FROM meta").fetchall())

    def remembered(self, key: str) -> dict[str, Any]:
        """What :meth:`meta` holds under ``key`` as JSON; empty where it is not there."""
        found = self.query("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return json.loads(found[0] or "{}") if found else {}

    def currency(self) -> str:
        """The currency of the orders."""
        return str(self.remembered("settings").get("currency") or "USD")

    def sources(self) -> list[Source]:
        """The tables of exports that this job has read, in their order."""
        rows = self.query("SELECT * FROM sources ORDER BY rowid").fetchall()
        return [Source(**{**dict(row), "details": json.loads(row["details"])}) for row in rows]

    def set_meta(self, values: dict[str, str]) -> None:
        """Remember something of the job as a whole."""
        with self.writing() as db:
            remember(db, values)
