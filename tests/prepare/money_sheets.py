"""Random orders with their money in columns of names that say nothing."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True)
class Sheet:
    """An export, and what is right of it."""

    header: list[str]
    rows: list[list[str]]
    names: dict[str, str]
    """the nonsense name of each money column"""
    totals: dict[str, int]
    """the cents of each order: what its lines and charges come to, where the sheet has them"""
    lines: list[tuple[int, int]]
    """the unit price and the line price of each row, in cents"""
    determined: bool
    """the numbers tell the columns apart: they are not two columns of the same values"""


def money_sheet(seed: int) -> Sheet:
    """Orders with a unit price, a line price or both; a total per order or per line; charges."""
    chance = random.Random(seed)
    prices = chance.choice([("unit",), ("line",), ("unit", "line")])
    total = chance.choice(["repeated", "first_row", "per_line"])
    charges = [each for each in ("shipping", "tax", "discount") if chance.random() < 0.5]
    if total == "per_line":
        charges = []
    money = [*prices, "total", *charges]
    nonsense = chance.sample(["Foo", "Bar", "Baz", "Qux", "Wim", "Zap", "Lok", "Mur"], len(money))
    names = dict(zip(money, nonsense, strict=True))
    shuffled = chance.sample(money, len(money))
    header = ["key", "day", "who", "what", "count", *(names[each] for each in shuffled)]
    rows, totals, lines = [], {}, []
    for number in range(chance.randint(12, 60)):
        key = f"K{number}"
        of_order = [
            (chance.randint(1, 6), chance.randint(100, 9000)) for _ in range(chance.randint(1, 4))
        ]
        sums = sum(count * price for count, price in of_order)
        beside = {
            "shipping": chance.choice([0, 495, 795, 1290]),
            "tax": round(sums * chance.choice([0, 0.05, 0.0825])),
            "discount": chance.choice([0, 0, round(sums * 0.1), 150]),
        }
        beside = {name: cents for name, cents in beside.items() if name in charges}
        signs = {"shipping": 1, "tax": 1, "discount": -1}
        whole = sums + sum(signs[name] * cents for name, cents in beside.items())
        totals[key] = whole
        for place, (count, price) in enumerate(of_order):
            cells = {"unit": price, "line": count * price, **beside, "total": whole}
            if total == "per_line":
                cells["total"] = count * price
            shown = {name: f"{cents / 100:.2f}" for name, cents in cells.items()}
            if total == "first_row" and place:
                shown |= dict.fromkeys(("total", *charges), "")
            rows.append(
                [key, "2021-04-05", f"Jo {number}", f"Thing {place}", str(count)]
                + [shown[each] for each in shuffled]
            )
            lines.append((price, count * price))
    determined = total != "per_line" or "unit" in prices
    return Sheet(header, rows, names, totals, lines, determined)
