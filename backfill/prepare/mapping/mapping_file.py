"""Writes a mapping as a file for ``--mapping``: TOML with comments, to be read and edited."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from collections.abc import Mapping as Map

from backfill.prepare.convert.cells import one_line
from backfill.prepare.mapping import formats
from backfill.prepare.mapping.build import Mapping
from backfill.prepare.mapping.field_names import FIELDS
from backfill.prepare.mapping.formats import Condition, RowRule
from backfill.prepare.mapping.packed import PackedColumns

_HEAD = """\
# Which column of the export becomes which field. Give it to backfill with --mapping.
#
# A SPEC is a column's name; several joined with | (the first that is not blank); or a template
# with columns in braces: "{Street}, {City}". A line that begins with # says nothing: take the #
# away to map its field.
"""

#: What a person should know of a field while mapping it.
_NOTES: Map[str, str] = {
    "reference_id": "the order key: rows with the same one are one order",
    "created_at": "when the order was placed",
    "total": "of the whole order; left out, the lines are summed up",
    "connect_id": "the account, by your own id",
    "user_id": "the account, by Shout's id",
    "affiliate": "the account, looked up in --affiliates",
    "item_quantity": "left out: one each",
    "item_each_price": "of one piece",
    "item_price": "of the whole line; this or item_each_price is enough",
    "zone": "the name of the time zone that the times are in",
    "cancelled_at": "an order with this is not imported",
    "refunded_total": "how much went back; all of it: the order is not imported",
}


def mapping_toml(
    mapping: Mapping,
    columns: Sequence[str],
    samples: Map[str, Sequence[str]],
    remarks: Map[str, str] | None = None,
) -> str:
    """The mapping as the text of a mapping file; :func:`fields.build_mapping` reads it back.

    :param columns: the export's columns; those that nothing uses are listed in a comment.
    :param samples: some values of each column, for the comments.
    :param remarks: what else to say of a field, in its comment.
    """
    used = {column for spec in mapping.specs.values() for column in spec.columns}
    packing = mapping.packed
    unused = [
        column
        for column in columns
        if column not in used and not (packing and column in packing.columns)
    ]
    named = mapping.format != formats.UNKNOWN  # a mapping without a name has its file's
    parts = [
        _HEAD,
        f"name = {_quoted(mapping.format)}" if named else '# name = ""',
        f"title = {_quoted(mapping.title)}" if named else '# title = ""',
        "",
        '# Where an order\'s own values stand: on its "first_row", "repeated" on each of its rows,',
        '# or "zero_on_rest": on the first, with a literal 0 on the others.',
        f"order_values = {_quoted(mapping.order_values)}",
        '# Where the order key stands: on an order\'s "first_row" only, or on "every_row".',
        f"order_key = {_quoted(mapping.order_key)}" if mapping.order_key else '# order_key = ""',
        "",
        *_fields(mapping, samples, remarks or {}),
        *_packed(packing),
        *_statuses(mapping),
        *(line for rule in _own_rules(mapping.rows) for line in _rule(rule)),
    ]
    if unused:
        parts += ["# Columns that nothing is mapped to:"]
        parts += [f"#   {one_line(column)}{_shown(samples.get(column))}" for column in unused]
    return "\n".join(parts).rstrip() + "\n"


def _fields(
    mapping: Mapping, samples: Map[str, Sequence[str]], remarks: Map[str, str]
) -> Iterable[str]:
    yield "[fields]"
    packed = mapping.packed.grammar.fields if mapping.packed else {}
    for field in FIELDS:
        if field in packed:
            continue
        note = _NOTES.get(field, "")
        if field not in mapping.specs:
            yield f'# {field} = ""' + (f"   # {note}" if note else "")
            continue
        said = "; ".join(filter(None, (note, remarks.get(field))))
        if said:
            yield f"# {field}: {said}"
        spec = mapping.specs[field]
        for column in spec.columns:
            yield f"#   {one_line(column)}{_shown(samples.get(column))}"
        yield f"{field} = {_quoted(str(spec))}"
    yield ""


def _packed(packing: PackedColumns | None) -> Iterable[str]:
    if packing is None:
        return
    grammar = packing.grammar
    yield "# Line items packed in a cell: each becomes a row of its own."
    yield "[packed]"
    yield f"columns = {_listed(grammar.columns)}"
    yield f"between_items = {_quoted(grammar.between_items)}"
    yield f"first = {_quoted(grammar.first)}"
    yield f"between_parts = {_quoted(grammar.between_parts)}"
    yield f"part = {_quoted(grammar.part)}"
    yield f"is = {_quoted(grammar.sign)}"
    yield ""
    yield "[packed.fields]"
    for field, part in grammar.fields.items():
        yield f"{field} = {_quoted(part)}"
    yield ""


def _statuses(mapping: Mapping) -> Iterable[str]:
    if not mapping.statuses:
        return
    yield "# What becomes of an order with this status, beside the words that backfill knows."
    yield "[statuses]"
    yield from (f"{_quoted(key)} = {_quoted(value)}" for key, value in mapping.statuses.items())
    yield ""


def _own_rules(rules: Sequence[RowRule]) -> list[RowRule]:
    """The rules that are not every export's: those come with any mapping file by themselves."""
    common = formats.load(formats.PLATFORMS / f"{formats.COMMON}.toml").rows
    return [rule for rule in rules if rule not in common]


def _rule(rule: RowRule) -> Iterable[str]:
    yield "[[rows]]"
    if rule.flag:
        yield f"flag = {_quoted(rule.flag)}"
    if rule.no_item:
        yield "no_item = true"
    yield f"why = {_quoted(rule.why)}"
    yield f"when = [{', '.join(map(_condition, rule.when))}]"
    yield ""


def _condition(condition: Condition) -> str:
    where = ("field", condition.field) if condition.field else ("column", condition.column or "")
    if condition.blank is not None:
        test = f"blank = {'true' if condition.blank else 'false'}"
    elif condition.pattern is not None:
        test = f"pattern = {_quoted(condition.pattern)}"
    else:
        test = f"values = {_listed(sorted(condition.values))}"
    return f"{{ {where[0]} = {_quoted(where[1])}, {test} }}"


def _shown(values: Sequence[str] | None, most: int = 60) -> str:
    """Sample values behind a column's name in a comment."""
    text = " | ".join(one_line(value) for value in values or ())
    return f": {text if len(text) <= most else text[: most - 1] + '…'}" if text else ""


def _quoted(text: str) -> str:
    """A TOML basic string; JSON's escapes are all TOML's, but TOML also escapes DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _listed(texts: Iterable[str]) -> str:
    return f"[{', '.join(map(_quoted, texts))}]"
