"""What is planted in the samples, by design: each fault with the rule that must find it.

Planted orders are otherwise plain: no planted fault shares an order with another, or with one of
the quirks that many orders have (naive times, totals with shipping), so counts are exact.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NamedTuple

State = Literal["pending", "skipped", "rejected"]
Cell = str | int | float | datetime


class Line(NamedTuple):
    """One line item; the unit price in cents."""

    name: str
    quantity: int
    price: int


TWO_LINES = (Line("Daily Greens Powder", 1, 4200), Line("Sleep Tincture", 2, 2275))
ONE_LINE = (Line("Night Fern Repair Cream", 1, 4850),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """Something out of the ordinary in one order.

    ``rule`` is the id of the rule that must find it; None for a quirk that must pass unnoticed.
    """

    why: str
    rule: str | None = None
    state: State = "pending"
    every: dict[str, Cell] = field(default_factory=dict)
    """Cells that stand otherwise on every row of the order."""
    last: dict[str, Cell] = field(default_factory=dict)
    """Cells that stand otherwise on its last row only."""
    lines: tuple[Line, ...] = ONE_LINE
    total: int | None = None
    """Cents; None: the sum of the lines."""
    apart: bool = False
    """The last row stands at the end of the file, away from the others."""
    surplus: tuple[str, ...] = ()
    """Cells beyond the last column, on the last row."""
    again: dict[str, Cell] | None = None
    """The order stands on the workbook's other sheet as well, there with these cells otherwise."""


ORDERS_CSV = (
    # Errors: the order must not be sent.
    Planted(
        rule="missing_reference_id", state="rejected", why="no key", every={"reference_id": ""}
    ),
    Planted(rule="missing_account", state="rejected", why="no affiliate", every={"affiliate": " "}),
    Planted(
        rule="unknown_affiliate",
        state="rejected",
        why="an affiliate that affiliates.csv does not have",
        every={"affiliate": "Nobody In Particular"},
    ),
    Planted(
        rule="conflicting_accounts",
        state="rejected",
        why="two affiliates on the rows of one order",
        every={"affiliate": "Marisol Quennell"},
        last={"affiliate": "Zoë's Apothecary"},
        lines=TWO_LINES,
    ),
    Planted(
        rule="no_customer",
        state="pending",
        why="no name, no phone, no e-mail",
        every={"profile_name": "", "profile_phone_number": "", "profile_email": ""},
    ),
    Planted(
        rule="bad_money",
        state="rejected",
        why="a letter O in place of a zero",
        every={"total": "48.5O"},
    ),
    Planted(
        rule="unreadable_quantity",
        state="rejected",
        why="a word",
        every={"item_quantity": "a couple"},
    ),
    Planted(
        rule="zero_quantity",
        state="rejected",
        why="zero",
        every={"item_quantity": "0"},
    ),
    Planted(
        rule="no_line_items",
        state="rejected",
        why="an order without a line item",
        every={"item_name": "", "item_quantity": "", "item_each_price": ""},
    ),
    Planted(
        rule="negative_total",
        state="rejected",
        why="a refund entered as an order",
        every={"total": "-48.50", "item_each_price": "-48.50"},
    ),
    Planted(
        rule="cancelled",
        state="rejected",
        why="cancelled before it was paid",
        every={"status": "cancelled", "cancelled_at": "2023-02-02T10:00:00-07:00"},
    ),
    Planted(
        rule="future_time",
        state="rejected",
        why="a year mistyped",
        every={"created_at": "2201-05-04T11:20:00-07:00"},
    ),
    Planted(
        rule="bad_time", state="rejected", why="no such day", every={"created_at": "2021-02-30"}
    ),
    Planted(rule="time_is_now", state="rejected", why="a live time", every={"paid_at": "now"}),
    Planted(
        rule="no_time",
        state="rejected",
        why="no time at all",
        every={"created_at": "", "paid_at": "", "shipped_at": ""},
    ),
    Planted(
        rule="conflicting_fields",
        state="rejected",
        why="two totals on the rows of one order",
        last={"total": "78.50"},
        lines=TWO_LINES,
    ),
    Planted(
        rule="other_currency", state="rejected", why="paid in euros", every={"currency": "EUR"}
    ),
    Planted(
        rule="ragged_row",
        state="rejected",
        why="one cell more than there are columns",
        surplus=("stray",),
    ),
    Planted(
        rule="missing_price",
        state="rejected",
        why="a line without a price",
        every={"item_each_price": ""},
    ),
    Planted(rule="voided", state="rejected", why="never paid", every={"status": "declined"}),
    # Warnings: the order goes, and the report says what was seen.
    Planted(rule="bad_phone", why="seven digits", every={"profile_phone_number": "555-0134"}),
    Planted(
        rule="bad_phone", why="keyed in to get on", every={"profile_phone_number": "000-000-0000"}
    ),
    Planted(
        rule="old_time",
        why="the zero of a spreadsheet's calendar",
        every={"created_at": "1899-12-30T00:00:00-07:00"},
    ),
    Planted(
        rule="rounded",
        why="a unit price with a fraction of a cent",
        every={"item_each_price": "48.495", "total": "48.50"},
    ),
    Planted(
        rule="zero_total",
        why="a free sample",
        every={"item_each_price": "0.00"},
        total=0,
    ),
    Planted(
        rule="broken_text",
        why="a letter lost on the way from one system to the next",
        every={"profile_name": "Ren\N{REPLACEMENT CHARACTER}e Ashgrove"},
    ),
    Planted(
        rule="formula_like",
        why="a cell that a spreadsheet would run",
        every={"description": '=HYPERLINK("https://example.com","Your gift")'},
    ),
    Planted(
        rule="text_too_long",
        why="a whole tale in the description",
        every={"description": "Once upon a time there was an order. " * 60},
    ),
    Planted(
        rule="created_from_other_time",
        why="paid and shipped, but nobody knows when it was placed",
        every={"created_at": ""},
    ),
    # Quirks: nothing is wrong with these.
    Planted(
        why="money with a symbol and a thousands mark",
        every={"total": "$1,234.50", "item_each_price": "$123.45"},
        lines=(Line("Starter Set: cleanse, treat, moisturise", 10, 12345),),
    ),
    Planted(
        why="the same line twice, both real",
        lines=(Line("Lip Balm, 3 pack", 1, 1275), Line("Lip Balm, 3 pack", 1, 1275)),
    ),
    Planted(why="rows of one order that do not stand together", lines=TWO_LINES, apart=True),
    Planted(why="and another such order", lines=(*TWO_LINES, *ONE_LINE), apart=True),
    Planted(
        why="a quoted line break in a cell",
        every={"profile_shipping_address_raw": "Fern Hollow Dr 12\nBack door\nProvo, UT 84606"},
    ),
    Planted(why="a note in quotes", every={"description": 'Says "thank you", and means it'}),
    Planted(why="a key with leading zeros", every={"reference_id": "000417"}),
    Planted(why="a key with a sign and a space", every={"reference_id": "#W 17/3"}),
    Planted(
        why="a space around cells", every={"total": " 48.50 ", "profile_name": " Ada Juniper "}
    ),
    Planted(
        why="a fax machine's phone from abroad",
        every={"profile_phone_number": "+44 20 7946 0018"},
    ),
    Planted(why="a time in UTC", every={"created_at": "2022-07-04T18:00:00Z"}),
    Planted(why="a script for a name", every={"profile_name": "<script>alert(1)</script>"}),
)

