"""The checks: where a chunk of orders breaks a rule, found over whole columns.

Each takes the draft and its context, and yields the places; which rule that is, how bad, and what
to do about it stands in the table of :mod:`~backfill.prepare.validation.rules`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from backfill.prepare.convert import text_bytes
from backfill.prepare.draft import Draft
from backfill.prepare.grouping.keys import Indices
from backfill.prepare.mapping import fields
from backfill.settings import ImportSettings

Flags = npt.NDArray[np.bool_]

#: Characters; Shout documents no limit, and a longer text in an order is a column gone wrong.
LONGEST_TEXT = 2000
#: A text that a spreadsheet would run as a formula when the report's files are opened.
_FORMULA = r"^(=|@|[+\-][A-Za-z(])"
#: The replacement character of a broken decoding, and control characters but for tab and newline.
_BROKEN = r"[\x{FFFD}\x00-\x08\x0b\x0c\x0e-\x1f\x7f]"
_MAYBE_FORMULA = text_bytes.wanted(b"=@+-")
_MAYBE_BROKEN = text_bytes.wanted([*range(0x20), 0x7F, 0xEF])  # U+FFFD is EF BF BD
_CANCELLED = r"(?i)^cancell?ed"


@dataclass(frozen=True, slots=True)
class Found:
    """Where a rule is broken, as parallel columns."""

    orders: Indices
    """indices of orders in the chunk"""
    rows: Indices
    """indices of rows in the chunk"""
    field: str | None = None
    values: pa.Array | None = None
    """string: the value as it stands"""
    details: Sequence[str] | None = None
    """what to say of each beyond the rule's reason"""

    def among(self, kept: Flags) -> Found:
        """What of it lies in the orders that are kept."""
        places = np.flatnonzero(kept[self.orders])
        return Found(
            self.orders[places],
            self.rows[places],
            self.field,
            None if self.values is None else self.values.take(pa.array(places)),
            None if self.details is None else [self.details[place] for place in places.tolist()],
        )


@dataclass(frozen=True, slots=True)
class Context:
    """What a check may want to know beyond the draft."""

    settings: ImportSettings
    now: datetime
    repeated: Indices
    """orders (indices into the chunk) that stood in two sources in the same words"""
    joined: Indices
    """orders that begin in one source and go on in another"""
    contradictory: Indices
    """orders that stand in two sources in different words"""


Check = Callable[[Draft, Context], Iterator[Found]]


# --- places ---------------------------------------------------------------------------------


def _at_orders(
    draft: Draft, where: Flags | Indices, field: str | None, details: Sequence[str] | None = None
) -> Iterator[Found]:
    """At orders, where their value for ``field`` stands."""
    orders: Indices = np.flatnonzero(where) if where.dtype == bool else where.astype(np.int64)
    if not len(orders):
        return
    if field is None:
        yield Found(orders, draft.first_rows[orders], details=details)
        return
    text = draft.texts[field]
    yield Found(orders, text.rows[orders], field, text.values.take(pa.array(orders)), details)


def _at_rows(draft: Draft, rows: Indices, field: str | None) -> Iterator[Found]:
    """At rows of the chunk."""
    if len(rows):
        values = None if field is None else draft.column(field).take(pa.array(rows))
        yield Found(draft.owners[rows], rows, field, values)


def _at_lines(
    draft: Draft, where: Flags, field: str, details: Sequence[str] | None = None
) -> Iterator[Found]:
    """At line items."""
    rows = draft.lines.rows[where]
    if len(rows):
        values = draft.column(field).take(pa.array(rows))
        yield Found(draft.owners[rows], rows, field, values, details)


def _blank(draft: Draft, field: str) -> bool:
    """Whether no order of the chunk says anything for ``field``: most fields of most exports."""
    values = draft.texts[field].values
    return bool(values.null_count == len(values))


def _flags(values: pa.Array) -> Flags:
    flags: Flags = pc.fill_null(values, False).to_numpy(zero_copy_only=False)
    return flags


def _null(values: pa.Array) -> Flags:
    null: Flags = pc.is_null(values).to_numpy(zero_copy_only=False)
    return null


def _matches(values: pa.Array, pattern: str) -> Flags:
    return _flags(pc.match_substring_regex(values, pattern))


