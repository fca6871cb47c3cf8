"""For each platform a small export with its quirks, beside the bodies that come of it.

``python tests/prepare/test_golden.py`` writes the expected files anew: read the difference before
you commit it.
"""

from __future__ import annotations

import json
import os
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from backfill import progress
from backfill.prepare.inspect.findings import inspect
from backfill.prepare.mapping import formats
from backfill.prepare.pipeline import prepare
from backfill.settings import ImportSettings
from tests.places import GOLDEN

#: Nothing but what a user would have to say of such an export.
SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "amazon_all_orders": {"map": (("profile_name", "merchant-order-id"),)},
    "etsy_orders": {"items": Path("etsy.csv")},
    "magento": {"items": Path("magento-items.csv")},
    "online_retail": {"map": (("profile_name", "CustomerID"),)},
}
#: Decisions about rows that only a preparation groups into orders.
COUNTED_LATER = ("rows without a key", "blank rows")


@pytest.mark.parametrize("platform", formats.names())
def test_golden(platform: str) -> None:
    """The export is recognised without being told, and comes to the very same bodies."""
    expected = (GOLDEN / f"{platform}.expected").read_text(encoding="utf-8")
    assert outcome(platform) == expected


@pytest.mark.parametrize("platform", formats.names())
def test_inspect_finds_the_same_evidence(platform: str) -> None:
    """Inspect shows each decision with the very counts and examples that a preparation stores."""
    with _in_golden():
        shown = inspect(settings(platform)).decisions
    with _prepared(platform) as db:
        rows = db.execute(
            "SELECT what, source, column_name, value, settled_by, evidence FROM decisions"
        )
        stored = {row[:5]: json.loads(row[5]) for row in rows if row[0] not in COUNTED_LATER}
    assert stored
    assert stored == {
        (one.what, one.source, one.column, one.value, one.settled_by): asdict(one.evidence)
        for one in shown
    }


def settings(platform: str) -> ImportSettings:
    """What is given to read a platform's export."""
    (export,) = (path.name for path in GOLDEN.glob(f"{platform}.*") if path.suffix != ".expected")
    return ImportSettings(
        exports=(Path(export),),
        connect_id="A1",
        timezone="America/Denver",
        **SETTINGS.get(platform, {}),
    )


def outcome(platform: str) -> str:
    """What a platform's export comes to: its orders with their bodies, and its problems."""
    with _prepared(platform) as db:
        return "\n".join(_lines(db)) + "\n"


@contextmanager
def _prepared(platform: str) -> Iterator[sqlite3.Connection]:
    with _in_golden(), tempfile.TemporaryDirectory() as folder:
        wanted = settings(platform)
        prepared = prepare(wanted, Path(folder), known={}, progress=progress.make("none"))
        path = prepared.incoming.finish({})
        with closing(sqlite3.connect(path)) as db:
            yield db


def _lines(db: sqlite3.Connection) -> Iterator[str]:
    for source, format, rows in db.execute("SELECT source, format, rows FROM sources"):
        yield f"{source}: {format}, {rows} rows"
    for rows, state, rule, payload in db.execute(
        "SELECT source_rows, state, rule, payload FROM orders ORDER BY id"
    ):
        yield f"\nrows {rows}: {state}{f' ({rule})' if rule else ''}"
        if payload is not None:
            yield json.dumps(json.loads(payload), indent=1, ensure_ascii=False)
    problems = db.execute(
        "SELECT severity, rule, row, column_name, value, message FROM problems ORDER BY id"
    ).fetchall()
    yield "\nproblems"
    for severity, rule, row, column, value, message in problems:
        place = ", ".join(str(part) for part in (row and f"row {row}", column, value) if part)
        yield f"  {severity} {rule} [{place}] {message}"


@contextmanager
def _in_golden() -> Iterator[None]:
    """Paths are shown as they were given, so they are given without a machine's folders."""
    before = Path.cwd()
    os.chdir(GOLDEN)
    try:
        yield
    finally:
        os.chdir(before)


if __name__ == "__main__":
    for name in formats.names():
        (GOLDEN / f"{name}.expected").write_text(outcome(name), encoding="utf-8")
