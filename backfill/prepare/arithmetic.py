"""What the amounts of an export are, by the accounting identities of its orders.

``quantity x unit price = line`` holds on a row; ``sum of the lines + charges - discounts = total``
holds for an order. :func:`find_roles` tries every column in every role and keeps what explains the
orders; a role is found only where no rival explains them as well. The names of the columns play no
part.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import Final, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Item = TypeVar("Item")

#: The share of the orders (or rows) that an identity must explain to be found.
EXPLAINS: Final = 0.9
#: The share up to which an identity is contradicted.
CONTRADICTED: Final = 0.2
#: Orders (or rows) that a role needs at least to be told from another.
FEWEST: Final = 2
#: Of so many columns, so many at once are tried as charges and discounts.
_MOST_CHARGES: Final = 8
_AT_ONCE: Final = 4
#: Orders that all combinations are tried on; what explains them is then tried on all.
_TRIED: Final = 48
#: An order with this many lines that differ in a column proves that it is no order-level one.
_MAY_VARY: Final = 0.02
#: Half a cent per line is what rounding can make, and a little for binary fractions.
_ROUNDING: Final = 0.51


@dataclass(frozen=True, slots=True)
class Amounts:
    """The amounts of some whole orders. Rows of an order are adjacent."""

    orders: Indices
    """of each row the number of its order, from 0"""
    columns: Mapping[str, Floats]
    """cents on each row; NaN where blank"""
    quantity: Floats | None
    """pieces on each row; NaN where blank; None: one each"""

    @property
    def count(self) -> int:
        """How many orders there are."""
        return int(self.orders[-1]) + 1 if len(self.orders) else 0


class Charge(NamedTuple):
    """A column that is part of the total beside the lines."""

    column: str
    sign: int
    """-1 for a discount"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Roles:
    """What each column is, as far as the identities prove it; None where they do not."""

    unit_price: str | None = None
    line_price: str | None = None
    total: str | None = None
    charges: tuple[Charge, ...] = ()
    explained: int = 0
    """orders (or rows, where there is no total) that the identities explain"""
    tested: int = 0
    rival_totals: tuple[str, ...] = ()
    """columns that could each be the total"""

    def role_of(self, column: str) -> str | None:
        """The field that a column is, if any."""
        fields = {
            self.unit_price: "item_each_price",
            self.line_price: "item_price",
            self.total: "total",
        }
        return fields.get(column)

    @property
    def equation(self) -> str:
        """The identity in words."""
        lines = f"quantity x {self.unit_price}" if self.unit_price else str(self.line_price)
        if self.total is None:
            return f"{lines} = {self.line_price}" if self.line_price else lines
        signed = "".join(f" {'+' if sign > 0 else '-'} {name}" for name, sign in self.charges)
        return f"sum of {self.line_price or lines}{signed} = {self.total}"


@dataclass(frozen=True, slots=True)
class _Identity:
    """One way to explain the totals of the orders."""

    price: str
    is_unit: bool
    total: str
    charges: tuple[Charge, ...]
    explained: int
    tested: int

    @property
    def share(self) -> float:
        return self.explained / self.tested if self.tested else 0.0


def find_roles(amounts: Amounts) -> Roles:
    """What the columns are; nothing where the numbers do not tell."""
    if amounts.count < FEWEST:
        return Roles()
    sheet = _Sheet(amounts)
    unit, line, rows, of_rows = _row_identity(sheet)
    identities = [each for each in _order_identities(sheet) if each.share >= EXPLAINS]
    identities = [each for each in identities if each.explained >= FEWEST]
    if unit is None and line is None:
        unit, line = _prices(sheet, identities)
    total, charges, rivals = _total(sheet, identities, unit, line)
    if total is None:
        return Roles(
            unit_price=unit,
            line_price=line,
            explained=rows,
            tested=of_rows,
            rival_totals=rivals,
        )
    best = next(
        each
        for each in identities
        if each.total == total and each.price in (unit, line) and each.charges == charges
    )
    return Roles(
        unit_price=unit,
        line_price=line,
        total=total,
        charges=charges,
        explained=best.explained,
        tested=best.tested,
    )


def explained_share(amounts: Amounts, price: str, *, is_unit: bool, total: str) -> float | None:
    """The share of the totals that a column explains as one price or the other, where it matters.

    None where no order tells the two apart.
    """
    sheet = _Sheet(amounts)
    differs = np.abs(sheet.lines(price, is_unit=True) - sheet.lines(price, is_unit=False)) > 1
    if differs.sum() < FEWEST or not sheet.may_be_total(total):
        return None
    best = list(_identities_of(sheet, price, is_unit, total, differs))
    return max((each.share for each in best), default=0.0)


