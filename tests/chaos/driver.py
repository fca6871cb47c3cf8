"""One run in a process of its own, which may kill itself at a boundary of the write order.

    python -m tests.chaos.driver CHECKPOINT URL SETTINGS

``SETTINGS`` is JSON: fields of ApiSettings, and ``files``, a limit on open files. The environment
variable ``CRASH`` is ``POINT:N``: SIGKILL at the Nth time that ``POINT`` is passed. The points are
patched in from here, so that the code that is delivered has none.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
import sqlite3
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import aiohttp

from backfill.checkpoint import Checkpoint, Claim, Result, sending
from backfill.deliver import run
from backfill.deliver.api import Answer, Api
from backfill.errors import BackfillError
from tests.deliver.delivering import Listener, settings

POINTS = (
    "before the claim is written",
    "claim written, not committed",
    "claim committed, nothing sent",
    "bytes out, no answer yet",
    "answered, result not written",
    "result written, not committed",
    "result committed",
    "looked up, nothing done about it",
)

_SECONDS_ON_THE_WIRE = 0.02


class Crash:
    """Counts how often its point is passed, and ends the process at the time."""

    def __init__(self, point: str, times: int) -> None:
        assert point in POINTS, point
        self._point = point
        self._left = times

    def passing(self, point: str) -> bool:
        """Whether to die now; counts."""
        if point != self._point:
            return False
        self._left -= 1
        return self._left == 0

    def at(self, point: str) -> None:
        """Die here if it is time."""
        if self.passing(point):
            os.kill(os.getpid(), signal.SIGKILL)


def plant(crash: Crash) -> None:
    """Put the points in their places."""
    claim, record, begin = sending.claim, sending.record, Checkpoint.begin
    request, start = Api._request, aiohttp.ClientResponse.start
    written = set[str]()

    def claimed(db: sqlite3.Connection, **which: Any) -> list[Claim]:
        crash.at("before the claim is written")
        claims = claim(db, **which)
        if claims:
            written.add("claim")
        return claims

    def recorded(db: sqlite3.Connection, results: Sequence[Result]) -> None:
        record(db, results)
        written.add("result")

    def begun(self: Checkpoint, write: Callable[[sqlite3.Connection], Any]) -> Callable[[], Any]:
        written.clear()
        commit = begin(self, write)

        def committed() -> Any:
            for what in written:
                crash.at(f"{what} written, not committed")
            done = commit()
            if "claim" in written:
                crash.at("claim committed, nothing sent")
            if "result" in written:
                crash.at("result committed")
            return done

        return committed

    async def asked(self: Api, method: str, *rest: Any) -> Answer:
        answer: Answer = await request(self, method, *rest)
        crash.at(
            "answered, result not written" if method == "POST" else POINTS[-1],
        )
        return answer

    async def started(self: aiohttp.ClientResponse, *rest: Any) -> aiohttp.ClientResponse:
        if self.method == "POST" and crash.passing("bytes out, no answer yet"):
            await asyncio.sleep(_SECONDS_ON_THE_WIRE)  # the writing was begun, let it end
            os.kill(os.getpid(), signal.SIGKILL)
        return await start(self, *rest)

    sending.claim, sending.record = claimed, recorded
    Checkpoint.begin = begun  # type: ignore[method-assign]
    Api._request = asked  # type: ignore[assignment,method-assign]
    aiohttp.ClientResponse.start = started  # type: ignore[assignment,method-assign]


def main(checkpoint: str, url: str, changes: str) -> int:
    """Deliver; gives the exit code."""
    fields = json.loads(changes)
    if files := fields.pop("files", None):
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    if crash := os.environ.get("CRASH"):
        point, _, times = crash.rpartition(":")
        plant(Crash(point, int(times)))
    try:
        with Checkpoint(Path(checkpoint)) as job:
            run(job, settings(url, **fields), progress=Listener())
    except BackfillError as error:
        print(error.message, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
