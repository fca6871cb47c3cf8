"""When a request is given up, beside cancellations that come from elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from typing import Any

import pytest

from backfill.deliver import api as api_module
from backfill.deliver.api import Answer, Api, NoAnswer
from backfill.deliver.deadlines import Deadlines
from backfill.deliver.outcome import Outcome
from tests.deliver import virtual_time
from tests.deliver.delivering import body, settings


async def request(deadlines: Deadlines, seconds: float) -> str:
    """Something that takes so long, unless it is ended."""
    try:
        with deadlines.one():
            await asyncio.sleep(seconds)
            return "answered"
    except TimeoutError:
        return "timed out"


async def create(server: Any, seconds: float) -> Answer:
    """Send an order there."""
    url = f"http://127.0.0.1:{server.getsockname()[1]}"
    async with Api(settings(url, timeout=seconds)) as api:
        return await api.create("X-Shout-Connect-ID", "A1", body("1"))


def test_what_takes_too_long_is_ended_in_time_and_the_rest_is_not() -> None:
    """Whenever it began; and the task goes on to its next request as if nothing had been."""

    async def many() -> list[tuple[str, float]]:
        deadlines, loop = Deadlines(8.0), asyncio.get_running_loop()
        started = loop.time()

        async def after(wait: float, seconds: float) -> tuple[str, float]:
            await asyncio.sleep(wait)
            what = await request(deadlines, seconds)
            took = loop.time() - started - wait
            assert await request(deadlines, 7.9) == "answered"
            return what, took

        found = await asyncio.gather(
            *(after(wait, seconds) for wait in (0.0, 3.0, 8.0, 11.0) for seconds in (7.9, 1e9))
        )
        deadlines.close()
        return found

    assert [(what, round(took, 6)) for what, took in virtual_time.run(many())] == [
        ("answered", 7.9),
        ("timed out", 8.0),
    ] * 4


@pytest.mark.parametrize("after", [1.0, 8.0])
def test_a_cancellation_from_elsewhere_stays_one(after: float) -> None:
    """Also where it comes together with the timeout's."""

    async def cancelled() -> None:
        loop = asyncio.get_running_loop()
        task = asyncio.ensure_future(request(Deadlines(8.0), 1e9))
        await asyncio.sleep(0)
        loop.call_at(loop.time() + after, task.cancel)
        await task

    with pytest.raises(asyncio.CancelledError):
        virtual_time.run(cancelled())


def test_a_timeout_that_something_else_made_an_error_of_leaves_no_trace() -> None:
    """The task's next request is not cancelled for the last one's sake."""

    async def converted() -> tuple[str, int]:
        deadlines = Deadlines(8.0)
        with pytest.raises(OSError, match="gone"), deadlines.one():
            try:
                await asyncio.sleep(1e9)
            except asyncio.CancelledError:
                raise OSError("gone") from None
        task = asyncio.current_task()
        assert task is not None
        return await request(deadlines, 1e9), task.cancelling()

    assert virtual_time.run(converted()) == ("timed out", 0)


def test_an_answer_that_never_ends_is_given_up_in_doubt() -> None:
    """However often a piece of it comes: the timeout is for the request as a whole."""

    left = asyncio.Event()

    async def dribble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"}}")
        writer.write(b"HTTP/1.1 201 X\r\nContent-Length: 1000000\r\n\r\n")
        while not writer.is_closing():
            writer.write(b" ")
            await asyncio.sleep(0.005)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        left.set()

    async def once() -> None:
        server = await asyncio.start_server(dribble, "127.0.0.1", 0)
        async with server:
            try:
                await create(server.sockets[0], 0.1)
            finally:
                await left.wait()

    with pytest.raises(NoAnswer) as caught:
        asyncio.run(once())
    assert caught.value.outcome is Outcome.IN_DOUBT


def test_a_connection_that_does_not_come_about_is_given_up_as_not_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Long before the request's own timeout: nobody takes calls, and the queue is full."""
    monkeypatch.setattr(api_module, "_CONNECT_SECONDS", 0.1)
    with socket.socket() as deaf, socket.socket() as first, socket.socket() as second:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        for caller in (first, second):
            caller.setblocking(False)
            caller.connect_ex(deaf.getsockname())
        with pytest.raises(NoAnswer) as caught:
            asyncio.run(create(deaf, 3600.0))
    assert caught.value.outcome is Outcome.NOT_SENT


def test_an_answer_that_arrived_while_the_process_was_stopped_is_read() -> None:
    """Its time ran out in the same moment in which it could be read; that is no timeout."""

    async def once() -> bytes:
        loop, deadlines = asyncio.get_running_loop(), Deadlines(0.1)

        async def ask() -> bytes:
            with deadlines.one():
                return await loop.sock_recv(ours, 10)

        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.setblocking(False)
            asking = asyncio.create_task(ask())
            await asyncio.sleep(0)
            theirs.send(b"answer")
            time.sleep(0.2)  # noqa: ASYNC251 - nothing runs, as after SIGSTOP
            try:
                return await asking
            finally:
                deadlines.close()

    assert asyncio.run(once()) == b"answer"
