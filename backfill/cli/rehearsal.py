"""A whole migration on sample data, on this machine, for a person to watch.

Everything is real but the shop and Shout: the commands run in processes of their own, the
orders travel over a socket, and the interruption is a SIGKILL.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backfill.checkpoint import Checkpoint, State
from backfill.errors import BackfillError, UsageError
from backfill.job_folder.files import CHECKPOINT
from backfill.sandbox.process import SandboxProcess, start_process
from backfill.sandbox.settings import DEFAULT_HEADER
from backfill.settings import ProgressKind

#: Slow enough that half of the orders can be waited for and the other half is still to come.
INTERRUPTED_RATE = 150
COMMAND_SECONDS = 300.0
CREDENTIAL = "SANDBOX_AUTHORIZATION"


@dataclass(frozen=True, slots=True)
class Sample:
    """One export of ``sample_data``, and what its makers know is in it."""

    name: str
    options: tuple[str, ...]
    states: dict[str, dict[str, int]]
    job: str

    def orders(self, state: str) -> int:
        """How many orders are planted in a state."""
        return self.states[state].get("orders", 0)


def rehearse(folder: Path | None = None, *, progress: ProgressKind = "auto") -> int:
    """Rehearse in ``folder`` (a new one where None); returns 0 when all went as it should, else 3.

    :raises UsageError: the folder holds something already.
    :raises BackfillError: a step failed that must not fail.
    """
    folder = _prepare_folder(folder)
    samples = _samples(folder)
    with start_process(db=folder / "sandbox.sqlite") as sandbox:
        stage = _Stage(folder, sandbox, progress)
        _say(
            "A rehearsal: a shop's sample exports, and a local Shout to import them into.",
            f"Nothing leaves this machine. The folder is {folder}",
        )
        reviewed = _dry_run(stage, samples)
        interrupted = _import_and_kill(stage, samples[0])
        _resume(stage, samples[0])
        _import_the_rest(stage, samples[1:])
        verified = _verify(stage, samples)
        _heading("What arrived in the local Shout")
        good = _checks(stage, samples, reviewed, interrupted=interrupted, verified=verified)
    _heading("The reports")
    for sample in samples:
        _say(f"  {folder / sample.job / 'report.html'}")
    _heading("What next")
    if good:
        _say(
            "  an export of your own   backfill inspect EXPORT",
            f"  look at what arrived    backfill sandbox --db {folder / 'sandbox.sqlite'}",
        )
    else:
        _say("  It did not go as planned: please report what is WRONG above.")
    return 0 if good else 3


# --- the steps -------------------------------------------------------------------------------


def _dry_run(stage: _Stage, samples: Sequence[Sample]) -> dict[tuple[str, str], str]:
    """Validate every sample; returns the bodies to be sent, by account and reference id."""
    _heading("1. The dry run: every order is checked, nothing is sent")
    bodies: dict[tuple[str, str], str] = {}
    for number, sample in enumerate(samples):
        stage.run("validate", sample, show=number == 0)
        with stage.checkpoint(sample) as checkpoint:
            found = checkpoint.query(
                "SELECT account_id, reference_id, payload FROM orders WHERE state = 'pending'"
            )
            bodies |= {(row[0], row[1]): row[2] for row in found}
    return bodies


def _import_and_kill(stage: _Stage, sample: Sample) -> bool:
    """Begin the import and kill it in the middle; returns whether it was still under way."""
    _heading("2. The import begins, and is killed half-way")
    half = sample.orders("pending") // 2
    running = stage.begin("run", sample, "--rate", str(INTERRUPTED_RATE))
    while running.poll() is None and (arrived := stage.sandbox.stats()["orders"]) < half:
        time.sleep(0.02)
    if running.poll() is not None:
        running.communicate()
        _say("  It ended before it could be interrupted.")
        return False
    running.kill()
    running.communicate()
    arrived = stage.sandbox.stats()["orders"]
    with stage.checkpoint(sample) as checkpoint:
        counts = checkpoint.counts()
    _say(
        "",
        f"  Killed (SIGKILL) with {arrived} orders in Shout. The checkpoint on disk knows",
        f"  {counts[State.CREATED]} as created and {counts[State.SENDING]} as under way:"
        " those may or may not have arrived.",
    )
    return True


def _resume(stage: _Stage, sample: Sample) -> None:
    _heading("3. The same command again: it looks up what was under way, and goes on")
    stage.run("run", sample, show=True)


def _import_the_rest(stage: _Stage, samples: Sequence[Sample]) -> None:
    _heading("4. The other exports: " + ", ".join(sample.name for sample in samples))
    for sample in samples:
        stage.run("run", sample, show=False)


def _verify(stage: _Stage, samples: Sequence[Sample]) -> bool:
    """Read every order back as a person would; returns whether all are equal."""
    _heading("5. Every order is read back and compared; a table to sign")
    codes = [stage.run("verify", sample, show=number == 0) for number, sample in enumerate(samples)]
    return not any(codes)


def _checks(
    stage: _Stage,
    samples: Sequence[Sample],
    reviewed: dict[tuple[str, str], str],
    *,
    interrupted: bool,
    verified: bool,
) -> bool:
    """Compare what arrived with what was planted in the samples; returns whether all is equal."""
    stats = stage.sandbox.stats()
    arrived = stage.sandbox.orders()
    valid = sum(sample.orders("pending") for sample in samples)
    cents = sum(sample.states["pending"]["total_cents"] for sample in samples)
    bodies = {(one["account"], one["order"]["reference_id"]): one["body"] for one in arrived}
    planted = {
        (sample.job, state): sample.orders(before)
        for sample in samples
        for before, state in (
            ("pending", "created"),
            ("skipped", "skipped"),
            ("rejected", "rejected"),
        )
    }
    found: dict[tuple[str, str], int] = {}
    for sample in samples:
        with stage.checkpoint(sample) as checkpoint:
            counts = checkpoint.counts()
        found |= {place: counts[State(place[1])] for place in planted if place[0] == sample.job}

    lines = [
        (interrupted, "the import was interrupted, and resumed"),
        (stats["orders"] == valid, f"{valid} orders are valid, {stats['orders']} are in Shout"),
        (stats["duplicates"] == 0, f"{stats['duplicates']} of them are there twice"),
        (
            stats["total_cents"] == cents,
            f"${cents / 100:,.2f} were to be imported, ${stats['total_cents'] / 100:,.2f} arrived",
        ),
        (bodies == reviewed, "each body is, byte for byte, the one that the dry run prepared"),
        (found == planted, "rejected and skipped are those that the samples' makers planted"),
        (verified, "each order was read back through the API, and is as it was sent"),
        (stats["texts"] == 0, f"{stats['texts']} text messages were sent to customers"),
    ]
    for good, line in lines:
        _say(f"  {'ok   ' if good else 'WRONG'}  {line}")
    return all(good for good, _ in lines)


# --- the stage -------------------------------------------------------------------------------


class _Stage:
    """Where the rehearsal takes place: the folder, the local Shout, and how commands are run."""

    def __init__(self, folder: Path, sandbox: SandboxProcess, progress: ProgressKind) -> None:
        self.folder = folder
        self.sandbox = sandbox
        self._progress = progress

    def run(self, command: str, sample: Sample, *, show: bool) -> int:
        """Run a command to its end, and show its summary if wanted; returns its exit code.

        :raises BackfillError: it ended with anything but 0 or 3 (orders rejected).
        """
        running = self.begin(command, sample)
        summary, _ = running.communicate(timeout=COMMAND_SECONDS)
        if show:
            _say("", summary.rstrip(), "")
        if running.returncode not in (0, 3):
            raise BackfillError(
                f"the rehearsal stopped: 'backfill {command} {sample.name}' ended with"
                f" {running.returncode}",
                hint=f"its output is above; the folder is {self.folder}",
            )
        return running.returncode

    def begin(self, command: str, sample: Sample, *more: str) -> subprocess.Popen[str]:
        """Show a command as a person would type it, and begin it."""
        words = [command, sample.name, *sample.options]
        if command == "verify":
            words = [command, sample.job]
        if command != "validate":
            words += ["--api-url", self.sandbox.url]
            words += ["--header", f"{DEFAULT_HEADER[0]}: env:{CREDENTIAL}", *more]
        _show_command(words)
        return subprocess.Popen(  # noqa: S603  (our own interpreter and module)
            [sys.executable, "-m", "backfill", *words, "--progress", self._progress],
            cwd=self.folder,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    @contextlib.contextmanager
    def checkpoint(self, sample: Sample) -> Iterator[Checkpoint]:
        """The checkpoint of a sample's job, to read."""
        with Checkpoint(self.folder / sample.job / CHECKPOINT, readonly=True) as checkpoint:
            yield checkpoint


