"""How each column is read: settled by the user's options, by what the survey proved, or refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from backfill.errors import UsageError
from backfill.prepare import convert
from backfill.prepare.column_styles import (
    contradicted_cents,
    header_currencies,
    header_zone,
    number_style,
)
from backfill.prepare.drafting.by_source import Reading
from backfill.prepare.gathering import Gathered
from backfill.prepare.mapping import fields
from backfill.prepare.survey import Surveyed
from backfill.settings import DateOrder, ImportSettings

#: What each order of a date begins with.
ORDER_WORDS: Mapping[DateOrder, str] = {
    "mdy": "month first",
    "dmy": "day first",
    "ymd": "year first",
}


def readings(surveyed: Sequence[Surveyed], settings: ImportSettings) -> list[Reading]:
    """The style of each source's columns.

    :raises UsageError: a column can be read two ways; the message names the option that settles it.
    :raises MappingError: a header says cents, and its amounts have decimals.
    """
    borrow_proofs(surveyed, settings)
    result = []
    for one in surveyed:
        contradiction = contradicted_cents(one.numbers, one.mapping, one.table.source)
        if contradiction is not None:
            raise contradiction
        result.append(
            Reading(
                label=one.table.source,
                mapping=one.mapping,
                times={name: _time_style(one, name, settings) for name in one.times},
                numbers={name: _number_style(one, name, settings) for name in one.numbers},
                currencies=header_currencies(one.mapping),
            )
        )
    return result


def borrow_proofs(found: Sequence[Gathered], settings: ImportSettings) -> None:
    """Let a column that proves nothing by itself follow others.

    First the same column of the other sources of its format, then its source's other columns of
    the same kind, as far as they can prove it.
    """
    enough = []
    for one in found:
        series = [other for other in found if other.mapping.format == one.mapping.format]
        numbers = {name: _enough_numbers(one, name, series, settings) for name in one.numbers}
        times = {name: _enough_times(one, name, series, settings) for name in one.times}
        enough.append((one, numbers, times))
    for one, numbers, times in enough:
        one.numbers, one.times = numbers, times


# --- numbers --------------------------------------------------------------------------------


def _enough_numbers(
    one: Gathered, name: str, series: Sequence[Gathered], settings: ImportSettings
) -> convert.MarkEvidence:
    """The evidence of a column, with that of other columns where it needs them."""
    evidence = one.numbers[name]
    if number_style(name, evidence, one.mapping, settings).ambiguous:
        for other in series:
            if other is not one and name in other.numbers:
                evidence = evidence | other.numbers[name]
    if not number_style(name, evidence, one.mapping, settings).ambiguous:
        return evidence
    beside = convert.MarkEvidence()
    for other in series:
        for field in fields.MONEY_FIELDS:
            if field != name and field in other.numbers:
                beside = beside | other.numbers[field]
    return evidence.borrowed(beside) if name in fields.MONEY_FIELDS else evidence


def _number_style(one: Surveyed, name: str, settings: ImportSettings) -> convert.NumberStyle:
    evidence = one.numbers[name]
    style = number_style(name, evidence, one.mapping, settings)
    if not style.ambiguous:
        return style
    both = evidence.point is not None and evidence.comma is not None
    why = (
        f"the column has both a decimal point ({evidence.point!r}) and a decimal comma "
        f"({evidence.comma!r})"
        if both
        else "nothing proves whether its mark separates thousands or decimals"
    )
    raise UsageError(
        f"{one.table.source}: column {one.mapping.column_of(name)!r}: {evidence.undecided!r} can "
        f"be read two ways: {why}",
        hint="say which is the decimal mark: --decimal-mark point or --decimal-mark comma",
    )


# --- times ----------------------------------------------------------------------------------


def _enough_times(
    one: Gathered, name: str, series: Sequence[Gathered], settings: ImportSettings
) -> convert.TimeEvidence:
    """The evidence of a column, with that of other columns where it needs them."""
    evidence = one.times[name]
    if evidence.settle(settings.date_order).ambiguous:
        for also in one.times.values():
            evidence = evidence | also
    if evidence.settle(settings.date_order).ambiguous:
        for other in series:
            if name in other.times:
                evidence = evidence | other.times[name]
    return evidence


def _time_style(one: Surveyed, name: str, settings: ImportSettings) -> convert.TimeStyle:
    date_order = settings.date_order
    evidence = one.times[name]
    style = evidence.settle(date_order)
    contradicted = date_order is None and style.conflicting and evidence.undecided is not None
    if style.ambiguous or contradicted:
        example = style.example or evidence.undecided
        why = "other dates prove different orders" if contradicted else "no date proves which"
        possible = list(ORDER_WORDS) if contradicted else evidence.open
        raise UsageError(
            f"{one.table.source}: column {one.mapping.column_of(name)!r}: dates such as "
            f"{example!r} can be read in more than one order, and {why}",
            hint="give "
            + " or ".join(f"--date-order {order} ({ORDER_WORDS[order]})" for order in possible),
        )
    return replace(style, zone=header_zone(name, one.mapping))
