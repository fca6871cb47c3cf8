"""The proxy of the environment: who is reached through it, what it gets to see, how it may fail."""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from backfill.deliver.api import Answer, Api, NoAnswer
from backfill.deliver.outcome import Outcome
from backfill.deliver.proxy import proxy_for
from backfill.errors import UsageError
from backfill.job_folder.files import CHECKPOINT
from backfill.sandbox.process import SandboxProcess
from tests.deliver.delivering import CREDENTIAL, assert_exactly_once, body, settings
from tests.operations.jobs import orders, write
from tests.places import ROOT

PASSWORD = "pr0xy-s3cret"
SHOUT = "https://shout.test:8443/v1"
ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"


class Server:
    """A proxy that answers CONNECT with ``answer``, and then leads to ``target`` whatever it was
    asked for. It runs on a thread of its own.
    """

    def __init__(self, answer: bytes | None, target: int = 0, tls: Path | None = None) -> None:
        """
        :param answer: None: there is no CONNECT to answer.
        :param tls: a certificate and its key; the server then speaks TLS itself.
        """
        self._answer, self._target = answer, target
        self._tls: ssl.SSLContext | None = None
        if tls is not None:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(tls)
        self.heard: list[str] = []
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._run(),))

    def __enter__(self) -> Server:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._loop.close()

    async def _run(self) -> None:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        async with server:
            await self._stop.wait()
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if self._answer is not None:
                self.heard.append((await reader.readuntil(b"\r\n\r\n")).decode())
                writer.write(self._answer)
                await writer.drain()
            if self._target:
                there, back = await asyncio.open_connection("127.0.0.1", self._target)
                try:
                    await asyncio.gather(_copy(reader, back), _copy(there, writer))
                finally:
                    back.close()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


