"""The story of a job in at most 25 lines of 80 columns, for the terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

from backfill.checkpoint import State
from backfill.job_folder.files import (
    MORE_REJECTED_ROWS,
    REJECTED_ROWS,
    REPORT_JSON,
    REPORT_PAGE,
    RESULTS,
)
from backfill.money import amount
from backfill.report import wording
from backfill.report.figures import Figures, Issue
from backfill.report.masking import Privacy

COMMONEST = 3
MOST_NOTES = 3
#: Decisions that are told here, where they have something to say.
TOLD = ("encoding", "quoting", "sheet", "hidden rows", "formula", "blank", "ignored row")


def summary(
    figures: Figures, folder: Path, *, width: int = 80, show_personal_data: bool = False
) -> str:
    """At most 25 lines: where the job stands, its figures, its commonest problems, what is next.

    :param folder: the job's, as the person named it: it stands in the command to type next.
    :param width: columns; only a command or a path may be longer, for it is there to be copied.
    """
    privacy = Privacy.of(figures.sources, show=show_personal_data)
    lines = [
        *_wrapped(" ".join(wording.verdict(figures)), width, 3),
        "",
        *_headline(figures, width),
        "",
        *_problems(figures, privacy, width),
    ]
    return "\n".join(
        [*(wording.cut(line, width) for line in lines), *_written(folder), *_next(figures, folder)]
    )


def _headline(figures: Figures, width: int) -> Iterator[str]:
    overall, rows, sources = figures.overall, figures.books.rows, figures.sources
    where = Path(sources[0].source).name if len(sources) == 1 else f"{len(sources)} sources"
    lines = wording.count(figures.line_items, "line item")
    yield _pair("orders", f"{overall.total:,} with {lines}, from {where}")
    where_rows_are = {
        "in orders": rows.in_orders,
        "ignored": rows.ignored,
        "in no order": rows.in_no_order,
    }
    places = [f"{number:,} {place}" for place, number in where_rows_are.items() if number]
    yield _pair("rows", f"{rows.read:,} read: {', '.join(places) or 'none'}")
    states = [
        f"{overall.count(state):,} {words}"
        for state, words in wording.STATES.items()
        if overall.count(state)
    ]
    yield _pair("states", " · ".join(states) or "none")
    yield from _money(figures, width)
    accounts = sum(account.id is not None for account in figures.accounts)
    yield _pair("dates", f"{wording.span(figures)}, for {wording.count(accounts, 'account')}")
    if figures.delivered:
        wire = figures.wire
        yield _pair(
            "requests",
            f"{wire.requests:,} ({wire.retries:,} retries, {wire.rate_limited:,} rate-limited,"
            f" {wording.count(wire.lookups, 'lookup')})",
        )
    yield from _notes(figures, width)


def _notes(figures: Figures, width: int) -> Iterator[str]:
    """What was decided about the file itself, and should be known without opening the report."""
    told = [one for one in figures.decisions if one.what in TOLD and one.evidence.note]
    for decision in told[:MOST_NOTES]:
        count = f"{decision.evidence.supporting:,} " if decision.evidence.supporting > 1 else ""
        text = f"{decision.what} {decision.value}: {count}{decision.evidence.note}"
        for name, line in zip_longest(["note"], _wrapped(text, width - 10, 2), fillvalue=""):
            yield _pair(name, line)
    if len(told) > MOST_NOTES:
        yield _pair("", f"and {len(told) - MOST_NOTES:,} more: see report.html")


def _money(figures: Figures, width: int) -> Iterator[str]:
    """The money of the export, state by state."""
    parts = [
        f"{amount(figures.overall.money(state), figures.currency)} {words}"
        for state, words in wording.STATES.items()
        if figures.overall.count(state)
    ]
    whole = wording.money(figures.books.export_cents, figures.currency)
    text = f"{whole} in the export: {', '.join(parts)}" if parts else whole
    for name, line in zip_longest(["money"], _wrapped(text, width - 10, 2), fillvalue=""):
        yield _pair(name, line)


def _problems(figures: Figures, privacy: Privacy, width: int) -> Iterator[str]:
    refused = [failure for failure in figures.failures if failure.state is State.FAILED][:1]
    for failure in refused:
        yield f"refused by Shout: {wording.count(failure.orders, 'order')}"
        yield from _indented(privacy.text(failure.reason), width)
    shown = figures.issues[: COMMONEST - len(refused)]
    if not shown and not refused:
        yield "no problems were found"
    for issue in shown:
        yield from _issue(issue, figures, privacy, width)
    if more := len(figures.issues) - len(shown):
        yield f"and {wording.count(more, 'more rule')}: see report.html"
    yield ""


def _issue(issue: Issue, figures: Figures, privacy: Privacy, width: int) -> Iterator[str]:
    number = wording.count(issue.orders, "order") if issue.orders else f"{issue.rows:,} rows"
    head = f"{issue.severity} {issue.rule}: {number}"
    for example in issue.examples[:1]:
        source = f"{Path(example.source).name} " if len(figures.sources) > 1 else ""
        row = None if example.row is None else f"row {example.row}"
        place = ", ".join(filter(None, (row, example.column)))
        value = privacy.cell(example.source, example.column, example.value or "")
        said = f" {wording.shortened(value, 40)!r}" if value else ""
        head += f", e.g. {source}{place}{said}"
    yield head
    yield from _indented(": ".join(filter(None, (issue.title, issue.remedy))), width)


def _indented(text: str, width: int) -> list[str]:
    return [f"  {line}" for line in _wrapped(text, width - 2, 2)]


def _wrapped(text: str, width: int, most: int) -> list[str]:
    return textwrap.wrap(text, width, max_lines=most, placeholder=" …", break_on_hyphens=False)


def _written(folder: Path) -> Iterator[str]:
    more = len(list(folder.glob(MORE_REJECTED_ROWS)))
    rows = REJECTED_ROWS + (f" (and -2 to -{more + 1})" if more else "")
    yield _pair("written", f"{REPORT_PAGE}, {REPORT_JSON}, {RESULTS}, {rows}")
    yield _pair("in", str(folder))


def _next(figures: Figures, folder: Path) -> Iterator[str]:
    command, why = wording.next_command(figures, folder)
    yield _pair("next", command)
    yield _pair("", f"({why})")


def _pair(name: str, text: str) -> str:
    return f"{name:<9} {text}"
