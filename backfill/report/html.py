"""``report.html``: one file that opens offline, for whoever presses the button and whoever signs.

The charts are drawn by Observable Plot and the table of problems is DataTables; both stand in
``static/`` and in the page itself, so nothing outside it is ever asked (its
Content-Security-Policy says so to the browser too). What comes from an export only gets in
through Jinja's escaping.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from backfill.checkpoint import IN_SHOUT, NOT_CREATED, Activity, Checkpoint, Source, State
from backfill.checkpoint.decisions import Decision, Evidence, SettledBy
from backfill.job_folder.files import REPORT_PAGE
from backfill.money import amount, decimals, units
from backfill.report import wording
from backfill.report.compiled import CompiledTemplate
from backfill.report.figures import PROBLEMS_SHOWN, Figures
from backfill.report.masking import Privacy
from backfill.report.samples import samples
from backfill.report.tallies import Account, Tally, combined
from backfill.report.wording import count, money, shortened
from backfill.report.writing import writing

ACCOUNTS_SHOWN = 100
ACCOUNTS_CHARTED = 15
RULES_CHARTED = 20
LEDGER_SHOWN = 1000
STEPS_CHARTED = 120
#: Lengths of a step in the chart of the wire, in minutes.
_STEPS = (1, 2, 5, 10, 30, 60, 180, 720, 1440)
VALUE_SHOWN = 160
NO_DATE = "no date"

_FOLDER = Path(__file__).parent
_TEMPLATE = "template.html.j2"
#: Scripts and styles of the page, in the order in which they are needed.
_SCRIPTS = ("d3.min.js", "plot.umd.min.js", "dataTables.min.js", "report.js")
_STYLES = ("report.css",)


@dataclass(frozen=True, slots=True)
class Row:
    """Orders and money under one heading: an account, a month, or both."""

    name: str
    month: str
    tally: Tally
    affiliate: str = ""
    """whose account it is, as ``--affiliates`` names it"""
    found: tuple[int, int] | None = None
    """orders and cents that were read back from Shout, where all orders were"""

    @property
    def left_out(self) -> int:
        return self.tally.count(*NOT_CREATED)

    @property
    def included(self) -> int:
        return self.tally.total - self.left_out

    @property
    def in_shout(self) -> int:
        return self.tally.count(*IN_SHOUT)

    @property
    def cents_in_shout(self) -> int:
        return self.tally.money(*IN_SHOUT)

    @property
    def stands(self) -> bool:
        """Whether what was read back is what the job has created."""
        created = (self.tally.count(State.CREATED), self.tally.money(State.CREATED))
        return self.found == created

    @property
    def missing(self) -> int:
        """Orders that the export has and Shout has not."""
        return self.tally.total - self.in_shout

    @property
    def cents_missing(self) -> int:
        return self.tally.all_cents - self.cents_in_shout


def write_html(folder: Path, checkpoint: Checkpoint, figures: Figures, privacy: Privacy) -> Path:
    """Write ``report.html``."""
    path = folder / REPORT_PAGE
    page = (
        _environment(figures)
        .get_template(_TEMPLATE)
        .render(
            figures=figures,
            overall=figures.overall,
            books=figures.books,
            job=folder.resolve().name.removesuffix(".backfill"),
            verdict=wording.verdict(figures),
            tone=_tone(figures),
            states=[
                (state, words, figures.overall.count(state), figures.overall.money(state))
                for state, words in wording.STATES.items()
                if figures.overall.count(state)
            ],
            next=wording.next_command(figures, folder),
            accounts=_accounts(figures),
            months=_months(figures),
            problems=_problems(figures, privacy),
            decisions=_decisions(figures, privacy),
            failures=[
                (failure, shortened(privacy.text(failure.reason), 300))
                for failure in figures.failures
            ],
            ledger=_ledger(figures),
            whole=_together("All orders", _months(figures)),
            samples=samples(folder, checkpoint, figures, privacy),
            settings=_settings(figures.settings),
            adopted=figures.remembered("adopted"),
            verify=figures.remembered("verify"),
            charts=_charts(figures),
            masked=not privacy.show,
            scripts=_static(_SCRIPTS),
            styles=_static(_STYLES),
            PROBLEMS_SHOWN=PROBLEMS_SHOWN,
            State=State,
        )
    )
    with writing(path) as file:
        file.write(page.encode())
    return path


def _environment(figures: Figures) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        bytecode_cache=CompiledTemplate(_FOLDER / _TEMPLATE, Path(__file__)),
        autoescape=True,
        finalize=lambda value: wording.visible(value) if type(value) is str else value,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["count"] = count
    environment.filters["money"] = partial(_money, currency=figures.currency)
    environment.filters["amount"] = partial(amount, currency=figures.currency)
    environment.filters["short"] = shortened
    environment.filters["duration"] = _duration
    environment.filters["delimiter"] = _delimiter
    environment.filters["unused"] = _unused
    return environment


def _static(names: Iterable[str]) -> Markup:
    """Our own files word by word: they are code, not data."""
    texts = ((_FOLDER / "static" / name).read_text(encoding="utf-8") for name in names)
    return Markup("\n".join(texts))  # noqa: S704


def _tone(figures: Figures) -> str:
    """How the verdict looks: ``good``, ``mixed`` or ``bad``."""
    overall = figures.overall
    left_out = overall.count(*NOT_CREATED)
    if not overall.total or left_out == overall.total:
        return "bad"
    return "mixed" if left_out or overall.count(State.SENDING) else "good"


def account_name(account: Account) -> str:
    """How an account is called on the page."""
    return shortened(account.id or "no account", 60)


def _affiliate(figures: Figures, account: Account) -> str:
    return shortened(figures.affiliates.get(account.id or "", ""), 60)


def _by_money(figures: Figures) -> list[tuple[Account, Tally]]:
    """By the money in the export, which is what the tables and the chart show; largest first."""
    return sorted(figures.accounts.items(), key=lambda item: -item[1].all_cents)


# --- the tables -----------------------------------------------------------------------------


def _accounts(figures: Figures) -> list[Row]:
    """The largest accounts, and the rest as one."""
    found = _found(figures, lambda account, _: account)
    rows = [
        Row(
            account_name(account),
            "",
            tally,
            _affiliate(figures, account),
            found.get(account.id),
        )
        for account, tally in _by_money(figures)
    ]
    rest = rows[ACCOUNTS_SHOWN:]
    if rest:
        rows[ACCOUNTS_SHOWN:] = [_together(count(len(rest), "other account"), rest)]
    return rows


def _months(figures: Figures) -> list[Row]:
    found = _found(figures, lambda _, month: month)
    return [
        Row("", month or NO_DATE, tally, found=found.get(month))
        for month, tally in figures.months.items()
    ]


def _ledger(figures: Figures) -> list[Row]:
    """By account and month; where that is too long, only the lines with a difference."""
    found = figures.read_back
    rows = [
        Row(
            account_name(account),
            month or NO_DATE,
            tally,
            _affiliate(figures, account),
            found.get((account.id, month)),
        )
        for (account, month), tally in figures.ledger.items()
    ]
    if len(rows) > LEDGER_SHOWN:
        rows = [row for row in rows if row.missing or (found and not row.stands)][:LEDGER_SHOWN]
    return sorted(rows, key=lambda row: (row.name, row.month))


def _together(name: str, rows: Sequence[Row]) -> Row:
    found = [row.found for row in rows if row.found]
    sums = (sum(orders for orders, _ in found), sum(cents for _, cents in found))
    return Row(name, "", combined(row.tally for row in rows), found=sums if found else None)


def _found(
    figures: Figures, key: Callable[[str | None, str | None], str | None]
) -> dict[str | None, tuple[int, int]]:
    """What was read back, added up by account or by month."""
    sums: dict[str | None, tuple[int, int]] = {}
    for (account, month), (orders, cents) in figures.read_back.items():
        before = sums.get(key(account, month), (0, 0))
        sums[key(account, month)] = (before[0] + orders, before[1] + cents)
    return sums


def _problems(figures: Figures, privacy: Privacy) -> list[dict[str, Any]]:
    names = _names(figures.sources)
    return [
        {
            "severity": problem.severity,
            "rule": problem.rule,
            "source": names.get(problem.source, problem.source),
            "row": problem.row,
            "column": problem.column or "",
            "value": shortened(
                privacy.cell(problem.source, problem.column, problem.value or ""), VALUE_SHOWN
            ),
            "reference_id": shortened(problem.reference_id or "", VALUE_SHOWN),
            "message": shortened(privacy.message(problem), 2 * VALUE_SHOWN),
        }
        for problem in sorted(figures.problems, key=lambda problem: problem.severity)
    ]


def _decisions(figures: Figures, privacy: Privacy) -> list[tuple[str, list[dict[str, Any]]]]:
    """What was decided about each source, then about all of them."""
    names = _names(figures.sources)
    by_source: dict[str, list[dict[str, Any]]] = {}
    for decision in figures.decisions:
        source = decision.source
        heading = "All sources" if source is None else names.get(source, source)
        by_source.setdefault(heading, []).append(
            {
                "what": decision.what,
                "column": decision.column or "",
                "value": decision.value,
                "settled_by": decision.settled_by.value,
                "evidence": _evidence(decision, privacy.example(decision)),
                "override": decision.override or "",
                "is_choice": not _is_plain(decision),
            }
        )
    return list(by_source.items())


def _is_plain(decision: Decision) -> bool:
    """A column that was mapped and has no more to say."""
    mapped = decision.what == "field" and decision.settled_by is not SettledBy.DEFAULT
    return mapped and decision.evidence == Evidence()


def _evidence(decision: Decision, example: str | None) -> str:
    """``all 24 agree; 21/04/2021 in row 7; the note``."""
    evidence = decision.evidence
    said = [decision.counts] if decision.counts else []
    if decision.what == "status":  # its example is the value itself
        said.append(f"first in row {evidence.row}")
    elif example is not None:
        row = "" if evidence.row is None else f" in row {evidence.row}"
        said.append(f"{shortened(example, 60)!r}{row}")
    if evidence.note is not None:
        said.append(evidence.note)
    return "; ".join(said)


def _names(sources: Sequence[Source]) -> dict[str, str]:
    """Sources by their file's name, where that tells them apart."""
    names = {source.source: Path(source.source).name for source in sources}
    return names if len(set(names.values())) == len(names) else {}


