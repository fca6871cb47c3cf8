"""The committed samples: small exports of Fernlight Botanicals with the quirks that real ones have.

``expected.json`` is counted from the same orders while they are written, never by running the
product, so that the demo and the tests can hold the product to it. It has for each sample:

- ``options``: what the product needs to be told beside the file (paths relative to the samples);
- ``rows``: rows that belong to orders; ``blank_rows``: rows that do not;
- ``states``: by state the orders, and for those that are not rejected their line items and cents;
- ``rules``: orders by rule: of those that go all that find them, of a rejected one its reason;
- ``faults``: the planted ones, one by one;
- ``asked_for_no_history``: orders that ``--only-requested-history`` skips as well.
"""

from __future__ import annotations

import csv
import json
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import shop
import xlsxwriter  # type: ignore[import-untyped]
from planted import ORDERS_CSV, ORDERS_XLSX, SHOPIFY_CSV, Cell, Line, Planted

SEED = 20240612
SHIPPING = 595
MOUNTAIN = timezone(timedelta(hours=-7))
BLANK_ROWS = 2

Row = dict[str, Cell]


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One order as the shop knows it, before any platform has written it down."""

    key: str
    at: datetime
    affiliate: int
    name: str
    email: str
    phone: str
    street: str
    place: int
    lines: tuple[Line, ...]
    extra: int = 0
    """Cents on top of the lines: shipping."""
    planted: Planted | None = None

    @property
    def total(self) -> int:
        """What was paid, in cents."""
        if self.planted is not None and self.planted.total is not None:
            return self.planted.total
        return sum(line.quantity * line.price for line in self.lines) + self.extra

    @property
    def address(self) -> str:
        """The whole address in one line."""
        city, state, code, _ = shop.PLACES[self.place]
        return f"{self.street}, {city}, {state} {code}"


@dataclass(frozen=True, slots=True)
class Sample:
    """Orders, and how one file has them."""

    orders: list[Order]
    rows_of: Callable[[Order], list[Row]]
    key_column: str
    options: tuple[str, ...]
    rules_of: Callable[[Order], Iterator[str]]
    """The rules that find an order for what many orders have, planted faults aside."""

    def rows(self) -> list[tuple[Order, Row]]:
        """All rows as they stand in the file; a row that is set apart comes at the end."""
        near, far = [], []
        for order in self.orders:
            rows = with_planted(order, self.rows_of(order))
            near += [(order, row) for row in rows]
            if order.planted is not None and order.planted.apart:
                far.append(near.pop())
        return near + far

    def copies(self) -> list[tuple[Order, Row]]:
        """The rows of the orders that stand a second time in the file."""
        return [
            (order, row | order.planted.again)
            for order, row in self.rows()
            if order.planted is not None and order.planted.again is not None
        ]


def write_samples(folder: Path) -> None:
    """Write the samples and ``expected.json`` into ``folder``; the same bytes every time."""
    rng = random.Random(SEED)  # noqa: S311
    orders_csv = Sample(
        make_orders(560, 10001, ("2019-02-01", "2024-03-01"), ORDERS_CSV, rng),
        generic_rows,
        "reference_id",
        ("--affiliates", "affiliates.csv", "--timezone", "America/Denver"),
        rules_of_generic,
    )
    shopify_csv = Sample(
        make_orders(240, 2001, ("2021-04-01", "2024-04-01"), SHOPIFY_CSV, rng),
        shopify_rows,
        "Name",
        ("--connect-id", "fern-1009"),
        rules_of_shopify,
    )
    orders_xlsx = Sample(
        make_orders(200, 536001, ("2022-01-01", "2023-12-30"), ORDERS_XLSX, rng),
        excel_rows,
        "reference_id",
        ("--timezone", "America/Denver"),
        rules_of_excel,
    )
    write_affiliates(folder / "affiliates.csv")
    write_generic(folder / "orders.csv", orders_csv)
    write_shopify(folder / "shopify_orders.csv", shopify_csv)
    write_excel(folder / "orders.xlsx", orders_xlsx)
    expected = {
        "orders.csv": expect(orders_csv) | {"blank_rows": BLANK_ROWS},
        "shopify_orders.csv": expect(shopify_csv),
        "orders.xlsx": expect(orders_xlsx),
    }
    text = json.dumps(expected, indent=1, ensure_ascii=False)
    (folder / "expected.json").write_text(text + "\n", encoding="utf-8")


def make_orders(
    count: int, first: int, days: tuple[str, str], planted: Sequence[Planted], rng: random.Random
) -> list[Order]:
    """``count`` orders in the order of their time, with the planted ones spread among them.

    ``first`` is the first order's number, ``days`` the span of time, ``YYYY-MM-DD`` each.
    """
    begin, end = (datetime.fromisoformat(day).replace(tzinfo=MOUNTAIN) for day in days)
    seconds = int((end - begin).total_seconds())
    times = sorted(begin + timedelta(seconds=rng.randrange(seconds)) for _ in range(count))
    # The early years are left out: orders of then have naive times.
    places = range(count // 3, count, (count - count // 3) // len(planted))
    plants = dict(zip(places, planted, strict=False))
    return [make_order(first + n, times[n], plants.get(n), rng) for n in range(count)]


def make_order(number: int, at: datetime, planted: Planted | None, rng: random.Random) -> Order:
    """One order; the same customer has the same name, phone and address in all of them."""
    buyer = random.Random(rng.randrange(260))  # noqa: S311
    first, last = buyer.choice(shop.FIRST_NAMES), buyer.choice(shop.LAST_NAMES)
    place = buyer.randrange(len(shop.PLACES))
    style = rng.choice(shop.PHONE_STYLES)
    order = Order(
        key=str(number),
        at=at,
        affiliate=rng.choice((0, 0, 0, 1, 1, 2, 3, 4, 4, 5, 6, 7, 8, 9)),
        name=f"{first} {last}",
        email=f"customer{buyer.randrange(1000, 9999)}@example.com",
        phone=style.format(shop.PLACES[place][3], "555", f"01{buyer.randrange(100):02}"),
        street=f"{buyer.randrange(1, 999)} {buyer.choice(shop.STREETS)}",
        place=place,
        lines=tuple(
            Line(name, rng.choice((1, 1, 1, 1, 2, 2, 3)), price)
            for name, price in rng.sample(shop.CATALOGUE, rng.choice((1, 1, 1, 2, 2, 3, 4, 5)))
        ),
        extra=SHIPPING if rng.random() < 0.15 else 0,
    )
    if planted is not None:
        return replace(order, lines=planted.lines, extra=0, affiliate=0, planted=planted)
    gap = rng.random()
    return (
        replace(order, phone="") if gap < 0.12 else replace(order, email="") if gap < 0.2 else order
    )


def money(cents: int) -> str:
    """``1234`` as ``12.34``."""
    return f"{cents // 100}.{cents % 100:02}"


def is_naive(order: Order) -> bool:
    """The shop's system before 2020 wrote local times without an offset."""
    return order.at.year < 2020


