"""What a job has learned of Shout that its documentation does not say, kept from run to run."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from backfill.checkpoint import LEARNED

_ENOUGH = 20
"""Orders whose ids must have come in rising order before an id proves anything. Ids that are drawn
at random keep rising for so long once in a hundred thousand times."""


@dataclass(slots=True)
class RisingIds:
    """Whether Shout's order ids rise with time, so that an id tells when an order was created.

    Then an order with a higher id than the first one that this job created cannot have been in
    Shout before the job.
    """

    first: int | None = None
    """the id of the first order that an answer confirmed"""
    highest: int = 0
    rises: int = 0
    """how many orders were confirmed with a higher id than one confirmed before they were sent"""
    broken: bool = False
    """an id did not rise, or is no number"""

    def confirmed(self, shout_order_id: str | None, highest_before: int) -> None:
        """Shout confirmed an order.

        :param highest_before: :attr:`highest` at the time when it was sent.
        """
        if self.broken:
            return
        try:
            number = int(shout_order_id or "")
        except ValueError:
            self.broken = True
            return
        if self.first is None:
            self.first = number
        elif number <= highest_before:
            self.broken = True
        else:
            self.rises += 1
        if number > self.highest:
            self.highest = number

    def came_after_the_first(self, shout_order_id: str | None) -> bool:
        """Whether an id proves that its order was created after the first order of this job."""
        if self.broken or self.first is None or self.rises < _ENOUGH:
            return False
        id_ = shout_order_id or ""
        return id_.isascii() and id_.isdecimal() and int(id_) > self.first


@dataclass(slots=True)
class Learned:
    """What lookups and answers have taught; JSON under ``meta["learned"]``."""

    lookup_lag: float = 0.0
    """the longest time (seconds) after which a lookup found an order that had been created"""
    ids: RisingIds = field(default_factory=RisingIds)

    @classmethod
    def of(cls, remembered: dict[str, Any]) -> Self:
        """From what :meth:`Checkpoint.remembered` returns."""
        ids = RisingIds(**remembered.get("ids", {}))
        return cls(remembered.get("lookup_lag", 0.0), ids)

    def as_meta(self) -> dict[str, str]:
        """As a row of the table ``meta``."""
        return {LEARNED: json.dumps(asdict(self))}
