"""What a command costs that has next to nothing to do."""

from __future__ import annotations

import shutil
import socket
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from tests.benchmarks.harness import Bench, Contender, Table, alternate, backfill, comparison, run


def tables(bench: Bench) -> Iterator[Table]:
    """``--help`` and a small dry run beside the least they could take, and a job that is done."""
    yield comparison(
        "start-up",
        alternate(
            (
                Contender("python -c pass", lambda: [sys.executable, "-c", "pass"]),
                Contender("backfill --help", lambda: [sys.executable, "-m", "backfill", "--help"]),
            ),
            bench.repeats * 4,
        ),
        against="python -c pass",
    )
    yield small_dry_run(bench)
    yield finished_job(bench)


def small_dry_run(bench: Bench) -> Table:
    """A dry run of 100 lines: nearly all of it is start-up. Repeated, since it is short."""
    export = bench.export(100)
    return comparison(
        "a dry run of 100 lines",
        alternate(
            (
                Contender("import pandas", lambda: [sys.executable, "-c", "import pandas"]),
                Contender(
                    "validate", lambda: backfill("validate", export, "--job", bench.fresh("small"))
                ),
            ),
            bench.repeats * 4,
        ),
        against="import pandas",
    )


def finished_job(bench: Bench) -> Table:
    """Resuming and asking after a job in which every order is created."""
    lines = bench.size(1_000_000)
    export = bench.export(lines)
    job = bench.fresh("finished")
    run(backfill("validate", export, "--job", job))
    orders = mark_as_created(job)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        api = ("--api-url", f"http://127.0.0.1:{listener.getsockname()[1]}", "--yes")
        results = alternate(
            (
                Contender("run --job", lambda: backfill("run", "--job", job, *api)),
                Contender("run EXPORT --job", lambda: backfill("run", export, "--job", job, *api)),
                Contender("status", lambda: backfill("status", job)),
            ),
            bench.repeats,
        )
        refuse_connections_made(listener)
    shutil.rmtree(job)
    title = f"a finished job of {orders:,} orders ({lines:,} lines); no connection was made"
    return comparison(title, results, against="run --job")


def mark_as_created(job: Path) -> int:
    """Make the job look as if all of it had been sent; returns its orders."""
    with closing(sqlite3.connect(job / "checkpoint.sqlite")) as db, db:
        return db.execute(
            "UPDATE orders SET state = 'created', attempts = 1, http_status = 201,"
            " shout_order_id = id"
        ).rowcount


def refuse_connections_made(listener: socket.socket) -> None:
    """A finished job has nothing to ask Shout.

    :raises RuntimeError: somebody connected to the listener.
    """
    listener.setblocking(False)
    try:
        connection, _ = listener.accept()
    except BlockingIOError:
        return
    connection.close()
    raise RuntimeError("resuming a finished job made a connection")
