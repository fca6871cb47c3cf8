"""Rows become orders: wherever an order's rows stand, and with bounded memory.

One look at the order keys alone (:class:`KeySurvey`) tells where each key is seen for the last
time. With that, the second reading hands out an order as soon as its last row has passed, and
carries only the open ones. Where more rows would be open at once than :data:`OPEN_ROWS` (an
export sorted by something other than its orders), the rows go through files on disk, split by
order, so that memory stays flat at the price of writing them once more.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from backfill.prepare import text_bytes

#: Rows of unfinished orders that are carried in memory; beyond it they go through disk.
OPEN_ROWS = 400_000
#: Rows of one part on disk, and the most parts that are open at once.
PART_ROWS = 50_000
MOST_PARTS = 256
#: Keys that are compared at once, each with the one before it.
COMPARED_AT_ONCE = 1 << 18
#: Rows that go on from a part at once.
CHUNK_ROWS = 1 << 14

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

    def start_source(self, *, joins: bool = False) -> None:
        """A new source begins; its rows come after all that were seen.

        :param joins: it holds line items of orders that stand in another source.
        """
        self._bases.append(self._end)
        self._ends.append(self._end)
        self._joins.append(joins)
        self._last_key: str | None = None

    def add(self, keys: pa.Array, rows: Indices) -> None:
        """Take a batch: the order key (null: none) and the row number of each row."""
        if not len(rows):
            return
        positions = rows + self._bases[-1]
        begins = np.ones(len(rows), dtype=bool)
        same = pc.fill_null(pc.equal(keys.slice(1), keys.slice(0, len(keys) - 1)), False)
        begins[1:] = ~same.to_numpy(zero_copy_only=False)
        first = keys[0].as_py()
        begins[0] = first is None or first != self._last_key
        self._last_key = keys[len(keys) - 1].as_py()
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
        self._keys.clear()
        starts = np.concatenate([*self._starts, np.array([self._end])]).astype(np.int64)
        self._starts.clear()
        return KeyPlan(self._sources(), starts, codes)

    def _codes(self) -> npt.NDArray[np.int32] | None:
        """Of each run the first run with its key; None where no key has two."""
        again, hashes = self._seen_again()
        if not len(again):
            return None
        codes = np.arange(sum(map(len, self._starts)), dtype=np.int32)
        # Large, as the texts of all keys together may outgrow the offsets of plain strings.
        keys = pa.chunked_array(self._keys, pa.string()).cast(pa.large_string()).combine_chunks()
        self._keys.clear()
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
        return Sources(bases, self._firsts, self._ends, self._joins)


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


@dataclass(frozen=True, slots=True)
class OrderRows:
    """Rows of whole orders, each order's rows together and in the sequence of the sources."""

    rows: pa.Table
    """The canonical fields as text, ``_source``, ``_row`` and what else ``fields.apply`` gives."""
    starts: Indices
    """Where each order's rows begin, and the end: one more than there are orders."""

    @property
    def count(self) -> int:
        """How many orders there are."""
        return len(self.starts) - 1

    def column(self, name: str) -> pa.Array:
        """A column of the rows; nulls where there is none of that name."""
        if name not in self.rows.column_names:
            return pa.nulls(self.rows.num_rows, pa.string())
        return one_array(self.rows[name])

    @property
    def owners(self) -> Indices:
        """The order's index of each row."""
        return np.repeat(np.arange(self.count), np.diff(self.starts))

    @classmethod
    def of(cls, rows: pa.Table, codes: npt.NDArray[np.int32]) -> OrderRows:
        """Put rows with equal codes together, each in its sequence."""
        if (np.diff(codes) < 0).any():
            sequence = np.argsort(codes, kind="stable")
            rows = rows.take(pa.array(sequence))
            codes = codes[sequence]
        begins = np.flatnonzero(np.diff(codes, prepend=-1))
        return cls(rows.combine_chunks(), np.append(begins, len(codes)))

    def chunks(self, most_rows: int) -> Iterator[OrderRows]:
        """The same orders in chunks of about ``most_rows`` rows."""
        begin = 0
        while begin < self.count:
            end = int(np.searchsorted(self.starts, self.starts[begin] + most_rows, side="right"))
            end = max(end - 1, begin + 1)
            first, last = int(self.starts[begin]), int(self.starts[end])
            rows = self.rows.slice(first, last - first)
            yield OrderRows(rows, self.starts[begin : end + 1] - first)
            begin = end

    def without(self, dropped: npt.NDArray[np.bool_]) -> OrderRows:
        """The same orders without some rows; an order may be left with none."""
        kept = ~dropped
        before = np.concatenate([[0], np.cumsum(kept)])
        return OrderRows(self.rows.filter(pa.array(kept)).combine_chunks(), before[self.starts])


