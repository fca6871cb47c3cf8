"""The long form: runs and undos that are killed, with all faults at once, seed after seed.

``CHAOS_TRIALS`` and ``CHAOS_SEED`` as in the chaos suite of the delivery.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable

import pytest

from backfill.sandbox.process import SandboxProcess
from tests.operations.jobs import JOB, keys_in, killed, orders, states, to, typed, write

KINDS = (
    *("drop_before_commit", "drop_after_commit", "error_before_commit", "error_after_commit"),
    *("cut_json", "empty", "html"),
)
TRIALS = int(os.environ.get("CHAOS_TRIALS", "10"))
FIRST_SEED = int(os.environ.get("CHAOS_SEED", random.SystemRandom().randrange(10**6)))


@pytest.mark.chaos
@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + TRIALS))
def test_undone_and_created_again(seed: int, sandbox: SandboxProcess) -> None:
    """Of 200 orders 50 were there before. Three kills in the run and three in the undo: the 50
    remain, none of ours that is told as undone does, and a last run has all exactly once."""
    rng = random.Random(seed)
    rows = orders(range(1, 201))
    write("before.csv", rows[:100])
    assert typed("run", "before.csv", *to(sandbox)) == 0
    before = keys_in(sandbox)
    write("orders.csv", rows)
    sandbox.set_faults({"seed": seed, "fault": [{"kind": kind, "p": 0.03} for kind in KINDS]})
    _killed_three_times(rng, ["run", "orders.csv", *to(sandbox), "--rate", "200"])
    assert typed("run", "orders.csv", *to(sandbox)) == 0
    _killed_three_times(rng, ["undo", str(JOB), *to(sandbox), "--rate", "200"])
    assert typed("undo", JOB, *to(sandbox)) in (0, 3)
    left = keys_in(sandbox)
    assert before - left == {}
    assert left.total() == 200 - states()["undone"]
    assert typed("run", "--job", JOB, *to(sandbox)) == 0
    stats = sandbox.stats()
    assert (stats["orders"], stats["duplicates"], stats["texts"]) == (200, 0, 0)


def _killed_three_times(rng: random.Random, words: list[str]) -> None:
    for _ in range(3):
        killed(words, _past(time.monotonic() + rng.uniform(0.6, 1.6)))


def _past(moment: float) -> Callable[[], bool]:
    return lambda: time.monotonic() > moment
