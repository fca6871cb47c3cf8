"""Which column of an export is which field: the platform's word, a mapping file's, and ``--map``'s.

Whatever is named and is not there is refused with the nearest name; nothing is guessed.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Sequence
from collections.abc import Mapping as Map
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from backfill.checkpoint.decisions import SettledBy
from backfill.errors import MappingError
from backfill.job_folder.files import REJECTION_COLUMNS
from backfill.prepare.mapping import formats
from backfill.prepare.mapping.completeness import incomplete, lacks, quoted
from backfill.prepare.mapping.field_names import (
    ACCOUNT_FIELDS,
    FIELDS,
    LINE_FIELDS,
    MUST_BE_DECIDED,
    ORDER_FIELDS,
    ORDER_KEY,
)
from backfill.prepare.mapping.formats import Format, OrderKey, OrderValues, RowRule
from backfill.prepare.mapping.guess import Guess, column_key, country_columns
from backfill.prepare.mapping.packed import PackedColumns
from backfill.prepare.mapping.spec import Part, Spec, Template, parse_spec
from backfill.prepare.mapping.statuses import Meaning

#: Taken from any export that bears them. ``user_id`` is not: other platforms call their own
#: customers so, and orders would land in a stranger's account.
_FREE_ACCOUNT_FIELDS: Final = ("connect_id", "affiliate")
#: Fields whose text is digits, where Excel users write an apostrophe in front.
_DIGIT_FIELDS: Final = (ORDER_KEY, "profile_phone_number", "connect_id", "user_id")
_DIGIT_COLUMNS: Final = re.compile(r"zip|post(al)? ?-?_?code|postcode|\bplz\b|phone|\btel", re.I)


@dataclass(frozen=True, slots=True)
class Mapping:
    """Which column is which field in one export, and what the platform's values mean."""

    format: str
    title: str
    specs: dict[str, Spec]
    """each mapped field's columns, by their names in the export"""
    order_values: OrderValues = "repeated"
    """where order-level values stand: on an order's ``first_row``, ``repeated`` on each row, or
    on the first with a literal zero on the rest"""
    order_key: OrderKey | None = None
    """where the order key stands: on an order's ``first_row`` only, or on ``every_row``; None
    where the export itself has to prove it"""
    blank: frozenset[str] = frozenset()
    """texts that mean an empty cell"""
    rows: tuple[RowRule, ...] = ()
    statuses: Map[str, Meaning] = field(default_factory=dict)
    """what the platform's own status values mean, or the mapping file's, by :func:`status_key`"""
    packed: PackedColumns | None = None
    of_fixed_rows: bool = False
    """the export is a ``rejected_rows.csv`` that came back"""
    settled_by: Map[str, SettledBy] = field(default_factory=dict, compare=False)
    """who said which column each mapped field is"""
    guesses: Map[str, Guess] = field(default_factory=dict, compare=False)
    """those of the mapped fields whose column was guessed"""
    unused: Map[str, Guess] = field(default_factory=dict, compare=False)
    """guesses at other fields that nobody accepted"""
    misfits: Map[str, str] = field(default_factory=dict, compare=False)
    """columns that bear a field's name and do not serve it, with why their values do not fit"""
    escaped: frozenset[str] = frozenset()
    """columns whose texts have HTML entities"""
    country: Spec | None = None
    """the column of the customer's country, which tells where a phone number is at home"""
    digits: frozenset[str] = field(default_factory=frozenset)
    """columns whose cells lose Excel's text marker, an apostrophe before digits"""

    @property
    def is_platform(self) -> bool:
        """Whether the export is a known platform's."""
        return self.format in formats.names() and self.format != formats.GENERIC

    @property
    def zero_is_blank(self) -> frozenset[str]:
        """Fields where a literal zero on an order's further rows says nothing."""
        return frozenset({"total"} if self.order_values == "zero_on_rest" else ())

    @property
    def with_choices(self) -> tuple[str, ...]:
        """An order's own fields that are the first that is not blank of several columns."""
        own = (*ORDER_FIELDS, *ACCOUNT_FIELDS)
        mapped = (each for each in own if each in self.specs and each != ORDER_KEY)
        return tuple(each for each in mapped if len(self.specs[each].choices) > 1)

    def column_of(self, field: str) -> str:
        """The name of the field's column, or columns, for a person; the field's own if unmapped."""
        spec = self.specs.get(field)
        return field if spec is None else ", ".join(spec.columns)


