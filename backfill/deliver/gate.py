"""The last gate: no order leaves without ``"dont_trigger_auto_actions":true``.

It looks at the very bytes that go out, whoever made them, just before they are handed to the
network. Without that field Shout may send a text message to a real customer.
"""

from __future__ import annotations

import json
from typing import Any

import orjson

from backfill.errors import SafetyStop

FLAG = "dont_trigger_auto_actions"
_MEMBER = b'"dont_trigger_auto_actions":'
"""The flag's name as a member. In a text it cannot stand like this: quotes are escaped there."""


def check(body: bytes) -> None:
    """Let ``body`` pass if its order has the flag exactly once, as ``true``, at its own level.

    :raises SafetyStop: it has not, or is not JSON.
    """
    if not (_reads_back_silent(body) or _silent(body)):
        raise SafetyStop(
            f"an order without {FLAG}: true was about to be sent; it was stopped",
            hint="something else has changed the checkpoint; do not continue this job",
        )


def _reads_back_silent(body: bytes) -> bool:
    """Parse, and write the document again: the same bytes mean that no member is in them twice.

    Takes a quarter of the time of :func:`_silent`, and every body of ours passes here.
    """
    try:
        document = orjson.loads(body)
    except ValueError:
        return False
    return _says_so(document) and body.count(_MEMBER) == 1 and orjson.dumps(document) == body


def _silent(body: bytes) -> bool:
    """Parse with a parser that refuses two members of one name."""
    try:
        document = json.loads(
            body.decode("utf-8"), object_pairs_hook=_members, parse_constant=_no_constant
        )
    except (ValueError, RecursionError):
        return False
    return _says_so(document) and not any(map(_contains_flag, document["order"].values()))


def _says_so(document: Any) -> bool:
    """Whether a parsed body is one order, and the order has the flag."""
    return (
        isinstance(document, dict)
        and document.keys() == {"order"}
        and isinstance(document["order"], dict)
        and document["order"].get(FLAG) is True
    )


def _contains_flag(value: Any) -> bool:
    """Whether the flag's name is a member anywhere in ``value``."""
    if isinstance(value, dict):
        return FLAG in value or any(_contains_flag(one) for one in value.values())
    return isinstance(value, list) and any(_contains_flag(one) for one in value)


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        raise ValueError("two members of one name")
    return dict(pairs)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
