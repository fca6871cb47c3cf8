"""What the amounts of a source are: proposed where nobody said it, and held against what was said.

:func:`propose` names the columns of prices and totals that the arithmetic proves. :func:`settle`
corrects the roles of columns that were used by their names alone, and finds what contradicts a
mapping.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import pyarrow as pa

from backfill.checkpoint.decisions import Decision, Evidence, SettledBy
from backfill.errors import MappingError
from backfill.prepare.amounts.arithmetic import Amounts, Roles, explained_share, find_roles
from backfill.prepare.amounts.places import Places, places_of
from backfill.prepare.amounts.sample import MoneySample
from backfill.prepare.mapping import fields, formats
from backfill.prepare.mapping.guess import Guess
from backfill.prepare.mapping.spec import Spec

_PRICES: Final = frozenset({"item_each_price", "item_price"})
_ROLES: Final = {
    "item_each_price": "the price of one piece",
    "item_price": "the price of the whole line",
    "total": "the total of the order",
}


@dataclass(frozen=True, slots=True)
class Settled:
    """What the arithmetic of a source proves."""

    mapping: fields.Mapping
    """with the roles that are proved"""
    roles: Roles = field(default_factory=Roles)
    places: Places | None = None
    """where the totals stand; None where that is not proved"""
    contradiction: MappingError | None = None
    """the numbers contradict what a person or a platform said"""


def propose(
    guesses: Mapping[str, Guess], mapping: fields.Mapping, rows: pa.Table
) -> dict[str, Guess]:
    """The guesses with those of the prices and the total as the arithmetic proves them.

    :param guesses: by name and value.
    :param mapping: how the source would be read with the guesses.
    :param rows: the first rows of the source.
    """
    sample = MoneySample(mapping)
    sample.add(rows)
    amounts = sample.amounts()
    if amounts is None:
        return dict(guesses)
    roles = find_roles(amounts)
    columns = {
        "item_each_price": roles.unit_price,
        "item_price": roles.line_price,
        "total": roles.total,
    }
    proved = {
        name: _by_name(column, guesses.get(name), amounts)
        for name, column in columns.items()
        if column is not None
    }
    if not proved:
        return dict(guesses)
    roles = replace(
        roles,
        unit_price=proved.get("item_each_price"),
        line_price=proved.get("item_price"),
        total=proved.get("total"),
    )
    why = f"{roles.equation} holds for {roles.explained:,} of {roles.tested:,}"
    replaced = set(proved) | (_PRICES if _PRICES & set(proved) else set())
    found = {
        name: guess
        for name, guess in guesses.items()
        if name not in replaced and guess.spec not in proved.values()
    }
    found |= {name: Guess(column, why) for name, column in proved.items()}
    return {name: found[name] for name in fields.FIELDS if name in found}


def _by_name(column: str, guess: Guess | None, amounts: Amounts) -> str:
    """Of columns with the same values the one that was guessed by its name."""
    if guess is None or guess.spec not in amounts.columns:
        return column
    other = amounts.columns[guess.spec]
    return guess.spec if np.array_equal(amounts.columns[column], other, equal_nan=True) else column


def settle(mapping: fields.Mapping, sample: MoneySample, label: str) -> Settled:
    """Hold the roles of the money columns against the numbers.

    A column that is used by its name alone gets the role that is proved. One that a person or a
    platform mapped keeps its role, and the contradiction is told.
    """
    amounts = sample.amounts()
    if amounts is None:
        return Settled(mapping)
    roles = find_roles(amounts)
    moved: dict[str, Spec] = {}
    left: set[str] = set()
    for name in fields.RELATED_FIELDS:
        column = _single_column(mapping.specs.get(name))
        proved = roles.role_of(column) if column is not None else None
        if column is None or proved is None or proved == name:
            continue
        if not _matters(name, proved, amounts):
            continue
        if not _by_name_alone(mapping, name):
            error = _contradicted(label, column, name, proved, roles, amounts)
            return Settled(mapping, roles, contradiction=error)
        left.add(name)
        moved[proved] = mapping.specs[name]
    specs = {name: spec for name, spec in mapping.specs.items() if name not in left} | moved
    settled_by = {**mapping.settled_by, **dict.fromkeys(moved, SettledBy.PROOF)}
    mapping = replace(mapping, specs=specs, settled_by=settled_by)
    total = _single_column(mapping.specs.get("total"))
    if total not in amounts.columns:
        return Settled(mapping, roles)
    places = places_of(amounts, str(total))
    if places is not None and _is_unmapped(mapping):
        mapping = replace(mapping, order_values=places.order_values)
    return Settled(mapping, roles, places)


def decisions(label: str, settled: Settled) -> Iterator[Decision]:
    """What the arithmetic says of each money column."""
    roles = settled.roles
    evidence = Evidence(
        supporting=roles.explained,
        contradicting=roles.tested - roles.explained,
        note=roles.equation,
    )
    for name in fields.RELATED_FIELDS:
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
            value="in the total, " + ("added" if charge.sign > 0 else "taken off"),
            settled_by=SettledBy.PROOF,
            evidence=evidence,
            override="--map total=COLUMN",
        )


def _single_column(spec: Spec | None) -> str | None:
    if spec is None or len(spec.choices) != 1 or len(spec.single_columns) != 1:
        return None
    return spec.single_columns[0]


def _by_name_alone(mapping: fields.Mapping, name: str) -> bool:
    """Whether a field's column is used because of what it is called."""
    if mapping.settled_by.get(name) in (SettledBy.OPTION, SettledBy.MAPPING):
        return False
    return _is_unmapped(mapping)


def _is_unmapped(mapping: fields.Mapping) -> bool:
    """Whether neither a platform nor a mapping file says how the source is to be read."""
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
        as_line, as_unit = (
            explained_share(amounts, column, is_unit=is_unit, total=roles.total)
            for is_unit in (False, True)
        )
        if as_line is not None and as_unit is not None:
            why = (
                f"as line prices its amounts explain {as_line:.0%} of the totals, "
                f"as unit prices {as_unit:.0%}"
            )
    return MappingError(
        f"{label}: column {column!r} is mapped to {name}, but it is {_ROLES[proved]}: {why}",
        hint=f"give --map {name}= --map '{proved}={column}'",
    )