def generic_rows(order: Order) -> list[Row]:
    """The order in the columns of the contract, its own fields on every row."""
    paid = order.at + timedelta(minutes=2)
    shipped = order.at + timedelta(days=2)
    shared: Row = {
        "reference_id": order.key,
        "created_at": order.at.strftime("%Y-%m-%d %H:%M:%S") if is_naive(order) else str(order.at),
        "paid_at": f"{paid:%Y-%m-%d %H:%M:%S}" if is_naive(order) else paid.isoformat(),
        "shipped_at": f"{shipped:%Y-%m-%d}",
        "cancelled_at": "",
        "status": "completed",
        "affiliate": shop.AFFILIATES[order.affiliate][0],
        "profile_name": order.name,
        "profile_phone_number": order.phone,
        "profile_email": order.email,
        "profile_shipping_address_raw": order.address,
        "description": "",
        "currency": "USD",
        "total": money(order.total),
    }
    return [
        shared
        | {
            "item_name": line.name,
            "item_quantity": line.quantity,
            "item_each_price": money(line.price),
        }
        for line in order.lines
    ]


def shopify_rows(order: Order) -> list[Row]:
    """The order as Shopify's admin exports it: its own fields on the first row only."""
    city, state, code, _ = shop.PLACES[order.place]
    at = f"{order.at:%Y-%m-%d %H:%M:%S %z}"
    whole: Row = {
        "Name": f"#{order.key}",
        "Email": order.email,
        "Created at": at,
        "Vendor": "Fernlight Botanicals",
        "Financial Status": "paid",
        "Paid at": at,
        "Fulfillment Status": "fulfilled",
        "Fulfilled at": f"{order.at + timedelta(days=2):%Y-%m-%d %H:%M:%S %z}",
        "Accepts Marketing": "no",
        "Currency": "USD",
        "Subtotal": money(order.total - order.extra),
        "Shipping": money(order.extra),
        "Taxes": "0.00",
        "Total": money(order.total),
        "Discount Amount": "0.00",
        "Shipping Method": "Standard",
        "Payment Method": "Shopify Payments",
        "Refunded Amount": "0.00",
        "Outstanding Balance": "0.00",
        "Id": 5_000_000_000_000 + int(order.key),
        "Risk Level": "Low",
        "Source": "web",
        "Phone": order.phone,
    }
    for kind in ("Billing", "Shipping"):
        whole |= {
            f"{kind} Name": order.name,
            f"{kind} Street": order.street,
            f"{kind} Address1": order.street,
            f"{kind} City": city,
            f"{kind} Zip": f"'{code}" if code.startswith("0") else code,
            f"{kind} Province": state,
            f"{kind} Country": "US",
            f"{kind} Phone": f"'{order.phone}" if order.phone.startswith("+") else order.phone,
        }
    rows: list[Row] = [
        {
            "Lineitem quantity": line.quantity,
            "Lineitem name": line.name,
            "Lineitem price": money(line.price),
            "Lineitem requires shipping": "true",
            "Lineitem taxable": "true",
            "Lineitem fulfillment status": "fulfilled",
            "Lineitem discount": "0.00",
        }
        for line in order.lines
    ]
    on_every_row: Row = {column: whole[column] for column in shop.SHOPIFY_ON_EVERY_ROW}
    return [whole | rows[0], *(on_every_row | row for row in rows[1:])]


