"""The only module that speaks HTTP: it sends requests and returns answers, uninterpreted.

Header names, paths and the percent-encoding of reference ids are those of Shout's public pages
"Enable Connect Orders & Text Alerts" and "API changelog" (version 20230615). Host and credentials
are settings, because those pages give none.
"""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Awaitable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import inf
from types import SimpleNamespace, TracebackType
from typing import Any, NamedTuple, Self
from urllib.parse import quote

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from backfill.deliver import gate, outcome
from backfill.deliver.deadlines import Deadlines
from backfill.deliver.proxy import Proxy, proxy_for
from backfill.deliver.response import Response, whole_body
from backfill.errors import UsageError
from backfill.log import keep_out, without_secrets
from backfill.settings import ApiSettings, checks

ACCOUNT_HEADERS = ("X-Shout-Connect-ID", "X-Shout-User-Id")
DUPLICATE_HEADER = "X-Fail-Creation-On-Duplicate-Reference-Id"

_CONNECT_SECONDS = 10.0
_KEEP_ALIVE_SECONDS = 15.0
_LONGEST_TEXT = 500
_OUT_OF_FILES = (errno.EMFILE, errno.ENFILE)

_log = logging.getLogger(__name__)


class Answer(NamedTuple):
    """What came back: the status, the headers, and the body as bytes."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def retry_after(self) -> float | None:
        """Seconds that ``Retry-After`` asks for, in either form; None if it cannot be used.

        A date is compared with the answer's own ``Date``, so that a wrong local clock does not
        matter (RFC 9110, section 10.2.3).
        """
        text = self.headers.get("Retry-After", "").strip()
        if text.isdecimal() and text.isascii():
            return float(text) if len(text.lstrip("0")) < 10 else inf
        until = _http_date(text)
        if until is None:
            return None
        seconds = (until - (_http_date(self.headers.get("Date", "")) or _now())).total_seconds()
        return seconds if seconds >= 0 else None

    def text(self) -> str:
        """The body for people: one line of at most 500 printable characters, without secrets."""
        return _one_line(self.body.decode("utf-8", "replace"))

    def is_page(self) -> bool:
        """Whether it is a web page, which no API returns for an order."""
        kind = self.headers.get("Content-Type", "").lower()
        start = self.body[:200].lstrip().lower()
        return "html" in kind or start.startswith((b"<!doctype", b"<html"))

    def describe(self) -> str:
        """Status and body in one line."""
        return f"HTTP {self.status}: {self.text() or '(no text)'}"


def _one_line(text: str) -> str:
    """Another's text for people: at most 500 printable characters, without secrets."""
    text = without_secrets(text).strip()
    shown = text[:_LONGEST_TEXT] + ("…" if len(text) > _LONGEST_TEXT else "")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in shown)


def _now() -> datetime:
    return datetime.now(UTC)


def _http_date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # the latter: a number too large for a date
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)


class NoAnswer(Exception):
    """A request that got no answer, and what that means for its order."""

    def __init__(self, exc: BaseException, *, proxy: Proxy | None, connected: bool = True) -> None:
        """:param connected: False: certainly no connection stood, so nothing was sent."""
        self.outcome = outcome.of_exception(exc, connected=connected)
        self.out_of_files = getattr(exc, "errno", None) in _OUT_OF_FILES
        if isinstance(exc, aiohttp.ClientHttpProxyError):
            super().__init__(
                f"the proxy {proxy} refuses to connect: HTTP {exc.status} {_one_line(exc.message)}"
            )
            return
        # Never repr(exc): aiohttp puts the request's headers into it.
        what = str(exc).splitlines()
        via = "" if connected else f" (through the proxy {proxy})"
        super().__init__(": ".join([type(exc).__name__, *map(_one_line, what[:1])]) + via)


class _Connection:
    """Whether the connection for one request ever stood: notes for :class:`NoAnswer`."""

    def __init__(self) -> None:
        self.stood = False

    @classmethod
    def tracing(cls) -> aiohttp.TraceConfig:
        """Has each request's ``trace_request_ctx`` told."""
        trace = aiohttp.TraceConfig()
        trace.on_connection_create_end.append(cls._stands)
        trace.on_connection_reuseconn.append(cls._stands)
        return trace

    @staticmethod
    async def _stands(session: object, context: SimpleNamespace, params: object) -> None:
        context.trace_request_ctx.stood = True


