"""The sending alone, with its full safety on, beside the barest loop that posts the same bodies."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from tests.benchmarks.harness import (
    Bench,
    Command,
    Contender,
    Measured,
    Table,
    alternate,
    backfill,
    median,
    run,
)
from tests.benchmarks.local_nginx import EACH_CENTS, ITEM_NAME, QUANTITY, TOTAL_CENTS, nginx

CONNECTIONS = 64
BARE = Path(__file__).parent / "peers" / "bare.py"
ACCOUNT = "fern-1001"
WRK_SECONDS = 5


def tables(bench: Bench) -> Iterator[Table]:
    """100,000 prepared orders to a local nginx."""
    orders = bench.size(100_000)
    with nginx(bench.folder / "nginx") as address:
        prepared = prepare(bench, orders)
        bodies = ready_bodies(prepared)
        finished: list[Path] = []

        def resend() -> Command:
            job = bench.fresh("deliver")
            shutil.copytree(prepared, job)
            finished.append(job)
            return sending("--job", job, "--api-url", address)

        contenders = (
            Contender(
                "bare aiohttp loop",
                lambda: [sys.executable, BARE, address, bodies, str(CONNECTIONS)],
            ),
            Contender("backfill run", resend),
        )
        results = alternate(contenders, bench.repeats)
        for job in finished:
            check_all_created(job, orders)
        floor = wrk(bench.folder, address, bodies)
        seconds = [sending_seconds(job) for job in finished]
        report = run(backfill("report", finished[-1]))
    yield as_table(orders, results, sorted(seconds)[len(seconds) // 2], report, floor)


def as_table(
    orders: int,
    results: dict[str, list[Measured]],
    sending_alone: float,
    report: Measured,
    floor: str,
) -> Table:
    """Orders a second and processor time an order, for the whole process and for the sending."""
    bare, ours = results.values()
    table = Table(
        f"delivery of {orders:,} orders, {CONNECTIONS} connections, nginx with a fixed 201",
        ("", "orders/s", "ratio", "cpu us an order", "ratio"),
        notes=(
            f"wrk, the floor of this machine: {floor}",
            "'whole process' has start-up and reports in it, 'sending' what report.json calls",
            "deliver; its processor time is the whole less that of 'backfill report' on its own.",
        ),
    )
    sending_cpu = median(ours, "cpu_seconds") - report.cpu_seconds
    for name, seconds, cpu in (
        ("bare aiohttp loop", median(bare), median(bare, "cpu_seconds")),
        ("backfill run, whole process", median(ours), median(ours, "cpu_seconds")),
        ("backfill run, sending", sending_alone, sending_cpu),
    ):
        table.rows.append(
            (
                name,
                f"{orders / seconds:,.0f}",
                f"{median(bare) / seconds:.2f}",
                f"{cpu / orders * 1e6:.0f}",
                f"{cpu / median(bare, 'cpu_seconds'):.2f}",
            )
        )
    return table


def export_of_equal_orders(bench: Bench, orders: int) -> Path:
    """A generic CSV whose orders all have the line item and the total of nginx's answer."""
    path = bench.folder / f"equal-{orders}.csv"
    if path.exists():
        return path
    with path.open("w", encoding="utf-8") as file:
        file.write(
            "reference_id,created_at,paid_at,connect_id,profile_name,profile_phone_number,"
            "profile_email,profile_shipping_address_raw,total,item_name,item_quantity,"
            "item_each_price\n"
        )
        for n in range(orders):
            file.write(
                f"{1_000_000 + n},2021-{n % 12 + 1:02}-{n % 28 + 1:02}T12:00:00-07:00,"
                f"2021-{n % 12 + 1:02}-{n % 28 + 1:02},{ACCOUNT},Ada Juniper,"
                f"(801) 555-{n % 10_000:04},c{n}@example.com,"
                f'"{n % 900 + 1} E Center St, Provo, UT 84606",{TOTAL_CENTS / 100:.2f},'
                f"{ITEM_NAME},{QUANTITY},{EACH_CENTS / 100:.2f}\n"
            )
    return path


def prepare(bench: Bench, orders: int) -> Path:
    """A job with that many orders ready to be sent."""
    job = bench.fresh("prepared")
    run(backfill("validate", export_of_equal_orders(bench, orders), "--job", job))
    return job


def ready_bodies(job: Path) -> Path:
    """The very bodies of the job, one a line."""
    path = job.with_suffix(".bodies")
    with closing(sqlite3.connect(job / "checkpoint.sqlite")) as db, path.open("w") as file:
        for (body,) in db.execute("SELECT payload FROM orders ORDER BY id"):
            file.write(body + "\n")
    return path


def sending(*arguments: str | Path) -> Command:
    """``backfill run`` at the benchmark's concurrency."""
    return backfill("run", *arguments, "--concurrency", str(CONNECTIONS), "--yes")


def check_all_created(job: Path, orders: int) -> None:
    """A fast run that did not send everything is no result.

    :raises RuntimeError: an order of the job is not ``created``.
    """
    with closing(sqlite3.connect(job / "checkpoint.sqlite")) as db:
        states = dict(db.execute("SELECT state, count(*) FROM orders GROUP BY state"))
    if states != {"created": orders}:
        raise RuntimeError(f"{job}: not all orders were created: {states}")


def sending_seconds(job: Path) -> float:
    """How long the sending took, by the job's own report."""
    report = json.loads((job / "report.json").read_text(encoding="utf-8"))
    seconds: float = report["seconds"]["deliver"]
    return seconds


def wrk(folder: Path, address: str, bodies: Path) -> str:
    """Requests a second with a client that does nothing else."""
    program = shutil.which("wrk")
    if program is None:
        return "wrk is not installed"
    with bodies.open(encoding="utf-8") as file:
        body = file.readline().rstrip("\n")
    script = folder / "post.lua"
    script.write_text(
        f'wrk.method = "POST"\nwrk.headers["Content-Type"] = "application/json"\n'
        f"wrk.body = {json.dumps(body, ensure_ascii=False)}\n",
        encoding="utf-8",
    )
    done = subprocess.run(
        [
            *(program, "-t1", f"-c{CONNECTIONS}", f"-d{WRK_SECONDS}s", "-s", script),
            f"{address}/orders",
        ],
        check=True,
        capture_output=True,
        text=True,
    )
    found = re.search(r"Requests/sec:\s*([\d.]+)", done.stdout)
    return f"{float(found[1]):,.0f} requests a second" if found else done.stdout
