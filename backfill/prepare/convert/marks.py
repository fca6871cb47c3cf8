"""Which mark stands before the decimals of a column of numbers, and what proves it.

``1.234`` and ``1,234`` can each be read two ways. Other values of the column prove the mark
(``2.50``, ``1.234.567``), or arithmetic does: a quantity times a unit price that makes the line's
price under one reading only. Nothing else is proof, and what is not proven is asked about.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, Literal, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from backfill.prepare.convert import text_bytes
from backfill.prepare.convert.amounts import take_apart
from backfill.prepare.convert.columns import Text, as_text, first_of, matches
from backfill.prepare.convert.numerals import COMMA, POINT, UNDECIDED, is_fixed

Mark: TypeAlias = Literal[".", ","]

_PLAIN_PLACES = 2
"""Decimals of numbers that are the same under either reading: ``12.5``, ``12.50``."""
_MARKS = text_bytes.wanted(b".,")


@dataclass(frozen=True, slots=True)
class NumberStyle:
    """How a column of numbers is read where a value alone could be read two ways."""

    mark: Mark = "."
    """The mark before the decimals."""
    places: int = 2
    """Decimals of the currency; 0 where an amount counts cents already."""
    ambiguous: bool = False
    """Nothing settles the mark, or the values contradict one another, and some need it."""
    example: str | None = None
    """A value that needs the mark, where there is one."""


@dataclass(frozen=True, slots=True)
class MarkEvidence:
    """What a column of numbers shows of its decimal mark.

    Parts of a column are surveyed one by one and joined with ``|``.
    """

    point: str | None = None
    """A value that proves a decimal point by itself, such as ``2.50``."""
    comma: str | None = None
    undecided_point: str | None = None
    """A value such as ``1.234``."""
    undecided_comma: str | None = None
    """A value such as ``1,234``."""
    points: int = 0
    """How many distinct values prove a decimal point by themselves, counted in each part."""
    commas: int = 0
    products_with_point: int = 0
    """How many undecided values fit the other numbers of their row only with a decimal point."""
    products_with_comma: int = 0

    def __or__(self, other: MarkEvidence) -> MarkEvidence:
        joined: dict[str, Any] = {
            field.name: _joined(getattr(self, field.name), getattr(other, field.name))
            for field in fields(self)
        }
        return MarkEvidence(**joined)

    @property
    def undecided(self) -> str | None:
        """A value that could be read two ways."""
        return self.undecided_point or self.undecided_comma

    @property
    def proven(self) -> Mark | None:
        """The mark that is proven and that nothing contradicts."""
        point = bool(self.point) or self.products_with_point > 0
        comma = bool(self.comma) or self.products_with_comma > 0
        if point == comma:
            return None
        return "." if point else ","

    def settle(
        self, mark: Mark | None = None, places: int = 2, *, whole: bool = False
    ) -> NumberStyle:
        """The way to read the column: as the values prove, else as the user says.

        Where nothing settles it and values need it, the style says that it is ambiguous.

        :param mark: what the user says. Columns of one export can differ in their marks, so that
            what a column proves comes first.
        :param whole: the amounts have no decimals (yen, cents), so that a mark before three
            digits groups thousands.
        """
        settled = self.proven
        if whole and self.undecided is not None:
            settled = self._grouping(settled)
        settled = settled or mark
        return NumberStyle(
            mark=settled or ".",
            places=places,
            ambiguous=settled is None and self.undecided is not None,
            example=self.undecided,
        )

    def borrowed(self, others: MarkEvidence) -> MarkEvidence:
        """The evidence with what other columns of numbers prove.

        Only where that makes the undecided values thousands: a column of amounts in full does not
        prove that its neighbour has three decimals.
        """
        mark = others.proven
        if mark is None or self.point or self.comma:
            return self
        if (self.undecided_point if mark == "." else self.undecided_comma) is not None:
            return self
        return replace(self, point=others.point, comma=others.comma)

    def _grouping(self, proven: Mark | None) -> Mark | None:
        """The mark under which every undecided value is a whole number of thousands."""
        if self.undecided_point is not None and self.undecided_comma is not None:
            return None
        grouping: Mark = "," if self.undecided_point is not None else "."
        return grouping if proven in (None, grouping) else None


def survey_numbers(text: Text) -> MarkEvidence:
    """What (a part of) a column of numbers, plain or with currencies, shows of its mark."""
    column = as_text(text)
    marked = text_bytes.holding(column, _MARKS)
    if not marked.any():
        return MarkEvidence()
    plain = is_fixed(column, _PLAIN_PLACES)
    pointed = pc.and_(plain, pa.array(marked))
    in_full = MarkEvidence(
        point=first_of(column, pointed), points=pc.sum(pointed, min_count=0).as_py()
    )
    odd = column.filter(pc.invert(plain)).drop_null().unique()
    if len(odd) == 0:
        return in_full
    number = take_apart(odd).number
    point, comma, undecided = (matches(number, each) for each in (POINT, COMMA, UNDECIDED))
    with_comma = matches(number, ",")
    return in_full | MarkEvidence(
        point=first_of(odd, point),
        comma=first_of(odd, comma),
        undecided_point=first_of(odd, pc.and_not(undecided, with_comma)),
        undecided_comma=first_of(odd, pc.and_(undecided, with_comma)),
        points=pc.sum(point, min_count=0).as_py(),
        commas=pc.sum(comma, min_count=0).as_py(),
    )


def _joined(one: int | str | None, other: int | str | None) -> int | str | None:
    """Counts add up; of examples the first stays."""
    if isinstance(one, int) and isinstance(other, int):
        return one + other
    return one or other
