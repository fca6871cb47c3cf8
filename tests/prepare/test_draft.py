"""Orders as converted columns: one value of several rows, each source in its style, exact lines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.prepare.preparing import csv_text, prepared

HEADER = ("reference_id", "created_at", "profile_name", "item_name", "item_price", "total")
PRICED = ("reference_id", "created_at", "profile_name", "item_quantity", "item_each_price",
          "item_price")  # fmt: skip


def written(path: Path, *rows: Sequence[Any], header: Sequence[str] = HEADER) -> Path:
    path.write_bytes(csv_text(header, *rows).encode())
    return path


# --- one value of an order's rows ----------------------------------------------------------------


@pytest.mark.parametrize("blank_elsewhere", [False, True])
def test_rows_that_disagree_on_a_value_of_the_order(tmp_path: Path, blank_elsewhere: bool) -> None:
    """Each row that differs from the one before is shown, in a full column and among blanks."""
    names = ["Ann", "Ann", "Bea", "Bea", "Ann", "Cid", "" if blank_elsewhere else "Dan"]
    keys = ["1", "2", "2", "2", "2", "3", "4"]
    rows = [
        (key, "2021-04-09", name, "Tea", "5", "") for key, name in zip(keys, names, strict=True)
    ]
    found = prepared(written(tmp_path / "a.csv", *rows))
    conflicts = [each for each in found.problems if each["rule"] == "conflicting_fields"]
    assert [(each["row"], each["value"], each["column_name"]) for each in conflicts] == [
        (4, "Bea", "profile_name"),
        (6, "Ann", "profile_name"),
    ]
    assert found.rejected == {"2": "conflicting_fields"}


def test_a_value_may_stand_on_any_row_of_the_order(tmp_path: Path) -> None:
    """And it is shown where it stands; blanks beside it are no conflict."""
    rows = [
        ("1", "", "", "Tea", "5", ""),
        ("1", "2021-04-09", "", "Cup", "5", "12"),
        ("2", "2021-04-10", "Bea", "Tea", "5", ""),
        ("1", "", "Ann", "Pot", "5", "12"),
    ]
    found = prepared(written(tmp_path / "a.csv", *rows))
    assert found.bodies["1"]["created_at"] == "2021-04-09"
    assert found.bodies["1"]["profile_name"] == "Ann"
    assert [(each["rule"], each["row"]) for each in found.problems] == [
        ("missing_total", 4),
        ("total_differs", 3),
    ]


def test_times_of_one_order_may_differ_and_the_earliest_is_used(tmp_path: Path) -> None:
    """As moments, whichever row it stands on, with one warning for each later time."""
    header = (*HEADER, "paid_at", "shipped_at")
    rows = [
        ("1", "2021-04-09 10:05", "Ann", "Tea", "5", "", "2021-04-10T01:00:00+02:00", "2021-04-12"),
        ("1", "2021-04-09 10:04", "Ann", "Cup", "5", "", "2021-04-10T00:30:00+00:00", "2021-04-11"),
        ("1", "", "Ann", "Pot", "5", "", "", ""),
        ("2", "2021-04-09 10:04", "Ann", "Pot", "5", "", "", ""),
    ]
    found = prepared(written(tmp_path / "a.csv", *rows, header=header))
    body = found.bodies["1"]
    assert body["created_at"] == "2021-04-09T10:04:00+00:00"
    assert body["paid_at"] == "2021-04-10T01:00:00+02:00"
    assert body["shipped_at"] == "2021-04-11"
    later = [each for each in found.problems if each["rule"] == "differing_times"]
    assert [(each["row"], each["column_name"], each["orders"]) for each in later] == [
        (2, "created_at", 1),
        (3, "paid_at", 0),
        (2, "shipped_at", 0),
    ]
    assert found.rejected == {}


def test_one_moment_written_in_two_ways_is_no_difference(tmp_path: Path) -> None:
    """Nothing is said of it."""
    rows = [
        ("1", "2021-04-09T10:00:00Z", "Ann", "Tea", "5", ""),
        ("1", "2021-04-09T12:00:00+02:00", "Ann", "Cup", "5", ""),
    ]
    found = prepared(written(tmp_path / "a.csv", *rows))
    assert (found.problems, list(found.bodies)) == ([], ["1"])


def test_a_time_that_cannot_be_read_rejects_its_order_beside_one_that_can(tmp_path: Path) -> None:
    """It could have been the earliest."""
    rows = [
        ("1", "2021-04-09", "Ann", "Tea", "5", ""),
        ("1", "2021-02-30", "Ann", "Cup", "5", ""),
    ]
    found = prepared(written(tmp_path / "a.csv", *rows))
    assert found.rejected == {"1": "bad_time"}
    assert [each["row"] for each in found.problems] == [3]


@pytest.mark.parametrize(("day", "rejected"), [("2021-05-10", {}), ("2021-05-11", None)])
def test_rows_that_were_created_months_apart_are_not_one_order(
    tmp_path: Path, day: str, rejected: dict[str, str] | None
) -> None:
    """A shop that numbers anew every year has two orders under one key."""
    rows = [("1", "2021-04-09", "Ann", "Tea", "5", ""), ("1", day, "Ann", "Cup", "5", "")]
    found = prepared(written(tmp_path / "a.csv", *rows))
    assert found.rejected == ({"1": "conflicting_fields"} if rejected is None else rejected)


def test_a_differing_time_is_read_in_the_zone_of_its_row(tmp_path: Path) -> None:
    """10:00 in Tokyo is before 09:00 in Berlin."""
    header = (*HEADER, "Zone")
    rows = [
        ("1", "2021-04-09 09:00", "Ann", "Tea", "5", "", "Europe/Berlin"),
        ("1", "2021-04-09 10:00", "Ann", "Cup", "5", "", "Asia/Tokyo"),
    ]
    path = written(tmp_path / "a.csv", *rows, header=header)
    found = prepared(path, map=(("zone", "Zone"),))
    assert found.bodies["1"]["created_at"] == "2021-04-09T10:00:00+09:00"


ETSY = ("Order ID", "Sale Date", "Item Name", "Quantity", "Price", "Item Total", "Order Total",
        "Full Name", "Date Paid", "Currency", "Transaction ID", "Listing ID", "Buyer",
        "Date Shipped", "Ship Name", "Variations")  # fmt: skip


@pytest.mark.parametrize("zero", ["0", "0.00", "0,0"])
def test_a_zero_on_further_rows_that_stands_for_nothing(tmp_path: Path, zero: str) -> None:
    """Etsy has the total on the first row; one there is a zero, another amount a conflict."""
    rows = [
        ("1", "12/26/21", "Tea", "1", "3.00", "3.00", "8.00", "Ann"),
        ("1", "12/26/21", "Cup", "1", "4.00", "4.00", zero, "Ann"),
        ("2", "12/26/21", "Tea", "1", "3.00", "3.00", zero, "Bea"),
        ("3", "12/26/21", "Tea", "1", "3.00", "3.00", "3.00", "Cid"),
        ("3", "12/26/21", "Cup", "1", "4.00", "4.00", "10.00", "Cid"),
    ]
    padded = [(*row, *[""] * (len(ETSY) - len(row))) for row in rows]
    found = prepared(written(tmp_path / "a.csv", *padded, header=ETSY))
    assert found.formats == ["etsy"]
    assert found.bodies["1"]["total_cents"] == 800
    assert found.bodies["2"]["total_cents"] == 0
    assert found.rejected == {"3": "conflicting_fields"}


def test_zeros_of_other_exports_are_zeros(tmp_path: Path) -> None:
    """Also where they are prepared beside one that fills with them."""
    etsy = ("1", "12/26/21", "Tea", "1", "3.00", "3.00", "8.00", "Ann")
    rest = ("1", "12/26/21", "Cup", "1", "4.00", "4.00", "0", "Ann")
    padded = [(*row, *[""] * (len(ETSY) - len(row))) for row in (etsy, rest)]
    first = written(tmp_path / "a.csv", *padded, header=ETSY)
    second = written(
        tmp_path / "b.csv",
        ("9", "2021-04-09", "Bea", "Tea", "5", "5"),
        ("9", "2021-04-09", "Bea", "Cup", "5", "0"),
    )
    found = prepared(first, second)
    assert found.bodies["1"]["total_cents"] == 800
    assert found.rejected == {"9": "conflicting_fields"}


# --- each source in its style --------------------------------------------------------------------


def test_each_source_is_read_in_the_style_that_it_proves(tmp_path: Path) -> None:
    """Where two exports of a run write dates and amounts differently, each is right for itself."""
    european = written(
        tmp_path / "a.csv",
        ("1", "31/12/2020", "Ann", "Tea", "1.234,00", "1.234,00"),
        ("2", "01/02/2021", "Ann", "Tea", "1.234", "1.234"),
    )
    american = written(
        tmp_path / "b.csv",
        ("3", "12/31/2020", "Ann", "Tea", "1,234.00", "1,234.00"),
        ("4", "01/02/2021", "Ann", "Tea", "1,234", "1,234"),
    )
    found = prepared(european, american)
    assert [(body["created_at"], body["total_cents"]) for body in found.bodies.values()] == [
        ("2020-12-31", 123400),
        ("2021-02-01", 123400),
        ("2020-12-31", 123400),
        ("2021-01-02", 123400),
    ]
    assert [found.lines(key)[0][2] for key in "1234"] == [123400] * 4


def test_a_source_without_quantities_has_one_of_each(tmp_path: Path) -> None:
    """Beside one with such a column, where a blank one is an error."""
    header = (*HEADER, "item_quantity")
    first = written(
        tmp_path / "a.csv",
        ("1", "2021-04-09", "Ann", "Tea", "5", "", "2"),
        ("2", "2021-04-09", "Ann", "Tea", "5", "", ""),
        header=header,
    )
    second = written(tmp_path / "b.csv", ("3", "2021-04-09", "Ann", "Tea", "5", ""))
    found = prepared(first, second)
    assert (found.lines("1"), found.lines("3")) == ([("Tea", 2, 500)], [("Tea", 1, 500)])
    assert found.rejected == {"2": "missing_quantity"}


# --- lines that are no items ---------------------------------------------------------------------

LINES = ("reference_id", "created_at", "profile_name", "item_name", "item_quantity",
         "item_each_price", "total")  # fmt: skip


def lines_of(key: str, total: str, *lines: tuple[str, str, str]) -> list[tuple[str, ...]]:
    """An order's rows: name, quantity and unit price of each line, the total on the first."""
    totals = [total, *[""] * (len(lines) - 1)]
    return [
        (key, "2021-04-05", "Jo", *line, each) for line, each in zip(lines, totals, strict=True)
    ]


