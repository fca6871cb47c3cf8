"""The timeout of a request, beside cancellations that come from elsewhere."""

from __future__ import annotations

import asyncio

import pytest
import virtual_time

from backfill.deliver.deadlines import Deadlines


async def request(deadlines: Deadlines, seconds: float) -> str:
    running = deadlines.begin()
    try:
        await asyncio.sleep(seconds)
        return "answered"
    except asyncio.CancelledError:
        running.settle()
        return "timed out"
    finally:
        deadlines.end(running)


def test_what_takes_too_long_is_ended_and_the_rest_is_not() -> None:
    """At most an eighth too late; and the task goes on to its next request."""

    async def many() -> tuple[list[str], float]:
        deadlines, loop = Deadlines(8.0), asyncio.get_running_loop()
        started = loop.time()
        both = await asyncio.gather(request(deadlines, 7.9), request(deadlines, 1e9))
        took = loop.time() - started
        again = await request(deadlines, 7.9)
        deadlines.close()
        return [*both, again], took

    outcomes, took = virtual_time.run(many())
    assert outcomes == ["answered", "timed out", "answered"]
    assert 8.0 <= took <= 9.1


def test_a_cancellation_from_elsewhere_stays_one() -> None:
    """Also where it comes together with the timeout's."""

    async def cancelled(after: float) -> None:
        loop = asyncio.get_running_loop()
        task = asyncio.ensure_future(request(Deadlines(8.0), 1e9))
        await asyncio.sleep(0)
        loop.call_at(loop.time() + after, task.cancel)
        await task

    for after in (1.0, 8.0):
        with pytest.raises(asyncio.CancelledError):
            virtual_time.run(cancelled(after))
