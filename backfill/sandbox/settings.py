"""What a sandbox is started with, and the one error it raises for a person."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

HOST = "127.0.0.1"
DEFAULT_HEADER = ("Authorization", "Bearer sandbox")


class SandboxError(Exception):
    """The sandbox cannot start or cannot take what it was given; the message is one line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxSettings:
    """How a sandbox is started. The faults file says how it misbehaves."""

    port: int = 0
    """0: any free port."""
    db: Path | None = None
    """None: orders are kept in memory and gone when the sandbox ends."""
    faults: Path | None = None
    """A TOML (or .json) file; :mod:`backfill.sandbox.faults` has the grammar."""
    rate_limit: float | None = None
    """Requests per second, unless the faults file says; None: no limit."""
    header: tuple[str, str] = DEFAULT_HEADER
    """Name and value of the credentials header."""
    until_stdin_closes: bool = False
    """End when standard input closes, so that no sandbox outlives the process that started it."""
