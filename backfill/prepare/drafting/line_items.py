"""Line items: names, quantities and prices in cents, and lines that are no items.

A line without a quantity, or with one of zero or below, is what the arithmetic of its order proves
it to be: where the lines as they are come to the order's total, a negative quantity is a discount
or a return, a blank one a charge, and a line of zero pieces is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from backfill.prepare import convert
from backfill.prepare.convert.columns import numbers, present, to_numpy
from backfill.prepare.drafting.by_source import Reading, by_source
from backfill.prepare.grouping.keys import Indices
from backfill.prepare.grouping.orders import OrderRows
from backfill.prepare.mapping import fields

Flags = npt.NDArray[np.bool_]

#: One item each, in thousandths, where an export has no quantity column.
ONE_EACH = 1000
#: Beyond this many cents a product of price and quantity could leave int64.
MOST_CENTS = 10**15


class Lines(NamedTuple):
    """The line items of all orders, one after another."""

    rows: Indices
    """the row (index into the chunk) of each line item"""
    starts: Indices
    """where each order's line items begin; one more than there are orders"""
    name: pa.Array
    quantity: convert.Converted
    """thousandths; null where blank"""
    each: convert.Converted
    price: convert.Converted
    each_cents: Indices
    quantity_thousandths: Indices
    price_cents: Indices
    rounded: Flags
    """a price had to be rounded to whole cents to say it by unit and by line"""
    blank_quantity: Flags
    unpriced: Flags
    """without a price, though its source has prices or its order has no total"""
    priceless: Flags
    """without a price, as its whole source is; the order has a total"""
    too_large: Flags
    adjustment: Flags
    """a charge, discount or return that is sent as one piece"""
    left_out: Indices
    """rows (indices into the chunk) whose lines of zero pieces are not among the lines"""


def line_items(
    orders: OrderRows,
    owners: Indices,
    sources: npt.NDArray[np.int32],
    readings: Sequence[Reading],
    total: convert.Converted,
) -> Lines:
    """The line items of a chunk of orders.

    :param owners: of each row, the index of its order; ``sources``: the index of its source.
    :param total: of each order, in cents; null where the export gives none.
    """
    texts = {field: orders.column(field) for field in fields.LINE_FIELDS}
    filled = np.zeros(len(owners), dtype=bool)
    for text in texts.values():
        filled |= present(text)
    rows = np.flatnonzero(filled)
    if len(rows) < len(owners):
        texts = {field: text.take(pa.array(rows)) for field, text in texts.items()}
    before = np.concatenate([[0], np.cumsum(filled)])
    counted = _with_a_column(readings, "item_quantity")[sources[rows]]
    priced = _with_a_column(readings, "item_each_price", "item_price")[sources[rows]]

    def read(
        field: str, convert_numbers: Callable[[pa.Array, convert.NumberStyle], convert.Converted]
    ) -> convert.Converted:
        def of_source(values: pa.Array, source: int) -> convert.Converted:
            return convert_numbers(values, readings[source].number(field))

        return by_source(texts[field], sources[rows], of_source)

    quantity = read("item_quantity", convert.quantities)
    each = read("item_each_price", convert.cents)
    price = read("item_price", convert.cents)
    has_each, has_price = present(each.values), present(price.values)
    amount = np.where(present(quantity.values), numbers(quantity.values), ONE_EACH)
    each_cents, each_rest = _divided(numbers(price.values), amount)
    price_cents, price_rest, large = _multiplied(numbers(each.values), amount)
    finer = np.flatnonzero(to_numpy(pc.fill_null(each.inexact, False)) & ~large)
    if len(finer):
        exact = by_source(
            texts["item_each_price"].take(pa.array(finer)),
            sources[rows[finer]],
            lambda values, source: convert.fine_cents(
                values, readings[source].number("item_each_price")
            ),
        )
        price_cents[finer] = _multiplied_finely(
            numbers(exact.values), amount[finer], price_cents[finer]
        )
    no_price = ~present(texts["item_each_price"]) & ~present(texts["item_price"])
    priceless = no_price & ~priced & present(total.values)[owners[rows]]
    lines = Lines(
        rows=rows,
        starts=before[orders.starts],
        name=texts["item_name"],
        quantity=quantity,
        each=each,
        price=price,
        each_cents=np.where(has_each, numbers(each.values), each_cents),
        quantity_thousandths=amount,
        price_cents=np.where(has_price, numbers(price.values), price_cents),
        rounded=(has_price & ~has_each & each_rest) | (has_each & ~has_price & price_rest),
        blank_quantity=~present(texts["item_quantity"]) & counted,
        unpriced=no_price & ~priceless,
        priceless=priceless,
        too_large=large & ~has_price,
        adjustment=np.zeros(len(rows), dtype=bool),
        left_out=np.empty(0, dtype=np.int64),
    )
    return _settled(lines, owners[rows], total)


