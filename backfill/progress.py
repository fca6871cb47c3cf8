"""Progress: bars for a terminal, lines for a log, JSON for a program.

Everything here goes to stderr, so that stdout carries only the summary. If stderr is closed or
its pipe breaks, progress stops being shown, and the work continues.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol, TextIO

if TYPE_CHECKING:
    from tqdm import tqdm

    from backfill.settings import ProgressKind

PLAIN_SECONDS = 5.0
JSON_SECONDS = 1.0
#: In the words of tqdm, and those that :func:`_bar` adds: ``speed`` and ``left``.
BAR_FORMAT = "{desc} {percentage:3.0f}% {bar} {n:,} of {total:,}{speed}{left}{postfix}"
BAR_FORMAT_OPEN = "{desc} {n:,} {unit}{speed}{postfix}"
BAR_FORMAT_UNCOUNTED = "{desc}, {elapsed}"
BAR_COLOUR = "green"
#: Counts that the bar itself shows, unless something goes wrong.
USUAL = ("created", "equal", "undone", "sent")
#: How much the last moment counts in the rate, and so in the time left.
BAR_SMOOTHING = 0.1


class Stage(Protocol):
    """One piece of the work, such as reading the export or sending the orders."""

    def advance(self, n: int = 1) -> None:
        """Count ``n`` more units as done."""

    def show(self, **counts: int | str) -> None:
        """Show counts beside the bar, for instance ``created=12, failed=1``."""


class Progress(Protocol):
    """Receives the progress of the work."""

    def stage(self, name: str, *, total: int | None, unit: str) -> AbstractContextManager[Stage]:
        """Begin a stage; ``total`` is in ``unit``, or None if it is not known."""

    def say(self, line: str) -> None:
        """Show the user one line."""


def make(
    kind: ProgressKind,
    *,
    stream: TextIO | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Progress:
    """The progress of this kind, on ``stream`` (None: stderr).

    ``auto`` is bars if ``stream`` is a terminal, else plain lines.
    """
    out = _Output(sys.stderr if stream is None else stream)
    if kind == "auto":
        kind = "bar" if out.is_terminal() else "plain"
    if kind == "bar":
        return _Bars(out)
    if kind == "plain":
        return _Reports(_Plain(out), every=PLAIN_SECONDS, clock=clock)
    if kind == "json":
        return _Reports(_Json(out), every=JSON_SECONDS, clock=clock)
    return _Silence()


class _Output:
    """A stream that is given up once it cannot be written."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream  # sys.stderr is None where the process was started without one

    def is_terminal(self) -> bool:
        try:
            return self._stream is not None and self._stream.isatty()
        except (OSError, ValueError):
            return False

    def write(self, text: str) -> None:
        if self._stream is None:
            return
        try:
            self._stream.write(text)
            self._stream.flush()
        except UnicodeEncodeError:
            self.write(text.encode("ascii", "backslashreplace").decode("ascii"))
        except (OSError, ValueError):
            self._stream = None

    def line(self, text: str) -> None:
        self.write(text + "\n")

    def flush(self) -> None:
        """tqdm flushes after each write; :meth:`write` has done so already."""

    @property
    def encoding(self) -> str:
        """tqdm asks, to choose between block characters and ``#``."""
        return getattr(self._stream, "encoding", None) or "ascii"

    def fileno(self) -> int:
        """tqdm asks, to learn how wide the terminal is."""
        if self._stream is None:
            raise OSError("closed")
        return self._stream.fileno()

    def isatty(self) -> bool:
        return self.is_terminal()


class _Silence:
    """``none``: shows nothing."""

    @contextlib.contextmanager
    def stage(self, name: str, *, total: int | None, unit: str) -> Iterator[Stage]:
        yield _SilentStage()

    def say(self, line: str) -> None:
        pass


class _SilentStage:
    def advance(self, n: int = 1) -> None:
        pass

    def show(self, **counts: int | str) -> None:
        pass