# --- checks: the order itself ---------------------------------------------------------------


def ragged_row(draft: Draft, context: Context) -> Iterator[Found]:
    yield from _at_rows(draft, np.flatnonzero(_flags(draft.column("_ragged"))), None)


def missing_reference_id(draft: Draft, context: Context) -> Iterator[Found]:
    yield from _at_orders(draft, _null(draft.texts["reference_id"].values), "reference_id")


def duplicate_order(draft: Draft, context: Context) -> Iterator[Found]:
    yield from _at_orders(draft, context.contradictory, "reference_id")


def repeated_order(draft: Draft, context: Context) -> Iterator[Found]:
    yield from _at_orders(draft, context.repeated, "reference_id")


def joined_order(draft: Draft, context: Context) -> Iterator[Found]:
    yield from _at_orders(draft, context.joined, "reference_id")


def flagged(rule: str) -> Check:
    def check(draft: Draft, context: Context) -> Iterator[Found]:
        rows = np.flatnonzero(_flags(pc.equal(draft.column("flag"), rule)))
        yield from _at_rows(draft, rows, "status" if draft.has("status") else None)

    return check


def cancelled(draft: Draft, context: Context) -> Iterator[Found]:
    by_status = _matches(draft.texts["status"].values, _CANCELLED)
    by_time = ~_null(draft.texts["cancelled_at"].values)
    yield from _at_orders(draft, by_status, "status")
    yield from _at_orders(draft, by_time & ~by_status, "cancelled_at")
    done = by_status | by_time
    for found in flagged("cancelled")(draft, context):
        fresh = ~done[found.orders]
        yield from _at_rows(draft, found.rows[fresh], found.field)


def conflicting_fields(draft: Draft, context: Context) -> Iterator[Found]:
    for field in fields.ORDER_FIELDS:
        if field != "reference_id":
            yield from _disagreeing(draft, field)


def _disagreeing(draft: Draft, field: str) -> Iterator[Found]:
    text = draft.texts[field]
    if not len(text.clashes):
        return
    values = draft.column(field).take(pa.array(text.clashes))
    orders = draft.owners[text.clashes]
    firsts = text.values.take(pa.array(orders)).to_pylist()
    details = [f"{field} is {first!r} on an earlier row of the order" for first in firsts]
    yield Found(orders, text.clashes, field, values, details)


# --- checks: whose it is --------------------------------------------------------------------


def missing_account(draft: Draft, context: Context) -> Iterator[Found]:
    accounts = draft.accounts
    missing = _null(accounts.id) & ~accounts.unknown & ~accounts.not_connected
    yield from _at_orders(draft, missing, "connect_id")


def unknown_affiliate(draft: Draft, context: Context) -> Iterator[Found]:
    yield from _at_orders(draft, draft.accounts.unknown, "affiliate")


def conflicting_accounts(draft: Draft, context: Context) -> Iterator[Found]:
    if context.settings.connect_id or context.settings.user_id:
        return
    yield from _at_orders(draft, draft.accounts.two, "connect_id")
    for field in fields.ACCOUNT_FIELDS:
        yield from _disagreeing(draft, field)


def affiliate_not_connected(draft: Draft, context: Context) -> Iterator[Found]:
    yield from _at_orders(draft, draft.accounts.not_connected, "affiliate")


def history_not_requested(draft: Draft, context: Context) -> Iterator[Found]:
    yield from _at_orders(draft, draft.accounts.history_not_requested, "affiliate")


# --- checks: the customer -------------------------------------------------------------------


def unreachable_customer(draft: Draft, context: Context) -> Iterator[Found]:
    yield from _at_orders(
        draft, _nobody_else(draft) & _flags(draft.phone.bad), "profile_phone_number"
    )


def no_customer(draft: Draft, context: Context) -> Iterator[Found]:
    blank = _null(draft.texts["profile_phone_number"].values)
    yield from _at_orders(draft, _nobody_else(draft) & blank, None)


def _nobody_else(draft: Draft) -> Flags:
    """Orders with neither a name nor an e-mail."""
    return _null(draft.texts["profile_name"].values) & _null(draft.texts["profile_email"].values)


def bad_phone(draft: Draft, context: Context) -> Iterator[Found]:
    bad = _flags(draft.phone.bad) & ~_nobody_else(draft)
    yield from _at_orders(draft, bad, "profile_phone_number")


