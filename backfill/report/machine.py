"""``report.json``: the figures for programs, as ``report_schema.json`` describes them."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from backfill.checkpoint import IN_SHOUT, State
from backfill.checkpoint.decisions import Decision
from backfill.job_folder.files import REPORT_JSON
from backfill.report.figures import Figures, Issue
from backfill.report.masking import Privacy
from backfill.report.tallies import Tally
from backfill.report.writing import writing

SCHEMA_VERSION = 1
#: Of a check: its lines stand in ``sign_off``, and examples may quote an order.
_KEPT_OUT = ("sign_off", "examples")


def write_json(folder: Path, figures: Figures, privacy: Privacy) -> Path:
    """Write ``report.json``."""
    path = folder / REPORT_JSON
    with writing(path) as file:
        file.write(
            json.dumps(as_json(figures, privacy), ensure_ascii=False, indent=1).encode() + b"\n"
        )
    return path


def as_json(figures: Figures, privacy: Privacy) -> dict[str, Any]:
    """The figures under the contract's keys."""
    wire = figures.wire
    return {
        "schema_version": SCHEMA_VERSION,
        "sources": [
            {
                "path": source.path,
                "sheet": source.sheet,
                "sha256": source.sha256,
                "format": source.format,
                "rows": source.rows,
            }
            for source in figures.sources
        ],
        "rows": figures.books.rows.read,
        "orders": {"total": figures.overall.total, **_states(figures.overall)},
        "line_items": figures.line_items,
        "total_cents": figures.overall.kept_cents,
        "currency": figures.currency,
        "first_day": figures.first_day,
        "last_day": figures.last_day,
        "issues": [_issue(issue, privacy) for issue in figures.issues],
        "accounts": [
            {"account_id": account.id, "account_header": account.header, **_tally(tally)}
            for account, tally in figures.accounts.items()
        ],
        "months": [{"month": month, **_tally(tally)} for month, tally in figures.months.items()],
        "sign_off": _sign_off(figures),
        "verify": _verify(figures),
        "api": {
            "requests": wire.requests,
            "retries": wire.retries,
            "rate_limited": wire.rate_limited,
            "lookups": wire.lookups,
        },
        "seconds": {"prepare": figures.seconds("prepare"), "deliver": figures.seconds("deliver")},
        "books": {
            "rows": asdict(figures.books.rows),
            "money_cents": {"export": figures.books.export_cents, **figures.books.cents},
        },
        "decisions": [_decision(decision, privacy) for decision in figures.decisions],
    }


def _decision(decision: Decision, privacy: Privacy) -> dict[str, Any]:
    made = asdict(decision)
    made["evidence"] |= {"example": privacy.example(decision)}
    return made


def _sign_off(figures: Figures) -> list[dict[str, Any]]:
    read_back = figures.read_back
    return [
        {
            "account_id": account.id,
            "month": month,
            "orders": tally.total,
            "total_cents": tally.all_cents,
            "shout_orders": tally.count(*IN_SHOUT),
            "shout_total_cents": tally.money(*IN_SHOUT),
            "found_orders": found_orders,
            "found_total_cents": found_cents,
        }
        for (account, month), tally in figures.ledger.items()
        for found_orders, found_cents in [read_back.get((account.id, month), (None, None))]
    ]


def _verify(figures: Figures) -> dict[str, Any] | None:
    """The latest check's verdict; its lines stand in ``sign_off``."""
    told = {name: it for name, it in figures.remembered("verify").items() if name not in _KEPT_OUT}
    return told or None


def _tally(tally: Tally) -> dict[str, int]:
    return {"orders": tally.total, "total_cents": tally.kept_cents, **_states(tally)}


def _states(tally: Tally) -> dict[str, int]:
    return {state.value: tally.count(state) for state in State}


def _issue(issue: Issue, privacy: Privacy) -> dict[str, Any]:
    return {
        "rule": issue.rule,
        "severity": issue.severity,
        "orders": issue.orders,
        "rows": issue.rows,
        "title": issue.title,
        "remedy": issue.remedy,
        "examples": [
            {
                "source": example.source,
                "row": example.row,
                "column": example.column,
                "reference_id": example.reference_id,
                "value": None
                if example.value is None
                else privacy.cell(example.source, example.column, example.value),
            }
            for example in issue.examples
        ],
    }