def test_lines_that_are_no_items_are_what_the_total_proves_them_to_be(tmp_path: Path) -> None:
    """A discount or return of minus one, a charge without a quantity, a line refunded to zero."""
    rows = [
        *lines_of("1", "8.00", ("Mug", "2", "5.00"), ("Discount", "-1", "2.00")),
        *lines_of("2", "13.00", ("Mug", "2", "5.00"), ("Shipping", "", "3.00")),
        *lines_of("3", "10.00", ("Mug", "2", "5.00"), ("Cup", "0", "7.00")),
        *lines_of("4", "6.00", ("Mug", "2", "5.00"), ("Mug", "-2", "2.00")),
    ]
    found = prepared(written(tmp_path / "a.csv", *rows, header=LINES))
    assert found.rejected == {}
    assert found.lines("1") == [("Mug", 2, 1000), ("Discount", 1, -200)]
    assert found.bodies["1"]["line_items"][1]["each_price_cents"] == -200
    assert found.lines("2") == [("Mug", 2, 1000), ("Shipping", 1, 300)]
    assert found.lines("3") == [("Mug", 2, 1000)]
    assert found.lines("4") == [("Mug", 2, 1000), ("Mug", 2, -400)]
    assert [(each["rule"], each["row"]) for each in found.problems] == [
        ("zero_line", 7),
        ("adjustment_line", 3),
        ("adjustment_line", 5),
        ("adjustment_line", 9),
    ]
    assert [order["source_rows"] for order in found.orders] == ["2-3", "4-5", "6-7", "8-9"]


