"""The checkpoint: one SQLite file a job, where ``prepare`` hands over to ``deliver``.

The order of writes. Everything that is promised about "at most once" stands on these rules:

1.  A body MUST be on disk, as the exact bytes to send, before it can be claimed.
2.  An order MUST be on disk as ``sending`` before the first byte of its request leaves
    (:meth:`Checkpoint.advance` commits the claim before it returns it).
3.  What became of an order MUST be on disk before the worker that sent it gets another one
    (results and the next claim are one transaction).
4.  An order found as ``sending`` at the start MUST be looked up in Shout before it is sent again:
    it may have arrived.
5.  Once an order was ``sending``, its payload MUST NOT change, whatever export or mapping is
    given later, until Shout has refused it or it is known not to have arrived.
6.  An import MUST become visible as a whole or not at all: it is built in a file of its own
    (:class:`Incoming`) and adopted by a rename or in one transaction.

``journal_mode=WAL`` with ``synchronous=FULL``: each commit is flushed to disk before it returns,
so rules 2 and 3 hold through a power loss as well, as far as the disk keeps its word.
(SQLite documentation, "PRAGMA synchronous" and "Write-Ahead Logging".)
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from backfill.errors import CheckpointError, StorageError

FILE_NAME = "checkpoint.sqlite"
INCOMING_NAME = "incoming.sqlite"

SCHEMA_VERSION = 1
APPLICATION_ID = 0x6266696C  # "bfil": tells our file from any other SQLite file


class State(StrEnum):
    """The states of an order, as the contract names them."""

    REJECTED = "rejected"
    SKIPPED = "skipped"
    PENDING = "pending"
    SENDING = "sending"
    CREATED = "created"
    EXISTING = "existing"
    FAILED = "failed"
    UNDONE = "undone"


#: Not known to be in Shout and not in doubt: a later import may replace these.
REPLACEABLE = (State.REJECTED, State.SKIPPED, State.PENDING, State.FAILED)

SCHEMA = f"""
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

-- One row a table of an export (a file, or one sheet of a workbook).
CREATE TABLE sources (
    source      TEXT PRIMARY KEY,        -- as orders.source_file names it
    path        TEXT NOT NULL,
    sheet       TEXT,
    sha256      TEXT NOT NULL,           -- of the file's bytes
    format      TEXT NOT NULL,
    rows        INTEGER NOT NULL,        -- data rows, without the header
    details     TEXT NOT NULL            -- JSON: encoding, delimiter, header row, columns, mapping, rows file
);

CREATE TABLE orders (
    id             INTEGER PRIMARY KEY,  -- the order of appearance, which is the order of sending
    reference_id   TEXT,                 -- NULL only where the rows bear no order key
    account_header TEXT,
    account_id     TEXT,
    state          TEXT NOT NULL
                   CHECK (state IN ({", ".join(f"'{state}'" for state in State)})),
    total_cents    INTEGER,
    line_items     INTEGER NOT NULL DEFAULT 0,
    ordered_on     TEXT,                 -- YYYY-MM-DD, the day of created_at (or of the first time known)
    source_file    TEXT NOT NULL,        -- sources.source; several are joined with '; '
    source_rows    TEXT NOT NULL,        -- as a spreadsheet numbers them: '2-4,9'; a part a file
    attempts       INTEGER NOT NULL DEFAULT 0,
    http_status    INTEGER,
    shout_order_id TEXT,
    rule           TEXT,                 -- the first rule that rejected it, or why it did not go
    reason         TEXT,
    updated_at     TEXT NOT NULL,        -- UTC, ISO 8601
    payload_sha256 TEXT,
    payload        TEXT                  -- the request body, UTF-8; NULL where rejected
);

-- What validation found. orders and rows count what a line stands for: 1 and 1 for a line of its
-- own, 0 orders for a further line of the same rule in the same order, many for a whole column.
CREATE TABLE problems (
    id          INTEGER PRIMARY KEY,
    rule        TEXT NOT NULL,
    severity    TEXT NOT NULL CHECK (severity IN ('error', 'warning')),
    order_id    INTEGER,
    orders      INTEGER NOT NULL,
    rows        INTEGER NOT NULL,
    source_file TEXT NOT NULL,
    row         INTEGER,
    column_name TEXT,
    value       TEXT,
    message     TEXT NOT NULL
);

