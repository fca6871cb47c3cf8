"""A local nginx that answers every request with one fixed 201: a server that costs little."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks.harness import UnavailableError

#: Every order of the exports for delivery has this one line item, so one answer is right for all.
ITEM_NAME = "Dew Drop Hyaluronic Serum"
EACH_CENTS, QUANTITY, TOTAL_CENTS = 3400, 2, 6800
ANSWER = json.dumps(
    {
        "id": 1,
        "object": "order",
        "line_items": [
            {
                "name": ITEM_NAME,
                "each_price_cents": EACH_CENTS,
                "quantity": QUANTITY,
                "price_cents": TOTAL_CENTS,
            }
        ],
        "total_cents": TOTAL_CENTS,
        "dont_trigger_auto_actions": True,
    },
    separators=(",", ":"),
)

CONFIGURATION = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    keepalive_timeout 3600s;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    default_type application/json;
    server {{ listen 127.0.0.1:{port} backlog=1024; location / {{ return 201 '{answer}'; }} }}
}}
"""


@contextlib.contextmanager
def nginx(folder: Path) -> Iterator[str]:
    """Serve while the block runs; gives the address.

    :raises UnavailableError: there is no nginx on this machine.
    """
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        raise UnavailableError("nginx is not installed")
    port = free_port()
    folder.mkdir(exist_ok=True)
    configuration = folder / "nginx.conf"
    configuration.write_text(CONFIGURATION.format(folder=folder, port=port, answer=ANSWER))
    process = subprocess.Popen([program, "-p", folder, "-c", configuration, "-e", "stderr"])
    try:
        wait_for(port, process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    """Come back as soon as the server accepts connections.

    :raises UnavailableError: it ended, or does not answer within five seconds.
    """
    for _ in range(100):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        if process.poll() is not None:
            break
        time.sleep(0.05)
    raise UnavailableError("nginx does not start")