# --- checks: when ---------------------------------------------------------------------------


def _times(draft: Draft) -> list[str]:
    """The time fields that any order of the chunk has."""
    return [field for field in fields.TIME_FIELDS if not _blank(draft, field)]


def bad_time(draft: Draft, context: Context) -> Iterator[Found]:
    for field in _times(draft):
        times = draft.times[field]
        yield from _at_orders(draft, _flags(times.bad) & ~_flags(times.is_now), field)


def time_is_now(draft: Draft, context: Context) -> Iterator[Found]:
    for field in _times(draft):
        yield from _at_orders(draft, _flags(draft.times[field].is_now), field)


def no_time(draft: Draft, context: Context) -> Iterator[Found]:
    blank = np.ones(draft.count, dtype=bool)
    for field in fields.TIME_FIELDS:
        if field != "cancelled_at":
            blank &= _null(draft.texts[field].values)
    yield from _at_orders(draft, blank, "created_at")


def created_from_other_time(draft: Draft, context: Context) -> Iterator[Found]:
    dated = np.zeros(draft.count, dtype=bool)
    for field in fields.TIME_FIELDS:
        if field not in ("created_at", "cancelled_at"):
            dated |= ~_null(draft.times[field].values)
    yield from _at_orders(draft, dated & _null(draft.texts["created_at"].values), "created_at")


def future_time(draft: Draft, context: Context) -> Iterator[Found]:
    # A day's grace: a naive time may stand in any timezone.
    limit = pa.scalar(context.now + timedelta(days=1), pa.timestamp("s", "UTC"))
    for field in _times(draft):
        late = pc.greater(draft.times[field].instant, limit)
        yield from _at_orders(draft, _flags(late), field)


def old_time(draft: Draft, context: Context) -> Iterator[Found]:
    limit = pa.scalar(datetime(2000, 1, 1, tzinfo=UTC), pa.timestamp("s", "UTC"))
    for field in _times(draft):
        early = pc.less(draft.times[field].instant, limit)
        yield from _at_orders(draft, _flags(early), field)


def naive_time(draft: Draft, context: Context) -> Iterator[Found]:
    seen = np.zeros(draft.count, dtype=bool)
    for field in _times(draft):
        naive = _flags(draft.times[field].naive) & ~seen
        seen |= naive
        yield from _at_orders(draft, naive, field)


# --- checks: the money ----------------------------------------------------------------------


def bad_money(draft: Draft, context: Context) -> Iterator[Found]:
    lines = draft.lines
    yield from _at_orders(draft, _flags(draft.total.bad), "total")
    yield from _at_lines(draft, _flags(lines.each.bad), "item_each_price")
    yield from _at_lines(draft, _flags(lines.price.bad), "item_price")
    yield from _at_lines(draft, lines.too_large, "item_each_price")


def missing_price(draft: Draft, context: Context) -> Iterator[Found]:
    yield from _at_lines(draft, draft.lines.unpriced, "item_name")


def bad_quantity(draft: Draft, context: Context) -> Iterator[Found]:
    lines = draft.lines
    unread = _flags(lines.quantity.bad) | lines.blank_quantity
    yield from _at_lines(draft, unread | (lines.quantity_thousandths <= 0), "item_quantity")


def no_line_items(draft: Draft, context: Context) -> Iterator[Found]:
    empty = np.diff(draft.lines.starts) == 0
    itemised = _itemised(draft, context)
    no_total = _null(draft.texts["total"].values)
    yield from _at_orders(draft, empty & (itemised | no_total), None)


def totals_only(draft: Draft, context: Context) -> Iterator[Found]:
    empty = np.diff(draft.lines.starts) == 0
    no_total = _null(draft.texts["total"].values)
    yield from _at_orders(draft, empty & ~_itemised(draft, context) & ~no_total, "total")


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


def negative_total(draft: Draft, context: Context) -> Iterator[Found]:
    given = ~_null(draft.total.values)
    negative = draft.total_cents < 0
    yield from _at_orders(draft, negative & given, "total")
    yield from _at_orders(draft, negative & ~given, None)


