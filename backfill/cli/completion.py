"""``backfill completion``: prints a shell completion script."""

from __future__ import annotations

import argparse

from backfill.cli.command import Command


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", metavar="bash|zsh|fish|tcsh", help="the shell to complete for")


def run(args: argparse.Namespace) -> int:
    from backfill.cli import completion_script, parser

    print(completion_script.script(parser.build().filled(), args.shell))
    return 0


COMMAND = Command(
    name="completion",
    takes="bash|zsh|fish|tcsh",
    summary="a script that completes commands in your shell",
    description=(
        "Prints a script that makes the Tab key complete commands and options. Load it\n"
        "from your shell's start-up file, or put it where your shell looks for them."
    ),
    examples=('  eval "$(backfill completion bash)"\n  backfill completion zsh\n'),
    options=(add_options,),
    run=run,
)
