"""The last gate: no order leaves without ``"dont_trigger_auto_actions":true``.

It looks at the very bytes that go out, whoever made them, just before they are handed to the
network. Without that field Shout may send a text message to a real customer.
"""

from __future__ import annotations

import json
import re
from typing import Any

from backfill.errors import SafetyStop

FLAG = "dont_trigger_auto_actions"

_NAME = FLAG.encode()
_HEAD = b'{"order":{'
_TAIL = b',"dont_trigger_auto_actions":true}}'
_NEXT_MEMBER_AFTER_OBJECT = re.compile(rb'\}[ \t\r\n]*,[ \t\r\n]*"')


def check(body: bytes) -> None:
    """Let ``body`` pass if its order holds the flag exactly once, as ``true``, at its own level.

    :raises SafetyStop: it does not, or is no JSON at all.
    """
    if not (_plainly_silent(body) or _silent(body)):
        raise SafetyStop(
            f"an order without {FLAG}: true was about to be sent, and was not",
            hint="the checkpoint was changed by something else: do not go on with this job",
        )


def _plainly_silent(body: bytes) -> bool:
    """Whether our own way of writing a body proves the flag without parsing.

    In JSON that starts and ends like this the flag stands in the last member's object, and with
    only one occurrence of its name (``\\u`` could spell it otherwise) it stands there once. A
    quote inside a text is escaped, so ``,"`` cannot be the inside of one. That object is the
    order's own, as no member follows an object anywhere: nowhere do ``}`` and ``,`` stand before
    a ``"`` that opens a name. Anything odd goes to the parser.
    """
    return (
        body.endswith(_TAIL)
        and body.startswith(_HEAD)
        and body.count(_NAME) == 1
        and (b"\\" not in body or b"\\u" not in body)  # a byte alone is found much faster
        and body.count(b"{") == body.count(b"}")
        and _NEXT_MEMBER_AFTER_OBJECT.search(body) is None
    )


class _NotPlainError(ValueError):
    """The order or its flag stands twice, or a number is none that JSON knows."""


def _silent(body: bytes) -> bool:
    try:
        document = json.loads(
            body.decode("utf-8"), object_pairs_hook=_members, parse_constant=_no_constant
        )
    except (ValueError, RecursionError):
        return False
    if not isinstance(document, dict) or document.keys() != {"order"}:
        return False
    order = document["order"]
    return (
        isinstance(order, dict)
        and order.get(FLAG) is True
        and not any(_holds_flag(value) for value in order.values())
    )


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    if names.count(FLAG) > 1 or names.count("order") > 1:
        raise _NotPlainError("which of the two counts is anybody's guess")
    return dict(pairs)


def _no_constant(name: str) -> None:
    raise _NotPlainError(name)


def _holds_flag(value: Any) -> bool:
    """Whether the flag's name stands anywhere in ``value``: one flag must be all there is."""
    if isinstance(value, dict):
        return FLAG in value or any(_holds_flag(one) for one in value.values())
    return isinstance(value, list) and any(_holds_flag(one) for one in value)