class _Bars:
    """``bar``: a tqdm bar per stage, with rate, time left and counts."""

    def __init__(self, out: _Output) -> None:
        self._out = out

    @contextlib.contextmanager
    def stage(self, name: str, *, total: int | None, unit: str) -> Iterator[Stage]:
        with _bar(name, total, unit, self._out) as bar:
            yield _BarStage(bar, BAR_FORMAT if total else BAR_FORMAT_OPEN)

    def say(self, line: str) -> None:
        from tqdm import tqdm

        tqdm.write(_printable(line), file=self._out)


def _bar(name: str, total: int | None, unit: str, out: _Output) -> tqdm[Any]:
    from tqdm import tqdm  # 30 ms: only where a bar is drawn

    class Bar(tqdm):  # type: ignore[type-arg]  # generic only for type checkers
        monitor_interval = 0  # no thread of its own

        @property
        def format_dict(self) -> dict[str, Any]:
            facts = super().format_dict
            done, rate = facts["n"] - facts["initial"], facts["rate"]
            if not rate and facts["elapsed"]:
                rate = done / facts["elapsed"]
            counted = bool(rate and done)
            left = (facts["total"] - facts["n"]) / rate if counted and facts["total"] else None
            return {
                **facts,
                "speed": f", {short(rate)}/s" if counted else "",
                "left": "" if left is None else f", {duration(left)} left",
            }

    return Bar(
        desc=name,
        total=total,
        unit=unit,
        file=out,
        dynamic_ncols=True,  # follows a terminal that is resized
        leave=bool(total),  # "reporting" has nothing to say once it is done
        smoothing=BAR_SMOOTHING,
        bar_format=BAR_FORMAT if total else BAR_FORMAT_UNCOUNTED,
        colour=BAR_COLOUR if out.is_terminal() and "NO_COLOR" not in os.environ else None,
    )


class _BarStage:
    def __init__(self, bar: tqdm[Any], counting: str) -> None:
        self._bar = bar
        self._counting = counting

    def advance(self, n: int = 1) -> None:
        # Until now there may have been nothing to count, and nothing to leave on the screen.
        self._bar.bar_format, self._bar.leave = self._counting, True
        self._bar.update(n)

    def show(self, **counts: int | str) -> None:
        unusual = {name: n for name, n in counts.items() if name not in USUAL}
        self._bar.set_postfix_str(_counts(unusual), refresh=False)


class _Writer(Protocol):
    """Writes the state of a stage as a line."""

    def begin(self, at: _Moment) -> None: ...
    def during(self, at: _Moment) -> None: ...
    def end(self, at: _Moment) -> None: ...
    def say(self, line: str) -> None: ...


class _Moment:
    """The state of a stage."""

    def __init__(self, name: str, total: int | None, unit: str) -> None:
        self.name = name
        self.total = total
        self.unit = unit
        self.done = 0
        self.seconds = 0.0
        self.finished = False
        self.counts: dict[str, int | str] = {}

    @property
    def rate(self) -> float:
        """Units per second since the beginning; 0 before any time has passed."""
        return self.done / self.seconds if self.seconds else 0.0

    @property
    def seconds_left(self) -> float | None:
        if self.total is None or not self.rate:
            return None
        return max(0, self.total - self.done) / self.rate


class _Reports:
    """``plain`` and ``json``: a line at the beginning, every few seconds, and at the end."""

    def __init__(self, writer: _Writer, *, every: float, clock: Callable[[], float]) -> None:
        self._writer = writer
        self._every = every
        self._clock = clock

    @contextlib.contextmanager
    def stage(self, name: str, *, total: int | None, unit: str) -> Iterator[Stage]:
        at = _Moment(name, total, unit)
        stage = _ReportedStage(at, self._writer, self._every, self._clock)
        self._writer.begin(at)
        try:
            yield stage
            at.finished = True
        finally:
            stage.look_at_the_clock()
            self._writer.end(at)

    def say(self, line: str) -> None:
        self._writer.say(line)


