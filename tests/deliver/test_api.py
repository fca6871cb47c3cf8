"""What goes over the wire, byte for byte, and what may not."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Callable
from math import inf

import pytest

from backfill.deliver.api import Answer, Api, NoAnswer, base_url
from backfill.deliver.outcome import Outcome
from backfill.errors import SafetyStop, UsageError
from backfill.settings import Secret
from tests.deliver.delivering import CREDENTIAL, body, settings

Ask = Callable[[Api], Awaitable[Answer]]


class Line:
    """A server of one answer that keeps the bytes it was sent."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.heard = b""

    def ask(self, ask: Ask, **changes: object) -> Answer:
        """Start, ask once, end."""

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            head = await reader.readuntil(b"\r\n\r\n")
            length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
            self.heard = head + await reader.readexactly(int(length or 0))
            writer.write(self.answer)
            writer.close()
            await writer.wait_closed()

        async def once() -> Answer:
            server = await asyncio.start_server(serve, "127.0.0.1", 0)
            port = server.sockets[0].getsockname()[1]
            async with server, Api(settings(f"http://127.0.0.1:{port}/v1/", **changes)) as api:
                return await ask(api)

        return asyncio.run(once())


def answered(status: int = 200, text: bytes = b"{}", *headers: bytes) -> bytes:
    lines = [b"HTTP/1.1 %d X" % status, b"Content-Length: %d" % len(text), *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + text


def create(payload: bytes) -> Ask:
    return lambda api: api.create("X-Shout-Connect-ID", "A 1", payload)


def find(key: str) -> Ask:
    return lambda api: api.find("X-Shout-User-Id", "315", key)


def test_an_order_goes_out_as_the_very_bytes_under_one_account() -> None:
    """POST to /orders: credentials, the duplicate header, one account header, the body as it is."""
    line, payload = Line(answered(201)), body("#1001 ☃")
    assert line.ask(create(payload)).status == 201
    head, _, sent = line.heard.partition(b"\r\n\r\n")
    assert sent == payload
    first, *headers = head.decode().split("\r\n")
    assert first == "POST /v1/orders HTTP/1.1"
    assert f"Authorization: {CREDENTIAL}" in headers
    assert "X-Fail-Creation-On-Duplicate-Reference-Id: true" in headers
    assert "Content-Type: application/json" in headers
    assert [one for one in headers if one.startswith("X-Shout")] == ["X-Shout-Connect-ID: A 1"]


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("#1001", "%231001"),
        ("a/b?c=d&e", "a%2Fb%3Fc%3Dd%26e"),
        ("../../x", "..%2F..%2Fx"),
        ("100%", "100%25"),
        ("%2F", "%252F"),
        ("a b+c", "a%20b%2Bc"),
        ("é☃", "%C3%A9%E2%98%83"),
        ("A-z_0.9~", "A-z_0.9~"),
    ],
)
def test_a_key_is_percent_encoded_whole(key: str, path: str) -> None:
    """Everything but RFC 3986's unreserved characters, once."""
    line = Line(answered())
    line.ask(find(key))
    first, *headers = line.heard.decode().split("\r\n")
    assert first == f"GET /v1/orders/reference_id-{path} HTTP/1.1"
    assert [one for one in headers if one.startswith("X-Shout")] == ["X-Shout-User-Id: 315"]


def test_a_body_without_the_flag_never_reaches_the_wire() -> None:
    """The gate stands in the one place that sends."""
    line = Line(answered(201))
    with pytest.raises(SafetyStop):
        line.ask(create(body("1").replace(b"true}}", b"false}}")))
    assert line.heard == b""


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "ask",
    [
        create(body("1")),
        find("1"),
        lambda api: api.update("X-Shout-Connect-ID", "A 1", "1", body("1")),
        lambda api: api.delete("X-Shout-Connect-ID", "A 1", "1"),
        lambda api: api.notify(b"{}"),
    ],
    ids=["create", "find", "update", "delete", "notify"],
)
def test_a_redirect_is_not_followed(ask: Ask, status: int) -> None:
    """It would take credentials and customers elsewhere."""
    line = Line(answered(status, b"", b"Location: http://127.0.0.1:1/"))
    assert line.ask(ask).status == status


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (b"", Outcome.IN_DOUBT),
        (b"HTTP/1.1 201 Cre", Outcome.IN_DOUBT),
        (b"nonsense\r\n\r\n", Outcome.IN_DOUBT),
        (answered(201, b'{"id":1}')[:-3], Outcome.IN_DOUBT),
        (answered(201, b"x" * 50, b"Content-Encoding: gzip"), Outcome.IN_DOUBT),
    ],
    ids=["hung up", "half a status", "no HTTP", "cut body", "broken encoding"],
)
def test_no_whole_answer_leaves_an_order_in_doubt(answer: bytes, outcome: Outcome) -> None:
    """Whatever status it began with."""
    with pytest.raises(NoAnswer) as caught:
        Line(answer).ask(create(body("1")))
    assert caught.value.outcome is outcome


