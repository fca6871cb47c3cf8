"""Line items packed in one cell, or in one cell each: ``name:Tea|quantity:2|total:4.00``.

The rows are multiplied: each item becomes a row of its own, with the order's other fields repeated
and the ``_row`` of the cell it came from. The items may also be a JSON array of objects whose keys
are the names of the parts: ``[{"name": "Tea", "quantity": 2, "total": "4.00"}]``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from backfill.prepare.convert.cells import clean, join_present
from backfill.prepare.mapping.formats import Packed, matching

#: The rule that rejects an order whose cell of line items cannot be taken apart.
UNREAD_ITEMS = "unread_items"
#: Set between items while they are taken apart; a control character that no cell should hold.
_CUT = "\x1e"


@dataclass(frozen=True, slots=True)
class PackedColumns:
    """The columns of one export that hold packed items, and how to take them apart."""

    grammar: Packed
    columns: tuple[str, ...]

    @classmethod
    def find(cls, grammar: Packed | None, columns: Sequence[str]) -> PackedColumns | None:
        """The packed columns among ``columns``; None where there are none."""
        found = matching(columns, grammar.columns) if grammar is not None else ()
        return cls(grammar, found) if grammar is not None and found else None

    @property
    def shown(self) -> str:
        """The columns' name for a person."""
        return self.columns[0] if len(self.columns) == 1 else f"{self.columns[0]}, ..."


def unpack(
    packing: PackedColumns,
    fields: Collection[str],
    cells: Callable[[str], pa.StringArray],
    rows: pa.Table,
) -> pa.Table:
    """Give each packed item a row of its own; a row without an item stays one row.

    :param fields: the line fields that are wanted.
    :param rows: the fields of the rows, the packed ones null.
    """
    grammar = packing.grammar
    items = _items(grammar, [cells(column) for column in packing.columns])
    owners = pc.list_parent_indices(items)
    texts = clean(pc.list_flatten(items))
    out = rows.take(owners)
    objects = _objects(texts)
    unread = np.zeros(len(texts), dtype=bool)
    for field in fields:
        at = out.schema.get_field_index(field)
        choices = grammar.fields[field].split("|")
        values = pc.coalesce(*(clean(_part(grammar, name, texts)) for name in choices))
        for place, item in objects.items():
            unread[place] |= not any(item.get(name) for name in choices)
        if objects:
            values = _with_objects(values, objects, choices)
        out = out.set_column(at, field, values)
    return _with_unread(out, texts, fields, unread)


def _with_unread(
    out: pa.Table,
    texts: pa.StringArray,
    fields: Collection[str],
    incomplete: npt.NDArray[np.bool_],
) -> pa.Table:
    """The rows, those flagged whose cell holds a text but no item, or an incomplete object."""
    unread = texts.is_valid().to_numpy(zero_copy_only=False).copy()
    for field in fields:
        unread &= out[field].is_null().to_numpy()
    unread |= incomplete
    if not unread.any():
        return out
    at = out.schema.get_field_index("flag")
    flag = pc.if_else(pa.array(unread), pc.coalesce(out["flag"], UNREAD_ITEMS), out["flag"])
    return out.set_column(at, "flag", flag)


# --- items as JSON --------------------------------------------------------------------------------


def _one_by_one(cells: pa.StringArray, otherwise: pa.StringArray) -> pa.StringArray:
    """The objects of each JSON array, with cuts between them; ``otherwise`` where there is none."""
    begins = pc.fill_null(pc.starts_with(pc.utf8_ltrim_whitespace(cells), "["), False)
    places = np.flatnonzero(begins.to_numpy(zero_copy_only=False))
    if not len(places):
        return otherwise
    texts = otherwise.to_pylist()
    for place in places.tolist():
        items = _parsed(cells[place].as_py())
        if isinstance(items, list) and all(isinstance(item, dict) for item in items):
            texts[place] = _CUT.join(map(json.dumps, items))
    return pa.array(texts, pa.string())


def _objects(texts: pa.StringArray) -> dict[int, dict[str, str]]:
    """The items that are JSON objects, by their place: the texts and numbers in them, as text."""
    begins = pc.fill_null(pc.starts_with(texts, "{"), False).to_numpy(zero_copy_only=False)
    found = {}
    for place in np.flatnonzero(begins).tolist():
        item = _parsed(texts[place].as_py())
        parts = item.items() if isinstance(item, dict) else ()
        found[place] = {name: value for name, value in parts if isinstance(value, str)}
    return found


def _with_objects(
    values: pa.StringArray, objects: dict[int, dict[str, str]], choices: Sequence[str]
) -> pa.StringArray:
    texts = values.to_pylist()
    for place, item in objects.items():
        texts[place] = next((item[name] for name in choices if item.get(name)), None)
    return clean(pa.array(texts, pa.string()))


def _parsed(text: str) -> Any:
    """What the JSON says, its numbers as they are written; None where it is none."""
    try:
        return json.loads(text, parse_float=str, parse_int=str)
    except (ValueError, RecursionError):
        return None


# --- items as text --------------------------------------------------------------------------------


def _items(grammar: Packed, cells: Sequence[pa.StringArray]) -> pa.ListArray:
    """The items of each row, as a list; one empty text where there are none."""
    texts = cells
    if grammar.between_items:
        begins = f"((?:{grammar.first}){re.escape(grammar.sign)})"
        cut = f"(?:{grammar.between_items}){begins}"
        texts = [
            pc.utf8_ltrim(pc.replace_substring_regex(cell, cut, f"{_CUT}\\1"), _CUT)
            for cell in cells
        ]
    joined = join_present(list(map(_one_by_one, cells, texts)), _CUT)
    return pc.split_pattern(joined, _CUT)


def _part(grammar: Packed, name: str, items: pa.StringArray) -> pa.StringArray:
    """The value of one part of each item; it goes up to the next part, or to the item's end."""
    between, sign = re.escape(grammar.between_parts), re.escape(grammar.sign)
    pattern = (
        rf"(?s)(?:^|{between}){re.escape(name)}{sign}(?P<value>.*?)"
        rf"(?:{between}(?:{grammar.part}){sign}|(?:{between})?\s*$)"
    )
    found = pc.extract_regex(items, pattern)
    values = pc.struct_field(found, [0])
    if found.null_count:
        missing = np.asarray(found.is_null().to_numpy(zero_copy_only=False))
        values = pc.if_else(pa.array(missing), None, values)
    return values
