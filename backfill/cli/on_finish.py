"""``--on-finish``: tells somebody how a long run ended."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from backfill.cli.terminal import given
from backfill.errors import BackfillError, Interrupted
from backfill.job_folder.files import REPORT_JSON

#: What BACKFILL_OUTCOME says, by exit code.
OUTCOMES = {
    0: "finished",
    1: "failed",
    2: "not started",
    3: "incomplete",
    4: "stopped",
    11: "not started",
    130: "interrupted",
}


def with_on_finish(args: argparse.Namespace, folder: Path, work: Callable[[], int]) -> int:
    """Do the work of a command, then run the user's own command, also after an error.

    :param folder: the job folder.
    :raises BackfillError, KeyboardInterrupt: what ``work`` raises.
    """
    from backfill.settings import sources

    command = sources.load(given(args)).get("on_finish")
    if command is None:
        return work()
    try:
        code = work()
    except BackfillError as exc:
        _run(command, folder, exc.exit_code, exc.message)
        raise
    except KeyboardInterrupt:
        _run(command, folder, Interrupted.exit_code, "interrupted")
        raise
    except Exception as exc:
        _run(command, folder, 1, f"a bug in backfill: {type(exc).__name__}")
        raise
    _run(command, folder, code, _verdict(folder))
    return code


def _run(command: str, folder: Path, code: int, message: str) -> None:
    """Run the command in a shell; that it fails changes nothing for backfill."""
    environment = {
        **os.environ,
        "BACKFILL_OUTCOME": OUTCOMES[code],
        "BACKFILL_EXIT_CODE": str(code),
        "BACKFILL_MESSAGE": message,
        "BACKFILL_JOB": str(folder),
    }
    report = str(folder / REPORT_JSON)
    if os.name == "posix":
        takes_it = "$1" in command or "$@" in command
        line = command if takes_it else f'{command} "$@"'
        words = ["/bin/sh", "-c", line, "backfill", report]
        done = subprocess.run(words, env=environment)  # noqa: S603 - it is the user's own command
    else:
        line = f'{command} "{report}"'
        done = subprocess.run(line, shell=True, env=environment)  # noqa: S602 - as above
    if done.returncode:
        print(
            f"backfill: warning: --on-finish ended with exit code {done.returncode}",
            file=sys.stderr,
        )


def _verdict(folder: Path) -> str:
    """Where the job stands, in one sentence."""
    from backfill.job import open_job

    states = open_job(folder).status().states
    counts = [f"{count:,} {state}" for state, count in states.items() if count]
    return ", ".join(counts) or "no orders"