class Api:
    """The part of Shout's API that is used; an async context manager.

    Every method returns an :class:`Answer`, whatever its status, or raises :class:`NoAnswer`.
    """

    def __init__(self, settings: ApiSettings) -> None:
        """:raises UsageError: the address or a header cannot be used."""
        base = base_url(settings.api_url)
        self.host = base.host or ""
        self.url = str(base)
        self._orders = URL(f"{base}/orders", encoded=True)
        self._order = f"{base}/orders/reference_id-"
        self._messages = URL(f"{base}/messages/send_connect_notification", encoded=True)
        self._headers = _shared_headers(settings)
        self._proxy = proxy_for(self.url, os.environ)
        self._seconds = settings.timeout
        self._accounts: dict[tuple[str, str], CIMultiDict[str]] = {}

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            # pace decides how many requests are in flight.
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEP_ALIVE_SECONDS),
            timeout=aiohttp.ClientTimeout(
                total=None,  # see Deadlines
                sock_connect=min(_CONNECT_SECONDS, self._seconds),
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            response_class=Response,
            auto_decompress=False,  # see response
            trace_configs=[_Connection.tracing()] if self._proxy else None,
        )
        if self._proxy:
            _log.info("through a proxy", extra={"fields": {"proxy": str(self._proxy)}})
        self._deadlines = Deadlines(self._seconds)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._deadlines.close()
        await self._session.close()

    def create(self, account_header: str, account_id: str, body: bytes) -> Awaitable[Answer]:
        """``POST /orders`` with the very bytes of ``body``.

        :raises SafetyStop: the body lacks the flag; nothing was sent.
        """
        gate.check(body)
        return self._request("POST", self._orders, self._account(account_header, account_id), body)

    async def find(self, account_header: str, account_id: str, reference_id: str) -> Answer:
        """``GET /orders/reference_id-<reference_id>`` in the same account."""
        return await self._request(
            "GET", self._at(reference_id), self._account(account_header, account_id), None
        )

    async def update(
        self, account_header: str, account_id: str, reference_id: str, body: bytes
    ) -> Answer:
        """``PUT /orders/reference_id-<reference_id>`` with the very bytes of ``body``.

        :raises SafetyStop: the body lacks the flag; nothing was sent.
        """
        gate.check(body)
        return await self._request(
            "PUT", self._at(reference_id), self._account(account_header, account_id), body
        )

    async def delete(self, account_header: str, account_id: str, reference_id: str) -> Answer:
        """``DELETE /orders/reference_id-<reference_id>`` in the same account."""
        return await self._request(
            "DELETE", self._at(reference_id), self._account(account_header, account_id), None
        )

    async def notify(self, body: bytes) -> Answer:
        """``POST /messages/send_connect_notification``; the body names the account."""
        return await self._request("POST", self._messages, self._headers, body)

    def _at(self, reference_id: str) -> URL:
        """The address of an order, by its reference id."""
        return URL(self._order + quote(reference_id, safe=""), encoded=True)

    async def _request(
        self, method: str, url: URL, headers: CIMultiDict[str], body: bytes | None
    ) -> Answer:
        connection: _Connection | None = None
        through: dict[str, Any] = {}
        if self._proxy is not None:
            connection = _Connection()
            through = {
                "proxy": self._proxy.url,
                "proxy_headers": self._proxy.headers,
                "trace_request_ctx": connection,
            }
        try:
            with self._deadlines.one():
                response = await self._session.request(
                    method, url, data=body, headers=headers, allow_redirects=False, **through
                )
                # Once it is read, or has failed, the answer releases its connection.
                return Answer(response.status, response.headers, await whole_body(response))
        except outcome.CAUGHT as exc:
            connected = connection is None or connection.stood
            raise NoAnswer(exc, connected=connected, proxy=self._proxy) from None

    def _account(self, header: str, account_id: str) -> CIMultiDict[str]:
        """The headers of a request for one account: exactly one of the two names it."""
        known = self._accounts.get((header, account_id))
        if known is None:
            if header not in ACCOUNT_HEADERS or not account_id:
                raise ValueError(f"not an account: {header!r}: {account_id!r}")
            # Headers that were the session's would be shown to a proxy too.
            known = self._accounts[header, account_id] = CIMultiDict(self._headers)
            known[header] = account_id
        return known


def base_url(text: str) -> URL:
    """The address of Shout's API, without a slash at the end.

    :raises UsageError: it is not a usable address, or plain ``http:`` to another machine.
    """
    try:
        return URL(checks.url(text), encoded=True)
    except checks.WrongValueError as exc:
        raise UsageError(f"--api-url: {exc}", hint=exc.hint) from exc


def _shared_headers(settings: ApiSettings) -> CIMultiDict[str]:
    headers: CIMultiDict[str] = CIMultiDict()
    for name, secret in settings.headers:
        value = secret.reveal()
        if not checks.TOKEN.fullmatch(name) or name.lower() in checks.RESERVED_HEADERS:
            raise UsageError(
                f"--header {name!r}: backfill sets this header itself",
                hint="--header is for credentials, such as --header 'Authorization: env:TOKEN'",
            )
        if any(c in value for c in "\r\n\0"):
            raise UsageError(f"--header {name!r}: the value contains a line break")
        keep_out(value)
        headers.add(name, value)
    headers["Content-Type"] = "application/json"
    headers["Accept"] = "application/json"
    headers["Accept-Encoding"] = "identity"
    headers[DUPLICATE_HEADER] = "true"
    return headers