def build_mapping(
    format: Format,
    columns: Sequence[str],
    *,
    map: Sequence[tuple[str, str]] = (),
    mapping_file: Path | None = None,
    items: bool = False,
    with_items: bool = False,
    elsewhere: Collection[str] = (),
    misfits: Map[str, str] | None = None,
    guesses: Map[str, Guess] | None = None,
    accept_guesses: bool = False,
    complete: bool = True,
) -> Mapping:
    """Settle which column is which field.

    A mapping file replaces the recognised format; ``map`` overrides both. A column that ``map``
    names for one field no longer serves another. Columns match by their exact name, else by it
    without case, spaces and punctuation; a column that nobody named is used only if it has
    exactly a field's name.

    :param map: pairs of a field and its SPEC; an empty SPEC leaves the field unmapped.
    :param items: the export holds line items only (``--items``): of its columns only the order
        key and the line fields are used.
    :param with_items: the line items of this export's orders are in another one.
    :param elsewhere: columns of the other exports that the same options are for. A SPEC may name
        them; where it names nothing else, it does not concern this export.
    :param misfits: columns whose values do not fit the contract's name that they bear, with why.
    :param guesses: the likeliest columns of fields that nobody has mapped.
    :param accept_guesses: use them.
    :param complete: refuse a mapping that lacks a field which every order needs, or that leaves
        a guess undecided which would change what is sent.
    :raises MappingError: an unknown field or column, a SPEC that cannot be read, or a mapping
        that is not complete.
    """
    if mapping_file is not None:
        format = formats.load(mapping_file)
    finder = _Finder(columns, format, elsewhere)
    wanted = (ORDER_KEY, *LINE_FIELDS) if items else FIELDS
    if mapping_file is not None:
        specs = _from_file(format, finder, mapping_file)
    else:
        specs = _from_platform(format, finder)
        for column in misfits or ():
            del specs[column]
    packing = PackedColumns.find(format.packed, finder.columns)
    if any(text.strip() and _known_field(name) in LINE_FIELDS for name, text in map):
        packing = None  # the user says where the items stand
    if packing is not None:
        specs |= {each: Spec.of_column(packing.shown) for each in packing.grammar.fields}
    unmapped = _lay_over(specs, map, finder)
    specs = {each: spec for each, spec in specs.items() if each in wanted}
    settled_by = _settled_by(specs, map, mapping_file)
    open_guesses = _open_guesses(guesses or {}, specs, unmapped, wanted)
    if accept_guesses:
        accepted, open_guesses = open_guesses, {}
        specs |= {each: parse_spec(found.spec) for each, found in accepted.items()}
        settled_by |= dict.fromkeys(accepted, SettledBy.DEFAULT)
    else:
        accepted = {}
    lacking = lacks(specs, items=items, with_items=with_items, left_out=unmapped)
    undecided = [each for each in MUST_BE_DECIDED if each in open_guesses]
    if complete and (lacking or undecided):
        raise incomplete(lacking, open_guesses, format, finder.columns)
    return Mapping(
        format=format.name,
        title=format.title,
        specs=specs,
        order_values=format.order_values,
        order_key=format.order_key,
        blank=format.blank,
        rows=_rules_that_apply(format.rows, finder),
        statuses=format.statuses,
        packed=packing,
        of_fixed_rows=all(column in columns for column in REJECTION_COLUMNS[:2]),
        settled_by=settled_by,
        guesses=accepted,
        unused=open_guesses,
        misfits=misfits or {},
        country=_country(specs, finder.columns),
        digits=frozenset(_digit_columns(specs)),
    )


def _open_guesses(
    guesses: Map[str, Guess],
    specs: Map[str, Spec],
    unmapped: Collection[str],
    wanted: Collection[str],
) -> dict[str, Guess]:
    """The guesses for fields that nobody mapped, of columns that serve no other field."""
    used = {column for spec in specs.values() for column in spec.columns}
    return {
        each: found
        for each, found in guesses.items()
        if each in wanted
        and each not in specs
        and each not in unmapped
        and not used.intersection(parse_spec(found.spec).columns)
    }


def _settled_by(
    specs: Map[str, Spec], map: Sequence[tuple[str, str]], mapping_file: Path | None
) -> dict[str, SettledBy]:
    """Who mapped each field: ``--map``, the mapping file, or the platform."""
    otherwise = SettledBy.PLATFORM if mapping_file is None else SettledBy.MAPPING
    mapped = {_known_field(name) for name, text in map if text.strip()}
    return {each: SettledBy.OPTION if each in mapped else otherwise for each in specs}


def _lay_over(specs: dict[str, Spec], map: Sequence[tuple[str, str]], finder: _Finder) -> set[str]:
    """Put the user's SPECs over those that are there; returns the fields left out on purpose."""
    unmapped: set[str] = set()
    chosen: set[str] = set()
    for name, text in map:
        each = _known_field(name)
        if not text.strip():
            specs.pop(each, None)
            unmapped.add(each)
            continue
        unmapped.discard(each)
        spec = _strict_spec(text, finder, f"--map {each}={text}")
        if spec is not None:
            specs[each] = spec
            chosen.add(each)
    _take_away(specs, chosen)
    return unmapped


def _take_away(specs: dict[str, Spec], chosen: Collection[str]) -> None:
    """A column that the user gave to one field serves no other, but where the user says so."""
    claimed = {column for each in chosen for column in specs[each].single_columns}
    for each in specs.keys() - chosen:
        rest = specs[each].without(claimed)
        if rest is None:
            del specs[each]
        else:
            specs[each] = rest


