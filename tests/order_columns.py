"""Orders as ``prepare`` hands them to the checkpoint, from rows that a test can write down."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from backfill.checkpoint.incoming import ORDERS


def order_columns(rows: Sequence[Sequence[Any]]) -> pa.RecordBatch:
    """One row per order, its values in the sequence of :data:`ORDERS`."""
    columns = [list(column) for column in zip(*rows, strict=True)] or [[]] * len(ORDERS)
    return pa.record_batch(columns, schema=ORDERS)
