"""Columns that tell of cancelled, refunded or unpaid orders by their values, whatever their names.

A column that nobody has mapped, with ``CANCELLED`` or ``Refund`` in it, decides about purchases
as a status does, be it called "Type" or "状態". So does one called "Refunded?" with a "yes".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import pyarrow as pa

from backfill.prepare.convert.cells import clean
from backfill.prepare.mapping.guess import Guess
from backfill.prepare.mapping.statuses import Meaning, meaning_in

#: A column of states has few different values.
_MOST_VALUES: Final = 30
#: Rows whose values are counted before all of them are looked at.
_FIRST_ROWS: Final = 500
#: What no harmless column says of an order; "test" or "draft" may be anything.
_TELLING: Final = frozenset({
    Meaning.CANCELLED, Meaning.REFUNDED, Meaning.PARTLY_REFUNDED, Meaning.VOIDED, Meaning.UNPAID,
})  # fmt: skip
#: The share of the rows whose words must be known where none of them is telling by itself.
_KNOWN: Final = 0.5
#: The fields that may be given to such a column, in this order.
_FIELDS: Final = ("status", "payment_status", "refund_status")


def with_status_columns(
    guesses: Mapping[str, Guess], rows: pa.Table, columns: Sequence[str], mapped: Sequence[str]
) -> dict[str, Guess]:
    """The guesses, and one for each further column whose values tell of lost purchases.

    :param columns: those that may be guessed at.
    :param mapped: the fields that have a column already.
    """
    found = dict(guesses)
    used = {guess.spec for guess in guesses.values()}
    for column in columns:
        if column in used or column not in rows.column_names:
            continue
        free = [each for each in _FIELDS if each not in found and each not in mapped]
        why = _telling(rows[column], column) if free else None
        if why is not None:
            found[free[0]] = Guess(column, why)
    return found


def _telling(cells: pa.ChunkedArray, column: str) -> str | None:
    """Why a column decides about purchases; None where it does not."""
    if len(cells.slice(0, _FIRST_ROWS).unique()) > _MOST_VALUES:
        return None
    counts = clean(cells.combine_chunks()).drop_null().value_counts()
    if len(counts) > _MOST_VALUES:
        return None
    known = rows = 0
    told: tuple[int, str, Meaning] | None = None
    for value, times in zip(*(counts.field(each).to_pylist() for each in (0, 1)), strict=True):
        meaning = meaning_in(column, value)
        rows += times
        known += times if meaning is not None else 0
        if meaning is not None and meaning is not Meaning.UNCLEAR and meaning is not Meaning.IMPORT:
            told = max(told, (times, value, meaning)) if told else (times, value, meaning)
    if told is None or (told[2] not in _TELLING and known < _KNOWN * rows):
        return None
    times, value, meaning = told
    return f"{value!r} in {times:,} {'row' if times == 1 else 'rows'} means {_said(meaning)}"


def _said(meaning: Meaning) -> str:
    return meaning.replace("_", " ")
