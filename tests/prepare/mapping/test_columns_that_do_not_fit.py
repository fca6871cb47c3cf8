"""Columns that bear a field's name and hold something else, or share their name with another."""

from __future__ import annotations

from pathlib import Path

import pytest

from backfill.errors import MappingError
from tests.prepare.preparing import csv_text, prepared

ORDER = ["reference_id", "created_at", "profile_name", "item_name", "item_price"]
ADDRESS = "profile_shipping_address_raw"


def written(folder: Path, *rows: list[str]) -> Path:
    export = folder / "orders.csv"
    export.write_text(csv_text(*rows), encoding="utf-8")
    return export


def test_the_state_of_an_address(tmp_path: Path) -> None:
    """``shipping_state`` with states of the USA is part of the address."""
    export = written(
        tmp_path,
        [*ORDER, "shipping_address", "shipping_city", "shipping_state", "shipping_zip"],
        ["E-1", "2022-01-13", "Ann", "Lamp", "20.00", "7 Hill Rd", "Boise", "ID", "83701"],
        ["E-2", "2022-01-14", "Bob", "Lamp", "20.00", "9 Lake St", "Reno", "NV", "89501"],
    )
    found = prepared(export)
    assert "shipping_state" not in found.bodies["E-1"]
    (said,) = (each["value"] for each in found.problems if each["rule"] == "unused_column")
    assert said.startswith(f"--map {ADDRESS}={{shipping_address}}")
    accepted = prepared(export, accept_guesses=True).bodies["E-1"]
    assert accepted[ADDRESS] == "7 Hill Rd, Boise, ID 83701"
    assert "shipping_state" not in accepted


def test_the_state_of_a_shipment(tmp_path: Path) -> None:
    """``shipping_state`` with states of a shipment is taken as it is."""
    export = written(
        tmp_path,
        [*ORDER, "shipping_state"],
        ["E-1", "2022-01-13", "Ann", "Lamp", "20.00", "in_transit"],
        ["E-2", "2022-01-14", "Bob", "Lamp", "20.00", "Delivered"],
    )
    assert prepared(export).bodies["E-2"]["shipping_state"] == "Delivered"


def test_a_description_of_the_item(tmp_path: Path) -> None:
    """A ``description`` that differs from row to row of an order is offered as the item's name."""
    export = written(
        tmp_path,
        ["reference_id", "created_at", "profile_name", "description", "item_price"],
        ["E-1", "2022-01-13", "Ann", "Lamp", "20.00"],
        ["E-1", "2022-01-13", "Ann", "Bulb", "2.00"],
        ["E-2", "2022-01-14", "Bob", "Lamp", "20.00"],
    )
    with pytest.raises(MappingError, match=r"item_name \(description\)"):
        prepared(export)
    assert prepared(export, accept_guesses=True).lines("E-1") == [
        ("Lamp", 1, 2000),
        ("Bulb", 1, 200),
    ]


def test_two_columns_of_one_name(tmp_path: Path) -> None:
    """Where they differ, nothing is sent before a person says which one it is."""
    export = written(
        tmp_path,
        [*ORDER, "total", "total"],
        ["E-1", "2022-01-13", "Ann", "Lamp", "20.00", "20.00", "20.00"],
        ["E-2", "2022-01-14", "Bob", "Lamp", "20.00", "20.00", "23.00"],
    )
    with pytest.raises(MappingError, match=r"2 columns are named 'total', .* row 3") as refused:
        prepared(export)
    assert str(refused.value.hint).endswith("--map total=total or --map 'total=total (2)'")
    for chosen, cents in (("total", 2000), ("total (2)", 2300)):
        found = prepared(export, map=(("total", chosen),))
        assert found.bodies["E-2"]["total_cents"] == cents
        assert "columns_of_one_name" in found.rules


def test_two_columns_of_one_name_that_agree(tmp_path: Path) -> None:
    """Where they hold the same, nothing needs to be said."""
    export = written(
        tmp_path,
        [*ORDER, "total", "total"],
        ["E-1", "2022-01-13", "Ann", "Lamp", "20.00", "20.00", "20.00"],
    )
    assert prepared(export).bodies["E-1"]["total_cents"] == 2000


@pytest.mark.parametrize("word", ["FALSE", "false", "False"])
def test_false_is_a_blank(tmp_path: Path, word: str) -> None:
    """Odoo writes FALSE for what is not there: no customer, no time, no cancellation."""
    export = written(
        tmp_path,
        [*ORDER, "shipped_at", "cancelled_at", "total"],
        ["E-1", "2022-01-13", word, "Lamp", "20.00", word, word, word],
    )
    body = prepared(export).bodies["E-1"]
    assert body["total_cents"] == 2000
    assert not {"profile_name", "shipped_at", "cancelled_at"} & set(body)


@pytest.mark.parametrize("cell", ['[{"title": "Lamp", "qty": 2}]', '{"Lamp": 1}', "[{'a': 1}]"])
def test_line_items_as_json_are_no_name_of_an_item(tmp_path: Path, cell: str) -> None:
    """A column of JSON that was mapped to the name rejects its orders."""
    export = written(
        tmp_path,
        ["reference_id", "created_at", "profile_name", "items", "total"],
        ["E-1", "2022-01-13", "Ann", cell, "20.00"],
        ["E-2", "2022-01-13", "Ann", "[Sale] {Lamp}", "20.00"],
    )
    found = prepared(export, map=(("item_name", "items"),))
    assert found.rejected == {"E-1": "unread_items"}
    assert found.bodies["E-2"]["line_items"][0]["name"] == "[Sale] {Lamp}"


@pytest.mark.parametrize("cell", ['[{"product": "Lamp", "count": 2, "sum": "40.00"}]', "Lamp x 2"])
def test_line_items_in_another_form(tmp_path: Path, cell: str) -> None:
    """Packed items that cannot be taken apart reject their order, and the cell is what is named."""
    header = ["order_id", "order_number", "order_date", "status", "order_total", "order_currency"]
    header += ["billing_first_name", "billing_last_name", "billing_email", "line_items"]
    order = ["2022-01-13 10:00:00", "completed", "40.00", "USD", "Ann", "Lee", "ann@example.com"]
    export = written(
        tmp_path,
        header,
        ["7", "7", *order, cell],
        ["8", "8", *order, "name:Lamp|quantity:2|total:40.00"],
    )
    found = prepared(export)
    assert found.formats == ["woocommerce_packed"]
    assert found.rejected == {"7": "unread_items"}
    assert found.lines("8") == [("Lamp", 2, 4000)]
