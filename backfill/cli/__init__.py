"""The command line: a thin client of :class:`backfill.Job`, one module per command.

main       runs a command, and turns errors into a message and an exit code
parser     help, mistakes, and the values by name
command    what a command module declares
terminal   progress, confirmation and summaries in a terminal
"""

from __future__ import annotations

from backfill.cli.main import main

__all__ = ["main"]
