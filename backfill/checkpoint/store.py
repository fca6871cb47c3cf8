"""The open checkpoint: handing out orders, taking back what became of them, and reading."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import orjson

from backfill.checkpoint.choice import Choice, unknown
from backfill.checkpoint.connection import connect, now, storage_errors
from backfill.checkpoint.schema import (
    APPLICATION_ID,
    SCHEMA_VERSION,
    Activity,
    Adopted,
    Claim,
    Result,
    Source,
    State,
)
from backfill.errors import CheckpointError

T = TypeVar("T")

_ALL = -1
"""As SQLite's LIMIT has it."""


class Checkpoint:
    """An open checkpoint. One writer at a time: the job's lock sees to that."""

    def __init__(self, path: Path, *, readonly: bool = False) -> None:
        """Open the checkpoint at ``path``.

        :raises StorageError: it cannot be opened or written.
        :raises CheckpointError: it is damaged, from a newer version, or no checkpoint.
        """
        self.path = path
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
        #: Forward scan: claims go through the orders once, from the first to the last.
        self._claimed_up_to = 0
        #: Further condition that an order meets to be taken up.
        self._chosen = ""

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
        with storage_errors(self.path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                self._roll_back()
                raise

    def writing(self) -> contextlib.AbstractContextManager[sqlite3.Connection]:
        """One transaction, for the other rooms of the checkpoint."""
        return self._transaction()

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

    # --- handing out and taking back: the wire's side ---------------------------------------

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
        with self._transaction() as db:
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

    def advance(
        self, results: Sequence[Result], *, claim: int, activity: Activity | None = None
    ) -> list[Claim]:
        """Write down what became of orders, and claim up to ``claim`` more; one transaction.

        When this returns, the results are on disk, and so is ``sending`` for each claim.
        Claims come in the order of appearance.

        :raises StorageError: nothing was written and nothing is claimed.
        """
        return self.start_advance(results, claim=claim, activity=activity)()

    def start_advance(
        self, results: Sequence[Result], *, claim: int, activity: Activity | None = None
    ) -> Callable[[], list[Claim]]:
        """The first half of :meth:`advance`; gives the second, which waits for the disk.

        Only the second half hands out the claims, so none can be sent before it is on disk. It
        may run in a thread, while nothing else uses the checkpoint: it is one call into SQLite,
        and a thread that made hundreds would wait for the interpreter's lock hundreds of times.

        :raises StorageError: as :meth:`advance`; so does the second half.
        """
        with storage_errors(self.path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                self._write_results(self._db, results)
                if activity is not None:
                    self._write_activity(self._db, activity)
                claims = self._claim(self._db, claim) if claim else []
            except BaseException:
                self._roll_back()
                raise

        def finish() -> list[Claim]:
            with storage_errors(self.path):
                try:
                    self._db.execute("COMMIT")
                except BaseException:
                    self._roll_back()
                    raise
            if claims:
                self._claimed_up_to = claims[-1].id
            return claims

        return finish

    def _claim(self, db: sqlite3.Connection, most: int) -> list[Claim]:
        rows = _claims(db, f"state = 'pending' AND id > ?{self._chosen}", self._claimed_up_to, most)
        if rows:
            # All chosen pending orders between the first and the last are the ones just read. The
            # plus keeps SQLite from walking the index that this statement changes.
            db.execute(
                "UPDATE orders SET state = 'sending', updated_at = ?"
                f" WHERE +state = 'pending' AND id BETWEEN ? AND ?{self._chosen}",
                (now(), rows[0].id, rows[-1].id),
            )
        return rows

    def _roll_back(self) -> None:
        with contextlib.suppress(sqlite3.Error):  # SQLite may have rolled back already
            self._db.execute("ROLLBACK")

    def _write_results(self, db: sqlite3.Connection, results: Sequence[Result]) -> None:
        # Most orders end alike but for Shout's id, and one statement for all of those costs two
        # thirds of one for each. The plus: see _claim.
        alike: dict[tuple[Any, ...], dict[int, str | None]] = {}
        for order, state, attempts, status, shout_id, rule, reason in results:
            alike.setdefault((state, attempts, status, rule, reason), {})[order] = shout_id
        written = 0
        for same, shout_ids in alike.items():
            written += db.execute(
                "UPDATE orders SET state = ?, attempts = ?, http_status = ?, rule = ?, reason = ?,"
                " updated_at = ?, shout_order_id = result.value FROM json_each(?) AS result"
                " WHERE orders.id = CAST(result.key AS INTEGER) AND +state = 'sending'",
                (*same, now(), orjson.dumps(shout_ids, option=orjson.OPT_NON_STR_KEYS)),
            ).rowcount
        if written != len(results):
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
        with storage_errors(self.path):
            return _claims(self._db, f"state = 'sending' AND id > ?{self._chosen}", 0, _ALL)

    def park_account(
        self,
        account_header: str,
        account_id: str,
        rule: str,
        reason: str,
        *,
        refused: Sequence[int] = (),
    ) -> int:
        """Set an account's pending orders aside as ``skipped``; returns how many.

        :param refused: ids of its orders that ``failed`` on the way to finding out; they are
            ``skipped`` too and keep their own reason.
        """
        with self._transaction() as db:
            stamp = now()
            db.executemany(
                "UPDATE orders SET state = 'skipped', rule = ?, updated_at = ?"
                " WHERE id = ? AND state = 'failed'",
                [(rule, stamp, one) for one in refused],
            )
            return db.execute(
                "UPDATE orders SET state = 'skipped', rule = ?, reason = ?, updated_at = ?"
                " WHERE state = 'pending' AND account_header = ? AND account_id = ?",
                (rule, reason, stamp, account_header, account_id),
            ).rowcount

    def rewind(self) -> None:
        """Let claims start from the first order again (after orders went back to ``pending``)."""
        self._claimed_up_to = 0

    def adopt_from(self, incoming: Path, merge: Callable[[sqlite3.Connection], Adopted]) -> Adopted:
        """Run ``merge`` with the file ``incoming`` attached under that name; one transaction."""
        with storage_errors(self.path):
            self._db.execute("ATTACH ? AS incoming", (str(incoming),))
        try:
            with self._transaction() as db:
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

    def sources(self) -> list[Source]:
        """The tables of exports that this job has read, in their order."""
        rows = self.query("SELECT * FROM sources ORDER BY rowid").fetchall()
        return [Source(**{**dict(row), "details": json.loads(row["details"])}) for row in rows]

    def set_meta(self, values: dict[str, str]) -> None:
        """Remember something of the job as a whole."""
        with self._transaction() as db:
            db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", values.items())


def _claims(db: sqlite3.Connection, which: str, *parameters: int) -> list[Claim]:
    """The first of the orders that a condition names, in the order of appearance."""
    cursor = db.cursor()
    cursor.row_factory = None  # plain rows: sqlite3.Row would be made for nothing
    cursor.execute(
        "SELECT id, reference_id, account_header, account_id,"
        " CAST(payload AS BLOB), attempts, total_cents"
        f" FROM orders WHERE {which} ORDER BY id LIMIT ?",
        parameters,
    )
    return [Claim._make(row) for row in cursor]
