"""Random orders with their money in columns of names that say nothing."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

HEADER: Final = ["Doc", "Day", "Who", "Thing", "N"]
_NONSENSE: Final = ["Foo", "Bar", "Baz", "Qux", "Wim", "Zap", "Lok", "Mur"]
_SIGNS: Final = {"shipping": 1, "tax": 1, "discount": -1}


@dataclass(frozen=True)
class Sheet:
    """An export, and what is right of it."""

    header: list[str]
    rows: list[list[str]]
    names: dict[str, str]
    """the nonsense name of each money column"""
    totals: dict[str, int]
    """the cents of each order"""
    lines: dict[str, list[tuple[str, int, int, int]]]
    """of each order: name, quantity, unit price and line price in cents"""
    determined: bool
    """the numbers tell the columns apart"""


def money_sheet(seed: int) -> Sheet:
    """Orders with a unit price, a line price or both; a total per order, per line or none; and
    charges that are in the total.

    Every third sheet is poor in evidence: most orders are one piece of one thing, without charges.
    """
    chance = random.Random(seed)
    poor = seed % 3 == 0
    prices = chance.choice([("unit",), ("line",), ("unit", "line")])
    total = chance.choice(["repeated", "first_row", "per_line", "none"])
    charges = [each for each in _SIGNS if chance.random() < 0.5]
    if total not in ("repeated", "first_row"):
        charges = []
    money = [*prices, *(["total"] if total != "none" else []), *charges]
    names = dict(zip(money, chance.sample(_NONSENSE, len(money)), strict=True))
    shuffled = chance.sample(money, len(money))
    sheet = Sheet(
        header=HEADER + [names[each] for each in shuffled],
        rows=[],
        names=names,
        totals={},
        lines={},
        determined=not poor
        and (
            ("unit" in prices and total != "none")
            or len(prices) == 2
            or total in ("repeated", "first_row")
        ),
    )
    for number in range(chance.randint(12, 60)):
        key = f"K{number}"
        plain = poor and chance.random() < 0.85
        bought = [
            (f"Thing {place}", 1 if plain else chance.randint(1, 6), chance.randint(100, 9000))
            for place in range(1 if plain else chance.randint(1, 4))
        ]
        sheet.lines[key] = [(name, count, each, count * each) for name, count, each in bought]
        goods = sum(price for *_, price in sheet.lines[key])
        beside = {
            "shipping": chance.choice([0, 495, 795, 1290]),
            "tax": round(goods * chance.choice([0, 0.05, 0.0825])),
            "discount": chance.choice([0, 0, round(goods * 0.1), 150]),
        }
        beside = {name: 0 if plain else beside[name] for name in charges}
        whole = goods + sum(_SIGNS[name] * cents for name, cents in beside.items())
        sheet.totals[key] = whole
        for place, (name, count, each, price) in enumerate(sheet.lines[key]):
            cells = {"unit": each, "line": price, **beside, "total": whole}
            if total == "per_line":
                cells["total"] = price
            shown = {column: f"{cents / 100:.2f}" for column, cents in cells.items()}
            if total == "first_row" and place:
                shown |= dict.fromkeys(("total", *charges), "")
            row = [key, f"2021-04-{number % 28 + 1:02}", f"Jo {number}", name, str(count)]
            sheet.rows.append(row + [shown[column] for column in shuffled])
    return sheet
