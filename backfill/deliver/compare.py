"""Whether the order that Shout shows is the order that was sent.

The shape of an answer is that of Shout's public page "Enable Connect Orders & Text Alerts":
quantities as floats, line prices formatted (``"$70.00"``). What an answer does not show is not a
difference.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from backfill.deliver.gate import FLAG

ShownOrder = Mapping[str, Any]
"""The fields of an order, as Shout shows it or as it was sent."""

_MONEY = re.compile(r"[-−(]?\D{0,5}(\d{1,3}(?:[.,' ]\d{3})+|\d+)(?:[.,](\d\d))?\D{0,5}")
_A_DAY = timedelta(days=1)
TIMES = ("created_at", "invoiced_at", "paid_at", "shipped_at", "refunded_at")


@dataclass(frozen=True, slots=True)
class Difference:
    """One value that Shout shows and that is not the one that was sent."""

    field: str
    """of the order: ``total_cents``, or ``line_items`` for all about those"""
    sent: object
    shown: object
    where: str = ""
    """what about ``field`` differs, for people; empty: all of it"""

    def __str__(self) -> str:
        return f"{self.where or self.field} is {_text(self.shown)}, not {_text(self.sent)}"


def in_words(differences: Iterable[Difference]) -> str:
    """Differences in one line; empty where there are none."""
    return "; ".join(map(str, differences))


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def sent_order(payload: bytes) -> ShownOrder:
    """The order in a request body."""
    order: ShownOrder = json.loads(payload)["order"]
    return order


def differences(
    sent: ShownOrder, shown: ShownOrder, *, times: Iterable[str] = ("created_at",)
) -> list[Difference]:
    """What ``shown`` says otherwise than ``sent``: flag, key, total, times and line items.

    :param times: the fields that are compared as times.
    """
    found: list[Difference] = []
    if shown.get(FLAG, True) is not True:
        found.append(Difference(FLAG, True, shown[FLAG]))
    key, sent_key = shown.get("reference_id"), sent.get("reference_id")
    if key is not None and str(key) != str(sent_key):
        found.append(Difference("reference_id", sent_key, key))
    total, sent_total = total_cents(shown), sent.get("total_cents")
    if None not in (total, sent_total) and total != sent_total:
        found.append(Difference("total_cents", sent_total, total))
    found += [
        Difference(field, sent[field], shown[field])
        for field in times
        if not _same_time(sent.get(field), shown.get(field))
    ]
    return [*found, *_line_differences(sent.get("line_items"), shown.get("line_items"))]


def total_cents(order: ShownOrder) -> int | None:
    """The total of an order as an answer shows it, in cents; None where it does not."""
    value = order.get("total_cents")
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return cents(order.get("total"))


def cents(value: object) -> int | None:
    """``"$1,234.50"`` -> 123450; None where it cannot be read."""
    if not isinstance(value, str) or (match := _MONEY.fullmatch(value.strip())) is None:
        return None
    whole, fraction = match.groups()
    amount = int(re.sub(r"\D", "", whole)) * 100 + int(fraction or 0)
    return -amount if value.strip()[0] in "-−(" or "-" in value[: match.start(1)] else amount


def _same_time(sent: object, shown: object) -> bool:
    """Whether two times are one instant; a date alone is any instant of that day, in any zone."""
    if not isinstance(sent, str) or not isinstance(shown, str):
        return True
    try:
        sent_at, shown_at = datetime.fromisoformat(sent), datetime.fromisoformat(shown)
    except ValueError:
        return sent == shown
    if sent_at.tzinfo is None or shown_at.tzinfo is None:
        apart = sent_at.replace(tzinfo=None) - shown_at.replace(tzinfo=None)
        return abs(apart) <= _A_DAY
    return sent_at == shown_at


def _line_differences(sent: object, shown: object) -> Iterator[Difference]:
    if not isinstance(sent, list) or not isinstance(shown, list):
        return
    if len(sent) != len(shown):
        yield number_of_line_items(len(sent), len(shown))
        return
    for ours, theirs in zip(sorted(map(_line, sent)), sorted(map(_line, shown)), strict=True):
        name = "".join(ours[0])
        for value, a, b in zip(_LINE_VALUES, ours, theirs, strict=True):
            if a and b and a != b:
                where = f"{value} of line item {name!r}"
                yield Difference("line_items", a[0], b[0], where)


def number_of_line_items(sent: int, shown: int) -> Difference:
    """Shout shows more or fewer line items."""
    return Difference("line_items", sent, shown, "the number of line items")


_LINE_VALUES = ("name", "quantity", "price in cents", "unit price in cents")


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
