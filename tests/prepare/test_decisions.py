"""What was decided while an export was read: one record for each choice, with its evidence."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from backfill import progress
from backfill.checkpoint.decisions import Decision, SettledBy
from backfill.prepare.pipeline import prepare
from backfill.settings import ImportSettings
from tests.prepare.preparing import csv_text


def decided(tmp_path: Path, text: str, **settings: Any) -> dict[tuple[str, str | None], Decision]:
    """The decisions that a preparation stores, by what they are about and their column."""
    export = tmp_path / "orders.csv"
    export.write_text(text, encoding="utf-8")
    wanted = ImportSettings(exports=(export,), connect_id="A1", **settings)
    with TemporaryDirectory() as folder:
        done = prepare(wanted, Path(folder), known={}, progress=progress.make("none"))
        path = done.incoming.finish({})
        with closing(sqlite3.connect(path)) as db:
            rows = db.execute("SELECT what, source, column_name, value, settled_by FROM decisions")
            return {
                (what, column): Decision(
                    what=what,
                    source=source,
                    column=column,
                    value=value,
                    settled_by=SettledBy(settled_by),
                )
                for what, source, column, value, settled_by in rows
            }


EXPORT = csv_text(
    ("reference_id", "created_at", "Kunde", "item_name", "item_price"),
    ("1001", "25/04/2021", "Ada", "Tea", "3,50"),
)


def test_each_choice_is_stored_with_who_settled_it(tmp_path: Path) -> None:
    """A column by its name, a column by an option, what values prove, and defaults."""
    found = decided(tmp_path, EXPORT, map=(("profile_name", "Kunde"),))
    assert found["field", "Kunde"].value == "profile_name"
    assert found["field", "Kunde"].settled_by == SettledBy.OPTION
    assert found["field", "created_at"].settled_by == SettledBy.PLATFORM
    order = found["date order", "created_at"]
    assert (order.value, order.settled_by) == ("dmy", SettledBy.PROOF)
    assert found["decimal mark", "item_price"].value == "comma"
    assert found["currency", None].settled_by == SettledBy.DEFAULT


def test_an_option_settles_what_it_names(tmp_path: Path) -> None:
    """The date order and the time zone that were given are the user's, not the data's."""
    found = decided(
        tmp_path,
        EXPORT.replace("25/04", "05/04"),
        map=(("profile_name", "Kunde"),),
        date_order="dmy",
        timezone="America/Denver",
    )
    assert found["date order", "created_at"].settled_by == SettledBy.OPTION
    assert found["time zone", None].settled_by == SettledBy.OPTION
