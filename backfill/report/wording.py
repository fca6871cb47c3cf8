"""The words that the terminal and the page use alike."""

from __future__ import annotations

from pathlib import Path

from backfill.checkpoint import State
from backfill.report.figures import IN_SHOUT, Figures

#: What a state means to a person, in the order of the story.
STATES: dict[State, str] = {
    State.CREATED: "created",
    State.EXISTING: "already there",
    State.PENDING: "ready to send",
    State.SENDING: "in doubt",
    State.FAILED: "refused",
    State.SKIPPED: "set aside",
    State.REJECTED: "rejected",
    State.UNDONE: "undone",
}


def count(number: int, noun: str | None = None) -> str:
    """``1,234`` or ``1,234 orders``."""
    if noun is None:
        return f"{number:,}"
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def money(cents: int, currency: str) -> str:
    """``USD 1,234.56``, whatever the size."""
    sign = "-" if cents < 0 else ""
    return f"{currency} {sign}{abs(cents) // 100:,}.{abs(cents) % 100:02d}"


def shortened(text: str, most: int) -> str:
    """The text in one line, cut to ``most`` characters, and saying so."""
    return cut(" ".join(text.split()), most)


def cut(line: str, most: int) -> str:
    """The line, at most ``most`` characters of it."""
    return line if len(line) <= most else f"{line[: most - 1]}…"


def span(figures: Figures) -> str:
    """The first and the last day of the orders."""
    if figures.first_day is None or figures.last_day is None:
        return "no dates"
    return f"{figures.first_day} to {figures.last_day}"


def verdict(figures: Figures) -> str:
    """Where the job stands, in one or two sentences."""
    overall = figures.overall
    if not overall.total:
        return "No orders were found."
    return _after(figures) if figures.delivered else _before(figures)


def _before(figures: Figures) -> str:
    overall = figures.overall
    ready, whole = overall.count(State.PENDING), overall.total
    if ready == whole:
        return f"{_all(whole)} ready to send."
    start = f"{count(ready)} of {_orders_are(whole, ready)} ready to send."
    return f"{start} {_left_out(figures)}"


def _after(figures: Figures) -> str:
    overall = figures.overall
    done, whole = overall.count(*IN_SHOUT), overall.total
    if done == whole:
        return f"{_all(whole)} in Shout."
    parts = [f"{count(done)} of {_orders_are(whole, done)} in Shout."]
    if pending := overall.count(State.PENDING):
        parts.append(f"{count(pending)} still to be sent.")
    if doubt := overall.count(State.SENDING):
        parts.append(
            f"{count(doubt)} in doubt: the next run looks them up before anything is sent."
        )
    if undone := overall.count(State.UNDONE):
        parts.append(f"{count(undone)} taken back.")
    if left_out := _left_out(figures):
        parts.append(left_out)
    return " ".join(parts)


def _left_out(figures: Figures) -> str:
    overall = figures.overall
    mend = overall.count(State.REJECTED, State.FAILED)
    skipped = overall.count(State.SKIPPED)
    parts = []
    if mend:
        verb = "did" if figures.delivered else "will"
        parts.append(f"{count(mend)} {verb} not go: mend rejected_rows.csv and give it back.")
    if skipped:
        parts.append(f"{count(skipped)} set aside, as the account is not connected.")
    return " ".join(parts)


def _all(orders: int) -> str:
    return "The one order is" if orders == 1 else f"All {count(orders)} orders are"


def _orders_are(whole: int, part: int) -> str:
    return f"{count(whole, 'order')} {'is' if part == 1 else 'are'}"


def next_command(figures: Figures, job: Path) -> tuple[str, str]:
    """What to type next, and why."""
    overall = figures.overall
    if overall.count(State.PENDING, State.SENDING):
        if figures.delivered:
            return f"backfill run --job {job}", "go on where it stopped"
        return (
            f"backfill run --job {job} --limit 10",
            "send ten as a pilot, then all without --limit",
        )
    if overall.count(State.REJECTED, State.FAILED):
        return (
            f"backfill run {job / 'rejected_rows.csv'} --job {job}",
            "once the rows in it are mended",
        )
    if overall.count(State.SKIPPED):
        return f"backfill retry {job}", "once the accounts are connected"
    if overall.count(*IN_SHOUT):
        return f"backfill verify {job}", "read every order back and compare"
    return "backfill inspect EXPORT", "see what was recognised in the export"