def excel_rows(order: Order) -> list[Row]:
    """The order as somebody typed it into a workbook: numbers and dates as Excel has them."""
    shared: Row = {
        "reference_id": int(order.key),
        "created_at": order.at.replace(tzinfo=None),
        "connect_id": shop.AFFILIATES[order.affiliate % 7][1],
        "profile_name": order.name,
        "profile_phone_number": order.phone,
        "profile_email": order.email,
        "profile_shipping_address_raw": order.address,
        "total": order.total / 100,
    }
    if order.phone and order.phone.isdigit():
        shared["profile_phone_number"] = int(order.phone)
    return [
        shared
        | {
            "item_name": line.name,
            "item_quantity": line.quantity,
            "item_price": line.quantity * line.price / 100,
        }
        for line in order.lines
    ]


def with_planted(order: Order, rows: list[Row]) -> list[Row]:
    """The rows of an order with what was planted in it.

    Where a platform leaves an order's field out on further rows, it stays out.
    """
    if order.planted is None:
        return rows
    every, last = order.planted.every, order.planted.last
    further = [row | {cell: every[cell] for cell in every if cell in row} for row in rows[1:]]
    rows = [rows[0] | every, *further]
    return [*rows[:-1], rows[-1] | last]


def rules_of_generic(order: Order) -> Iterator[str]:
    """The rules that find an order of orders.csv."""
    if not shop.AFFILIATES[order.affiliate][2]:
        yield "affiliate_not_connected"
    if is_naive(order):
        yield "naive_time"
    if order.extra:
        yield "total_differs"


