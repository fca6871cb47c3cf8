"""The benchmarks still run; what they measure is for people to read."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.benchmarks.harness import Contender, alternate, run

RUN = "tests.benchmarks.run"


@pytest.mark.benchmark
@pytest.mark.parametrize("part", ["prepare", "growth", "deliver", "start", "peers"])
def test_part_prints_its_tables(part: str) -> None:
    """In small, each part ends well and shows figures."""
    done = subprocess.run(
        [sys.executable, "-m", RUN, "--only", part, "--scale", "0.002", "--repeats", "1"],
        capture_output=True,
        text=True,
        timeout=600,
    )
    print(done.stdout)
    assert done.returncode == 0, done.stderr
    if "left out" in done.stdout:
        pytest.skip(done.stdout.splitlines()[-1])
    assert f"[{part}]" in done.stdout


def test_every_part_is_named_in_the_help() -> None:
    """What can be chosen is told."""
    done = subprocess.run(
        [sys.executable, "-m", RUN, "--list"], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["prepare", "growth", "deliver", "start", "peers"]


HOLD = "import time; held = b'x' * {megabytes}_000_000; time.sleep(0.3)"


def test_memory_of_children_counts() -> None:
    """What a process hands to a child is not hidden by that."""
    child = HOLD.format(megabytes=60)
    parent = (
        "import subprocess, sys; held = b'x' * 60_000_000;"
        f"subprocess.run([sys.executable, '-c', {child!r}])"
    )
    assert run([sys.executable, "-c", parent]).peak_bytes > 120_000_000


def test_memory_is_that_of_the_run_alone() -> None:
    """Neither a larger run before it nor what the benchmark itself holds is in the figure."""
    large = run([sys.executable, "-c", HOLD.format(megabytes=200)])
    held = b"x" * 200_000_000
    small = run([sys.executable, "-c", HOLD.format(megabytes=1)])
    assert len(held) == 200_000_000
    assert large.peak_bytes > 200_000_000 > 100_000_000 > small.peak_bytes


def test_processor_time_of_children_counts() -> None:
    """Work in a child process is work."""
    child = "import time\nwhile time.process_time() < 0.3: pass"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    assert run([sys.executable, "-c", parent]).cpu_seconds >= 0.3


def test_a_failed_run_is_no_figure() -> None:
    """Its output is shown instead."""
    with pytest.raises(RuntimeError, match=r"exit 7(?s:.*)what went wrong"):
        run([sys.executable, "-c", "print('what went wrong'); raise SystemExit(7)"])


def test_contenders_take_turns() -> None:
    """So that a slow minute of the machine is everybody's."""
    turns: list[str] = []

    def contender(name: str) -> Contender:
        def command() -> list[str]:
            turns.append(name)
            return [sys.executable, "-c", "pass"]

        return Contender(name, command)

    results = alternate([contender("a"), contender("b")], repeats=2)
    assert turns == ["a", "b", "a", "b"]
    assert {name: len(runs) for name, runs in results.items()} == {"a": 2, "b": 2}
