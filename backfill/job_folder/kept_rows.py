"""The source rows in the job folder, unchanged: one Arrow file per source.

The second reading reads them from here. So do reports that show rows or return them to be fixed,
when the export may no longer exist.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pyarrow as pa

from backfill.errors import StorageError
from backfill.job_folder.files import ROWS

#: Columns that each kept row has besides its own: its number in the source, counted as a
#: spreadsheet does, and whether it had too few or too many cells.
ROW = "_row"
RAGGED = "_ragged"


def file_name(sha256: str, number: int) -> str:
    """Where the rows of a source are kept, relative to the job folder.

    Named by content: the same file has the same name, and a changed file gets another one.

    :param sha256: of the source's file, as hex.
    :param number: distinguishes the sources of one file; 0 for the only one.
    """
    suffix = f"-{number}" if number else ""
    return f"{ROWS}/{sha256[:16]}{suffix}.arrow"


@contextmanager
def writing(
    folder: Path, rows_file: str, columns: Sequence[str]
) -> Iterator[Callable[[pa.Table], None]]:
    """Yields a function that takes the batches of one source, in order.

    The file appears only when it is complete: it is written under another name, and a failure
    leaves nothing behind. Readable by its owner only.

    :raises StorageError: the file cannot be written.
    """
    final = folder / rows_file
    partial = final.with_suffix(".partial")
    schema = pa.schema(
        [*((name, pa.string()) for name in columns), (ROW, pa.int64()), (RAGGED, pa.bool_())]
    )
    try:
        with _told(final, "written"):
            final.parent.mkdir(mode=0o700, exist_ok=True)
            partial.unlink(missing_ok=True)  # it may be a link to elsewhere
            os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            file = pa.OSFile(str(partial), "wb")
        with file:
            writer = pa.ipc.new_file(
                file, schema, options=pa.ipc.IpcWriteOptions(compression="lz4")
            )

            def write(batch: pa.Table) -> None:
                with _told(final, "written"):
                    whole = batch.select(schema.names).combine_chunks()
                    writer.write_table(whole, max(1, whole.num_rows))

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

    :raises StorageError: the file is gone or damaged.
    """
    with _opened(folder / rows_file) as reader:
        for index in range(reader.num_record_batches):
            yield pa.Table.from_batches([reader.get_batch(index)])


def take_rows(folder: Path, rows_file: str, rows: Iterable[int]) -> pa.Table:
    """The source rows with these numbers (as in ``_row``), in the order of the source, each once
    (a packed row as often as it was written); numbers without a row are ignored.

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
def _opened(path: Path, only: str | None = None) -> Iterator[pa.ipc.RecordBatchFileReader]:
    # No memory map: its pages would count as the process's own memory, the whole file in the end.
    with _told(path, "read"), pa.OSFile(str(path)) as file:
        schema = pa.ipc.open_file(file).schema
        fields = None if only is None else [schema.get_field_index(only)]
        options = pa.ipc.IpcReadOptions(included_fields=fields)
        yield pa.ipc.open_file(file, options=options)


@contextmanager
def _told(path: Path, done: str) -> Iterator[None]:
    """Turns the errors of Arrow and the system into a message."""
    try:
        yield
    except (OSError, pa.ArrowInvalid) as error:
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise StorageError(
            f"{path}: the source rows cannot be {done} ({reason})",
            hint="check the free space and the permissions of the job folder"
            if done == "written"
            else "run the job again with its exports to restore them",
        ) from error
