"""The fields of an order, and how the columns of one export become them.

:func:`build_mapping` settles once which column is which field; :func:`apply` then renames, trims
and joins whole columns, row by row as they stand: what belongs to one order is put together later.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Sequence
from collections.abc import Mapping as Map
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from backfill.errors import MappingError
from backfill.prepare import formats, packed
from backfill.prepare.cells import clean, without_text_marker
from backfill.prepare.formats import MENDED_COLUMNS, Condition, Format, OrderValues, RowRule
from backfill.prepare.packed import PackedColumns
from backfill.prepare.spec import Spec, parse_spec

__all__ = [
    "ACCOUNT_FIELDS",
    "FIELDS",
    "LINE_FIELDS",
    "MONEY_FIELDS",
    "ORDER_FIELDS",
    "TIME_FIELDS",
    "ZONE",
    "Mapping",
    "Spec",
    "apply",
    "build_mapping",
    "parse_spec",
]

TIME_FIELDS: Final = (
    "created_at",
    "invoiced_at",
    "paid_at",
    "shipped_at",
    "refunded_at",
    "cancelled_at",
)
ORDER_FIELDS: Final = (
    "reference_id",
    *TIME_FIELDS,
    "description",
    "profile_name",
    "profile_phone_number",
    "profile_email",
    "profile_shipping_address_raw",
    "total",
    "currency",
    "status",
    "shipping_link",
    "shipping_state",
)
ACCOUNT_FIELDS: Final = ("connect_id", "user_id", "affiliate")
LINE_FIELDS: Final = ("item_name", "item_quantity", "item_each_price", "item_price")
MONEY_FIELDS: Final = ("total", "item_each_price", "item_price")
#: The name of the time zone that the row's naive times are in.
ZONE: Final = "zone"
#: All that can be mapped.
FIELDS: Final = (*ORDER_FIELDS, *ACCOUNT_FIELDS, *LINE_FIELDS, ZONE)

#: Taken from any export that bears them. ``user_id`` is not: other platforms call their own
#: customers so, and orders would land in a stranger's account.
_FREE_ACCOUNT_FIELDS: Final = ("connect_id", "affiliate")
#: Fields whose text is digits, where Excel users write an apostrophe in front.
_DIGIT_FIELDS: Final = ("reference_id", "profile_phone_number", "connect_id", "user_id")
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
    zero_is_blank: frozenset[str] = frozenset()
    """fields where a literal zero on an order's further rows says nothing"""
    blank: frozenset[str] = frozenset()
    """texts that mean an empty cell"""
    rows: tuple[RowRule, ...] = ()
    packed: PackedColumns | None = None
    mended: bool = False
    """the export is a ``rejected_rows.csv`` that came back"""
    digits: frozenset[str] = field(default_factory=frozenset)
    """columns whose cells lose Excel's text marker, an apostrophe before digits"""

    def column_of(self, field: str) -> str:
        """The name of the field's column, or columns, for a person; the field's own if unmapped."""
        spec = self.specs.get(field)
        return field if spec is None else ", ".join(spec.columns)


# --- settling the mapping -----------------------------------------------------------------------


def build_mapping(
    format: Format,
    columns: Sequence[str],
    *,
    map: Sequence[tuple[str, str]] = (),
    mapping_file: Path | None = None,
    items: bool = False,
) -> Mapping:
    """Settle which column is which field.

    A mapping file takes the place of the recognised format; ``map`` goes over either. Columns
    match by their exact name, else by it without case, spaces and punctuation.

    :param map: pairs of a field and its SPEC; an empty SPEC leaves the field unmapped.
    :param items: the export holds line items only (``--items``), so no order-level field is needed.
    :raises MappingError: an unknown field or column, a SPEC that cannot be read, or an order
        without a field that it must have.
    """
    mended = all(column in columns for column in MENDED_COLUMNS[:2])
    finder = _Finder([column for column in columns if column not in MENDED_COLUMNS], format)
    if mapping_file is not None:
        format = formats.load(mapping_file)
        finder = _Finder(finder.columns, format)
        specs = _from_file(format, finder, mapping_file)
    else:
        specs = _from_platform(format, finder)
    packing = PackedColumns.find(format.packed, finder.columns)
    if packing is not None:
        specs |= {each: Spec.of_column(packing.shown) for each in packing.grammar.fields}
    unmapped: set[str] = set()
    for name, text in map:
        each = _known_field(name)
        if each in LINE_FIELDS and packing is not None:
            packing, specs = (
                None,
                {key: spec for key, spec in specs.items() if key not in LINE_FIELDS},
            )
        if text.strip():
            specs[each] = _settle(each, text, finder, "--map")
            unmapped.discard(each)
        else:
            specs.pop(each, None)
            unmapped.add(each)
    _check_enough(specs, format, finder.columns, unmapped, items=items)
    return Mapping(
        format=format.name,
        title=format.title,
        specs=specs,
        order_values=format.order_values,
        zero_is_blank=format.zero_is_blank,
        blank=format.blank,
        rows=_rules_that_apply(format.rows, finder),
        packed=packing,
        mended=mended,
        digits=frozenset(_digit_columns(specs)),
    )


