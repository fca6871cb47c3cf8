"""Decides when a request may be sent; every request of a run passes through it.

It decides what no single worker may decide alone:

- how many requests are in flight at once: a limit that grows while requests succeed, and shrinks
  on failures and rising latency;
- how many are sent per second: ``--rate``, and what :mod:`backfill.deliver.rate` learned from
  refusals;
- the pause that a ``Retry-After`` asks for, which applies to all workers;
- an outage: after several failures in a row, one request at a time probes whether it is over, with
  exponential backoff and jitter, while all others wait;
- the retry budget: retries may not exceed a share of the requests that succeed.

Times are in seconds on the event loop's clock, which is monotonic.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from collections.abc import Callable
from enum import Enum, auto
from math import inf

from backfill.deliver.rate import LearnedRate
from backfill.errors import SafetyStop
from backfill.progress import duration

_log = logging.getLogger(__name__)

_FIRST_LIMIT = 10
_BACK_OFF = 0.7
_BACK_OFF_LATENCY = 0.8
_SLOW_AT_LEAST = 0.25
"""Seconds by which latency must rise before the limit shrinks."""
_DOWN_AFTER = 8
"""Failures in a row."""
_PROBE_FIRST, _PROBE_LONGEST = 0.5, 10.0
_NOT_SHOUT_FOR = 20.0
"""Seconds of answers that are not Shout's after which the run stops: an outage may pass, but a
login page or another server waits for a person."""
_SHORTEST_PAUSE = 0.5
"""Seconds after a refusal that may come from a rate limit, even if Shout asks for none: the rate is
learned from what a pause lets through."""
_LONG_PAUSE = 10.0
"""Seconds; a longer pause that Shout asks for is shown to the user."""
_SHOWN = 120
"""Characters of an answer that are shown while the run still continues."""
_LATE = 0.01
"""Seconds that a late request may catch up when requests are spaced."""
_RETRIES_PER_SUCCESS = 0.5
_RETRIES_SAVED = 100.0
_RETRIES_A_SECOND = 2.0


class Stopped(Exception):
    """Nothing more is sent in this run."""


class Seen(Enum):
    """What a request tells about Shout's state."""

    ALIVE = auto()
    """It answered."""
    TURNED_AWAY = auto()
    """It answered with a 429."""
    FAILED = auto()
    """A 5xx, or no answer at all."""
    NOT_SHOUT = auto()
    """It was answered, but not as Shout's API answers: a redirect, a web page, or a success that
    does not show what it should."""
    NOTHING = auto()
    """It never reached the network."""


def _log_event(event: str, *, level: int = logging.INFO, **fields: object) -> None:
    rounded = {name: round(x, 3) if isinstance(x, float) else x for name, x in fields.items()}
    _log.log(level, event, extra={"fields": rounded})


class Lane:
    """Requests of one kind: to create, or to look up. One may be down while the other is not."""

    def __init__(self, name: str) -> None:
        self.name = name
        """for the log"""
        self.waiting: deque[asyncio.Future[None]] = deque()
        self.under_way = 0
        self.failures = 0
        """in a row; an answer ends them only if its request was sent after the first failure"""
        self.failing_since = 0.0
        self.probes = 0
        self.probe_at = 0.0
        self.latency = self.usual_latency = 0.0
        """seconds, smoothed; and the usual value"""

    @property
    def down(self) -> bool:
        """Whether only one request at a time may be sent, as a probe."""
        return self.failures >= _DOWN_AFTER


