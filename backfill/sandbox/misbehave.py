"""Carries a fault out on the wire; which fault, and when, is decided in ``faults``."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import Callable
from typing import Any

from aiohttp import web

from backfill.sandbox.faults import Fault
from backfill.sandbox.shout import Answer

#: Outcomes that leave no answer behind, as ``/sandbox/stats`` names them.
DROPPED, HUNG, LATE = "dropped", "hung", "late"

_PAGE = b"<!doctype html><title>Oops</title><h1>Something went wrong</h1>"
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER on, 0 seconds: close with a reset
_LOOK_EVERY = 0.02  # seconds between looks whether a client has left

_AMOUNTS = frozenset(("total", "total_cents", "total_currency"))
_LINE_AMOUNTS = frozenset(
    f"{price}{part}" for price in ("each_price", "price") for part in ("", "_cents", "_currency")
)


class Gone(Exception):
    """The client gets no answer."""

    def __init__(self, outcome: str) -> None:
        super().__init__(outcome)
        self.outcome = outcome


def json_response(answer: Answer, *, envelope: bool = False) -> web.Response:
    """The answer as it goes out where nothing is wrong."""
    return web.Response(
        status=answer.status,
        body=_encode(answer, envelope=envelope),
        headers=answer.headers,
        content_type="application/json",
    )


async def carry_out(
    fault: Fault,
    request: web.Request,
    act: Callable[[], Answer],
    later: Callable[[float, Callable[[], Answer]], None],
    *,
    envelope: bool,
) -> web.Response:
    """Answer a request as the fault says. ``act`` commits; ``later`` does so after some seconds.

    Raises Gone where the fault leaves the client without an answer.
    """
    options = fault.options
    if (before := await _before_commit(fault, request, act, later)) is not None:
        return before
    answer = act()
    if answer.status < 300 and answer.about != "error":
        _lie(fault, answer.body)
    body = _encode(answer, envelope=envelope)
    match fault.kind:
        case "error_after_commit":
            return _error(options)
        case "drop_after_commit":
            drop(request, reset=options["reset"])
        case "drop_in_answer":
            await _half_an_answer(request, answer.status, body)
        case "hang_after_commit":
            await _until_left(request)
            raise Gone(HUNG)
        case "html":
            return web.Response(body=_PAGE, content_type="text/html")
        case "cut_json":
            body = body[: len(body) // 2]
        case "empty":
            body = b""
    content_type = "text/plain" if fault.kind == "wrong_content_type" else "application/json"
    return web.Response(
        status=answer.status, body=body, headers=answer.headers, content_type=content_type
    )


async def _before_commit(
    fault: Fault,
    request: web.Request,
    act: Callable[[], Answer],
    later: Callable[[float, Callable[[], Answer]], None],
) -> web.Response | None:
    """The answer of a fault that does not commit, or where nothing depends on what was committed.

    None: any other fault.
    """
    options = fault.options
    match fault.kind:
        case "error_before_commit":
            return _error(options)
        case "answer":
            if options["commit"]:
                act()
            return web.Response(
                status=options["status"],
                text=options["body"],
                content_type=options["content_type"],
            )
        case "redirect":
            return web.Response(status=302, headers={"Location": options["location"]})
        case "drop_before_commit":
            drop(request, reset=options["reset"])
        case "hang_before_commit":
            await _until_left(request)
            raise Gone(HUNG)
        case "late_commit":
            later(options["seconds"], act)
            await _until_left(request)
            raise Gone(LATE)
    return None


def drop(request: web.Request, *, reset: bool = False) -> None:
    """Hang up without an answer. Always raises Gone."""
    if (transport := request.transport) is not None:
        if reset:
            connection = transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        transport.abort()
    raise Gone(DROPPED)


def _lie(fault: Fault, echo: dict[str, Any]) -> None:
    match fault.kind:
        case "flag_false":
            echo["dont_trigger_auto_actions"] = False
        case "flag_missing":
            echo.pop("dont_trigger_auto_actions", None)
        case "amount_changed":
            echo["total_cents"] = (echo["total_cents"] or 0) + fault.options["cents"]
        case "amounts_missing":
            for name in _AMOUNTS & echo.keys():
                del echo[name]
            for line in echo["line_items"]:
                for name in _LINE_AMOUNTS & line.keys():
                    del line[name]


def _error(options: dict[str, Any]) -> web.Response:
    status, retry_after = options["status"], options["retry_after"]
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return web.json_response({"error": f"fault {status}"}, status=status, headers=headers)


def _encode(answer: Answer, *, envelope: bool) -> bytes:
    wrapped = envelope and answer.about != "error"
    return json.dumps({answer.about: answer.body} if wrapped else answer.body).encode()


async def _half_an_answer(request: web.Request, status: int, body: bytes) -> None:
    response = web.StreamResponse(status=status)
    response.content_type = "application/json"
    response.content_length = len(body)
    await response.prepare(request)
    await response.write(body[: len(body) // 2])
    if request.transport is not None:
        request.transport.close()  # close, not abort: what was written still goes out
    raise Gone(DROPPED)


async def _until_left(request: web.Request) -> None:
    # aiohttp tells a handler of a client that left only by cancelling it, and a handler that is
    # cancelled in mid-commit is what a real server is not.
    while request.transport is not None and not request.transport.is_closing():  # noqa: ASYNC110
        await asyncio.sleep(_LOOK_EVERY)
