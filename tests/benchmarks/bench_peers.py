"""Others at the same work: from a CSV to one POST an order, to the same local nginx.

dlt and dbos bring many packages, so they live in a virtual environment of their own.
"""

from __future__ import annotations

import importlib.metadata
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks.bench_deliver import (
    BARE,
    CONNECTIONS,
    export_of_equal_orders,
    prepare,
    ready_bodies,
    sending,
)
from tests.benchmarks.bench_prepare import dry_run
from tests.benchmarks.harness import (
    Bench,
    Command,
    Contender,
    Table,
    UnavailableError,
    alternate,
    comparison,
)
from tests.benchmarks.local_nginx import nginx

PEERS = Path(__file__).parent / "peers"
PACKAGES = ("dlt==1.31.*", "dbos==3.4.*", "requests")
MOST_REPEATS = 3
"""Some of them take minutes a run."""


def tables(bench: Bench) -> Iterator[Table]:
    """Preparation alone, then the whole job."""
    python = environment(bench.folder / "peers")
    repeats = min(bench.repeats, MOST_REPEATS)
    yield preparation(bench, python, repeats)
    yield whole_job(bench, python, repeats)


def preparation(bench: Bench, python: Path, repeats: int) -> Table:
    """From a CSV to bodies: the plain script keeps none, checks nothing and reports nothing."""
    lines = bench.size(200_000)
    export = bench.export(lines)
    results = alternate(
        (
            Contender("plain script", lambda: [python, PEERS / "plain.py", export]),
            Contender("backfill validate", lambda: dry_run(bench, export)),
        ),
        repeats,
    )
    return comparison(
        f"from a CSV of {lines:,} lines to bodies", results, against="backfill validate"
    )


def whole_job(bench: Bench, python: Path, repeats: int) -> Table:
    """From a CSV to one POST an order."""
    orders = bench.size(5_000)
    export = export_of_equal_orders(bench, orders)
    with nginx(bench.folder / "nginx") as address:
        bodies = ready_bodies(prepare(bench, orders))

        def peer(script: str) -> Command:
            folder = bench.fresh("peer")
            folder.mkdir()
            return [python, PEERS / script, export, address, folder]

        results = alternate(
            (
                Contender(
                    "bare loop, bodies ready",
                    lambda: [sys.executable, BARE, address, bodies, str(CONNECTIONS)],
                ),
                Contender(
                    "backfill run",
                    lambda: sending(export, "--job", bench.fresh("whole"), "--api-url", address),
                ),
                Contender("plain script", lambda: [python, PEERS / "plain.py", export, address]),
                Contender("dlt 1.31", lambda: peer("with_dlt.py")),
                Contender("dbos 3.4 on SQLite", lambda: peer("with_dbos.py")),
            ),
            repeats,
        )
    return comparison(f"from a CSV to {orders:,} POSTs", results, against="backfill run")


def environment(folder: Path) -> Path:
    """A virtual environment with the peers; returns its Python.

    :raises UnavailableError: they cannot be installed.
    """
    python = folder / "bin" / "python"
    if python.exists():
        return python
    venv.create(folder, with_pip=True)
    pandas = f"pandas=={importlib.metadata.version('pandas')}"
    done = subprocess.run(
        [python, "-m", "pip", "install", "--quiet", *PACKAGES, pandas],
        capture_output=True,
        text=True,
    )
    if done.returncode:
        shutil.rmtree(folder)
        last = done.stderr.strip().splitlines()[-1:]
        raise UnavailableError(f"the peers cannot be installed: {' '.join(last)}")
    return python
