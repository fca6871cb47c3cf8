"""Rows become orders: wherever an order's rows stand, and with bounded memory.

The plan of the order keys (:mod:`keys`) tells where each key is seen for the last time. With that,
the second reading hands out an order as soon as its last row has passed, and carries only the open
ones. Where more rows would be open at once than :data:`OPEN_ROWS` (an export sorted by something
other than its orders), the rows go through files on disk, split by order, so that memory stays
flat at the price of writing them once more.
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

from backfill.job_folder.files import PARTS
from backfill.prepare.grouping.keys import Indices, KeyPlan

#: Rows of unfinished orders that are carried in memory; beyond it they go through disk.
OPEN_ROWS = 400_000
#: Rows of one part on disk, and the most parts that are open at once.
PART_ROWS = 50_000
MOST_PARTS = 256
#: Rows that go on from a part at once.
CHUNK_ROWS = 1 << 14


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

    def first_rows_of(self, keys: frozenset[str]) -> Indices:
        """The first row (index) of each order whose key is among these."""
        if not keys:
            return np.empty(0, dtype=np.int64)
        firsts = self.starts[:-1][np.diff(self.starts) > 0]
        own = self.column("reference_id").take(pa.array(firsts))
        found = pc.is_in(own, pa.array(sorted(keys), pa.string()))
        rows: Indices = firsts[found.to_numpy(zero_copy_only=False)]
        return rows

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
    with tempfile.TemporaryDirectory(dir=spill_to, prefix=PARTS) as folder:
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


#: The rule that rejects orders whose copies differ.
DUPLICATE_ORDER = "duplicate_order"


class Copies(NamedTuple):
    """Orders that stand in more than one source."""

    repeated: Indices
    """orders that every source has in the same words: taken once"""
    joined: Indices
    """orders that begin in one source and go on in another"""
    contradictory: Indices
    """orders whose copies differ"""


def take_once(
    orders: OrderRows, plan: KeyPlan, contradictory_before: frozenset[str] = frozenset()
) -> tuple[OrderRows, Copies]:
    """Settle orders that stand in several sources.

    A copy in the same words is dropped. Rows that go on where the source before them ended (one
    export cut in two) are joined, unless the parts overlap: that is no cut, but an order that was
    added to between two exports, or two exports of times that overlap. Line items from a source of
    their own are joined. Anything else is contradictory, and all its rows stay.

    :param contradictory_before: keys of orders whose copies differed in an earlier import, and
        whose rows come back mixed.
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
            elif _goes_on(plan, rows, *parts[number - 1 : number + 1]) and not _overlap(
                *words[number - 1 : number + 1]
            ):
                joined.append(order)
            else:
                contradictory.append(order)
                break
    contradictory += orders.owners[orders.first_rows_of(contradictory_before)].tolist()
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


def _overlap(before: pa.Table, after: pa.Table) -> bool:
    """Whether rows may stand in both parts: the one ends in the words in which the other begins,
    or has all of its rows."""
    first, second = (list(zip(*part.to_pydict().values(), strict=True)) for part in (before, after))
    if any(
        first[-count:] == second[:count] for count in range(1, min(len(first), len(second)) + 1)
    ):
        return True
    counted, others = Counter(first), Counter(second)
    return counted <= others or others <= counted