class _Sheet:
    """The amounts as one value per order: each column once, and summed over the order's rows."""

    def __init__(self, amounts: Amounts) -> None:
        self.amounts = amounts
        self.count = amounts.count
        self._starts = np.flatnonzero(np.diff(amounts.orders, prepend=-1))
        self._several = np.diff(np.append(self._starts, len(amounts.orders))) > 1
        self.rows = np.diff(np.append(self._starts, len(amounts.orders)))
        columns = {
            name: values
            for name, values in amounts.columns.items()
            if np.nansum(np.abs(values)) > 0
        }
        self.columns = columns
        self.varies = {name: self._varies(values) for name, values in columns.items()}

    def _per_order(self, function: np.ufunc, values: Floats) -> Floats:
        return np.asarray(function.reduceat(values, self._starts), dtype=np.float64)

    def _varies(self, values: Floats) -> bool:
        """Whether the rows of one order differ, zeros and blanks on further rows aside."""
        seen = ~np.isnan(values) & (values != 0)
        low = self._per_order(np.minimum, np.where(seen, values, np.inf))
        high = self._per_order(np.maximum, np.where(seen, values, -np.inf))
        known = self._per_order(np.add, seen.astype(np.float64)) > 1
        if not known.any():
            return False
        return bool((high > low)[known].mean() > _MAY_VARY)

    def once(self, name: str) -> Floats:
        """An order-level column: the first value of each order that is not blank or zero."""
        values = self.columns[name]
        seen = ~np.isnan(values) & (values != 0)
        places = np.where(seen, np.arange(len(values)), len(values))
        first = np.asarray(np.minimum.reduceat(places, self._starts))
        return np.asarray(np.append(values, 0.0)[first], dtype=np.float64)

    def summed(self, name: str) -> Floats:
        """A line-level column: the sum of each order."""
        return self._per_order(np.add, np.nan_to_num(self.columns[name]))

    def lines(self, price: str, *, is_unit: bool) -> Floats:
        """The sum of the lines of each order, with ``price`` as unit or line price."""
        if not is_unit:
            return self.summed(price)
        values = np.nan_to_num(self.columns[price]) * self.quantity
        return self._per_order(np.add, values)

    @property
    def quantity(self) -> Floats:
        """Pieces on each row, one where blank."""
        if self.amounts.quantity is None:
            return np.ones(len(self.amounts.orders))
        return np.nan_to_num(self.amounts.quantity, nan=1.0)

    @property
    def counted(self) -> bool:
        """Whether a quantity other than one is there at all."""
        return bool((self.quantity != 1).any())

    def may_be_total(self, name: str) -> bool:
        """Whether each order has one value of the column."""
        return name in self.columns and not self.varies[name]

    def charges(self, but: Sequence[str]) -> list[tuple[str, Floats]]:
        """The measures that may be part of a total, each value once."""
        found: list[tuple[str, Floats]] = []
        for name in self.columns:
            if name in but:
                continue
            measures = [self.summed(name)]
            if not self.varies[name]:
                measures.insert(0, self.once(name))
            for values in measures:
                if not any(np.array_equal(values, other) for _, other in found):
                    found.append((name, values))
        return found[:_MOST_CHARGES]


# --- identities of a row -------------------------------------------------------------------------


def _row_identity(sheet: _Sheet) -> tuple[str | None, str | None, int, int]:
    """The unit price and the line price, where ``quantity x one = the other`` on the rows.

    Charges and discounts of the line may stand between the two. With the rows that hold it, and
    the rows that were tested.
    """
    found: list[tuple[int, str, str, int, int]] = []
    for unit, line in product(sheet.columns, repeat=2):
        if unit == line:
            continue
        values, whole = sheet.columns[unit], sheet.columns[line]
        told = ~np.isnan(values) & ~np.isnan(whole) & (sheet.quantity != 1) & (values != 0)
        if told.sum() < FEWEST:
            continue
        rest = np.where(told, whole - values * sheet.quantity, 0.0)
        slack = np.maximum(np.abs(sheet.quantity), 1) * _ROUNDING + 0.01
        between = [name for name in sheet.columns if name not in (unit, line)][:_MOST_CHARGES]
        for size, signed in _signed(between, 2):
            parts = sum(
                (sign * np.nan_to_num(sheet.columns[name]) for name, sign in signed),
                start=np.zeros(len(rest)),
            )
            holds = np.abs(rest - parts) <= slack
            if holds[told].mean() >= EXPLAINS and holds[told].sum() >= FEWEST:
                found.append((size, unit, line, int(holds[told].sum()), int(told.sum())))
                break
    if not found:
        return None, None, 0, 0
    fewest = min(size for size, *_ in found)
    best = [each for each in found if each[0] == fewest]
    same = all(
        np.array_equal(sheet.columns[each[1]], sheet.columns[best[0][1]], equal_nan=True)
        and np.array_equal(sheet.columns[each[2]], sheet.columns[best[0][2]], equal_nan=True)
        for each in best
    )
    if not same:
        return None, None, 0, 0
    _, unit, line, rows, of_rows = best[0]
    # Where each order has one row, a total cannot be told from a line's price: it is the total.
    return unit, line if sheet.varies[line] or sheet.rows.max() > 1 else None, rows, of_rows


