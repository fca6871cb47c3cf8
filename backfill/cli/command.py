"""What a command module declares: its help, its options, and what it does."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import NamedTuple

from backfill.settings import declared
from backfill.settings.declared import SETTINGS, Setting
from backfill.version import __version__

AddOptions = Callable[[argparse.ArgumentParser], None]

#: How an example reaches Shout.
TO_SHOUT = """ \\
      --api-url https://api.example.com \\
      --header 'Authorization: env:SHOUT_AUTHORIZATION'
"""


class Command(NamedTuple):
    """One command of ``backfill``."""

    name: str
    takes: str
    """its arguments, as the usage line shows them"""
    summary: str
    description: str
    examples: str
    options: Sequence[AddOptions]
    run: Callable[[argparse.Namespace], int]
    """returns the exit code"""


def exports(parser: argparse.ArgumentParser) -> None:
    """The argument ``EXPORT``, repeatable."""
    parser.add_argument(
        "exports",
        nargs="*",
        metavar="EXPORT",
        help="a CSV or Excel file, a folder of them, or a pattern such as 'orders_*.csv'",
    )


def job(parser: argparse.ArgumentParser) -> None:
    """The argument ``JOB``."""
    parser.add_argument("job", metavar="JOB", help="the job folder, such as orders.backfill")


def settings(*groups: str) -> AddOptions:
    """The options of the settings that are declared for some groups."""

    def add(parser: argparse.ArgumentParser) -> None:
        for title in groups:
            group = parser.add_argument_group(title)
            if title == groups[0]:
                settings_file(group)
            for each in SETTINGS.values():
                if each.group == title:
                    _add(group, each)

    return add


def one(name: str) -> AddOptions:
    """The option of one setting."""
    return lambda parser: _add(parser, SETTINGS[name])


def settings_file(parser: argparse._ActionsContainer) -> None:
    """``--config``."""
    parser.add_argument(
        "--config", metavar="FILE", help="the settings file (default: backfill.toml, if it exists)"
    )


def everywhere(parser: argparse.ArgumentParser) -> None:
    """The options of every command."""
    group = parser.add_argument_group(declared.EVERYWHERE)
    for each in SETTINGS.values():
        if each.group == declared.EVERYWHERE:
            # SUPPRESS: a value given before the command is not overwritten by its default.
            _add(group, each, default=argparse.SUPPRESS)
    group.add_argument("--version", action="version", version=f"backfill {__version__}")


def _add(parser: argparse._ActionsContainer, each: Setting, default: str | None = None) -> None:
    if each.flag is None:
        return
    help = f"{each.help} (default: {each.default})" if each.default else each.help
    # The flag itself as the name: a command's own option may be called like a setting.
    name = each.flag
    if each.metavar is None:
        parser.add_argument(each.flag, dest=name, action="store_true", default=default, help=help)
    else:
        parser.add_argument(
            each.flag,
            dest=name,
            metavar=each.metavar,
            action="append" if each.repeatable else "store",
            default=default,
            help=help.replace("%", "%%"),
        )
