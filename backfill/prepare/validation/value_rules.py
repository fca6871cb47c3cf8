"""Finders of the rules about an order's values: times, money, quantities and texts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from backfill.money import amount
from backfill.prepare.convert import text_bytes
from backfill.prepare.convert.zones import find_zone
from backfill.prepare.draft import Draft
from backfill.prepare.mapping import fields
from backfill.prepare.validation.violations import (
    Context,
    Flags,
    Violations,
    all_blank,
    at_lines,
    at_orders,
    at_rows,
    confirmed,
    is_null,
    is_true,
)

#: Characters; Shout documents no limit, and a longer text in an order is a column gone wrong.
LONGEST_TEXT = 2000
#: A text that a spreadsheet would run as a formula when the report's files are opened.
_FORMULA = r"^(=|@|[+\-][A-Za-z(])"
#: The replacement character of a broken decoding, and control characters but for tab and newline.
_BROKEN = r"[\x{FFFD}\x00-\x08\x0b\x0c\x0e-\x1f\x7f]"
#: What a spreadsheet shows where it could not work out a value.
_ERROR = r"^#(REF!|VALUE!|NAME\?|DIV/0!|NULL!|NUM!|SPILL!|CALC!)$"
#: An object of JSON, or an array of them.
_JSON = r"^\s*(?:\[\s*)?\{\s*[\"'}]"
_MAYBE_JSON = text_bytes.wanted(b"[{")
_MAYBE_ERROR = text_bytes.wanted(b"!?")
_MAYBE_FORMULA = text_bytes.wanted(b"=@+-")
_MAYBE_BROKEN = text_bytes.wanted([*range(0x20), 0x7F, 0xEF])  # U+FFFD is EF BF BD


# --- when ---------------------------------------------------------------------------


def _times(draft: Draft) -> list[str]:
    """The time fields that any order of the chunk has."""
    return [field for field in fields.TIME_FIELDS if not all_blank(draft, field)]


def bad_time(draft: Draft, context: Context) -> Iterator[Violations]:
    for field in _times(draft):
        times = draft.times[field]
        yield from at_orders(draft, is_true(times.bad) & ~is_true(times.is_now), field)


def unknown_zone(draft: Draft, context: Context) -> Iterator[Violations]:
    if all_blank(draft, fields.ZONE):
        return
    names = draft.texts[fields.ZONE].values
    unknown = [name for name in names.unique().drop_null().to_pylist() if find_zone(name) is None]
    needed = np.zeros(draft.count, dtype=bool)
    for field in _times(draft):
        needed |= is_true(draft.times[field].naive)
    named = is_true(pc.is_in(names, pa.array(unknown, pa.string())))
    yield from at_orders(draft, needed & named, fields.ZONE)


def time_is_now(draft: Draft, context: Context) -> Iterator[Violations]:
    for field in _times(draft):
        yield from at_orders(draft, is_true(draft.times[field].is_now), field)


def no_time(draft: Draft, context: Context) -> Iterator[Violations]:
    undated = np.ones(draft.count, dtype=bool)
    for field in fields.TIME_FIELDS:
        if field != "cancelled_at":
            undated &= is_null(draft.texts[field].values)
    yield from at_orders(draft, undated, "created_at")


def created_from_other_time(draft: Draft, context: Context) -> Iterator[Violations]:
    dated = np.zeros(draft.count, dtype=bool)
    for field in fields.TIME_FIELDS:
        if field not in ("created_at", "cancelled_at"):
            dated |= ~is_null(draft.times[field].values)
    yield from at_orders(draft, dated & is_null(draft.texts["created_at"].values), "created_at")


def future_time(draft: Draft, context: Context) -> Iterator[Violations]:
    # A day's grace: a naive time may stand in any timezone.
    limit = pa.scalar(context.now + timedelta(days=1), pa.timestamp("s", "UTC"))
    for field in _times(draft):
        late = pc.greater(draft.times[field].instant, limit)
        yield from at_orders(draft, is_true(late), field)


def old_time(draft: Draft, context: Context) -> Iterator[Violations]:
    limit = pa.scalar(datetime(2000, 1, 1, tzinfo=UTC), pa.timestamp("s", "UTC"))
    for field in _times(draft):
        early = pc.less(draft.times[field].instant, limit)
        yield from at_orders(draft, is_true(early), field)


def naive_time(draft: Draft, context: Context) -> Iterator[Violations]:
    seen = np.zeros(draft.count, dtype=bool)
    for field in _times(draft):
        naive = is_true(draft.times[field].naive) & ~seen
        seen |= naive
        yield from at_orders(draft, naive, field)


# --- the money ----------------------------------------------------------------------


def bad_money(draft: Draft, context: Context) -> Iterator[Violations]:
    lines = draft.lines
    yield from at_orders(draft, is_true(draft.total.bad), "total")
    yield from at_orders(draft, is_true(draft.refunded.bad), fields.REFUNDED_TOTAL)
    yield from at_lines(draft, is_true(lines.each.bad), "item_each_price")
    yield from at_lines(draft, is_true(lines.price.bad), "item_price")
    yield from at_lines(draft, lines.too_large, "item_each_price")


def missing_price(draft: Draft, context: Context) -> Iterator[Violations]:
    yield from at_lines(draft, draft.lines.unpriced, "item_name")


def missing_quantity(draft: Draft, context: Context) -> Iterator[Violations]:
    yield from at_lines(draft, draft.lines.blank_quantity, "item_quantity")


def zero_quantity(draft: Draft, context: Context) -> Iterator[Violations]:
    zero = (draft.lines.quantity_thousandths == 0) & ~is_true(draft.lines.quantity.bad)
    yield from at_lines(draft, zero, "item_quantity")


def zero_line(draft: Draft, context: Context) -> Iterator[Violations]:
    yield from at_rows(draft, draft.lines.left_out, "item_quantity")


def adjustment_line(draft: Draft, context: Context) -> Iterator[Violations]:
    lines = draft.lines
    cents = lines.price_cents[lines.adjustment].tolist()
    details = [f"sent as {_amount(price, context)}" for price in cents]
    yield from at_lines(draft, lines.adjustment, "item_quantity", details)


def negative_quantity(draft: Draft, context: Context) -> Iterator[Violations]:
    yield from at_lines(draft, draft.lines.quantity_thousandths < 0, "item_quantity")


def unreadable_quantity(draft: Draft, context: Context) -> Iterator[Violations]:
    yield from at_lines(draft, is_true(draft.lines.quantity.bad), "item_quantity")


def no_line_items(draft: Draft, context: Context) -> Iterator[Violations]:
    empty = np.diff(draft.lines.starts) == 0
    itemised = _itemised(draft, context)
    no_total = is_null(draft.texts["total"].values)
    yield from at_orders(draft, empty & (itemised | no_total), None)


def totals_only(draft: Draft, context: Context) -> Iterator[Violations]:
    empty = np.diff(draft.lines.starts) == 0
    no_total = is_null(draft.texts["total"].values)
    yield from at_orders(draft, empty & ~_itemised(draft, context) & ~no_total, "total")


def unpriced_lines(draft: Draft, context: Context) -> Iterator[Violations]:
    yield from at_lines(draft, draft.lines.priceless, "item_name")


def missing_total(draft: Draft, context: Context) -> Iterator[Violations]:
    """Only beside orders that have a total: an export without any has nothing to miss."""
    blank = is_null(draft.texts["total"].values)
    if not blank.any() or blank.all():
        return
    sources = draft.sources[draft.first_rows]
    beside_others = np.isin(sources, sources[~blank])
    summed = (np.diff(draft.lines.starts) > 0) & ~_has_line(draft, draft.lines.unpriced)
    yield from at_orders(draft, blank & beside_others & summed, "total")


def _has_line(draft: Draft, where: Flags) -> Flags:
    """Orders with any of some line items."""
    found = np.zeros(draft.count, dtype=bool)
    found[draft.owners[draft.lines.rows[where]]] = True
    return found


def _itemised(draft: Draft, context: Context) -> Flags:
    """Orders whose line items should be there: in their own source, or in a file of items."""
    if context.settings.items is not None:
        return np.ones(draft.count, dtype=bool)
    has = np.array(
        [
            any(field in reading.mapping.specs for field in fields.LINE_FIELDS)
            for reading in draft.readings
        ]
    )
    itemised: Flags = has[draft.sources[draft.first_rows]]
    return itemised


def negative_total(draft: Draft, context: Context) -> Iterator[Violations]:
    given = ~is_null(draft.total.values)
    negative = draft.total_cents < 0
    yield from at_orders(draft, negative & given, "total")
    yield from at_orders(draft, negative & ~given, None)


def zero_total(draft: Draft, context: Context) -> Iterator[Violations]:
    readable = ~is_true(draft.total.bad) & (np.diff(draft.lines.starts) > 0)
    readable &= ~_has_line(draft, draft.lines.unpriced)
    yield from at_orders(draft, (draft.total_cents == 0) & readable, "total")


def other_currency(draft: Draft, context: Context) -> Iterator[Violations]:
    for found in draft.foreign:
        values = draft.column(found.field).take(pa.array(found.rows))
        details = [f"{name} is not {context.settings.currency}" for name in found.currencies]
        yield Violations(found.orders, found.rows, found.field, values, details)


def total_differs(draft: Draft, context: Context) -> Iterator[Violations]:
    given = ~is_null(draft.total.values) & (np.diff(draft.lines.starts) > 0)
    given &= ~_has_line(draft, draft.lines.priceless)
    differs = np.flatnonzero(given & (draft.total_cents != draft.lines_cents))
    if len(differs):
        by = (draft.total_cents - draft.lines_cents)[differs].tolist()
        said = {cents: f"by {_amount(cents, context, signed=True)}" for cents in set(by)}
        details = [said[cents] for cents in by]
        yield from at_orders(draft, differs, "total", details)


def line_price_differs(draft: Draft, context: Context) -> Iterator[Violations]:
    lines = draft.lines
    both = ~is_null(lines.each.values) & ~is_null(lines.price.values)
    product = lines.each_cents.astype(np.float64) * lines.quantity_thousandths / 1000
    # Half a cent an item is what rounding a unit price can make.
    slack = np.maximum(lines.quantity_thousandths / 1000, 1) * 0.5
    yield from at_lines(draft, both & (np.abs(product - lines.price_cents) > slack), "item_price")


def rounded(draft: Draft, context: Context) -> Iterator[Violations]:
    lines = draft.lines
    yield from at_orders(draft, is_true(draft.total.inexact), "total")
    for column, field in ((lines.each, "item_each_price"), (lines.price, "item_price")):
        present = ~is_null(column.values)
        where = is_true(column.inexact) | (lines.rounded & present)
        chosen = np.flatnonzero(where)
        if not len(chosen):
            continue
        each, price = lines.each_cents[chosen].tolist(), lines.price_cents[chosen].tolist()
        details = [
            f"sent as {_amount(unit, context)} each, {_amount(whole, context)} for the line"
            for unit, whole in zip(each, price, strict=True)
        ]
        yield from at_lines(draft, where, field, details)


def _amount(cents: int, context: Context, *, signed: bool = False) -> str:
    return amount(cents, context.settings.currency, signed=signed)


# --- the texts ----------------------------------------------------------------------

_TEXT_FIELDS = ("reference_id", "profile_name", "profile_email", "profile_shipping_address_raw")
_FREE_TEXT_FIELDS = (*_TEXT_FIELDS, "description", "shipping_link", "shipping_state")


def spreadsheet_error(draft: Draft, context: Context) -> Iterator[Violations]:
    def error(values: pa.Array) -> Flags:
        return confirmed(text_bytes.holding(values, _MAYBE_ERROR), values, _ERROR)

    for field in fields.ACCOUNT_FIELDS:
        if not all_blank(draft, field):
            yield from at_orders(draft, error(draft.texts[field].values), field)
    yield from _texts_where(draft, error)


def _texts_where(draft: Draft, where: Callable[[pa.Array], Flags]) -> Iterator[Violations]:
    for field in _FREE_TEXT_FIELDS:
        if not all_blank(draft, field):
            yield from at_orders(draft, where(draft.texts[field].values), field)
    yield from at_lines(draft, where(draft.lines.name), "item_name")


def items_in_json(draft: Draft, context: Context) -> Iterator[Violations]:
    """Names of line items that are whole line items as a program writes them."""
    names = draft.lines.name
    maybe = text_bytes.beginning(names, _MAYBE_JSON)
    yield from at_lines(draft, confirmed(maybe, names, _JSON), "item_name")


def broken_text(draft: Draft, context: Context) -> Iterator[Violations]:
    def broken(values: pa.Array) -> Flags:
        return confirmed(text_bytes.holding(values, _MAYBE_BROKEN), values, _BROKEN)

    yield from _texts_where(draft, broken)


def text_too_long(draft: Draft, context: Context) -> Iterator[Violations]:
    def long(values: pa.Array) -> Flags:
        flags = text_bytes.longer(values, LONGEST_TEXT)
        places = np.flatnonzero(flags)
        characters = pc.utf8_length(values.take(pa.array(places)))
        flags[places] = is_true(pc.greater(characters, LONGEST_TEXT))
        return flags

    yield from _texts_where(draft, long)


def formula_like(draft: Draft, context: Context) -> Iterator[Violations]:
    def formula(values: pa.Array) -> Flags:
        return confirmed(text_bytes.beginning(values, _MAYBE_FORMULA), values, _FORMULA)

    yield from _texts_where(draft, formula)