class _Finder:
    """Finds a column by a name that may be written a little differently."""

    def __init__(self, columns: Sequence[str], format: Format) -> None:
        self.columns = tuple(columns)
        self._aliases = format.aliases
        self._by_key: dict[str, list[str]] = {}
        for column in columns:
            self._by_key.setdefault(formats.column_key(column), []).append(column)

    def __call__(self, name: str) -> str | None:
        """The column for a platform's name: its own, or what other versions call it."""
        for each in (name, *self._aliases.get(name, ())):
            if each in self.columns:
                return each
        for each in (name, *self._aliases.get(name, ())):
            found = self._by_key.get(formats.column_key(each))
            if found:
                return found[0]
        return None

    def strictly(self, name: str, where: str) -> str:
        """The column that a user means.

        :raises MappingError: there is none, or there are several.
        """
        if name in self.columns:
            return name
        found = self._by_key.get(formats.column_key(name), [])
        if len(found) == 1:
            return found[0]
        if found:
            raise MappingError(
                f"{where}: {name!r} could be any of the columns {_quoted(found)}",
                hint="write the column's name exactly",
            )
        raise self.unknown(name, where)

    def unknown(self, name: str, where: str) -> MappingError:
        """The complaint about a column that is not there."""
        by_lower = {column.lower(): column for column in self.columns}
        close = difflib.get_close_matches(name.lower(), by_lower, n=1)
        meant = f"did you mean {by_lower[close[0]]!r}? " if close else ""
        return MappingError(
            f"{where}: there is no column {name!r}",
            hint=f"{meant}the columns are {_quoted(self.columns)}",
        )


def _known_field(name: str) -> str:
    each = name.strip()
    if each in FIELDS:
        return each
    close = difflib.get_close_matches(each.lower(), FIELDS, n=1, cutoff=0.5)
    meant = f"did you mean {close[0]!r}? " if close else ""
    raise MappingError(
        f"there is no field {each!r} to map", hint=f"{meant}the fields are {', '.join(FIELDS)}"
    )


def _from_platform(format: Format, finder: _Finder) -> dict[str, Spec]:
    specs: dict[str, Spec] = {}
    for each, text in format.fields.items():
        spec = parse_spec(text).renamed(finder)
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
        if not text.strip():
            continue
        if finder(text) is not None:
            specs[each] = Spec.of_column(finder(text) or text)
            continue
        wanted = parse_spec(text)
        spec = wanted.renamed(finder)
        if spec is None:
            raise finder.unknown(wanted.columns[0], f"{path}: {each}")
        specs[each] = spec
    return specs


def _settle(each: str, text: str, finder: _Finder, where: str) -> Spec:
    if text in finder.columns:
        return Spec.of_column(text)
    spec = parse_spec(text).renamed(lambda name: finder.strictly(name, f"{where} {each}={text}"))
    assert spec is not None, "every column was found, or this had been refused"
    return spec


def _check_enough(
    specs: Map[str, Spec],
    format: Format,
    columns: Sequence[str],
    unmapped: set[str],
    *,
    items: bool,
) -> None:
    """Refuse a mapping that could not make one order.

    :raises MappingError: it names what is missing and the way on.
    """
    missing = []
    if "reference_id" not in specs:
        missing.append("reference_id (the order key)")
    if (
        not items
        and not unmapped.intersection(TIME_FIELDS)
        and not any(each in specs for each in TIME_FIELDS)
    ):
        missing.append("created_at (or another time; --map created_at= goes without)")
    if not any(each in specs for each in ("item_name", "item_each_price", "item_price", "total")):
        missing.append("item_name with item_price or item_each_price (or total)")
    if not missing:
        return
    if format.name == formats.UNKNOWN:
        what = f"no known platform has these columns: {_quoted(columns)}"
    else:
        what = f"this looks like {format.title}, but a column that it needs is missing"
    raise MappingError(
        f"{what}; nothing is mapped to {', '.join(missing)}",
        hint="map it with --map FIELD=COLUMN, or let 'backfill inspect FILE --write-mapping "
        "mapping.toml' write a mapping to edit, and give it with --mapping mapping.toml",
    )


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


def _digit_columns(specs: Map[str, Spec]) -> set[str]:
    columns = {column for each in _DIGIT_FIELDS if each in specs for column in specs[each].columns}
    return columns | {
        column
        for spec in specs.values()
        for column in spec.columns
        if _DIGIT_COLUMNS.search(column)
    }


def _quoted(names: Sequence[str], most: int = 40) -> str:
    shown = ", ".join(map(repr, names[:most]))
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


# --- applying it to rows ------------------------------------------------------------------------


