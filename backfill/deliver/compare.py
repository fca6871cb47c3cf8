"""Whether the order that Shout shows is the order that was meant.

The shape of an answer is that of Shout's public page "Enable Connect Orders & Text Alerts":
quantities as floats, line prices formatted (``"$70.00"``). What an answer does not show is no
difference; what it shows otherwise is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import zip_longest
from typing import Any

from orjson import loads  # every answer is read, and it is five times as fast as json

from backfill.deliver.gate import FLAG

Order = Mapping[str, Any]

_MONEY = re.compile(r"[-−(]?\D{0,5}(\d{1,3}(?:[.,' ]\d{3})+|\d+)(?:[.,](\d\d))?\D{0,5}")
_A_DAY = timedelta(days=1)


def order_in(body: bytes) -> Order | None:
    """The order that an answer shows, bare or under ``order``; None where it is no JSON object."""
    try:
        document = loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict):
        return None
    inner = document.get("order")
    return inner if isinstance(inner, dict) else document


def meant(payload: bytes) -> Order:
    """The order in a request body."""
    order: Order = json.loads(payload)["order"]
    return order


def shout_id(order: Order) -> str | None:
    """Shout's own id of an order."""
    value = order.get("id")
    return None if value is None else str(value)


def differences(wanted: Order, shown: Order) -> list[str]:
    """What ``shown`` says otherwise than ``wanted``: flag, key, total, time and lines, one each."""
    found: list[str] = []
    if shown.get(FLAG, True) is not True:
        found.append(f"{FLAG} is {json.dumps(shown[FLAG])}")
    key = shown.get("reference_id")
    if key is not None and str(key) != str(wanted.get("reference_id")):
        found.append(f"reference_id is {key!r}, not {wanted.get('reference_id')!r}")
    total = total_cents(shown)
    if None not in (total, wanted.get("total_cents")) and total != wanted["total_cents"]:
        found.append(f"total_cents is {total}, not {wanted['total_cents']}")
    found += time_differences(wanted, shown, ("created_at",))
    return found + _line_differences(wanted.get("line_items"), shown.get("line_items"))


def time_differences(wanted: Order, shown: Order, fields: Sequence[str]) -> list[str]:
    """What ``shown`` says otherwise about the times that ``fields`` name, one each."""
    return [
        f"{field} is {shown[field]}, not {wanted[field]}"
        for field in fields
        if not _same_time(wanted.get(field), shown.get(field))
    ]


def total_cents(order: Order) -> int | None:
    """The total of an order as an answer shows it, in cents; None where it does not."""
    value = order.get("total_cents")
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return cents(order.get("total"))


def cents(value: object) -> int | None:
    """``"$1,234.50"`` -> 123450; None where it cannot be told."""
    if not isinstance(value, str) or (match := _MONEY.fullmatch(value.strip())) is None:
        return None
    whole, fraction = match.groups()
    amount = int(re.sub(r"\D", "", whole)) * 100 + int(fraction or 0)
    return -amount if value.strip()[0] in "-−(" or "-" in value[: match.start(1)] else amount


def _same_time(wanted: object, shown: object) -> bool:
    """Whether two times are one instant; a date alone is any instant of that day, in any zone."""
    if not isinstance(wanted, str) or not isinstance(shown, str):
        return True
    try:
        meant_at, shown_at = datetime.fromisoformat(wanted), datetime.fromisoformat(shown)
    except ValueError:
        return wanted == shown
    if meant_at.tzinfo is None or shown_at.tzinfo is None:
        apart = meant_at.replace(tzinfo=None) - shown_at.replace(tzinfo=None)
        return abs(apart) <= _A_DAY
    return meant_at == shown_at


def _line_differences(wanted: object, shown: object) -> list[str]:
    if not isinstance(wanted, list) or not isinstance(shown, list):
        return []
    if len(wanted) != len(shown):
        return [f"{len(shown)} line items, not {len(wanted)}"]
    ours, theirs = sorted(map(_line, wanted)), sorted(map(_line, shown))
    found = []
    for ours_, theirs_ in zip_longest(ours, theirs):
        for field, a, b in zip(_LINE_FIELDS, ours_, theirs_, strict=True):
            if a and b and a != b:
                found.append(f"line item {ours_[0][0]!r}: {field} is {b[0]}, not {a[0]}")
    return found


_LINE_FIELDS = ("name", "quantity", "price in cents", "each price in cents")


def _line(line: object) -> tuple[tuple[Any, ...], ...]:
    """A line item as comparable values, each in a tuple that is empty where it is not shown."""
    if not isinstance(line, dict):
        return ((), (), (), ())
    quantity = line.get("quantity")
    return (
        _known(str(line["name"]).strip() if line.get("name") is not None else None),
        _known(float(quantity) if isinstance(quantity, int | float) else None),
        _known(_line_cents(line, "price")),
        _known(_line_cents(line, "each_price")),
    )


def _line_cents(line: Mapping[str, Any], field: str) -> int | None:
    exact = line.get(f"{field}_cents")
    return exact if isinstance(exact, int) else cents(line.get(field))


def _known(value: Any) -> tuple[Any, ...]:
    return () if value is None else (value,)
