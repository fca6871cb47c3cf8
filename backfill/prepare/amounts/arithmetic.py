"""What the amounts of an export are, by the accounting identities of its orders.

``quantity x unit price = line`` holds on a row; ``sum of the lines + charges - discounts = total``
holds for an order. :func:`find_roles` tries every column in every role and keeps what explains the
orders; a role is found only where no rival explains them as well. The names of the columns play no
part.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from backfill.prepare.amounts.combinations import EXPLAINS, Charge, Combinations, Floats, Indices

Flags = npt.NDArray[np.bool_]

#: The share up to which a rival may explain the same orders.
_RIVAL: Final = 0.5
#: Orders (or rows) that an identity must explain at least, and as many more as it has charges.
FEWEST: Final = 2
#: Of so many columns, so many at once are tried as charges and discounts.
_MOST_CHARGES: Final = 8
_AT_ONCE: Final = 4
_BETWEEN: Final = 2
#: The share of the orders whose rows may differ in an order-level column.
_MAY_VARY: Final = 0.02
#: Cents by which rounding may miss: half a cent per line, and a little for binary fractions.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Roles:
    """What each column is, as far as the identities prove it; None where they do not."""

    unit_price: str | None = None
    line_price: str | None = None
    total: str | None = None
    charges: tuple[Charge, ...] = ()
    sum_of_lines: str | None = None
    """a column that proves the price and that may be the total or not"""
    explained: int = 0
    """orders (or rows, where there is no total) that the identities explain"""
    tested: int = 0
    in_line_prices: tuple[str, ...] = ()
    """charges and discounts of a line between its unit price and its line price"""

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
        if self.sum_of_lines is not None:
            return f"sum of {lines} = {self.sum_of_lines}"
        if self.total is None:
            return f"{lines} = {self.line_price}" if self.line_price else lines
        signed = "".join(f" {'+' if sign > 0 else '-'} {name}" for name, sign in self.charges)
        return f"sum of {self.line_price or lines}{signed} = {self.total}"


class _Identity(NamedTuple):
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

    @property
    def holds(self) -> bool:
        return self.share >= EXPLAINS and self.explained >= FEWEST + len(self.charges)


def find_roles(amounts: Amounts) -> Roles:
    """What the columns are; nothing where the numbers do not tell."""
    if amounts.count < FEWEST:
        return Roles()
    sheet = _Sheet(amounts)
    by_row = _row_identity(sheet)
    identities = [each for each in _order_identities(sheet) if each.holds]
    if by_row is not None and _contradicted(by_row, identities):
        by_row = None
    unit: str | None
    line: str | None
    if by_row is None:
        unit, line = _prices(sheet, identities)
    else:  # what does not vary from row to row is rather the order's total
        unit, line = by_row.unit, by_row.line if sheet.varies[by_row.line] else None
    whole = _total(sheet, identities, unit, line)
    sum_of_lines = None
    if whole is not None:
        explained, tested = whole.explained, whole.tested
    elif by_row is not None:
        explained, tested = by_row.explained, by_row.tested
    elif plain := [each for each in identities if each.price in (unit, line) and not each.charges]:
        sum_of_lines, explained, tested = plain[0].total, plain[0].explained, plain[0].tested
    else:
        explained, tested = 0, 0
    return Roles(
        unit_price=unit,
        line_price=line,
        total=None if whole is None else whole.total,
        charges=() if whole is None else whole.charges,
        sum_of_lines=sum_of_lines,
        explained=explained,
        tested=tested,
        in_line_prices=tuple(each.column for each in by_row.charges) if by_row else (),
    )


def explained_share(amounts: Amounts, price: str, *, is_unit: bool, total: str) -> float | None:
    """The share of the totals that a column explains as one price or the other, where it matters.

    None where no order tells the two apart.
    """
    sheet = _Sheet(amounts)
    differs = np.abs(sheet.lines(price, is_unit=True) - sheet.lines(price, is_unit=False)) > 1
    if differs.sum() < FEWEST or not sheet.may_be_total(total):
        return None
    identity = _identity(sheet, _charges(sheet), price, is_unit, total, differs)
    return 0.0 if identity is None else identity.share


class _Sheet:
    """The amounts as one value per order: each column once, and summed over the order's rows."""

    def __init__(self, amounts: Amounts) -> None:
        self.count = amounts.count
        self._starts = np.flatnonzero(np.diff(amounts.orders, prepend=-1))
        self.rows = np.diff(np.append(self._starts, len(amounts.orders)))
        """how many rows each order has"""
        self.shares_order = self.rows[amounts.orders] > 1
        """of each row, whether its order has others"""
        if amounts.quantity is None:
            self.quantity = np.ones(len(amounts.orders))
        else:
            self.quantity = np.nan_to_num(amounts.quantity, nan=1.0)
        self.columns = {
            name: values
            for name, values in amounts.columns.items()
            if np.nansum(np.abs(values)) > 0
        }
        self.varies = {name: self._varies(values) for name, values in self.columns.items()}
        self.once = {name: self._once(values) for name, values in self.columns.items()}
        """order-level columns: the first value of each order that is not blank or zero"""
        self.summed = {
            name: self._per_order(np.add, np.nan_to_num(values))
            for name, values in self.columns.items()
        }
        """line-level columns: the sum of each order"""

    @property
    def counted(self) -> bool:
        """Whether a quantity other than one is there at all."""
        return bool((self.quantity != 1).any())

    def lines(self, price: str, *, is_unit: bool) -> Floats:
        """The sum of the lines of each order, with ``price`` as unit or line price."""
        if not is_unit:
            return self.summed[price]
        return self._per_order(np.add, np.nan_to_num(self.columns[price]) * self.quantity)

    def may_be_total(self, name: str) -> bool:
        """Whether each order has one value of the column, and nearly all have one.

        A discount satisfies the same identity as the total, rearranged, but is often zero.
        """
        return (
            name in self.columns
            and not self.varies[name]
            and float((self.once[name] != 0).mean()) >= EXPLAINS
        )

    def same(self, first: str, second: str) -> bool:
        """Whether two columns hold the same values."""
        return np.array_equal(self.columns[first], self.columns[second], equal_nan=True)

    def _once(self, values: Floats) -> Floats:
        seen = ~np.isnan(values) & (values != 0)
        places = np.where(seen, np.arange(len(values)), len(values))
        first = np.asarray(np.minimum.reduceat(places, self._starts))
        return np.asarray(np.append(values, 0.0)[first], dtype=np.float64)

    def _per_order(self, function: np.ufunc, values: Floats) -> Floats:
        return np.asarray(function.reduceat(values, self._starts), dtype=np.float64)

    def _varies(self, values: Floats) -> bool:
        """Whether the rows of one order differ, zeros and blanks on further rows aside."""
        seen = ~np.isnan(values) & (values != 0)
        low = self._per_order(np.minimum, np.where(seen, values, np.inf))
        high = self._per_order(np.maximum, np.where(seen, values, -np.inf))
        several = self._per_order(np.add, seen.astype(np.float64)) > 1
        return bool(several.any() and (high > low)[several].mean() > _MAY_VARY)


