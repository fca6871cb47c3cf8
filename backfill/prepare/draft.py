"""A chunk of orders as converted columns: what the rows say, before the rules judge it.

Nothing is dropped or mended here. Where a value could not be read, or an order's rows disagree,
the draft keeps the place, and ``rules`` says what that means for the order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from backfill.prepare import convert
from backfill.prepare.grouping.keys import Indices
from backfill.prepare.grouping.orders import OrderRows
from backfill.prepare.mapping import fields
from backfill.prepare.mapping.affiliates import Accounts, Affiliates
from backfill.settings import ImportSettings

Flags = npt.NDArray[np.bool_]

#: One item each, in thousandths, where an export has no quantity column.
ONE_EACH = 1000
#: Beyond this many cents a product of price and quantity could leave int64.
MOST_CENTS = 10**15
#: A zero that stands for "see the order's first row" in exports that fill with zeros.
_LITERAL_ZERO = r"^0+([.,]0+)?$"

_NO_ROWS: Indices = np.empty(0, dtype=np.int64)

_Columns = TypeVar("_Columns", bound=tuple[pa.Array, ...])


@dataclass(frozen=True, slots=True)
class Reading:
    """How one source is read: its mapping, and what its columns proved about their style."""

    label: str
    mapping: fields.Mapping
    times: Mapping[str, convert.TimeStyle]
    money: convert.MoneyStyle


class OrderText(NamedTuple):
    """An order-level field: one value an order, and where it stands."""

    values: pa.Array
    """string; null where all the order's rows are blank"""
    rows: Indices
    """the row (index into the chunk) where the value stands; the order's first row where null"""
    conflicts: Indices
    """rows that hold another value than the order's rows before them"""


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
    too_large: Flags


@dataclass(frozen=True, slots=True)
class Draft:
    """Converted columns of a chunk of orders; arrays have one entry an order unless said."""

    orders: OrderRows
    readings: Sequence[Reading]
    owners: Indices
    """of each row: the index of its order"""
    sources: npt.NDArray[np.int32]
    """of each row: the index of its source in ``readings``"""
    texts: Mapping[str, OrderText]
    times: Mapping[str, convert.Times]
    phone: convert.Converted
    total: convert.Converted
    """the total as the export gives it, in cents; null where it gives none"""
    total_cents: Indices
    """the total that is sent: the export's, else the sum of the lines"""
    lines_cents: Indices
    lines: Lines
    currency: pa.Array
    accounts: Accounts

    @property
    def count(self) -> int:
        """How many orders there are."""
        return self.orders.count

    @property
    def first_rows(self) -> Indices:
        """The first row (index into the chunk) of each order."""
        return self.orders.starts[:-1]

    def column(self, name: str) -> pa.Array:
        """A column of the chunk's rows; nulls where no source is mapped to it."""
        return self.orders.column(name)

    def has(self, field: str) -> bool:
        """Whether any source maps a column to ``field``."""
        return any(field in reading.mapping.specs for reading in self.readings)


def draft(
    orders: OrderRows,
    readings: Sequence[Reading],
    affiliates: Affiliates,
    settings: ImportSettings,
) -> Draft:
    """Convert a chunk of whole orders."""
    owners = orders.owners
    sources = orders.rows["_source"].to_numpy()
    resolve = _Resolver(orders, readings, owners, sources)
    texts = {field: resolve(field) for field in fields.ORDER_FIELDS + fields.ACCOUNT_FIELDS}
    zones = resolve("zone")

    def times_of(field: str) -> convert.Times:
        def of_source(values: pa.Array, source: int) -> convert.Times:
            part, zone = values.field(0), values.field(1)
            placed = zone if zone.null_count < len(zone) else None
            # A source without the field has nothing to read, beside others that have it.
            style = readings[source].times.get(field, convert.TimeStyle())
            return convert.times(part, style, settings.timezone, placed)

        if texts[field].values.null_count == orders.count:
            return convert.Times.blank(orders.count)
        both = pa.StructArray.from_arrays([texts[field].values, zones.values], ["text", "zone"])
        return _by_source(both, sources[texts[field].rows], of_source)

    total = _by_source(
        texts["total"].values,
        sources[texts["total"].rows],
        lambda values, source: convert.cents(values, readings[source].money),
    )
    lines = _lines(orders, owners, sources, readings)
    running = np.concatenate([[0], np.cumsum(lines.price_cents)])
    lines_cents = running[lines.starts[1:]] - running[lines.starts[:-1]]
    return Draft(
        orders=orders,
        readings=readings,
        owners=owners,
        sources=sources,
        texts=texts,
        times={field: times_of(field) for field in fields.TIME_FIELDS},
        phone=convert.phones(texts["profile_phone_number"].values, settings.region),
        total=total,
        total_cents=np.where(_present(total.values), _numbers(total.values), lines_cents),
        lines_cents=lines_cents,
        lines=lines,
        currency=_currency(texts, orders),
        accounts=affiliates.accounts(
            texts["connect_id"].values,
            texts["user_id"].values,
            texts["affiliate"].values,
            settings,
        ),
    )


