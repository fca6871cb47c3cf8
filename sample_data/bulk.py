"""Exports of any size, made in whole columns: a million lines in a few seconds.

An order is one line or more; each line starts a new order with a chance of 461 in 1000, which
makes 2.17 lines an order and 461,000 orders a million lines. Everything of an order is drawn once
and taken by each of its lines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute
import shop

Shape = Literal["generic", "shopify"]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Column: TypeAlias = "pa.Array[Any]"
"""Text, a cell a row."""
Columns = dict[str, Column]

#: The stubs know but few of the arguments that Arrow's compute functions take.
pc: Any = pyarrow.compute

NEW_ORDER = 0.461
CHUNK = 250_000
FIRST_DAY = 1_546_300_800  # 2019-01-01, in seconds since 1970
SIX_YEARS = 6 * 365 * 86_400
ACCOUNTS = 400


class Lines(NamedTuple):
    """A chunk of lines: which order each belongs to, and whether it is the order's first."""

    order: Integers
    """Counts from 0 within the chunk."""
    first: Flags
    orders_before: int
    rng: np.random.Generator

    @property
    def orders(self) -> int:
        """How many orders there are in the chunk."""
        return int(self.order[-1]) + 1


def write_bulk(
    path: Path, lines: int, *, shape: Shape, scattered: bool, bad_percent: float, seed: int
) -> None:
    """Write a CSV of ``lines`` line items to ``path``.

    ``scattered`` shuffles the rows of the whole file, and needs memory for all of it.
    """
    columns_of: Callable[[Lines, float], Columns]
    columns_of = generic_columns if shape == "generic" else shopify_columns
    with path.open("wb") as file:
        texts = (as_csv(columns_of(chunk, bad_percent)) for chunk in chunks(lines, seed))
        first = next(texts)
        file.write(",".join(first.header).encode() + b"\n")
        if scattered:
            rows = pa.concat_arrays([first.rows, *(text.rows for text in texts)])
            shuffled = np.random.default_rng(seed).permutation(lines)
            for start in range(0, lines, CHUNK):
                write_rows(file, pc.take(rows, shuffled[start : start + CHUNK]))
        else:
            write_rows(file, first.rows)
            for text in texts:
                write_rows(file, text.rows)


def chunks(lines: int, seed: int) -> Iterator[Lines]:
    """Cut ``lines`` into chunks of whole orders, each with random numbers of its own."""
    orders = 0
    for start in range(0, lines, CHUNK):
        rng = np.random.default_rng((seed, start))
        first = rng.random(min(CHUNK, lines - start)) < NEW_ORDER
        first[0] = True
        chunk = Lines(np.cumsum(first) - 1, first, orders, rng)
        orders += chunk.orders
        yield chunk


def generic_columns(lines: Lines, bad_percent: float) -> Columns:
    """Twelve columns that need no mapping; an order's own fields stand on each of its rows."""
    order = order_columns(lines)
    of_order: Columns = {
        "reference_id": order["number"],
        "created_at": join(order["date"], "T", order["time"], order["offset"]),
        "paid_at": order["date"],
        "connect_id": order["account"],
        "profile_name": order["name"],
        "profile_phone_number": order["phone"],
        "profile_email": order["email"],
        "profile_shipping_address_raw": join(order["street"], ", ", order["place"]),
        "total": order["total"],
    }
    for column, spoilt in (
        ("created_at", "2021-02-30"),
        ("connect_id", ""),
        ("profile_phone_number", "12345"),
        ("total", "n/a?"),
    ):
        bad = lines.rng.random(lines.orders) * 400 < bad_percent
        of_order[column] = pc.if_else(pa.array(bad), spoilt, of_order[column])
    return {name: pc.take(column, lines.order) for name, column in of_order.items()} | {
        "item_name": order["item"],
        "item_quantity": order["quantity"],
        "item_each_price": order["price"],
    }


