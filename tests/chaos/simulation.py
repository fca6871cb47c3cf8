"""Runs that die, against a Shout that misbehaves: what the chaos tests are made of."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backfill.sandbox.process import SandboxProcess
from tests.chaos import driver
from tests.deliver.delivering import assert_exactly_once, make_job, states

#: Every way in which a request can go wrong without Shout telling a lie about the flag or money
#: (a lie ends the run: see tests/deliver/test_deliver.py).
FAULTS: dict[str, dict[str, Any]] = {
    "error_before_commit": {"status": 500},
    "error_after_commit": {"status": 503},
    "redirect": {},
    "drop_before_commit": {"reset": True},
    "drop_after_commit": {},
    "drop_in_answer": {},
    "hang_before_commit": {},
    "hang_after_commit": {},
    "late_commit": {"seconds": 0.3},
    "html": {},
    "cut_json": {},
    "empty": {},
    "wrong_content_type": {},
    "flag_missing": {},
    "amounts_missing": {},
    "latency": {"ms": [5, 60]},
}
#: Answers that are no answers, in between good ones.
NO_ANSWERS: list[dict[str, Any]] = [
    {"kind": "answer", "name": name, "body": body, **options}
    for name, body, options in (
        ("error as success", '{"error": "busy"}', {"on": ["create", "get"]}),
        ("success without a word", "{}", {}),
        ("no order", '{"order": null}', {"on": ["get"]}),
        ("another order", '{"order": {"id": 7, "reference_id": "x"}}', {"on": ["create", "get"]}),
        ("not found, in other words", '{"message": "no route"}', {"status": 404, "on": ["get"]}),
        ("not found by a gateway", "<html>404</html>", {"status": 404, "on": ["get"]}),
        ("committed, and an error", '{"error": "late"}', {"commit": True, "on": ["create"]}),
        ("committed, and nothing shown", "{}", {"commit": True, "on": ["create"]}),
    )
]
#: Each of these is a second's pause for everybody, hence so few.
TURNED_AWAY = {
    "kind": "error_before_commit",
    "status": 429,
    "retry_after": 1,
    "times": 2,
    "name": "429",
}

#: Seconds. A commit comes at most 0.3 late, so that 'not found' may be believed after 0.8.
SETTINGS = {"timeout": 0.4, "settle": 0.8, "concurrency": 8}

_MOST_RUNS = 30
_STOPPED_FOR_SAFETY = 4


def faults_at(probability: float, *, honour: bool, seed: int = 0) -> dict[str, Any]:
    """All faults at once, each at that probability; lookups lag in every other pair of seeds."""
    return {
        "seed": seed,
        "honour_duplicate_header": honour,
        "lookup_lag": 0.2 if seed % 4 > 1 else 0,
        "fault": [{"kind": kind, "p": probability, **options} for kind, options in FAULTS.items()]
        + [{"p": probability / 4, **one} for one in NO_ANSWERS]
        + [{**TURNED_AWAY, "p": probability}],
    }


def fault_each(kind: str, nth: int, *, honour: bool) -> dict[str, Any]:
    """One fault, at each ``nth`` request."""
    fault = TURNED_AWAY if kind == "429" else {"kind": kind, **FAULTS[kind]}
    return {"honour_duplicate_header": honour, "fault": [{**fault, "nth": nth}]}


@dataclass
class Run:
    """A run in a process of its own: a fork of this one, so that it starts in no time."""

    pid: int

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)

    def wait(self) -> int:
        """Its exit code; minus the signal's number where one ended it."""
        _, status = os.waitpid(self.pid, 0)
        return os.waitstatus_to_exitcode(status)


def start(job: Path, sandbox: SandboxProcess, *, crash: str | None = None) -> Run:
    """Start a run that goes on with ``job``; ``crash``: see the driver."""
    pid = os.fork()
    if pid:
        return Run(pid)
    code = 70
    try:
        os.environ.pop("CRASH", None)
        if crash:
            os.environ["CRASH"] = crash
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(os.open(job.with_suffix(".log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND), 2)
        code = driver.main(str(job), sandbox.url, json.dumps(SETTINGS))
    finally:
        os._exit(code)


def finish(job: Path, sandbox: SandboxProcess) -> None:
    """Run until nothing is left, and hold Shout against the job: each order once, no texts."""
    for _ in range(_MOST_RUNS):
        code = start(job, sandbox).wait()
        assert code in (0, _STOPPED_FOR_SAFETY), job.with_suffix(".log").read_text()
        if code == 0 and states(job).keys() <= {"created", "existing"}:
            break
    # What no answer of ours confirmed, and no id of Shout proves ours, is existing.
    assert states(job).keys() <= {"created", "existing"}, states(job)
    assert_exactly_once(sandbox, job)


def crash_once(folder: Path, sandbox: SandboxProcess, crash: str, faults: Mapping[str, Any]) -> int:
    """One cell of the matrix: die at a point, then go on. Gives the first run's exit code."""
    sandbox.reset()
    sandbox.set_faults(faults)
    job = make_job(folder, 40, accounts=("A1", "A2"))
    code = start(job, sandbox, crash=crash).wait()
    finish(job, sandbox)
    return code


def kill_again_and_again(
    folder: Path, sandbox: SandboxProcess, *, orders: int, kills: int, honour: bool, seed: int
) -> int:
    """A trial: SIGKILL at random moments and points with all faults at 5 %, and then to the end.

    Gives the number of runs that died before they were done.
    """
    chance = random.Random(seed)
    sandbox.reset()
    sandbox.set_faults(faults_at(0.05, honour=honour, seed=seed))
    job = make_job(folder, orders, accounts=("A1", "A2", "A3"))
    killed = 0
    while killed < kills:
        if chance.random() < 0.5:
            crash = f"{chance.choice(driver.POINTS)}:{chance.randint(1, 12)}"
            run = start(job, sandbox, crash=crash)
        else:
            run = start(job, sandbox)
            time.sleep(chance.uniform(0.0, 1.5))
            run.kill()
        killed += run.wait() == -signal.SIGKILL
        if not states(job).keys() - {"created", "existing"}:
            break
    finish(job, sandbox)
    return killed
