"""How each source is read, and columns converted each in the style of its source."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from backfill.prepare import convert
from backfill.prepare.mapping import fields

_ANY_STYLE = convert.NumberStyle()
_Columns = TypeVar("_Columns", bound=tuple[pa.Array, ...])


@dataclass(frozen=True, slots=True)
class Reading:
    """How one source is read: its mapping, and what its columns proved about their style."""

    label: str
    mapping: fields.Mapping
    times: Mapping[str, convert.TimeStyle]
    numbers: Mapping[str, convert.NumberStyle]
    """of the amounts and the quantities, by field"""
    currencies: Mapping[str, str]
    """by field: the currency that a column of amounts names in its header"""

    def number(self, field: str) -> convert.NumberStyle:
        """The style of a column of numbers; any where the source has no such column."""
        return self.numbers.get(field, _ANY_STYLE)


def by_source(
    values: pa.Array,
    sources: npt.NDArray[np.int32],
    convert_part: Callable[[pa.Array, int], _Columns],
) -> _Columns:
    """Convert each source's values in that source's style, and put them back in their places."""
    present = np.unique(sources)
    if len(present) <= 1:
        return convert_part(values, int(present[0]) if len(present) else 0)
    places = [np.flatnonzero(sources == source) for source in present]
    parts = [
        convert_part(values.take(pa.array(place)), int(source))
        for place, source in zip(places, present, strict=True)
    ]
    back = pa.array(np.argsort(np.concatenate(places)))
    columns = [pa.concat_arrays(column).take(back) for column in zip(*parts, strict=True)]
    return type(parts[0])(*columns)
