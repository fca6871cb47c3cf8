"""What an answer shows: the order or message that was asked for, or that there is none.

A status of 200 says little. A gateway's page, ``{}``, or an error written as a success must not
count as a created order, and neither may an answer about another order. An answer *shows* an order
only if it carries Shout's id and the reference id that was sent (or, where it has no reference id,
the same total and account), and no error beside them. The order may stand alone, under ``order``
or under ``data``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from orjson import loads  # five times as fast as json, and every answer is parsed

from backfill.checkpoint import Claim
from backfill.deliver.api import Answer
from backfill.deliver.compare import ShownOrder, total_cents

_NOT_FOUND, _GONE = 404, 410
_MOST_WRAPPED = 3
_ACCOUNT_FIELDS = {"X-Shout-Connect-ID": "connect_id", "X-Shout-User-Id": "user_id"}
_NOT_JSON: Final = object()


def shown_order(answer: Answer, claim: Claim) -> ShownOrder | None:
    """The order of ``claim`` as the answer shows it; None where it does not show that order."""
    order = _object_in(answer, "order")
    if order is None:
        return None
    key = order.get("reference_id")
    if key is not None:
        return order if str(key) == claim.reference_id else None
    if claim.total_cents is None or total_cents(order) != claim.total_cents:
        return None
    account = order.get(_ACCOUNT_FIELDS[claim.account_header])
    return order if account is None or str(account) == claim.account_id else None


def shown_message(answer: Answer) -> Mapping[str, Any] | None:
    """The message that the answer shows, with Shout's id; None where it does not show one."""
    return _object_in(answer, "message")


def shout_id(shown: Mapping[str, Any]) -> str | None:
    """Shout's own id of what is shown."""
    value = shown.get("id")
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    return str(value) if value else None


def answered_id(answer: Answer) -> str | None:
    """Shout's id of whatever order an answer names, also where that is not the one asked for."""
    order = _object_in(answer, "order")
    return None if order is None else shout_id(order)


def may_say_not_there(answer: Answer) -> bool:
    """Whether a lookup's answer may mean that there is no such order.

    Which answers do mean it is learned: see :mod:`backfill.deliver.absence`. A web page is a
    gateway's word, not Shout's.
    """
    if answer.is_page():
        return False
    if answer.status in (_NOT_FOUND, _GONE):
        return True
    if answer.status >= 300:
        return False
    document = _parsed(answer)
    if isinstance(document, dict):
        return all("id" not in level for level in _levels(document, "order"))
    return document is None or document == []


def says_error(answer: Answer) -> bool:
    """Whether an answer of any status is a JSON object that says that something failed."""
    document = _parsed(answer)
    return isinstance(document, dict) and any(map(_is_error, _levels(document, "order")))


def shown_success(answer: Answer) -> Mapping[str, Any] | None:
    """For a request whose answer need not show anything; None where it is a page or an error."""
    return None if answer.is_page() or says_error(answer) else {}


def _object_in(answer: Answer, name: str) -> Mapping[str, Any] | None:
    """The object with an id in an answer, bare or under ``name`` or ``data``, without any error."""
    document = _parsed(answer)
    if not isinstance(document, dict):
        return None
    found: Mapping[str, Any] | None = None
    for level in _levels(document, name):
        if _is_error(level):
            return None
        found = level
    if found is None or shout_id(found) is None or found.get("object", name) != name:
        return None
    return found


def _levels(document: Mapping[str, Any], name: str) -> Iterator[Mapping[str, Any]]:
    """An object, and what it wraps."""
    for _ in range(_MOST_WRAPPED):
        yield document
        inner = document.get(name, document.get("data"))
        if not isinstance(inner, dict):
            return
        document = inner


def _is_error(level: Mapping[str, Any]) -> bool:
    return bool(
        level.get("error")
        or level.get("errors")
        or level.get("success", True) is False
        or level.get("ok", True) is False
        or level.get("status") == "error"
        or level.get("object") == "error"
    )


def _parsed(answer: Answer) -> Any:
    try:
        return loads(answer.body)
    except (ValueError, RecursionError):
        return _NOT_JSON
