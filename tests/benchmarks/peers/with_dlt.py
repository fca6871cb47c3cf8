"""The same work as a pipeline of dlt with a custom destination.

    python with_dlt.py EXPORT ADDRESS FOLDER

The source groups rows with the plain script's own function, so that what differs is the loading.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
os.environ["DLT_DATA_DIR"] = sys.argv[3]

import dlt  # type: ignore[import-not-found]
import requests  # type: ignore[import-untyped]
from plain import orders  # type: ignore[import-not-found]

session = requests.Session()


def rows(export: Path) -> Iterator[dict[str, Any]]:
    """One item an order: its account, and the order whole."""
    for account, order in orders(export):
        yield {"account": account, "body": order}


def post(items: list[dict[str, Any]], table: dict[str, Any]) -> None:
    """Post each item of a batch."""
    for item in items:
        answer = session.post(
            f"{sys.argv[2]}/orders",
            json={"order": item["body"]},
            headers={"X-Shout-Connect-ID": item["account"]},
            timeout=30,
        )
        answer.raise_for_status()


if __name__ == "__main__":
    source = dlt.resource(rows(Path(sys.argv[1])), name="orders", max_table_nesting=0)
    shout = dlt.destination(
        post,
        name="shout",
        batch_size=100,
        skip_dlt_columns_and_tables=True,
        naming_convention="direct",
    )
    pipeline = dlt.pipeline("orders", destination=shout, pipelines_dir=sys.argv[3])
    pipeline.run(source).raise_on_failed_jobs()
