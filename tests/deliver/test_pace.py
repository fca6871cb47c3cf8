"""When a request may go, on a clock that the tests turn."""

from __future__ import annotations

import asyncio
import copy
import math
import random
from collections import Counter
from collections.abc import Callable
from typing import Protocol

import pytest

from backfill.deliver.pace import Lane, Pace, Seen, Stopped
from backfill.errors import SafetyStop
from tests.deliver import virtual_time


class Server(Protocol):
    """What a server makes of a request: what it shows, a Retry-After, and the seconds it takes."""

    def answer(self, now: float) -> tuple[Seen, float | None, float]: ...


class Bucket:
    """Lets ``rate`` requests a second through and ``burst`` at once, as a token bucket does."""

    def __init__(self, rate: float, burst: float, latency: float = 0.005) -> None:
        self.rate, self.burst, self.latency = rate, burst, latency
        self._tokens, self._at = burst, 0.0

    def lower(self, rate: float) -> None:
        self.burst *= rate / self.rate
        self.rate = rate
        self._tokens = min(self._tokens, self.burst)

    def answer(self, now: float) -> tuple[Seen, float | None, float]:
        self._tokens = min(self.burst, self._tokens + (now - self._at) * self.rate)
        self._at = now
        if self._tokens >= 1:
            self._tokens -= 1
            return Seen.ALIVE, None, self.latency
        return Seen.TURNED_AWAY, max(1.0, math.ceil((1 - self._tokens) / self.rate)), self.latency


class Window:
    """Lets so many through in each second of the clock."""

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self._second, self._count = 0, 0

    def answer(self, now: float) -> tuple[Seen, float | None, float]:
        if int(now) != self._second:
            self._second, self._count = int(now), 0
        self._count += 1
        if self._count <= self.rate:
            return Seen.ALIVE, None, 0.005
        return Seen.TURNED_AWAY, 1.0, 0.005


class Sporadic:
    """Refuses a share of all requests by chance, whatever their rate; the rest go to ``behind``."""

    def __init__(
        self, share: float, retry_after: float | None = 1.0, behind: Server | None = None
    ) -> None:
        self.share, self.retry_after = share, retry_after
        self.behind = behind or Bucket(1e6, 1e6, 0.015)

    def answer(self, now: float) -> tuple[Seen, float | None, float]:
        if random.random() < self.share:
            return Seen.TURNED_AWAY, self.retry_after, 0.015
        return self.behind.answer(now)


class InFlight:
    """Refuses what comes while ``most`` requests are under way."""

    def __init__(self, most: int, latency: float, retry_after: float | None) -> None:
        self.most, self.latency, self.retry_after = most, latency, retry_after
        self._ends: list[float] = []

    def answer(self, now: float) -> tuple[Seen, float | None, float]:
        self._ends = [end for end in self._ends if end > now]
        if len(self._ends) >= self.most:
            return Seen.TURNED_AWAY, self.retry_after, 0.001
        # The answer takes the rest of the time to arrive.
        self._ends.append(now + 0.85 * self.latency)
        return Seen.ALIVE, None, self.latency


class AskingFor:
    """Has its own Retry-After in the place of that of the server ``behind``."""

    def __init__(self, behind: Server, retry_after: float | None) -> None:
        self.behind, self.retry_after = behind, retry_after

    def answer(self, now: float) -> tuple[Seen, float | None, float]:
        seen, _, takes = self.behind.answer(now)
        return seen, self.retry_after if seen is Seen.TURNED_AWAY else None, takes


class Down:
    """Answers well but for the seconds from ``start`` to ``end``."""

    def __init__(self, start: float, end: float) -> None:
        self.start, self.end = start, end
        self.bothered = 0

    def answer(self, now: float) -> tuple[Seen, float | None, float]:
        if self.start <= now < self.end:
            self.bothered += 1
            return Seen.FAILED, None, 0.001
        return Seen.ALIVE, None, 0.02


def idle_pace(concurrency: int) -> Pace:
    """A pace that nothing halts and that nobody listens to."""
    return Pace(
        concurrency=concurrency,
        rate=None,
        give_up_after=900,
        halt=lambda stop: None,
        say=lambda line: None,
    )