class _ReportedStage:
    def __init__(
        self, at: _Moment, writer: _Writer, every: float, clock: Callable[[], float]
    ) -> None:
        self._at = at
        self._writer = writer
        self._every = every
        self._clock = clock
        self._started = clock()
        self._next = every

    def look_at_the_clock(self) -> None:
        self._at.seconds = self._clock() - self._started

    def advance(self, n: int = 1) -> None:
        self._at.done += n
        self.look_at_the_clock()
        if self._at.seconds >= self._next:
            self._next = self._at.seconds + self._every
            self._writer.during(self._at)

    def show(self, **counts: int | str) -> None:
        self._at.counts.update(counts)


class _Plain:
    """Lines for people to read in a log; no carriage returns."""

    def __init__(self, out: _Output) -> None:
        self._out = out

    def begin(self, at: _Moment) -> None:
        self._out.line(f"{at.name}: {_amount(at.total, at.unit)}" if at.total else at.name)

    def during(self, at: _Moment) -> None:
        parts = [self._so_far(at), f"{short(at.rate)}/s"]
        if at.seconds_left is not None:
            parts.append(f"{duration(at.seconds_left)} left")
        self._out.line(f"{at.name}: {', '.join(parts)}{self._tail(at)}")

    def end(self, at: _Moment) -> None:
        if at.finished:
            amount = _amount(at.done, at.unit) if at.done or at.total else "done"
            text = f"{amount} in {duration(at.seconds)}"
        else:
            text = f"stopped at {self._so_far(at)}"
        self._out.line(f"{at.name}: {text}{self._tail(at)}")

    def say(self, line: str) -> None:
        self._out.line(_printable(line))

    def _so_far(self, at: _Moment) -> str:
        if not at.total:
            return _amount(at.done, at.unit)
        return f"{at.done:,} of {_amount(at.total, at.unit)} ({at.done / at.total:.0%})"

    def _tail(self, at: _Moment) -> str:
        return f"; {_counts(at.counts)}" if at.counts else ""


class _Json:
    """One JSON object per line: ``event`` is ``begin``, ``progress``, ``end`` or ``say``."""

    def __init__(self, out: _Output) -> None:
        self._out = out

    def begin(self, at: _Moment) -> None:
        self._line({"event": "begin", "stage": at.name, "total": at.total, "unit": at.unit})

    def during(self, at: _Moment) -> None:
        self._line({"event": "progress", **self._facts(at)})

    def end(self, at: _Moment) -> None:
        self._line({"event": "end", **self._facts(at), "finished": at.finished})

    def say(self, line: str) -> None:
        self._line({"event": "say", "text": line})

    def _facts(self, at: _Moment) -> dict[str, object]:
        left = at.seconds_left
        return {
            "stage": at.name,
            "done": at.done,
            "total": at.total,
            "unit": at.unit,
            "seconds": round(at.seconds, 3),
            "rate": round(at.rate, 3),
            "seconds_left": None if left is None else round(left, 3),
            "counts": at.counts,
        }

    def _line(self, facts: dict[str, object]) -> None:
        self._out.line(json.dumps(facts))


def _printable(line: str) -> str:
    """A line that quotes a cell or an answer must not give orders to the terminal."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in line)


def _amount(n: int | None, unit: str) -> str:
    return f"{n or 0:,} {unit}"


def short(rate: float) -> str:
    """A rate for people: ``1.6M``, ``12k``, ``2,770`` or ``4.2``."""
    if rate >= 1_000_000:
        return f"{rate / 1_000_000:.1f}M"
    if rate >= 10_000:
        return f"{rate / 1000:.0f}k"
    return f"{rate:,.0f}" if rate >= 10 else f"{rate:.1f}"


def _counts(counts: dict[str, int | str]) -> str:
    return ", ".join(
        f"{name.replace('_', ' ')} {value:,}" if isinstance(value, int) else f"{name} {value}"
        for name, value in counts.items()
    )


def duration(seconds: float) -> str:
    """Seconds for people: ``4 s``, ``3 min 7 s``, ``15 min`` or ``2 h 3 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "h"), (minutes, "min")) if hours else ((minutes, "min"), (rest, "s"))
    return " ".join(f"{number} {unit}" for number, unit in parts if number)
