"""Roles of money columns: names are held against the numbers, charges without a total are named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import backfill
from backfill.errors import MappingError
from tests.prepare.preparing import csv_text, prepared

#: Of three orders the total is the sum of quantity x "Item Price".
ITEMS = csv_text(
    ["Ref", "Day", "Who", "Item Name", "Pcs", "Item Price", "Sub", "Total"],
    ["B-1", "2022-01-13", "Ann", "Lamp", 3, "20.00", "75.00", "75.00"],
    ["B-1", "2022-01-13", "Ann", "Bulb", 6, "2.50", "75.00", "75.00"],
    ["B-2", "2022-01-14", "Bob", "Lamp", 4, "20.00", "80.00", "80.00"],
    ["B-3", "2022-01-15", "Cat", "Bulb", 1, "2.50", "2.50", "2.50"],
)
HEADER = [
    "reference_id",
    "created_at",
    "profile_name",
    "item_name",
    "item_quantity",
    "item_each_price",
]
ITEMS_MAP = (("reference_id", "Ref"), ("created_at", "Day"), ("profile_name", "Who"))


def lines(body: dict[str, Any]) -> list[tuple[int, int]]:
    return [(line["each_price_cents"], line["price_cents"]) for line in body["line_items"]]


def written(folder: Path, text: str) -> Path:
    export = folder / "orders.csv"
    export.write_text(text, encoding="utf-8")
    return export


def test_a_unit_price_whose_name_says_the_line(tmp_path: Path) -> None:
    """A guess at a price is the one that the totals prove, with the proof in the refusal."""
    export = written(tmp_path, ITEMS)
    with pytest.raises(MappingError) as refused:
        prepared(export, map=ITEMS_MAP)
    assert "item_each_price (Item Price)" in str(refused.value)
    bodies = prepared(export, map=ITEMS_MAP, accept_guesses=True).bodies
    assert lines(bodies["B-1"]) == [(2000, 6000), (250, 1500)]
    assert bodies["B-2"]["total_cents"] == 8000


def test_a_mapped_role_that_the_totals_contradict(tmp_path: Path) -> None:
    """A unit price mapped as the line's is refused with the shares of both readings."""
    given = (*ITEMS_MAP, ("item_name", "Item Name"), ("item_quantity", "Pcs"), ("total", "Total"))
    export = written(tmp_path, ITEMS)
    with pytest.raises(MappingError) as refused:
        prepared(export, map=(*given, ("item_price", "Item Price")))
    assert "as line prices its amounts explain 0% of the totals, as unit prices 100%" in str(
        refused.value
    )
    assert "--map item_price= --map 'item_each_price=Item Price'" in str(refused.value.hint)
    bodies = prepared(export, map=(*given, ("item_each_price", "Item Price"))).bodies
    assert lines(bodies["B-2"]) == [(2000, 8000)]


def test_a_total_of_the_line(tmp_path: Path) -> None:
    """A column called total that is quantity x unit price on each row is the line's price."""
    export = written(
        tmp_path,
        csv_text(
            [
                "reference_id",
                "created_at",
                "profile_name",
                "item_name",
                "item_quantity",
                "item_each_price",
                "total",
            ],
            ["C-1", "2022-01-13", "Ann", "Lamp", 3, "20.00", "60.00"],
            ["C-1", "2022-01-13", "Ann", "Bulb", 6, "2.50", "15.00"],
            ["C-2", "2022-01-14", "Bob", "Lamp", 4, "20.00", "80.00"],
            ["C-2", "2022-01-14", "Bob", "Bulb", 1, "2.50", "2.50"],
        ),
    )
    found = prepared(export)
    assert {key: body["total_cents"] for key, body in found.bodies.items()} == {
        "C-1": 7500,
        "C-2": 8250,
    }
    assert "conflicting_fields" not in found.rules


def test_charges_that_no_total_holds(tmp_path: Path) -> None:
    """Where orders have no total, each column of shipping, tax or discounts is named with its
    sum; where they have one, nothing is said."""
    header = ["reference_id", "created_at", "profile_name", "item_name", "item_price"]
    rows = [
        ["D-1", "2022-01-13", "Ann", "Lamp", "60.00", "5.00", "1.25", "55.00"],
        ["D-2", "2022-01-14", "Bob", "Lamp", "60.00", "", "0.50", "59.50"],
    ]
    export = written(
        tmp_path, csv_text([*header, "Rabatt", "Shipping"], *(row[:-1] for row in rows))
    )
    said = {
        (problem["column_name"], problem["value"], problem["rows"])
        for problem in prepared(export).problems
        if problem["rule"] == "charge_left_out"
    }
    assert said == {
        ("Rabatt", "discount of 5.00 in 1 row", 1),
        ("Shipping", "shipping of 1.75 in 2 rows", 2),
    }
    written(tmp_path, csv_text([*header, "Rabatt", "Shipping", "total"], *rows))
    assert "charge_left_out" not in prepared(export).rules