class _Finder:
    """Finds a column by a name that may be written a little differently."""

    def __init__(
        self, columns: Sequence[str], format: Format, elsewhere: Collection[str] = ()
    ) -> None:
        self.columns = tuple(column for column in columns if column not in REJECTION_COLUMNS)
        self._aliases = format.aliases
        self._by_key: dict[str, list[str]] = {}
        for column in self.columns:
            self._by_key.setdefault(column_key(column), []).append(column)
        self._elsewhere = frozenset(map(column_key, elsewhere))

    def __call__(self, name: str) -> str | None:
        """The column for a platform's name: its own, or what other versions call it."""
        for each in (name, *self._aliases.get(name, ())):
            if each in self.columns:
                return each
        for each in (name, *self._aliases.get(name, ())):
            found = self._by_key.get(column_key(each))
            if found:
                return found[0]
        return None

    def exactly(self, name: str) -> str | None:
        """The column of just this name."""
        return name if name in self.columns else None

    def strictly(self, name: str, where: str) -> str | None:
        """The column that a user means; None where only another export has it.

        :raises MappingError: no export has it, or there are several.
        """
        if name in self.columns:
            return name
        found = self._by_key.get(column_key(name), [])
        if len(found) == 1:
            return found[0]
        if found:
            raise MappingError(
                f"{where}: {name!r} could be any of the columns {quoted(found)}",
                hint="write the column's name exactly",
            )
        if column_key(name) in self._elsewhere:
            return None
        raise self.unknown(name, where)

    def unknown(self, name: str, where: str) -> MappingError:
        """The complaint about a column that is not there."""
        by_lower = {column.lower(): column for column in self.columns}
        close = difflib.get_close_matches(name.lower(), by_lower, n=1)
        meant = f"did you mean {by_lower[close[0]]!r}? " if close else ""
        return MappingError(
            f"{where}: there is no column {name!r}",
            hint=f"{meant}the columns are {quoted(self.columns)}",
        )


def _known_field(name: str) -> str:
    each = name.strip()
    if each in FIELDS:
        return each
    close = difflib.get_close_matches(each.lower(), FIELDS, n=1, cutoff=0.5)
    meant = f"did you mean {close[0]!r}? " if close else ""
    raise MappingError(
        f"there is no field {each!r}", hint=f"{meant}the fields are {', '.join(FIELDS)}"
    )


def _from_platform(format: Format, finder: _Finder) -> dict[str, Spec]:
    specs: dict[str, Spec] = {}
    find = finder.exactly if format.name in (formats.GENERIC, formats.UNKNOWN) else finder
    for each, text in format.fields.items():
        spec = parse_spec(text).renamed(find)
        if spec is not None:
            specs[each] = spec
    for each in _FREE_ACCOUNT_FIELDS:
        if each not in specs and each in finder.columns:
            specs[each] = Spec.of_column(each)
    return specs


def _from_file(format: Format, finder: _Finder, path: Path) -> dict[str, Spec]:
    specs: dict[str, Spec] = {}
    for name, text in format.fields.items():
        each = _known_field(name)
        if text.strip():
            spec = _loose_spec(text, finder, f"{path}: {each}")
            if spec is not None:
                specs[each] = spec
    return specs


def _strict_spec(text: str, finder: _Finder, where: str) -> Spec | None:
    """A SPEC of which every column must be there, as one that was typed for this very export."""
    if text in finder.columns:
        return Spec.of_column(text)
    return parse_spec(text).renamed(lambda name: finder.strictly(name, where))


def _loose_spec(text: str, finder: _Finder, where: str) -> Spec | None:
    """A SPEC of which one column must be there: a mapping file is for a whole series of exports."""
    if text in finder.columns:
        return Spec.of_column(text)
    wanted = parse_spec(text)
    spec = wanted.renamed(finder)
    if spec is None:
        for name in wanted.columns:
            finder.strictly(name, where)
    return spec


def _rules_that_apply(rules: Sequence[RowRule], finder: _Finder) -> tuple[RowRule, ...]:
    """The rules whose columns are all there, with the columns as the export names them."""
    applying = []
    for rule in rules:
        found = [each.column if each.column is None else finder(each.column) for each in rule.when]
        when = tuple(
            replace(each, column=column)
            for each, column in zip(rule.when, found, strict=True)
            if (each.column is None) == (column is None)
        )
        if len(when) == len(rule.when):
            applying.append(replace(rule, when=when))
    return tuple(applying)


def _country(specs: Map[str, Spec], columns: Sequence[str]) -> Spec | None:
    """The country that the address names, first for shipping and then for billing; without one
    in the address, the export's other columns of countries."""
    address = specs.get("profile_shipping_address_raw")
    inside = () if address is None else address.columns
    named = [name for name in inside if "country" in name.casefold() or country_columns([name])]
    found = named or country_columns(columns)
    return Spec(tuple(Template((Part(name),)) for name in found)) if found else None


def _digit_columns(specs: Map[str, Spec]) -> set[str]:
    columns = {column for each in _DIGIT_FIELDS if each in specs for column in specs[each].columns}
    return columns | {
        column
        for spec in specs.values()
        for column in spec.columns
        if _DIGIT_COLUMNS.search(column)
    }
