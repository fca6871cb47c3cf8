"""The sandbox on the wire: routes, admission (down, credentials, rate limit), start and stop."""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from aiohttp import web

from backfill.sandbox import faults as faults_file
from backfill.sandbox import page
from backfill.sandbox.faults import Faults
from backfill.sandbox.misbehave import Gone, carry_out, drop, json_response
from backfill.sandbox.settings import DEFAULT_HEADER, HOST, SandboxError, SandboxSettings
from backfill.sandbox.shout import Answer, Call, Shout
from backfill.sandbox.stats import WireStats
from backfill.sandbox.store import Store

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_BY_REFERENCE = "/orders/reference_id-"
_LARGEST_BODY = 64 * 1024 * 1024
_LAST_ANSWERS = 0.2  # seconds that requests under way get when the sandbox ends


class Sandbox:
    """One local Shout: its application, and the control under ``/sandbox/``."""

    def __init__(self, settings: SandboxSettings, store: Store) -> None:
        """Raises SandboxError where the faults file is not usable."""
        self._settings = settings
        self._base: dict[str, Any] = {"rate_limit": settings.rate_limit}
        table = faults_file.load(settings.faults) if settings.faults else {}
        self._faults = Faults({**self._base, **table})
        self._bucket = TokenBucket(self._faults)
        self._shout = Shout(store, self._faults)
        self._store = store
        self._stats = WireStats()

    def app(self) -> web.Application:
        """All routes."""
        app = web.Application(client_max_size=_LARGEST_BODY)
        app.add_routes(
            [
                web.post("/orders", self._api("create")),
                web.get("/orders/{key:.*}", self._api("get"), allow_head=False),
                web.put("/orders/{key:.*}", self._api("update")),
                web.delete("/orders/{key:.*}", self._api("delete")),
                web.post("/messages/send_connect_notification", self._api("notify")),
                web.get("/", self._show_overview),
                web.get("/view/orders/{id:[0-9]{1,18}}", self._show_order),
                web.get("/sandbox/stats", self._show_stats),
                web.get("/sandbox/orders", self._show_orders),
                web.patch("/sandbox/orders/{id:[0-9]{1,18}}", self._tamper),
                web.delete("/sandbox/orders/{id:[0-9]{1,18}}", self._tamper),
                web.get("/sandbox/texts", self._show_texts),
                web.get("/sandbox/messages", self._show_messages),
                web.get("/sandbox/faults", self._show_faults),
                web.put("/sandbox/faults", self._set_faults),
                web.patch("/sandbox/faults", self._set_faults),
                web.post("/sandbox/reset", self._reset),
            ]
        )
        return app

    # The API -------------------------------------------------------------------------------------

    def _api(self, operation: str) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            stats = self._stats  # a reset in between gives the next requests another
            stats.arrive(operation)
            outcome = "failed"
            try:
                response = await self._answer(operation, request)
                outcome = str(response.status)
            except Gone as gone:
                outcome = gone.outcome
                response = web.Response()  # goes nowhere: the connection is closed
            finally:
                stats.leave(operation, outcome)
            return response

        return handle

    async def _answer(self, operation: str, request: web.Request) -> web.Response:
        body = await request.read()
        await asyncio.sleep(0)  # requests that came together are in flight together
        if (turned_away := self._door(request)) is not None:
            return json_response(turned_away)
        # The raw path: only the client's own percent-encoding stands between us and the key.
        path = request.raw_path.partition("?")[0]
        if operation in ("get", "update", "delete") and not path.startswith(_BY_REFERENCE):
            return json_response(Answer(404, {"error": f"nothing at {path}"}))
        key = unquote(path[len(_BY_REFERENCE) :])
        call = Call(operation, request.headers, body, key)

        delay, fault = self._faults.draw(operation, call.account_id)
        if delay:
            self._stats.fault("latency")
            await asyncio.sleep(delay)
        envelope = self._faults.envelope
        if fault is None:
            return json_response(self._shout.answer(call), envelope=envelope)
        self._stats.fault(fault.name)
        call.ignore_duplicates = fault.kind == "duplicate_ignored"
        return await carry_out(
            fault, request, lambda: self._shout.answer(call), self._later, envelope=envelope
        )

    def _door(self, request: web.Request) -> Answer | None:
        if self._faults.down == "drop":
            self._stats.fault("down")
            drop(request)
        if self._faults.down:
            self._stats.fault("down")
            return Answer(503, {"error": "down for maintenance"})
        name, value = self._settings.header
        if request.headers.get(name) != value:
            return Answer(401, {"error": f"the header {name} is missing or wrong"})
        if (wait := self._bucket.take()) > 0:
            return Answer(429, {"error": "too many requests"}, headers=self._retry_after(wait))
        return None

    def _retry_after(self, seconds: float) -> dict[str, str]:
        match self._faults.retry_after:
            case "seconds":
                return {"Retry-After": str(math.ceil(seconds))}
            case "date":
                return {"Retry-After": formatdate(math.ceil(time.time() + seconds), usegmt=True)}
            case _:
                return {}

    def _later(self, seconds: float, act: Callable[[], Answer]) -> None:
        asyncio.get_running_loop().call_later(seconds, act)

    # The page ------------------------------------------------------------------------------------

    async def _show_overview(self, request: web.Request) -> web.Response:
        return page.overview(self._store, self._faults, request.query)

    async def _show_order(self, request: web.Request) -> web.Response:
        return page.order(self._store, int(request.match_info["id"]))

    # The control ---------------------------------------------------------------------------------

    async def _show_stats(self, request: web.Request) -> web.Response:
        accounts = self._store.accounts()
        orders = sum(account["orders"] for account in accounts)
        duplicates = sum(account["duplicates"] for account in accounts)
        return web.json_response(
            {
                **self._stats.as_json(),
                "orders": orders,
                "distinct_orders": orders - duplicates,
                "duplicates": duplicates,
                "total_cents": sum(account["total_cents"] for account in accounts),
                "texts": sum(account["texts"] for account in accounts),
                "messages": sum(account["messages"] for account in accounts),
                "accounts": {account.pop("name"): account for account in accounts},
            }
        )

    async def _show_orders(self, request: web.Request) -> web.Response:
        query = request.query
        limit = int(query.get("limit", 1000))
        account = query.get("account")
        found = self._store.orders(
            account=self._store.account_named(account) if account else None,
            reference_id=query.get("reference_id"),
            search=query.get("q", ""),
            after=int(query.get("after", 0)),
            limit=limit,
        )
        orders = [
            {
                "id": one.id,
                "account": one.account_name,
                "arrived_at": one.arrived_at,
                "body": one.body,
                "order": one.order,
            }
            for one in found
        ]
        return web.json_response(
            {"orders": orders, "next": found[-1].id if len(found) == limit else None}
        )

    async def _tamper(self, request: web.Request) -> web.Response:
        """Change or delete an order without going through the API: no check, no text, no fault."""
        stored = self._store.by_id(int(request.match_info["id"]))
        if stored is None:
            return web.json_response({"error": "no such order"}, status=404)
        if request.method == "DELETE":
            self._store.delete(stored.id)
            return web.json_response({"deleted": stored.id})
        changes = await request.json()
        order = {**stored.order, **changes.get("order", {})}
        self._store.update(stored, order, None)
        if "account" in changes:
            self._store.move(stored.id, self._store.account("connect_id", changes["account"], None))
        return web.json_response({"order": order})

    async def _show_texts(self, request: web.Request) -> web.Response:
        return web.json_response(self._store.texts())

    async def _show_messages(self, request: web.Request) -> web.Response:
        return web.json_response(self._store.messages())

    async def _show_faults(self, request: web.Request) -> web.Response:
        return web.json_response(self._faults.table)

    async def _set_faults(self, request: web.Request) -> web.Response:
        """PUT replaces all faults. PATCH changes some top-level settings and keeps the rest."""
        try:
            table = await request.json()
            if not isinstance(table, dict):
                raise SandboxError("faults have to be a JSON object")
            if request.method == "PATCH":
                faults = self._faults.patched(table)
            else:
                faults = Faults({**self._base, **table})
        except (SandboxError, ValueError) as error:
            return web.json_response({"error": str(error)}, status=400)
        self._faults = faults
        self._bucket = TokenBucket(faults)
        self._shout.behave(faults)
        return web.json_response(faults.table)

    async def _reset(self, request: web.Request) -> web.Response:
        self._shout.reset()
        self._stats = WireStats()
        return web.json_response({"reset": True})


