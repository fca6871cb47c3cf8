"""The fields of an order, and how an export's rows come to be in them.

:func:`build_mapping` settles once which column is which field; :func:`apply` then renames, trims
and joins whole columns, row by row as they stand: what belongs to one order is put together later.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Mapping as Map

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from backfill.prepare.convert.cells import clean, without_text_marker
from backfill.prepare.mapping import packed
from backfill.prepare.mapping.blanks import blanks_of_columns
from backfill.prepare.mapping.build import Mapping, build_mapping
from backfill.prepare.mapping.entities import decoded
from backfill.prepare.mapping.field_names import (
    ACCOUNT_FIELDS,
    FIELDS,
    LINE_FIELDS,
    MONEY_FIELDS,
    NUMBER_FIELDS,
    ORDER_FIELDS,
    REFUNDED_TOTAL,
    RELATED_FIELDS,
    TIME_FIELDS,
    ZONE,
)
from backfill.prepare.mapping.formats import Condition, RowRule
from backfill.prepare.mapping.mapping_file import mapping_toml
from backfill.prepare.mapping.spec import Spec, parse_spec

__all__ = [
    "ACCOUNT_FIELDS",
    "FIELDS",
    "LINE_FIELDS",
    "MONEY_FIELDS",
    "NUMBER_FIELDS",
    "ORDER_FIELDS",
    "REFUNDED_TOTAL",
    "RELATED_FIELDS",
    "TIME_FIELDS",
    "ZONE",
    "Mapping",
    "Spec",
    "apply",
    "build_mapping",
    "choice_column",
    "mapping_toml",
    "parse_spec",
]

ADDRESS = "profile_shipping_address_raw"
#: The column of the country that the order's address is in; no field of its own.
COUNTRY = "country"


def apply(mapping: Mapping, table: pa.Table) -> pa.Table:
    """The rows of ``table`` in the canonical fields, as text, trimmed, blank as null.

    One row stays one row, except where line items are packed in a cell: then each item is a row
    of its own with the same ``_row``. A cell's text is not changed otherwise, but for Excel's
    text marker (an apostrophe before digits) in order keys, account ids, phones and post codes.

    :param table: text columns by the names the mapping was built from, ``_row`` and ``_ragged``.
    :returns: every field of :data:`FIELDS`; the :func:`choice_column` of those with several
        choices; :data:`COUNTRY`; ``flag`` (null; ``ignored_row``: not a row of an
        order; else the rule that rejects the row's order); ``_row`` and ``_ragged`` as they were;
        ``_fixed_source`` (string) and ``_fixed_row`` (int64), null unless the export is a
        fixed ``rejected_rows.csv``.
    """
    rows = table.num_rows
    cells = _Cells(mapping, table)
    lines = mapping.packed.grammar.fields.keys() & mapping.specs if mapping.packed else set()
    chosen = {each: spec.chosen(cells) for each, spec in mapping.specs.items() if each not in lines}
    country = mapping.country
    if country is not None and ADDRESS in chosen:
        chosen[ADDRESS] = mapping.specs[ADDRESS].whole(cells, country)
    texts = {each: found.text for each, found in chosen.items()}
    flag, no_item = _judge(mapping.rows, texts, cells, rows)
    if no_item.any():
        hidden = pa.array(no_item)
        for each in LINE_FIELDS:
            if each in texts:
                texts[each] = pc.if_else(hidden, None, texts[each])
    nothing = pa.nulls(rows, pa.string())
    out = {each: texts.get(each, nothing) for each in FIELDS}
    out |= {choice_column(each): chosen[each].choice for each in mapping.with_choices}
    out[COUNTRY] = nothing if country is None else country.chosen(cells).text
    out["flag"] = flag
    out["_row"] = table["_row"]
    out["_ragged"] = table["_ragged"]
    out["_fixed_source"] = cells("backfill_source") if mapping.of_fixed_rows else nothing
    out["_fixed_row"] = (
        _whole_numbers(cells("backfill_row"))
        if mapping.of_fixed_rows
        else pa.nulls(rows, pa.int64())
    )
    if mapping.packed is not None:
        return packed.unpack(mapping.packed, lines, cells, pa.table(out))
    return pa.table(out)


def choice_column(field: str) -> str:
    """The column that says, row by row, which of the choices of its SPEC a field is from.

    int8; null for the first, and where the field is null.
    """
    return f"_choice {field}"


class _Cells:
    """The cleaned cells of a table's columns; each column is cleaned once."""

    def __init__(self, mapping: Mapping, table: pa.Table) -> None:
        self._mapping = mapping
        self._table = table
        self._cleaned: dict[str, pa.StringArray] = {}
        self._blanks = blanks_of_columns(
            mapping.specs,
            mapping.blank,
            amounts=MONEY_FIELDS,
            quantities=("item_quantity",),
            times=TIME_FIELDS,
        )

    def __call__(self, name: str) -> pa.StringArray:
        if name not in self._cleaned:
            cells = _one_array(self._table[name])
            if name in self._mapping.escaped:
                cells = decoded(cells)
            cells = clean(cells, self._blanks.get(name, self._mapping.blank))
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
    """Each row's flag, by the first rule that it meets, and the rows that hold no line item.

    A rule that only takes out the line item gives way to one that speaks of the whole row.
    """
    flags = [rule.flag for rule in rules]
    met = np.full(rows, -1, dtype=np.int64)
    without_item = np.full(rows, -1, dtype=np.int64)
    for number, rule in enumerate(rules):
        places = np.arange(rows)
        for condition in rule.when:
            if not len(places):
                break
            places = places[_holds(condition, places, texts, cells)]
        first = without_item if rule.no_item else met
        first[places[first[places] < 0]] = number
    no_item = without_item >= 0
    met = np.where(met < 0, without_item, met)
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
    elif condition.field is not None and condition.field in texts:
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
