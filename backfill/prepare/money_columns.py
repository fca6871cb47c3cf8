"""Which columns of a source hold money, and what the arithmetic proves them to be.

A sample of whole orders, spread over the source, is kept during the first reading. Once it is
complete, :func:`settle` corrects the roles of columns that were used by their names alone, and
refuses a mapping that the numbers contradict.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from backfill.checkpoint.decisions import Decision, Evidence, SettledBy
from backfill.errors import MappingError
from backfill.prepare import convert
from backfill.prepare.arithmetic import Amounts, Floats, Indices, Roles, explained_share, find_roles
from backfill.prepare.convert.cells import clean
from backfill.prepare.convert.columns import present
from backfill.prepare.grouping.orders import one_array
from backfill.prepare.mapping import fields, formats
from backfill.prepare.mapping.guess import charge_columns
from backfill.prepare.mapping.spec import Spec

#: Rows of one part of the sample; the first parts of a source, and then ever fewer, are kept.
_PART_ROWS: Final = 8192
_FIRST_PARTS: Final = 4
#: The share of a column's filled cells that must be amounts.
_AMOUNTS: Final = 0.9
_MOST_COLUMNS: Final = 16
_ROLES: Final = {
    "item_each_price": "the price of one piece",
    "item_price": "the price of the whole line",
    "total": "the total of the order",
}
_PRICES: Final = frozenset({"item_each_price", "item_price"})


@dataclass(slots=True)
class MoneySample:
    """Some whole orders of a source, with every column that may hold money."""

    mapping: fields.Mapping
    columns: list[str] | None = None
    """those that hold amounts; None before the first batch"""
    keys: list[pa.Array] = field(default_factory=list)
    quantities: list[pa.Array] = field(default_factory=list)
    cells: list[pa.Table] = field(default_factory=list)
    _batches: int = 0

    def add(self, batch: pa.Table) -> None:
        """Keep a part of the batch, unless enough were kept around it."""
        number = self._batches
        self._batches += 1
        is_power_of_two = number & (number - 1) == 0
        if self.mapping.packed is not None or not (number < _FIRST_PARTS or is_power_of_two):
            return
        part = batch.slice(0, _PART_ROWS)
        wanted = ("reference_id", "item_quantity")
        specs = {name: self.mapping.specs[name] for name in wanted if name in self.mapping.specs}
        rows = fields.apply(replace(self.mapping, specs=specs, rows=()), part)
        if self.columns is None:
            self.columns = _amount_columns(self.mapping, part)
        places = pa.array(np.arange(part.num_rows))
        self.keys.append(one_array(rows["reference_id"]))
        self.quantities.append(one_array(rows["item_quantity"]))
        self.cells.append(part.select(self.columns).take(places))  # a copy: the batch can go

    def amounts(self) -> Amounts | None:
        """The sample as numbers; None where it has no orders, or no column could be read."""
        if not self.columns or not self.keys:
            return None
        cells = pa.concat_tables(self.cells)
        texts = {name: clean(one_array(cells[name]), self.mapping.blank) for name in self.columns}
        evidence = convert.MoneyEvidence()
        for text in texts.values():
            evidence = evidence | convert.survey_money(text)
        style = evidence.settle()
        if style.ambiguous:
            return None
        orders, kept = self._whole_orders()
        if not len(orders):
            return None
        read = {name: _floats(convert.cents(text, style))[kept] for name, text in texts.items()}
        quantity = None
        if "item_quantity" in self.mapping.specs:
            counted = convert.quantities(one_array(pa.chunked_array(self.quantities)))
            quantity = _floats(counted)[kept] / 1000
        return Amounts(orders, read, quantity)

    def _whole_orders(self) -> tuple[Indices, Indices]:
        """The number of the order of each row that is kept, and the places of those rows."""
        numbers: list[Indices] = []
        places: list[Indices] = []
        start, next_order = 0, 0
        for keys in self.keys:
            filled = pc.fill_null_forward(keys)
            begins = np.ones(len(keys), dtype=bool)
            same = pc.fill_null(pc.equal(filled.slice(1), filled.slice(0, len(keys) - 1)), False)
            begins[1:] = ~same.to_numpy(zero_copy_only=False)
            order = np.cumsum(begins) - 1
            # The first order of a later part, and the last of a full one, may be cut off.
            cut_off = len(keys) == _PART_ROWS
            whole = present(filled) & ~(cut_off & (order == order[-1]))
            if len(numbers) and len(np.unique(order)) > 1:
                whole &= order > 0
            numbers.append(order[whole] + next_order)
            places.append(np.flatnonzero(whole) + start)
            start += len(keys)
            next_order += int(order[-1]) + 1 if len(order) else 0
        orders = np.concatenate(numbers)
        dense = np.cumsum(np.diff(orders, prepend=-1) != 0) - 1
        return dense.astype(np.int64), np.concatenate(places)


@dataclass(slots=True)
class ChargesLeftOut:
    """Shipping, tax and discounts in columns of their own, where no total holds them."""

    mapping: fields.Mapping
    columns: Mapping[str, str]
    """each such column, with its kind"""
    texts: dict[str, list[pa.Array]] = field(default_factory=dict)

    @classmethod
    def of(cls, mapping: fields.Mapping, columns: tuple[str, ...]) -> ChargesLeftOut:
        """The charges of a source; none where its orders have a total."""
        used = {column for spec in mapping.specs.values() for column in spec.columns}
        if "total" in mapping.specs or not _PRICES.intersection(mapping.specs):
            return cls(mapping, {})
        named = charge_columns(columns)
        return cls(mapping, {name: kind for name, kind in named.items() if name not in used})

    def add(self, batch: pa.Table) -> None:
        """Note what stands in the columns."""
        for name in self.columns:
            text = clean(one_array(batch[name]), self.mapping.blank)
            counted = text.drop_null().value_counts()
            self.texts.setdefault(name, []).append(counted)

    def sums(self, style: convert.MoneyStyle) -> dict[str, tuple[int, int, str]]:
        """Of each column that is not all zero: its cents, the rows that have it, and an example."""
        found = {}
        for name, parts in self.texts.items():
            texts = pa.concat_arrays([part.field(0) for part in parts])
            counts = np.concatenate([part.field(1).to_numpy() for part in parts])
            values = np.nan_to_num(_floats(convert.cents(texts, style)))
            rows = int(counts[values != 0].sum())
            if rows:
                example = texts[int(np.flatnonzero(values != 0)[0])].as_py()
                found[name] = (int((values * counts).sum()), rows, example)
        return found


@dataclass(frozen=True, slots=True)
class Settled:
    """What the arithmetic of a source proves."""

    mapping: fields.Mapping
    roles: Roles
    moved: Mapping[str, str] = field(default_factory=dict)
    """columns that serve another field than by their names, with that field"""


def settle(mapping: fields.Mapping, sample: MoneySample, label: str) -> Settled:
    """Hold the roles of the money columns against the numbers.

    A column that is used by its name alone gets the role that is proved. One that a person or a
    platform mapped keeps it, or is refused.

    :raises MappingError: the numbers contradict the mapping.
    """
    amounts = sample.amounts()
    if amounts is None:
        return Settled(mapping, Roles())
    roles = find_roles(amounts)
    specs, moved = dict(mapping.specs), {}
    for name in ("item_each_price", "item_price", "total"):
        column = _single_column(mapping.specs.get(name))
        proved = roles.role_of(column) if column is not None else None
        if column is None or proved is None or proved == name:
            continue
        if not _matters(name, proved, amounts):
            continue
        if not _by_name_alone(mapping, name):
            raise _contradicted(label, column, name, proved, roles, amounts)
        if specs.get(name) == mapping.specs[name]:
            del specs[name]
        specs[proved] = mapping.specs[name]
        moved[column] = proved
    if not moved:
        return Settled(mapping, roles)
    settled_by = {**mapping.settled_by, **dict.fromkeys(moved.values(), SettledBy.PROOF)}
    return Settled(replace(mapping, specs=specs, settled_by=settled_by), roles, moved)


def decisions(label: str, settled: Settled) -> Iterator[Decision]:
    """What the arithmetic says of each money column."""
    roles = settled.roles
    evidence = Evidence(
        supporting=roles.explained,
        contradicting=roles.tested - roles.explained,
        note=roles.equation,
    )
    for name in ("item_each_price", "item_price", "total"):
        column = _single_column(settled.mapping.specs.get(name))
        if column is not None and roles.role_of(column) == name:
            yield Decision(
                what="role of a total" if name == "total" else "role of a price",
                source=label,
                column=column,
                value=_ROLES[name],
                settled_by=SettledBy.PROOF,
                evidence=evidence,
                override=f"--map {name}=COLUMN",
            )
    for charge in roles.charges:
        yield Decision(
            what="charge",
            source=label,
            column=charge.column,
            value="added to the lines" if charge.sign > 0 else "taken off the lines",
            settled_by=SettledBy.PROOF,
            evidence=evidence,
        )


def _amount_columns(mapping: fields.Mapping, part: pa.Table) -> list[str]:
    """The columns that hold amounts and serve no field that is none."""
    money = {
        column
        for name in fields.MONEY_FIELDS
        if name in mapping.specs
        for column in mapping.specs[name].columns
    }
    used = {column for spec in mapping.specs.values() for column in spec.columns} - money
    found = []
    for name in part.column_names:
        if name in used or name.startswith("_") or name in formats.MENDED_COLUMNS:
            continue
        text = clean(one_array(part[name]), mapping.blank).drop_null().unique().slice(0, 200)
        if not len(text):
            continue
        read = convert.cents(text, convert.survey_money(text).settle())
        if pc.mean(pc.cast(pc.is_valid(read.values), pa.int8())).as_py() >= _AMOUNTS:
            found.append(name)
    # The columns that are in use come first, where there are too many.
    return sorted(found, key=lambda name: name not in money)[:_MOST_COLUMNS]


def _floats(converted: convert.Converted) -> Floats:
    values: Floats = pc.fill_null(pc.cast(converted.values, pa.float64()), np.nan).to_numpy()
    return values


def _single_column(spec: Spec | None) -> str | None:
    if spec is None or len(spec.choices) != 1 or len(spec.single_columns) != 1:
        return None
    return spec.single_columns[0]


def _by_name_alone(mapping: fields.Mapping, name: str) -> bool:
    """Whether a field's column is used because of what it is called."""
    if mapping.settled_by.get(name) in (SettledBy.OPTION, SettledBy.MAPPING):
        return False
    return mapping.format in (formats.GENERIC, formats.UNKNOWN)


def _matters(name: str, proved: str, amounts: Amounts) -> bool:
    """Whether an order comes out differently with the one role or the other."""
    if {name, proved} == _PRICES:
        return amounts.quantity is not None and bool(
            (np.nan_to_num(amounts.quantity, nan=1) != 1).any()
        )
    return bool((np.bincount(amounts.orders) > 1).any())


def _contradicted(
    label: str, column: str, name: str, proved: str, roles: Roles, amounts: Amounts
) -> MappingError:
    why = f"{roles.equation} holds for {roles.explained:,} of {roles.tested:,}"
    if roles.total is not None and {name, proved} == _PRICES:
        shares = {
            is_unit: explained_share(amounts, column, is_unit=is_unit, total=roles.total)
            for is_unit in (False, True)
        }
        if None not in shares.values():
            why = (
                f"as line prices these explain {shares[False]:.0%} of the totals, "
                f"as unit prices {shares[True]:.0%}"
            )
    return MappingError(
        f"{label}: column {column!r} is mapped to {name}, but it is {_ROLES[proved]}: {why}",
        hint=f"give --map {name}= --map '{proved}={column}'",
    )
