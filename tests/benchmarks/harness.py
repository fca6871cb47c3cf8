"""How the benchmarks measure: whole processes, in alternation, with all of their children.

Nothing here asserts a time. What is compared runs in one go on one machine, in alternation
(A B A B ...), so that what slows the machine slows both; figures are medians, and what counts is
their ratio.
"""

from __future__ import annotations

import contextlib
import os
import platform
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tests.places import ROOT

GENERATOR = ROOT / "sample_data" / "generate.py"
SAMPLE_EVERY = 0.02
"""Seconds between two looks at the memory of a process and its children."""

Command = Sequence[str | Path]
Figure = Literal["seconds", "cpu_seconds"]


class UnavailableError(Exception):
    """A part cannot run here; the text says why."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One run of a process with all its children."""

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    output: str


@dataclass(frozen=True, slots=True)
class Contender:
    """One of the things compared.

    ``command`` is asked for anew before each run and may prepare what the run needs (a fresh job
    folder); that is not measured.
    """

    name: str
    command: Callable[[], Command]
    may_exit: tuple[int, ...] = (0,)


@dataclass(frozen=True, slots=True)
class Table:
    """Figures to show; the first column is a name."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]] = field(default_factory=list)
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        cells = [self.columns, *self.rows]
        widths = [max(len(row[n]) for row in cells) for n in range(len(self.columns))]
        lines = [
            "  ".join(
                [row[0].ljust(widths[0])]
                + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
            )
            for row in cells
        ]
        lines.insert(1, "  ".join("-" * width for width in widths))
        return "\n".join([self.title, *lines, *self.notes])


@dataclass(frozen=True, slots=True)
class Bench:
    """What every part is given."""

    folder: Path
    """For data and jobs; thrown away at the end."""
    scale: float
    repeats: int

    def size(self, count: int) -> int:
        """A size of the full benchmark at the chosen scale."""
        return max(int(count * self.scale), 100)

    def export(self, lines: int, *options: str) -> Path:
        """A generated export with that many lines; made once for all parts that ask for it."""
        name = "-".join(("export", str(lines), *(option.lstrip("-") for option in options)))
        path = self.folder / f"{name}.csv"
        if not path.exists():
            size = ("--lines", str(lines), "--out", path)
            subprocess.run([sys.executable, GENERATOR, *size, *options], check=True)
        return path

    def fresh(self, name: str) -> Path:
        """A path in the folder at which there is nothing yet."""
        taken = sum(1 for _ in self.folder.glob(f"{name}.*"))
        return self.folder / f"{name}.{taken}"


def run(command: Command, may_exit: Sequence[int] = (0,)) -> Measured:
    """Run a command to its end.

    Processor time is that of the process and all children it waited for. Peak memory is the
    largest sum of resident sizes over the process and its descendants, looked at every
    :data:`SAMPLE_EVERY` seconds; a page that two of them share counts twice, so it errs upwards.

    :raises RuntimeError: it ended with another exit code than those of ``may_exit``.
    """
    with open(os.devnull, "rb") as nothing, _output_file() as (out, read_out):
        began = time.perf_counter()
        process = subprocess.Popen(
            command, stdin=nothing, stdout=out, stderr=subprocess.STDOUT, cwd=ROOT
        )
        try:
            with _watched(process.pid) as peak:
                _, status, usage = os.wait4(process.pid, 0)
        except BaseException:  # Ctrl-C: nothing that was started goes on alone
            process.kill()
            process.wait()
            raise
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        output = read_out()
    if process.returncode not in may_exit:
        line = " ".join(map(str, command))
        raise RuntimeError(f"exit {process.returncode}: {line}\n{output[-3000:]}")
    cpu_seconds = usage.ru_utime + usage.ru_stime
    # usage.ru_maxrss is of no use: it counts what this process had when it started the other.
    return Measured(seconds, cpu_seconds, peak(), output)


def alternate(contenders: Sequence[Contender], repeats: int) -> dict[str, list[Measured]]:
    """Run each contender ``repeats`` times, in turns; results by name."""
    results: dict[str, list[Measured]] = {contender.name: [] for contender in contenders}
    for _ in range(repeats):
        for contender in contenders:
            results[contender.name].append(run(contender.command(), contender.may_exit))
    return results


def median(runs: Sequence[Measured], of: Figure = "seconds") -> float:
    """The median of one figure over several runs."""
    figures: list[float] = [getattr(one, of) for one in runs]
    return statistics.median(figures)


def comparison(title: str, results: dict[str, list[Measured]], *, against: str) -> Table:
    """A line a contender, with its ratio to the one named ``against``."""
    table = Table(title, ("", "seconds", "spread", "cpu s", "peak MB", "ratio"))
    base = median(results[against])
    for name, runs in results.items():
        times = [one.seconds for one in runs]
        table.rows.append(
            (
                name,
                f"{median(runs):.2f}",
                f"{min(times):.2f}-{max(times):.2f}",
                f"{median(runs, 'cpu_seconds'):.2f}",
                f"{max(one.peak_bytes for one in runs) / 1e6:.0f}",
                f"{median(runs) / base:.2f}",
            )
        )
    return table


def backfill(*arguments: str | Path) -> Command:
    """The command line of the product."""
    return [sys.executable, "-m", "backfill", *arguments, "--progress", "none"]


def machine() -> str:
    """What the figures were made on."""
    model = "unknown processor"
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    gigabytes = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    cores = len(os.sched_getaffinity(0))
    return (
        f"{model}, {cores} cores, {gigabytes:.0f} GB, {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}"
    )


@contextlib.contextmanager
def _output_file() -> Iterator[tuple[int, Callable[[], str]]]:
    """A file without a name for what a process prints: a full pipe would hold it up."""
    number = os.memfd_create("output")

    def text() -> str:
        os.lseek(number, 0, os.SEEK_SET)
        with os.fdopen(os.dup(number), "rb") as file:
            return file.read().decode(errors="replace")

    try:
        yield number, text
    finally:
        os.close(number)


@contextlib.contextmanager
def _watched(pid: int) -> Iterator[Callable[[], int]]:
    """Watch the resident bytes of a process and its descendants while the block runs."""
    peak = 0
    done = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(SAMPLE_EVERY):
            sizes = [_sizes(member) for member in _tree(pid)]
            together = sum(resident for resident, _ in sizes)
            peak = max(peak, together, *(largest for _, largest in sizes))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield lambda: peak
    finally:
        done.set()
        thread.join()


def _tree(pid: int) -> Iterator[int]:
    """The process and all its descendants; empty where it is gone."""
    yield pid
    with contextlib.suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):
            children = Path(f"/proc/{pid}/task/{task}/children").read_text()
            for child in children.split():
                yield from _tree(int(child))


def _sizes(pid: int) -> tuple[int, int]:
    """Resident bytes of one process: now, and the most there ever were; 0 where it is gone."""
    found = {"VmRSS": 0, "VmHWM": 0}
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            name, _, text = line.partition(":")
            if name in found:
                found[name] = int(text.split()[0]) * 1024
    return found["VmRSS"], found["VmHWM"]
