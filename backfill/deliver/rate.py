"""How many requests a second Shout allows, learned from its refusals.

Shout's limits are not documented, so they are learned. Until the first 429, requests are not
spaced. A 429 teaches the rate of answers since the one before it, including the pause: a server
that accumulates permits during a pause grants exactly that many. The rate then restarts a little
below the learned one and grows along a cubic curve (CUBIC, RFC 9438, section 4.2): flat around the
learned rate, and steeper the longer nothing is refused. So a limit that was raised or estimated too
low is found soon, and a limit that holds is rarely hit.
"""

from __future__ import annotations

from collections import deque

_START = 0.96
"""The share of the learned rate to restart at after a refusal."""
_SHORTEST_CLIMB, _LONGEST_CLIMB = 2.0, 20.0
"""Seconds from there back to the learned rate."""
_RECENT = 3.0
"""Seconds of recent answers that give the rate of a server that accumulates no permits."""
_RECENT_SHARE = 0.95
_LARGEST_DROP = 0.4
"""The lowest share of the present rate: one odd refusal must not undo minutes of learning."""
_SLOWEST = 0.2
"""Requests per second; the learned rate never falls below it."""


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
        """A request was refused with a 429, and nothing is sent for ``pause`` seconds."""
        active = max(now - self._resumed, 1e-3)
        # Before the first refusal there was no pause in which permits could accumulate.
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
