"""The sandbox as a process: how it starts, ends, and what it keeps."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from backfill.sandbox.process import start_process
from backfill.sandbox.settings import SandboxError
from tests.sandbox.sandbox_client import NO_ANSWER, Client, order

RUN = [sys.executable, "-m", "backfill.sandbox"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_first_line_names_the_address_and_a_signal_ends_it(number: signal.Signals) -> None:
    """``sandbox: http://127.0.0.1:PORT`` is the first line on stdout; exit 0, nothing on stderr."""
    with subprocess.Popen(
        RUN, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        process.send_signal(number)
        _, errors = process.communicate(timeout=20)
    assert first.startswith("sandbox: http://127.0.0.1:")
    assert (process.returncode, errors) == (0, "")


def test_it_ends_at_once_while_requests_hang() -> None:
    """A hanging request does not keep the sandbox alive."""
    with start_process(faults={"fault": [{"kind": "hang_before_commit"}]}) as sandbox:
        with pytest.raises(NO_ANSWER):
            Client(sandbox).create(order(), timeout=0.2)
        hanging = threading.Thread(target=_ignore_no_answer, args=(Client(sandbox),))
        hanging.start()
        assert sandbox.stop() == 0
        hanging.join()


def _ignore_no_answer(client: Client) -> None:
    try:
        client.create(order())
    except NO_ANSWER:
        return


def test_what_was_answered_survives_a_sigkill() -> None:
    """Killed in the middle of traffic: every order that was answered is there after a restart."""
    with start_process() as sandbox:
        client, answered = Client(sandbox), set()

        def send(worker: int) -> None:
            for number in range(10_000):
                try:
                    reply = client.create(order(f"{worker}-{number}"))
                except NO_ANSWER:
                    return
                answered.add(reply.json["reference_id"])
                if len(answered) == 200:
                    enough.set()

        enough = threading.Event()
        workers = [threading.Thread(target=send, args=(worker,)) for worker in range(4)]
        for worker in workers:
            worker.start()
        assert enough.wait(60)
        address = sandbox.url
        sandbox.kill()
        for worker in workers:
            worker.join()
        assert not sandbox.running
        assert sandbox.restart() == address
        stored = {one["order"]["reference_id"] for one in sandbox.orders()}
        assert answered <= stored
        assert len(stored) - len(answered) <= len(workers), "at most the answers on their way"
        assert sandbox.stats()["requests"]["total"] == 0


def test_it_serves_this_machines_own_address_only(client: Client) -> None:
    """Bound to 127.0.0.1 and to nothing else."""
    port = int(client.sandbox.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port)):
        pass
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", port))


def test_it_ends_with_the_process_that_started_it() -> None:
    """Killed tests leave no sandbox behind."""
    script = (
        "from backfill.sandbox.process import start_process\n"
        "import time\n"
        "with start_process() as sandbox:\n"
        "    print(sandbox._process.pid, flush=True)\n"
        "    time.sleep(60)\n"
    )
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        os.kill(child, 0)
        parent.kill()
        for _ in range(1000):
            if not _alive(child):
                return
            threading.Event().wait(0.02)
    pytest.fail("the sandbox is still there")


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    # A child whose parent is gone may wait as a zombie for an init that never collects it.
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"


def test_faults_rate_limit_and_credentials_from_the_command_line(tmp_path: Path) -> None:
    """The options reach the sandbox; the faults file wins over ``--rate-limit``."""
    faults = tmp_path / "faults.toml"
    faults.write_text('[[fault]]\nkind = "error_before_commit"\nat = [2]\n', "utf-8")
    with start_process(faults=faults, rate_limit=0.01, header=("X-Key", "s3cret")) as sandbox:
        client = Client(sandbox)
        assert client.create(order("1")).status == 201
        assert client.create(order("2")).status == 429
        assert client.ask("POST", "/orders", {"order": order()}).status == 401
        assert sandbox.ask("GET", "/sandbox/faults")["rate_limit"] == 0.01
    faults.write_text("rate_limit = 5\n", "utf-8")
    with start_process(faults=faults, rate_limit=0.01) as sandbox:
        assert sandbox.ask("GET", "/sandbox/faults")["rate_limit"] == 5


def test_trouble_at_the_start_is_one_line(client: Client, tmp_path: Path) -> None:
    """A taken port, a faults file or database that cannot be used: a line and exit code 2."""
    broken = tmp_path / "broken.toml"
    broken.write_text("[[fault]\n", "utf-8")
    no_database = tmp_path / "text.sqlite"
    no_database.write_text("this is not a database, but a text of some length" * 20, "utf-8")
    taken = client.sandbox.url.rpartition(":")[2]
    for options in (
        ["--port", taken],
        ["--faults", str(broken)],
        ["--faults", str(tmp_path / "nowhere.toml")],
        ["--db", str(no_database)],
        ["--db", str(tmp_path / "nowhere" / "x.sqlite")],
    ):
        ended = subprocess.run([*RUN, *options], capture_output=True, text=True, timeout=30)
        assert ended.returncode == 2, ended.stderr
        assert ended.stderr.startswith("sandbox: ")
        assert ended.stderr.count("\n") == 1
    with pytest.raises(SandboxError, match=r"broken\.toml"), start_process(faults=broken):
        pass