def zero_total(draft: Draft, context: Context) -> Iterator[Found]:
    readable = ~_flags(draft.total.bad) & (np.diff(draft.lines.starts) > 0)
    yield from _at_orders(draft, (draft.total_cents == 0) & readable, "total")


def other_currency(draft: Draft, context: Context) -> Iterator[Found]:
    other = _flags(pc.not_equal(draft.currency, context.settings.currency))
    orders = np.flatnonzero(other)
    if len(orders):
        named = draft.currency.take(pa.array(orders))
        rows = draft.texts["currency"].rows[orders]
        details = [f"{code} is not {context.settings.currency}" for code in named.to_pylist()]
        yield Found(orders, rows, "currency", named, details)


def total_differs(draft: Draft, context: Context) -> Iterator[Found]:
    given = ~_null(draft.total.values) & (np.diff(draft.lines.starts) > 0)
    differs = np.flatnonzero(given & (draft.total_cents != draft.lines_cents))
    if len(differs):
        by = (draft.total_cents - draft.lines_cents)[differs].tolist()
        details = [f"by {cents / 100:+.2f}" for cents in by]
        yield from _at_orders(draft, differs, "total", details)


def line_price_differs(draft: Draft, context: Context) -> Iterator[Found]:
    lines = draft.lines
    both = ~_null(lines.each.values) & ~_null(lines.price.values)
    product = lines.each_cents.astype(np.float64) * lines.quantity_thousandths / 1000
    # Half a cent an item is what rounding a unit price can make.
    slack = np.maximum(lines.quantity_thousandths / 1000, 1) * 0.5
    yield from _at_lines(draft, both & (np.abs(product - lines.price_cents) > slack), "item_price")


def rounded(draft: Draft, context: Context) -> Iterator[Found]:
    lines = draft.lines
    yield from _at_orders(draft, _flags(draft.total.inexact), "total")
    for column, field in ((lines.each, "item_each_price"), (lines.price, "item_price")):
        present = ~_null(column.values)
        where = _flags(column.inexact) | (lines.rounded & present)
        chosen = np.flatnonzero(where)
        if not len(chosen):
            continue
        each, price = lines.each_cents[chosen].tolist(), lines.price_cents[chosen].tolist()
        details = [
            f"sent as {unit / 100:.2f} each, {whole / 100:.2f} for the line"
            for unit, whole in zip(each, price, strict=True)
        ]
        yield from _at_lines(draft, where, field, details)


# --- checks: the texts ----------------------------------------------------------------------

_TEXT_FIELDS = ("reference_id", "profile_name", "profile_email", "profile_shipping_address_raw")
_FREE_TEXT_FIELDS = (*_TEXT_FIELDS, "description", "shipping_link", "shipping_state")


def _texts_where(draft: Draft, where: Callable[[pa.Array], Flags]) -> Iterator[Found]:
    for field in _FREE_TEXT_FIELDS:
        if not _blank(draft, field):
            yield from _at_orders(draft, where(draft.texts[field].values), field)
    yield from _at_lines(draft, where(draft.lines.name), "item_name")


def broken_text(draft: Draft, context: Context) -> Iterator[Found]:
    def broken(values: pa.Array) -> Flags:
        return _confirmed(text_bytes.holding(values, _MAYBE_BROKEN), values, _BROKEN)

    yield from _texts_where(draft, broken)


def text_too_long(draft: Draft, context: Context) -> Iterator[Found]:
    def long(values: pa.Array) -> Flags:
        flags = text_bytes.longer(values, LONGEST_TEXT)
        places = np.flatnonzero(flags)
        characters = pc.utf8_length(values.take(pa.array(places)))
        flags[places] = _flags(pc.greater(characters, LONGEST_TEXT))
        return flags

    yield from _texts_where(draft, long)


def formula_like(draft: Draft, context: Context) -> Iterator[Found]:
    def formula(values: pa.Array) -> Flags:
        return _confirmed(text_bytes.beginning(values, _MAYBE_FORMULA), values, _FORMULA)

    yield from _texts_where(draft, formula)


def _confirmed(flags: Flags, values: pa.Array, pattern: str) -> Flags:
    """Of the values that a look at their bytes flagged, those that match."""
    places = np.flatnonzero(flags)
    if len(places):
        flags[places] = _matches(values.take(pa.array(places)), pattern)
    return flags
