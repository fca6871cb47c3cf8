"""The script that people write first: groupby, iterrows, one session, one order after another.

    python plain.py EXPORT [ADDRESS]

Without an address the bodies are only made. It checks nothing, remembers nothing, and after a
crash begins anew.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import requests  # type: ignore[import-untyped]


def orders(export: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """The account and the order of each group of rows."""
    table = pd.read_csv(export, dtype=str)
    for reference_id, rows in table.groupby("reference_id", sort=False):
        first = rows.iloc[0]
        items = []
        for _, row in rows.iterrows():
            each, quantity = round(float(row["item_each_price"]) * 100), int(row["item_quantity"])
            items.append(
                {
                    "name": row["item_name"],
                    "each_price_cents": each,
                    "quantity": quantity,
                    "price_cents": each * quantity,
                }
            )
        yield (
            first["connect_id"],
            {
                "reference_id": reference_id,
                "created_at": first["created_at"],
                "paid_at": first["paid_at"],
                "profile_name": first["profile_name"],
                "profile_phone_number": first["profile_phone_number"],
                "profile_email": first["profile_email"],
                "profile_shipping_address_raw": first["profile_shipping_address_raw"],
                "line_items": items,
                "total_cents": round(float(first["total"]) * 100),
                "fail_if_connect_orders_not_enabled": True,
                "dont_trigger_auto_actions": True,
            },
        )


def main() -> None:
    """Make every body, and post it where there is an address."""
    if len(sys.argv) == 2:
        for _, order in orders(Path(sys.argv[1])):
            json.dumps({"order": order})
        return
    with requests.Session() as session:
        for account, order in orders(Path(sys.argv[1])):
            answer = session.post(
                f"{sys.argv[2]}/orders",
                json={"order": order},
                headers={"X-Shout-Connect-ID": account},
                timeout=30,
            )
            answer.raise_for_status()


if __name__ == "__main__":
    main()
