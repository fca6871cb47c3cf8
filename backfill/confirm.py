"""The question before something that cannot be taken back."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from backfill.errors import SafetyStop, UsageError

#: Takes the lines of a summary and the word to type; returns only when the word was typed.
Confirm = Callable[[Sequence[str], str], None]


def ask(summary: Sequence[str], word: str, *, otherwise: str = "nothing was sent") -> None:
    """Show ``summary`` and wait until a person has typed ``word``.

    :raises UsageError: no terminal is there, so nobody can be asked.
    :raises SafetyStop: something else was typed.
    """
    if not (sys.stdin and sys.stdin.isatty()):
        raise UsageError(
            "this needs a person's yes, and no terminal is there to ask at",
            hint="look at the dry run first, then add --yes",
        )
    for line in summary:
        print(line, file=sys.stderr)
    print(f"\nType {word} to go on, anything else to stop: ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip() != word:
        raise SafetyStop(
            f"not confirmed, so {otherwise}",
            hint=f"run the same command again and type {word}, or add --yes",
        )
