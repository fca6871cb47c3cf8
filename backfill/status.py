"""How far a job is, from its checkpoint alone: for people, for programs, and before a send."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from shutil import get_terminal_size
from typing import Any, TextIO

from backfill.checkpoint import Checkpoint, State
from backfill.checkpoint.afterwards import UNDONE_AGAIN
from backfill.errors import Interrupted

#: Minutes of activity that the rate is taken from.
_RECENT = 5
_WATCH_SECONDS = 2.0
_KEYS_SHOWN = 5
_VERDICTS = ("equal", "different", "missing", "unanswered")


@dataclass(frozen=True, slots=True)
class Status:
    """A job at one moment."""

    states: dict[State, int]
    accounts: list[tuple[str, dict[str, int]]]
    """account ids, each with its orders by state; the largest first"""
    created_a_minute: float
    """over the last minutes in which something happened, counting the present one"""
    last_errors: list[tuple[str, str]]
    """order keys with their reasons, the newest first"""
    changed: int
    """orders in Shout that read differently in the export by now"""
    gone: list[str]
    """keys of orders that the export no longer has"""
    verified: dict[str, Any]
    """what the last check found, as :mod:`backfill.afterwards.verify` says; empty: none yet"""

    @property
    def left(self) -> int:
        """Orders that are still to be sent, or to be looked up."""
        return self.states[State.PENDING] + self.states[State.SENDING]

    @property
    def minutes_left(self) -> float | None:
        """None where nothing was created of late."""
        return self.left / self.created_a_minute if self.created_a_minute else None


def read(checkpoint: Checkpoint) -> Status:
    """Read a job's status; a run that is going on is not disturbed."""
    accounts: dict[str, dict[str, int]] = {}
    for account, state, orders in checkpoint.query(
        "SELECT coalesce(account_id, ''), state, count(*) FROM orders GROUP BY 1, 2"
    ):
        accounts.setdefault(account, {})[state] = orders
    since = (datetime.now(UTC) - timedelta(minutes=_RECENT)).strftime("%Y-%m-%dT%H:%M")
    created, minutes = checkpoint.query(
        "SELECT coalesce(sum(created), 0), count(*) FROM activity WHERE minute >= ?", (since,)
    ).fetchone()
    errors = checkpoint.query(
        "SELECT reference_id, reason FROM orders WHERE state = 'failed'"
        " ORDER BY updated_at DESC, id DESC LIMIT 3"
    ).fetchall()
    return Status(
        # Not counted anew: while a run is going on, the two would disagree.
        states={
            state: sum(orders.get(state, 0) for orders in accounts.values()) for state in State
        },
        accounts=sorted(accounts.items(), key=lambda item: -sum(item[1].values())),
        created_a_minute=created / minutes if minutes else 0.0,
        last_errors=[(row["reference_id"], row["reason"]) for row in errors],
        changed=checkpoint.query("SELECT count(*) FROM changes").fetchone()[0],
        gone=[
            row[0]
            for row in checkpoint.query(
                "SELECT coalesce(reference_id, '') FROM gone JOIN orders ON orders.id = order_id"
                " ORDER BY order_id"
            )
        ],
        verified=json.loads(checkpoint.meta().get("verify") or "{}"),
    )


def render(status: Status, *, as_json: bool) -> str:
    """The status as text for a terminal of 80 columns, or as one JSON object."""
    if as_json:
        return json.dumps(_as_json(status), ensure_ascii=False)
    total = sum(status.states.values())
    lines = [f"{total:,} orders, {status.left:,} left to send"]
    lines += [f"  {state.value:<9} {count:>12,}" for state, count in status.states.items() if count]
    if status.minutes_left is not None and status.left:
        lines.append(
            f"{status.created_a_minute:,.0f} created a minute of late; "
            f"about {status.minutes_left:,.0f} minutes left at that rate"
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


def _since_then(status: Status) -> Iterator[str]:
    """What happened to the export after it was sent, and what reading back found."""
    if status.changed:
        yield f"{status.changed:,} in Shout read differently in the export by now: changed.csv"
    if status.gone:
        more = ", ..." if len(status.gone) > _KEYS_SHOWN else ""
        keys = ", ".join(status.gone[:_KEYS_SHOWN])
        yield f"{len(status.gone):,} are no longer in the export ({keys}{more}): changed.csv"
    if status.verified:
        found = ", ".join(f"{status.verified[word]:,} {word}" for word in _VERDICTS)
        yield f"Read back at {status.verified['checked_at']}: {found}"


def watch(read_now: Callable[[], Status], *, as_json: bool, out: TextIO | None = None) -> int:
    """Show the status every two seconds, until nothing is left to send or Ctrl-C.

    In a terminal the last one is written over; elsewhere each follows the other.
    """
    out = out or sys.stdout
    lines_up = 0
    try:
        while True:
            now = read_now()
            text = render(now, as_json=as_json)
            if lines_up:
                out.write(f"\x1b[{lines_up}F\x1b[J")  # up, and clear to the end of the screen
            out.write(f"{text}\n")
            out.flush()
            if not now.left:
                return 0
            if out.isatty() and not as_json:
                columns = get_terminal_size().columns
                lines_up = sum(max(1, -(-len(line) // columns)) for line in text.split("\n"))
            time.sleep(_WATCH_SECONDS)
    except KeyboardInterrupt:
        return Interrupted.exit_code


def before_sending(
    checkpoint: Checkpoint, host: str, limit: int | None, *, undone: int = 0
) -> list[str]:
    """What a person should see before the first order goes to a host that is not this machine.

    :param undone: how many orders that were undone are to be created again.
    """
    again = f" OR ({UNDONE_AGAIN})" if undone else ""
    orders, accounts, cents, first, last = checkpoint.query(
        "SELECT count(*), count(DISTINCT account_id), coalesce(sum(total_cents), 0),"
        " min(ordered_on), max(ordered_on) FROM orders"
        f" WHERE state IN ('pending', 'sending'){again}"
    ).fetchone()
    aside = checkpoint.counts()
    lines = [
        "",
        f"Orders will be created in Shout at {host}.",
        f"  orders     {orders:,} for {accounts:,} accounts"
        + (f", of which the first {limit:,} now" if limit is not None and limit < orders else ""),
        f"  money      {cents / 100:,.2f}",
        f"  dates      {first} to {last}",
    ]
    if undone:
        lines.append(f"  again      {undone:,} of them were undone before (or --leave-undone)")
    lines += [
        f"  not going  {aside[state]:,} {state.value}"
        for state in (State.REJECTED, State.SKIPPED, State.FAILED)
        if aside[state]
    ]
    lines.append("No customer gets a text message: every order says dont_trigger_auto_actions.")
    return lines


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
