"""The tables of a job as DataFrames, for notebooks."""

from __future__ import annotations

import pandas as pd

from backfill.checkpoint import Checkpoint

_ORDERS = (
    "SELECT reference_id, account_header, account_id, state, total_cents, line_items, ordered_on,"
    " source_file, source_rows, attempts, http_status, shout_order_id, rule, reason, updated_at"
    " FROM orders ORDER BY id"
)
_PROBLEMS = (
    "SELECT problems.rule, severity, reference_id, orders, rows, problems.source_file, row,"
    " column_name, value, message"
    " FROM problems LEFT JOIN orders ON orders.id = problems.order_id ORDER BY problems.id"
)


def orders(checkpoint: Checkpoint) -> pd.DataFrame:
    """One row per order, without the bodies."""
    return _frame(checkpoint, _ORDERS).astype({"total_cents": "Int64", "http_status": "Int64"})


def problems(checkpoint: Checkpoint) -> pd.DataFrame:
    """One row per problem that validation found."""
    return _frame(checkpoint, _PROBLEMS).astype({"row": "Int64"})


def _frame(checkpoint: Checkpoint, sql: str) -> pd.DataFrame:
    found = checkpoint.query(sql)
    columns = [name for name, *_ in found.description]
    return pd.DataFrame.from_records(list(map(tuple, found)), columns=columns)