class _Resolver:
    """Finds the one value an order has for an order-level field, and the rows that disagree."""

    def __init__(
        self,
        orders: OrderRows,
        readings: Sequence[Reading],
        owners: Indices,
        sources: npt.NDArray[np.int32],
    ) -> None:
        self._orders = orders
        self._readings = readings
        self._owners = owners
        self._sources = sources
        self._first = orders.starts[:-1]
        self._follows = np.ones(len(owners), dtype=bool)
        self._follows[self._first] = False

    def __call__(self, field: str) -> OrderText:
        values = self._orders.column(field)
        if values.null_count == len(values):
            nothing = pa.nulls(self._orders.count, pa.string())
            return OrderText(nothing, self._first, _NO_ROWS)
        values = self._of_the_first_choice(field, values)
        values = self._without_filling_zeros(field, values)
        if values.null_count == 0:
            same = pc.equal(values.slice(1), values.slice(0, len(values) - 1))
            clashing = ~same.to_numpy(zero_copy_only=False) & self._follows[1:]
            taken = values.take(pa.array(self._first))
            return OrderText(taken, self._first, np.flatnonzero(clashing) + 1)
        return self._among_blanks(values)

    def _among_blanks(self, values: pa.Array) -> OrderText:
        filled = np.flatnonzero(_present(values))
        owners = self._owners[filled]
        begins = np.diff(owners, prepend=-1) > 0
        rows = np.full(self._orders.count, -1, dtype=np.int64)
        rows[owners[begins]] = filled[begins]
        taken = values.take(pa.array(rows, mask=rows < 0))
        packed = values.take(pa.array(filled))
        same = pc.equal(packed.slice(1), packed.slice(0, len(packed) - 1))
        clashing = ~same.to_numpy(zero_copy_only=False) & ~begins[1:]
        return OrderText(taken, np.where(rows < 0, self._first, rows), filled[1:][clashing])

    def _of_the_first_choice(self, field: str, values: pa.Array) -> pa.Array:
        """Of a SPEC with several choices, what is from the first that any of the order's rows has.

        An export may say one of them on an order's first row only and repeat another, so that
        its further rows would seem to disagree.
        """
        choice = self._orders.column(fields.choice_column(field))
        if choice.null_count == len(choice):
            return values
        ranks = np.where(_present(values), _numbers(choice), np.iinfo(np.int8).max)
        first = np.full(self._orders.count, np.iinfo(np.int8).max)
        np.minimum.at(first, self._owners, ranks)
        return pc.if_else(pa.array(ranks > first[self._owners]), None, values)

    def _without_filling_zeros(self, field: str, values: pa.Array) -> pa.Array:
        filling = [
            index
            for index, reading in enumerate(self._readings)
            if field in reading.mapping.zero_is_blank
        ]
        if not filling:
            return values
        zero = pc.fill_null(pc.match_substring_regex(values, _LITERAL_ZERO), False)
        blank = zero.to_numpy(zero_copy_only=False) & np.isin(self._sources, filling)
        return pc.if_else(pa.array(blank & self._follows), None, values)


