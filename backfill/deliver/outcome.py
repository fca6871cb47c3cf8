"""What an answer, or the lack of one, means for an order: the one table of it.

A plain HTTP client knows success and error. For an order that must be created exactly once that
is not enough: a timeout is no failure, as the order may have been accepted. Hence these outcomes.

How exceptions are sorted follows from where aiohttp raises them: what it raises while it connects
was not sent; anything later may have been.
"""

from __future__ import annotations

import asyncio
from enum import Enum

import aiohttp
from aiohttp import http_exceptions


class Outcome(Enum):
    """What became of one request to create an order."""

    CREATED = "created"
    """Shout says so (2xx); what the answer says is checked separately."""
    REFUSED = "refused"
    """Shout refused it. It is not sent again; a lookup tells whether it is a duplicate."""
    NOT_SENT = "not sent"
    """It certainly did not arrive, so it may be sent again."""
    IN_DOUBT = "in doubt"
    """It may have been accepted: it must be looked up before it is sent again."""
    RUN_REFUSED = "run refused"
    """Every other request would fail too: wrong credentials, address or certificate."""


#: Statuses that mean something else than their hundred does.
STATUSES: dict[int, Outcome] = {
    401: Outcome.RUN_REFUSED,  # credentials are the same for every order
    403: Outcome.RUN_REFUSED,
    407: Outcome.RUN_REFUSED,  # a proxy in between wants credentials
    408: Outcome.IN_DOUBT,  # whoever gave up waiting may have passed the order on before
    425: Outcome.NOT_SENT,  # "too early": explicitly not processed (RFC 8470)
    429: Outcome.NOT_SENT,  # "too many requests": turned away at the door (RFC 6585)
    499: Outcome.IN_DOUBT,  # nginx: "client closed request", the order may be on its way
}

_HUNDREDS: dict[int, Outcome] = {
    2: Outcome.CREATED,
    3: Outcome.RUN_REFUSED,  # never followed: the address is wrong
    4: Outcome.REFUSED,
}

#: The first line that an exception is an instance of counts.
EXCEPTIONS: tuple[tuple[type[BaseException], Outcome], ...] = (
    (aiohttp.ClientConnectorCertificateError, Outcome.RUN_REFUSED),
    (aiohttp.ServerFingerprintMismatch, Outcome.RUN_REFUSED),
    (aiohttp.InvalidURL, Outcome.RUN_REFUSED),
    (aiohttp.NonHttpUrlClientError, Outcome.RUN_REFUSED),
    # Raised before a connection stands: not a byte of the order has left.
    (aiohttp.ClientConnectorError, Outcome.NOT_SENT),
    (aiohttp.ConnectionTimeoutError, Outcome.NOT_SENT),
    (aiohttp.ClientHttpProxyError, Outcome.NOT_SENT),
    # Everything else may have happened after the order had left.
    (aiohttp.ClientError, Outcome.IN_DOUBT),
    (http_exceptions.HttpProcessingError, Outcome.IN_DOUBT),
    (aiohttp.EofStream, Outcome.IN_DOUBT),
    (aiohttp.WebSocketError, Outcome.IN_DOUBT),
    (asyncio.IncompleteReadError, Outcome.IN_DOUBT),
    (asyncio.LimitOverrunError, Outcome.IN_DOUBT),
    (asyncio.InvalidStateError, Outcome.IN_DOUBT),
    (TimeoutError, Outcome.IN_DOUBT),
    (OSError, Outcome.IN_DOUBT),
    (asyncio.CancelledError, Outcome.IN_DOUBT),
)

#: What :class:`backfill.deliver.api.Api` catches: all of the table but a cancellation.
CAUGHT: tuple[type[Exception], ...] = tuple(
    kind for kind, _ in EXCEPTIONS if issubclass(kind, Exception)
)


def of_status(status: int) -> Outcome:
    """The outcome of a request to create an order that was answered with ``status``.

    A status that nobody has heard of, and every 5xx, leaves the order in doubt.
    """
    return STATUSES.get(status) or _HUNDREDS.get(status // 100, Outcome.IN_DOUBT)


def of_exception(exc: BaseException, *, connected: bool = True) -> Outcome:
    """The outcome of a request to create an order that ended with ``exc``.

    :param connected: False: certainly no connection to Shout stood.
    """
    if isinstance(exc, aiohttp.ClientHttpProxyError) and not _is_passing(exc.status):
        return Outcome.RUN_REFUSED
    found = next((one for kind, one in EXCEPTIONS if isinstance(exc, kind)), Outcome.IN_DOUBT)
    return Outcome.NOT_SENT if found is Outcome.IN_DOUBT and not connected else found


def _is_passing(status: int) -> bool:
    """Whether a proxy that answers so may let the next request through."""
    return status >= 500 or of_status(status) in (Outcome.NOT_SENT, Outcome.IN_DOUBT)