def _settings(settings: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Settings that say something, in words."""
    said = []
    for name, value in settings.items():
        if value in (None, False, "", [], {}):
            continue
        text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        said.append((name.replace("_", "-"), text))
    return said


# --- the charts -----------------------------------------------------------------------------


def _charts(figures: Figures) -> dict[str, Any]:
    """What ``report.js`` draws; money in whole units of the currency, since nobody reads cents."""
    # A zero date has its line in the tables, and no century of empty months in a chart.
    first, last = (figures.first_day or "~")[:7], (figures.last_day or "")[:7]
    return {
        "currency": figures.currency,
        "decimals": decimals(figures.currency),
        "months": [
            {
                "month": row.month,
                "included": row.included,
                "left_out": row.left_out,
                "included_money": units(
                    row.tally.all_cents - row.tally.money(*NOT_CREATED), figures.currency
                ),
                "left_out_money": units(row.tally.money(*NOT_CREATED), figures.currency),
            }
            for row in _months(figures)
            if first <= row.month <= last
        ],
        "rules": [
            {"rule": issue.rule, "severity": issue.severity, "orders": issue.orders or issue.rows}
            for issue in figures.issues[:RULES_CHARTED]
        ],
        "accounts": [
            {
                "account": shortened(account_name(account), 24),
                "money": units(tally.all_cents, figures.currency),
            }
            for account, tally in _by_money(figures)[:ACCOUNTS_CHARTED]
        ],
        "distribution": [
            {"label": _range(bar.low, bar.high, figures.currency), "orders": bar.orders}
            for bar in figures.distribution
        ],
        "activity": _activity(figures.activity),
    }


def _activity(activity: Mapping[str, Activity]) -> dict[str, Any]:
    """What the wire did, in steps of so many minutes that a chart has room for all of them."""
    if not activity:
        return {"minutes": 0, "steps": []}
    times = {minute: datetime.fromisoformat(f"{minute}+00:00") for minute in activity}
    first, last = min(times.values()), max(times.values())
    span = (last - first) // timedelta(minutes=1) + 1
    minutes = next((step for step in _STEPS if span <= step * STEPS_CHARTED), _STEPS[-1])
    sums: dict[datetime, Counter[str]] = {}
    for minute, wire in activity.items():
        start = first + (times[minute] - first) // timedelta(minutes=minutes) * timedelta(
            minutes=minutes
        )
        sums.setdefault(start, Counter()).update(asdict(wire))
    return {
        "minutes": minutes,
        "steps": [{"start": start.isoformat(), **step} for start, step in sorted(sums.items())],
    }


def _range(low: int, high: int | None, currency: str) -> str:
    """``5–10`` in whole units of the currency."""
    first = _compact(low, currency)
    return f"{first}+" if high is None else f"{first}–{_compact(high, currency)}"


def _compact(cents: int, currency: str) -> str:
    whole = int(units(cents, currency))
    for size, letter in ((1_000_000, "M"), (1_000, "k")):
        if whole >= size:
            return f"{whole // size}{letter}"
    return str(whole)


# --- words of the page ----------------------------------------------------------------------


def _money(cents: int, currency: str) -> Markup:
    """``USD 1,234.56``, the currency set apart so that the digits stand out."""
    code, _, digits = money(cents, currency).partition(" ")
    return Markup('<span class="money"><small>{}</small> {}</span>').format(code, digits)


def _duration(seconds: float) -> str:
    """``12 s``, ``3 min 20 s`` or ``2 h 5 min``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _delimiter(text: str) -> str:
    return {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}.get(text, repr(text))


def _unused(source: Source) -> list[str]:
    """Columns that no field is read from."""
    mapped = source.details.get("mapped_columns", {})
    used = {name for columns in mapped.values() for name in columns}
    return [name for name in source.details.get("columns", ()) if name not in used]
