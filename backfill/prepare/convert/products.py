"""What the numbers of a row prove of one another's decimal marks: quantity times price is price."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from backfill.prepare.convert.columns import matches, to_numpy
from backfill.prepare.convert.marks import Mark, MarkEvidence, NumberStyle
from backfill.prepare.convert.money import cents
from backfill.prepare.convert.numerals import UNDECIDED
from backfill.prepare.convert.quantities import quantities

Numbers = npt.NDArray[np.float64]
Readings = dict[str, Numbers]

_QUANTITY = "item_quantity"
_MARKS: tuple[Mark, Mark] = (".", ",")
_UNDECIDED = r"^[^0-9]*" + UNDECIDED.strip("^$") + r"[^0-9]*$"
_ROUNDING = 0.6
"""Cents by which a product may miss: prices are rounded to whole cents."""


def prove_marks(columns: Mapping[str, pa.StringArray]) -> dict[str, MarkEvidence]:
    """What arithmetic proves of the undecided values of each column, row by row.

    A value such as ``1.500`` is proven where the numbers beside it in its row, which can be read
    in one way only, fit one of its two readings and not the other.

    :param columns: texts by field: ``item_quantity``, ``item_each_price``, ``item_price`` and
        ``total``, as far as the export has them. Without a quantity each row is one piece.
    """
    undecided = {name: to_numpy(matches(text, _UNDECIDED)) for name, text in columns.items()}
    rows = np.flatnonzero(np.logical_or.reduce(list(undecided.values())))
    if not len(rows):
        return {}
    some = {name: text.take(pa.array(rows)) for name, text in columns.items()}
    by_mark = {
        mark: {name: _numbers(name, text, mark) for name, text in some.items()} for mark in _MARKS
    }
    proofs = {}
    for name in columns:
        here = undecided[name][rows]
        beside = {
            other: np.where(undecided[other][rows], np.nan, by_mark["."][other])
            for other in columns
            if other != name
        }
        point, comma = (_fits(beside | {name: by_mark[mark][name]}, name) & here for mark in _MARKS)
        proofs[name] = MarkEvidence(
            products_with_point=int((point & ~comma).sum()),
            products_with_comma=int((comma & ~point).sum()),
        )
    return proofs


def _numbers(name: str, text: pa.StringArray, mark: Mark) -> Numbers:
    """Amounts in cents, quantities in pieces; NaN where there is no number."""
    style = NumberStyle(mark=mark)
    if name == _QUANTITY:
        return _floats(quantities(text, style).values) / 1000
    return _floats(cents(text, style).values)


def _floats(values: pa.Int64Array) -> Numbers:
    return np.asarray(values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False))


def _fits(row: Readings, name: str) -> npt.NDArray[np.bool_]:
    """The rows where an identity holds that the column ``name`` has a part in."""
    fits = np.zeros(len(row[name]), dtype=np.bool_)
    for used, one, other in _identities(row):
        if name in used:
            close = np.abs(one - other) <= _ROUNDING
            fits |= close & (other != 0)  # NaN is never close
    return fits


def _identities(row: Readings) -> Iterator[tuple[set[str], Numbers, Numbers]]:
    """Pairs of numbers that are equal in a row (of an order of one line), with what they use."""
    if "item_each_price" in row:
        pieces = row.get(_QUANTITY, np.ones(()))
        product = row["item_each_price"] * pieces
        for whole in ("item_price", "total"):
            if whole in row:
                yield {_QUANTITY, "item_each_price", whole}, product, row[whole]
    if {"item_price", "total"} <= row.keys():
        yield {"item_price", "total"}, row["item_price"], row["total"]
