"""An order as Shout sees it: what it refuses, what it would text, and how it echoes.

Source: the "Orders Create" example of Shout's public documentation. Which fields are required is
not documented: the sandbox asks for an object with at least one field, refuses a field it does not
know (a misspelt field must show in a rehearsal) and a value of the wrong shape.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

COMPANY_ID = 1

TIMES = ("created_at", "invoiced_at", "paid_at", "shipped_at", "refunded_at")
TEXTS = (
    "reference_id",
    "description",
    "profile_name",
    "profile_phone_number",
    "profile_email",
    "profile_shipping_address_raw",
    "shipping_link",
    "shipping_state",
    "shipping_source",
)
FLAGS = ("fail_if_connect_orders_not_enabled", "dont_trigger_auto_actions")
FIELDS = frozenset((*TIMES, *TEXTS, *FLAGS, "line_items", "total_cents", "metadata"))
LINE_FIELDS = frozenset(("name", "quantity", "each_price_cents", "price_cents"))
NOT_SHIPPED = (None, "unknown", "pre_transit")

_TIME = re.compile(
    r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?(?:Z|[+-]\d\d:?\d\d))?", re.ASCII
)
_NOT_DIGITS = re.compile(r"\D", re.ASCII)

_TOO_LARGE = 2**53  # beyond it a JSON reader may lose digits

Order = dict[str, Any]


def problems(order: object) -> list[str]:
    """Everything that is wrong with ``order`` (what the body's ``order`` holds), one line each."""
    if not isinstance(order, dict) or not order:
        return ["order: must be an object with at least one field"]
    return list(_problems(order))


def _problems(order: Order) -> Iterator[str]:
    for name in order.keys() - FIELDS:
        yield f"order.{name}: no such field"
    for name in TIMES:
        if (value := order.get(name)) is not None and not _is_time(value):
            yield f"order.{name}: neither a date, a time with offset, nor 'now': {value!r}"
    for name in TEXTS:
        if not isinstance(order.get(name), str | None):
            yield f"order.{name}: not a text: {order[name]!r}"
    for name in FLAGS:
        if not isinstance(order.get(name), bool | None):
            yield f"order.{name}: neither true nor false: {order[name]!r}"
    if (total := order.get("total_cents")) is not None and not _is_cents(total):
        yield f"order.total_cents: not whole cents: {total!r}"
    if not isinstance(order.get("metadata"), dict | None):
        yield "order.metadata: not an object"
    phone = order.get("profile_phone_number")
    if isinstance(phone, str) and e164(phone) is None:
        yield f"order.profile_phone_number: not a phone number: {phone!r}"
    yield from _line_problems(order.get("line_items"))


def _line_problems(lines: object) -> Iterator[str]:
    if lines is None:
        return
    if not isinstance(lines, list):
        yield "order.line_items: not a list"
        return
    for index, line in enumerate(lines):
        where = f"order.line_items[{index}]"
        if not isinstance(line, dict):
            yield f"{where}: not an object"
            continue
        for name in line.keys() - LINE_FIELDS:
            yield f"{where}.{name}: no such field"
        if not isinstance(line.get("name"), str) or not line["name"]:
            yield f"{where}.name: missing or not a text"
        quantity = line.get("quantity")
        if not _is_quantity(quantity):
            yield f"{where}.quantity: missing or not a number above 0: {quantity!r}"
        for name in ("each_price_cents", "price_cents"):
            if (cents := line.get(name)) is not None and not _is_cents(cents):
                yield f"{where}.{name}: not whole cents: {cents!r}"


def _is_cents(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < _TOO_LARGE


def _is_quantity(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return 0 < value < _TOO_LARGE


def _is_time(value: object) -> bool:
    if value == "now":
        return True
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:  # the 31st of February
        return False
    return True


def e164(phone: str) -> str | None:
    """``(801) 555-6788`` -> ``+18015556788``; a number without a country code is a US one."""
    digits = _NOT_DIGITS.sub("", phone)
    if not phone.lstrip().startswith("+") and len(digits) == 10:
        digits = f"1{digits}"
    return f"+{digits}" if 8 <= len(digits) <= 15 else None


def would_text(order: Order) -> str | None:
    """The E.164 number a real Shout may text for this body, None where it must not.

    Only ``dont_trigger_auto_actions`` being exactly ``true`` keeps an order silent.
    """
    phone = order.get("profile_phone_number")
    if order.get("dont_trigger_auto_actions") is True or not phone:
        return None
    return e164(phone)


def echo(order_id: int, order: Order, arrived_at: str) -> Order:
    """The documented response to an order that arrived at ``arrived_at`` (UTC, ISO 8601)."""
    times = {name: _echo_time(order.get(name), arrived_at) for name in TIMES}
    times["created_at"] = times["created_at"] or arrived_at
    shipped = order.get("shipping_link") or order.get("shipping_state") not in NOT_SHIPPED
    if shipped and not times["shipped_at"]:
        times["shipped_at"] = arrived_at
    phone = order.get("profile_phone_number")
    total_cents = order.get("total_cents")
    answer: Order = {
        "id": order_id,
        "company_id": COMPANY_ID,
        "object": "order",
        "integration": "connect",
        "status": "refunded" if times["refunded_at"] else "paid",
        **times,
        **{name: order.get(name) for name in TEXTS},
        "profile_id": _profile_id(order),
        "profile_phone_number": e164(phone) if phone else None,
        "line_items": [_echo_line(line) for line in order.get("line_items") or ()],
        "total": None if total_cents is None else dollars(total_cents),
        "total_cents": total_cents,
        "total_currency": "USD",
        "metadata": order.get("metadata") or {},
        "dont_trigger_auto_actions": order.get("dont_trigger_auto_actions") is True,
    }
    return answer


def _echo_time(value: str | None, now: str) -> str | None:
    if value is None:
        return None
    if value == "now":
        return now
    time = datetime.fromisoformat(value)
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).isoformat()


def _echo_line(line: Mapping[str, Any]) -> dict[str, Any]:
    quantity = float(line["quantity"])
    # One of the two is there; what Shout makes of the other is not documented.
    each, whole = line.get("each_price_cents"), line.get("price_cents")
    each = round((whole or 0) / quantity) if each is None else each
    whole = round(each * quantity) if whole is None else whole
    return {
        "name": line["name"],
        "quantity": quantity,
        "each_price": dollars(each),
        "each_price_cents": each,
        "each_price_currency": "USD",
        "price": dollars(whole),
        "price_cents": whole,
        "price_currency": "USD",
    }


def dollars(cents: int) -> str:
    """``123456`` -> ``$1,234.56``."""
    sign, cents = ("-", -cents) if cents < 0 else ("", cents)
    return f"{sign}${cents // 100:,}.{cents % 100:02}"


def _profile_id(order: Order) -> int | None:
    """The same customer, the same number: by phone, else e-mail, else name."""
    phone = order.get("profile_phone_number")
    who = (
        (e164(phone) if phone else None) or order.get("profile_email") or order.get("profile_name")
    )
    return zlib.crc32(who.encode()) if who else None