def test_lines_that_the_total_does_not_prove_reject_their_order(tmp_path: Path) -> None:
    """Each with the rule, and so the remedy, of its own."""
    rows = [
        *lines_of("1", "9.00", ("Mug", "2", "5.00"), ("Discount", "-1", "2.00")),
        *lines_of("2", "", ("Mug", "2", "5.00"), ("Shipping", "", "3.00")),
        *lines_of("3", "12.00", ("Mug", "2", "5.00"), ("Cup", "0", "7.00")),
        *lines_of("4", "0.00", ("Mug", "0", "5.00")),
        *lines_of("5", "8.00", ("Mug", "2", "5.00"), ("Rebate", "-1", "2.00"), ("Cup", "x", "0")),
    ]
    found = prepared(written(tmp_path / "a.csv", *rows, header=LINES))
    assert found.rejected == {
        "1": "negative_quantity",
        "2": "missing_quantity",
        "3": "zero_quantity",
        "4": "zero_quantity",
        "5": "negative_quantity",
    }


@pytest.mark.parametrize("name", ["Subtotal", "SUB-TOTAL", "Zwischensumme:", "Sous-total", "Total"])
def test_a_subtotal_among_the_lines_is_no_item(tmp_path: Path, name: str) -> None:
    """It is left out with a warning, and its row stays with the order."""
    rows = lines_of("1", "", ("Mug", "2", "5.00"), (name, "1", "10.00"), ("Shipping", "1", "3.00"))
    found = prepared(written(tmp_path / "a.csv", *rows, header=LINES))
    assert found.lines("1") == [("Mug", 2, 1000), ("Shipping", 1, 300)]
    assert found.bodies["1"]["total_cents"] == 1300
    assert found.orders[0]["source_rows"] == "2-4"
    assert [(each["rule"], each["row"]) for each in found.problems] == [("subtotal_row", 3)]