def _lines(
    orders: OrderRows,
    owners: Indices,
    sources: npt.NDArray[np.int32],
    readings: Sequence[Reading],
) -> Lines:
    texts = {field: orders.column(field) for field in fields.LINE_FIELDS}
    filled = np.zeros(len(owners), dtype=bool)
    for text in texts.values():
        filled |= _present(text)
    rows = np.flatnonzero(filled)
    if len(rows) < len(owners):
        texts = {field: text.take(pa.array(rows)) for field, text in texts.items()}
    before = np.concatenate([[0], np.cumsum(filled)])
    counted = np.array(["item_quantity" in reading.mapping.specs for reading in readings])

    quantity = convert.quantities(texts["item_quantity"])
    each, price = (
        _by_source(
            texts[field],
            sources[rows],
            lambda values, source: convert.cents(values, readings[source].money),
        )
        for field in ("item_each_price", "item_price")
    )
    has_each, has_price = _present(each.values), _present(price.values)
    amount = np.where(_present(quantity.values), _numbers(quantity.values), ONE_EACH)
    each_cents, each_rest = _divided(_numbers(price.values), amount)
    price_cents, price_rest, large = _multiplied(_numbers(each.values), amount)
    finer = np.flatnonzero(
        pc.fill_null(each.inexact, False).to_numpy(zero_copy_only=False) & ~large
    )
    if len(finer):
        exact = _by_source(
            texts["item_each_price"].take(pa.array(finer)),
            sources[rows[finer]],
            lambda values, source: convert.millionths(values, readings[source].money),
        )
        price_cents[finer] = _multiplied_finely(
            _numbers(exact.values), amount[finer], price_cents[finer]
        )
    return Lines(
        rows=rows,
        starts=before[orders.starts],
        name=texts["item_name"],
        quantity=quantity,
        each=each,
        price=price,
        each_cents=np.where(has_each, _numbers(each.values), each_cents),
        quantity_thousandths=amount,
        price_cents=np.where(has_price, _numbers(price.values), price_cents),
        rounded=(has_price & ~has_each & each_rest) | (has_each & ~has_price & price_rest),
        blank_quantity=~_present(texts["item_quantity"]) & counted[sources[rows]],
        unpriced=~_present(texts["item_each_price"]) & ~_present(texts["item_price"]),
        too_large=large & ~has_price,
    )


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


def _multiplied_finely(millionths: Indices, thousandths: Indices, otherwise: Indices) -> Indices:
    """Line totals in cents from unit prices with more decimals than cents have, half up.

    A thousand pieces at 0.125 are 125.00, and not a thousand times 0.13. ``otherwise`` where the
    product leaves int64.
    """
    fits = np.abs(millionths.astype(np.float64) * thousandths) < 9e18
    product = np.where(fits, millionths, 0) * thousandths
    finely = (np.abs(product) + 5_000_000) // 10_000_000 * np.sign(product)
    return np.where(fits, finely, otherwise)


def _currency(texts: Mapping[str, OrderText], orders: OrderRows) -> pa.Array:
    """The currency of each order: its column's, else the one that stands with an amount."""
    named = pc.utf8_upper(texts["currency"].values)
    if named.null_count == 0:
        return named
    beside = convert.money_currency(texts["total"].values)
    for field in ("item_price", "item_each_price"):
        column = orders.column(field)
        if column.null_count < len(column):
            first = column.take(pa.array(orders.starts[:-1]))
            beside = pc.coalesce(beside, convert.money_currency(first))
    return pc.coalesce(named, beside)


def _by_source(
    values: pa.Array,
    sources: npt.NDArray[np.int32],
    convert_part: Callable[[pa.Array, int], _Columns],
) -> _Columns:
    """Convert each source's values in that source's style, and put them back in their places."""
    present = np.unique(sources)
    if len(present) <= 1:
        return convert_part(values, int(present[0]) if len(present) else 0)
    places = [np.flatnonzero(sources == source) for source in present]
    parts = [
        convert_part(values.take(pa.array(place)), int(source))
        for place, source in zip(places, present, strict=True)
    ]
    back = pa.array(np.argsort(np.concatenate(places)))
    columns = [pa.concat_arrays(column).take(back) for column in zip(*parts, strict=True)]
    return type(parts[0])(*columns)


def _present(values: pa.Array) -> Flags:
    present: Flags = pc.is_valid(values).to_numpy(zero_copy_only=False)
    return present


def _numbers(values: pa.Array) -> Indices:
    numbers: Indices = pc.fill_null(values, 0).to_numpy(zero_copy_only=False)
    return numbers
