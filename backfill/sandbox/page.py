"""The page at ``/``: what arrived, for a person to look at.

Made on the server, without scripts and without any address outside it; everything that came in from
the network is escaped.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from typing import Any

from aiohttp import web
from jinja2 import Environment, PackageLoader

from backfill.sandbox import order as orders
from backfill.sandbox.faults import Faults
from backfill.sandbox.store import Store

ORDERS_A_PAGE = 50

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self';"
        " base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
}
_SHOWN = {
    "created_at": "Created",
    "invoiced_at": "Invoiced",
    "paid_at": "Paid",
    "shipped_at": "Shipped",
    "refunded_at": "Refunded",
    "profile_name": "Customer",
    "profile_phone_number": "Phone",
    "profile_email": "E-mail",
    "profile_shipping_address_raw": "Address",
    "description": "Description",
    "shipping_state": "Shipping state",
    "shipping_link": "Shipping link",
    "shipping_source": "Shipping source",
}


def overview(store: Store, faults: Faults, query: Mapping[str, str]) -> web.Response:
    """Counts, accounts, orders (``q`` searches, ``account`` narrows, ``page`` turns), messages."""
    search, page = query.get("q", "").strip(), max(1, _number(query.get("page")))
    accounts = store.accounts()
    account = next((one for one in accounts if one["id"] == _number(query.get("account"))), None)
    narrowed = account["id"] if account else None
    skipped = (page - 1) * ORDERS_A_PAGE
    return _page(
        "overview.html",
        texts=sum(one["texts"] for one in accounts),
        orders_total=sum(one["orders"] for one in accounts),
        cents_total=sum(one["total_cents"] for one in accounts),
        duplicates=sum(one["duplicates"] for one in accounts),
        accounts=accounts,
        account=account,
        search=search,
        page=page,
        first=skipped + 1,
        matching=store.count(account=narrowed, search=search),
        orders=store.newest(account=narrowed, search=search, skip=skipped, limit=ORDERS_A_PAGE),
        messages=store.messages(),
        misbehaving=_misbehaving(faults),
    )


def order(store: Store, order_id: int) -> web.Response:
    """One order with its line items, as it came and as it is answered."""
    stored = store.by_id(order_id)
    if stored is None:
        raise web.HTTPNotFound(text="There is no such order (any more).")
    echo = orders.echo(stored.id, stored.order, stored.arrived_at)
    key = echo["reference_id"]
    return _page(
        "order.html",
        stored=stored,
        echo=echo,
        fields=[(label, echo[name]) for name, label in _SHOWN.items() if echo[name] is not None],
        silent=echo["dont_trigger_auto_actions"],
        copies=store.count(account=stored.account, reference_id=key) if key is not None else 1,
        texts=[text for text in store.texts() if text["order_id"] == stored.id],
        received=_pretty(json.loads(stored.body)),
        answer=_pretty(echo),
    )


def _page(template: str, **values: Any) -> web.Response:
    html = _templates().get_template(template).render(values)
    return web.Response(text=html, content_type="text/html", headers=_HEADERS)


@functools.cache
def _templates() -> Environment:
    templates = Environment(
        loader=PackageLoader("backfill.sandbox"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters["dollars"] = lambda cents: "" if cents is None else orders.dollars(cents)
    templates.filters["count_of"] = "{:,}".format
    return templates


def _misbehaving(faults: Faults) -> list[str]:
    """Notes that explain the figures."""
    table = faults.table
    found = [f"down ({faults.down})"] if faults.down else []
    if faults.rate_limit is not None:
        found.append(f"at most {faults.rate_limit:g} requests a second")
    if not faults.honour_duplicate_header:
        found.append("the duplicate header is ignored")
    return [*found, *dict.fromkeys(one.get("name", one["kind"]) for one in table["fault"])]


def _number(text: str | None) -> int:
    return int(text) if text and text.isdecimal() and len(text) < 10 else 0


def _pretty(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)
