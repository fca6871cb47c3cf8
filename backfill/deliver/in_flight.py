"""One claimed order on its way through a run."""

from __future__ import annotations

from dataclasses import dataclass

from backfill.checkpoint import Claim, Result, State
from backfill.deliver.accounts import Account
from backfill.deliver.api import Answer


@dataclass(slots=True)
class InFlight:
    """A claim, and what this run knows of it so far."""

    claim: Claim
    account: Account
    attempts: int
    """Requests to create it that Shout may have acted on, over all runs."""
    ours: bool = False
    """A request of ours may have created it."""
    confirmed: bool = False
    """Shout showed it with the flag, and nothing else about it was wrong."""
    in_doubt: bool = False
    """The outcome of its last request is not known yet."""
    asked_at: float = 0.0
    """The loop's time when that request ended, or when this run began."""
    look_first: bool = False
    """An earlier run sent it and saw it refused, so it may be in Shout by now."""
    was_absent: bool = False
    """It was certainly not in Shout at some time in this run."""
    answered_id: str | None = None
    """The id in an answer that did not show the order."""
    highest_before: int = 0
    """The highest of Shout's ids that was known when it was last sent."""
    tries: int = 0
    """Requests to create it in this run."""
    misses: int = 0
    """How many of those ended in doubt."""
    errors: int = 0
    """How many were answered with an error under the status of a success."""
    last_error: Answer | None = None
    """The last answer of that kind."""

    def result(
        self,
        state: State,
        *,
        status: int | None = None,
        shout_id: str | None = None,
        rule: str | None = None,
        reason: str | None = None,
    ) -> Result:
        """What became of it, for the checkpoint."""
        return Result(self.claim.id, state, self.attempts, status, shout_id, rule, reason)
