"""``backfill.log``: what happened in a job, one JSON object per line.

Write to it with the standard library::

    logging.getLogger(__name__).info("canary passed", extra={"fields": {"orders": 10}})

Log events, counts, states, HTTP statuses and order keys. Never log bodies and answers: they contain
names, phone numbers and addresses. As a second safeguard, secrets of this process, e-mail addresses
and international phone numbers are removed from every line.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from io import TextIOWrapper
from pathlib import Path

from backfill.errors import StorageError
from backfill.job_folder.files import LOG

HIDDEN = "***"
SHORTEST_CREDENTIAL = 8

_PERSONAL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+|\+\d[\d ().-]{6,}\d")
_secrets: set[str] = set()


def keep_out(secret: str) -> None:
    """From now on, show ``***`` wherever ``secret`` would stand in a log line or a traceback.

    A header may also hold a plain ``1`` or ``eu``; what is shorter than a credential can be would
    blot out half of every line, and is left.
    """
    # A scheme such as 'Bearer' is no secret, and what follows it may well turn up alone.
    _secrets.update(part for part in (secret, *secret.split()) if len(part) >= SHORTEST_CREDENTIAL)


def without_secrets(text: str) -> str:
    """``text`` with ``***`` in place of every secret that was named to :func:`keep_out`."""
    for secret in sorted(_secrets, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return text


@contextlib.contextmanager
def opened(folder: Path, *, say: Callable[[str], None] | None = None) -> Iterator[None]:
    """Write what the package logs to ``backfill.log`` in ``folder``, and to ``say`` too.

    :raises StorageError: the file cannot be opened.
    """
    logger = logging.getLogger("backfill")
    try:
        handlers: list[logging.Handler] = [_LogFile(folder / LOG)]
    except OSError as exc:
        is_link = (folder / LOG).is_symlink()
        raise StorageError(
            f"{folder / LOG}: cannot be written ({'it is a link' if is_link else exc.strerror})",
            hint="remove the link, then run the same command again"
            if is_link
            else "make the job folder writable, or name another with --job",
        ) from exc
    handlers[0].setFormatter(_JsonLine())
    if say is not None:
        handlers.append(_Said(say))
    level, propagate = logger.level, logger.propagate
    logger.setLevel(logging.INFO)
    logger.propagate = False
    for handler in handlers:
        logger.addHandler(handler)
    try:
        yield
    finally:
        for handler in handlers:
            logger.removeHandler(handler)
            handler.close()
        logger.setLevel(level)
        logger.propagate = propagate


@contextlib.contextmanager
def command(name: str, settings: Sequence[object]) -> Iterator[None]:
    """Log that a command begins, with its settings, and how it ends.

    :param settings: dataclasses; a secret in them shows only that it is one.
    """
    logger, began = logging.getLogger(__name__), time.monotonic()
    set_ = {
        each.name: str(value) if isinstance(value, Path) else value
        for one in settings
        if is_dataclass(one)
        for each in fields(one)
        if (value := getattr(one, each.name)) not in (None, False, (), "")
    }
    logger.info("command began", extra={"fields": {"command": name, "settings": set_}})
    try:
        yield
    except BaseException as exc:
        ended = {"exit_code": getattr(exc, "exit_code", 130 if _is_interrupt(exc) else 1)}
        ended["error"] = getattr(exc, "message", type(exc).__name__)
        took = round(time.monotonic() - began, 3)
        logger.error(
            "command stopped", extra={"fields": {"command": name, "seconds": took, **ended}}
        )
        raise
    took = round(time.monotonic() - began, 3)
    logger.info("command ended", extra={"fields": {"command": name, "seconds": took}})


def _is_interrupt(exc: BaseException) -> bool:
    return isinstance(exc, KeyboardInterrupt)


class _LogFile(logging.FileHandler):
    """The file. A link is not followed, and a full disk ends the log, not the work."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, encoding="utf-8", errors="backslashreplace")

    def _open(self) -> TextIOWrapper:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0)
        return TextIOWrapper(
            os.fdopen(os.open(self.baseFilename, flags, 0o666), "ab"), self.encoding, self.errors
        )

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - its name
        """What cannot be logged is not shown either."""

    def close(self) -> None:
        with contextlib.suppress(OSError):
            super().close()


class _JsonLine(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        facts = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **_fields(record),
        }
        if record.exc_info and record.exc_info[0]:
            # Where it happened, without the message: that may quote a cell or an answer.
            facts["exception"] = record.exc_info[0].__name__
            facts["at"] = [
                f"{frame.name}:{frame.lineno}"
                for frame in traceback.extract_tb(record.exc_info[2])[-5:]
            ]
        line = json.dumps({key: _clean(value) for key, value in facts.items()}, ensure_ascii=False)
        # Whoever shows the file in a terminal is not to be shown what a cell makes of it.
        return line if line.isprintable() else "".join(map(_as_json, line))


class _Said(logging.Handler):
    """``--verbose``: the same events as lines for the person."""

    def __init__(self, say: Callable[[str], None]) -> None:
        super().__init__()
        self._say = say

    def emit(self, record: logging.LogRecord) -> None:
        fields = "".join(f" {key}={value}" for key, value in _fields(record).items())
        self._say(str(_clean(f"[{record.levelname.lower()}] {record.getMessage()}{fields}")))


def _as_json(character: str) -> str:
    return character if character.isprintable() else json.dumps(character)[1:-1]


def _fields(record: logging.LogRecord) -> dict[str, object]:
    return dict(getattr(record, "fields", {}))


def _clean(value: object) -> object:
    if isinstance(value, bool | int | float | None):
        return value
    if isinstance(value, list | tuple):
        return [_clean(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _clean(item) for key, item in value.items()}
    return _PERSONAL.sub(HIDDEN, without_secrets(str(value)))