def test_a_total_on_the_first_row_with_zeros_below(tmp_path: Path) -> None:
    """Zeros on the further rows of nearly all orders are blanks; a zero of one order is not."""
    header = ["reference_id", "created_at", "profile_name", "item_name", "item_price", "total"]
    rows = [
        [f"G-{order}", "2022-01-13", "Ann", f"Lamp {line}", "10.00", "0.00" if line else "32.00"]
        for order in range(6)
        for line in range(3)
    ]
    found = prepared(written(tmp_path, csv_text(header, *rows)))
    assert {body["total_cents"] for body in found.bodies.values()} == {3200}
    assert "conflicting_fields" not in found.rules
    rows[1][-1] = rows[2][-1] = "32.00"
    for row in rows[3:]:
        row[-1] = "32.00"
    rows[-1][-1] = "0.00"
    assert prepared(written(tmp_path, csv_text(header, *rows))).rejected == {
        "G-5": "conflicting_fields"
    }


def test_items_of_a_second_file_without_a_total(tmp_path: Path) -> None:
    """The totals are the sums of the lines, and a discount beside them is named with its sum."""
    orders = written(
        tmp_path,
        csv_text(
            ["No", "Ordered", "Ship To"], ["H-1", "2022-01-13", "Ann"], ["H-2", "2022-01-14", "Bob"]
        ),
    )
    items = tmp_path / "items.csv"
    items.write_text(
        csv_text(
            ["No", "Sku", "Each", "Pcs", "Discount"],
            ["H-1", "11", "20.00", 3, "0"],
            ["H-1", "12", "2.50", 6, "1.25"],
            ["H-2", "11", "20.00", 1, "0"],
        ),
        encoding="utf-8",
    )
    given = {"reference_id": "No", "created_at": "Ordered", "profile_name": "Ship To"}
    given |= {"item_name": "Sku", "item_quantity": "Pcs", "item_each_price": "Each"}
    found = prepared(orders, items=items, map=tuple(given.items()))
    totals = {key: body["total_cents"] for key, body in found.bodies.items()}
    assert totals == {"H-1": 7500, "H-2": 2000}
    (said,) = (each for each in found.problems if each["rule"] == "charge_left_out")
    assert said["source_file"].endswith("items.csv")
    assert said["value"] == "discount of 1.25 in 1 row"


def test_rows_that_agree_by_chance(tmp_path: Path) -> None:
    """Twice a discount is the shipping in the only orders of two pieces: no price of a line, since
    the totals of all orders say otherwise."""
    header = ["Ref", "Day", "Who", "Item Name", "Pcs", "Foo", "Bar", "Baz", "Qux"]
    rows = []
    for number in range(12):
        pieces, each = (2, 3000 + number) if number % 6 == 5 else (1, 2000 + 37 * number)
        less, more = (400, 800) if pieces == 2 else (50 * (number % 3), 100 * (number % 2))
        whole = pieces * each + more - less
        amounts = [f"{cents / 100:.2f}" for cents in (less, each, whole, more)]
        rows.append([f"I-{number}", "2022-01-13", "Ann", "Lamp", pieces, *amounts])
    found = prepared(written(tmp_path, csv_text(header, *rows)), map=ITEMS_MAP, accept_guesses=True)
    assert found.bodies["I-5"]["total_cents"] == 6410
    assert lines(found.bodies["I-5"]) == [(3005, 6010)]


def test_a_price_that_a_subtotal_proves(tmp_path: Path) -> None:
    """Its evidence is shown although a larger number beside it may be the total as well."""
    rows = [line.split(",") for line in ITEMS.split("\r\n")[:-1]]
    wider = [[*row, f"90{row[0][-1]}"] for row in rows[1:]]
    export = written(tmp_path, csv_text([*rows[0], "Doc"], *wider))
    job = backfill.open_job(tmp_path / "job")
    job.prepare(export, connect_id="A1", timezone="UTC", map=dict(ITEMS_MAP), accept_guesses=True)
    (role,) = (one for one in job.decisions() if one.what == "role of a price")
    assert role.evidence.note == "sum of quantity x Item Price = Total"
    assert (role.evidence.supporting, role.evidence.contradicting) == (3, 0)


def test_single_pieces_that_contradict_a_price_of_the_line(tmp_path: Path) -> None:
    """Two orders of one line agree by chance: in the third, one piece is not worth the column."""
    export = written(
        tmp_path,
        csv_text(
            [*HEADER, "total"],
            ["D-1", "2022-01-13", "Ann", "Lamp", 2, "0.01", "0.02"],
            ["", "2022-01-14", "Bob", "Bulb", 2, "0.02", "0.04"],
            ["D-3", "2022-01-15", "Cat", "Lamp", 1, "0.01", "0.02"],
            ["D-3", "2022-01-15", "Cat", "Bulb", 1, "0.01", "0.02"],
        ),
    )
    bodies = prepared(export).bodies
    assert {key: body["total_cents"] for key, body in bodies.items()} == {"D-1": 2, "D-3": 2}