def shopify_columns(lines: Lines, bad_percent: float) -> Columns:
    """The columns of Shopify's export; an order's own fields stand on its first row only."""
    order = order_columns(lines)
    at = join(order["date"], " ", order["time"], pc.replace_substring(order["offset"], ":", ""))
    at = join(pc.utf8_slice_codeunits(at, 0, 19), " ", pc.utf8_slice_codeunits(at, 19))
    of_order: Columns = {
        "Name": join("#", order["number"]),
        "Email": order["email"],
        "Created at": at,
        "Vendor": constant("Fernlight Botanicals", lines.orders),
        "Financial Status": constant("paid", lines.orders),
        "Paid at": at,
        "Fulfillment Status": constant("fulfilled", lines.orders),
        "Fulfilled at": at,
        "Accepts Marketing": constant("no", lines.orders),
        "Currency": constant("USD", lines.orders),
        "Subtotal": order["subtotal"],
        "Shipping": order["shipping"],
        "Taxes": constant("0.00", lines.orders),
        "Total": order["total"],
        "Discount Amount": constant("0.00", lines.orders),
        "Shipping Method": constant("Standard", lines.orders),
        "Payment Method": constant("Shopify Payments", lines.orders),
        "Refunded Amount": constant("0.00", lines.orders),
        "Outstanding Balance": constant("0.00", lines.orders),
        "Id": join("50", order["number"], "000"),
        "Risk Level": constant("Low", lines.orders),
        "Source": constant("web", lines.orders),
        "Phone": order["phone"],
    }
    for kind in ("Billing", "Shipping"):
        of_order |= {
            f"{kind} Name": order["name"],
            f"{kind} Street": order["street"],
            f"{kind} Address1": order["street"],
            f"{kind} City": order["city"],
            f"{kind} Zip": order["zip"],
            f"{kind} Province": order["state"],
            f"{kind} Country": constant("US", lines.orders),
            f"{kind} Phone": order["phone"],
        }
    for column, spoilt in (("Created at", "2021-02-30"), ("Phone", "12345"), ("Total", "n/a?")):
        bad = lines.rng.random(lines.orders) * 300 < bad_percent
        of_order[column] = pc.if_else(pa.array(bad), spoilt, of_order[column])
    count = len(lines.order)
    first_only = pa.array(lines.order, mask=~lines.first)
    found: Columns = {
        name: pc.take(column, lines.order if name in shop.SHOPIFY_ON_EVERY_ROW else first_only)
        for name, column in of_order.items()
    }
    found |= {
        "Lineitem quantity": order["quantity"],
        "Lineitem name": order["item"],
        "Lineitem price": order["price"],
        "Lineitem requires shipping": constant("true", count),
        "Lineitem taxable": constant("true", count),
        "Lineitem fulfillment status": constant("fulfilled", count),
        "Lineitem discount": constant("0.00", count),
    }
    return {name: found.get(name, constant("", count)) for name in shop.SHOPIFY_COLUMNS}


