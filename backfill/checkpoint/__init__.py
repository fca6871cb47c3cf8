"""The checkpoint: one SQLite file per job, where ``prepare`` hands over to ``deliver``.

The write rules. Everything that is promised about "at most once" rests on them:

1.  A body MUST be on disk, as the exact bytes to send, before it can be claimed.
2.  An order MUST be on disk as ``sending`` before the first byte of its request leaves (the loop
    in :mod:`backfill.deliver.loop` commits a claim before it hands it to a worker).
3.  What became of an order MUST be on disk before the worker that sent it gets another one
    (results and the next claims are one transaction).
4.  An order found as ``sending`` at the start MUST be looked up in Shout before it is sent again:
    it may have arrived.
5.  Once an order was ``sending``, its payload MUST NOT change, whatever export or mapping is
    given later, until Shout has refused it or it is known not to have arrived.
6.  An import MUST become visible as a whole or not at all: it is built in a file of its own
    (:mod:`~backfill.checkpoint.incoming`) and adopted by a rename or in one transaction.
7.  The same holds after the import: an order MUST be on disk as ``sending`` before a request to
    delete it leaves, and a message before it leaves. An update needs no claim, because a ``PUT``
    of the same body twice is as good as once.

``journal_mode=WAL`` with ``synchronous=FULL``: each commit is flushed to disk before it returns,
so rules 2 and 3 also hold through a power loss, provided that the disk does what it reports.
(SQLite documentation, "PRAGMA synchronous" and "Write-Ahead Logging".)
"""

from __future__ import annotations

from backfill.checkpoint.adopt import adopt
from backfill.checkpoint.connection import now, remember
from backfill.checkpoint.decisions import Decision, Evidence, SettledBy
from backfill.checkpoint.places import addresses
from backfill.checkpoint.schema import (
    IN_SHOUT,
    LEARNED,
    NOT_CREATED,
    ORDER_COLUMNS,
    PROBLEM_COLUMNS,
    PURGED,
    REPLACEABLE,
    Activity,
    Adopted,
    Claim,
    ProblemRow,
    Result,
    Source,
    State,
    WireRule,
    as_sql,
)
from backfill.checkpoint.store import Checkpoint

__all__ = [
    "IN_SHOUT",
    "LEARNED",
    "NOT_CREATED",
    "ORDER_COLUMNS",
    "PROBLEM_COLUMNS",
    "PURGED",
    "REPLACEABLE",
    "Activity",
    "Adopted",
    "Checkpoint",
    "Claim",
    "Decision",
    "Evidence",
    "ProblemRow",
    "Result",
    "SettledBy",
    "Source",
    "State",
    "WireRule",
    "addresses",
    "adopt",
    "as_sql",
    "now",
    "remember",
]
