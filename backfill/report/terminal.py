"""The story of a job in at most 25 lines of 80 columns, for the terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from pathlib import Path

from backfill.checkpoint import State
from backfill.report import wording
from backfill.report.figures import Figures, Issue
from backfill.report.masking import Privacy

COMMONEST = 3


def summary(
    figures: Figures, folder: Path, *, width: int = 80, show_personal_data: bool = False
) -> str:
    """At most 25 lines: where the job stands, its figures, its commonest problems, what is next.

    :param folder: the job's, as the person named it: it stands in the command to type next.
    :param width: columns; only a command or a path may be longer, for it is there to be copied.
    """
    privacy = Privacy.of(figures.sources, show=show_personal_data)
    lines = [
        *textwrap.wrap(" ".join(wording.verdict(figures)), width)[:2],
        "",
        *_headline(figures),
        "",
        *_problems(figures, privacy),
    ]
    return "\n".join(
        [*(wording.cut(line, width) for line in lines), *_written(folder), *_next(figures, folder)]
    )


def _headline(figures: Figures) -> Iterator[str]:
    overall, currency = figures.overall, figures.currency
    yield _pair("orders", f"{overall.total:,} from {wording.count(figures.rows, 'row')}")
    states = [
        f"{overall.count(state):,} {words}"
        for state, words in wording.STATES.items()
        if overall.count(state)
    ]
    yield _pair("states", " · ".join(states) or "none")
    accounts = sum(account.id is not None for account in figures.accounts)
    lines = wording.count(figures.line_items, "line item")
    yield _pair("worth", f"{wording.money(overall.kept_cents, currency)} in {lines}")
    yield _pair("dates", wording.span(figures))
    yield _pair("accounts", f"{accounts:,}")
    if figures.delivered:
        wire = figures.wire
        yield _pair(
            "requests",
            f"{wire.requests:,}, of them {wording.count(wire.retries)} again,"
            f" {wire.rate_limited:,} rate limited, {wording.count(wire.lookups, 'lookup')}",
        )


def _problems(figures: Figures, privacy: Privacy) -> Iterator[str]:
    refused = [failure for failure in figures.failures if failure.state is State.FAILED]
    for failure in refused[:1]:
        yield f"refused by Shout: {wording.count(failure.orders, 'order')}"
        yield f"  {privacy.text(failure.reason)}"
    shown = figures.issues[: COMMONEST - len(refused[:1])]
    if not shown and not refused:
        yield "no problems were found"
        yield ""
        return
    for issue in shown:
        yield from _issue(issue, privacy)
    if more := len(figures.issues) - len(shown):
        yield f"and {wording.count(more, 'more rule')}: see report.html"
    yield ""


def _issue(issue: Issue, privacy: Privacy) -> Iterator[str]:
    yield f"{issue.severity} {issue.rule}: {wording.count(issue.orders, 'order')}, {issue.title}"
    for example in issue.examples[:1]:
        column = f", column {example.column}" if example.column else ""
        value = privacy.cell(example.source, example.column, example.value or "")
        said = f": {wording.shortened(value, 40)!r}" if value else ""
        yield f"  e.g. {Path(example.source).name} row {example.row}{column}{said}"
    if issue.remedy:
        yield f"  -> {issue.remedy}"


def _written(folder: Path) -> Iterator[str]:
    more = len(list(folder.glob("rejected_rows-*.csv")))
    rows = "rejected_rows.csv" + (f" (and -2 to -{more + 1})" if more else "")
    yield _pair("written", f"report.html, report.json, results.csv, {rows}")
    yield _pair("in", str(folder))


def _next(figures: Figures, folder: Path) -> Iterator[str]:
    command, why = wording.next_command(figures, folder)
    yield _pair("next", command)
    yield _pair("", f"({why})")


def _pair(name: str, text: str) -> str:
    return f"{name:<9} {text}"
