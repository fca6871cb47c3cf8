"""Where each order's rows stand, from one look at the order keys alone.

The keys of an export are seen as runs of equal ones, numbered through all sources. Most exports
have one run a key. Where a key has several, its runs are told by the keys' hashes, and the keys
themselves are compared only to prove it: a table of all keys would be the largest thing that a
preparation ever holds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from backfill.prepare.convert import text_bytes
from backfill.prepare.grouping.keyless import Continuing, KeylessRows

#: Keys that are compared at once, each with the one before it.
COMPARED_AT_ONCE = 1 << 18

Indices = npt.NDArray[np.int64]


class KeySurvey:
    """Collects the order keys of all sources, one batch after another, as runs of equal keys."""

    def __init__(self) -> None:
        self._bases: list[int] = []
        self._firsts: dict[int, int] = {}
        self._ends: list[int] = []
        self._joins: list[bool] = []
        self._end = 0
        self._keys: list[pa.Array] = []
        self._hashes: list[npt.NDArray[np.uint64]] = []
        self._keyed: list[npt.NDArray[np.bool_]] = []
        self._starts: list[Indices] = []
        self._continuing: list[_ContinuingRows] = []

    def start_source(self, *, joins: bool = False, first_row: bool | None = False) -> None:
        """A new source begins; its rows come after all that were seen.

        :param joins: it holds line items of orders that stand in another source.
        :param first_row: whether rows without a key are lines of the order above; None where the
            keys have to prove it, by never being repeated in the next row.
        """
        self._continuing.append(_ContinuingRows(first_row))
        self._bases.append(self._end)
        self._ends.append(self._end)
        self._joins.append(joins)
        self._last_key: str | None = None

    def add(self, keys: pa.Array, rows: Indices, continuing: Continuing | None = None) -> None:
        """Take a batch: the order key (null: none) and the row number of each row.

        :param continuing: rows that belong to the order of the row above.
        """
        if not len(rows):
            return
        positions = rows + self._bases[-1]
        begins = np.ones(len(rows), dtype=bool)
        same = pc.fill_null(pc.equal(keys.slice(1), keys.slice(0, len(keys) - 1)), False)
        begins[1:] = ~same.to_numpy(zero_copy_only=False)
        self._continuing[-1].repeats |= not begins.all()
        first = keys[0].as_py()
        begins[0] = first is None or first != self._last_key
        self._last_key = keys[len(keys) - 1].as_py()
        if continuing is not None:
            is_first = len(self._bases) - 1 not in self._firsts
            begins[1:] &= ~continuing.rows[1:]
            begins[0] &= is_first or not continuing.rows[0]
            self._continuing[-1].add(positions, continuing, is_first)
        of_runs = keys.filter(pa.array(begins))
        self._keys.append(of_runs)
        self._hashes.append(text_bytes.hashes(of_runs))
        self._keyed.append(of_runs.is_valid().to_numpy(zero_copy_only=False))
        self._starts.append(positions[begins])
        self._firsts.setdefault(len(self._bases) - 1, int(positions[0]))
        self._end = self._ends[-1] = int(positions[-1]) + 1

    def finish(self) -> KeyPlan:
        """What is known once all keys were seen."""
        codes = self._codes()
        starts = np.concatenate([*self._starts, np.array([self._end])]).astype(np.int64)
        self._starts.clear()
        return KeyPlan(self._sources(), starts, codes)

    def keyless_rows(self) -> list[KeylessRows]:
        """Of each source, what became of its rows without a key that continue the row above."""
        return [
            each.counted(base) for each, base in zip(self._continuing, self._bases, strict=True)
        ]

    def _codes(self) -> npt.NDArray[np.int32] | None:
        """Of each run the first run with its key; None where no key has two."""
        again, hashes = self._seen_again()
        keys = pa.chunked_array(self._keys, pa.string())
        self._keys.clear()
        if not len(again):
            return None
        codes = np.arange(sum(map(len, self._starts)), dtype=np.int32)
        # Large, as the texts of all keys together may outgrow the offsets of plain strings.
        keys = keys.cast(pa.large_string()).combine_chunks()
        ranks = np.argsort(hashes)
        again, hashes = again[ranks], hashes[ranks]
        begins = np.append(True, hashes[1:] != hashes[:-1])
        del ranks, hashes
        if _follow_their_like(keys, again, begins):
            places = np.flatnonzero(begins)
            firsts = np.minimum.reduceat(again, places)
            codes[again] = np.repeat(firsts, np.diff(places, append=len(again)))
        else:  # two keys with one hash, among all that there are: take the long way
            again = np.sort(again)
            encoded = keys.take(pa.array(again)).dictionary_encode().indices.to_numpy()
            _, places = np.unique(encoded, return_index=True)
            codes[again] = again[places][encoded]
        return codes

    def _seen_again(self) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.uint64]]:
        """The runs whose key may stand in another run too, and their hashes: all with a hash that
        is there twice.

        Most exports have none. So the keys themselves are compared only where it matters.
        """
        hashes = np.concatenate([np.empty(0, dtype=np.uint64), *self._hashes])
        keyed = np.concatenate([np.empty(0, dtype=np.bool_), *self._keyed])
        self._hashes.clear()
        self._keyed.clear()
        ranked = hashes[keyed]
        ranked.sort()
        twice = np.unique(ranked[1:][ranked[1:] == ranked[:-1]])
        del ranked
        if not len(twice):
            return np.empty(0, dtype=np.int32), hashes[:0]
        place = np.minimum(np.searchsorted(twice, hashes), len(twice) - 1)
        again = np.flatnonzero((twice[place] == hashes) & keyed)
        return again.astype(np.int32), hashes[again]

    def _sources(self) -> Sources:
        bases = np.array(self._bases, dtype=np.int64)
        held = [np.empty(0, dtype=np.int64), *(each.held_back() for each in self._continuing)]
        return Sources(bases, self._firsts, self._ends, self._joins, np.concatenate(held))


class _ContinuingRows:
    """The rows of one source that continue the row above, by their positions."""

    def __init__(self, first_row: bool | None) -> None:
        self._first_row = first_row
        self.repeats = False
        """a key was repeated in the next row"""
        self._rows: list[Indices] = []
        self._doubtful: list[Indices] = []

    def add(self, positions: Indices, found: Continuing, is_first: bool) -> None:
        """Take the rows of a batch; nothing is above the first row of a source."""
        above = np.ones(len(positions), dtype=bool)
        above[0] = not is_first
        self._rows.append(positions[found.rows & above])
        self._doubtful.append(positions[found.doubtful & above])

    def held_back(self) -> Indices:
        """Those that are not proved to be lines of the order above."""
        if self._first_row:
            return np.empty(0, dtype=np.int64)
        proved = self._first_row is None and not self.repeats
        held = self._doubtful if proved else self._rows
        return np.concatenate([np.empty(0, dtype=np.int64), *held])

    def counted(self, base: int) -> KeylessRows:
        rows = np.concatenate([np.empty(0, dtype=np.int64), *self._rows])
        first = int(rows[0]) - base if len(rows) else None
        return KeylessRows(len(rows), len(self.held_back()), first)


def _follow_their_like(
    keys: pa.LargeStringArray, runs: npt.NDArray[np.int32], begins: npt.NDArray[np.bool_]
) -> bool:
    """Whether each run has the key of the run before it, but for those that begin a group."""
    for start in range(0, len(runs) - 1, COMPARED_AT_ONCE):
        end = start + COMPARED_AT_ONCE + 1
        part = keys.take(pa.array(runs[start:end]))
        same = pc.equal(part.slice(1), part.slice(0, len(part) - 1))
        if not (same.to_numpy(zero_copy_only=False) | begins[start + 1 : end]).all():
            return False
    return True


@dataclass(frozen=True, slots=True)
class Sources:
    """Where each source lies among all positions."""

    bases: Indices
    firsts: dict[int, int]
    """the position of each source's first row, where it has one"""
    ends: list[int]
    """the position after each source's last row"""
    joins: list[bool]
    """sources of line items, whose rows belong to orders of other sources"""
    held_back: Indices
    """positions of rows without a key that may belong to the order of the row above"""


