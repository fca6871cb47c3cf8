"""Orders and money added up by state, account, month and size.

Half a million orders pass through here for each report, so they travel as columns: SQLite joins
each column of an index into one text, and Arrow takes it apart and adds it up. That is three
times as fast as SQLite's GROUP BY over four keys, and touches no payload.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import NamedTuple, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from backfill.checkpoint import Checkpoint, State

#: Between two orders in a joined text: a control character, and nothing of an order.
_SEPARATOR = "\x1f"
_CHUNK = 1 << 16
_LINES = pa.schema(
    [
        *((name, pa.string()) for name in ("state", "header", "account", "month")),
        *((name, pa.int64()) for name in ("orders", "cents")),
    ]
)

#: What a blank date becomes in Excel, in Excel for the Mac and in Unix.
_ZERO_DATES = tuple(
    map(date.fromisoformat, ("1899-12-30", "1899-12-31", "1900-01-01", "1904-01-01", "1970-01-01"))
)
#: No day of an order: a blank, and each zero date as it may be in another time zone.
_NO_DAYS = pa.array(
    ["", *(str(zero + timedelta(days)) for zero in _ZERO_DATES for days in (-1, 0, 1))]
)

Key = TypeVar("Key", bound=Hashable)

# Upper bounds of the bars of the distribution of order totals, in cents: 1, 2, 5, 10, ...
_STEPS = tuple(step * 10**power for power in range(2, 9) for step in (1, 2, 5))


@dataclass(slots=True)
class Tally:
    """Orders and their money, by state; a state without orders may be missing."""

    orders: dict[State, int] = field(default_factory=dict)
    cents: dict[State, int] = field(default_factory=dict)

    def add(self, state: State, orders: int, cents: int) -> None:
        self.orders[state] = self.orders.get(state, 0) + orders
        self.cents[state] = self.cents.get(state, 0) + cents

    @property
    def total(self) -> int:
        """Orders in any state."""
        return sum(self.orders.values())

    @property
    def all_cents(self) -> int:
        """Money of the orders in any state, as far as their totals are known."""
        return sum(self.cents.values())

    @property
    def kept_cents(self) -> int:
        """Money of the orders that are not rejected: the contract's ``total_cents``."""
        return self.all_cents - self.money(State.REJECTED)

    def count(self, *states: State) -> int:
        return sum(self.orders.get(state, 0) for state in states)

    def money(self, *states: State) -> int:
        return sum(self.cents.get(state, 0) for state in states)


class Account(NamedTuple):
    """Whose orders they are; both None for orders that name no account."""

    header: str | None
    id: str | None


@dataclass(frozen=True, slots=True)
class Bar:
    """Orders whose total is at least ``low`` and below ``high`` cents; None: without bound."""

    low: int
    high: int | None
    orders: int


@dataclass(frozen=True, slots=True)
class Tallies:
    """Orders and money, added up in all the ways in which the reports show them."""

    accounts: Mapping[Account, Tally]
    """by money, the largest first"""
    months: Mapping[str | None, Tally]
    """in their order; None: orders without a date"""
    first_day: str | None
    """of the orders that are not rejected; the zero dates of spreadsheets and Unix do not count"""
    last_day: str | None
    distribution: Sequence[Bar]
    """of the totals of the orders that are not rejected"""
    lines: pa.Table
    """orders and cents by state, header, account and month"""

    def ledger(self) -> dict[tuple[Account, str | None], Tally]:
        """By account and month."""
        return _tallies(
            self.lines, ("header", "account", "month"), lambda *key: (Account(*key[:2]), key[2])
        )


def read_tallies(checkpoint: Checkpoint) -> Tallies:
    """Add up every order of the checkpoint."""
    heights = np.zeros(len(_STEPS) + 1, dtype=np.int64)
    days: list[str] = []
    parts = [_LINES.empty_table()]
    for state, orders in _columns(checkpoint):
        parts.append(_lines(state, orders))
        if state is not State.REJECTED:
            heights += _heights(orders["cents"])
            days += _span(orders["day"])
    lines = pa.concat_tables(parts)
    accounts = _tallies(lines, ("header", "account"), Account)
    months = _tallies(lines, ("month",), lambda month: month)
    return Tallies(
        accounts=dict(sorted(accounts.items(), key=lambda item: -item[1].kept_cents)),
        months={month: months[month] for month in sorted(months, key=lambda month: month or "~")},
        first_day=min(days, default=None),
        last_day=max(days, default=None),
        distribution=_bars(heights),
        lines=lines,
    )


def combined(tallies: Iterable[Tally]) -> Tally:
    """The sum of tallies."""
    whole = Tally()
    for tally in tallies:
        for state, orders in tally.orders.items():
            whole.add(state, orders, tally.cents[state])
    return whole


