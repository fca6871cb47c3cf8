"""Columns that decide about purchases by their values, whatever they are called."""

from __future__ import annotations

from pathlib import Path

import pytest

from backfill.errors import MappingError
from tests.prepare.preparing import csv_text, prepared

HEADER = ("reference_id", "created_at", "profile_name", "item_name", "item_price")


def written(folder: Path, column: str, *values: str, header: tuple[str, ...] = HEADER) -> Path:
    """One order for each value of a column."""
    path = folder / "orders.csv"
    rows = [
        (f"J-{number}", "2022-01-13", "Ann", "Lamp", "20.00", value)
        for number, value in enumerate(values, start=1)
    ]
    path.write_text(csv_text((*header, column), *rows), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("column", "kept", "lost", "rule"),
    [
        ("Entry reason", "Delivered", "CANCELLED", "cancelled"),
        ("Type", "Sale", "Payment refund", "refunded"),
        ("状態", "発送済", "キャンセル", "cancelled"),
        ("Fully refunded?", "no", "yes", "refunded"),
        ("Is cancelled", "0", "1", "cancelled"),
        ("Test order", "false", "true", "test_order"),
    ],
)
def test_a_column_of_states_is_asked_about(
    tmp_path: Path, column: str, kept: str, lost: str, rule: str
) -> None:
    """It may be used, or left out on purpose; it is never passed over."""
    export = written(tmp_path, column, kept, kept, lost)
    with pytest.raises(MappingError, match="only guessed: status"):
        prepared(export)
    assert prepared(export, accept_guesses=True).rejected == {"J-3": rule}
    assert prepared(export, map=(("status", ""),)).rejected == {}


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("Payment method", ("Card", "Cash", "Test")),
        ("Gift wrap", ("no", "yes", "no")),
        ("Shipped", ("no", "yes", "no")),
        ("Notes", ("please do not cancel", "refund was promised", "")),
    ],
)
def test_other_columns_are_not(tmp_path: Path, column: str, values: tuple[str, ...]) -> None:
    """Nor what only mentions such a word."""
    assert prepared(written(tmp_path, column, *values)).rejected == {}


def test_a_second_column_of_states(tmp_path: Path) -> None:
    """A status that has its column does not hide another one."""
    path = tmp_path / "orders.csv"
    rows = [
        ("J-1", "2022-01-13", "Ann", "Lamp", "20.00", "completed", ""),
        ("J-2", "2022-01-13", "Ann", "Lamp", "20.00", "completed", "Refund"),
    ]
    path.write_text(csv_text((*HEADER, "status", "Return kind"), *rows), encoding="utf-8")
    with pytest.raises(MappingError, match=r"only guessed: payment_status \(Return kind\)"):
        prepared(path)
    assert prepared(path, accept_guesses=True).rejected == {"J-2": "refunded"}


def test_a_refund_below_its_order(tmp_path: Path) -> None:
    """Its lines do not make an order of zero."""
    path = tmp_path / "payouts.csv"
    rows = [
        ("J-1", "2022-01-13", "Ann", "20.00", "charge"),
        ("J-2", "2022-01-13", "Ann", "30.00", "charge"),
        ("J-2", "2022-01-15", "Ann", "-30.00", "refund"),
    ]
    header = ("reference_id", "created_at", "profile_name", "item_price", "Kind")
    path.write_text(csv_text(header, *rows), encoding="utf-8")
    found = prepared(path, accept_guesses=True)
    assert found.rejected == {"J-2": "refunded"}
    assert found.bodies["J-1"]["total_cents"] == 2000


def test_columns_that_a_platform_calls_otherwise(tmp_path: Path) -> None:
    """A platform that is recognised by its needed columns does not pass over quantity and total
    because this export has other names for them."""
    path = tmp_path / "orders.csv"
    header = "Order Number,Order Date,Customer Name,Item Name,Item Cost,Item Quantity,Order Total"
    path.write_text(
        f"{header}\nW-1,2022-01-13,Ann,Lamp,20.00,3,64.50\nW-2,2022-01-13,Bob,Bulb,2.50,1,7.00\n",
        encoding="utf-8",
    )
    with pytest.raises(
        MappingError, match=r"looks like WooCommerce.*some columns have other names"
    ) as asked:
        prepared(path)
    assert "total (Order Total), item_quantity (Item Quantity)" in str(asked.value)
    found = prepared(path, accept_guesses=True)
    assert found.formats == ["woocommerce_advanced"]
    assert found.lines("W-1") == [("Lamp", 3, 6000)]
    assert found.bodies["W-1"]["total_cents"] == 6450


def test_long_numbers_beside_the_amounts(tmp_path: Path) -> None:
    """Tracking numbers are no amounts, and more digits than a float holds break nothing."""
    export = written(tmp_path, "Tracking", "680076017503113", "68007601750311399")
    assert len(prepared(export).bodies) == 2