class KeyPlan:
    """Where each order's rows stand: positions count through all sources."""

    def __init__(
        self, sources: Sources, starts: Indices, codes: npt.NDArray[np.int32] | None
    ) -> None:
        """
        :param starts: the position of each run of equal keys, and that behind the last.
        :param codes: of each run the first run with its key; None where each has one run.
        """
        self.sources = sources
        self._starts = starts
        self._runs: tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]] | None = None
        self.most_open_rows = 0
        if codes is not None:
            last_run = np.zeros(len(codes), dtype=np.int32)
            last_run[codes] = np.arange(len(codes), dtype=np.int32)
            self._runs = codes, last_run
            self.most_open_rows = _most_open_rows(starts, codes, last_run)

    @property
    def runs(self) -> int:
        """How many runs of equal keys there are; order numbers are below it."""
        return len(self._starts) - 1

    @property
    def rows(self) -> int:
        """Rows of all sources together, headers and blank lines included."""
        return int(self._starts[-1])

    def positions(self, rows: pa.Table) -> Indices:
        """The position of each row among all sources."""
        numbers = rows["_row"].to_numpy().astype(np.int64)
        sources = rows["_source"].to_numpy()
        positions: Indices = numbers + self.sources.bases[sources]
        return positions

    def held_back(self, rows: pa.Table) -> Indices:
        """The rows (indices) that hold their order back, as they may not belong to it."""
        if not len(self.sources.held_back):
            return self.sources.held_back
        return np.flatnonzero(np.isin(self.positions(rows), self.sources.held_back))

    def codes(self, positions: Indices) -> npt.NDArray[np.int32]:
        """The number of the order that each position belongs to: that of the order's first run."""
        runs = (np.searchsorted(self._starts, positions, side="right") - 1).astype(np.int32)
        return runs if self._runs is None else self._runs[0][runs]

    def ends(self, codes: npt.NDArray[np.int32]) -> Indices:
        """The position after the last row of each order's last run."""
        return self._starts[(codes if self._runs is None else self._runs[1][codes]) + 1]


def _most_open_rows(
    starts: Indices, codes: npt.NDArray[np.int32], last_run: npt.NDArray[np.int32]
) -> int:
    """The most rows that wait at once for the last row of their order."""
    opened = np.diff(starts).astype(np.int32)
    firsts = np.unique(codes)
    of_order = np.bincount(codes, weights=opened).astype(np.int32)
    opened[last_run[firsts]] -= of_order[firsts]
    return int(np.cumsum(opened).max(initial=0))
