"""The same work with one durable workflow an order, on DBOS and SQLite.

    python with_dbos.py EXPORT ADDRESS FOLDER

The rows are grouped with the plain script's own function, so that what differs is the sending.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import requests  # type: ignore[import-untyped]
from dbos import DBOS, SetWorkflowID  # type: ignore[import-not-found]
from plain import orders  # type: ignore[import-not-found]

session = requests.Session()
session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=64))


def post(account: str, order: dict[str, Any]) -> int:
    """One request."""
    answer = session.post(
        f"{sys.argv[2]}/orders",
        json={"order": order},
        headers={"X-Shout-Connect-ID": account},
        timeout=30,
    )
    answer.raise_for_status()
    return int(answer.status_code)


def send(account: str, order: dict[str, Any]) -> int:
    """One order: sent, and remembered as sent."""
    status: int = durable_post(account, order)
    return status


durable_post = DBOS.step()(post)
durable_send = DBOS.workflow()(send)


def main() -> None:
    """Start a workflow an order, and wait for all of them; DBOS runs them on 64 threads."""
    address = f"sqlite:///{sys.argv[3]}/dbos.sqlite"
    DBOS(config={"name": "orders", "system_database_url": address, "log_level": "ERROR"})
    DBOS.launch()
    handles = []
    for account, order in orders(Path(sys.argv[1])):
        with SetWorkflowID(order["reference_id"]):
            handles.append(DBOS.start_workflow(durable_send, account, order))
    for handle in handles:
        handle.get_result()
    DBOS.destroy()


if __name__ == "__main__":
    main()
