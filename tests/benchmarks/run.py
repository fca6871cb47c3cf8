"""All benchmarks, in one command that makes its own data:

    python -m tests.benchmarks.run                       everything; an hour on two cores
    python -m tests.benchmarks.run --scale 0.1           a tenth of the size
    python -m tests.benchmarks.run --only prepare,start  some parts; --list names them
    pytest -m benchmark tests/benchmarks                 that each part still works, in small

Prints tables of medians and ratios and the machine; asserts nothing of time. Data and jobs go to a
temporary folder (``--folder`` to choose where: the full size takes 8 GB) and are removed at the
end. The parts that need nginx, wrk, dlt or dbos say so and are left out where there are none;
dlt and dbos are installed into a virtual environment of their own.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from tests.benchmarks import bench_deliver, bench_growth, bench_peers, bench_prepare, bench_start
from tests.benchmarks.harness import Bench, Table, UnavailableError, machine

PARTS: dict[str, Callable[[Bench], Iterable[Table]]] = {
    "prepare": bench_prepare.tables,
    "growth": bench_growth.tables,
    "deliver": bench_deliver.tables,
    "start": bench_start.tables,
    "peers": bench_peers.tables,
}


def main() -> None:
    """Run the chosen parts, and print each table as soon as it is there."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", metavar="PART,...", default=",".join(PARTS))
    parser.add_argument("--scale", type=float, default=1.0, help="of the full sizes (default 1)")
    parser.add_argument("--repeats", type=int, default=5, help="runs of each (default 5)")
    parser.add_argument("--folder", type=Path, help="where the temporary folder is made")
    parser.add_argument("--list", action="store_true", help="name the parts")
    options = parser.parse_args()
    if options.list:
        print("\n".join(PARTS))
        return
    chosen = options.only.split(",")
    if unknown := set(chosen) - PARTS.keys():
        parser.error(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")

    print(f"{machine()}; scale {options.scale:g}, medians of {options.repeats}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the folder is removed
    folder = Path(tempfile.mkdtemp(prefix="backfill-benchmarks-", dir=options.folder))
    try:
        bench = Bench(folder, options.scale, options.repeats)
        for name in chosen:
            show(name, PARTS[name], bench)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def show(name: str, tables: Callable[[Bench], Iterable[Table]], bench: Bench) -> None:
    """Print a part's tables, or why there are none."""
    try:
        for table in tables(bench):
            print(f"\n[{name}] {table}", flush=True)
    except UnavailableError as reason:
        print(f"\n[{name}] left out: {reason}", flush=True)


if __name__ == "__main__":
    main()