async def _copy(source: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
    while part := await source.read(65536):
        to.write(part)
        await to.drain()
    to.close()


@pytest.fixture(autouse=True)
def _no_proxy_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for shout.test that signs itself, and its key."""
    file = tmp_path_factory.mktemp("tls") / "shout.pem"
    words = "req -x509 -nodes -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -days 2"
    words += f" -subj /CN=shout.test -addext subjectAltName=DNS:shout.test -keyout {file} -out -"
    try:
        made = subprocess.run(["openssl", *words.split()], capture_output=True, check=True)
    except FileNotFoundError:
        pytest.skip("openssl is not installed")
    with file.open("ab") as pem:
        pem.write(made.stdout)
    return file


@pytest.mark.parametrize(
    ("address", "environ", "proxy"),
    [
        (SHOUT, {}, None),
        (SHOUT, {"HTTPS_PROXY": "http://p:3128"}, "http://p:3128"),
        (SHOUT, {"HTTPS_PROXY": "p:3128"}, "http://p:3128"),
        (SHOUT, {"HTTPS_PROXY": "https://p:3129/"}, "https://p:3129"),
        (SHOUT, {"HTTPS_PROXY": f"http://u:{PASSWORD}@p:3128"}, "http://p:3128"),
        (SHOUT, {"https_proxy": "http://a:1", "HTTPS_PROXY": "http://b:2"}, "http://a:1"),
        (SHOUT, {"ALL_PROXY": "http://p:3128"}, "http://p:3128"),
        (SHOUT, {"all_proxy": "http://p:3128", "https_proxy": ""}, "http://p:3128"),
        (SHOUT, {"HTTP_PROXY": "http://p:3128", "http_proxy": "http://p:3128"}, None),
        (SHOUT, {"HTTPS_PROXY": "http://p:3128", "NO_PROXY": "*"}, None),
        (SHOUT, {"HTTPS_PROXY": "http://p:3128", "NO_PROXY": "a.b, shout.test"}, None),
        (SHOUT, {"HTTPS_PROXY": "http://p:3128", "no_proxy": ".test"}, None),
        (SHOUT, {"HTTPS_PROXY": "http://p:3128", "no_proxy": "*.test"}, None),
        (SHOUT, {"HTTPS_PROXY": "http://p:3128", "no_proxy": "SHOUT.test:8443"}, None),
        (SHOUT, {"HTTPS_PROXY": "http://p:3128", "no_proxy": "shout.test:80"}, "http://p:3128"),
        (SHOUT, {"HTTPS_PROXY": "http://p:3128", "no_proxy": "out.test"}, "http://p:3128"),
        ("https://10.1.2.3", {"HTTPS_PROXY": "p:1", "no_proxy": "10.0.0.0/8"}, None),
        ("https://11.1.2.3", {"HTTPS_PROXY": "p:1", "no_proxy": "10.0.0.0/8"}, "http://p:1"),
        ("https://[2001:db8::1]", {"HTTPS_PROXY": "http://[::1]:1"}, "http://[::1]:1"),
        ("http://localhost:80", {"ALL_PROXY": "http://p:3128", "HTTP_PROXY": "p:1"}, None),
        ("https://127.0.0.1", {"ALL_PROXY": "http://p:3128"}, None),
        ("https://[::1]:8443", {"HTTPS_PROXY": "socks5://p:3128"}, None),
    ],
)
def test_who_is_reached_through_which_proxy(
    address: str, environ: dict[str, str], proxy: str | None
) -> None:
    """As curl reads the environment; this machine never through a proxy."""
    found = proxy_for(address, environ)
    assert (found and str(found.url).rstrip("/")) == proxy
    assert PASSWORD not in repr(found and found.url) + str(found)


@pytest.mark.parametrize(
    "proxy",
    [
        f"socks5://u:{PASSWORD}@p:1",
        f"http://u:{PASSWORD}@",
        f"http://u:{PASSWORD}@p:99999",
        f"http://u:{PASSWORD}@p q:1",
        f"http://u:{PASSWORD}\x1b[2J@p:1",
    ],
)
def test_a_proxy_that_cannot_be_used_is_refused(proxy: str) -> None:
    """Rather than passed over in silence; its password is not shown."""
    with pytest.raises(UsageError, match=r"^HTTPS_PROXY: ") as caught:
        proxy_for(SHOUT, {"HTTPS_PROXY": proxy})
    assert PASSWORD not in caught.value.message + str(caught.value.hint)


def ask(port: int, monkeypatch: pytest.MonkeyPatch) -> Answer:
    """One order to https://shout.test through a proxy on this port."""
    monkeypatch.setenv("HTTPS_PROXY", f"http://user:{PASSWORD}@127.0.0.1:{port}")

    async def once() -> Answer:
        async with Api(settings(SHOUT, timeout=0.5)) as api:
            return await api.create("X-Shout-Connect-ID", "A1", body("1"))

    return asyncio.run(once())


@pytest.mark.parametrize(
    ("answer", "outcome", "says"),
    [
        (b"HTTP/1.1 407 Who\x1b[2J are you\r\n\r\n", Outcome.RUN_REFUSED, r"HTTP 407 Who\x1b[2J"),
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", Outcome.RUN_REFUSED, "HTTP 403 Forbidden"),
        (b"HTTP/1.1 302 Log in\r\nLocation: http://x/\r\n\r\n", Outcome.RUN_REFUSED, "HTTP 302"),
        (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", Outcome.NOT_SENT, "HTTP 502 Bad Gateway"),
        (b"HTTP/1.1 429 Slow down\r\n\r\n", Outcome.NOT_SENT, "HTTP 429 Slow down"),
        (b"", Outcome.NOT_SENT, "ServerDisconnectedError"),
        (b"nonsense\r\n\r\n", Outcome.NOT_SENT, "ClientResponseError"),
        (ESTABLISHED, Outcome.NOT_SENT, "ClientConnectorError"),
        (ESTABLISHED + b"no TLS here", Outcome.NOT_SENT, "ClientConnectorError"),
    ],
    ids=lambda one: one.name if isinstance(one, Outcome) else None,
)
def test_before_the_tunnel_stands_nothing_was_sent(
    answer: bytes, outcome: Outcome, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proxy is named, gets its own credentials, and none of Shout's."""
    with Server(answer) as proxy, pytest.raises(NoAnswer) as caught:
        ask(proxy.port, monkeypatch)
    assert caught.value.outcome is outcome
    assert says in str(caught.value)
    assert str(proxy.port) in str(caught.value)
    assert PASSWORD not in str(caught.value)
    assert CREDENTIAL not in proxy.heard[0]
    assert proxy.heard[0].startswith("CONNECT shout.test:8443 HTTP/1.1\r\n")
    assert "Proxy-Authorization: Basic " in proxy.heard[0]


def test_a_dead_proxy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens there: nothing was sent."""
    with Server(b"") as proxy:
        pass
    with pytest.raises(NoAnswer, match=f"ClientProxyConnectionError.*{proxy.port}") as caught:
        ask(proxy.port, monkeypatch)
    assert caught.value.outcome is Outcome.NOT_SENT


def test_a_proxy_cannot_pretend_to_be_shout(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The certificate is checked through the tunnel as well."""
    with (
        Server(None, tls=certificate) as shout,
        Server(ESTABLISHED, shout.port) as proxy,
        pytest.raises(NoAnswer, match="CertificateError") as caught,
    ):
        ask(proxy.port, monkeypatch)
    assert caught.value.outcome is Outcome.RUN_REFUSED


@pytest.fixture
def job(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "netrc").write_text(
        "machine shout.test login thief password from-netrc\n"
        "machine 127.0.0.1 login thief password from-netrc\n"
    )
    (tmp_path / "netrc").chmod(0o600)
    write(str(tmp_path / "orders.csv"), orders(range(30)))
    yield tmp_path / "job"
    kept = b"".join(path.read_bytes() for path in (tmp_path / "job").rglob("*") if path.is_file())
    assert PASSWORD.encode() not in kept


def run(job: Path, url: str, environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    words = [
        "run",
        job.parent / "orders.csv",
        "--job",
        job,
        "--yes",
        "--api-url",
        url,
        "--progress",
        "plain",
        "--verbose",
    ]
    words += ["--header", f"Authorization: {CREDENTIAL}", "--timeout", "5", "--settle", "0.2"]
    return subprocess.run(
        [sys.executable, "-m", "backfill", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(ROOT), "NETRC": str(job.parent / "netrc"), **environ},
    )


def test_a_run_through_a_proxy(job: Path, certificate: Path, sandbox: SandboxProcess) -> None:
    """Each order exactly once, encrypted all the way to Shout."""
    port = urlsplit(sandbox.url).port or 0
    with Server(None, port, tls=certificate) as shout, Server(ESTABLISHED, shout.port) as proxy:
        secret = f"http://user:{PASSWORD}@127.0.0.1:{proxy.port}"
        trust = {"SSL_CERT_FILE": str(certificate)}
        done = run(job, "https://shout.test:8443", {"HTTPS_PROXY": secret, **trust})
    assert done.returncode == 0, done.stderr
    assert_exactly_once(sandbox, job / CHECKPOINT)
    assert PASSWORD not in done.stdout + done.stderr
    heard = "".join(proxy.heard)
    assert CREDENTIAL not in heard
    assert "Janet" not in heard
    assert {one.split("\r\n")[0] for one in proxy.heard} == {"CONNECT shout.test:8443 HTTP/1.1"}


def test_this_machine_is_reached_without_a_proxy(job: Path, sandbox: SandboxProcess) -> None:
    """Nor with what ~/.netrc holds for it."""
    dead = "http://127.0.0.1:9"
    names = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")
    done = run(job, sandbox.url, dict.fromkeys(names, dead))
    assert done.returncode == 0, done.stderr
    assert_exactly_once(sandbox, job / CHECKPOINT)
