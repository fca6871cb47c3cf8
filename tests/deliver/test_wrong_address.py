"""An answer that does not come from Shout's API is no fault of the orders."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from backfill.checkpoint import Checkpoint
from backfill.deliver import run
from backfill.errors import SafetyStop
from backfill.sandbox.process import SandboxProcess, start_process
from tests.deliver.delivering import (
    IN_DOUBT_FOR_GOOD,
    Listener,
    assert_exactly_once,
    make_job,
    settings,
    states,
)

PAGE = b"<!DOCTYPE html><html><body>Welcome to our shop</body></html>"


class Gateway:
    """A server of its own that answers every request alike, until it is told otherwise."""

    def __init__(self, status: int, content_type: str, body: bytes) -> None:
        gateway = self
        self.asked = 0
        self.posted = 0

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                gateway.posted += 1
                self.rfile.read(int(self.headers["Content-Length"]))
                self.do_GET()

            def do_GET(self) -> None:
                gateway.asked += 1
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/api"

    def __enter__(self) -> Gateway:
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def sandbox() -> Iterator[SandboxProcess]:
    with start_process() as process:
        yield process


def deliver(job: Path, url: str) -> None:
    with Checkpoint(job) as checkpoint:
        run(checkpoint, settings(url), progress=Listener())


@pytest.mark.parametrize(
    ("status", "content_type", "body"),
    [
        (404, "application/json", b'{"error": "Not Found"}'),
        (405, "text/plain", b"Method Not Allowed"),
        (404, "text/html", PAGE),
        (400, "text/html; charset=utf-8", PAGE),
    ],
)
def test_the_first_answer_stops_the_run(
    tmp_path: Path, status: int, content_type: str, body: bytes
) -> None:
    """One request is made; it names the address and the answer, and every order stays pending."""
    job = make_job(tmp_path, 30)
    with Gateway(status, content_type, body) as gateway, pytest.raises(SafetyStop) as stopped:
        deliver(job, gateway.url)
    assert gateway.url in stopped.value.message
    assert f"HTTP {status}" in stopped.value.message
    assert "--api-url" in (stopped.value.hint or "")
    assert states(job) == {"pending": 30}
    assert gateway.asked == 1


def test_a_page_that_says_success_leaves_its_order_in_doubt(tmp_path: Path) -> None:
    """Whoever wrote it may have passed the order on; nothing else is sent."""
    job = make_job(tmp_path, 30)
    with (
        Gateway(200, "text/html", PAGE) as gateway,
        pytest.raises(SafetyStop, match="returned a web page"),
    ):
        deliver(job, gateway.url)
    assert states(job) == {"pending": 29, "sending": 1}
    assert gateway.asked == 1


def test_an_unknown_path_of_shout_itself(tmp_path: Path, sandbox: SandboxProcess) -> None:
    """A path too many in --api-url stops the run; with the right one the same job is finished."""
    job = make_job(tmp_path, 20)
    with pytest.raises(SafetyStop, match="/v2/orders: HTTP 404"):
        deliver(job, f"{sandbox.url}/v2")
    assert states(job) == {"pending": 20}
    deliver(job, sandbox.url)
    assert_exactly_once(sandbox, job)


def test_a_page_on_the_500th_request(tmp_path: Path, sandbox: SandboxProcess) -> None:
    """Where orders were created, a page that says success is looked up, and the run goes on."""
    sandbox.set_faults({"fault": [{"kind": "html", "on": ["create"], "at": [500]}]})
    job = make_job(tmp_path, 600)
    deliver(job, sandbox.url)
    assert states(job) == {"created": 600}
    assert_exactly_once(sandbox, job)


def test_pages_from_the_100th_request_on(tmp_path: Path, sandbox: SandboxProcess) -> None:
    """Something stands before Shout now: an outage, so that few orders are sent into it."""
    sandbox.set_faults({"fault": [{"kind": "html", "on": ["create", "get"], "from": 100}]})
    job = make_job(tmp_path, 600)
    with (
        Checkpoint(job) as checkpoint,
        pytest.raises(SafetyStop, match="the last answer: HTTP 200: <"),
    ):
        run(checkpoint, settings(sandbox.url, give_up_after=2.0), progress=Listener())
    found = states(job)
    assert found["created"] > 80
    assert found["sending"] < 50
    assert found["pending"] > 450
    sandbox.set_faults({})
    deliver(job, sandbox.url)
    assert_exactly_once(sandbox, job)


def test_a_method_that_is_not_allowed_in_mid_job(tmp_path: Path, sandbox: SandboxProcess) -> None:
    """No order can be the reason, so none is marked as failed."""
    job = make_job(tmp_path, 20)
    with Checkpoint(job) as checkpoint:
        run(checkpoint, settings(sandbox.url), limit=5, progress=Listener())
    with (
        Gateway(405, "text/plain", b"Method Not Allowed") as gateway,
        pytest.raises(SafetyStop, match="HTTP 405: Method Not Allowed"),
    ):
        deliver(job, gateway.url)
    assert states(job) == {"created": 5, "pending": 15}


def test_an_unknown_path_in_mid_job(tmp_path: Path, sandbox: SandboxProcess) -> None:
    """A page of "not found" stops the run even where orders were created before."""
    job = make_job(tmp_path, 20)
    with Checkpoint(job) as checkpoint:
        run(checkpoint, settings(sandbox.url), limit=5, progress=Listener())
    with (
        Gateway(404, "text/html", PAGE) as gateway,
        pytest.raises(SafetyStop, match="returned a web page"),
    ):
        deliver(job, gateway.url)
    assert states(job) == {"created": 5, "pending": 15}


def test_a_page_of_not_found_does_not_settle_an_order_in_doubt(
    tmp_path: Path, sandbox: SandboxProcess
) -> None:
    """A gateway wrote it, and the order may be in Shout: sent again, it could be there twice."""
    sandbox.set_faults(IN_DOUBT_FOR_GOOD)
    job = make_job(tmp_path, 5, accounts=(*["A1"] * 4, "A9"))
    deliver(job, sandbox.url)
    assert states(job) == {"created": 4, "sending": 1}
    with Gateway(404, "text/html", PAGE) as gateway:
        with contextlib.suppress(SafetyStop):
            deliver(job, gateway.url)
        assert gateway.posted == 0
    assert states(job) == {"created": 4, "sending": 1}
    sandbox.set_faults({})
    deliver(job, sandbox.url)
    assert_exactly_once(sandbox, job)
