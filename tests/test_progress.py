"""The progress on a terminal, in a log, for a program, and where nobody listens."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator

import pytest

from backfill import progress
from backfill.settings import ProgressKind
from tests.places import ROOT


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def in_a_terminal(script: str, *, columns: int) -> str:
    """Run ``script`` with a terminal of that width as its stderr; returns what it showed."""
    ours, theirs = pty.openpty()
    os.set_blocking(ours, True)
    # The driver's own window size is what a program is told, whatever COLUMNS says.
    import fcntl
    import struct
    import termios

    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)],
        stderr=theirs,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    os.close(theirs)
    shown = b"".join(_until_closed(ours))
    assert child.wait(timeout=30) == 0, shown.decode()
    return shown.decode()


def _until_closed(fd: int) -> Iterator[bytes]:
    while True:
        try:
            piece = os.read(fd, 65536)
        except OSError:  # Linux says EIO when the last writer has gone
            piece = b""
        if not piece:
            os.close(fd)
            return
        yield piece


BAR_SCRIPT = """
from backfill import progress
shown = progress.make("auto")
with shown.stage("sending", total=3056, unit="orders") as stage:
    stage.advance(3000)
    stage.show(created=2990, failed=10)
    shown.say("a word between")
    stage.advance(56)
"""


@pytest.mark.parametrize("columns", [120, 80, 40, 20])
def test_bar_fits_the_terminal(columns: int) -> None:
    """A bar shows counts, rate and time left, and is never wider than the terminal."""
    shown = in_a_terminal(BAR_SCRIPT, columns=columns)
    visible = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", shown)
    drawn = [piece.strip() for piece in visible.replace("\n", "\r").split("\r")]
    assert max(len(piece) for piece in drawn) <= columns
    assert "a word between" in shown
    if columns >= 80:
        assert "3,056 of 3,056, " in visible
        assert "/s, 0 s left, failed 10" in visible
        assert "█" * 10 in visible


def test_no_colour_where_none_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bar is green in a terminal, unless ``NO_COLOR`` is set."""
    assert "\x1b[32m" in in_a_terminal(BAR_SCRIPT, columns=80)
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[32m" not in in_a_terminal(BAR_SCRIPT, columns=80)


@pytest.mark.parametrize(
    ("rate", "said"),
    [(0.45, "0.5"), (4.24, "4.2"), (2770.3, "2,770"), (12_345.0, "12k"), (1_600_000.0, "1.6M")],
)
def test_rates_are_short(rate: float, said: str) -> None:
    """A rate has two to four digits, whatever its size."""
    assert progress.short(rate) == said


def test_auto_is_plain_without_a_terminal() -> None:
    """``auto`` on anything but a terminal writes whole lines and no carriage return."""
    out = io.StringIO()
    with progress.make("auto", stream=out).stage("reading", total=10, unit="rows") as stage:
        stage.advance(10)
    assert out.getvalue() == "reading: 10 rows\nreading: 10 rows in 0 s\n"


def test_a_stage_that_counts_nothing() -> None:
    """A stage whose end is not known and that counts nothing shows no zero of anything."""
    out = io.StringIO()
    with progress.make("plain", stream=out).stage("reporting", total=None, unit="files"):
        pass
    assert out.getvalue() == "reporting\nreporting: done in 0 s\n"
    script = """
    from backfill import progress
    with progress.make("auto").stage("reporting", total=None, unit="files"):
        pass
    with progress.make("auto").stage("reading", total=None, unit="rows") as stage:
        stage.advance(1234)
    """
    shown = in_a_terminal(script, columns=80)
    assert "reporting, 00:00" in shown
    assert "files" not in shown
    assert "reading 1,234 rows" in shown


def test_plain_lines_come_every_few_seconds() -> None:
    """A plain line comes at the start, each five seconds, and at the end, with all figures."""
    out, clock = io.StringIO(), Clock()
    shown = progress.make("plain", stream=out, clock=clock)
    with shown.stage("sending", total=3000, unit="orders") as stage:
        for _ in range(12):
            clock.now += 1
            stage.show(created=stage_created(clock), failed=2)
            stage.advance(100)
        shown.say("a word between")
        clock.now += 108
        stage.advance(1800)
    assert out.getvalue().splitlines() == [
        "sending: 3,000 orders",
        "sending: 500 of 3,000 orders (17%), 100/s, 25 s left; created 498, failed 2",
        "sending: 1,000 of 3,000 orders (33%), 100/s, 20 s left; created 998, failed 2",
        "a word between",
        "sending: 3,000 of 3,000 orders (100%), 25/s, 0 s left; created 1,198, failed 2",
        "sending: 3,000 orders in 2 min; created 1,198, failed 2",
    ]


def stage_created(clock: Clock) -> int:
    """Orders created so far in the test above: a hundred a second, two of which failed."""
    return int(clock.now - 100) * 100 - 2


def test_plain_says_where_it_was_stopped() -> None:
    """A stage that ends by an exception says how far it came, and lets the exception through."""
    out = io.StringIO()

    def interrupted() -> None:
        with progress.make("plain", stream=out).stage("sending", total=4, unit="orders") as stage:
            stage.advance()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert out.getvalue().splitlines()[-1] == "sending: stopped at 1 of 4 orders (25%)"


def test_json_is_one_object_a_line() -> None:
    """``json`` writes nothing but JSON objects, one a line, with all figures."""
    out, clock = io.StringIO(), Clock()
    shown = progress.make("json", stream=out, clock=clock)
    with shown.stage("sending", total=4, unit="orders") as stage:
        clock.now += 2
        stage.show(created=1)
        stage.advance()
        shown.say('a "word"')
    events = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [event["event"] for event in events] == ["begin", "progress", "say", "end"]
    assert events[1] == {
        "event": "progress",
        "stage": "sending",
        "done": 1,
        "total": 4,
        "unit": "orders",
        "seconds": 2.0,
        "rate": 0.5,
        "seconds_left": 6.0,
        "counts": {"created": 1},
    }
    assert events[2] == {"event": "say", "text": 'a "word"'}
    assert events[3]["finished"] is True


def test_none_is_silent() -> None:
    """``none`` writes nothing at all."""
    out = io.StringIO()
    shown = progress.make("none", stream=out)
    with shown.stage("sending", total=None, unit="orders") as stage:
        stage.advance()
        stage.show(created=1)
        shown.say("not heard")
    assert out.getvalue() == ""


@pytest.mark.parametrize("kind", ["bar", "plain", "json"])
def test_a_reader_that_left_stops_nothing(kind: ProgressKind) -> None:
    """When whoever read stderr has gone, the work goes on in silence."""
    ours, theirs = os.pipe()
    os.close(ours)
    out = open(theirs, "w")  # noqa: SIM115  (closing it would raise, which is the point)
    shown = progress.make(kind, stream=out)
    done = 0
    with shown.stage("sending", total=2, unit="orders") as stage:
        shown.say("nobody hears")
        for _ in range(2):
            stage.advance()
            done += 1
    assert done == 2
    with pytest.raises(BrokenPipeError):
        out.close()


def test_no_stderr_at_all() -> None:
    """A process that was started without a stderr works all the same."""
    script = """
    import sys
    from backfill import progress
    assert sys.stderr is None
    with progress.make("auto").stage("sending", total=2, unit="orders") as stage:
        stage.advance(2)
    """
    child = subprocess.run(
        ["sh", "-c", 'exec "$0" -c "$1" 2>&-', sys.executable, textwrap.dedent(script)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=30,
    )
    assert child.returncode == 0