def test_a_server_that_never_answers_leaves_an_order_in_doubt() -> None:
    """A timeout is no failure."""

    left = asyncio.Event()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        await writer.wait_closed()
        left.set()

    async def once() -> None:
        server = await asyncio.start_server(hang, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        url = f"http://127.0.0.1:{port}"
        async with server:
            try:
                async with Api(settings(url, timeout=0.05)) as api:
                    await create(body("1"))(api)
            finally:
                await left.wait()

    with pytest.raises(NoAnswer) as caught:
        asyncio.run(once())
    assert caught.value.outcome is Outcome.IN_DOUBT


def test_a_refused_connection_was_not_sent() -> None:
    """Nobody listens: the order may be sent again freely."""

    async def once() -> None:
        server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        server.close()
        await server.wait_closed()
        async with Api(settings(f"http://127.0.0.1:{port}")) as api:
            await create(body("1"))(api)

    with pytest.raises(NoAnswer) as caught:
        asyncio.run(once())
    assert caught.value.outcome is Outcome.NOT_SENT


def test_no_exception_shows_the_credential() -> None:
    """Not even one that aiohttp fills with the request's headers."""
    with pytest.raises(NoAnswer) as caught:
        Line(b"HTTP/1.1 999999 X\r\n\r\n").ask(create(body("1")))
    error = caught.value
    shown = "".join(traceback.format_exception(error)) + repr(error) + str(error)
    assert CREDENTIAL.split()[1] not in shown


def test_an_answer_that_repeats_the_credential_is_shown_without_it() -> None:
    """A refusal's text ends up on disk; a credential must not."""
    Api(settings("http://localhost", headers=(("X-Key", Secret("s3cr3t-s3cr3t")),)))
    answer = Answer(401, {}, b"bad key s3cr3t-s3cr3t" + b"x" * 600)
    assert answer.describe().startswith("HTTP 401: bad key ***xxx")
    assert len(answer.text()) == 501


def test_what_cannot_be_seen_in_an_answer_is_made_visible() -> None:
    """One line, no control characters, no writing from right to left."""
    assert Answer(500, {}, "a\r\nb\x1b[31m\u202e\xff".encode("latin-1", "replace")).text()
    assert Answer(500, {}, "a\r\nb\x1b[31m\u202e".encode()).text() == r"a\r\nb\x1b[31m\u202e"
    assert Answer(500, {}, b"").describe() == "HTTP 500: (no text)"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": " 0 "}, 0.0),
        ({"Retry-After": "9" * 400}, inf),
        ({"Retry-After": "0" * 400 + "7"}, 7.0),
        ({"Retry-After": "0" * 400}, 0.0),
        ({"Retry-After": "-7"}, None),
        ({"Retry-After": "7.5"}, None),
        ({"Retry-After": "²"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": ""}, None),
        ({}, None),
        (
            {
                "Retry-After": "Wed, 21 Oct 2015 07:28:30 GMT",
                "Date": "Wed, 21 Oct 2015 07:28:00 GMT",
            },
            30.0,
        ),
        (
            {
                "Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT",
                "Date": "Wed, 21 Oct 2015 07:28:30 GMT",
            },
            None,
        ),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, None),
        ({"Retry-After": "Wed, 99 Oct 2015 07:28:00 GMT"}, None),
        ({"Retry-After": "Wed, 21 Oct 99999999999 07:28:00 GMT"}, None),
    ],
)
def test_retry_after_is_read_in_both_forms(headers: dict[str, str], seconds: float | None) -> None:
    """A date is held against the answer's own Date; nonsense, or the past, says nothing."""
    assert Answer(429, headers, b"").retry_after() == seconds


@pytest.mark.parametrize(
    "url",
    [
        "",
        "api.example.com",
        "ftp://example.com",
        "https://",
        "http://api.example.com",
        "http://localhost.example.com",
        "http://127.0.0.1.example.com",
        "http://10.0.0.1",
        "http://0.0.0.0",
        "https://user:secret@example.com",
        "https://example.com/orders",
        "https://example.com/v1/orders/",
        "https://example.com/?key=secret",
        "https://example.com/#x",
        "https://example.com/v1?",
        "https://example.com/v1#",
        "https://exa mple.com:99999999",
    ],
)
def test_an_address_that_cannot_be_used_is_refused(url: str) -> None:
    """No http to another machine (promise 6), no credentials in the address, no /orders."""
    with pytest.raises(UsageError) as caught:
        Api(settings(url))
    assert "secret" not in caught.value.message


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("https://api.example.com", "https://api.example.com"),
        ("https://api.example.com/v1/", "https://api.example.com/v1"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("http://127.3.2.1", "http://127.3.2.1"),
        ("http://[::1]:80/x", "http://[::1]/x"),
    ],
)
def test_an_address_that_can_be_used(url: str, base: str) -> None:
    """https anywhere, http on this machine only."""
    assert str(base_url(url)) == base


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-Shout-Connect-ID", "A1"),
        ("x-shout-user-id", "315"),
        ("Content-Encoding", "gzip"),
        ("X-Fail-Creation-On-Duplicate-Reference-Id", "false"),
        ("Bad Name", "x"),
        ("", "x"),
        ("X-Key", "a\r\nX-Shout-User-Id: 1"),
    ],
)
def test_a_header_that_is_not_for_users_is_refused(name: str, value: str) -> None:
    """One account header, and it comes from the order; a value is one line."""
    with pytest.raises(UsageError) as caught:
        Api(settings("http://localhost", headers=((name, Secret(value)),)))
    assert value not in caught.value.message or value == "x"
