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
    assert [(each["rule"], each["row"]) for each in found.problems] == [("total_differs", 3)]


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
