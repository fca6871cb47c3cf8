"""Everything the reports tell, read from the checkpoint once.

The page, ``report.json`` and the terminal are three ways to show these figures, so they cannot
disagree. Money is whole cents throughout.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backfill.checkpoint import IN_SHOUT, NOT_CREATED, Activity, Checkpoint, Source, State, as_sql
from backfill.checkpoint.decisions import Decision, decisions
from backfill.report.books import Books, read_books
from backfill.report.tallies import Account, Bar, Tally, combined, read_tallies

Rules = Mapping[str, Mapping[str, str]]
"""What ``meta`` remembers of each rule: its severity, title and remedy."""

#: Was handed to the network at some time.
SENT = (*IN_SHOUT, State.SENDING, State.FAILED, State.UNDONE)
#: Problems that are shown one by one; the rest is counted, and listed in ``rejected_rows.csv``.
PROBLEMS_SHOWN = 2000
EXAMPLES = 5
#: Reasons why orders were left out, the commonest first.
FAILURES_SHOWN = 50


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
    """Why orders were left out, and how many."""

    state: State
    rule: str | None
    reason: str
    orders: int
    cents: int


@dataclass(frozen=True, slots=True)
class Figures:
    """What the reports tell of a job."""

    meta: Mapping[str, str]
    currency: str
    sources: Sequence[Source]
    books: Books
    decisions: Sequence[Decision]
    """in the order in which they were made"""
    overall: Tally
    line_items: int
    first_day: str | None
    last_day: str | None
    accounts: Mapping[Account, Tally]
    """by money, the largest first"""
    months: Mapping[str | None, Tally]
    """in their order; None: orders without a date"""
    ledger: Mapping[tuple[Account, str | None], Tally]
    """by account and month, once something was sent: for the sign-off"""
    distribution: Sequence[Bar]
    issues: Sequence[Issue]
    """errors before warnings, the commonest first"""
    problems: Sequence[Problem]
    """all of them, or :data:`PROBLEMS_SHOWN` taken evenly over the rules"""
    problem_lines: int
    failures: Sequence[Failure]
    activity: Mapping[str, Activity]
    """by minute, UTC"""
    delivered: bool
    """whether anything was ever handed to the network"""

    @property
    def states(self) -> Mapping[State, int]:
        """Orders in each state; every state is a key."""
        return {state: self.overall.count(state) for state in State}

    @property
    def settings(self) -> dict[str, Any]:
        return self.remembered("settings")

    @property
    def wire(self) -> Activity:
        """What the wire did in all."""
        return Activity(
            **{
                name: sum(getattr(minute, name) for minute in self.activity.values())
                for name in Activity.__slots__
            }
        )

    @property
    def affiliates(self) -> dict[str, str]:
        """The affiliate of each account id, as ``--affiliates`` names it."""
        return self.remembered("affiliates")

    @property
    def read_back(self) -> dict[tuple[str | None, str | None], tuple[int, int]]:
        """Orders and cents that a check of all orders found in Shout, by account id and month."""
        return {
            (line["account_id"], line["month"]): (line["found_orders"], line["found_cents"])
            for line in self.remembered("verify").get("sign_off", ())
        }

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
    rules = checkpoint.remembered("rules")
    sources = checkpoint.sources()
    tallies = read_tallies(checkpoint)
    overall = combined(tallies.months.values())
    activity = _activity(checkpoint)
    delivered = bool(activity) or overall.count(*SENT) > 0
    problems, problem_lines = _problems(checkpoint)
    return Figures(
        meta=meta,
        currency=checkpoint.currency(),
        sources=sources,
        books=read_books(checkpoint, sources, overall),
        decisions=decisions(checkpoint),
        overall=overall,
        line_items=_one(checkpoint, "SELECT coalesce(sum(line_items), 0) FROM orders"),
        first_day=tallies.first_day,
        last_day=tallies.last_day,
        accounts=tallies.accounts,
        months=tallies.months,
        ledger=tallies.ledger() if delivered else {},
        distribution=tallies.distribution,
        issues=_issues(checkpoint, rules, problems),
        problems=problems,
        problem_lines=problem_lines,
        failures=_failures(checkpoint, rules),
        activity=activity,
        delivered=delivered,
    )


# --- orders ---------------------------------------------------------------------------------


def _one(checkpoint: Checkpoint, sql: str) -> int:
    return int(checkpoint.query(sql).fetchone()[0])


def _failures(checkpoint: Checkpoint, rules: Rules) -> list[Failure]:
    # What Shout answered is kept word by word; a rule has one text for all its orders.
    rows = checkpoint.query(
        "SELECT state, rule,"
        " CASE WHEN state <> 'rejected' OR rule IS NULL THEN reason END AS answer,"
        " count(*) AS orders, coalesce(sum(total_cents), 0)"
        f" FROM orders WHERE state IN ({as_sql(NOT_CREATED)}) GROUP BY state, rule, answer"
        " ORDER BY orders DESC, rule, answer LIMIT ?",
        (FAILURES_SHOWN,),
    )
    return [
        Failure(
            State(state),
            rule,
            answer or _words(rule or "no reason is known", rules)[0],
            orders,
            cents,
        )
        for state, rule, answer, orders, cents in rows
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
    # A line that stands for many rows has no address of its own, so it is counted, not shown;
    # but one about a whole column names it.
    found = checkpoint.query(
        "SELECT rule, id FROM problems WHERE rows = 1 OR (row IS NULL AND column_name IS NOT NULL)"
    )
    for rule, number in found:
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
        "SELECT rule, severity, sum(orders) AS orders, sum(rows) FROM problems"
        " GROUP BY rule, severity ORDER BY severity, orders DESC, rule"
    )
    issues = []
    for rule, severity, orders, count in rows:
        title, remedy = _words(rule, rules)
        shown = tuple(examples.get((rule, severity), ()))
        issues.append(Issue(rule, severity, title, remedy, orders, count, shown))
    return issues


def _words(rule: str, rules: Rules) -> tuple[str, str]:
    """What is wrong and what to do about it.

    A rule that the job does not remember goes by its id: its messages may quote a customer.
    """
    known = rules.get(rule, {})
    return known.get("title", rule), known.get("remedy", "")