class Press:
    """Presses a server with as many requests as the pace lets through."""

    def __init__(self, server: Server, concurrency: int = 64, **changes: float) -> None:
        self.server = server
        self.halted: list[SafetyStop] = []
        self.said: list[str] = []
        self.seen: Counter[tuple[int, Seen]] = Counter()
        self.most_under_way = 0
        self._concurrency = concurrency
        self._changes = changes

    async def _press(self, seconds: float, events: dict[float, Callable[[], None]]) -> None:
        loop = asyncio.get_running_loop()
        start = loop.time()
        self.pace = Pace(
            concurrency=self._concurrency,
            rate=self._changes.get("rate"),
            give_up_after=self._changes.get("give_up_after", 900.0),
            halt=self._halt,
            say=self.said.append,
        )

        async def one_after_the_other() -> None:
            lane = self.pace.create
            while loop.time() - start < seconds:
                at = self.pace.turn_now(lane) or await self.pace.wait(lane)
                self.most_under_way = max(self.most_under_way, self.pace.under_way)
                seen, retry_after, takes = self.server.answer(loop.time() - start)
                self.seen[int(loop.time() - start), seen] += 1
                await asyncio.sleep(takes * random.uniform(0.9, 1.1))
                self.pace.done(lane, seen, at, retry_after, "HTTP 503: sorry")

        for at, event in events.items():
            loop.call_later(at, event)
        workers = [asyncio.ensure_future(one_after_the_other()) for _ in range(self._concurrency)]
        await asyncio.wait(workers, timeout=seconds + 120)
        self.pace.close()
        await asyncio.gather(*workers, return_exceptions=True)

    def _halt(self, stop: SafetyStop) -> None:
        self.halted.append(stop)
        self.pace.close()

    def press(self, seconds: float, seed: int = 7, **events: Callable[[], None]) -> Press:
        random.seed(seed)
        virtual_time.run(
            self._press(seconds, {float(at.removeprefix("at")): do for at, do in events.items()})
        )
        return self

    def count(self, seen: Seen, start: int, end: int) -> int:
        return sum(self.seen[second, seen] for second in range(start, end))

    def seconds_for(self, orders: int) -> float:
        """Whole seconds until so many requests were let through."""
        through = 0
        for second in range(max(second for second, _ in self.seen) + 1):
            through += self.seen[second, Seen.ALIVE]
            if through >= orders:
                return second + 1
        return math.inf

    def rate(self, start: int, end: int) -> float:
        return self.count(Seen.ALIVE, start, end) / (end - start)

    def refused_share(self, start: int, end: int) -> float:
        refused = self.count(Seen.TURNED_AWAY, start, end)
        return refused / (refused + self.count(Seen.ALIVE, start, end))


@pytest.mark.parametrize("latency", [0.005, 0.2])
@pytest.mark.parametrize("burst", [10, 50, 100])
def test_a_limit_of_50_a_second_is_found_and_kept(burst: int, latency: float) -> None:
    """45 or more a second get through, and under 5 % are refused, whatever may come at once."""
    press = Press(Bucket(50, burst, latency), 16).press(60)
    assert press.rate(30, 60) >= 45
    assert press.refused_share(0, 60) < 0.05


@pytest.mark.parametrize("latency", [0.005, 0.2])
def test_a_limit_that_is_lowered_is_found_again(latency: float) -> None:
    """From 50 a second to 10 in mid-run."""
    server = Bucket(50, 50, latency)
    press = Press(server, 16).press(90, at30=lambda: server.lower(10))
    assert press.rate(40, 90) >= 9
    assert press.refused_share(30, 90) < 0.05


def test_a_limit_that_is_raised_is_found_too() -> None:
    """What was learned is not for ever."""
    server = Bucket(10, 10)
    press = Press(server, 16).press(120, at30=lambda: server.lower(50))
    assert press.rate(90, 120) >= 40


def test_a_limit_a_second_of_the_clock_is_kept() -> None:
    """Another common kind of limit."""
    press = Press(Window(50), 16).press(60)
    assert press.rate(20, 60) >= 45
    assert press.refused_share(0, 60) < 0.05


