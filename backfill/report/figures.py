"""Everything the reports tell, read from the checkpoint once.

The page, ``report.json`` and the terminal are three ways to show these figures, so they cannot
disagree. Money is whole cents throughout.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from backfill.checkpoint import Activity, Checkpoint, Source, State

Rules = Mapping[str, Mapping[str, str]]
"""What ``meta`` remembers of each rule: severity, and title and remedy or the reason."""

#: In Shout, as far as the checkpoint knows.
IN_SHOUT = (State.CREATED, State.EXISTING)
#: Will not be sent as things stand.
NOT_GOING = (State.REJECTED, State.SKIPPED, State.FAILED)
#: Problems that are shown one by one; the rest is counted, and listed in ``rejected_rows.csv``.
PROBLEMS_SHOWN = 2000
EXAMPLES = 5
#: Reasons why orders did not go, the commonest first.
FAILURES_SHOWN = 50

# Upper bounds of the bars of the distribution of order totals, in cents: 1, 2, 5, 10, ...
_STEPS = tuple(step * 10**power for power in range(2, 9) for step in (1, 2, 5))


@dataclass(slots=True)
class Tally:
    """Orders and their money, by state."""

    orders: Counter[State] = field(default_factory=Counter)
    cents: Counter[State] = field(default_factory=Counter)

    def add(self, state: State, orders: int, cents: int) -> None:
        self.orders[state] += orders
        self.cents[state] += cents

    @property
    def total(self) -> int:
        """Orders in any state."""
        return self.orders.total()

    @property
    def kept_cents(self) -> int:
        """Money of the orders that are not rejected: the contract's ``total_cents``."""
        return self.cents.total() - self.cents[State.REJECTED]

    def count(self, *states: State) -> int:
        return sum(self.orders[state] for state in states)

    def money(self, *states: State) -> int:
        return sum(self.cents[state] for state in states)


@dataclass(frozen=True, slots=True)
class Account:
    """Whose orders they are; both None for orders that name no account."""

    header: str | None
    id: str | None


@dataclass(frozen=True, slots=True)
class Problem:
    """One line of ``problems``, with the order it stands in."""

    rule: str
    severity: str
    source: str
    row: int | None
    column: str | None
    value: str | None
    message: str
    order: int | None
    """id in the checkpoint"""
    reference_id: str | None


