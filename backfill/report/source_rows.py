"""The source rows of orders, as they are kept in the job folder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import pyarrow as pa

from backfill.checkpoint import Source, addresses
from backfill.job_folder import kept_rows


def rows_of(folder: Path, source: Source, numbers: Iterable[int]) -> pa.Table:
    """The rows of one source with these numbers, each once, in the order of the source."""
    return kept_rows.take_rows(folder, source.details["rows_file"], numbers)


def rows_by_source(
    folder: Path, sources: Mapping[str, Source], places: Iterable[tuple[str, str]]
) -> dict[str, pa.Table]:
    """The rows of some orders by source; each source is read once.

    :param places: ``source_file`` and ``source_rows`` of each order.
    """
    wanted: dict[str, set[int]] = {}
    for source_file, source_rows in places:
        for label, numbers in addresses(source_file, source_rows, sources):
            wanted.setdefault(label, set()).update(numbers)
    return {label: rows_of(folder, sources[label], numbers) for label, numbers in wanted.items()}
