"""Accounting identities tell what the columns of money are, whatever they are called."""

from __future__ import annotations

import numpy as np

from backfill.prepare.arithmetic import Amounts, Roles, find_roles
from tests.prepare.money_sheets import Sheet, money_sheet


def amounts_of(sheet: Sheet) -> Amounts:
    keys = [row[0] for row in sheet.rows]
    orders = np.unique(keys, return_index=True, return_inverse=True)[2]
    order = np.cumsum(np.append(True, np.diff(orders) != 0)) - 1
    columns = {
        name: np.array(
            [float(row[sheet.header.index(name)] or "nan") * 100 for row in sheet.rows]
        ).round()
        for name in sheet.names.values()
    }
    quantity = np.array([float(row[sheet.header.index("count")]) for row in sheet.rows])
    return Amounts(order.astype(np.int64), columns, quantity)


def judged(sheet: Sheet, roles: Roles) -> str:
    """``right``, ``wrong``, or ``asked`` where nothing was found."""
    unit, line, total = (sheet.names.get(each) for each in ("unit", "line", "total"))
    per_line = {
        row[0]: sum(
            round(float(each[sheet.header.index(sheet.names["total"])] or 0) * 100)
            for each in sheet.rows
            if each[0] == row[0]
        )
        for row in sheet.rows
    }
    lines_are_totals = total is not None and per_line == sheet.totals and "unit" in sheet.names
    right_units = {unit, None} if unit else {None}
    right_lines = {line, None, total} if lines_are_totals else {line, None}
    right_totals = {total, None}
    if (
        roles.unit_price not in right_units
        or roles.line_price not in right_lines
        or roles.total not in right_totals
    ):
        return "wrong"
    if roles.unit_price is None and roles.line_price is None:
        return "asked"
    return "right"


def test_columns_of_nonsense_names() -> None:
    """Of 200 exports none is told wrongly, and at least 90 % of those that the numbers tell."""
    sheets = [money_sheet(seed) for seed in range(200)]
    outcomes = [judged(sheet, find_roles(amounts_of(sheet))) for sheet in sheets]
    determined = sum(sheet.determined for sheet in sheets)
    assert "wrong" not in outcomes
    assert outcomes.count("right") >= 0.9 * determined
    assert determined > 150