def test_a_strict_limit_without_any_burst_does_not_starve_us() -> None:
    """One request every 20 ms and never two: the hardest kind."""
    press = Press(Bucket(50, 1), 16).press(120)
    assert press.rate(60, 120) >= 35
    assert press.refused_share(60, 120) < 0.05


@pytest.mark.parametrize("retry_after", [1.0, 0.0, None])
@pytest.mark.parametrize(
    "server",
    [Bucket(50, 1), Bucket(50, 10), Bucket(50, 50), Bucket(50, 200), Window(50)],
    ids=["burst of 1", "burst of 10", "burst of 50", "burst of 200", "window"],
)
def test_a_limit_is_held_closely_in_a_long_run(server: Server, retry_after: float | None) -> None:
    """47 of 50 a second, and under 2 % refused, whatever pause is asked for."""
    press = Press(AskingFor(copy.deepcopy(server), retry_after), 16).press(600)
    assert press.rate(30, 600) >= (35 if server.__dict__.get("burst") == 1 else 47)
    assert press.refused_share(0, 600) < 0.02


@pytest.mark.parametrize("retry_after", [1.0, None])
@pytest.mark.parametrize("seed", range(5))
def test_refusals_by_chance_cost_only_their_pauses(seed: int, retry_after: float | None) -> None:
    """They are no rate limit: 16 of 400 are refused, and cost a pause of about a second each."""
    press = Press(Sporadic(0.04, retry_after), 16).press(300, seed)
    assert press.seconds_for(400) <= 3 * 17
    assert press.seconds_for(2000) <= 2 * 5 * 17


def test_refusals_by_chance_without_a_pause_cost_next_to_nothing() -> None:
    """Retry-After 0: once the refusals are known to be chance, nothing waits for them."""
    press = Press(Sporadic(0.04, 0.0), 16).press(60)
    assert press.seconds_for(400) <= 17
    assert press.rate(30, 60) >= 500
    assert press.pace.limit == 16


def test_many_refusals_by_chance_do_not_starve_us() -> None:
    """Every fifth request: 100 refusals for 400 orders."""
    assert Press(Sporadic(0.2), 16).press(600).seconds_for(400) <= 3 * 105


def test_refusals_by_chance_do_not_hide_a_limit() -> None:
    """The pauses alone keep the rate below 50 a second; few more are refused than by chance."""
    press = Press(Sporadic(0.04, 1.0, Bucket(50, 50)), 16).press(300)
    assert press.rate(60, 300) >= 20
    assert press.refused_share(0, 300) < 0.2


@pytest.mark.parametrize("retry_after", [1.0, 0.0])
def test_an_own_rate_is_kept_where_refusals_come_by_chance(retry_after: float) -> None:
    """``--rate`` outlasts what was learned and given up again."""
    press = Press(Sporadic(0.04, retry_after), rate=20).press(120)
    seconds = Counter(second for second, _ in press.seen.elements())
    assert max(seconds[second] for second in range(1, 120)) <= 21
    assert press.rate(30, 120) >= 5


@pytest.mark.parametrize("seed", range(5))
def test_a_limit_is_found_where_refusals_came_by_chance(seed: int) -> None:
    """A limit of 5 a second begins in mid-run."""
    server = Sporadic(0.04)

    def begin() -> None:
        server.share, server.behind = 0.0, Bucket(5, 5)

    press = Press(server, 16).press(200, seed, at60=begin)
    assert press.rate(90, 200) >= 4
    assert press.refused_share(90, 200) < 0.1


@pytest.mark.parametrize("retry_after", [1.0, 0.0, None])
def test_a_large_drop_is_no_chance(retry_after: float | None) -> None:
    """From 50 a second to 5: taken for chance at first, it may be, but not for long."""
    server = Bucket(50, 50)
    press = Press(AskingFor(server, retry_after), 16).press(120, at30=lambda: server.lower(5))
    assert press.rate(50, 120) >= 4
    assert press.count(Seen.TURNED_AWAY, 30, 120) < 75
    assert press.refused_share(90, 120) < 0.08


