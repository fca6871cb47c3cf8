"""Bodies are what a plain JSON build of the same order would be, byte for byte."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from backfill.prepare import payload

# Anything a cell can hold: quotes, backslashes, control characters, astral and odd characters.
# Surrogates are left out, because no UTF-8 file can hold one.
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
CENTS = st.integers(-(10**15), 10**15)


@st.composite
def orders(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Orders as plain Python, in the form in which they are sent."""
    result = []
    for _ in range(draw(st.integers(1, 4))):
        order: dict[str, Any] = {}
        for field in payload.TEXT_FIELDS:
            text = draw(st.none() | TEXT)
            if text is not None:
                order[field] = text
        order["line_items"] = [
            {
                **({"name": name} if (name := draw(st.none() | TEXT)) is not None else {}),
                "each_price_cents": draw(CENTS),
                "quantity": draw(st.integers(-9, 10**6)),
                "price_cents": draw(CENTS),
            }
            for _ in range(draw(st.integers(0, 3)))
        ]
        order["total_cents"] = draw(CENTS)
        order["fail_if_connect_orders_not_enabled"] = True
        order["dont_trigger_auto_actions"] = True
        result.append(order)
    return result


def assembled(wanted: list[dict[str, Any]]) -> list[str]:
    """The same orders through the column kernels."""
    lines = [line for order in wanted for line in order["line_items"]]
    bodies = payload.bodies(
        {
            field: pa.array([order.get(field) for order in wanted], pa.string())
            for field in payload.TEXT_FIELDS
        },
        pa.array([order["total_cents"] for order in wanted], pa.int64()),
        {
            "name": pa.array([line.get("name") for line in lines], pa.string()),
            "each_price_cents": pa.array([line["each_price_cents"] for line in lines], pa.int64()),
            "quantity_thousandths": pa.array(
                [line["quantity"] * 1000 for line in lines], pa.int64()
            ),
            "price_cents": pa.array([line["price_cents"] for line in lines], pa.int64()),
        },
        np.cumsum([0, *(len(order["line_items"]) for order in wanted)]),
    )
    result: list[str] = bodies.to_pylist()
    return result


@given(orders())
@settings(max_examples=150, deadline=None)
def test_bodies_equal_a_plain_json_build(wanted: list[dict[str, Any]]) -> None:
    """Escapes, control characters, astral characters, nulls, negative and huge numbers."""
    plain = [
        json.dumps({"order": order}, ensure_ascii=False, separators=(",", ":")) for order in wanted
    ]
    assert assembled(wanted) == plain


def test_every_body_ends_with_the_flag_that_keeps_it_silent() -> None:
    """deliver looks for these bytes before anything leaves."""
    [body] = assembled([{"line_items": [], "total_cents": 0}])
    assert body.endswith('"dont_trigger_auto_actions":true}}')


def test_quantities_are_json_numbers_without_a_needless_fraction() -> None:
    """2000 thousandths is 2, and 500 is 0.5."""
    thousandths = pa.array([1000, 2000, 500, 1250, 1001, 0, 999_999_000], pa.int64())
    texts = payload.quantity_text(thousandths).to_pylist()
    assert texts == ["1", "2", "0.5", "1.25", "1.001", "0", "999999"]
