"""The source rows, as they stand, in the job folder: one Arrow file a source.

The second reading takes them from here, and so does whoever shows a row or hands it back to be
mended, when the export may be long gone.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pyarrow as pa

from backfill.errors import StorageError
from backfill.prepare.reading.source import RAGGED, ROW, SourceTable

_FOLDER = "rows"
_BATCHES_WAITING = 2


def file_name(table: SourceTable) -> str:
    """Where the rows of a source are kept, relative to the job folder.

    Named by content: the same file again is the same rows, and a changed one leaves them alone.
    """
    number = f"-{table.number}" if table.number else ""
    return f"{_FOLDER}/{table.sha256[:16]}{number}.arrow"


@contextmanager
def writing(folder: Path, table: SourceTable) -> Iterator[Callable[[pa.Table], None]]:
    """Gives a function that takes the batches of one source, in order.

    The file is there only once all of it is: it is written under another name, and a failure
    leaves nothing behind. For its owner's eyes only. Raises StorageError where the disk does not
    take it.
    """
    final = folder / file_name(table)
    partial = final.with_suffix(".partial")
    schema = pa.schema(
        [*((name, pa.string()) for name in table.columns), (ROW, pa.int64()), (RAGGED, pa.bool_())]
    )
    try:
        with _told(final, "written"):
            final.parent.mkdir(mode=0o700, exist_ok=True)
            os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
            file = pa.OSFile(str(partial), "wb")
        with file:
            options = pa.ipc.IpcWriteOptions(compression="lz4")
            writer = pa.ipc.new_file(file, schema, options=options)

            def store(batch: pa.Table) -> None:
                with _told(final, "written"):
                    whole = batch.select(schema.names).combine_chunks()
                    writer.write_table(whole, max(1, whole.num_rows))

            with _in_background(store) as write:
                yield write
            with _told(final, "written"):
                writer.close()
        with _told(final, "written"):
            partial.replace(final)
    except BaseException:
        with suppress(OSError):
            partial.unlink()
        raise


def batches(folder: Path, rows_file: str) -> Iterator[pa.Table]:
    """The rows of a source, in the batches in which they were written.

    Raises StorageError where the file is gone or damaged.
    """
    with _opened(folder / rows_file) as reader:
        for index in range(reader.num_record_batches):
            yield pa.Table.from_batches([reader.get_batch(index)])


def take_rows(folder: Path, rows_file: str, rows: Iterable[int]) -> pa.Table:
    """The source rows with these numbers (as in ``_row``), in the order of the source, each once
    (or as often as a packed row is there); numbers of no row are passed over.

    Only the batches that hold one of them are unpacked. Raises as :func:`batches`.
    """
    wanted = np.fromiter(rows, dtype=np.int64)
    path = folder / rows_file
    found = []
    with _opened(path) as reader, _opened(path, only=ROW) as numbers:
        for index in range(reader.num_record_batches):
            here = np.isin(numbers.get_batch(index).column(0).to_numpy(), wanted)
            if here.any():
                found.append(reader.get_batch(index).filter(pa.array(here)))
        return pa.Table.from_batches(found, reader.schema)


@contextmanager
def _in_background(store: Callable[[pa.Table], None]) -> Iterator[Callable[[pa.Table], None]]:
    """Stores in a thread of its own, so that the next batch is read meanwhile; what goes wrong
    there is raised by a later call, or at the end."""
    waiting: deque[Future[None]] = deque()

    def write(batch: pa.Table) -> None:
        if len(waiting) == _BATCHES_WAITING:
            waiting.popleft().result()
        waiting.append(thread.submit(store, batch))

    with ThreadPoolExecutor(1, "spool") as thread:
        yield write
        for stored in waiting:
            stored.result()


@contextmanager
def _opened(path: Path, only: str | None = None) -> Iterator[pa.ipc.RecordBatchFileReader]:
    # No memory map: its pages would count as the process's own memory, the whole file in the end.
    with _told(path, "read"), pa.OSFile(str(path)) as file:
        schema = pa.ipc.open_file(file).schema
        fields = None if only is None else [schema.get_field_index(only)]
        options = pa.ipc.IpcReadOptions(included_fields=fields)
        yield pa.ipc.open_file(file, options=options)


@contextmanager
def _told(path: Path, done: str) -> Iterator[None]:
    """Turns what Arrow and the system raise into a line for people."""
    try:
        yield
    except (OSError, pa.ArrowInvalid) as error:
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise StorageError(
            f"{path}: the source rows cannot be {done} ({reason})",
            hint="free space or permissions of the job folder may be the cause"
            if done == "written"
            else "run the job again with its exports: that writes them anew",
        ) from error
