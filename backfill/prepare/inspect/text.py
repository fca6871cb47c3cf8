"""What ``backfill inspect`` found, as text for a terminal, and as a mapping to edit."""

from __future__ import annotations

import re
import shlex
import textwrap
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Final

from backfill.checkpoint.decisions import Decision, SettledBy
from backfill.prepare.column_styles import number_style
from backfill.prepare.convert.cells import one_line
from backfill.prepare.inspect.findings import Inspection, Series
from backfill.prepare.mapping import fields, formats
from backfill.prepare.mapping.completeness import lacks
from backfill.prepare.mapping.guess import column_key
from backfill.prepare.mapping.mapping_file import mapping_toml
from backfill.prepare.settle import ORDER_WORDS
from backfill.prepare.validation.rules import IGNORED_ROW
from backfill.settings import ImportSettings, not_default

_CUSTOMER: Final = ("profile_name", "profile_phone_number", "profile_email")
_ABOUT_CUSTOMERS: Final = re.compile("customer|buyer|client|kunde|user")
_DELIMITERS: Final = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}
_FIELD_WIDTH: Final = max(map(len, fields.FIELDS))
_FILES_SHOWN: Final = 5
_PLACES: Final = {
    "first_row": "on its first row",
    "repeated": "on each of its rows",
    "zero_on_rest": "on its first row, and a literal 0 on the others",
}
#: What a field's name leaves open.
_MEANINGS: Final = {"item_price": " (of the whole line)"}
_PRICES: Final = frozenset({"item_each_price", "item_price"})
_SETTLED_BY: Final = {
    SettledBy.OPTION: "given",
    SettledBy.MAPPING: "by the mapping",
    SettledBy.PLATFORM: "as the platform writes it",
    SettledBy.PROOF: "proved",
    SettledBy.DEFAULT: "assumed",
}
#: To no less than this a sample value is clipped.
_SHORTEST: Final = 8


def render(inspection: Inspection, width: int = 80, *, written: Path | None = None) -> str:
    """What was found, how it would be read, what needs a look, and the next command.

    :param written: the file that :func:`mapping_text` was written to.
    """
    lines: list[str] = []
    for series in inspection.series:
        lines += [*_headline(series, width), ""]
        lines += [*_table(series, width), ""]
        lines += [*_rest(series, width)]
    lines += ["How it is read", *_bullets(_all_decided(_shown(inspection)), width), ""]
    notes = list(_notes(inspection, written))
    if notes:
        lines += ["Look at this", *_bullets(notes, width), ""]
    return "\n".join([*lines, *_next(inspection, width, written)]) + "\n"


def mapping_text(inspection: Inspection) -> str:
    """The first export's mapping, guesses included, as a file for ``--mapping``."""
    series = inspection.series[0]
    remarks = {each: f"a guess, by {found.why}" for each, found in series.guesses.items()}
    return mapping_toml(series.mapping, list(series.column_samples), series.column_samples, remarks)


# --- one series of exports ----------------------------------------------------------------------


def _headline(series: Series, width: int) -> Iterator[str]:
    names = [table.source for table in series.tables]
    for name in names[:_FILES_SHOWN]:
        yield one_line(name)
    if len(names) > _FILES_SHOWN:
        yield f"... and {len(names) - _FILES_SHOWN} more with the same columns"
    yield from _labelled("format", _recognised(series), width)
    table = series.tables[0]
    read_as = [
        f"sheet {table.sheet}" if table.sheet else "",
        table.encoding or "",
        f"{_DELIMITERS.get(table.delimiter, repr(table.delimiter))} separated"
        if table.delimiter
        else "",
        f"header in row {table.header_row}",
        f"{len(table.columns)} columns",
    ]
    yield from _labelled("read as", ", ".join(filter(None, read_as)), width)
    if series.skipped:
        yield from _labelled("left", ", ".join(series.skipped) + " (no orders there)", width)
    counts = [_count(series.rows, "row")]
    if "reference_id" in series.mapping.specs and not series.items_only:
        counts.append(_count(len(series.keys), "order"))
    counts.append(_count(series.line_items, "line item"))
    yield from _labelled("holds", ", ".join(counts), width)
    if not series.items_only:
        yield from _labelled(
            "", f"an order's own values: {_PLACES[series.mapping.order_values]}", width
        )
    for flag, rows in sorted(series.flags.items()):
        why = "no part of an order" if flag == IGNORED_ROW else flag
        yield from _labelled("", f"not imported ({why}): {_count(rows, 'row')}", width)


