"""Texts that mean an empty cell, by what a column is used for."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from backfill.prepare.mapping.spec import Spec

#: In an amount these are zero, as accountants write it.
_DASHES: Final = frozenset({"-", "--", "—", "–"})
#: In a name these could be names.
_WORDS: Final = frozenset(
    {"Null", "None", "none", "NONE", "NA", "na", "nil", "(null)", "(none)", "(blank)", "undefined"}
)
#: How databases and spreadsheets write the time zero.
_NO_TIME: Final = frozenset(
    {"0", "0.0", "1900-01-00", "1/0/1900", "0/1/1900", "01/00/1900", "00/01/1900", "00.01.1900"}
    | {
        day + clock
        for day in (
            "0000-00-00", "0000/00/00", "00/00/0000", "00.00.0000", "00-00-0000", "0/0/0000",
            "1899-12-30", "12/30/1899", "30/12/1899", "30.12.1899",
            *(
                day
                for year in ("0001", "1753", "1900", "1970")
                for day in (f"{year}-01-01", f"01/01/{year}", f"1/1/{year}", f"01.01.{year}")
            ),
        )
        for clock in ("", " 00:00", " 00:00:00", "T00:00:00", "T00:00:00Z", " 12:00:00 AM")
    }
)  # fmt: skip


def blanks_of_columns(
    specs: dict[str, Spec],
    blank: frozenset[str],
    *,
    amounts: Collection[str],
    quantities: Collection[str],
    times: Collection[str],
) -> dict[str, frozenset[str]]:
    """The texts that mean an empty cell in the columns of amounts, quantities and times.

    :param blank: those of every other column.
    """
    found: dict[str, frozenset[str]] = {}
    for field, spec in specs.items():
        if field in amounts:
            words = (blank - _DASHES) | _WORDS
        elif field in quantities:
            words = blank | _WORDS
        elif field in times:
            # In a column that holds only the day or the clock, 0 may mean midnight.
            whole = len(spec.columns) == len(spec.choices)
            words = blank | _WORDS | (_NO_TIME if whole else frozenset())
        else:
            continue
        found |= dict.fromkeys(spec.columns, words)
    return found