# --- identities of an order ----------------------------------------------------------------------


def _order_identities(sheet: _Sheet) -> Iterator[_Identity]:
    """Every way in which lines and charges come to a total, with the fewest charges."""
    everywhere = np.ones(sheet.count, dtype=bool)
    for price, total in product(sheet.columns, repeat=2):
        if price == total or not sheet.may_be_total(total):
            continue
        for is_unit in (True, False) if sheet.counted else (False,):
            yield from _identities_of(sheet, price, is_unit, total, everywhere)


def _identities_of(
    sheet: _Sheet, price: str, is_unit: bool, total: str, tested: Flags
) -> Iterator[_Identity]:
    whole, lines = sheet.once(total), sheet.lines(price, is_unit=is_unit)
    tested = tested & (whole != 0)
    places = np.flatnonzero(tested)
    if not len(places):
        return
    slack = sheet.rows * _ROUNDING + 0.5
    rest = whole - lines
    measures = [
        (name, values)
        for name, values in sheet.charges((price, total))
        if not np.array_equal(values, whole) and not np.array_equal(values, lines)
    ]
    tried = places[:: max(1, len(places) // _TRIED)]
    for _, signed in _signed(range(len(measures)), _AT_ONCE):
        parts = np.zeros(len(tried))
        for index, sign in signed:
            parts = parts + sign * measures[index][1][tried]
        if (np.abs(rest[tried] - parts) <= slack[tried]).mean() < EXPLAINS:
            continue
        parts = np.zeros(len(rest))
        for index, sign in signed:
            parts = parts + sign * measures[index][1]
        explained = int((np.abs(rest - parts) <= slack)[places].sum())
        charges = tuple(Charge(measures[index][0], sign) for index, sign in signed)
        yield _Identity(price, is_unit, total, charges, explained, len(places))
        return


def _signed(items: Sequence[Item], most: int) -> Iterator[tuple[int, tuple[tuple[Item, int], ...]]]:
    """Every choice of up to ``most`` items, each added or taken off, the smallest first."""
    for size in range(most + 1):
        for chosen in combinations(items, size):
            for signs in product((1, -1), repeat=size):
                yield size, tuple(zip(chosen, signs, strict=True))


# --- what follows --------------------------------------------------------------------------------


def _prices(sheet: _Sheet, identities: Sequence[_Identity]) -> tuple[str | None, str | None]:
    """The unit price and the line price that explain the totals; None for what has a rival."""
    if not identities:
        return None, None
    fewest = min(len(each.charges) for each in identities)
    best = [each for each in identities if len(each.charges) == fewest]
    values = {each.price: sheet.columns[each.price] for each in best}
    first = best[0].price
    if any(not np.array_equal(values[first], other, equal_nan=True) for other in values.values()):
        # A total per line beside one per order, such as a subtotal: the sum of lines is the same.
        varying = [each for each in best if sheet.varies[each.price]]
        if len({(each.price, each.is_unit) for each in varying}) != 1:
            return None, None
        best, first = varying, varying[0].price
    roles = {each.is_unit for each in best if each.price == first}
    if len(roles) > 1:  # the quantities make no difference: it is both
        return first, None
    return (first, None) if True in roles else (None, first)


def _total(
    sheet: _Sheet, identities: Sequence[_Identity], unit: str | None, line: str | None
) -> tuple[str | None, tuple[Charge, ...], tuple[str, ...]]:
    """The total that the lines come to: of a subtotal and a total the one with all charges."""
    mine = [
        each
        for each in identities
        if (each.price == unit and each.is_unit)
        or (each.price == line and not each.is_unit)
        or (each.price == unit and line is None)
    ]
    mine = [each for each in mine if each.total not in (unit, line)]
    if not mine:
        return None, (), ()
    chosen = max(mine, key=lambda each: len(each.charges))
    for each in mine:
        if np.array_equal(sheet.once(each.total), sheet.once(chosen.total)):
            continue
        more = set(chosen.charges) - set(each.charges)
        less = set(each.charges) - set(chosen.charges)
        if less or not all(charge.sign > 0 for charge in more):
            return None, (), tuple(dict.fromkeys(each.total for each in mine))
    return chosen.total, chosen.charges, ()
