"""Which accounts take orders: one that refuses all of its orders is skipped, the others go on.

Until an account has taken its first order of a run, so few of its requests are under way that no
more than five can be refused. What counts are equal refusals in a row; a refused lookup counts
too, as it says the same.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque

from backfill.checkpoint import Claim
from backfill.deliver.api import Answer
from backfill.deliver.pace import Stopped

_SKIP_AT = 4
_MOST_REFUSALS = 5
_REQUESTS_OF_AN_ORDER = 2
"""Its creation and its lookup may both be refused."""

_NUMBERS = re.compile(r"\d+")


class Account:
    """One connected account in one run."""

    __slots__ = (
        "_alike",
        "_text",
        "_wait",
        "header",
        "id",
        "orders",
        "proven",
        "refused",
        "refuses_all",
        "skipped",
    )

    def __init__(self, header: str, account_id: str) -> None:
        self.header, self.id = header, account_id
        self.proven = False
        """It has taken an order in this run."""
        self.refuses_all: str | None = None
        """Why nothing more is sent to it."""
        self.skipped = False
        """Its pending orders are skipped in the checkpoint."""
        self.orders = 0
        """How many of its orders are on their way."""
        self.refused: list[int] = []
        """The orders (``Claim.id``) behind the present run of equal refusals."""
        self._alike = 0
        self._text = ""
        self._wait: deque[asyncio.Future[None]] = deque()

    def enter_now(self) -> bool:
        """Let an order in without waiting, if that is possible; otherwise :meth:`enter` decides."""
        if not self.proven or self.refuses_all:
            return False
        self.orders += 1
        return True

    async def enter(self) -> bool:
        """Wait until an order may be sent; False where the account takes none.

        :raises Stopped: nothing more is sent.
        """
        while not self.refuses_all and not self._may_enter():
            future = asyncio.get_running_loop().create_future()
            self._wait.append(future)
            await future
        if self.refuses_all:
            return False
        self.orders += 1
        return True

    def leave(self) -> None:
        """An order that entered is done with."""
        self.orders -= 1
        if self._wait:
            self._wake()

    def took_one(self) -> None:
        """An order of it is in Shout."""
        self._alike = 0
        if not self.proven:
            self.proven = True
            self._wake()

    def refused_one(self, claim: Claim, answer: Answer) -> None:
        """Shout refused to create an order."""
        if self.refuses_all:
            self.refused.append(claim.id)
            return
        # Alike: the same but for the order's own key and numbers.
        text = _NUMBERS.sub("#", answer.text().replace(claim.reference_id, "…"))
        text = f"{answer.status} {text}"
        if text != self._text:
            self._text, self._alike, self.refused = text, 0, []
        self.refused.append(claim.id)
        self._count(answer)

    def refused_lookup(self, answer: Answer) -> None:
        """Shout refused even to look for an order."""
        self._count(answer)

    def close(self) -> None:
        """Nothing more is sent: whoever waits gets :class:`Stopped`."""
        for future in self._wait:
            future.set_exception(Stopped())
        self._wait.clear()

    def _count(self, answer: Answer) -> None:
        self._alike += 1
        if self._alike >= _SKIP_AT and not self.proven:
            self.refuses_all = f"the account refuses its orders ({answer.describe()})"
            self._wake()

    def _may_enter(self) -> bool:
        expected = self._alike + (self.orders + 1) * _REQUESTS_OF_AN_ORDER
        return self.proven or expected <= _MOST_REFUSALS

    def _wake(self) -> None:
        """Wake as many as may enter; each checks again for itself."""
        if self.proven or self.refuses_all:
            while self._wait:
                self._wait.popleft().set_result(None)
        elif self._wait and self._may_enter():
            self._wait.popleft().set_result(None)