-- Orders that are in Shout and whose export says something else by now.
CREATE TABLE changes (
    order_id       INTEGER PRIMARY KEY,
    payload        TEXT,
    payload_sha256 TEXT
);

-- What the wire did, by minute (UTC, YYYY-MM-DDTHH:MM).
CREATE TABLE activity (
    minute       TEXT PRIMARY KEY,
    requests     INTEGER NOT NULL DEFAULT 0,
    retries      INTEGER NOT NULL DEFAULT 0,
    rate_limited INTEGER NOT NULL DEFAULT 0,
    lookups      INTEGER NOT NULL DEFAULT 0,
    created      INTEGER NOT NULL DEFAULT 0,
    failed       INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
"""

# Built after a bulk load: sorting once is cheaper than keeping a tree in order.
# orders_by_state serves the claim, the counts and the sums by account without touching a payload.
INDICES = """
CREATE UNIQUE INDEX orders_by_reference_id ON orders (reference_id);
CREATE INDEX orders_by_state ON orders (state, id, account_header, account_id, ordered_on, total_cents);
CREATE INDEX problems_by_order ON problems (order_id);
"""

ORDER_COLUMNS = (
    "reference_id",
    "account_header",
    "account_id",
    "state",
    "total_cents",
    "line_items",
    "ordered_on",
    "source_file",
    "source_rows",
    "rule",
    "reason",
    "payload_sha256",
    "payload",
)
#: One order as :meth:`Incoming.add_orders` takes it: the values of ``ORDER_COLUMNS``, payload as bytes.
OrderRow = tuple[Any, ...]

PROBLEM_COLUMNS = (
    "rule",
    "severity",
    "order_id",
    "orders",
    "rows",
    "source_file",
    "row",
    "column_name",
    "value",
    "message",
)
#: One problem as :meth:`Incoming.add_problems` takes it: the values of ``PROBLEM_COLUMNS``.
ProblemRow = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Source:
    """One table of an export, as the checkpoint remembers it."""

    source: str
    path: str
    sheet: str | None
    sha256: str
    format: str
    rows: int
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Claim:
    """An order that is on disk as ``sending`` and may now be sent, once."""

    id: int
    reference_id: str
    account_header: str
    account_id: str
    payload: bytes
    attempts: int
    total_cents: int | None


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a claimed order.

    ``state`` is ``created``, ``existing``, ``failed`` or ``skipped``; ``pending`` where it is
    certain that it did not arrive; ``sending`` to note attempts while it stays in doubt.
    """

    id: int
    state: State
    attempts: int
    http_status: int | None = None
    shout_order_id: str | None = None
    rule: str | None = None
    reason: str | None = None


@dataclass(slots=True)
class Activity:
    """What the wire did since the last commit."""

    requests: int = 0
    retries: int = 0
    rate_limited: int = 0
    lookups: int = 0
    created: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class Adopted:
    """What an import changed in the job, in orders."""

    new: int = 0
    unchanged: int = 0
    replaced: int = 0
    changed_after_sent: int = 0
    gone: int = 0


@contextlib.contextmanager
def _storage_errors(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into ours, with what to do next.

    :raises StorageError: the disk is full, the folder is read-only, the file is locked.
    :raises CheckpointError: the file is damaged or is no checkpoint.
    """
    try:
        yield
    except sqlite3.DatabaseError as exc:
        text = str(exc)
        if "full" in text:
            raise StorageError(
                f"{path}: the disk is full, so nothing more was sent",
                hint="free some space and run the same command again",
            ) from exc
        if "readonly" in text or "unable to open" in text or "attempt to write" in text:
            raise StorageError(
                f"{path}: cannot be written ({text})",
                hint="make the job folder writable, or name another with --job",
            ) from exc
        if "disk I/O" in text:
            raise StorageError(
                f"{path}: the disk cannot be read or written ({text})",
                hint="check the disk and its free space, then run the same command again",
            ) from exc
        if "locked" in text:
            raise StorageError(
                f"{path}: another program holds the checkpoint open for writing",
                hint="close it and run the same command again",
            ) from exc
        if isinstance(exc, sqlite3.IntegrityError | sqlite3.ProgrammingError):
            raise  # a rule of the schema was broken: a bug, and not to be dressed up
        raise CheckpointError(
            f"{path}: the checkpoint is damaged or is no checkpoint ({text})",
            hint="put back a copy of the job folder; never start an already sent job from nothing",
        ) from exc


def now() -> str:
    """The present moment in UTC, ISO 8601, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _connect(path: Path, *, readonly: bool) -> sqlite3.Connection:
    mode = "ro" if readonly else "rwc"
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        isolation_level=None,  # transactions are written out, see the rules above
        check_same_thread=False,  # deliver commits in a thread; one at a time, never two
        timeout=10.0,
    )
    connection.row_factory = sqlite3.Row
    return connection


class Incoming:
    """A whole new import, in a file of its own until it is adopted (rule 6).

    The file is thrown away after a crash, so it needs no journal and no flushing until the end.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / INCOMING_NAME
        self.orders = 0
        with _storage_errors(self.path):
            for leftover in folder.glob(f"{INCOMING_NAME}*"):
                leftover.unlink()
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
            self._db = _connect(self.path, readonly=False)
            self._db.executescript(
                f"PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA locking_mode=EXCLUSIVE;"
                f"PRAGMA application_id={APPLICATION_ID}; PRAGMA user_version={SCHEMA_VERSION};"
                f"{SCHEMA}"
            )
            self._db.execute("BEGIN")

    def add_orders(self, rows: Iterable[OrderRow]) -> None:
        """Add orders in their order of appearance; ids count from 1."""
        places = ", ".join("?" * (len(ORDER_COLUMNS) - 1))
        with _storage_errors(self.path):
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
        with _storage_errors(self.path):
            self._db.executemany(
                f"INSERT INTO problems ({', '.join(PROBLEM_COLUMNS)}) VALUES ({places})", rows
            )

    def add_source(self, source: Source) -> None:
        """Add one table of an export."""
        with _storage_errors(self.path):
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
        with _storage_errors(self.path):
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


class Checkpoint:
    """An open checkpoint. One writer at a time: the job's lock sees to that."""

    def __init__(self, path: Path, *, readonly: bool = False) -> None:
        """Open the checkpoint at ``path``.

        :raises StorageError: it cannot be opened or written.
        :raises CheckpointError: it is damaged, from a newer version, or no checkpoint.
        """
        self.path = path
        with _storage_errors(path):
            self._db = _connect(path, readonly=readonly)
            try:
                self._check_version()
                if not readonly:
                    self._db.execute("PRAGMA journal_mode=WAL")
                    self._db.execute("PRAGMA synchronous=FULL")
            except BaseException:
                self._db.close()
                raise
        #: Forward scan: claims go through the orders once, from the first to the last.
        self._claimed_up_to = 0

    def _check_version(self) -> None:
        if self._db.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
            raise CheckpointError(
                f"{self.path}: is not a checkpoint of backfill",
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

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with _storage_errors(self.path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                with contextlib.suppress(sqlite3.Error):  # SQLite may have rolled back already
                    self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    # --- handing out and taking back: the wire's side ---------------------------------------

    def advance(
        self, results: Sequence[Result], *, claim: int, activity: Activity | None = None
    ) -> list[Claim]:
        """Write down what became of orders, and claim up to ``claim`` more; one transaction.

        When this returns, the results are on disk, and so is ``sending`` for each claim.
        Claims come in the order of appearance.

        :raises StorageError: nothing was written and nothing is claimed.
        """
        with self._transaction() as db:
            self._write_results(db, results)
            if activity is not None:
                self._write_activity(db, activity)
            if not claim:
                return []
            rows = db.execute(
                "SELECT id, reference_id, account_header, account_id,"
                " CAST(payload AS BLOB) AS payload, attempts, total_cents"
                " FROM orders WHERE state = 'pending' AND id > ? ORDER BY id LIMIT ?",
                (self._claimed_up_to, claim),
            ).fetchall()
            stamp = now()
            db.executemany(
                "UPDATE orders SET state = 'sending', updated_at = ? WHERE id = ?",
                [(stamp, row["id"]) for row in rows],
            )
        if rows:
            self._claimed_up_to = rows[-1]["id"]
        return [Claim(*row) for row in rows]

    def _write_results(self, db: sqlite3.Connection, results: Sequence[Result]) -> None:
        stamp = now()
        cursor = db.executemany(
            "UPDATE orders SET state = ?, attempts = ?, http_status = ?, shout_order_id = ?,"
            " rule = ?, reason = ?, updated_at = ? WHERE id = ? AND state = 'sending'",
            [
                (
                    result.state,
                    result.attempts,
                    result.http_status,
                    result.shout_order_id,
                    result.rule,
                    result.reason,
                    stamp,
                    result.id,
                )
                for result in results
            ],
        )
        if results and cursor.rowcount != len(results):
            raise AssertionError("a result came in for an order that was not claimed")

    def _write_activity(self, db: sqlite3.Connection, activity: Activity) -> None:
        db.execute(
            "INSERT INTO activity VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (minute) DO UPDATE SET"
            " requests = requests + excluded.requests, retries = retries + excluded.retries,"
            " rate_limited = rate_limited + excluded.rate_limited,"
            " lookups = lookups + excluded.lookups, created = created + excluded.created,"
            " failed = failed + excluded.failed",
            (
                now()[:16],
                activity.requests,
                activity.retries,
                activity.rate_limited,
                activity.lookups,
                activity.created,
                activity.failed,
            ),
        )

    def in_doubt(self) -> list[Claim]:
        """The orders that were handed to the network and whose outcome is not known."""
        with _storage_errors(self.path):
            rows = self._db.execute(
                "SELECT id, reference_id, account_header, account_id,"
                " CAST(payload AS BLOB) AS payload, attempts, total_cents"
                " FROM orders WHERE state = 'sending' ORDER BY id"
            ).fetchall()
        return [Claim(*row) for row in rows]

    def park_account(self, account_header: str, account_id: str, rule: str, reason: str) -> int:
        """Set an account's pending orders aside as ``skipped``; returns how many."""
        with self._transaction() as db:
            return db.execute(
                "UPDATE orders SET state = 'skipped', rule = ?, reason = ?, updated_at = ?"
                " WHERE state = 'pending' AND account_header = ? AND account_id = ?",
                (rule, reason, now(), account_header, account_id),
            ).rowcount

    def rewind(self) -> None:
        """Let claims start from the first order again (after orders went back to ``pending``)."""
        self._claimed_up_to = 0

    # --- reading ----------------------------------------------------------------------------

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> sqlite3.Cursor:
        """Run one reading statement; rows come as :class:`sqlite3.Row`."""
        with _storage_errors(self.path):
            return self._db.execute(sql, parameters)

    def counts(self) -> dict[State, int]:
        """How many orders are in each state; every state is a key."""
        found = dict(self.query("SELECT state, count(*) FROM orders GROUP BY state").fetchall())
        return {state: found.get(state.value, 0) for state in State}

    def meta(self) -> dict[str, str]:
        """What is remembered of the job as a whole."""
        return dict(self.query("SELECT key, value FROM meta").fetchall())

    def sources(self) -> list[Source]:
        """The tables of exports that this job has read, in their order."""
        rows = self.query("SELECT * FROM sources ORDER BY rowid").fetchall()
        return [Source(*tuple(row)[:-1], json.loads(row["details"])) for row in rows]

    def set_meta(self, values: dict[str, str]) -> None:
        """Remember something of the job as a whole."""
        with self._transaction() as db:
            db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", values.items())
