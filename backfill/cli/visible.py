"""What a terminal would take for orders, made visible: nobody's cell may clear a screen."""

from __future__ import annotations

import json
import re
from typing import Any, TextIO

_NOT_PLAIN = re.compile(r"[^\n\t -~]")


def visible(text: str) -> str:
    r"""``text`` with control characters and changes of direction as JSON writes them: ``\u202e``.

    JSON with such characters in its strings stays the same JSON.
    """
    return _NOT_PLAIN.sub(_shown, text)


def _shown(found: re.Match[str]) -> str:
    character = found[0]
    return character if character.isprintable() else json.dumps(character)[1:-1]


class VisibleOutput:
    """A stream for text, and everything that is written to it is visible."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write text; the number of its characters."""
        self._stream.write(visible(text))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def steered(stream: TextIO) -> TextIO:
    """The stream itself, for a command that steers the terminal; it makes its texts visible."""
    return stream._stream if isinstance(stream, VisibleOutput) else stream