def _recognised(series: Series) -> str:
    format = series.format
    if series.mapping.format != format.name:
        return f"the mapping file's: {series.mapping.title}"
    if format.name == formats.UNKNOWN:
        return "unknown: no platform has these columns. What stands below is a guess"
    keys = {column_key(column) for column in series.column_samples}

    def present(columns: Sequence[str]) -> int:
        return sum(
            any(column_key(name) in keys for name in (column, *format.aliases.get(column, ())))
            for column in columns
        )

    return (
        f"{format.name} ({format.title}): {present(format.required)} of "
        f"{len(format.required)} columns that it needs, {present(format.telling)} of "
        f"{len(format.telling)} that tell it"
    )


def _table(series: Series, width: int) -> Iterator[str]:
    """Each mapped field with its columns and some values."""
    yield f"  {'field':{_FIELD_WIDTH}}  column: values"
    for each in fields.FIELDS:
        if each not in series.mapping.specs:
            continue
        start = f"{'? ' if each in series.guesses else '  '}{each:{_FIELD_WIDTH}}  "
        spec = one_line(str(series.mapping.specs[each])) + _MEANINGS.get(each, "")
        values = [one_line(value) for value in series.field_samples.get(each, ())] or ["(blank)"]
        together = f"{start}{spec}: {' | '.join(values)}"
        if _width(together) <= width:
            yield together
            continue
        yield from _wrapped(f"{spec}:", width, start, " " * len(start), most=2)
        yield f"      {_shared(values, width - 6)}"
    if series.guesses:
        yield "  ? is a guess; nothing is imported by a guess"


def _shared(values: Sequence[str], room: int) -> str:
    """The values side by side, the long ones clipped so that each has its share of the room."""
    values = [_clip(value, room) for value in values]
    longest = max(map(_width, values))
    while longest > _SHORTEST and _width(_joined(values, longest)) > room:
        longest -= 1
    return _clip(_joined(values, longest), room)


def _joined(values: Sequence[str], longest: int) -> str:
    return " | ".join(_clip(value, longest) for value in values)


def _rest(series: Series, width: int) -> Iterator[str]:
    of_orders = () if series.items_only else fields.ORDER_FIELDS
    wanted = (*of_orders, *fields.LINE_FIELDS)
    absent = [each for each in wanted if each not in series.mapping.specs]
    if len(_PRICES.intersection(absent)) == 1:  # one of the two is enough
        absent = [each for each in absent if each not in _PRICES]
    if absent:
        yield from _labelled("unmapped", ", ".join(absent), width)
    if series.unused:
        yield from _labelled("unused", ", ".join(map(one_line, series.unused)), width, most=6)
    yield ""


# --- what was decided ---------------------------------------------------------------------------


def _shown(inspection: Inspection) -> Iterator[Decision]:
    """The decisions, but for those that stand above and have no more to say."""
    for decision in inspection.decisions:
        is_above = decision.what in ("platform", "delimiter", "field")
        if not is_above or decision.evidence.note is not None:
            yield decision


def _all_decided(decisions: Iterable[Decision]) -> Iterator[str]:
    """Each decision; the values of a status column together, by what becomes of their orders."""
    for about, made in groupby(decisions, key=_of_one_status):
        if about is None:
            yield from map(_decided, made)
            continue
        fates: dict[tuple[str, str], list[str]] = {}
        for one in made:
            value, _, fate = one.value.rpartition(": ")
            by = _SETTLED_BY[one.settled_by] if one.settled_by is not SettledBy.DEFAULT else ""
            fates.setdefault((fate, by), []).append(f"{value!r} ({one.counts})")
        for (fate, by), values in fates.items():
            said = f" ({by})" if by else ""
            yield f"status ({one_line(about)}): {fate}{said}: {', '.join(values)}"


def _of_one_status(decision: Decision) -> str | None:
    return decision.column if decision.what == "status" else None


def _decided(decision: Decision) -> str:
    """``decimal mark: comma (proved; as in '1,50')``."""
    column = f" ({one_line(decision.column)})" if decision.column else ""
    evidence = decision.evidence
    why = [
        evidence.note,
        decision.counts,
        f"as in {evidence.example!r}" if evidence.example else None,
    ]
    is_guess = evidence.note is not None and evidence.note.startswith("a guess")
    by = "; ".join(filter(None, [None if is_guess else _SETTLED_BY[decision.settled_by], *why]))
    otherwise = (
        f" [{decision.override}]"
        if decision.override and decision.settled_by is SettledBy.DEFAULT
        else ""
    )
    return f"{decision.what}{column}: {decision.value} ({by}){otherwise}"


# --- what needs a look --------------------------------------------------------------------------


