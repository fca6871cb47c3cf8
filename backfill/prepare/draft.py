"""A chunk of orders as converted columns: what the rows say, before the rules are applied.

Nothing is dropped or corrected in silence here. Where a value could not be read, or the rows of an
order differ, the draft keeps the place, and the rules say what that means for the order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from backfill.prepare import convert
from backfill.prepare.convert.columns import numbers, present
from backfill.prepare.drafting.by_source import Reading, by_source
from backfill.prepare.drafting.foreign import Foreign, foreign_amounts
from backfill.prepare.drafting.line_items import Lines, line_items, order_sums
from backfill.prepare.drafting.order_values import OrderText, OrderValues
from backfill.prepare.grouping.keys import Indices
from backfill.prepare.grouping.orders import OrderRows
from backfill.prepare.mapping import fields
from backfill.prepare.mapping.affiliates import Accounts, Affiliates
from backfill.settings import ImportSettings


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
    refunded: convert.Converted
    """how much of it went back, in cents; null where the export does not say"""
    total_cents: Indices
    """the total that is sent: the export's, else the sum of the lines"""
    lines_cents: Indices
    lines: Lines
    foreign: Sequence[Foreign]
    """amounts that are not in the currency of the import"""
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
    resolve = OrderValues(orders, readings, owners, sources)
    zones = resolve.text("zone")
    row_zones = orders.column("zone")

    def read_times(field: str, values: pa.Array, rows: Indices) -> convert.Times:
        """Times of a field, each in the style of its source and the zone of its row or order."""

        def of_source(both: pa.Array, source: int) -> convert.Times:
            text, zone = both.field(0), both.field(1)
            placed = zone if zone.null_count < len(zone) else None
            # A source without the field has nothing to read, beside others that have it.
            style = readings[source].times.get(field, convert.TimeStyle())
            return convert.times(text, style, settings.timezone, placed)

        if zones.values.null_count == orders.count:
            zone = pa.nulls(len(rows), pa.string())
        else:
            of_order = zones.values.take(pa.array(owners[rows]))
            zone = pc.coalesce(row_zones.take(pa.array(rows)), of_order)
        both = pa.StructArray.from_arrays([values, zone], ["text", "zone"])
        return by_source(both, sources[rows], of_source)

    texts: dict[str, OrderText] = {fields.ZONE: zones}
    times: dict[str, convert.Times] = {}
    for field in fields.ORDER_FIELDS + fields.ACCOUNT_FIELDS:
        if field not in fields.TIME_FIELDS:
            texts[field] = resolve.text(field)
            continue
        text = texts[field] = resolve.time(field, partial(read_times, field))
        blank = text.values.null_count == orders.count
        times[field] = (
            convert.Times.blank(orders.count)
            if blank
            else read_times(field, text.values, text.rows)
        )

    total = by_source(
        texts["total"].values,
        sources[texts["total"].rows],
        lambda values, source: convert.cents(values, readings[source].number("total")),
    )
    refunded = by_source(
        texts[fields.REFUNDED_TOTAL].values,
        sources[texts[fields.REFUNDED_TOTAL].rows],
        lambda values, source: convert.cents(
            values, readings[source].number(fields.REFUNDED_TOTAL)
        ),
    )
    lines = line_items(orders, owners, sources, readings, total)
    lines_cents = order_sums(lines)
    return Draft(
        orders=orders,
        readings=readings,
        owners=owners,
        sources=sources,
        texts=texts,
        times=times,
        phone=_phones(texts, resolve.text(fields.COUNTRY).values, settings.region),
        total=total,
        refunded=refunded,
        total_cents=np.where(present(total.values), numbers(total.values), lines_cents),
        lines_cents=lines_cents,
        lines=lines,
        foreign=foreign_amounts(orders, sources, readings, texts, settings.currency),
        accounts=affiliates.accounts(
            texts["connect_id"].values,
            texts["user_id"].values,
            texts["affiliate"].values,
            settings,
        ),
    )


def _phones(texts: Mapping[str, OrderText], country: pa.Array, region: str) -> convert.Converted:
    """The phone numbers; where no order has one, no address is searched for its country."""
    written = texts["profile_phone_number"].values
    if written.null_count == len(written):
        return convert.phones(written, region)
    address = texts["profile_shipping_address_raw"].values
    return convert.phones(written, region, convert.home_countries(country, address))