def order_columns(lines: Lines) -> Columns:
    """What there is to know of each order, and of each line: item, quantity, price."""
    rng, count = lines.rng, lines.orders
    quantity = rng.choice(np.array([1, 1, 1, 1, 2, 2, 3]), len(lines.order))
    item = rng.integers(0, len(shop.CATALOGUE), len(lines.order))
    price = np.array([cents for _, cents in shop.CATALOGUE])[item]
    subtotal = np.bincount(lines.order, weights=quantity * price).astype(np.int64)
    shipping = 595 * (rng.random(count) < 0.1).astype(np.int64)
    seconds = FIRST_DAY + rng.integers(0, SIX_YEARS, count)
    moment = pc.cast(pa.array(seconds, pa.timestamp("s")), pa.string())
    place = rng.integers(0, len(shop.PLACES), count)
    accounts = [f"fern-{1001 + n}" for n in range(ACCOUNTS)]
    buyer = pa.array(rng.integers(1, 2_000_000, count)).cast(pa.string())
    return {
        "number": pa.array(1_000_001 + lines.orders_before + np.arange(count)).cast(pa.string()),
        "date": pc.utf8_slice_codeunits(moment, 0, 10),
        "time": pc.utf8_slice_codeunits(moment, 11, 19),
        "offset": pick(("-06:00", "-07:00", "-05:00"), rng.integers(0, 3, count)),
        "account": pick(accounts, rng.integers(0, ACCOUNTS, count)),
        "name": join(
            pick(shop.FIRST_NAMES, rng.integers(0, len(shop.FIRST_NAMES), count)),
            " ",
            pick(shop.LAST_NAMES, rng.integers(0, len(shop.LAST_NAMES), count)),
        ),
        "phone": phones(rng, place),
        "email": join("c", buyer, "@example.com"),
        "street": join(
            pa.array(rng.integers(1, 999, count)).cast(pa.string()),
            " ",
            pick(shop.STREETS, rng.integers(0, len(shop.STREETS), count)),
        ),
        "place": pick([f"{city}, {state} {code}" for city, state, code, _ in shop.PLACES], place),
        "city": pick([city for city, *_ in shop.PLACES], place),
        "state": pick([state for _, state, *_ in shop.PLACES], place),
        "zip": pick([code for _, _, code, _ in shop.PLACES], place),
        "subtotal": money(subtotal),
        "shipping": money(shipping),
        "total": money(subtotal + shipping),
        "item": pick([name for name, _ in shop.CATALOGUE], item),
        "quantity": pa.array(quantity).cast(pa.string()),
        "price": money(price),
    }


def phones(rng: np.random.Generator, place: Integers) -> Column:
    """Phone numbers of the exchange 555 under the place's area code, each in a style of its own."""
    areas = pick([area for *_, area in shop.PLACES], place)
    last = pc.utf8_lpad(pa.array(rng.integers(0, 10_000, len(place))).cast(pa.string()), 4, "0")
    style = rng.integers(0, len(shop.PHONE_STYLES), len(place))
    # A style's text is cut at its braces: what stands before, between and behind the three parts.
    pieces = list(zip(*(text.split("{}") for text in shop.PHONE_STYLES), strict=True))
    before, between, then, behind = (pick(piece, style) for piece in pieces)
    return join(before, areas, between, "555", then, last, behind)


def pick(texts: Sequence[str], places: Integers) -> Column:
    """``texts[place]`` for each place."""
    picked: Column = pc.take(pa.array(texts, pa.string()), places)
    return picked


def join(*parts: Column | str) -> Column:
    """The parts of each row, one behind the other."""
    joined: Column = pc.binary_join_element_wise(*parts, "")
    return joined


def constant(text: str, count: int) -> Column:
    """``text`` on each of ``count`` rows."""
    return pa.repeat(pa.scalar(text, pa.string()), count)


def money(cents: Integers) -> Column:
    """``1234`` as ``12.34``."""
    hundredths = pick([f"{n:02}" for n in range(100)], cents % 100)
    return join(pa.array(cents // 100).cast(pa.string()), ".", hundredths)


class Text(NamedTuple):
    """CSV rows as text, without their line ends."""

    header: list[str]
    rows: Column


def as_csv(columns: Columns) -> Text:
    """Columns as CSV rows, quoted where a cell needs it."""
    cells = []
    for column in columns.values():
        column = pc.fill_null(column, "")
        needs = pc.match_substring_regex(column, '[",\n]')
        if pc.any(needs).as_py():
            doubled = join('"', pc.replace_substring(column, '"', '""'), '"')
            column = pc.if_else(needs, doubled, column)
        cells.append(column.cast(pa.large_string()))
    return Text(
        list(columns), pc.binary_join_element_wise(*cells, pa.scalar(",", pa.large_string()))
    )


def write_rows(file: BinaryIO, rows: Column) -> None:
    """Append rows to the file, each with its line end."""
    whole = pa.LargeListArray.from_arrays(pa.array([0, len(rows)], pa.int64()), rows)
    file.write(pc.binary_join(whole, pa.scalar("\n", pa.large_string()))[0].as_buffer())
    file.write(b"\n")
