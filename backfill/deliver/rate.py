"""How many requests a second Shout allows, learned from its refusals.

Shout's limits are not documented, so they are learned. Until the first 429, requests are not
spaced. A 429 teaches the rate of answers since the one before it, including the pause: a server
that accumulates permits during a pause grants exactly that many. The rate then restarts a little
below the learned one and grows along a cubic curve (CUBIC, RFC 9438, section 4.2): flat around the
learned rate, and steeper the longer nothing is refused. So a limit that was raised or estimated too
low is found soon, and a limit that holds is rarely hit.

Not every 429 comes from a limit of the rate: a busy server may refuse one request in 25, however
slowly they come. If each of those lowered the rate, it would fall to next to nothing. What tells
them apart: a limit refuses because of the rate. So a refusal contradicts what was learned if
requests go clearly slower than a rate that was let through a short time before. A single one means
little, for bursts mislead the first estimates, and a limit may have been lowered. After two (six if
the learned rate has held before), the refusals are taken for sporadic: requests are not spaced, and
a refusal costs no more than the pause that it asks for.

In case that is wrong, the share of refused requests is watched from then on. Where it becomes much
larger than it was, there is a limit after all: the rate of answers while that share was counted is
the learned one, each refusal counts again, and it takes twice as many contradictions to take them
for sporadic once more. So it does not go back and forth.
"""

from __future__ import annotations

from collections import deque
from math import inf

_START = 0.96
"""The share of the learned rate to restart at after a refusal."""
_SHORTEST_CLIMB, _LONGEST_CLIMB = 2.0, 20.0
"""Seconds from there back to the learned rate."""
_RECENT = 3.0
"""Seconds of recent answers that give the rate of a server that accumulates no permits."""
_RECENT_SHARE = 0.96
_LARGEST_DROP = 0.4
"""The lowest share of the present rate: one odd refusal must not undo minutes of learning."""
_SLOWEST = 0.2
"""Requests per second; the learned rate never falls below it."""
_CONTRADICTIONS = 2
"""So many, at first, until refusals are taken for sporadic."""
_SLOWER = 0.85
"""Below this share of a rate that was let through, a refusal contradicts it."""
_SOON = 3.0
"""Seconds after a refusal within which a rate that is not even a little slower does the same."""
_MUCH_SLOWER = 0.3
"""The same while each refusal lowers the rate as far as it may, as after a drop of the limit."""
_REMEMBERED = 60.0
"""Seconds for which a rate that was let through counts."""
_MANY = 50
"""Answers since the last refusal that make it no contradiction: refusals so rare do little harm."""
_HELD = 200
"""Answers since the last refusal that show a limit: contradictions must then be thrice as many."""
_FEW, _BRIEF = 10, 3.0
"""Answers, and seconds, from which no first rate is learned."""
_WATCHED = 100
"""Requests of which the share of refused ones is taken."""
_LARGE_SHARE, _LARGEST_SHARE = 0.12, 0.5
"""Sporadic refusals may be twice as many as they were, but their share stays in these bounds."""


class _Share:
    """The share of refused ones among the last requests, and the rate of the others."""

    def __init__(self, now: float) -> None:
        self._since = now
        self._ends: deque[tuple[float, bool]] = deque()
        self._refused = 0

    def note(self, now: float, *, refused: bool) -> None:
        self._ends.append((now, refused))
        self._refused += refused
        if len(self._ends) > _WATCHED:
            self._since, refused = self._ends.popleft()
            self._refused -= refused

    def of_those_seen(self) -> float:
        return self._refused / max(len(self._ends), 1)

    def of_a_full_count(self) -> float:
        """Of requests that are still to come, none is taken to be refused."""
        return self._refused / _WATCHED

    def answers_a_second(self, until: float) -> float:
        return (len(self._ends) - self._refused) / max(until - self._since, 1e-3)