def rules_of_shopify(order: Order) -> Iterator[str]:
    """The rules that find an order of shopify_orders.csv."""
    if order.extra:
        yield "total_differs"


def rules_of_excel(order: Order) -> Iterator[str]:
    """The rules that find an order of orders.xlsx: Excel's times know of no offset."""
    yield "naive_time"
    if order.extra:
        yield "total_differs"


def expect(sample: Sample) -> dict[str, object]:
    """What any correct reading of a sample must come to; money in cents."""
    rows = sample.rows()
    keys = {order.key: str(row[sample.key_column]) for order, row in rows}
    states = {state: Counter(orders=0) for state in ("pending", "skipped", "rejected")}
    rules = Counter[str]()
    faults = []
    no_history = 0
    for order in sample.orders:
        found = list(sample.rules_of(order))
        state = "skipped" if "affiliate_not_connected" in found else "pending"
        if order.planted is not None and order.planted.rule is not None:
            state = order.planted.state
            if state == "rejected":
                found.clear()  # what else there is to say of it is of no interest
            found.append(order.planted.rule)
            fault = {"rule": order.planted.rule, "state": state, "why": order.planted.why}
            faults.append({"reference_id": keys[order.key], **fault})
        rules.update(found)
        states[state].update(orders=1)
        if state != "rejected":
            states[state].update(line_items=len(order.lines), total_cents=order.total)
        no_history += state == "pending" and not shop.AFFILIATES[order.affiliate][3]
    of_affiliates = {"asked_for_no_history": no_history} if "--affiliates" in sample.options else {}
    return {
        "options": sample.options,
        "rows": len(rows) + len(sample.copies()),
        "states": states,
        "rules": dict(sorted(rules.items())),
        "faults": faults,
    } | of_affiliates


def write_affiliates(path: Path) -> None:
    """The shop's list of affiliates, and which of them have connected."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("affiliate", "connect_id", "connected", "connect_import_order_history_at"))
        for name, connect_id, connected, asked in shop.AFFILIATES:
            writer.writerow((name, connect_id, str(connected).lower(), asked))


def write_generic(path: Path, sample: Sample) -> None:
    """A CSV as a spreadsheet saves it: byte order mark, few quotes, empty rows below."""
    rows = sample.rows()
    columns = list(rows[0][1])
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        for order, row in rows:
            surplus = order.planted.surplus if order.planted else ()
            writer.writerow([*(row[column] for column in columns), *surplus])
        writer.writerows([[""] * len(columns)] * BLANK_ROWS)


def write_shopify(path: Path, sample: Sample) -> None:
    """A CSV with all columns of Shopify's export, newest order first as Shopify has it."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, shop.SHOPIFY_COLUMNS, restval="", lineterminator="\n")
        writer.writeheader()
        newest_first = replace(sample, orders=sample.orders[::-1])
        writer.writerows(row for _, row in newest_first.rows())


def write_excel(path: Path, sample: Sample) -> None:
    """A workbook: a sheet a year under one header, and a sheet that is none of our business."""
    with xlsxwriter.Workbook(path) as book:
        book.set_properties({"created": datetime(2024, 6, 12), "author": "Fernlight Botanicals"})
        moment = book.add_format({"num_format": "yyyy-mm-dd hh:mm"})
        rows, copies = sample.rows(), sample.copies()
        for year in (2022, 2023):
            sheet = book.add_worksheet(f"Orders {year}")
            sheet.write_row(0, 0, list(rows[0][1]))
            of_year = [row for order, row in rows if order.at.year == year]
            of_year += [row for order, row in copies if order.at.year != year]
            for n, row in enumerate(of_year, start=1):
                for column, cell in enumerate(row.values()):
                    if isinstance(cell, datetime):
                        sheet.write_datetime(n, column, cell, moment)
                    elif isinstance(cell, str):
                        sheet.write_string(n, column, cell)
                    else:
                        sheet.write_number(n, column, cell)
        notes = book.add_worksheet("Returns")
        notes.write_column(0, 0, ["Return policy", "30 days, unopened, with the receipt."])
