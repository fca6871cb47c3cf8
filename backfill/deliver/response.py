"""Reads an answer from a server that may send anything: only what was asked for, and not too much.

The request's timeout bounds the time. What is too long, cannot be unpacked or came unasked is no
answer: the connection is closed, and the order is in doubt.
"""

from __future__ import annotations

import zlib
from typing import Self

import aiohttp
from aiohttp.connector import Connection

#: An order of 10,000 line items is shown in about 2 MB.
LONGEST = 4_000_000
_ZLIB_OR_GZIP = zlib.MAX_WBITS | 32


class Response(aiohttp.ClientResponse):
    """An answer to its own request: not one that was waiting on the connection before it."""

    async def start(self, connection: Connection) -> Self:
        """Read the head.

        :raises aiohttp.ClientPayloadError: the server had sent something already.
        """
        if connection.protocol is not None and connection.protocol.should_close:
            raise aiohttp.ClientPayloadError("the server sent more than one answer to a request")
        await super().start(connection)
        return self


async def whole_body(response: aiohttp.ClientResponse) -> bytes:
    """The whole body, unpacked where a server packs it although it was not asked to.

    :raises aiohttp.ClientPayloadError: it is longer than ``LONGEST``, cut short or broken.
    """
    content = response.content
    try:
        body = await content.readany()  # all of it, almost always
        while not content.at_eof():
            if len(body) > LONGEST:
                raise _too_long()
            body += await content.readany()
        packed = response.headers.get("Content-Encoding", "identity").strip().lower()
        return body if packed in ("identity", "") or not body else _unpacked(body, packed)
    except BaseException:
        response.close()
        raise


def _unpacked(body: bytes, packed: str) -> bytes:
    """A few kilobytes may unpack to gigabytes, so it stops where it gets too long."""
    if packed not in ("gzip", "x-gzip", "deflate"):
        raise aiohttp.ClientPayloadError(f"the answer is packed as {packed}, which was not asked")
    unpacking = zlib.decompressobj(_ZLIB_OR_GZIP)
    try:
        unpacked = unpacking.decompress(body, LONGEST + 1)
    except zlib.error as exc:
        raise aiohttp.ClientPayloadError(f"the answer cannot be unpacked ({exc})") from exc
    if len(unpacked) > LONGEST:
        raise _too_long()
    if not unpacking.eof:
        raise aiohttp.ClientPayloadError("the answer is cut short")
    return unpacked


def _too_long() -> aiohttp.ClientPayloadError:
    return aiohttp.ClientPayloadError(f"the answer is longer than {LONGEST:,} bytes")