class TokenBucket:
    """Admits ``rate_limit`` requests per second, and ``burst`` at once."""

    def __init__(self, faults: Faults) -> None:
        self._rate, self._burst = faults.rate_limit, faults.burst
        self._tokens, self._at = self._burst, time.monotonic()

    def take(self) -> float:
        """0 where the request may pass, else the seconds until one may."""
        if self._rate is None:
            return 0.0
        now = time.monotonic()
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        if self._tokens >= 1:
            self._tokens -= 1
            return 0.0
        return (1 - self._tokens) / self._rate


async def serve(settings: SandboxSettings, ready: Callable[[str], None]) -> None:
    """Serve on this machine only, until cancelled; ``ready`` is called with the base URL.

    Raises SandboxError where the database, the faults file or the port is not usable.
    """
    store = Store(settings.db)
    try:
        runner = web.AppRunner(
            Sandbox(settings, store).app(), access_log=None, shutdown_timeout=_LAST_ANSWERS
        )
        await runner.setup()
        try:
            site = web.TCPSite(runner, HOST, settings.port, backlog=1024)
            try:
                await site.start()
            except OSError as error:
                raise SandboxError(f"port {settings.port}: {error.strerror}") from error
            ready(f"http://{HOST}:{runner.addresses[0][1]}")
            await asyncio.Event().wait()
        finally:
            await runner.cleanup()
    finally:
        store.close()


def run_sandbox(
    *,
    port: int = 0,
    db: Path | None = None,
    faults: Path | None = None,
    rate_limit: float | None = None,
    header: tuple[str, str] = DEFAULT_HEADER,
    until_stdin_closes: bool = False,
) -> None:
    """Serve until SIGINT or SIGTERM; the first line on stdout is ``sandbox: http://127.0.0.1:PORT``.

    Raises SandboxError where it cannot start.
    """
    settings = SandboxSettings(
        port=port,
        db=db,
        faults=faults,
        rate_limit=rate_limit,
        header=header,
        until_stdin_closes=until_stdin_closes,
    )

    def announce(url: str) -> None:
        where = f"kept in {db}" if db else "in memory only (--db FILE keeps them)"
        print(f"sandbox: {url}", flush=True)
        print(f"orders are {where}; open the address in a browser to see them", flush=True)
        print(f"credentials: --header '{header[0]}: {header[1]}'; Ctrl-C ends it", flush=True)

    with asyncio.Runner(loop_factory=_fastest_loop()) as runner:
        runner.run(_until_told(settings, announce))


async def _until_told(settings: SandboxSettings, ready: Callable[[str], None]) -> None:
    serving = asyncio.ensure_future(serve(settings, ready))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, serving.cancel)
    if settings.until_stdin_closes:
        stdin = sys.stdin.fileno()
        loop.add_reader(stdin, lambda: os.read(stdin, 1024) or serving.cancel())
    with contextlib.suppress(asyncio.CancelledError):
        await serving


def _fastest_loop() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory
