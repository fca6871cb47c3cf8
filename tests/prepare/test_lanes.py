"""Two lanes for one stream of work: sequence, errors, and an early end."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from backfill.prepare.lanes import ahead, behind
from tests.places import ROOT


def counting(seen: list[int], end: int = 10**9) -> Iterator[int]:
    """Numbers from 0, each noted as it is made; the end of the making is noted as -1."""
    try:
        for number in range(end):
            seen.append(number)
            yield number
    finally:
        seen.append(-1)


def test_items_come_in_their_sequence_from_another_thread() -> None:
    """Nothing is lost, doubled or swapped."""
    assert list(ahead(range(1000))) == list(range(1000))


def test_an_error_in_the_making_is_raised_at_its_place() -> None:
    """After the items that were made before it."""

    def broken() -> Iterator[int]:
        yield 1
        raise ValueError("broken")

    items = ahead(broken())
    assert next(items) == 1
    with pytest.raises(ValueError, match="broken"):
        next(items)


def test_whoever_stops_early_ends_the_making() -> None:
    """The source is closed, and no thread is left behind."""
    made: list[int] = []
    threads = threading.active_count()
    with closing(ahead(counting(made))) as items:
        assert [next(items), next(items)] == [0, 1]
    assert made[-1] == -1
    assert len(made) < 10
    assert threading.active_count() == threads


def test_lanes_behind_one_another_end_together() -> None:
    """Closing the last one closes those before it."""
    made: list[int] = []
    threads = threading.active_count()
    with closing(ahead(number * 2 for number in ahead(counting(made)))) as items:
        assert next(items) == 0
    assert threading.active_count() == threads
    assert made[-1] == -1


def test_items_are_used_in_their_sequence() -> None:
    """And all of them are used when the block ends."""
    used: list[int] = []
    with behind(used.append) as hand_over:
        for number in range(1000):
            hand_over(number)
    assert used == list(range(1000))


def test_an_error_in_the_using_reaches_whoever_hands_over() -> None:
    """At the next item, or at the end of the block; and the block ends."""

    def use(number: int) -> None:
        if number == 3:
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"), behind(use) as hand_over:
        for number in range(1000):
            hand_over(number)
    with pytest.raises(OSError, match="disk full"), behind(use) as hand_over:
        hand_over(3)


def test_an_error_of_the_maker_is_not_hidden_by_one_of_the_user() -> None:
    """The first cause is what is told."""

    def use(_: int) -> None:
        raise OSError("second")

    with pytest.raises(ValueError, match="first"), behind(use) as hand_over:
        hand_over(1)
        raise ValueError("first")


def test_an_interrupt_while_a_thread_starts_stays_an_interrupt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Python's wait for the new thread turns it into an error about its lock."""

    def start(_: threading.Thread) -> None:
        try:
            raise KeyboardInterrupt
        finally:
            threading.Lock().release()

    monkeypatch.setattr(threading.Thread, "start", start)
    with pytest.raises(KeyboardInterrupt):
        next(ahead([1]))


INTERRUPTED = """
import random, signal
from contextlib import closing
from backfill.prepare.lanes import ahead, behind

dice = random.Random(1)
signal.signal(signal.SIGALRM, signal.default_int_handler)
for _ in range(500):
    try:
        signal.setitimer(signal.ITIMER_REAL, dice.uniform(0.0005, 0.004))
        with behind(lambda item: None) as hand_over, closing(ahead(range(10**7))) as items:
            for item in items:
                hand_over(item)
    except KeyboardInterrupt:
        pass
print("done")
"""


def test_an_interrupt_at_any_moment_ends_both_lanes() -> None:
    """Python's own bounded queue is left locked, or without a wake-up, once in some hundred."""
    command = [sys.executable, "-c", INTERRUPTED]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert (done.stdout, done.returncode) == ("done\n", 0), done.stderr