def _columns(checkpoint: Checkpoint) -> Iterator[tuple[State, pa.Table]]:
    """The orders of each state, some at a time: header, account, day (blank: none) and cents."""
    last = checkpoint.query("SELECT ifnull(max(id), 0) FROM orders").fetchone()[0]
    for state in State:
        for start in range(0, last, _CHUNK):
            part = (state, start, start + _CHUNK)
            texts = checkpoint.query(_joined("account_id"), part).fetchone()
            if texts["day"] is None:
                continue
            columns = _taken_apart(texts)
            if len(columns["account"]) != len(columns["day"]):
                # An account has the separator in its name. It costs too much to look each time.
                cleaned = f"replace(account_id, '{_SEPARATOR}', ' ')"
                columns = _taken_apart(checkpoint.query(_joined(cleaned), part).fetchone())
            yield state, pa.table(columns)


def _joined(account: str) -> str:
    """SQL that joins each column of some orders into one text.

    The separator stands in it as a literal: of a value that is computed, such as char(31), SQLite
    makes a copy for each order, which is half of the work.
    """
    columns = {"header": "account_header", "account": account, "day": "ordered_on"}
    columns["cents"] = "total_cents"
    texts = ", ".join(
        f"group_concat(ifnull({column}, ''), '{_SEPARATOR}') AS {name}"
        for name, column in columns.items()
    )
    return (
        f"SELECT {texts} FROM orders INDEXED BY orders_by_state"
        " WHERE state = ? AND id > ? AND id <= ?"
    )


def _taken_apart(texts: sqlite3.Row) -> dict[str, pa.Array]:
    columns = {
        name: pc.split_pattern(pa.array([texts[name]]), _SEPARATOR).flatten()
        for name in texts.keys()  # noqa: SIM118 - a row is no mapping
    }
    cents = columns["cents"]
    columns["cents"] = pc.if_else(pc.equal(cents, ""), None, cents).cast(pa.int64())
    return columns


def _lines(state: State, orders: pa.Table) -> pa.Table:
    """Some orders of a state, added up by account and month."""
    month = pc.utf8_slice_codeunits(orders["day"], 0, 7)
    ones = pa.array(np.ones(len(orders), dtype=np.int64))
    cents = pc.fill_null(orders["cents"], 0)
    states = pa.repeat(state.value, len(orders))
    columns = [states, orders["header"], orders["account"], month, ones, cents]
    return _added_up(pa.table(columns, schema=_LINES), ("state", "header", "account", "month"))


def _added_up(lines: pa.Table, by: Sequence[str]) -> pa.Table:
    """The lines that are equal in some columns as one, with the sums of orders and cents.

    It is a ``group_by``, without the module that Arrow has it in: that one brings file systems
    and TLS, and takes longer to import than all the reports of a small export.
    """
    keys = {name: lines[name].combine_chunks().dictionary_encode() for name in by}
    codes = np.zeros(len(lines), dtype=np.int64)
    for key in keys.values():
        codes = codes * len(key.dictionary) + key.indices.to_numpy()
    groups = pa.array(codes).dictionary_encode()
    sums = {}
    for name in ("orders", "cents"):
        sums[name] = np.zeros(len(groups.dictionary), dtype=np.int64)
        np.add.at(sums[name], groups.indices.to_numpy(), lines[name].to_numpy())
    first = np.full(len(groups.dictionary), len(lines))
    np.minimum.at(first, groups.indices.to_numpy(), np.arange(len(lines)))
    return pa.table({**{name: lines[name].take(first) for name in by}, **sums})


def _tallies(lines: pa.Table, by: Sequence[str], key: Callable[..., Key]) -> dict[Key, Tally]:
    """The lines added up by some of their columns."""
    keys = ("state", *by)
    sums = _added_up(lines, keys)
    columns = [sums[name].to_pylist() for name in (*keys, "orders", "cents")]
    state_of = {state.value: state for state in State}
    tallies: dict[Key, Tally] = {}
    for state, *names, orders, cents in zip(*columns, strict=True):
        tally = tallies.setdefault(key(*(name or None for name in names)), Tally())
        tally.add(state_of[state], orders, cents)
    return tallies


def _span(days: pa.ChunkedArray) -> list[str]:
    """The first and the last of some days."""
    ends = pc.min_max(days.filter(pc.invert(pc.is_in(days, value_set=_NO_DAYS)))).as_py()
    return [day for day in ends.values() if day is not None]


def _heights(cents: pa.ChunkedArray) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    known = cents.drop_null().to_numpy()
    bars = np.searchsorted(_STEPS, known[known >= 0], side="right")
    return np.bincount(bars, minlength=len(_STEPS) + 1)


def _bars(heights: np.ndarray[tuple[int], np.dtype[np.int64]]) -> list[Bar]:
    """The bars from the first to the last that has orders."""
    bars = list(map(Bar, (0, *_STEPS), (*_STEPS, None), heights.tolist()))
    filled = [index for index, bar in enumerate(bars) if bar.orders]
    return bars[filled[0] : filled[-1] + 1] if filled else []