def _with_a_column(readings: Sequence[Reading], *wanted: str) -> Flags:
    """Of each source, whether one of the fields has a column."""
    return np.array([any(one in reading.mapping.specs for one in wanted) for reading in readings])


# --- lines that are no items ----------------------------------------------------------------


def _settled(lines: Lines, owners: Indices, total: convert.Converted) -> Lines:
    """Settle the lines without a quantity above zero, where the order's total proves them right.

    :param owners: of each line, the index of its order.
    """
    read = ~to_numpy(pc.fill_null(lines.quantity.bad, False))
    has_each = present(lines.each.values)
    negative = lines.quantity_thousandths < 0
    zero = (lines.quantity_thousandths == 0) & read
    odd = negative | zero | lines.blank_quantity
    if not odd.any():
        return lines

    # Between a unit price and a line's price that contradict each other nothing is settled.
    agrees = lines.each_cents * lines.quantity_thousandths == lines.price_cents * ONE_EACH
    unread = ~read | lines.too_large | lines.unpriced | lines.priceless
    for column in (lines.each, lines.price):
        unread |= to_numpy(pc.fill_null(column.bad, False))
    unread |= odd & ~(has_each & agrees) & ~(zero & (lines.price_cents == 0))
    orders = len(lines.starts) - 1
    proved = present(total.values) & (numbers(total.values) == order_sums(lines))
    proved &= np.bincount(owners, ~odd, orders) > 0
    proved &= np.bincount(owners, unread, orders) == 0
    settled = odd & proved[owners]

    adjustment = settled & ~zero
    one_piece = np.where(negative & adjustment, -lines.each_cents, lines.each_cents)
    whole = np.where(negative & adjustment, -lines.quantity_thousandths, lines.quantity_thousandths)
    lines = lines._replace(
        each_cents=one_piece,
        quantity_thousandths=whole,
        blank_quantity=lines.blank_quantity & ~settled,
        adjustment=adjustment,
    )
    return _without(lines, settled & zero)


def order_sums(lines: Lines) -> Indices:
    """What the lines of each order come to, in cents."""
    running = np.concatenate([[0], np.cumsum(lines.price_cents)])
    sums: Indices = running[lines.starts[1:]] - running[lines.starts[:-1]]
    return sums


def _without(lines: Lines, dropped: Flags) -> Lines:
    """The lines but for some, whose rows are noted as left out."""
    if not dropped.any():
        return lines
    kept = np.flatnonzero(~dropped)
    places = pa.array(kept)

    def of(column: convert.Converted) -> convert.Converted:
        return convert.Converted(*(part.take(places) for part in column))

    before = np.concatenate([[0], np.cumsum(~dropped)])
    return Lines(
        rows=lines.rows[kept],
        starts=before[lines.starts],
        name=lines.name.take(places),
        quantity=of(lines.quantity),
        each=of(lines.each),
        price=of(lines.price),
        each_cents=lines.each_cents[kept],
        quantity_thousandths=lines.quantity_thousandths[kept],
        price_cents=lines.price_cents[kept],
        rounded=lines.rounded[kept],
        blank_quantity=lines.blank_quantity[kept],
        unpriced=lines.unpriced[kept],
        priceless=lines.priceless[kept],
        too_large=lines.too_large[kept],
        adjustment=lines.adjustment[kept],
        left_out=lines.rows[dropped],
    )


# --- unit price, quantity and line price ----------------------------------------------------


def _divided(price: Indices, thousandths: Indices) -> tuple[Indices, Flags]:
    """Unit prices from line totals, half up, and where that was not exact."""
    safe = np.where(thousandths == 0, ONE_EACH, thousandths)
    scaled = np.clip(price, -MOST_CENTS, MOST_CENTS) * 1000
    size, by = np.abs(scaled), np.abs(safe)
    quotient = (2 * size + by) // (2 * by) * np.sign(scaled) * np.sign(safe)
    return quotient, size % by != 0


def _multiplied(each: Indices, thousandths: Indices) -> tuple[Indices, Flags, Flags]:
    """Line totals from unit prices, half up; where that was not exact; where it is too large."""
    large = np.abs(each.astype(np.float64) * thousandths) > 1000.0 * MOST_CENTS
    product = np.where(large, 0, each) * np.where(large, 0, thousandths)
    rounded = (np.abs(product) + 500) // 1000 * np.sign(product)
    return rounded, product % 1000 != 0, large


def _multiplied_finely(fine: Indices, thousandths: Indices, otherwise: Indices) -> Indices:
    """Line totals in cents from unit prices with more decimals than cents have, half up.

    ``fine`` is in ten-thousandths of a cent: a thousand pieces at 0.125 are 125.00, and not a
    thousand times 0.13. ``otherwise`` where the product leaves int64.
    """
    fits = np.abs(fine.astype(np.float64) * thousandths) < 9e18
    product = np.where(fits, fine, 0) * thousandths
    finely = (np.abs(product) + 5_000_000) // 10_000_000 * np.sign(product)
    return np.where(fits, finely, otherwise)
