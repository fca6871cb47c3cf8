"""Accounting identities tell what the columns of money are, whatever they are called."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from backfill.errors import UsageError
from tests.prepare.amounts.money_sheets import Sheet, money_sheet
from tests.prepare.preparing import csv_text, prepared

#: What a person would have to say of the columns that hold no money.
MAP = (
    ("reference_id", "Doc"),
    ("created_at", "Day"),
    ("profile_name", "Who"),
    ("item_name", "Thing"),
    ("item_quantity", "N"),
)


def outcome(sheet: Sheet, folder: Path) -> str:
    """``right``, ``wrong``, or ``asked`` where the numbers do not tell."""
    export = folder / "orders.csv"
    export.write_text(csv_text(sheet.header, *sheet.rows), encoding="utf-8")
    try:
        bodies = prepared(export, map=MAP, accept_guesses=True).bodies
    except UsageError:
        return "asked"
    for key, body in bodies.items():
        lines = [
            (line["name"], line["quantity"], line["each_price_cents"], line["price_cents"])
            for line in body["line_items"]
        ]
        if body["total_cents"] != sheet.totals[key] or lines != sheet.lines[key]:
            return "wrong"
    return "right" if len(bodies) == len(sheet.totals) else "asked"


def check(seeds: range, folder: Path) -> None:
    sheets = [money_sheet(seed) for seed in seeds]
    outcomes = [outcome(sheet, folder) for sheet in sheets]
    print(Counter(zip((sheet.determined for sheet in sheets), outcomes, strict=True)))
    wrong = [seed for seed, found in zip(seeds, outcomes, strict=True) if found == "wrong"]
    assert not wrong
    assert outcomes.count("right") >= 0.9 * sum(sheet.determined for sheet in sheets)


def test_money_columns_of_nonsense_names(tmp_path: Path) -> None:
    """No order goes out wrong, and at least 90 % of what the numbers tell is recognised."""
    check(range(30), tmp_path)


@pytest.mark.fuzz
def test_money_columns_of_nonsense_names_long(tmp_path: Path) -> None:
    """The same of as many exports as ``BACKFILL_SHEETS`` says."""
    check(range(1000, 1000 + int(os.environ.get("BACKFILL_SHEETS", "200"))), tmp_path)
