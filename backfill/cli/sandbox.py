"""``backfill sandbox``: serves a local Shout to practise on."""

from __future__ import annotations

import argparse
from pathlib import Path

from backfill.cli.command import Command
from backfill.cli.terminal import checked
from backfill.errors import UsageError
from backfill.settings import checks

PORT = 8808


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", metavar="N", help=f"the port to listen on (default: {PORT})")
    parser.add_argument(
        "--db", metavar="FILE", help="keep what arrives in this file (default: in memory)"
    )
    parser.add_argument("--faults", metavar="FILE", help="a TOML file that says how to misbehave")
    parser.add_argument("--rate-limit", metavar="N", help="answer 429 above N requests per second")


def run(args: argparse.Namespace) -> int:
    from backfill.sandbox.server import run_sandbox
    from backfill.sandbox.settings import SandboxError

    rate = checks.number("a number of requests per second", above_least=True)
    try:
        run_sandbox(
            port=checked(args, "port", checks.count("a port", most=65535)) or PORT,
            db=Path(args.db) if args.db else None,
            faults=Path(args.faults) if args.faults else None,
            rate_limit=checked(args, "rate_limit", rate),
        )
    except SandboxError as exc:
        raise UsageError(f"the sandbox cannot start: {exc}") from exc
    return 0


COMMAND = Command(
    name="sandbox",
    takes="",
    summary="a Shout to practise on, on this machine",
    description=(
        "Serves a local Shout: it accepts orders as the real one does, and counts the text "
        "messages that the real one would have sent. Its page at / shows what arrived. "
        "A faults file makes it misbehave."
    ),
    examples="  backfill sandbox --port 8808 --db shout.sqlite\n",
    options=(add_options,),
    run=run,
)