def _notes(inspection: Inspection, written: Path | None) -> Iterator[str]:
    settings = inspection.settings
    orders = [series for series in inspection.series if not series.items_only]
    for series in inspection.series:
        for refusal in series.refusals:
            yield f"{refusal.message[0].upper()}{refusal.message[1:]}: {refusal.hint}."
        yield from _notes_on_columns(series, settings, written)
    if _lacks_customer(inspection):
        column = _customer_column(inspection)
        yield (
            f"No column is mapped to the customer: give --map profile_name={column} (a customer "
            "number will do), or go without with --map profile_name=."
        )
    if "total" not in _mapped(inspection) and _mapped(inspection) & _PRICES:
        yield ("No column holds the orders' totals, so each total is the sum of the order's lines.")
    affiliates = next((each for each in orders if "affiliate" in each.mapping.specs), None)
    if affiliates is not None and settings.affiliates is None:
        yield (
            f"Column {affiliates.mapping.column_of('affiliate')} names the affiliate of each "
            "order: give their accounts with --affiliates FILE (affiliate, connect_id)."
        )
    if _has_no_account(inspection):
        yield "Nothing says whose orders these are: give --connect-id ID, or map a column to it."
    others = {code for series in orders for code in series.currencies} - {settings.currency}
    if others:
        yield (
            f"Amounts are in {', '.join(sorted(others))}, and orders in another currency than "
            f"the import's ({settings.currency}) are rejected: give --currency."
        )
    naive = next((series.naive for series in orders if series.naive), None)
    if naive is not None and settings.timezone is None:
        yield (
            f"Times such as {naive!r} have no time zone and are taken as UTC: "
            "--timezone NAME places them (America/Denver)."
        )
    foreign = next(_foreign_phones(inspection), None)
    if foreign is not None:
        yield (
            f"Most phone numbers, such as {foreign!r}, are none of the region {settings.region} "
            "and would be left out: give --region, the code of their country."
        )


def _foreign_phones(inspection: Inspection) -> Iterator[str]:
    """A phone number of each export whose numbers are, by their form, of another country."""
    return (series.phones.example for series in inspection.series if series.phones.mostly_bad)


def _mapped(inspection: Inspection) -> set[str]:
    return {field for series in inspection.series for field in series.mapping.specs}


def _has_no_account(inspection: Inspection) -> bool:
    settings = inspection.settings
    return not (
        settings.connect_id
        or settings.user_id
        or _mapped(inspection).intersection(fields.ACCOUNT_FIELDS)
    )


def _lacks_customer(inspection: Inspection) -> bool:
    """No export names a customer, and the user has not said to go without."""
    said = {name for name, _ in inspection.settings.map}
    return not (_mapped(inspection) | said).intersection(_CUSTOMER)


def _customer_column(inspection: Inspection) -> str:
    """A column that nothing is mapped to and that by its name is about the customer."""
    unused = [column for series in inspection.series for column in series.unused]
    return next((name for name in unused if _ABOUT_CUSTOMERS.search(column_key(name))), "COLUMN")


def _notes_on_columns(
    series: Series, settings: ImportSettings, written: Path | None
) -> Iterator[str]:
    if series.guesses and written is not None:
        yield f"The guesses stand in {written}: correct there what is wrong."
    elif series.guesses:
        yield (
            "The guesses are not used until you say so: write them down with --write-mapping "
            "FILE, or give them with --map."
        )
    for missing in lacks(series.mapping.specs, items=series.items_only):
        yield f"Nothing is mapped to {missing}."
    for each, evidence in series.times.items():
        style = evidence.settle(settings.date_order)
        column = series.mapping.column_of(each)
        if style.conflicting:
            yield (
                f"Column {column} has dates with the month first and with the day first; those "
                f"against {style.order} are rejected unless --date-order says otherwise."
            )
        elif style.ambiguous:
            yield (
                f"Column {column}: {style.example!r} can be read in more than one order, and no "
                "row proves which. Give --date-order "
                f"{' or '.join(f'{order} ({ORDER_WORDS[order]})' for order in evidence.open)}."
            )
    for name, marks in series.numbers.items():
        number = number_style(name, marks, series.mapping, settings)
        if number.ambiguous:
            yield (
                f"Column {series.mapping.column_of(name)}: {number.example!r} can be read two "
                "ways, and no row proves whether its mark separates thousands or "
                "decimals. Give --decimal-mark point or --decimal-mark comma."
            )


# --- what to do next ----------------------------------------------------------------------------