class LearnedRate:
    """The rate of requests that Shout lets through. All times are in seconds on one clock."""

    def __init__(self, now: float) -> None:
        self.sporadic = False
        """Refusals are taken for chance, not for a limit."""
        self._plateau: float | None = None
        self._let_through, self._measured_at = 0.0, now
        """A rate that was let through, and when."""
        self._climb = _SHORTEST_CLIMB
        self._resumed = now
        self._pause = 0.0
        self._answers = 0
        self._recent: deque[float] = deque()
        self._share = _Share(now)
        self._share_borne = _LARGE_SHARE
        self._contradictions = 0
        self._enough = _CONTRADICTIONS

    def answered(self, now: float) -> None:
        """A request was let through."""
        self._answers += 1
        if self._plateau is None and not self.sporadic:
            return
        self._share.note(now, refused=False)
        recent = self._recent
        recent.append(now)
        while recent[0] < now - _RECENT:
            recent.popleft()

    def refused_too(self, now: float, pause_ends: float) -> None:
        """A request that was in flight when a pause began was refused as well."""
        self._share.note(now, refused=True)
        if not self.sporadic:
            self._pause += max(0.0, pause_ends - self._resumed)
            self._resumed = max(self._resumed, pause_ends)

    def refused(self, now: float, pause: float) -> None:
        """A request was refused with a 429, and nothing is sent for ``pause`` seconds."""
        self._share.note(now, refused=True)
        if not self.sporadic:
            self._learn(now, pause)
        elif self._share.of_a_full_count() > self._share_borne:
            self._take_for_limit(now, pause)

    def _learn(self, now: float, pause: float) -> None:
        active = max(now - self._resumed, 1e-3)
        if self._plateau is None and self._answers < _FEW and active < _BRIEF:
            return
        # Before the first refusal there was no pause in which permits could accumulate.
        learned = self._answers / (active + (self._pause or pause))
        if active >= 1.0:
            in_time = sum(1 for at in self._recent if at > self._resumed)
            recent = in_time / min(active, _RECENT)
            learned = max(learned, recent * _RECENT_SHARE)
        lowest = _SLOWEST if self._plateau is None else _LARGEST_DROP / self.interval(now)
        self._compare(now, learned, on_its_way_down=learned < lowest)
        if self._contradictions >= self._enough:
            self._take_for_sporadic(now, pause)
            return
        self._plateau = max(learned, lowest, _SLOWEST)
        self._climb = min(max(1.5 * active, _SHORTEST_CLIMB), _LONGEST_CLIMB)
        self._restart(now, pause)

    def _compare(self, now: float, learned: float, *, on_its_way_down: bool) -> None:
        """Whether the refusal contradicts the rate that was let through before."""
        rate = 1.0 / self.interval(now) if self._plateau is not None else inf
        soon = now - self._resumed < _SOON
        share = _MUCH_SLOWER if on_its_way_down else 1.0 if soon else _SLOWER
        many = self._answers >= _MANY
        forgotten = now - self._measured_at > _REMEMBERED
        if self._plateau is not None and self._answers >= _HELD:
            self._enough = max(self._enough, 3 * _CONTRADICTIONS)
        if many:
            self._contradictions = max(0, self._contradictions - 1)
        elif rate < share * self._let_through and not forgotten:
            self._contradictions += 1
            return
        if many or forgotten or learned > self._let_through:
            self._let_through, self._measured_at = learned, now

    def _take_for_sporadic(self, now: float, pause: float) -> None:
        self.sporadic = True
        self._plateau = None
        self._share_borne = min(max(2 * self._share.of_those_seen(), _LARGE_SHARE), _LARGEST_SHARE)
        self._start_over(now, pause)

    def _take_for_limit(self, now: float, pause: float) -> None:
        self.sporadic = False
        self._let_through, self._measured_at = self._share.answers_a_second(now + pause), now
        self._plateau = max(self._let_through, _SLOWEST)
        self._climb = _SHORTEST_CLIMB
        self._enough *= 2
        self._start_over(now, pause)

    def _start_over(self, now: float, pause: float) -> None:
        self._contradictions = 0
        self._share = _Share(now)
        self._restart(now, pause)

    def _restart(self, now: float, pause: float) -> None:
        self._resumed, self._pause, self._answers = now + pause, pause, 0
        self._recent.clear()

    def interval(self, now: float) -> float:
        """Seconds between two requests; 0 where no limit is known."""
        if self._plateau is None:
            return 0.0
        at = (now - self._resumed) / self._climb - 1.0
        return 1.0 / (self._plateau * (1.0 + (1.0 - _START) * at**3))
