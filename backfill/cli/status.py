"""``backfill status``: how far a job is."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TextIO

from backfill.cli.command import Command, job
from backfill.cli.visible import steered, visible
from backfill.progress import duration

if TYPE_CHECKING:
    from backfill.status import Status

#: Seconds between two looks of --watch.
WATCH_SECONDS = 2.0
KEYS_SHOWN = 5
VERIFY_COUNTS = ("equal", "different", "missing", "unanswered")


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--watch", action="store_true", help="show it again every two seconds, until it is done"
    )


def run(args: argparse.Namespace) -> int:
    from backfill.job import open_job

    job = open_job(args.job)
    if args.watch:
        return watch(job.status, as_json=args.json)
    print(render(job.status(), as_json=args.json))
    return 0


def render(status: Status, *, as_json: bool) -> str:
    """The status as text for a terminal of 80 columns, or as one JSON object."""
    if as_json:
        return json.dumps(_as_json(status), ensure_ascii=False)
    total = sum(status.states.values())
    lines = [f"{total:,} orders, {status.left:,} left to send ({_done(status, total)} done)"]
    lines += [f"  {state.value:<9} {count:>12,}" for state, count in status.states.items() if count]
    if status.minutes_left is not None and status.left:
        left = duration(60 * status.minutes_left)
        lines.append(
            f"{status.created_a_minute:,.0f} created per minute recently; about {left} left"
        )
    if len(status.accounts) > 1:
        lines.append("By account:")
        for account, states in status.accounts[:8]:
            counts = ", ".join(f"{count:,} {state}" for state, count in sorted(states.items()))
            lines.append(f"  {account or '(none)'}: {counts}"[:80])
        if len(status.accounts) > 8:
            lines.append(f"  and {len(status.accounts) - 8:,} more accounts")
    lines += _since_then(status)
    lines += [f"Refused: {key}: {reason}"[:160] for key, reason in status.last_errors]
    return "\n".join(lines)


def _done(status: Status, total: int) -> str:
    """The share of the orders that need nothing more; 100% only where none is left."""
    if not total or not status.left:
        return "100%"
    return f"{min(99, 100 * (total - status.left) // total)}%"


def _since_then(status: Status) -> Iterator[str]:
    """What happened to the export after it was sent, and what reading back found."""
    if status.changed:
        yield f"{status.changed:,} changed in the export after they were sent: see changed.csv"
    if status.gone:
        more = ", ..." if len(status.gone) > KEYS_SHOWN else ""
        keys = ", ".join(status.gone[:KEYS_SHOWN])
        yield f"{len(status.gone):,} are no longer in the export ({keys}{more}): see changed.csv"
    if status.verified:
        found = ", ".join(f"{status.verified[word]:,} {word}" for word in VERIFY_COUNTS)
        yield f"Read back at {status.verified['checked_at']}: {found}"


def watch(read_now: Callable[[], Status], *, as_json: bool, out: TextIO | None = None) -> int:
    """Show the status every two seconds, until nothing is left to send or Ctrl-C.

    In a terminal each overwrites the one before; elsewhere they follow each other.
    """
    out = out or steered(sys.stdout)
    lines_up = 0
    try:
        while True:
            now = read_now()
            text = visible(render(now, as_json=as_json))
            if lines_up:
                out.write(f"\x1b[{lines_up}F\x1b[J")  # up, and clear to the end of the screen
            out.write(f"{text}\n")
            out.flush()
            if not now.left:
                return 0
            if out.isatty() and not as_json:
                from shutil import get_terminal_size

                columns = get_terminal_size().columns
                lines_up = sum(max(1, -(-len(line) // columns)) for line in text.split("\n"))
            time.sleep(WATCH_SECONDS)
    except KeyboardInterrupt:
        from backfill.errors import Interrupted

        return Interrupted.exit_code


def _as_json(status: Status) -> dict[str, Any]:
    return {
        "orders": {
            "total": sum(status.states.values()),
            **{state.value: count for state, count in status.states.items()},
        },
        "left": status.left,
        "created_a_minute": round(status.created_a_minute, 1),
        "minutes_left": None if status.minutes_left is None else round(status.minutes_left, 1),
        "accounts": [{"account_id": account, **states} for account, states in status.accounts],
        "last_errors": [
            {"reference_id": key, "reason": reason} for key, reason in status.last_errors
        ],
        "changed": status.changed,
        "gone": len(status.gone),
        "verified": {name: value for name, value in status.verified.items() if name != "sign_off"}
        or None,
    }


COMMAND = Command(
    name="status",
    takes="JOB",
    summary="how far a job is",
    description="Counts by state, rate, and what is left. It works while a run goes on, too.",
    examples=(
        "  backfill status orders.backfill\n"
        "  backfill status orders.backfill --json\n"
        "  backfill status orders.backfill --watch\n"
    ),
    options=(
        job,
        add_options,
    ),
    run=run,
)