def apply(mapping: Mapping, table: pa.Table) -> pa.Table:
    """The rows of ``table`` in the canonical fields, as text, trimmed, blank as null.

    One row stays one row, except where line items are packed in a cell: then each item is a row
    of its own with the same ``_row``. A cell's text is not changed otherwise, but for Excel's
    text marker (an apostrophe before digits) in order keys, account ids, phones and post codes.

    :param table: text columns by the names the mapping was built from, ``_row`` and ``_ragged``.
    :returns: every field of :data:`FIELDS`; ``flag`` (null; ``ignored_row``: not a row of an
        order; else the rule that rejects the row's order); ``_row`` and ``_ragged`` as they were;
        ``_mended_source`` (string) and ``_mended_row`` (int64), null unless the export is a
        mended ``rejected_rows.csv``.
    """
    rows = table.num_rows
    cells = _Cells(mapping, table)
    lines = mapping.packed.grammar.fields if mapping.packed else {}
    texts = {each: spec.text(cells) for each, spec in mapping.specs.items() if each not in lines}
    flag, no_item = _judge(mapping.rows, texts, cells, rows)
    if no_item.any():
        hidden = pa.array(no_item)
        for each in LINE_FIELDS:
            if each in texts:
                texts[each] = pc.if_else(hidden, None, texts[each])
    nothing = pa.nulls(rows, pa.string())
    out = {each: texts.get(each, nothing) for each in FIELDS}
    out["flag"] = flag
    out["_row"] = table["_row"]
    out["_ragged"] = table["_ragged"]
    out["_mended_source"] = cells("backfill_source") if mapping.mended else nothing
    out["_mended_row"] = _whole_numbers(cells("backfill_row") if mapping.mended else nothing)
    if mapping.packed is not None:
        return packed.unpack(mapping.packed, cells, pa.table(out))
    return pa.table(out)


class _Cells:
    """The cleaned cells of a table's columns; each column is cleaned once."""

    def __init__(self, mapping: Mapping, table: pa.Table) -> None:
        self._mapping = mapping
        self._table = table
        self._cleaned: dict[str, pa.StringArray] = {}

    def __call__(self, name: str) -> pa.StringArray:
        if name not in self._cleaned:
            cells = clean(_one_array(self._table[name]), self._mapping.blank)
            if name in self._mapping.digits:
                cells = without_text_marker(cells)
            self._cleaned[name] = cells
        return self._cleaned[name]


def _one_array(column: pa.ChunkedArray) -> pa.StringArray:
    if column.num_chunks == 1:
        return column.chunk(0)
    return column.combine_chunks()


def _judge(
    rules: Sequence[RowRule],
    texts: Map[str, pa.StringArray],
    cells: Callable[[str], pa.StringArray],
    rows: int,
) -> tuple[pa.StringArray, npt.NDArray[np.bool_]]:
    """Each row's flag, by the first rule that it meets, and the rows that hold no line item."""
    flags = [rule.flag for rule in rules]
    met = np.full(rows, -1, dtype=np.int64)
    no_item = np.zeros(rows, dtype=bool)
    for number, rule in enumerate(rules):
        places = np.arange(rows)
        for condition in rule.when:
            if not len(places):
                break
            places = places[_holds(condition, places, texts, cells)]
        if rule.no_item:
            no_item[places] = True
        else:
            places = places[met[places] < 0]
            met[places] = number
    if (met < 0).all():
        return pa.nulls(rows, pa.string()), no_item
    return pa.array(flags, pa.string()).take(pa.array(met, mask=met < 0)), no_item


def _holds(
    condition: Condition,
    places: npt.NDArray[np.int64],
    texts: Map[str, pa.StringArray],
    cells: Callable[[str], pa.StringArray],
) -> npt.NDArray[np.bool_]:
    """For each of the rows at ``places`` whether it meets the condition."""
    if condition.column is not None:
        column = cells(condition.column)
    elif condition.field in texts:
        column = texts[condition.field]
    else:
        return np.full(len(places), condition.blank is True)
    if condition.blank is not None:
        if column.null_count == 0:
            return np.full(len(places), not condition.blank)
        is_blank = column.is_null().to_numpy(zero_copy_only=False)[places]
        return np.asarray(is_blank == condition.blank)
    if len(places) < len(column):
        column = column.take(pa.array(places))
    if condition.pattern is not None:
        held = pc.match_substring_regex(column, condition.pattern)
    else:
        held = pc.is_in(pc.utf8_lower(column), value_set=pa.array(sorted(condition.values)))
    return np.asarray(pc.fill_null(held, False).to_numpy(zero_copy_only=False))


def _whole_numbers(column: pa.StringArray) -> pa.Int64Array:
    """Row numbers as numbers; null where a text is none."""
    digits = pc.fill_null(pc.match_substring_regex(column, r"^[0-9]{1,15}$"), False)
    return pc.cast(pc.if_else(digits, column, None), pa.int64())