# --- identities of a row -------------------------------------------------------------------------


class _RowIdentity(NamedTuple):
    """``quantity x unit = line`` on the rows."""

    unit: str
    line: str
    charges: tuple[Charge, ...]
    explained: int
    tested: int


def _row_identity(sheet: _Sheet) -> _RowIdentity | None:
    """The unit price and the line price, where one times the quantity is the other on the rows.

    Charges and discounts of the line may stand between the two. None where nothing is, or several
    pairs of columns are.
    """
    cells = [(name, np.nan_to_num(values)) for name, values in sheet.columns.items()]
    between = Combinations(cells[:_MOST_CHARGES], _BETWEEN)
    slack = np.maximum(np.abs(sheet.quantity), 1) * _ROUNDING + 0.01
    found: list[_RowIdentity] = []
    for unit, line in product(sheet.columns, repeat=2):
        if unit == line:
            continue
        values, whole = sheet.columns[unit], sheet.columns[line]
        filled = ~np.isnan(values) & ~np.isnan(whole) & (values != 0)
        places = np.flatnonzero(filled & (sheet.quantity != 1))
        if len(places) < FEWEST:
            continue
        rest = np.where(filled, whole - values * sheet.quantity, 0.0)
        explained = between.explain(rest, slack, places, but=(unit, line))
        if explained is None:
            continue
        charges, holds = explained
        seen = np.column_stack([sheet.quantity, values, whole])[places]
        different = min(holds, len(np.unique(seen, axis=0)))  # the same row again proves nothing
        if holds < EXPLAINS * len(places) or different < FEWEST + len(charges):
            continue
        # One piece does not tell a unit price from a line price, but it may fit neither.
        made_up = sum(each.sign * np.nan_to_num(sheet.columns[each.column]) for each in charges)
        single = filled & (sheet.quantity == 1) & sheet.shares_order
        if single.any() and (np.abs(rest - made_up) <= slack)[single].mean() < EXPLAINS:
            continue
        # The only row of an order may show the order's total; rows that share an order do not.
        shared = places[sheet.shares_order[places]]
        again = between.explain(rest, slack, shared, but=(unit, line)) if len(shared) else explained
        if again is not None and again[0] == charges:
            found.append(_RowIdentity(unit, line, charges, holds, len(places)))
    if not found:
        return None
    fewest = min(len(each.charges) for each in found)
    first, *others = [each for each in found if len(each.charges) == fewest]
    for other in others:
        if not (
            sheet.same(first.unit, other.unit) and sheet.same(str(first.line), str(other.line))
        ):
            return None
    return first


def _contradicted(by_row: _RowIdentity, identities: Sequence[_Identity]) -> bool:
    """Whether the orders are explained by other prices only: then a few rows agree by chance."""
    fewest = min((len(each.charges) for each in identities), default=0)
    best = {each.price for each in identities if len(each.charges) == fewest}
    return bool(best) and not best & {by_row.unit, by_row.line}


