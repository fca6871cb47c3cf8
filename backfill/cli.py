"""``backfill``: from the command line to an exit code, and the one place where errors become words.

Nothing is imported here that ``--help`` does not need; the commands bring the rest.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence

from backfill import cli_parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; ``argv`` is what follows the program's name. Returns the exit code.

    :raises SystemExit: after ``--help`` and ``--version`` (0) and after an unusable command
        line (2).
    """
    try:
        try:
            args = cli_parser.parse(sys.argv[1:] if argv is None else argv)
            from backfill import commands

            return commands.execute(args)
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read our output has left ('backfill status JOB | head'); Python must not
        # complain about it once more when it closes the stream.
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (Exception, KeyboardInterrupt) as exc:
        return _explain(exc)


def _explain(exc: BaseException) -> int:
    """Say on stderr what went wrong and what to do next; returns the exit code."""
    import errno

    from backfill.errors import BackfillError, Interrupted

    trouble_at_home = {
        errno.ENOSPC: "free some space and run the same command again",
        errno.EDQUOT: "free some space and run the same command again",
        errno.EROFS: "name a folder that can be written with --job",
        errno.EMFILE: "raise the limit of open files (ulimit -n), or lower --concurrency",
        errno.ENFILE: "close other programs and run the same command again",
    }
    if isinstance(exc, KeyboardInterrupt):
        exc = Interrupted("interrupted", hint="run the same command again to go on")
    if isinstance(exc, OSError) and exc.errno in trouble_at_home:
        place = f"{exc.filename}: " if exc.filename else ""
        exc = BackfillError(f"{place}{exc.strerror}", hint=trouble_at_home[exc.errno])
    if isinstance(exc, BackfillError):
        _tell(f"backfill: error: {exc.message}")
        if exc.hint:
            _tell(f"  {exc.hint}", indent="  ")
        return exc.exit_code

    import traceback

    from backfill import log

    report = log.without_secrets("".join(traceback.format_exception(exc)))
    _tell(report + "backfill: this is a bug in backfill: please report it with the lines above")
    return 1


def _tell(text: str, indent: str = "") -> None:
    """A line for the person: wrapped for a terminal, whole for a log, harmless for both."""
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