def _next(inspection: Inspection, width: int, written: Path | None) -> Iterator[str]:
    exports = [[str(path)] for path in inspection.settings.exports]
    if written is not None:
        options = list(_options(inspection, written))
        if inspection.complete or inspection.as_guessed:
            yield f"Next: look through {written}, then the dry run with it"
            yield from _command("validate", [*exports, *options], width)
        else:
            yield f"Next: fill in what is missing in {written}, and look again"
            yield from _command("inspect", [*exports, *options], width)
        return
    if inspection.complete:
        orders = inspection.orders
        which = "the one order" if orders == 1 else f"all {_count(orders, 'order')}"
        yield f"Next: the dry run of {which}"
        yield from _command("validate", [*exports, *_options(inspection)], width)
        return
    if inspection.as_guessed:
        yield "Next: the dry run with the guesses, if they are right"
        yield from _command(
            "validate", [*exports, ["--accept-guesses"], *_options(inspection)], width
        )
        yield "Or: write the mapping, edit it, and look again"
    else:
        yield "Next: write the mapping, edit it, and look again"
    given = list(_given(replace(inspection.settings, mapping=None)))
    for option in ("--write-mapping", "--mapping"):
        yield from _command("inspect", [*exports, *given, [option, "mapping.toml"]], width)


def _options(inspection: Inspection, mapping: Path | None = None) -> Iterator[list[str]]:
    """The options that were given, and those that are needed, with what to fill in in capitals.

    :param mapping: instead of the mapping that was given.
    """
    settings = inspection.settings
    if mapping is not None:
        settings = replace(settings, mapping=mapping, accept_guesses=False)
    yield from _given(settings)
    if "affiliate" in _mapped(inspection) and settings.affiliates is None:
        yield ["--affiliates", "FILE"]
    if _has_no_account(inspection):
        yield ["--connect-id", "YOUR-ID"]
    if _lacks_customer(inspection):
        yield ["--map", f"profile_name={_customer_column(inspection)}"]
    found = {code for series in inspection.series for code in series.currencies}
    if settings.currency == "USD" and len(found) == 1 and found != {settings.currency}:
        yield ["--currency", *found]
    if next(_foreign_phones(inspection), None) is not None:
        yield ["--region", "COUNTRY"]
    if settings.date_order is None and any(
        evidence.settle(None).ambiguous
        for series in inspection.series
        for evidence in series.times.values()
    ):
        yield ["--date-order", "ORDER"]
    if any(
        number_style(name, marks, series.mapping, settings).ambiguous
        for series in inspection.series
        for name, marks in series.numbers.items()
    ):
        yield ["--decimal-mark", "MARK"]


def _given(settings: ImportSettings) -> Iterator[list[str]]:
    """The options that were given, as they are typed."""
    for each, value in not_default(settings).items():
        if each.flag is None:
            continue
        if value is True:
            yield [each.flag]
        elif each.table is not None:
            yield from ([each.flag, f"{name}={text}"] for name, text in value)
        else:
            yield [each.flag, str(value)]


def _command(name: str, parts: Iterable[Sequence[str]], width: int) -> Iterator[str]:
    """A command to copy, broken between its options where it is too long for a line."""
    line = f"  backfill {name}"
    for part in parts:
        words = " ".join(map(shlex.quote, part))
        if _width(line) + 1 + _width(words) > width - 2 and line.strip():
            yield f"{line} \\"
            line = "   "
        line = f"{line} {words}"
    yield line


# --- setting text -------------------------------------------------------------------------------


def _labelled(label: str, text: str, width: int, most: int = 4) -> Iterator[str]:
    yield from _wrapped(text, width, f"  {label:10}", " " * 12, most=most)


def _bullets(notes: Iterable[str], width: int) -> Iterator[str]:
    for note in dict.fromkeys(notes):
        yield from _wrapped(note, width, "  - ", "    ", most=6)


def _wrapped(text: str, width: int, first: str, further: str, *, most: int) -> Iterator[str]:
    lines = textwrap.wrap(
        one_line(text),
        width,
        initial_indent=first,
        subsequent_indent=further,
        max_lines=most,
        placeholder=" ...",
        break_on_hyphens=False,
    )
    for line in lines:
        yield _clip(line, width)  # textwrap counts a wide character as one column


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _width(text: str) -> int:
    """The columns that a text takes in a terminal."""
    wide = sum(unicodedata.east_asian_width(char) in "WF" for char in text)
    return len(text) + wide - sum(map(bool, map(unicodedata.combining, text)))


def _clip(text: str, width: int) -> str:
    """The text, or as much of its beginning as fits with a mark behind it."""
    if len(text) <= width and _width(text) <= width:
        return text
    taken, room = 0, width - 1
    for char in text:
        room -= _width(char)
        if room < 0:
            break
        taken += 1
    return f"{text[:taken]}…"
