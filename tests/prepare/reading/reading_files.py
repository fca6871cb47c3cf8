"""What the tests of the readers share: opening, and reading to the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa

from backfill.prepare.reading.sources import SourceReader, open_sources
from backfill.prepare.reading.table import to_arrow

PLAIN = "id,name,total\n1,Ann,5.00\n2,Bob,6.00\n"
PLAIN_ROWS = [("1", "Ann", "5.00"), ("2", "Bob", "6.00")]


def knows_nothing(_: Sequence[str]) -> float:
    return 0.0


def knows_orders(cells: Sequence[str]) -> float:
    known = {"id", "order", "name", "total"}
    return len(known & {cell.lower() for cell in cells}) / len(cells)


def open_one(
    path: Path,
    knows: Callable[[Sequence[str]], float] = knows_nothing,
    encoding: str | None = None,
) -> SourceReader:
    (reader,) = open_sources([path], sheet=None, taken={}, knows=knows, encoding=encoding)
    return reader


def read_all(reader: SourceReader) -> pa.Table:
    batches = [to_arrow(frame) for frame in reader.batches()]
    assert all(batch.num_rows for batch in batches)
    assert all(batch.column_names[:-2] == list(reader.table.columns) for batch in batches)
    return pa.concat_tables(batches).combine_chunks()


def cells_of(table: pa.Table) -> list[tuple[str, ...]]:
    columns = [column.to_pylist() for column in table.columns[:-2]]
    return [tuple(cell or "" for cell in row) for row in zip(*columns, strict=True)]


def rows_of(path: Path) -> list[tuple[str, ...]]:
    return cells_of(read_all(open_one(path)))


def numbers_of(path: Path) -> list[int]:
    numbers: list[int] = read_all(open_one(path))["_row"].to_pylist()
    return numbers


def ragged_of(path: Path) -> list[bool]:
    ragged: list[bool] = read_all(open_one(path))["_ragged"].to_pylist()
    return ragged


class Write:
    """Writes a file into a folder, and says where it is."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, content: str | bytes, name: str = "orders.csv") -> Path:
        path = self._folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path
