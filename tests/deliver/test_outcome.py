"""Every answer and every exception of the HTTP layer has an outcome, and it is the right one."""

from __future__ import annotations

import asyncio
import inspect
import ssl
from unittest.mock import Mock

import aiohttp
import pytest
from aiohttp import client_exceptions, http_exceptions

from backfill.deliver.outcome import CAUGHT, EXCEPTIONS, Outcome, of_exception, of_status

#: Raised by parts of asyncio and aiohttp that a request does not go through.
ELSEWHERE = {"BrokenBarrierError", "SendfileNotAvailableError", "WSMessageTypeError"}
NOT_SENT = {
    "ClientSSLError",
    "ClientConnectorError",
    "ClientConnectorDNSError",
    "ClientConnectorSSLError",
    "ClientProxyConnectionError",
    "ClientHttpProxyError",
    "UnixClientConnectorError",
    "ConnectionTimeoutError",
}
RUN_REFUSED = {
    "ClientConnectorCertificateError",
    "ServerFingerprintMismatch",
    "InvalidURL",
    "InvalidUrlClientError",
    "InvalidUrlRedirectClientError",
    "NonHttpUrlClientError",
    "NonHttpUrlRedirectClientError",
}


def _one(kind: type[BaseException]) -> BaseException:
    exc = kind.__new__(kind)
    if isinstance(exc, aiohttp.ClientResponseError):
        exc.status = 502
    return exc


def exceptions_of_the_layer_below() -> list[type[BaseException]]:
    """Every exception class that aiohttp names, and those of asyncio that it may let through."""
    found: set[type[BaseException]] = set()
    for module in (aiohttp, client_exceptions, http_exceptions, asyncio.exceptions):
        found.update(
            one
            for one in vars(module).values()
            if inspect.isclass(one)
            and issubclass(one, BaseException)
            and not issubclass(one, Warning)
            and one.__module__.startswith(("aiohttp", "asyncio"))
            and one.__name__ not in ELSEWHERE
        )
    return sorted(found, key=lambda one: one.__qualname__)


@pytest.mark.parametrize("kind", exceptions_of_the_layer_below(), ids=lambda one: one.__name__)
def test_no_exception_of_the_http_layer_is_unmapped(kind: type[BaseException]) -> None:
    """Each class of aiohttp's exceptions is found in the table, and caught."""
    assert any(issubclass(kind, mapped) for mapped, _ in EXCEPTIONS)
    assert issubclass(kind, CAUGHT) or kind is asyncio.CancelledError


@pytest.mark.parametrize("kind", exceptions_of_the_layer_below(), ids=lambda one: one.__name__)
def test_only_what_is_raised_before_a_connection_stands_counts_as_not_sent(
    kind: type[BaseException],
) -> None:
    """Whatever may have been raised after the order had left leaves it in doubt."""
    outcome = of_exception(_one(kind))
    expected = Outcome.IN_DOUBT
    if kind.__name__ in NOT_SENT:
        expected = Outcome.NOT_SENT
    if kind.__name__ in RUN_REFUSED:
        expected = Outcome.RUN_REFUSED
    assert outcome is expected


@pytest.mark.parametrize(
    ("exc", "outcome"),
    [
        (TimeoutError(), Outcome.IN_DOUBT),
        (ConnectionResetError(), Outcome.IN_DOUBT),
        (BrokenPipeError(), Outcome.IN_DOUBT),
        (OSError(24, "too many open files"), Outcome.IN_DOUBT),
        (aiohttp.ServerDisconnectedError(), Outcome.IN_DOUBT),
        (aiohttp.ClientConnectorError(Mock(), OSError(111, "refused")), Outcome.NOT_SENT),
        (
            aiohttp.ClientConnectorCertificateError(Mock(), ssl.SSLCertVerificationError()),
            Outcome.RUN_REFUSED,
        ),
        (RuntimeError("nobody knows"), Outcome.IN_DOUBT),
        (asyncio.CancelledError(), Outcome.IN_DOUBT),
    ],
    ids=lambda one: type(one).__name__,
)
def test_exceptions_as_they_come(exc: BaseException, outcome: Outcome) -> None:
    """A refused connection was not sent; a timeout, a reset or a surprise may have been."""
    assert of_exception(exc) is outcome


def test_every_status_has_an_outcome() -> None:
    """From 100 to 999, also those nobody has heard of, which leave the order in doubt."""
    outcomes = {status: of_status(status) for status in range(100, 1000)}
    for status in (*range(100, 200), *range(500, 1000), 408, 499):
        assert outcomes[status] is Outcome.IN_DOUBT
    for status in range(200, 300):
        assert outcomes[status] is Outcome.CREATED
    for status in (*range(300, 400), 401, 403, 407):
        assert outcomes[status] is Outcome.RUN_REFUSED
    for status in (425, 429):
        assert outcomes[status] is Outcome.NOT_SENT
    for status in set(range(400, 499)) - {401, 403, 407, 408, 425, 429}:
        assert outcomes[status] is Outcome.REFUSED
