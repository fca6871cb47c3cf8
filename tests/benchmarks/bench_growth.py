"""How time and memory grow with the file: 100 thousand, a million, five million lines."""

from __future__ import annotations

from collections.abc import Iterator

from tests.benchmarks.bench_prepare import dry_run
from tests.benchmarks.harness import Bench, Contender, Measured, Table, alternate, median

SIZES = (100_000, 1_000_000, 5_000_000)


def tables(bench: Bench) -> Iterator[Table]:
    """Rows of an order together, and scattered over the whole file."""
    for title, options in (("in order", ()), ("scattered", ("--scattered",))):
        yield growth(bench, title, options)


def growth(bench: Bench, title: str, options: tuple[str, ...]) -> Table:
    """One line a size, with the time a line and the peak of memory."""
    exports = {bench.size(size): bench.export(bench.size(size), *options) for size in SIZES}
    results = alternate(
        [
            Contender(str(lines), lambda export=export: dry_run(bench, export))  # type: ignore[misc]
            for lines, export in exports.items()
        ],
        bench.repeats,
    )
    smallest, middle = (results[str(lines)] for lines in list(exports)[:2])
    table = Table(
        f"backfill validate, generic CSV, rows {title}",
        ("lines", "seconds", "us a line", "to the smallest", "peak MB", "to the middle"),
    )
    for lines in exports:
        runs = results[str(lines)]
        table.rows.append(
            (
                f"{lines:,}",
                f"{median(runs):.2f}",
                f"{a_line(runs, lines):.2f}",
                f"{a_line(runs, lines) / a_line(smallest, min(exports)):.2f}",
                f"{peak(runs):.0f}",
                f"{peak(runs) / peak(middle):.2f}",
            )
        )
    return table


def a_line(runs: list[Measured], lines: int) -> float:
    """Microseconds a line."""
    return median(runs) / lines * 1e6


def peak(runs: list[Measured]) -> float:
    """The largest memory of all runs, in MB."""
    return max(one.peak_bytes for one in runs) / 1e6
