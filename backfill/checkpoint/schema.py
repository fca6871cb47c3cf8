"""The tables of a checkpoint, and their rows as types."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

SCHEMA_VERSION = 2
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


#: In Shout, as far as the checkpoint knows.
IN_SHOUT = (State.CREATED, State.EXISTING)
#: Will not be created as things stand.
NOT_CREATED = (State.REJECTED, State.SKIPPED, State.FAILED)
#: Not known to be in Shout and not in doubt: a later import may replace these.
REPLACEABLE = (State.REJECTED, State.SKIPPED, State.PENDING, State.FAILED, State.UNDONE)


def as_sql(states: Iterable[State]) -> str:
    """States as they stand between the brackets of SQL's ``IN ()``."""
    return ", ".join(f"'{state}'" for state in states)


class WireRule(StrEnum):
    """``orders.rule`` as delivery and undo set it; the other rules are those of validation."""

    ACCOUNT_REFUSED = "account_refused"
    """the account refuses all of its orders"""
    REFUSED = "refused"
    """Shout refused the order"""
    NO_ANSWER = "no_answer"
    """no request to create it was answered, and it is not in Shout"""
    DIFFERS = "differs"
    """an order with its key is in Shout, with other content"""
    ANSWER_DIFFERS = "answer_differs"
    """it was created, but Shout's answer is not what was sent"""
    IN_DOUBT = "in_doubt"
    """lookups do not tell whether it is in Shout"""
    NOT_PROVEN_OURS = "not_proven_ours"
    """``existing``: it was left in doubt and is in Shout; nothing proves that we created it"""
    UNDOING = "undoing"
    """in state ``sending``: the request that may be under way is one to delete it"""


#: ``meta``: when a job's personal data was purged.
PURGED = "purged_at"
#: ``meta``: what delivery has learned of Shout, as JSON.
LEARNED = "learned"

SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

-- One row per table of an export (a file, or one sheet of a workbook).
CREATE TABLE sources (
    source      TEXT PRIMARY KEY,        -- as orders.source_file names it
    path        TEXT NOT NULL,
    sheet       TEXT,
    sha256      TEXT NOT NULL,           -- of the file's bytes
    format      TEXT NOT NULL,
    rows        INTEGER NOT NULL,        -- data rows, without the header
    details     TEXT NOT NULL            -- JSON: encoding, columns, mapping, rows file, ...
);

CREATE TABLE orders (
    id             INTEGER PRIMARY KEY,  -- the order of appearance, which is the order of sending
    reference_id   TEXT,                 -- NULL only where the rows bear no order key
    account_header TEXT,
    account_id     TEXT,
    state          TEXT NOT NULL,        -- a State; a CHECK of it costs 40 % of a bulk load
    total_cents    INTEGER,
    line_items     INTEGER NOT NULL DEFAULT 0,
    ordered_on     TEXT,                 -- YYYY-MM-DD, the day of created_at as it is sent
    source_file    TEXT NOT NULL,        -- sources.source; several are joined with '; '
    source_rows    TEXT NOT NULL,        -- as a spreadsheet numbers them: '2-4,9'; a part a file
    attempts       INTEGER NOT NULL DEFAULT 0,
    http_status    INTEGER,
    shout_order_id TEXT,
    rule           TEXT,                 -- the first rule that rejected it, or left it out
    reason         TEXT,
    updated_at     TEXT NOT NULL,        -- UTC, ISO 8601
    payload_sha256 TEXT,
    payload        TEXT                  -- the request body, UTF-8; NULL where rejected
);

-- Serves the claim, the counts and all sums of the reports without touching a payload. Orders come
-- in the sequence of their ids, so it is kept while they come: cheaper than to read all again.
CREATE INDEX orders_by_state
    ON orders (state, id, account_header, account_id, ordered_on, total_cents, line_items);

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

-- What was decided while the exports were read: see decisions.py.
CREATE TABLE decisions (
    id          INTEGER PRIMARY KEY,
    what        TEXT NOT NULL,
    source      TEXT,                    -- sources.source; NULL where it holds for all of them
    column_name TEXT,
    value       TEXT NOT NULL,
    settled_by  TEXT NOT NULL,           -- option, mapping, platform, proof or default
    evidence    TEXT NOT NULL,           -- JSON: supporting, contradicting, example, row, note
    override    TEXT                     -- the option that decides otherwise
);

-- What the export now says of orders that are in Shout and have changed in it.
CREATE TABLE changes (
    order_id       INTEGER PRIMARY KEY,
    state          TEXT NOT NULL,        -- the state that validation gives it now
    account_header TEXT,
    account_id     TEXT,
    total_cents    INTEGER,
    line_items     INTEGER NOT NULL,
    ordered_on     TEXT,
    source_file    TEXT NOT NULL,
    source_rows    TEXT NOT NULL,
    payload_sha256 TEXT,
    payload        TEXT
);

-- Orders that were sent, and whose export was read again and no longer has them.
CREATE TABLE gone (order_id INTEGER PRIMARY KEY);

-- Orders that were never sent, and were removed because their export no longer has them.
CREATE TABLE removed (
    reference_id   TEXT NOT NULL,
    account_id     TEXT,
    state          TEXT NOT NULL         -- at that time
);

-- What reading orders back from Shout found; of the last check only.
CREATE TABLE verified (
    order_id   INTEGER PRIMARY KEY,
    verdict    TEXT NOT NULL CHECK (verdict IN ('equal', 'different', 'missing', 'unanswered')),
    cents      INTEGER,                  -- the total that Shout shows
    fields     TEXT NOT NULL,            -- JSON: the fields that differ, ["total_cents"]
    what       TEXT                      -- what differs, in words
);

-- One message per account at most: on disk as sending before it leaves, and never sent twice.
CREATE TABLE notifications (
    account_header TEXT NOT NULL,
    account_id     TEXT NOT NULL,
    state          TEXT NOT NULL CHECK (state IN ('sending', 'sent', 'failed', 'in_doubt')),
    body           TEXT NOT NULL,
    message_id     TEXT,
    reason         TEXT,
    updated_at     TEXT NOT NULL,
    PRIMARY KEY (account_header, account_id)
) WITHOUT ROWID;

-- Source rows that an import brings back fixed; filled only in an incoming import.
CREATE TABLE fixed_rows (
    source_file TEXT NOT NULL,
    row         INTEGER NOT NULL,
    fixed_file  TEXT NOT NULL,           -- where it is now
    fixed_row   INTEGER NOT NULL
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
INDICES = """
CREATE UNIQUE INDEX orders_by_reference_id ON orders (reference_id);
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

#: What an export now says of an order that is in Shout; named as in ``orders``.
CHANGE_COLUMNS = (
    "order_id",
    "state",
    "account_header",
    "account_id",
    "total_cents",
    "line_items",
    "ordered_on",
    "source_file",
    "source_rows",
    "payload_sha256",
    "payload",
)

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


class Claim(NamedTuple):
    """An order that is on disk as ``sending`` and may now be sent, once."""

    id: int
    reference_id: str
    account_header: str
    account_id: str
    payload: bytes
    attempts: int
    total_cents: int | None

    @property
    def account(self) -> tuple[str, str]:
        """Header and id of the account that it goes to."""
        return self.account_header, self.account_id


class Result(NamedTuple):
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
    """were sent, and are no longer in their export"""
    removed: int = 0
    """were not sent, are no longer in their export, and have left the job"""
