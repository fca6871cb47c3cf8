"""The sandbox's SQLite file: accounts, orders, text messages, messages to affiliates.

Every write is on disk as far as the operating system is concerned before it is answered, so it
survives a SIGKILL of the sandbox (not a power cut: WAL with ``synchronous=OFF``, as this is a
rehearsal and must not be what slows it down).
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from backfill.sandbox.settings import SandboxError

AccountKind = Literal["connect_id", "user_id"]

SCHEMA = """
CREATE TABLE IF NOT EXISTS accounts (
    id         INTEGER PRIMARY KEY,
    connect_id TEXT UNIQUE,
    user_id    TEXT UNIQUE
);
CREATE TABLE IF NOT EXISTS orders (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,  -- an id is never given twice, as in Shout
    account      INTEGER NOT NULL REFERENCES accounts (id),
    reference_id TEXT,
    name         TEXT,
    total_cents  INTEGER,
    silent       INTEGER NOT NULL,  -- dont_trigger_auto_actions was exactly true
    arrived_at   TEXT NOT NULL,
    body         TEXT NOT NULL      -- the request body as it came; after an update, as it stands
);
CREATE INDEX IF NOT EXISTS orders_key ON orders (account, reference_id);
CREATE TABLE IF NOT EXISTS texts (
    id       INTEGER PRIMARY KEY,
    account  INTEGER NOT NULL REFERENCES accounts (id),
    order_id INTEGER NOT NULL,
    phone    TEXT NOT NULL,
    sent_at  TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS texts_account ON texts (account);
CREATE TABLE IF NOT EXISTS messages (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    account INTEGER NOT NULL REFERENCES accounts (id),
    body    TEXT NOT NULL,
    sent_at TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS messages_account ON messages (account);
"""

#: An account is shown by the id the organisation itself uses, where it is known.
ACCOUNT_NAME = "coalesce(accounts.connect_id, accounts.user_id)"

#: Columns and tables of a StoredOrder.
STORED_ORDER = (
    f"orders.id, account, {ACCOUNT_NAME}, arrived_at, body"
    " FROM orders JOIN accounts ON accounts.id = account"
)


def now() -> str:
    """UTC, ISO 8601 with offset, to the microsecond."""
    return datetime.now(UTC).isoformat()


@dataclass(frozen=True, slots=True)
class StoredOrder:
    """One order as it stands in the store."""

    id: int
    account: int
    account_name: str
    arrived_at: str
    body: str

    @property
    def order(self) -> dict[str, Any]:
        """The body's ``order``."""
        order: dict[str, Any] = json.loads(self.body)["order"]
        return order


class Store:
    """The database, on one connection that only the event loop's thread uses."""

    def __init__(self, path: Path | None) -> None:
        """Open or make the file at ``path`` (None: in memory).

        Raises SandboxError where SQLite cannot.
        """
        try:
            self._db = sqlite3.connect(path or ":memory:", isolation_level=None)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=OFF")
            self._db.executescript(SCHEMA)
        except sqlite3.Error as error:
            raise SandboxError(
                f"{path}: cannot be used as the sandbox's database: {error}"
            ) from error

    def close(self) -> None:
        """Move the write-ahead log into the file, and close it."""
        self._db.close()

    def account(self, kind: AccountKind, value: str, partner: str | None) -> int:
        """The account that ``value`` names, made where it is new.

        ``partner`` is the same account's id of the other kind, where one is known.
        """
        found = self._one(f"SELECT id FROM accounts WHERE {kind} = ?", (value,))
        if found is None:
            other = "user_id" if kind == "connect_id" else "connect_id"
            found = self._one(
                f"INSERT INTO accounts ({kind}, {other}) VALUES (?, ?) RETURNING id",
                (value, partner),
            )
        return int(found[0])

    def account_named(self, name: str) -> int:
        """The id of the account that is shown as ``name``; 0 if there is none."""
        found = self._one(f"SELECT id FROM accounts WHERE {ACCOUNT_NAME} = ?", (name,))
        return int(found[0]) if found else 0

    def create(
        self, account: int, order: dict[str, Any], body: str, text_to: str | None
    ) -> tuple[int, str]:
        """Commit an order and the text message it would have caused; returns id and arrival."""
        arrived_at = now()
        row = (account, *_columns(order), arrived_at, body)
        insert = (
            "INSERT INTO orders"
            " (account, reference_id, name, total_cents, silent, arrived_at, body)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)"
        )
        if text_to is None:
            return int(self._db.execute(insert, row).lastrowid or 0), arrived_at
        with self._db:
            self._db.execute("BEGIN")
            order_id = int(self._db.execute(insert, row).lastrowid or 0)
            self._text(account, order_id, text_to, arrived_at)
        return order_id, arrived_at

    def update(
        self, stored: StoredOrder, order: dict[str, Any], text_to: str | None
    ) -> StoredOrder:
        """Replace what is stored with ``order``, and commit."""
        body = json.dumps({"order": order}, ensure_ascii=False, separators=(",", ":"))
        with self._db:
            self._db.execute("BEGIN")
            self._db.execute(
                "UPDATE orders SET"
                " reference_id = ?, name = ?, total_cents = ?, silent = ?, body = ? WHERE id = ?",
                (*_columns(order), body, stored.id),
            )
            if text_to is not None:
                self._text(stored.account, stored.id, text_to, now())
        return StoredOrder(stored.id, stored.account, stored.account_name, stored.arrived_at, body)

    def move(self, order_id: int, account: int) -> None:
        """Put an order under another account."""
        self._db.execute("UPDATE orders SET account = ? WHERE id = ?", (account, order_id))

    def delete(self, order_id: int) -> None:
        """Delete the order, and commit."""
        self._db.execute("DELETE FROM orders WHERE id = ?", (order_id,))

    def message(self, account: int, body: str) -> tuple[int, str]:
        """Commit a message to an affiliate; returns its id and time."""
        sent_at = now()
        row = (account, body, sent_at)
        insert = "INSERT INTO messages (account, body, sent_at) VALUES (?, ?, ?)"
        return int(self._db.execute(insert, row).lastrowid or 0), sent_at

    def has(self, account: int, reference_id: str) -> bool:
        """Whether the account has an order with this reference id."""
        query = "SELECT 1 FROM orders WHERE account = ? AND reference_id = ?"
        return self._one(query, (account, reference_id)) is not None

    def first(self, account: int, reference_id: str) -> StoredOrder | None:
        """The account's oldest order with this reference id."""
        found = self.orders(account=account, reference_id=reference_id, limit=1)
        return found[0] if found else None

    def by_id(self, order_id: int) -> StoredOrder | None:
        """The order with Shout's own id."""
        found = self.orders(after=order_id - 1, limit=1)
        return found[0] if found and found[0].id == order_id else None

    def orders(
        self,
        *,
        account: int | None = None,
        reference_id: str | None = None,
        search: str = "",
        after: int = 0,
        limit: int = 1000,
    ) -> list[StoredOrder]:
        """Orders with an id above ``after``, oldest first; ``search``: in reference id or name."""
        where, values = _filter(account, reference_id, search)
        rows = self._db.execute(
            f"SELECT {STORED_ORDER} WHERE {where} AND orders.id > ? ORDER BY orders.id LIMIT ?",
            (*values, after, limit),
        )
        return [StoredOrder(*row) for row in rows]

    def count(
        self, *, account: int | None = None, reference_id: str | None = None, search: str = ""
    ) -> int:
        """How many orders :meth:`orders` would give without a limit."""
        where, values = _filter(account, reference_id, search)
        return int(self._one(f"SELECT count(*) FROM orders WHERE {where}", values)[0])

    def newest(
        self, *, account: int | None, search: str, skip: int, limit: int
    ) -> list[StoredOrder]:
        """Orders as in :meth:`orders`, newest first, without the first ``skip``."""
        where, values = _filter(account, None, search)
        rows = self._db.execute(
            f"SELECT {STORED_ORDER} WHERE {where} ORDER BY orders.id DESC LIMIT ? OFFSET ?",
            (*values, limit, skip),
        )
        return [StoredOrder(*row) for row in rows]

    def texts(self) -> list[dict[str, Any]]:
        """Every text message a real Shout would have sent."""
        return self._dicts(
            f"SELECT texts.id, {ACCOUNT_NAME} AS account, order_id, phone, sent_at"
            " FROM texts JOIN accounts ON accounts.id = account ORDER BY texts.id"
        )

    def messages(self) -> list[dict[str, Any]]:
        """Every message to an affiliate."""
        return self._dicts(
            f"SELECT messages.id, {ACCOUNT_NAME} AS account, connect_id, user_id, body, sent_at"
            " FROM messages JOIN accounts ON accounts.id = account ORDER BY messages.id"
        )

    def accounts(self) -> list[dict[str, Any]]:
        """Every account seen, with its counts; ``duplicates``: orders beyond the first of a key."""
        return self._dicts(
            f"""
            SELECT accounts.id, {ACCOUNT_NAME} AS name, connect_id, user_id,
                   coalesce(n, 0) AS orders, coalesce(cents, 0) AS total_cents,
                   coalesce(n - keys, 0) AS duplicates,
                   (SELECT count(*) FROM texts WHERE account = accounts.id) AS texts,
                   (SELECT count(*) FROM messages WHERE account = accounts.id) AS messages
            FROM accounts LEFT JOIN (
                SELECT account, count(*) AS n, sum(total_cents) AS cents,
                       count(DISTINCT reference_id) + count(*) - count(reference_id) AS keys
                FROM orders GROUP BY account
            ) ON account = accounts.id
            ORDER BY accounts.id
            """
        )

    def reset(self) -> None:
        """Forget everything."""
        for table in ("texts", "messages", "orders", "accounts"):
            self._db.execute(f"DELETE FROM {table}")

    def _text(self, account: int, order_id: int, phone: str, sent_at: str) -> None:
        self._db.execute(
            "INSERT INTO texts (account, order_id, phone, sent_at) VALUES (?, ?, ?, ?)",
            (account, order_id, phone, sent_at),
        )

    def _one(self, query: str, values: tuple[Any, ...]) -> Any:
        return self._db.execute(query, values).fetchone()

    def _dicts(self, query: str) -> list[dict[str, Any]]:
        cursor = self._db.execute(query)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor]


def _columns(order: dict[str, Any]) -> tuple[Any, ...]:
    return (
        order.get("reference_id"),
        order.get("profile_name"),
        order.get("total_cents"),
        order.get("dont_trigger_auto_actions") is True,
    )


def _filter(
    account: int | None, reference_id: str | None, search: str
) -> tuple[str, tuple[str | int, ...]]:
    parts: list[str] = ["TRUE"]
    values: list[str | int] = []
    if account is not None:
        parts.append("account = ?")
        values.append(account)
    if reference_id is not None:
        parts.append("reference_id = ?")
        values.append(reference_id)
    if search:
        escaped = search.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
        parts.append(r"(reference_id LIKE ? ESCAPE '\' OR name LIKE ? ESCAPE '\')")
        values += [f"%{escaped}%"] * 2
    return " AND ".join(parts), tuple(values)
