"""How Shout says that an order is not there.

That is not documented. It may be a 404, or a 200 with ``{"order": null}`` or an error in words; and
a gateway in front of Shout may answer 404 too. So it is learned: two keys are looked up that cannot
be there, and only an answer like those two counts. What differs between the two (a request id, a
time) may differ in every other answer.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator
from typing import Any
from urllib.parse import quote

from orjson import loads

from backfill.checkpoint import Claim
from backfill.deliver.api import Answer
from backfill.deliver.compare import ShownOrder
from backfill.deliver.lookup import no_such_order

AccountKey = tuple[str, str]
"""Header and id of an account."""
Ask = Callable[[Claim], Awaitable[ShownOrder | Answer]]
"""Looks an order up: see :meth:`backfill.deliver.lookup.Lookup.ask`."""

_MOST_PROBES = 6
_NUMBER = re.compile(r"\d+")

Likeness = tuple[int, dict[str, object]]
"""An answer's status, and its values by their paths."""


class Absence:
    """Knows an answer that says *not there* from any other, account by account."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._one_at_a_time = asyncio.Lock()
        self._learned: dict[AccountKey, Likeness] = {}

    async def is_said_by(self, answer: Answer, claim: Claim, account: AccountKey) -> bool:
        """Whether ``answer``, to a lookup of ``claim``, is how Shout says it in ``account``."""
        async with self._one_at_a_time:
            learned = self._learned.get(account) or await self._learn(account)
        if learned is None:
            return False
        self._learned[account] = learned
        status, values = _likeness(answer, claim)
        return (
            status == learned[0]
            and values.keys() == learned[1].keys()
            and all(known is ... or known == values[path] for path, known in learned[1].items())
        )

    async def _learn(self, account: AccountKey) -> Likeness | None:
        """What two answers in a row have in common; None if they are no answers to such a key."""
        before: Likeness | None = None
        for _ in range(_MOST_PROBES):
            claim = no_such_order(*account)
            answer = await self._ask(claim)
            if not isinstance(answer, Answer):
                continue
            status, values = now = _likeness(answer, claim)
            if before is not None and before[0] == status and before[1].keys() == values.keys():
                common = before[1].items() & values.items()
                return status, dict.fromkeys(values, ...) | dict(common)
            before = now
        return None


def _likeness(answer: Answer, claim: Claim) -> Likeness:
    """An answer without the order's key, its account and numbers."""
    try:
        document = loads(answer.body)
    except (ValueError, RecursionError):
        document = answer.body.decode("utf-8", "replace")
    names = {claim.reference_id, quote(claim.reference_id, safe=""), claim.account_id}
    ours = re.compile("|".join(rf"(?<!\w){re.escape(name)}(?!\w)" for name in names if name))
    return answer.status, {
        path: _NUMBER.sub("#", ours.sub("#", value)) if isinstance(value, str) else value
        for path, value in _values(document, "")
    }


def _values(value: Any, path: str) -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        yield path, "{}"
        for name, inner in value.items():
            yield from _values(inner, f"{path}.{name}")
    elif isinstance(value, list):
        yield path, "[]"
        for index, inner in enumerate(value):
            yield from _values(inner, f"{path}.{index}")
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield path, "#"
    else:
        yield path, value
