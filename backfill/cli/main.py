"""``backfill``: from the command line to an exit code; the one place where errors are printed."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Sequence

from backfill.cli import parser

#: What the libraries underneath read when they are first imported.
_LIBRARIES = {
    "OPENBLAS_NUM_THREADS": "1",  # numpy's threads for linear algebra, which nothing here does
}
if sys.platform == "linux":  # elsewhere Arrow may come without it
    # It returns free memory: a million scattered rows take a third less than with mimalloc.
    _LIBRARIES["ARROW_DEFAULT_MEMORY_POOL"] = "jemalloc"

#: New objects after which Python looks for cycles of garbage. A start makes half a million that
#: stay, and Python's own 700 has it look through them again and again: a tenth of the start.
_OBJECTS_BETWEEN_COLLECTIONS = 50_000


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; ``argv`` is what follows the program's name. Returns the exit code.

    :raises SystemExit: after ``--help`` and ``--version`` (0) and after an unusable command
        line (2).
    """
    try:
        try:
            args = parser.parse(sys.argv[1:] if argv is None else argv)
            return execute(args)
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        # The reader of our output has closed the pipe ('backfill status JOB | head'); Python must
        # not report that again when it closes the stream.
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (Exception, KeyboardInterrupt) as exc:
        return _explain(exc)


def execute(args: argparse.Namespace) -> int:
    """Run the command that ``args`` names; returns its exit code.

    :raises BackfillError: what a person can act on.
    """
    import atexit
    import gc
    import io
    import signal

    from backfill.cli.visible import VisibleOutput
    from backfill.signals import ending_signals

    for stream in (sys.stdout, sys.stderr):
        # A name or a cell that the terminal's encoding does not know must not stop anything.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    for name, value in _LIBRARIES.items():
        os.environ.setdefault(name, value)
    # At its end, Python would search all that the libraries made for garbage: a sixth of a short
    # run. The memory goes back to the system anyway.
    atexit.register(gc.freeze)
    thresholds = gc.get_threshold()
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    before = {
        number: signal.signal(number, _like_ctrl_c)
        for number in ending_signals()
        if number != signal.SIGINT
    }
    try:
        with contextlib.redirect_stdout(VisibleOutput(sys.stdout)):
            return parser.COMMANDS[args.command].run(args)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        gc.set_threshold(*thresholds)


def _like_ctrl_c(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def _explain(exc: BaseException) -> int:
    """Print on stderr what went wrong and what to do next; returns the exit code."""
    import errno

    from backfill.errors import BackfillError, Interrupted

    known_causes = {
        errno.ENOSPC: "free some space and run the same command again",
        errno.EDQUOT: "free some space and run the same command again",
        errno.EROFS: "name a writable folder with --job",
        errno.EMFILE: "raise the limit of open files (ulimit -n), or lower --concurrency",
        errno.ENFILE: "close other programs and run the same command again",
    }
    if isinstance(exc, KeyboardInterrupt):
        exc = Interrupted("interrupted", hint="run the same command again to go on")
    if isinstance(exc, OSError) and exc.errno in known_causes:
        place = f"{exc.filename}: " if exc.filename else ""
        exc = BackfillError(f"{place}{exc.strerror}", hint=known_causes[exc.errno])
    if isinstance(exc, BackfillError):
        _tell(f"backfill: error: {exc.message}")
        if exc.hint:
            _tell(f"  {exc.hint}", indent="  ")
        return exc.exit_code

    import traceback

    from backfill import log

    report = log.without_secrets("".join(traceback.format_exception(exc)))
    _tell(report + "backfill: this is a bug; please report it with the lines above")
    return 1


def _tell(text: str, indent: str = "") -> None:
    """Print a line: wrapped in a terminal, whole in a log, without control characters."""
    import textwrap

    text = "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in text)
    if "\n" not in text and sys.stderr.isatty():
        columns = min(80, os.get_terminal_size(sys.stderr.fileno()).columns or 80)
        text = textwrap.fill(
            text,
            columns,
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
        )
    with contextlib.suppress(OSError, ValueError):
        print(text, file=sys.stderr)
