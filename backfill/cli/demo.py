"""``backfill demo``: rehearses a whole migration on this machine."""

from __future__ import annotations

import argparse
from pathlib import Path

from backfill.cli.command import Command
from backfill.cli.terminal import given


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--keep",
        metavar="DIR",
        help="the folder for the rehearsal (default: a new one, named at the end)",
    )


def run(args: argparse.Namespace) -> int:
    from backfill.cli.rehearsal import rehearse
    from backfill.settings import ProgressKind, sources

    progress: ProgressKind = sources.load(given(args)).get("progress") or "auto"
    return rehearse(Path(args.keep) if args.keep else None, progress=progress)


COMMAND = Command(
    name="demo",
    takes="",
    summary="see a whole migration happen, on this machine",
    description=(
        "Rehearses a whole migration on sample data against a Shout that runs on this\n"
        "machine: dry run, import, a forced interruption and resume. It shows each step,\n"
        "and where the reports are. Nothing leaves this machine."
    ),
    examples="  backfill demo\n",
    options=(add_options,),
    run=run,
)
