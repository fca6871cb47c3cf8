"""The completion script of a shell, written by shtab from the parser itself."""

from __future__ import annotations

import argparse

import shtab

from backfill.errors import UsageError

_PATHS = {"FILE": shtab.FILE, "EXPORT": shtab.FILE, "DIR": shtab.DIRECTORY, "JOB": shtab.DIRECTORY}


def script(parser: argparse.ArgumentParser, shell: str) -> str:
    """The script for ``shell``.

    :raises UsageError: no script is known for it.
    """
    if shell not in shtab.SUPPORTED_SHELLS:
        raise UsageError(
            f"{shell}: no completion for this shell",
            hint=f"choose one of {', '.join(shtab.SUPPORTED_SHELLS)}",
        )
    _complete_paths(parser)
    return shtab.complete(parser, shell=shell)


def _complete_paths(parser: argparse.ArgumentParser) -> None:
    """Say which arguments are paths, by the word that the help has for them."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for made in action.choices.values():
                _complete_paths(made)
        elif isinstance(action.metavar, str) and action.metavar in _PATHS:
            action.complete = _PATHS[action.metavar]  # type: ignore[attr-defined]  # shtab's way
