"""A sandbox in a process of its own, for tests and the demo: started, killed, restarted, asked."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode

from backfill.sandbox.settings import DEFAULT_HEADER, SandboxError

_ENDS_WITHIN = 10.0  # seconds


class SandboxProcess:
    """A running sandbox. It keeps port and database over :meth:`kill` and :meth:`restart`.

    It ends with the process that started it, however that one ends.
    """

    def __init__(
        self,
        folder: Path,
        *,
        db: Path | None = None,
        port: int = 0,
        faults: Mapping[str, Any] | Path | None = None,
        rate_limit: float | None = None,
        header: tuple[str, str] = DEFAULT_HEADER,
    ) -> None:
        """``folder`` takes what the sandbox needs on disk; ``faults`` is a file or its content."""
        self.db = db or folder / "sandbox.sqlite"
        self.header = header
        self.url = ""
        self._port = port
        self._rate_limit = rate_limit
        self._log = folder / "sandbox.log"
        if isinstance(faults, Mapping):
            self._faults: Path | None = folder / "faults.json"
            self._faults.write_text(json.dumps(faults), "utf-8")
        else:
            self._faults = faults
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> str:
        """Start it and wait until it serves; returns the base URL, as ``.url`` does.

        Raises SandboxError with its own words where it does not start.
        """
        if self.running:
            raise SandboxError("the sandbox is already running")
        command = [sys.executable, "-m", "backfill.sandbox", "--until-stdin-closes"]
        command += ["--port", str(self._port), "--db", str(self.db)]
        command += ["--header", ": ".join(self.header)]
        if self._faults is not None:
            command += ["--faults", str(self._faults)]
        if self._rate_limit is not None:
            command += ["--rate-limit", str(self._rate_limit)]
        with self._log.open("w", encoding="utf-8") as log:
            self._process = subprocess.Popen(  # noqa: S603  (our own interpreter and module)
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**os.environ, "PYTHONPATH": _import_path()},
            )
        assert self._process.stdout is not None
        first = self._process.stdout.readline()
        if not first.startswith("sandbox: "):
            self._end(self._process)
            raise SandboxError(self._log.read_text("utf-8").strip() or "the sandbox did not start")
        self.url = first.removeprefix("sandbox: ").strip()
        self._port = int(self.url.rpartition(":")[2])
        return self.url

    def stop(self) -> int:
        """End it with SIGTERM; returns its exit code."""
        process = self._running()
        process.terminate()
        return self._end(process)

    def kill(self) -> None:
        """Kill it with SIGKILL; what was answered is in the database."""
        process = self._running()
        process.kill()
        self._end(process)

    def restart(self) -> str:
        """Start it again after :meth:`stop` or :meth:`kill`: same port, same orders."""
        return self.start()

    @property
    def running(self) -> bool:
        """Whether the process is running."""
        return self._process is not None and self._process.poll() is None

    def stats(self) -> dict[str, Any]:
        """``GET /sandbox/stats``: see the package's docstring."""
        stats: dict[str, Any] = self.ask("GET", "/sandbox/stats")
        return stats

    def orders(self, **query: str) -> list[dict[str, Any]]:
        """Every order (``account``, ``reference_id``, ``q`` narrow it), oldest first."""
        orders: list[dict[str, Any]] = []
        after: int | None = 0
        while after is not None:
            page = self.ask("GET", f"/sandbox/orders?{urlencode({**query, 'after': after})}")
            orders += page["orders"]
            after = page["next"]
        return orders

    def texts(self) -> list[dict[str, Any]]:
        """Every text message a real Shout would have sent."""
        texts: list[dict[str, Any]] = self.ask("GET", "/sandbox/texts")
        return texts

    def messages(self) -> list[dict[str, Any]]:
        """Every message to an affiliate."""
        messages: list[dict[str, Any]] = self.ask("GET", "/sandbox/messages")
        return messages

    def set_faults(self, table: Mapping[str, Any]) -> None:
        """Replace all faults; counting starts at 1."""
        self.ask("PUT", "/sandbox/faults", table)

    def change_faults(self, **settings: Any) -> None:
        """Change some top-level settings, such as ``rate_limit=10`` or ``down="503"``."""
        self.ask("PATCH", "/sandbox/faults", settings)

    def change_order(self, order_id: int, *, account: str | None = None, **fields: Any) -> None:
        """Change an order without going through the API."""
        changes = {"order": fields} | ({} if account is None else {"account": account})
        self.ask("PATCH", f"/sandbox/orders/{order_id}", changes)

    def delete_order(self, order_id: int) -> None:
        """Delete an order without going through the API."""
        self.ask("DELETE", f"/sandbox/orders/{order_id}")

    def reset(self) -> None:
        """Forget all accounts, orders, texts, messages and counts."""
        self.ask("POST", "/sandbox/reset")

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """One request to the control; returns the JSON. Raises SandboxError where it is refused."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, method=method)  # noqa: S310
        try:
            with _DIRECT.open(request, timeout=60) as answer:
                return json.load(answer)
        except HTTPError as error:
            with error:
                raise SandboxError(error.read().decode("utf-8", "replace")) from error

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None:
            raise SandboxError("the sandbox is not running")
        return self._process

    def _end(self, process: subprocess.Popen[str]) -> int:
        process.communicate(timeout=_ENDS_WITHIN)
        self._process = None
        return process.returncode


def _import_path() -> str:
    """Where the child finds this very package, whatever folder it is started in."""
    here = str(Path(__file__).parents[2])
    return os.pathsep.join(filter(None, (here, os.environ.get("PYTHONPATH"))))


#: Whatever proxy the environment names, the sandbox is on this machine.
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@contextlib.contextmanager
def start_process(
    *,
    db: Path | None = None,
    port: int = 0,
    faults: Mapping[str, Any] | Path | None = None,
    rate_limit: float | None = None,
    header: tuple[str, str] = DEFAULT_HEADER,
) -> Iterator[SandboxProcess]:
    """A sandbox in a process of its own for the length of a ``with``.

    ``db`` None: a file in a folder that is removed at the end. Raises SandboxError where the
    sandbox does not start.
    """
    with tempfile.TemporaryDirectory(prefix="sandbox-") as folder:
        sandbox = SandboxProcess(
            Path(folder), db=db, port=port, faults=faults, rate_limit=rate_limit, header=header
        )
        sandbox.start()
        try:
            yield sandbox
        finally:
            if sandbox.running:
                sandbox.kill()