def _environment() -> dict[str, str]:
    """A child's environment: this package, the local Shout's credential, nobody's settings."""
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("BACKFILL_")},
        "PYTHONPATH": os.pathsep.join(
            filter(None, (str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH")))
        ),
        "PYTHONUTF8": "1",
        CREDENTIAL: DEFAULT_HEADER[1],
    }


def _prepare_folder(folder: Path | None) -> Path:
    if folder is None:
        return Path(tempfile.mkdtemp(prefix="backfill-demo-"))
    folder = folder.resolve()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise UsageError(
            f"{folder}: the folder is not empty",
            hint="name an empty or new folder with --keep",
        )
    return folder


def _samples(folder: Path) -> list[Sample]:
    """Copy the sample exports into ``folder``; returns what is known of them."""
    package = Path(__file__).parents[1]
    places = (package / "sample_data", package.parent / "sample_data")  # installed; a checkout
    origin = next((place for place in places if (place / "expected.json").exists()), None)
    if origin is None:
        raise BackfillError("the sample exports are not installed", hint="install backfill again")
    expected: dict[str, dict[str, Any]] = json.loads((origin / "expected.json").read_bytes())
    for name in (*expected, "affiliates.csv"):
        shutil.copy(origin / name, folder / name)
    samples: list[Sample] = []
    for name, known in expected.items():
        options, job = tuple(known["options"]), f"{Path(name).stem}.backfill"
        if job in (other.job for other in samples):  # orders.xlsx beside orders.csv
            job = f"{name.replace('.', '_')}.backfill"
            options += ("--job", job)
        samples.append(Sample(name, options, known["states"], job))
    return samples


def _show_command(words: Sequence[str]) -> None:
    """A command as a person would type it, an option a line."""
    lines = ["  $ backfill"]
    for word in words:
        quoted = shlex.quote(word)
        if word.startswith("--"):
            lines.append("       ")
        lines[-1] += f" {quoted}"
    _say(" \\\n".join(lines))


def _heading(text: str) -> None:
    _say("", text, "")


def _say(*lines: str) -> None:
    print(*lines, sep="\n", flush=True)
