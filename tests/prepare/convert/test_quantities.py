"""Quantities to exact thousandths."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backfill.prepare.convert import NumberStyle, prove_marks, quantities, survey_numbers


@pytest.mark.parametrize(
    ("text", "expected", "inexact"),
    [
        ("1", 1000, False),
        ("1.0", 1000, False),
        ("2,00", 2000, False),
        ("0.5", 500, False),
        ("-3", -3000, False),
        ("+3", 3000, False),
        ("1.000", 1000, False),
        ("1.2345", 1235, True),
        ("0.30000000000000004", 300, False),
        ("0.9999999999999999", 1000, False),
        ("0.3333333333", 333, True),
        ("1,234.5", 1234500, False),
        ("1E3", 1000000, False),
        ("0,125", 125, False),
    ],
)
@pytest.mark.parametrize("beside", ["7", "2,0"])
def test_quantities_are_read(text: str, expected: int, inexact: bool, beside: str) -> None:
    """Whole, in parts, negative, as Excel holds them; the same beside plain and odd values."""
    result = quantities(pa.array([beside, text]))
    assert result.values[1].as_py() == expected
    assert result.inexact[1].as_py() is inexact
    assert result.bad.to_pylist() == [False, False]


@pytest.mark.parametrize(
    "text",
    [
        "one",
        "2 pcs",
        "x2",
        "1.2.3",
        "--1",
        "1-",
        "$2",
        "9" * 30,
        ".",
        "'234",
        "+ 234",
    ],
)
def test_what_is_no_quantity_is_bad(text: str) -> None:
    """Words, units, too much."""
    result = quantities(pa.array([text]))
    assert result.values.to_pylist() == [None]
    assert result.bad.to_pylist() == [True]


@pytest.mark.parametrize(
    ("text", "with_point", "with_comma"),
    [("1.000", 1000, 1000000), ("1,000", 1000000, 1000), ("-1,000", -1000000, -1000)],
)
def test_the_style_reads_one_or_a_thousand(text: str, with_point: int, with_comma: int) -> None:
    """The decimal mark of the column decides."""
    cells = pa.array([text])
    assert quantities(cells, NumberStyle(".")).values.to_pylist() == [with_point]
    assert quantities(cells, NumberStyle(",")).values.to_pylist() == [with_comma]


@pytest.mark.parametrize(
    ("texts", "mark"),
    [
        (["1.000"], None), (["1.000", "2"], None), (["1.000", "0.500"], "."),
        (["1.000", "2,5"], ","), (["1,000"], None), (["1,000", "1,000,000"], "."),
    ],
)  # fmt: skip
def test_the_column_proves_its_mark(texts: list[str], mark: str | None) -> None:
    """1.000 pieces are one or a thousand; only another value of the column says which."""
    assert survey_numbers(pa.array(texts)).proven == mark


@pytest.mark.parametrize(
    ("row", "mark"),
    [
        ({"item_quantity": "1.000", "item_each_price": "0.50", "item_price": "500.00"}, ","),
        ({"item_quantity": "1.000", "item_each_price": "0.50", "item_price": "0.50"}, "."),
        ({"item_quantity": "2.000", "item_each_price": "0.50", "total": "1000"}, ","),
        ({"item_quantity": "2.000", "item_each_price": "0.50", "total": "7.50"}, None),
        ({"item_quantity": "1.000", "item_each_price": "1.500", "item_price": "1.500"}, None),
        ({"item_quantity": "1.000", "item_each_price": "0.00", "item_price": "0.00"}, None),
        ({"item_quantity": "1.000", "item_each_price": None, "item_price": "0.50"}, None),
    ],
)
def test_arithmetic_proves_a_mark(row: dict[str, str | None], mark: str | None) -> None:
    """A quantity that makes the line's price, or the order's total, under one reading only."""
    columns = {name: pa.array([text, "1"], pa.string()) for name, text in row.items()}
    assert prove_marks(columns)["item_quantity"].proven == mark


@given(st.lists(st.none() | st.integers(-(10**15), 10**15)))
def test_thousandths_come_back(numbers: list[int | None]) -> None:
    """Any number of thousandths, written with a point, is read as that."""
    texts = [
        None if n is None else f"{'-' if n < 0 else ''}{abs(n) // 1000}.{abs(n) % 1000:03d}"
        for n in numbers
    ]
    assert quantities(pa.array(texts, pa.string())).values.to_pylist() == numbers


@given(st.lists(st.none() | st.text("0123456789.,-+eE x") | st.text(max_size=9)))
def test_every_text_is_a_value_or_bad(texts: list[str | None]) -> None:
    """Nothing raises; null stays null; each text is read or bad, and never both."""
    result = quantities(pa.array(texts, pa.string()))
    for text, value, bad in zip(
        texts, result.values.to_pylist(), result.bad.to_pylist(), strict=True
    ):
        assert (value is None) == (text is None or bad)
        assert not (bad and text is None)