def one_array(column: pa.ChunkedArray) -> pa.Array:
    """The column as one array; it is copied only where it comes in several chunks."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def whole_orders(batches: Iterable[pa.Table], plan: KeyPlan, spill_to: Path) -> Iterator[OrderRows]:
    """Turn batches of rows into chunks of whole orders.

    :param batches: tables with ``_source`` and ``_row``, in the sequence of the survey.
    :param spill_to: a folder for parts on disk, where more than memory should hold stays open.
    """
    if plan.most_open_rows > OPEN_ROWS:
        yield from _through_disk(batches, plan, spill_to)
    else:
        yield from _as_they_complete(batches, plan)


def _as_they_complete(batches: Iterable[pa.Table], plan: KeyPlan) -> Iterator[OrderRows]:
    waiting: pa.Table | None = None
    for batch in batches:
        if not batch.num_rows:
            continue
        rows = batch if waiting is None else pa.concat_tables([waiting, batch])
        positions = plan.positions(rows)
        codes = plan.codes(positions)
        complete = plan.ends(codes) <= positions[-1] + 1
        ready = int(complete.sum())
        if complete[:ready].all():  # the usual case: only the last order is still open
            done, waiting = rows.slice(0, ready), rows.slice(ready)
        else:
            done, waiting = rows.filter(pa.array(complete)), rows.filter(pa.array(~complete))
        if ready:
            yield OrderRows.of(done, codes[complete])
    if waiting is not None and waiting.num_rows:
        yield OrderRows.of(waiting, plan.codes(plan.positions(waiting)))


def _through_disk(
    batches: Iterable[pa.Table], plan: KeyPlan, spill_to: Path
) -> Iterator[OrderRows]:
    parts = min(MOST_PARTS, plan.rows // PART_ROWS + 1)
    with tempfile.TemporaryDirectory(dir=spill_to, prefix="parts-") as folder:
        paths = [Path(folder) / f"{number}.arrow" for number in range(parts)]
        _split(batches, plan, paths)
        for path in paths:
            if not path.exists():
                continue
            with pa.OSFile(str(path)) as source:
                rows = pa.ipc.open_stream(source).read_all()
            yield from OrderRows.of(rows, plan.codes(plan.positions(rows))).chunks(CHUNK_ROWS)
            path.unlink()


def _split(batches: Iterable[pa.Table], plan: KeyPlan, paths: list[Path]) -> None:
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    writers: dict[int, pa.RecordBatchStreamWriter] = {}
    with ExitStack() as stack:
        for batch in batches:
            codes = plan.codes(plan.positions(batch))
            parts = codes.astype(np.int64) * len(paths) // plan.runs
            sequence = np.argsort(parts, kind="stable")
            rows, parts = batch.take(pa.array(sequence)), parts[sequence]
            begins = np.flatnonzero(np.diff(parts, prepend=-1))
            for begin, end in zip(begins, np.append(begins[1:], len(parts)), strict=True):
                part = int(parts[begin])
                if part not in writers:
                    sink = stack.enter_context(pa.OSFile(str(paths[part]), "wb"))
                    writers[part] = stack.enter_context(
                        pa.ipc.new_stream(sink, rows.schema, options=options)
                    )
                writers[part].write_table(rows.slice(begin, end - begin))


# --- the same order in several sources ----------------------------------------------------------


class Copies(NamedTuple):
    """Orders that stand in more than one source."""

    repeated: Indices
    """orders that every source has in the same words: taken once"""
    joined: Indices
    """orders that begin in one source and go on in another"""
    contradictory: Indices
    """orders whose copies differ"""


def take_once(orders: OrderRows, plan: KeyPlan) -> tuple[OrderRows, Copies]:
    """Settle orders that stand in several sources.

    A copy in the same words is dropped. Rows that go on where the source before them ended (one
    export cut in two) are joined, unless all rows of the one part stand in the other: that is no
    cut, but an order that was added to between two exports. Line items from a source of their own
    are joined. Anything else is contradictory, and all its rows stay.
    """
    rows = orders.rows
    words_of = [name for name in rows.column_names if not name.startswith("_")]
    sources = rows["_source"].to_numpy()
    follows = np.diff(orders.owners, prepend=-1) == 0
    shared = np.unique(orders.owners[(np.diff(sources, prepend=-1) != 0) & follows])
    repeated: list[int] = []
    joined: list[int] = []
    contradictory: list[int] = []
    dropped = np.zeros(rows.num_rows, dtype=bool)
    for order in shared.tolist():
        begin, end = int(orders.starts[order]), int(orders.starts[order + 1])
        parts = _parts(rows, sources, begin, end, plan)
        words = [rows.slice(first, last - first).select(words_of) for first, last in parts]
        for number, (first, last) in enumerate(parts[1:], start=1):
            if words[number].equals(words[0]):
                dropped[first:last] = True
                repeated.append(order)
            elif _goes_on(plan, rows, *parts[number - 1 : number + 1]) and not _one_has_all(
                *words[number - 1 : number + 1]
            ):
                joined.append(order)
            else:
                contradictory.append(order)
                break
    copies = Copies(
        *(np.unique(np.array(each, dtype=np.int64)) for each in (repeated, joined, contradictory))
    )
    return (orders.without(dropped) if repeated else orders), copies


def _parts(
    rows: pa.Table, sources: npt.NDArray[np.int32], begin: int, end: int, plan: KeyPlan
) -> list[tuple[int, int]]:
    """The order's rows by source, without those of line items from a source of their own."""
    edges = [begin, *(np.flatnonzero(np.diff(sources[begin:end])) + begin + 1).tolist(), end]
    return [
        (first, last) for first, last in pairwise(edges) if not plan.sources.joins[sources[first]]
    ]


def _goes_on(
    plan: KeyPlan, rows: pa.Table, before: tuple[int, int], after: tuple[int, int]
) -> bool:
    """Whether the part before ends its source and the part after begins the next one."""
    last = int(plan.positions(rows.slice(before[1] - 1, 1))[0])
    first = int(plan.positions(rows.slice(after[0], 1))[0])
    return last + 1 in plan.sources.ends and first in plan.sources.firsts.values()


def _one_has_all(one: pa.Table, other: pa.Table) -> bool:
    """Whether every row of one part stands in the other in the same words."""
    first, second = (Counter(zip(*part.to_pydict().values(), strict=True)) for part in (one, other))
    return first <= second or second <= first
