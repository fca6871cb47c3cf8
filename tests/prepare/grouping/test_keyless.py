"""Rows without an order key: lines of the order above, or held back together with it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.prepare.preparing import csv_text, prepared

HEADER = ("reference_id", "created_at", "profile_name", "item_name", "item_quantity",
          "item_each_price", "total")  # fmt: skip
Row = tuple[str, ...]

FIRST: Row = ("1", "2021-04-05", "Jo", "Mug", "2", "5.00", "16.00")
SECOND: Row = ("2", "2021-04-06", "Al", "Mug", "1", "5.00", "5.00")


def line(item: str, price: str, **cells: str) -> Row:
    """A row without a key, and with nothing of an order but for some cells."""
    bare = dict(zip(HEADER, ("", "", "", item, "1", price, ""), strict=True))
    return tuple({**bare, **cells}.values())


def written(path: Path, *rows: Row, header: Sequence[str] = HEADER) -> Path:
    path.write_bytes(csv_text(header, *rows).encode())
    return path


def test_rows_with_a_line_and_nothing_of_an_order_continue_the_order_above(tmp_path: Path) -> None:
    """Its address names them all; the proof is noted as a decision."""
    path = written(tmp_path / "a.csv", FIRST, line("Cup", "3.00"), line("Pot", "3.00"), SECOND)
    found = prepared(path)
    assert found.lines("1") == [("Mug", 2, 1000), ("Cup", 1, 300), ("Pot", 1, 300)]
    assert [(order["reference_id"], order["source_rows"]) for order in found.orders] == [
        ("1", "2-4"),
        ("2", "5"),
    ]
    assert found.rules == set()


def test_an_order_goes_on_from_one_batch_of_rows_to_the_next(tmp_path: Path) -> None:
    """However many of its rows have no key."""
    many = [line("Cup", "1.00")] * 70_000
    found = prepared(written(tmp_path / "a.csv", SECOND, FIRST, *many))
    assert [order["line_items"] for order in found.orders] == [1, 70_001]


def test_a_row_that_repeats_the_order_above_holds_it_back(tmp_path: Path) -> None:
    """It may be a line of it or an order of its own, so nothing of either is sent."""
    rows = [
        FIRST,
        line("Cup", "3.00", created_at="2021-04-05", profile_name="Jo"),
        SECOND,
        line("Pot", "3.00", total="3.00"),
        ("3", "2021-04-07", "Cy", "Mug", "1", "5.00", "5.00"),
    ]
    found = prepared(written(tmp_path / "a.csv", *rows))
    assert found.rejected == {"1": "keyless_row", "2": "keyless_row"}
    assert [order["source_rows"] for order in found.orders] == ["2-3", "4-5", "6"]
    assert [each["row"] for each in found.problems if each["rule"] == "keyless_row"] == [3, 5]


@pytest.mark.parametrize("field", ["created_at", "profile_name"])
def test_a_row_that_contradicts_the_order_above_is_an_order_of_its_own(
    tmp_path: Path, field: str
) -> None:
    """Its key is missing; the order above is whole without it."""
    cells = {"created_at": "2021-04-05", "profile_name": "Jo"}
    other = {"created_at": "2021-04-09", "profile_name": "Zoe"}[field]
    row = line("Cup", "3.00", **{**cells, field: other})
    found = prepared(written(tmp_path / "a.csv", FIRST, row, SECOND))
    assert found.rejected == {None: "missing_reference_id"}
    assert set(found.bodies) == {"1", "2"}


def test_keys_that_are_repeated_elsewhere_prove_nothing(tmp_path: Path) -> None:
    """Where an order's further rows have its key, one without it has lost its own."""
    rows = [
        FIRST, line("Cup", "3.00"),
        SECOND, ("2", "", "", "Cup", "1", "3.00", ""),
    ]  # fmt: skip
    found = prepared(written(tmp_path / "a.csv", *rows))
    assert found.rejected == {"1": "keyless_row"}
    assert found.lines("2") == [("Mug", 1, 500), ("Cup", 1, 300)]


@pytest.mark.parametrize(
    ("order_key", "rejected"),
    [("first_row", {}), ("every_row", {None: "missing_reference_id"})],
)
def test_a_mapping_settles_where_the_key_stands(
    tmp_path: Path, order_key: str, rejected: dict[str | None, str]
) -> None:
    """Whatever the export would prove."""
    rows = [
        FIRST, line("Cup", "3.00"),
        SECOND, ("2", "", "", "Cup", "1", "3.00", ""),
    ]  # fmt: skip
    mapping = tmp_path / "mapping.toml"
    fields = "".join(f'{name} = "{name}"\n' for name in HEADER)
    mapping.write_text(f'order_key = "{order_key}"\n[fields]\n{fields}', encoding="utf-8")
    found = prepared(written(tmp_path / "a.csv", *rows), mapping=mapping)
    assert found.rejected == rejected


def test_a_first_row_without_a_key_has_no_order_above(tmp_path: Path) -> None:
    """Nor does one at the top of a second file: orders do not go on there without a key."""
    first = written(tmp_path / "a.csv", line("Cup", "3.00"), FIRST)
    second = written(tmp_path / "b.csv", line("Pot", "3.00"), SECOND)
    found = prepared(first, second)
    assert found.rejected == {None: "missing_reference_id"}
    assert len(found.orders) == 4
    assert found.lines("1") == [("Mug", 2, 1000)]


def test_line_items_in_a_file_of_their_own_without_a_key(tmp_path: Path) -> None:
    """Nothing there could prove whose they are, so the order above is held back."""
    orders = written(
        tmp_path / "orders.csv",
        ("1", "2021-04-05", "Jo", "10.00"),
        ("2", "2021-04-05", "Al", "5.00"),
        header=("reference_id", "created_at", "profile_name", "total"),
    )
    items = written(
        tmp_path / "items.csv",
        ("1", "Mug", "5.00"), ("", "Cup", "5.00"), ("2", "Mug", "5.00"),
        header=("reference_id", "item_name", "item_price"),
    )  # fmt: skip
    found = prepared(orders, items=items)
    assert found.rejected == {"1": "keyless_row"}
    assert set(found.bodies) == {"2"}


def test_a_row_of_totals_below_the_last_order_is_no_line_of_it(tmp_path: Path) -> None:
    """It is ignored, by name."""
    found = prepared(written(tmp_path / "a.csv", SECOND, line("Total", "5.00")))
    assert found.lines("2") == [("Mug", 1, 500)]
    assert [(each["rule"], each["row"]) for each in found.problems] == [("ignored_row", 3)]
