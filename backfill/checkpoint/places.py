"""Where an order comes from, as the checkpoint stores it: its sources, and its rows in each."""

from __future__ import annotations

from collections.abc import Collection, Iterator


def addresses(
    source_file: str, source_rows: str, labels: Collection[str]
) -> Iterator[tuple[str, list[int]]]:
    """``a.csv; b.csv`` and ``2-4,9; 7`` as sources with their rows.

    :param labels: the sources of the job. A label may itself have ``; `` in it, so it is looked
        up, not split off.
    """
    parts = source_rows.split("; ")
    if len(parts) == 1:
        yield source_file, row_numbers(source_rows)
        return
    rest = source_file
    for part in parts:
        label = max((one for one in labels if f"{rest}; ".startswith(f"{one}; ")), key=len)
        rest = rest[len(label) + 2 :]
        yield label, row_numbers(part)


def row_numbers(source_rows: str) -> list[int]:
    """The row numbers that ``2-4,9`` stands for."""
    numbers: list[int] = []
    for span in source_rows.split(","):
        first, _, last = span.partition("-")
        numbers.extend(range(int(first), int(last or first) + 1))
    return numbers
