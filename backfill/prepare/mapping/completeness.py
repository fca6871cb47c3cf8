"""Whether enough columns are mapped, and how to refuse an export where they are not."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Sequence
from collections.abc import Mapping as Map

from backfill.errors import MappingError
from backfill.prepare.mapping import formats
from backfill.prepare.mapping.field_names import (
    MONEY_FIELDS,
    MUST_BE_DECIDED,
    ORDER_KEY,
    TIME_FIELDS,
)
from backfill.prepare.mapping.formats import Format
from backfill.prepare.mapping.guess import Guess


def lacks(
    mapped: Collection[str],
    *,
    items: bool = False,
    with_items: bool = False,
    left_out: Collection[str] = (),
) -> list[str]:
    """What no order can do without and is not among the ``mapped`` fields, in words.

    :param with_items: the orders' lines are in another export.
    :param left_out: fields that the user wants to be without; one of the times will do.
    """
    lacking = []
    if ORDER_KEY not in mapped:
        lacking.append("reference_id (the order key)")
    if not items and not any(each in mapped or each in left_out for each in TIME_FIELDS):
        lacking.append("created_at (or another time; --map created_at= goes without)")
    if items or with_items:
        return lacking
    priced = any(each in mapped or each in left_out for each in MONEY_FIELDS)
    if not priced and "item_name" not in mapped:
        lacking.append("item_name, with item_price or item_each_price (or total)")
    elif not priced:
        lacking.append("item_price or item_each_price (or total)")
    return lacking


def incomplete(
    lacking: Sequence[str], guesses: Map[str, Guess], format: Format, columns: Sequence[str]
) -> MappingError:
    """The refusal of an export whose columns are not all decided, with the options that do."""
    near = formats.nearest(columns) if format.name == formats.UNKNOWN else None
    problems = []
    if near is not None:
        missing = quoted(near.missing(columns))
        problems.append(f"this looks like {near.title}, but lacks required columns: {missing}")
    elif format.name != formats.UNKNOWN and lacking:
        problems.append(f"this looks like {format.title}, but columns are missing")
    elif format.name not in (formats.UNKNOWN, formats.GENERIC):
        problems.append(f"this looks like {format.title}, but some columns have other names")
    elif lacking:
        problems.append(f"no known platform has the columns {quoted(columns, most=12)}")
    if lacking:
        problems.append(f"no column is mapped to {', or to '.join(lacking)}")
    if guesses:
        shown = ", ".join(f"{each} ({found.spec})" for each, found in guesses.items())
        problems.append(f"only guessed: {shown}")
    return MappingError("; ".join(problems), hint=_how_to_decide(guesses, near))


def _how_to_decide(guesses: Map[str, Guess], near: Format | None) -> str:
    ways = []
    if near is not None:
        ways.append(f"if it is {near.title}, give --format {near.name} and --map what is missing")
    if guesses:
        options = " ".join(
            f"--map {shlex.quote(f'{each}={found.spec}')}" for each, found in guesses.items()
        )
        field = next((each for each in MUST_BE_DECIDED if each in guesses), next(iter(guesses)))
        ways += [
            "'backfill inspect FILE' shows the evidence of each guess",
            f"--accept-guesses uses all of them, as does {options}",
            f"--map {field}= leaves {field} out",
        ]
    ways.append(
        "'backfill inspect FILE --write-mapping mapping.toml' writes a mapping to edit for "
        "--mapping mapping.toml"
    )
    return "; ".join(ways)


def quoted(names: Sequence[str], most: int = 40) -> str:
    """Column names for a message, the first ones of many."""
    shown = ", ".join(map(repr, names[:most]))
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
