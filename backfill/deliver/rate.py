"""How many requests a second Shout allows, learned from its refusals.

Nothing is documented about Shout's limits, so they are found out: until the first 429 there is no
limit of ours, after it requests are spaced. What is learned from a 429 is the rate of answers
between the last two of them, the pauses included: a server that saves up permits during a pause
gives exactly that many. The spacing starts a little wider than that and shrinks along a cubic
curve, flat around the learned rate and steeper the longer nothing is refused (the curve is that of
CUBIC, RFC 9438, section 4.2): so a limit that was raised, or that was estimated too low, is found
soon, and one that holds is touched seldom.
"""

from __future__ import annotations

from collections import deque

_START = 0.96
"""Of the learned rate: where to go on after a refusal."""
_SHORTEST_CLIMB, _LONGEST_CLIMB = 2.0, 20.0
"""Seconds from there back to the learned rate."""
_RECENT = 3.0
"""Seconds of answers that tell the rate on a server that saves up nothing."""
_RECENT_SHARE = 0.95
_LARGEST_DROP = 0.4
"""Of the present rate: one odd refusal must not undo what was learned over minutes."""
_SLOWEST = 0.2
"""Requests a second that are always tried."""


class LearnedRate:
    """The rate of requests that Shout lets through. All times are in seconds on one clock."""

    def __init__(self, now: float) -> None:
        self._plateau: float | None = None
        self._climb = _SHORTEST_CLIMB
        self._resumed = now
        self._pause = 0.0
        self._answers = 0
        self._recent: deque[float] = deque()

    def answered(self, now: float) -> None:
        """A request was let through."""
        self._answers += 1
        if self._plateau is None:
            return
        recent = self._recent
        recent.append(now)
        while recent[0] < now - _RECENT:
            recent.popleft()

    def refused(self, now: float, pause: float) -> None:
        """A request was refused for being one too many, and nothing is sent for ``pause``."""
        active = max(now - self._resumed, 1e-3)
        # Before the first refusal there was no pause that permits were saved up in.
        learned = self._answers / (active + (self._pause or pause))
        if active >= 1.0:
            in_time = sum(1 for at in self._recent if at > self._resumed)
            recent = in_time / min(active, _RECENT)
            learned = max(learned, recent * _RECENT_SHARE)
        if self._plateau is not None:
            learned = max(learned, _LARGEST_DROP / self.interval(now))
        self._plateau = max(learned, _SLOWEST)
        self._climb = min(max(1.5 * active, _SHORTEST_CLIMB), _LONGEST_CLIMB)
        self._resumed, self._pause, self._answers = now + pause, pause, 0
        self._recent.clear()

    def interval(self, now: float) -> float:
        """Seconds between two requests; 0 where no limit is known."""
        if self._plateau is None:
            return 0.0
        at = (now - self._resumed) / self._climb - 1.0
        return 1.0 / (self._plateau * (1.0 + (1.0 - _START) * at**3))
