"""``python -m backfill.sandbox``: the same as ``backfill sandbox``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from backfill.sandbox.settings import DEFAULT_HEADER, SandboxError


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until told to end. Gives the exit code: 0, or 2 where the sandbox cannot start."""
    parser = argparse.ArgumentParser(prog="python -m backfill.sandbox", description="a local Shout")
    parser.add_argument("--port", type=int, default=0, help="0 (the default): any free port")
    parser.add_argument("--db", type=Path, metavar="FILE", help="default: in memory")
    parser.add_argument(
        "--faults", type=Path, metavar="FILE", help="TOML or JSON; how to misbehave"
    )
    parser.add_argument("--rate-limit", type=float, metavar="N", help="requests a second")
    parser.add_argument(
        "--header",
        type=_header,
        default=DEFAULT_HEADER,
        metavar="'NAME: VALUE'",
        help=f"the credentials header; default: '{': '.join(DEFAULT_HEADER)}'",
    )
    parser.add_argument(
        "--until-stdin-closes", action="store_true", help="end with the process that started it"
    )
    options = vars(parser.parse_args(argv))
    from backfill.sandbox.server import run_sandbox  # aiohttp: not needed for --help

    try:
        run_sandbox(**options)
    except SandboxError as error:
        print(f"sandbox: {error}", file=sys.stderr)
        return 2
    return 0


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise argparse.ArgumentTypeError("'Name: value'")
    return name.strip(), value.strip()


if __name__ == "__main__":
    sys.exit(main())