class Pace:
    """The gate. :meth:`turn_now` or :meth:`wait` before each request, :meth:`done` after it."""

    def __init__(
        self,
        *,
        concurrency: int,
        rate: float | None,
        give_up_after: float,
        halt: Callable[[SafetyStop], None],
        say: Callable[[str], None],
    ) -> None:
        """
        :param rate: requests per second, at most.
        :param give_up_after: seconds of an outage after which ``halt`` is called.
        :param say: shows the user a line, to explain why nothing is being sent.
        """
        self._loop = asyncio.get_running_loop()
        now = self._loop.time()
        self.create, self.lookup = Lane("create"), Lane("lookup")
        self.under_way = 0
        self._most = float(concurrency)
        self._limit = float(min(_FIRST_LIMIT, concurrency))
        self._steep = True
        self._backed_off = -inf
        self._interval = 1.0 / rate if rate else 0.0
        self._spaced = rate is not None
        self._learned = LearnedRate(now)
        self._slot = now
        self._pause_began, self._paused_until = -inf, now
        self._give_up_after = give_up_after
        self._halt = halt
        self._say = say
        self._longest_pause_told = 0.0
        self._alive_at = now
        self._budget, self._budget_at = _RETRIES_SAVED, now
        self._timer: asyncio.TimerHandle | None = None
        self._closed = asyncio.Event()

    @property
    def limit(self) -> int:
        """How many requests may be in flight at once, at present."""
        return int(self._limit)

    # --- the life of a request ---------------------------------------------------------------

    def turn_now(self, lane: Lane) -> float | None:
        """The present time if a request may be sent now; None if it has to :meth:`wait`."""
        now = self._loop.time()
        if lane.waiting or self._closed.is_set() or self._when(lane, now) > now:
            return None
        self._take(lane, now)
        return now

    async def wait(self, lane: Lane) -> float:
        """Wait until a request may be sent; returns that time.

        :raises Stopped: nothing more is sent.
        """
        if self._closed.is_set():
            raise Stopped
        future = self._loop.create_future()
        lane.waiting.append(future)
        self._dispatch()
        await future
        return self._loop.time()

    def done(
        self, lane: Lane, seen: Seen, started: float, retry_after: float | None, why: str = ""
    ) -> None:
        """Note the end of a request that was sent at ``started``.

        :param retry_after: seconds, if Shout gave them.
        :param why: what went wrong, in words.
        """
        now = self._loop.time()
        self.under_way -= 1
        lane.under_way -= 1
        if seen is Seen.ALIVE:
            if started >= lane.failing_since:
                was_down = lane.down
                lane.failures = lane.probes = 0
                if was_down:
                    self._up_again(lane, now)
            self._all_is_well(lane, now, now - started)
        elif seen is Seen.TURNED_AWAY:
            self._turned_away(now, started, retry_after)
        elif seen is not Seen.NOTHING:
            self._trouble(lane, now, seen, retry_after, why)
        if self.create.waiting or self.lookup.waiting:
            self._dispatch()

    def close(self) -> None:
        """Send nothing more; requests that wait raise :class:`Stopped`."""
        self._closed.set()
        if self._timer is not None:
            self._timer.cancel()
        for lane in (self.create, self.lookup):
            for future in lane.waiting:
                if not future.done():
                    future.set_exception(Stopped())
            lane.waiting.clear()

    def fewer_files(self) -> bool:
        """Lower the limit after no file was left for another connection.

        Returns False if no connection is open.
        """
        self._most = max(1.0, min(self._most, self.under_way) - 1)
        self._limit = min(self._limit, self._most)
        return self.under_way > 0

    async def may_retry(self) -> None:
        """Wait until the retry budget allows another retry."""
        while True:
            now = self._loop.time()
            earned = (now - self._budget_at) * _RETRIES_A_SECOND
            self._budget = min(self._budget + earned, _RETRIES_SAVED)
            self._budget_at = now
            if self._budget >= 1.0:
                self._budget -= 1.0
                return
            await self.sleep((1.0 - self._budget) / _RETRIES_A_SECOND)

    async def sleep(self, seconds: float) -> None:
        """Wait.

        :raises Stopped: nothing more is sent.
        """
        try:
            await asyncio.wait_for(self._closed.wait(), seconds)
        except TimeoutError:
            return
        raise Stopped

    # --- what a request told ----------------------------------------------------------------

    def _all_is_well(self, lane: Lane, now: float, latency: float) -> None:
        self._alive_at = now
        self._learned.answered(now)
        if self._budget < _RETRIES_SAVED:
            self._budget += _RETRIES_PER_SUCCESS
        lane.latency += (latency - lane.latency) * 0.1
        if latency < lane.usual_latency or not lane.usual_latency:
            lane.usual_latency = latency
        else:  # the usual latency may rise, slowly
            lane.usual_latency += (latency - lane.usual_latency) * 0.001
        if lane.latency > 2 * lane.usual_latency + _SLOW_AT_LEAST:
            self._back_off(now, lane.latency, _BACK_OFF_LATENCY)
        elif self._limit < self._most:
            self._limit = min(self._limit + (1.0 if self._steep else 1.0 / self._limit), self._most)

    def _turned_away(self, now: float, started: float, retry_after: float | None) -> None:
        if now - self._alive_at > self._give_up_after:
            self._give_up("turned everything away (HTTP 429)", self._give_up_after)
            return
        if started <= self._pause_began:  # it was in flight then
            self._pause(now, retry_after or 0.0)
            self._learned.refused_too(now, self._paused_until)
            return
        pause = retry_after if retry_after is not None else random.uniform(0.5, 1.5)  # noqa: S311
        was_sporadic = self._learned.sporadic
        if not was_sporadic:
            pause = max(pause, _SHORTEST_PAUSE)
        self._pause_began = now
        self._pause(now, pause)
        self._learned.refused(now, pause)
        if not was_sporadic:
            self._spaced = True
            self._slot = self._paused_until
        _log_event(
            "rate limited",
            pause_seconds=pause,
            requests_at_once=self.limit,
            sporadic=self._learned.sporadic,
        )
        if not self._learned.sporadic:
            self._back_off(now, pause, _BACK_OFF)
        elif not was_sporadic:
            self._steep = True  # what the first refusals took is soon given back

    def _trouble(
        self, lane: Lane, now: float, seen: Seen, retry_after: float | None, why: str
    ) -> None:
        if not lane.failures:
            lane.failing_since = now
        lane.failures += 1
        if lane.failures == _DOWN_AFTER:
            self._down(lane, why)
        self._back_off(now, lane.latency, _BACK_OFF)
        if retry_after is not None:
            self._pause(now, retry_after)
        if lane.down:
            # Full jitter: anywhere up to a bound that doubles with each probe.
            bound = min(_PROBE_LONGEST, _PROBE_FIRST * 2**lane.probes)
            lane.probe_at = now + random.uniform(bound / 2, bound)  # noqa: S311
            lane.probes += 1
        if now - self._alive_at > self._give_up_after:
            self._give_up("did not answer, or only with errors,", self._give_up_after, why)
        elif seen is Seen.NOT_SHOUT and lane.down and now - self._alive_at > _NOT_SHOUT_FOR:
            self._give_up("gave no answer that its API would give", _NOT_SHOUT_FOR, why)

    def _down(self, lane: Lane, why: str) -> None:
        _log_event("outage", level=logging.WARNING, lane=lane.name, failures_in_a_row=lane.failures)
        if not (self.create.down and self.lookup.down):
            self._say(
                f"Shout is down, it seems ({why[:_SHOWN]}): one request at a time tries whether it"
                f" is up again, for {duration(self._give_up_after)} at most"
            )

    def _up_again(self, lane: Lane, now: float) -> None:
        seconds = now - lane.failing_since
        _log_event("outage over", lane=lane.name, seconds=seconds)
        if not (self.create.down or self.lookup.down):
            self._say(f"Shout is up again after {duration(seconds)}")

    def _pause(self, now: float, seconds: float) -> None:
        if seconds > self._give_up_after:
            self._halt(
                SafetyStop(
                    f"Shout asks for a pause of {seconds:.0f} seconds (Retry-After)",
                    hint="run the same command again after that",
                )
            )
        elif seconds > max(_LONG_PAUSE, self._longest_pause_told):
            self._longest_pause_told = seconds
            self._say(f"Shout asks for a pause of {duration(seconds)}; the run goes on after it")
        self._paused_until = max(self._paused_until, now + seconds)

    def _back_off(self, now: float, again_after: float, factor: float) -> None:
        """Shrink the limit, once for all requests that were in flight together."""
        if now - self._backed_off < max(again_after, 0.1):
            return
        self._backed_off = now
        self._steep = False
        self._limit = max(1.0, self._limit * factor)
        _log_event("backed off", requests_at_once=self.limit)

    def _give_up(self, what: str, seconds: float, last: str = "") -> None:
        answer = f"; the last answer: {last}" if last else ""
        self._halt(
            SafetyStop(
                f"Shout {what} for more than {seconds:.0f} seconds now{answer}",
                hint="check that Shout is up, then run the same command again",
            )
        )

    # --- who may go -------------------------------------------------------------------------

    def _when(self, lane: Lane, now: float) -> float:
        """The time from which the lane's next request may go; ``inf``: not before an event."""
        if self.under_way + 1 > self._limit:
            return inf
        at = max(self._slot, self._paused_until)
        if lane.down:
            return inf if lane.under_way else max(at, lane.probe_at)
        return at

    def _take(self, lane: Lane, now: float) -> None:
        self.under_way += 1
        lane.under_way += 1
        if self._spaced:
            interval = max(self._interval, self._learned.interval(now))
            self._slot = max(self._slot, now - _LATE) + interval

    def _dispatch(self) -> None:
        """Wake every request that may go, and schedule the next check."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        now, next_at = self._loop.time(), inf
        # What is in doubt is settled before anything new is sent.
        for lane in (self.lookup, self.create):
            while lane.waiting:
                at = self._when(lane, now)
                if at > now:
                    next_at = min(next_at, at)
                    break
                future = lane.waiting.popleft()
                if not future.done():
                    self._take(lane, now)
                    future.set_result(None)
        if next_at < inf:
            self._timer = self._loop.call_at(next_at, self._dispatch)
