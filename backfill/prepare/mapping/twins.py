"""Columns of one name: which of them is meant is asked about where their values differ."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from backfill.checkpoint.decisions import SettledBy
from backfill.errors import MappingError
from backfill.prepare.convert.cells import clean
from backfill.prepare.mapping import fields


@dataclass(slots=True)
class Twins:
    """The columns of a source that share a name with a mapped one."""

    others: Mapping[tuple[str, str], Sequence[str]]
    """by field and column: the other columns of its name"""
    _rows: dict[tuple[str, str], int] = field(default_factory=dict)
    """the first row where they differ"""

    @classmethod
    def of(cls, mapping: fields.Mapping, header: Sequence[str], columns: Sequence[str]) -> Twins:
        """The twins of the columns that no person chose.

        :param header: the header's cells as they stand; ``columns``: the name of each column.
        """
        named: dict[str, list[str]] = {}
        for cell, column in zip(header, columns, strict=False):
            named.setdefault(" ".join(cell.split()), []).append(column)
        chosen = (SettledBy.OPTION, SettledBy.MAPPING)
        return cls(
            {
                (name, column): [each for each in same if each != column]
                for name, spec in mapping.specs.items()
                if mapping.settled_by.get(name) not in chosen
                for same in named.values()
                for column in set(same) & set(spec.columns)
                if len(same) > 1
            }
        )

    def add(self, batch: pa.Table) -> None:
        """Note the first row where they differ."""
        for (name, column), others in self.others.items():
            for other in others:
                if (name, column) in self._rows:
                    break
                first, second = (
                    pc.fill_null(clean(batch[each].combine_chunks()), "")
                    for each in (column, other)
                )
                differ = np.flatnonzero(pc.not_equal(first, second).to_numpy(zero_copy_only=False))
                if len(differ):
                    self._rows[name, column] = batch["_row"][int(differ[0])].as_py()

    def contradiction(self, label: str) -> MappingError | None:
        """That twins differ, and nothing says which of them is meant."""
        for (name, column), row in self._rows.items():
            same = [column, *self.others[name, column]]
            return MappingError(
                f"{label}: {len(same)} columns are called {column!r}, and they differ, first in "
                f"row {row}",
                hint="say which one it is: "
                + " or ".join(f"--map {shlex.quote(f'{name}={each}')}" for each in same),
            )
        return None