def test_an_item_whose_name_has_total_in_it_is_an_item(tmp_path: Path) -> None:
    """Only a name that is nothing else counts."""
    rows = lines_of("1", "", ("Total Recall", "1", "5.00"), ("Sumatra", "1", "3.00"))
    found = prepared(written(tmp_path / "a.csv", *rows, header=LINES))
    assert found.lines("1") == [("Total Recall", 1, 500), ("Sumatra", 1, 300)]


def test_a_line_that_woocommerce_refunded_is_left_out(tmp_path: Path) -> None:
    """Its quantity is what is left after refunds, and shipping keeps the total from proving it."""
    header = ("Order Number", "Order Date", "Order Status", "First Name (Billing)", "Item Name",
              "Quantity (- Refund)", "Item Cost", "Order Total Amount")  # fmt: skip
    rows = [
        ("1", "2021-04-05", "Completed", "Jo", "Mug", "1", "5.00", "9.00"),
        ("1", "2021-04-05", "Completed", "Jo", "Cup", "0", "7.00", ""),
    ]
    found = prepared(written(tmp_path / "a.csv", *rows, header=header))
    assert found.lines("1") == [("Mug", 1, 500)]
    assert {"refunded_line"} < found.rules


def test_lines_without_prices_go_with_the_total_of_their_order(tmp_path: Path) -> None:
    """Where no column has prices; an order without a total has nothing to go by."""
    header = ("reference_id", "created_at", "profile_name", "item_name", "item_quantity", "total")
    rows = [
        ("1", "2021-04-05", "Jo", "Mug", "2", "12.50"),
        ("1", "2021-04-05", "Jo", "Cup", "1", ""),
        ("2", "2021-04-05", "Jo", "Cup", "1", ""),
    ]
    found = prepared(written(tmp_path / "a.csv", *rows, header=header))
    assert found.bodies["1"]["line_items"] == [
        {"name": "Mug", "quantity": 2},
        {"name": "Cup", "quantity": 1},
    ]
    assert found.bodies["1"]["total_cents"] == 1250
    assert found.rejected == {"2": "missing_price"}
    warned = [each for each in found.problems if each["severity"] == "warning"]
    assert {each["rule"] for each in warned} == {"unpriced_lines"}
    assert sum(each["orders"] for each in warned if each["rule"] == "unpriced_lines") == 1


