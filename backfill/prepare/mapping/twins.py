"""Columns of one name: where their values differ, it is asked which of them is meant."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
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

    _chosen: frozenset[str] = frozenset()
    """the fields whose column a person named"""

    @classmethod
    def of(cls, mapping: fields.Mapping, header: Sequence[str], columns: Sequence[str]) -> Twins:
        """The twins of the mapped columns.

        :param header: the header's cells as they stand; ``columns``: the name of each column.
        """
        named: dict[str, list[str]] = {}
        for cell, column in zip(header, columns, strict=False):
            named.setdefault(" ".join(cell.split()), []).append(column)
        others = {
            (name, column): [each for each in same if each != column]
            for name, spec in mapping.specs.items()
            for same in named.values()
            for column in set(same) & set(spec.columns)
            if len(same) > 1
        }
        by_person = (SettledBy.OPTION, SettledBy.MAPPING)
        settled_by = mapping.settled_by.items()
        return cls(others, _chosen=frozenset(name for name, by in settled_by if by in by_person))

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
            if name in self._chosen:
                continue
            same = [column, *self.others[name, column]]
            return MappingError(
                f"{label}: {len(same)} columns are named {column!r}, and their values differ, "
                f"first in row {row}",
                hint="choose one: "
                + " or ".join(f"--map {shlex.quote(f'{name}={each}')}" for each in same),
            )
        return None

    @property
    def differing(self) -> Iterator[str]:
        """Columns that a person named although another of that name has other values."""
        return (column for name, column in self._rows if name in self._chosen)
