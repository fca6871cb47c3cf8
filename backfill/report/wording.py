"""The words that the terminal and the page use alike."""

from __future__ import annotations

import re
from math import ceil
from pathlib import Path

from backfill.checkpoint import IN_SHOUT, State
from backfill.job_folder.files import REJECTED_ROWS
from backfill.money import amount
from backfill.report.figures import Figures
from backfill.settings import RunSettings

#: The default of --max-rejected, which a run without the option keeps to.
MAX_REJECTED = RunSettings(job=Path()).max_rejected

#: What a state means to a person, in the order of the story.
STATES: dict[State, str] = {
    State.CREATED: "created",
    State.EXISTING: "existing",
    State.PENDING: "ready to send",
    State.SENDING: "in doubt",
    State.FAILED: "failed",
    State.SKIPPED: "skipped",
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
    return f"{currency} {amount(cents, currency)}"


#: Characters that steer a terminal or turn a line's direction around, and cannot be seen.
_UNSEEN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]"
)


def visible(text: str) -> str:
    """The text, its unseen characters written out: ``\\u202e``."""
    if text.isprintable():  # as nearly every text is, and this is told ten times as fast
        return text
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def shortened(text: str, most: int) -> str:
    """The text in one line, cut to ``most`` characters, and saying so."""
    # No more of a long text is looked at than can be shown.
    return cut(" ".join(text[: 4 * most].split()) + "…" * (len(text) > 4 * most), most)


def cut(line: str, most: int) -> str:
    """The line, at most ``most`` characters of it."""
    seen = visible(line)
    return seen if len(seen) <= most else f"{seen[: most - 1]}…"


def span(figures: Figures) -> str:
    """The first and the last day of the orders."""
    if figures.first_day is None or figures.last_day is None:
        return "no dates"
    return f"{figures.first_day} to {figures.last_day}"


def verdict(figures: Figures) -> tuple[str, str]:
    """Where the job stands: one sentence, and what else there is to say of it."""
    overall = figures.overall
    if not overall.total:
        return "No orders were found.", ""
    if figures.delivered:
        return _so_far(overall.count(*IN_SHOUT), overall.total, "in Shout"), _rest(figures)
    return _so_far(overall.count(State.PENDING), overall.total, "ready to send"), _rest(figures)


def _so_far(part: int, whole: int, where: str) -> str:
    if whole == 1:
        return f"The one order is {where}." if part else f"The one order is not {where}."
    if part == whole:
        return f"All {count(whole)} orders are {where}."
    number = count(part) if part else "None"
    return f"{number} of {count(whole)} orders {'is' if part == 1 else 'are'} {where}."


def _rest(figures: Figures) -> str:
    overall = figures.overall
    said = {
        "still to be sent.": overall.count(State.PENDING) if figures.delivered else 0,
        "in doubt: the next run looks them up before anything is sent.": overall.count(
            State.SENDING
        ),
        "undone.": overall.count(State.UNDONE),
        "left out: fix rejected_rows.csv and give it back.": overall.count(
            State.REJECTED, State.FAILED
        ),
        "skipped, as the account takes no orders yet.": overall.count(State.SKIPPED),
    }
    return " ".join(f"{count(number)} {words}" for words, number in said.items() if number)


def next_command(figures: Figures, job: Path) -> tuple[str, str]:
    """What to type next, and why."""
    overall = figures.overall
    if overall.count(State.PENDING, State.SENDING):
        if figures.delivered:
            return f"backfill run --job {job}", "go on where it stopped"
        rejected = 100 * overall.count(State.REJECTED) / overall.total
        if rejected > MAX_REJECTED:
            return (
                f"backfill run --job {job} --limit 10 --max-rejected {ceil(rejected)}",
                f"only if the rejected orders are right: more than {MAX_REJECTED:g} percent",
            )
        return (
            f"backfill run --job {job} --limit 10",
            "send ten as a pilot, then all without --limit",
        )
    if overall.count(State.REJECTED, State.FAILED):
        return (
            f"backfill run {job / REJECTED_ROWS} --job {job}",
            "once the rows in it are fixed",
        )
    if overall.count(State.SKIPPED):
        return f"backfill retry {job}", "once the accounts are connected"
    if overall.count(*IN_SHOUT):
        return f"backfill verify {job}", "read every order back and compare"
    return "backfill inspect EXPORT", "see what was recognised in the export"