SHOPIFY_CSV = (
    Planted(
        rule="cancelled",
        state="rejected",
        why="cancelled in the shop",
        every={"Cancelled at": "2023-03-01 09:30:00 -0700"},
    ),
    Planted(
        rule="no_customer",
        state="pending",
        why="sold over the counter, to nobody by name",
        every={
            "Email": "",
            "Phone": "",
            "Billing Name": "",
            "Billing Phone": "",
            "Shipping Name": "",
            "Shipping Phone": "",
        },
    ),
    Planted(rule="other_currency", state="rejected", why="paid in CAD", every={"Currency": "CAD"}),
    Planted(
        rule="bad_phone",
        why="a phone with digits missing",
        every={"Phone": "", "Billing Phone": "801", "Shipping Phone": "801"},
    ),
    Planted(rule="zero_total", why="a gift", every={"Lineitem price": "0.00"}, total=0),
    Planted(why="one item twice", lines=(*ONE_LINE, *ONE_LINE)),
    Planted(why="a name with a comma", every={"Billing Name": "Juniper, Ada"}, lines=TWO_LINES),
    Planted(why="a break in the notes", every={"Notes": "Leave at\nthe back door"}),
)

ORDERS_XLSX = (
    Planted(rule="missing_account", state="rejected", why="no account", every={"connect_id": ""}),
    Planted(rule="bad_money", state="rejected", why="a question mark", every={"total": "?"}),
    Planted(rule="bad_phone", why="a number too short", every={"profile_phone_number": 5550123}),
    Planted(
        rule="rounded",
        why="three for ten dollars: no whole cent each",
        every={"item_price": 10.0},
        lines=(Line("Travel Pouch", 3, 333),),
        total=1000,
    ),
    Planted(
        rule="repeated_order",
        why="the same order on both sheets, in the same words",
        lines=TWO_LINES,
        again={},
    ),
    Planted(
        rule="duplicate_order",
        state="rejected",
        why="the same order on both sheets, and they disagree on who bought it",
        again={"profile_name": "Somebody Else"},
    ),
    Planted(why="a key that is text among numbers", every={"reference_id": "W-204"}),
    Planted(why="another", every={"reference_id": "W-205"}, lines=TWO_LINES),
    Planted(
        why="a line total as a sum of binary fractions",
        every={"item_price": 731.9399999999999},
        lines=(Line("Starter Set: cleanse, treat, moisturise", 1, 73194),),
    ),
)