@dataclass(frozen=True, slots=True)
class Issue:
    """A rule that was broken, and how often."""

    rule: str
    severity: str
    title: str
    remedy: str
    orders: int
    rows: int
    examples: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why orders did not go, and how many."""

    state: State
    rule: str | None
    reason: str
    orders: int
    cents: int


@dataclass(frozen=True, slots=True)
class Bar:
    """Orders whose total is at least ``low`` and below ``high`` cents; None: without bound."""

    low: int
    high: int | None
    orders: int


@dataclass(frozen=True, slots=True)
class Figures:
    """What the reports tell of a job."""

    meta: Mapping[str, str]
    sources: Sequence[Source]
    overall: Tally
    line_items: int
    first_day: str | None
    last_day: str | None
    accounts: Mapping[Account, Tally]
    """by money, the largest first"""
    months: Mapping[str | None, Tally]
    """in their order; None: orders without a date"""
    ledger: Mapping[tuple[Account, str | None], Tally]
    """by account and month"""
    distribution: Sequence[Bar]
    issues: Sequence[Issue]
    """errors before warnings, the commonest first"""
    problems: Sequence[Problem]
    """all of them, or :data:`PROBLEMS_SHOWN` taken evenly over the rules"""
    problem_lines: int
    failures: Sequence[Failure]
    activity: Mapping[str, Activity]
    """by minute, UTC"""

    @property
    def states(self) -> Mapping[State, int]:
        """Orders in each state; every state is a key."""
        return {state: self.overall.orders[state] for state in State}

    @property
    def rows(self) -> int:
        """Data rows of all sources."""
        return sum(source.rows for source in self.sources)

    @property
    def currency(self) -> str:
        return str(self.settings.get("currency") or "USD")

    @property
    def settings(self) -> dict[str, Any]:
        return self.remembered("settings")

    @property
    def delivered(self) -> bool:
        """Whether anything was ever handed to the network."""
        seen = (*IN_SHOUT, State.SENDING, State.FAILED, State.UNDONE)
        return bool(self.activity) or self.overall.count(*seen) > 0

    @property
    def wire(self) -> Activity:
        """What the wire did in all."""
        return Activity(
            **{
                name: sum(getattr(minute, name) for minute in self.activity.values())
                for name in Activity.__slots__
            }
        )

    def remembered(self, key: str) -> dict[str, Any]:
        """What ``meta`` holds under ``key`` as JSON; nothing where it is not there."""
        found = json.loads(self.meta.get(key) or "{}")
        return found if isinstance(found, dict) else {}

    def seconds(self, part: str) -> float | None:
        """How long ``prepare`` or ``deliver`` took."""
        found = self.meta.get(f"seconds_{part}")
        return None if found is None else float(found)


def collect(checkpoint: Checkpoint) -> Figures:
    """Read the figures of a job."""
    meta = checkpoint.meta()
    rules = json.loads(meta.get("rules") or "{}")
    ledger, first_day, last_day = _ledger(checkpoint)
    problems, problem_lines = _problems(checkpoint)
    return Figures(
        meta=meta,
        sources=checkpoint.sources(),
        overall=_sum(ledger.values()),
        line_items=_one(checkpoint, "SELECT coalesce(sum(line_items), 0) FROM orders"),
        first_day=first_day,
        last_day=last_day,
        accounts=_by_account(ledger),
        months=_by_month(ledger),
        ledger=ledger,
        distribution=_distribution(checkpoint),
        issues=_issues(checkpoint, rules, problems),
        problems=problems,
        problem_lines=problem_lines,
        failures=_failures(checkpoint, rules),
        activity=_activity(checkpoint),
    )


# --- orders ---------------------------------------------------------------------------------


def _ledger(
    checkpoint: Checkpoint,
) -> tuple[dict[tuple[Account, str | None], Tally], str | None, str | None]:
    """Orders and money by account and month, and the first and last day of orders that count."""
    # The keys stand in the order in which they tell rows apart soonest: it sorts faster.
    rows = checkpoint.query(
        "SELECT account_header, account_id, substr(ordered_on, 1, 7) AS month, state, count(*),"
        " coalesce(sum(total_cents), 0), min(ordered_on), max(ordered_on)"
        " FROM orders GROUP BY account_id, month, state, account_header"
    )
    ledger: dict[tuple[Account, str | None], Tally] = {}
    days: set[str] = set()
    for header, account_id, month, state, orders, cents, first, last in rows:
        key = (Account(header, account_id), month)
        ledger.setdefault(key, Tally()).add(State(state), orders, cents)
        if state != State.REJECTED and first is not None:
            days |= {first, last}
    return ledger, min(days, default=None), max(days, default=None)


def _one(checkpoint: Checkpoint, sql: str) -> int:
    return int(checkpoint.query(sql).fetchone()[0])


def _sum(tallies: Iterable[Tally]) -> Tally:
    whole = Tally()
    for tally in tallies:
        whole.orders.update(tally.orders)
        whole.cents.update(tally.cents)
    return whole


def _by_account(ledger: Mapping[tuple[Account, str | None], Tally]) -> dict[Account, Tally]:
    parts: dict[Account, list[Tally]] = {}
    for (account, _), tally in ledger.items():
        parts.setdefault(account, []).append(tally)
    sums = {account: _sum(tallies) for account, tallies in parts.items()}
    return dict(
        sorted(sums.items(), key=lambda item: (-item[1].kept_cents, str(item[0].id or "~")))
    )


def _by_month(ledger: Mapping[tuple[Account, str | None], Tally]) -> dict[str | None, Tally]:
    parts: dict[str | None, list[Tally]] = {}
    for (_, month), tally in ledger.items():
        parts.setdefault(month, []).append(tally)
    return {month: _sum(parts[month]) for month in sorted(parts, key=lambda month: month or "~")}


def _distribution(checkpoint: Checkpoint) -> list[Bar]:
    bars = " ".join(f"WHEN total_cents < {step} THEN {step}" for step in _STEPS)
    found = dict(
        checkpoint.query(
            f"SELECT CASE {bars} END, count(*) FROM orders"
            " WHERE state != 'rejected' AND total_cents >= 0 GROUP BY 1"
        ).fetchall()
    )
    lows = {high: low for low, high in zip((0, *_STEPS), (*_STEPS, None), strict=True)}
    filled = [high for high in lows if found.get(high)]
    if not filled:
        return []
    span = list(lows)[list(lows).index(filled[0]) : list(lows).index(filled[-1]) + 1]
    return [Bar(lows[high], high, found.get(high, 0)) for high in span]


def _failures(checkpoint: Checkpoint, rules: Rules) -> list[Failure]:
    # What Shout answered is kept word by word; a rule has one text for all its orders.
    places = ", ".join("?" * len(NOT_GOING))
    rows = checkpoint.query(
        "SELECT state, rule, CASE WHEN state = 'failed' OR rule IS NULL THEN reason END AS answer,"
        " min(reason), count(*) AS orders, coalesce(sum(total_cents), 0)"
        f" FROM orders WHERE state IN ({places}) GROUP BY state, rule, answer"
        " ORDER BY orders DESC, rule, answer LIMIT ?",
        (*NOT_GOING, FAILURES_SHOWN),
    )
    return [
        Failure(State(state), rule, answer or _title(rule, rules, reason or ""), orders, cents)
        for state, rule, answer, reason, orders, cents in rows
    ]


def _activity(checkpoint: Checkpoint) -> dict[str, Activity]:
    return {
        minute: Activity(*counts)
        for minute, *counts in checkpoint.query("SELECT * FROM activity ORDER BY minute")
    }


# --- problems -------------------------------------------------------------------------------


def _problems(checkpoint: Checkpoint) -> tuple[list[Problem], int]:
    """Problems to show one by one, and how many lines there are in all."""
    by_rule: dict[str, list[int]] = {}
    # A line that stands for many orders has no address of its own, so it is counted, not shown.
    for rule, number in checkpoint.query(
        "SELECT rule, id FROM problems WHERE order_id NOT NULL"
        " OR (severity = 'error' AND row NOT NULL)"
    ):
        by_rule.setdefault(rule, []).append(number)
    chosen = sorted(_evenly(by_rule, PROBLEMS_SHOWN))
    lines = int(checkpoint.query("SELECT coalesce(sum(rows), 0) FROM problems").fetchone()[0])
    return [problem for part in _parts(chosen, 500) for problem in _read(checkpoint, part)], lines


def _evenly(by_rule: Mapping[str, Sequence[int]], room: int) -> Iterator[int]:
    """Of each rule its fair share of the room, spread from its first problem to its last."""
    rest = room
    for left, rule in zip(
        range(len(by_rule), 0, -1),
        sorted(by_rule, key=lambda rule: len(by_rule[rule])),
        strict=True,
    ):
        numbers = by_rule[rule]
        share = min(len(numbers), rest // left)
        rest -= share
        yield from (numbers[index * len(numbers) // share] for index in range(share))


def _parts(numbers: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    return (numbers[start : start + size] for start in range(0, len(numbers), size))


def _read(checkpoint: Checkpoint, numbers: Sequence[int]) -> Iterator[Problem]:
    places = ", ".join("?" * len(numbers))
    rows = checkpoint.query(
        "SELECT p.rule, p.severity, p.source_file, p.row, p.column_name, p.value, p.message,"
        " p.order_id, o.reference_id FROM problems p LEFT JOIN orders o ON o.id = p.order_id"
        f" WHERE p.id IN ({places}) ORDER BY p.id",
        numbers,
    )
    return (Problem(*row) for row in rows)


def _issues(checkpoint: Checkpoint, rules: Rules, problems: Sequence[Problem]) -> list[Issue]:
    examples: dict[tuple[str, str], list[Problem]] = {}
    for problem in problems:
        of_rule = examples.setdefault((problem.rule, problem.severity), [])
        if len(of_rule) < EXAMPLES:
            of_rule.append(problem)
    rows = checkpoint.query(
        "SELECT rule, severity, sum(orders) AS orders, sum(rows), min(message) FROM problems"
        " GROUP BY rule, severity ORDER BY severity, orders DESC, rule"
    )
    issues = []
    for rule, severity, orders, count, message in rows:
        title, remedy = _words(rule, rules, message)
        shown = tuple(examples.get((rule, severity), ()))
        issues.append(Issue(rule, severity, title, remedy, orders, count, shown))
    return issues


def _title(rule: str, rules: Rules, message: str) -> str:
    return _words(rule, rules, message)[0]


def _words(rule: str, rules: Rules, message: str) -> tuple[str, str]:
    """What is wrong and what to do about it: a rule's reason reads ``title: remedy``.

    A job that remembers no rules has the words in its messages, with details in brackets.
    """
    known = rules.get(rule, {})
    reason = known.get("reason") or re.sub(r" \([^()]*\)$", "", message)
    title, _, remedy = reason.partition(": ")
    return known.get("title") or title or rule, known.get("remedy") or remedy
