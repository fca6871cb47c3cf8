"""What an errand reaches Shout through: the wire, lookups, and the way to stop everything."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Sequence

from backfill.checkpoint import Claim
from backfill.deliver.api import Answer, Api, NoAnswer
from backfill.deliver.learned import Learned
from backfill.deliver.lookup import credentials_refused
from backfill.deliver.pace import Pace
from backfill.deliver.settle import Settler
from backfill.deliver.wire import Wire
from backfill.errors import SafetyStop
from backfill.settings import ApiSettings

# The limits that hold for every errand.
#: So many requests for one order may end without an answer before it is given up.
MOST_UNANSWERED = 12
#: So many refusals in a row, with nothing accepted in between, end the run.
MOST_REFUSALS = 50
#: A later pass takes up one order at a time until Shout was seen to do what it says; if none of so
#: many orders could show that, the rest are taken up together.
PROVE_WITHIN = 20


class Shout:
    """One per run. The first error it is given ends the run: nothing new is sent from then on."""

    def __init__(
        self,
        api: Api,
        settings: ApiSettings,
        say: Callable[[str], None],
        learned: Learned,
        known: Sequence[tuple[Claim, str]],
    ) -> None:
        """
        :param say: shows the user a line.
        :param known: orders of earlier runs that are in Shout, with Shout's ids.
        """
        self.pace = Pace(
            concurrency=settings.concurrency,
            rate=settings.rate,
            give_up_after=settings.give_up_after,
            halt=self.halt,
            say=say,
        )
        self.url = api.url
        self.wire = Wire(api, self.pace)
        self.learned = learned
        self.settler = Settler(self.wire, self.pace, settings, learned, known, say)
        self.say = say
        self.error: BaseException | None = None
        """What ends the run; None while it goes on."""
        self.due = asyncio.Event()
        """Set when the loop should look again at what to record and what to claim."""
        self.slow = 0
        """How many items wait for lookups or pauses, and leave their connection to others."""
        self.parked = 0
        """How many items wait for another one to end."""
        self._refusals = 0
        self._on_halt: list[Callable[[], None]] = []

    def on_halt(self, call: Callable[[], None]) -> None:
        """Have ``call`` made when the run ends early."""
        self._on_halt.append(call)

    def halt(self, error: BaseException) -> None:
        """End the run with ``error``. Nothing new is sent; what is under way finishes."""
        if self.error is None:
            self.error = error
        self.pace.close()
        for call in self._on_halt:
            call()
        self.due.set()

    @contextlib.contextmanager
    def taking_longer(self) -> Iterator[None]:
        """A block in which an item takes more than one request."""
        self.slow += 1
        self.due.set()
        try:
            yield
        finally:
            self.slow -= 1

    @property
    def settle(self) -> float:
        """Seconds after which a request of unknown outcome can no longer take effect."""
        return self.settler.witnesses.settle

    @contextlib.contextmanager
    def parking(self) -> Iterator[None]:
        """A block in which an item waits until another one has ended."""
        self.parked += 1
        self.due.set()
        try:
            yield
        finally:
            self.parked -= 1

    def accepted(self) -> None:
        """Shout did what it was asked to do."""
        self._refusals = 0

    def refused(self, answer: str) -> None:
        """Shout refused to do something. Too many refusals in a row end the run.

        :param answer: the answer in one line, for the user.
        """
        self._refusals += 1
        if self._refusals >= MOST_REFUSALS:
            self.halt(
                SafetyStop(
                    f"Shout refused {self._refusals} requests in a row; the last answer: {answer}",
                    hint="fix the cause, then run the same command again"
                    " ('backfill retry' sends refused orders again)",
                )
            )


def run_refused(answer: Answer | NoAnswer) -> SafetyStop:
    """The end of a run in which no other request would fare better."""
    if isinstance(answer, NoAnswer):
        return SafetyStop(
            f"Shout cannot be reached: {answer}",
            hint="check --api-url and the certificate, then run the same command again",
        )
    if answer.status < 400:
        where = answer.headers.get("Location", "an unnamed address")
        return SafetyStop(
            f"Shout redirects to {where} (HTTP {answer.status}); redirects are not followed",
            hint="check --api-url, then run the same command again",
        )
    return credentials_refused(answer)


def wrong_address(url: str, answer: Answer) -> SafetyStop:
    """The end of a run whose requests seem not to reach Shout's API at all."""
    if answer.is_page():
        return SafetyStop(
            f"{url}/orders returned a web page, not an answer of Shout's API ({answer.describe()})",
            hint="check --api-url (the address above without /orders), and any proxy in between;"
            " no order was marked as failed, so the same command can be run again",
        )
    return SafetyStop(
        f"{url}/orders: {answer.describe()}; is this Shout's API?",
        hint="check --api-url: /orders is added to it. If it is right, Shout may not know the"
        " account of this order: start with another account (--account). No order was marked as"
        " failed",
    )


def described(answer: Answer | NoAnswer) -> str:
    """What came back, or why nothing did, in one line."""
    return answer.describe() if isinstance(answer, Answer) else str(answer)