@pytest.mark.parametrize("retry_after", [1.0, 0.0, None])
@pytest.mark.parametrize("latency", [0.02, 0.2])
def test_a_limit_of_requests_in_flight_is_lived_with(
    latency: float, retry_after: float | None
) -> None:
    """At most 4 at once: half of what it could do, or more."""
    press = Press(InFlight(4, latency, retry_after), 16).press(120)
    assert press.rate(20, 120) >= 0.5 * 4 / latency
    assert press.refused_share(20, 120) < 0.1


def test_the_longest_pause_of_those_in_flight_counts() -> None:
    """Four at once are refused: one second, nine, nothing, three; nobody sends for nine."""

    class Refused:
        pauses = iter((1.0, 9.0, None, 3.0))

        def answer(self, now: float) -> tuple[Seen, float | None, float]:
            seen = Seen.TURNED_AWAY if now == 0 else Seen.ALIVE
            return seen, next(self.pauses, None), 0.01

    press = Press(Refused(), 4).press(12)
    assert press.count(Seen.ALIVE, 0, 9) == 0
    assert press.count(Seen.ALIVE, 9, 12) > 0


def test_a_pause_is_a_pause_for_everybody() -> None:
    """Retry-After 7: nobody sends for 7 seconds."""

    class Once:
        refused_at = None

        def answer(self, now: float) -> tuple[Seen, float | None, float]:
            if now >= 2 and self.refused_at is None:
                self.refused_at = now
                return Seen.TURNED_AWAY, 7.0, 0.0
            return Seen.ALIVE, None, 0.01

    press = Press(Once(), 8).press(12)
    assert press.count(Seen.ALIVE, 3, 9) == 0
    assert press.count(Seen.ALIVE, 9, 12) > 0


def test_an_own_rate_is_kept() -> None:
    """``--rate``, with nobody refusing anything."""
    press = Press(Bucket(1e6, 1e6), rate=20).press(30)
    assert press.rate(1, 30) == pytest.approx(20, rel=0.02)


def test_an_outage_of_a_minute_is_no_retry_storm() -> None:
    """What was under way fails; then one at a time asks whether it is over."""
    press = Press(Down(5, 65)).press(90)
    assert press.server.bothered < 150  # type: ignore[attr-defined]
    assert press.count(Seen.ALIVE, 76, 90) > 0
    assert not press.halted


def test_an_outage_is_told_when_it_begins_and_when_it_ends() -> None:
    """Once each, with what came instead of an answer; an outage that halts the run says it too."""
    down, up = Press(Down(5, 65)).press(90).said
    assert down == (
        "Shout is down, it seems (HTTP 503: sorry): one request at a time tries whether it is up"
        " again, for 15 min at most"
    )
    assert up.startswith("Shout is up again after 1 min")
    (stop,) = Press(Down(5, 1e9), give_up_after=100).press(300).halted
    assert stop.message.endswith("for more than 100 seconds now; the last answer: HTTP 503: sorry")


def test_a_long_pause_is_told_once() -> None:
    """Whoever waits knows why; pauses that are no longer than one that was told are not."""

    class Pauses:
        pauses = iter((5.0, 30.0, 20.0, 60.0))

        def answer(self, now: float) -> tuple[Seen, float | None, float]:
            pause = next(self.pauses, None)
            seen = Seen.ALIVE if pause is None else Seen.TURNED_AWAY
            return seen, pause, 0.01

    assert Press(Pauses(), 1).press(200).said == [
        "Shout asks for a pause of 30 s; the run goes on after it",
        "Shout asks for a pause of 1 min; the run goes on after it",
    ]


def test_an_outage_that_does_not_end_halts_the_run() -> None:
    """``--give-up-after``."""
    press = Press(Down(5, 1e9), give_up_after=100).press(300)
    assert [stop.exit_code for stop in press.halted] == [4]
    assert max(second for second, _ in press.seen) == pytest.approx(105, abs=20)


def test_a_server_that_refuses_everything_for_too_long_halts_the_run() -> None:
    """429 and nothing else is an outage too."""

    class Never:
        def answer(self, now: float) -> tuple[Seen, float | None, float]:
            return Seen.TURNED_AWAY, 5.0, 0.01

    press = Press(Never(), give_up_after=60).press(300)
    assert "429" in press.halted[0].message