# --- identities of an order ----------------------------------------------------------------------


def _charges(sheet: _Sheet) -> Combinations:
    """The columns that may be part of a total, each value once."""
    measures: list[tuple[str, Floats]] = []
    for name in sheet.columns:
        values = [sheet.summed[name]]
        if not sheet.varies[name]:
            values.insert(0, sheet.once[name])
        for each in values:
            if not any(np.array_equal(each, other) for _, other in measures):
                measures.append((name, each))
    return Combinations(measures[: _MOST_CHARGES + 2], _AT_ONCE)


def _order_identities(sheet: _Sheet) -> Iterator[_Identity]:
    """Every way in which lines and charges come to a total, with the fewest charges."""
    everywhere = np.ones(sheet.count, dtype=bool)
    charges = _charges(sheet)
    for price, total in product(sheet.columns, repeat=2):
        if price == total or not sheet.may_be_total(total):
            continue
        for is_unit in (True, False) if sheet.counted else (False,):
            if not is_unit and sheet.same(price, total):
                continue  # a copy of a column explains nothing
            identity = _identity(sheet, charges, price, is_unit, total, everywhere)
            if identity is not None:
                yield identity


def _identity(
    sheet: _Sheet, charges: Combinations, price: str, is_unit: bool, total: str, tested: Flags
) -> _Identity | None:
    whole, lines = sheet.once[total], sheet.lines(price, is_unit=is_unit)
    places = np.flatnonzero(tested & (whole != 0))
    if not len(places):
        return None
    slack = sheet.rows * _ROUNDING + 0.5
    # A copy of the total, or of the sum of the lines, explains nothing.
    copies = [
        name
        for name in sheet.columns
        for values in (sheet.summed[name], sheet.once[name])
        if np.array_equal(values, whole) or np.array_equal(values, lines)
    ]
    explained = charges.explain(whole - lines, slack, places, but={price, total, *copies})
    if explained is None:
        return None
    return _Identity(price, is_unit, total, *explained, len(places))


# --- what follows --------------------------------------------------------------------------------


def _prices(sheet: _Sheet, identities: Sequence[_Identity]) -> tuple[str | None, str | None]:
    """The unit price and the line price that explain the totals; None for what has a rival."""
    if not identities:
        return None, None
    fewest = min(len(each.charges) for each in identities)
    best = [each for each in identities if len(each.charges) == fewest]
    first = best[0].price
    if not all(sheet.same(first, each.price) for each in best):
        # A charge on the first row of each order looks like the price of a line, and the price
        # like a charge. But the prices differ from row to row.
        best = [each for each in best if sheet.varies[each.price]]
        if len({(each.price, each.is_unit) for each in best}) != 1:
            return None, None
        first = best[0].price
    is_unit = _is_unit(sheet, [each for each in best if each.price == first])
    if is_unit is None:
        return None, None
    return (first, None) if is_unit else (None, first)


def _is_unit(sheet: _Sheet, identities: Sequence[_Identity]) -> bool | None:
    """Whether a price is that of one piece, as the orders tell where it makes a difference.

    Where it makes none in any order it is both. None where the orders do not tell.
    """
    first = identities[0]
    differs = np.abs(sheet.lines(first.price, is_unit=True) - sheet.summed[first.price]) > 1
    if not differs.any():
        return True
    if differs.sum() < FEWEST:
        return None
    charges = _charges(sheet)
    shares = {}
    for is_unit in (True, False):
        found = _identity(sheet, charges, first.price, is_unit, first.total, differs)
        shares[is_unit] = found.share if found is not None else 0.0
    if max(shares.values()) < EXPLAINS or min(shares.values()) > _RIVAL:
        return None
    return shares[True] > shares[False]


def _total(
    sheet: _Sheet, identities: Sequence[_Identity], unit: str | None, line: str | None
) -> _Identity | None:
    """The total that the lines come to: of a subtotal and a total the one with all charges.

    None where there is none, or several columns could be it: by another identity, or because they
    are larger by charges that no column holds.
    """
    mine = [
        each
        for each in identities
        if each.total not in (unit, line)
        and each.price == (unit if each.is_unit or line is None else line)
    ]
    if not mine:
        return None
    chosen = max(mine, key=lambda each: len(each.charges))
    for each in mine:
        if np.array_equal(sheet.once[each.total], sheet.once[chosen.total]):
            continue
        added = set(chosen.charges) - set(each.charges)
        missing = set(each.charges) - set(chosen.charges)
        if missing or not added or not all(charge.sign > 0 for charge in added):
            return None
    explained = {chosen.total, unit, line, *(charge.column for charge in chosen.charges)}
    for name in sheet.columns.keys() - explained:
        more = sheet.once[name] - sheet.once[chosen.total]
        if sheet.may_be_total(name) and (more > 1).any() and (more >= -1).mean() >= EXPLAINS:
            return None
    return chosen