# --- lines ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("quantity", "each", "price", "sent", "rounded"),
    [
        ("2", "3.50", "", (350, 700), False),
        ("2", "", "7.00", (350, 700), False),
        ("2", "3.50", "6.00", (350, 600), False),
        ("3", "", "10.00", (333, 1000), True),
        ("6", "", "0.10", (2, 10), True),
        ("8", "", "0.20", (3, 20), True),  # 2.5 is half: away from zero
        ("3", "", "-0.02", (-1, -2), True),
        ("8", "", "-0.20", (-3, -20), True),
        ("0.5", "0.33", "", (33, 17), True),  # 16.5 is half
        ("0.5", "-0.33", "", (-33, -17), True),
        ("0.4", "0.33", "", (33, 13), True),
        ("0.5", "0.33", "0.17", (33, 17), False),
        ("0.5", "0.34", "", (34, 17), False),
        ("0.001", "10.00", "", (1000, 1), False),
        ("0.125", "", "1.00", (800, 100), False),
        ("1", "1E9", "", (10**11, 10**11), False),
    ],
)
def test_unit_and_line_price_give_each_other(
    tmp_path: Path,
    quantity: str,
    each: str,
    price: str,
    sent: tuple[int, int],
    rounded: bool,
) -> None:
    """Half away from zero to whole cents, and told where that is not exact."""
    first = ("1", "2021-04-09", "Ann", quantity, each, price)
    # A second line makes the total positive.
    second = ("1", "2021-04-09", "Ann", "1", "", "9.00")
    found = prepared(written(tmp_path / "a.csv", first, second, header=PRICED))
    line = found.bodies["1"]["line_items"][0]
    assert (line["each_price_cents"], line["price_cents"]) == sent
    assert ("rounded" in found.rules) is rounded
    assert found.bodies["1"]["total_cents"] == sent[1] + 900


def test_rows_without_anything_of_a_line_are_no_lines(tmp_path: Path) -> None:
    """They may say something of the order; the lines beside them keep their places."""
    rows = [
        ("1", "2021-04-09", "Ann", "", "", "9"),
        ("1", "", "", "Tea", "5", ""),
        ("2", "2021-04-09", "Bea", "Cup", "6", ""),
        ("2", "", "Bea", "", "", ""),
        ("3", "2021-04-09", "Cid", "Pot", "", ""),
        ("4", "2021-04-09", "Dan", "", "7", ""),
    ]
    found = prepared(written(tmp_path / "a.csv", *rows))
    assert found.lines("1") == [("Tea", 1, 500)]
    assert found.lines("2") == [("Cup", 1, 600)]
    assert found.lines("4") == [(None, 1, 700)]
    assert found.rejected == {"3": "missing_price"}
    assert [order["line_items"] for order in found.orders] == [1, 1, 1, 1]


# --- the currency --------------------------------------------------------------------------------


def test_the_currency_that_stands_with_an_amount(tmp_path: Path) -> None:
    """Where the column says nothing: with the total, else with a price on the first row."""
    header = (*PRICED, "total", "currency")
    money = [
        ("", "5", "5 EUR", ""),
        ("5 EUR", "", "5", ""),
        ("", "5 EUR", "5", ""),
        ("", "5", "5", "eur"),
        ("", "5 USD", "5 USD", "EUR"),
        ("", "5", "5", ""),
        ("", "5", "5", "usd"),
        ("", "5 EUR", "", ""),
    ]
    rows = [(str(number), "2021-04-09", "Ann", "1", *cells) for number, cells in enumerate(money)]
    found = prepared(written(tmp_path / "a.csv", *rows, header=header))
    others = [key for key, rule in found.rejected.items() if rule == "other_currency"]
    assert others == ["0", "1", "2", "3", "4", "7"]
    assert sorted(found.bodies) == ["5", "6"]