@pytest.mark.parametrize("seconds", [901.0, math.inf])
def test_a_pause_longer_than_the_patience_halts_the_run(seconds: float) -> None:
    """Shout's word is kept: rather no request than one before its time."""

    class Later:
        def answer(self, now: float) -> tuple[Seen, float | None, float]:
            return Seen.TURNED_AWAY, seconds, 0.01

    press = Press(Later()).press(10)
    assert "Retry-After" in press.halted[0].message
    assert sum(press.seen.values()) <= 64


def test_the_limit_grows_while_all_is_well() -> None:
    """Up to ``--concurrency`` and not beyond."""
    press = Press(Bucket(1e6, 1e6, 0.1), 40).press(20)
    assert press.pace.limit == 40
    assert press.most_under_way == 40


def test_errors_shrink_the_limit() -> None:
    """Half of all requests fail: fewer go at once."""

    class Half:
        n = 0

        def answer(self, now: float) -> tuple[Seen, float | None, float]:
            self.n += 1
            return (Seen.FAILED if self.n % 2 else Seen.ALIVE), None, 0.1

    assert Press(Half(), 40).press(20).pace.limit < 10


def test_rising_latency_shrinks_the_limit() -> None:
    """A server whose answers take longer the more come at once is not pressed harder."""

    class Slow:
        press: Press

        def answer(self, now: float) -> tuple[Seen, float | None, float]:
            return Seen.ALIVE, None, 0.1 + 0.1 * max(0, self.press.pace.under_way - 10)

    server = Slow()
    server.press = Press(server, 64)
    assert server.press.press(120).pace.limit < 25


def test_lookups_go_before_new_orders() -> None:
    """What is in doubt is settled first."""

    async def order_of_turns() -> list[str]:
        pace = idle_pace(1)
        went: list[str] = []

        async def go(lane: Lane, name: str) -> None:
            await pace.wait(lane)
            went.append(name)
            pace.done(lane, Seen.ALIVE, 0.0, None)

        assert pace.turn_now(pace.create)
        waiting = [
            asyncio.ensure_future(go(pace.create, "new")),
            asyncio.ensure_future(go(pace.lookup, "lookup")),
        ]
        await asyncio.sleep(1)
        pace.done(pace.create, Seen.ALIVE, 0.0, None)
        await asyncio.gather(*waiting)
        return went

    assert virtual_time.run(order_of_turns()) == ["lookup", "new"]


def test_retries_have_a_budget() -> None:
    """A hundred at once, then two a second; each success earns half of one more."""

    async def seconds(successes: int) -> float:
        loop = asyncio.get_running_loop()
        pace = idle_pace(1)
        for _ in range(100):
            await pace.may_retry()
        for _ in range(successes):
            pace.done(pace.create, Seen.ALIVE, pace.turn_now(pace.create) or 0.0, None)
        start = loop.time()
        for _ in range(20):
            await pace.may_retry()
        return loop.time() - start

    assert virtual_time.run(seconds(0)) == pytest.approx(10)
    assert virtual_time.run(seconds(40)) == pytest.approx(0)


def test_whoever_waits_when_it_is_over_is_told() -> None:
    """For a turn, for the budget, or for time to pass."""

    async def stopped() -> list[BaseException | None]:
        pace = idle_pace(1)
        pace.turn_now(pace.create)
        waiting = [
            asyncio.ensure_future(pace.wait(pace.create)),
            asyncio.ensure_future(pace.sleep(1e6)),
        ]
        await asyncio.sleep(1)
        pace.close()
        await asyncio.wait(waiting)
        assert pace.turn_now(pace.lookup) is None
        return [one.exception() for one in waiting]

    assert [type(one) for one in virtual_time.run(stopped())] == [Stopped, Stopped]


def test_an_open_files_limit_is_made_do_with() -> None:
    """Fewer connections from then on; none at all is told."""

    async def left() -> tuple[int, bool]:
        pace = idle_pace(10)
        for _ in range(4):
            pace.turn_now(pace.create)
        assert pace.fewer_files()
        limit = pace.limit
        for _ in range(4):
            pace.done(pace.create, Seen.NOTHING, 0.0, None)
        return limit, pace.fewer_files()

    assert virtual_time.run(left()) == (3, False)
