"""Answers without end, or without an end in sight: bounded in memory and in time."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Callable

import pytest

from backfill.deliver.api import Answer, Api, NoAnswer
from backfill.deliver.outcome import Outcome
from backfill.deliver.response import LONGEST
from tests.deliver.delivering import body, settings

MEGABYTES = 2**20
Parts = Callable[[], AsyncIterator[bytes]]


def ask(parts: Parts, *, timeout: float = 30.0) -> Answer:
    """One order to a server that answers with ``parts`` until nobody listens any more."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].split()[0]))
        with contextlib.suppress(ConnectionError):
            async for part in parts():
                writer.write(part)
                await writer.drain()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        left.set()

    left = asyncio.Event()

    async def once() -> Answer:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with server:
            try:
                async with Api(settings(url, timeout=timeout)) as api:
                    return await api.create("X-Shout-Connect-ID", "A1", body("1"))
            finally:
                await left.wait()

    return asyncio.run(once())


def head(*headers: str) -> bytes:
    return "\r\n".join(["HTTP/1.1 201 Created", *headers, "", ""]).encode()


def of(*parts: bytes, endless: bytes = b"") -> Parts:
    async def each() -> AsyncIterator[bytes]:
        for part in parts:
            yield part
        while endless:
            yield endless
            await asyncio.sleep(0)

    return each


BOMB = gzip.compress(bytes(200 * MEGABYTES))
FILLING = b"x" * 65536


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        (of(head("Content-Length: 104857600"), endless=FILLING), "longer than 4,000,000 bytes"),
        (of(head("Connection: close"), endless=FILLING), "longer than 4,000,000 bytes"),
        (
            of(head("Transfer-Encoding: chunked"), endless=b"10000\r\n" + FILLING + b"\r\n"),
            "longer than 4,000,000 bytes",
        ),
        (
            of(head("Content-Encoding: gzip", f"Content-Length: {len(BOMB)}"), BOMB),
            "longer than 4,000,000 bytes",
        ),
        (of(b"HTTP/1.1 201 Created\r\n", endless=b"X-More: 1\r\n"), "ClientResponseError"),
        (of(b"HTTP/1.1 201 Created\r\nX-More: ", endless=FILLING), "ClientResponseError"),
        (of(head("Content-Encoding: br", "Content-Length: 5"), b"xxxxx"), "packed as br"),
        (of(head("Content-Length: 50"), b"{}"), "ClientPayloadError"),
    ],
    ids=["length", "until closed", "chunks", "bomb", "headers", "a header", "br", "cut"],
)
def test_an_answer_without_end_is_no_answer(parts: Parts, says: str) -> None:
    """The order is in doubt; a few megabytes are read, and the connection is closed."""
    tracemalloc.start()
    try:
        with pytest.raises(NoAnswer) as caught:
            ask(parts)
        assert tracemalloc.get_traced_memory()[1] < 4 * LONGEST
    finally:
        tracemalloc.stop()
    assert caught.value.outcome is Outcome.IN_DOUBT
    assert says in str(caught.value)


def test_the_timeout_bounds_an_answer_that_drips() -> None:
    """Each byte comes in time; the answer as a whole does not."""

    async def drip() -> AsyncIterator[bytes]:
        yield head("Content-Length: 100000")
        while True:
            yield b"x"
            await asyncio.sleep(0.005)

    with pytest.raises(NoAnswer) as caught:
        ask(drip, timeout=0.1)
    assert caught.value.outcome is Outcome.IN_DOUBT


def test_an_answer_too_many_is_not_taken_for_the_next_one() -> None:
    """What comes unasked on a connection that is kept says nothing about the next order."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await once_read.wait()
            writer.write(answer)
            await writer.drain()
            stray_sent.set()
            await reader.readuntil(b"\r\n\r\n")
        writer.close()
        await writer.wait_closed()
        left.set()

    once_read, stray_sent, left = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def twice() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with server:
            async with Api(settings(url)) as api:
                assert (await api.find("X-Shout-Connect-ID", "A1", "1")).status == 200
                once_read.set()
                await stray_sent.wait()
                await asyncio.sleep(0.01)  # it has arrived
                with pytest.raises(NoAnswer, match="more than one answer") as caught:
                    await api.create("X-Shout-Connect-ID", "A1", body("2"))
                assert caught.value.outcome is Outcome.IN_DOUBT
            await left.wait()

    asyncio.run(twice())


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress], ids=["gzip", "deflate"])
def test_an_answer_that_is_packed_unasked_is_unpacked(pack: Callable[[bytes], bytes]) -> None:
    """Some gateways pack whatever passes."""
    text = b'{"order": {"id": 1}}'
    encoding = "gzip" if pack is gzip.compress else "deflate"
    packed = pack(text)
    answer = ask(
        of(head(f"Content-Encoding: {encoding}", f"Content-Length: {len(packed)}"), packed)
    )
    assert answer.body == text


def test_a_long_answer_is_whole() -> None:
    """An order of many lines comes in many pieces."""
    answer = ask(of(head("Content-Length: 3000000"), b"x" * 3_000_000))
    assert answer.body == b"x" * 3_000_000
