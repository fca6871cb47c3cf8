"""Rows become orders wherever they stand: the plan, the carrying, and the way through disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backfill.prepare.convert import text_bytes
from backfill.prepare.grouping import keys as keys_module
from backfill.prepare.grouping import orders as orders_module
from backfill.prepare.grouping.keys import KeyPlan, KeySurvey
from backfill.prepare.grouping.orders import OrderRows, take_once, whole_orders

Source = list[str | None]


def batches_of(sources: list[Source], size: int) -> Iterator[pa.Table]:
    """The sources' rows in batches, as the second reading gives them; row 1 is the header."""
    for index, keys in enumerate(sources):
        for begin in range(0, len(keys), size):
            part = keys[begin : begin + size]
            yield pa.table(
                {
                    "reference_id": pa.array(part, pa.string()),
                    "_row": pa.array(range(begin + 2, begin + 2 + len(part)), pa.int64()),
                    "_source": pa.array([index] * len(part), pa.int32()),
                }
            )


def plan_of(sources: list[Source], size: int) -> KeyPlan:
    """What a survey of the sources' keys finds."""
    survey = KeySurvey()
    batches = batches_of(sources, size)
    for keys in sources:
        survey.start_source()
        for _ in range(0, len(keys), size):
            batch = next(batches)
            survey.add(batch["reference_id"].combine_chunks(), batch["_row"].to_numpy())
    return survey.finish()


def grouped(
    sources: list[Source], size: int, folder: Path
) -> list[tuple[str | None, list[tuple[int, int]]]]:
    """Every order that comes out: its key, and the source and row of each of its rows."""
    result = []
    for chunk in whole_orders(batches_of(sources, size), plan_of(sources, size), folder):
        rows = list(
            zip(chunk.rows["_source"].to_pylist(), chunk.rows["_row"].to_pylist(), strict=True)
        )
        keys = chunk.rows["reference_id"].to_pylist()
        for begin, end in zip(chunk.starts[:-1], chunk.starts[1:], strict=True):
            assert len(set(keys[begin:end])) == 1
            result.append((keys[begin], rows[begin:end]))
    return result


def expected(sources: list[Source]) -> list[tuple[str | None, list[tuple[int, int]]]]:
    """The same, found in the plainest way; each row without a key stands alone."""
    found: dict[object, tuple[str | None, list[tuple[int, int]]]] = {}
    for index, keys in enumerate(sources):
        for row, key in enumerate(keys, start=2):
            place = (index, row)
            found.setdefault(place if key is None else key, (key, []))[1].append(place)
    return list(found.values())


SOURCES = st.lists(
    st.lists(st.sampled_from([None, *"abcdefgh"]), max_size=30), min_size=1, max_size=3
)


@given(SOURCES, st.integers(1, 9), st.booleans(), st.sampled_from([1, 3, 1 << 64]))
@settings(max_examples=300, deadline=None)
def test_every_row_comes_out_once_with_its_order(
    sources: list[Source], size: int, through_disk: bool, distinct_hashes: int
) -> None:
    """In any sequence of rows, in any batches, carried in memory or split on disk; and where
    different keys have the same hash."""

    hashes = text_bytes.hashes

    def few_hashes(keys: pa.StringArray) -> npt.NDArray[np.uint64]:
        return np.array([int(n) % distinct_hashes for n in hashes(keys)], dtype=np.uint64)

    with pytest.MonkeyPatch.context() as patch, TemporaryDirectory() as folder:
        patch.setattr(text_bytes, "hashes", few_hashes)
        patch.setattr(keys_module, "COMPARED_AT_ONCE", 3)
        if through_disk:
            patch.setattr(orders_module, "OPEN_ROWS", -1)
            patch.setattr(orders_module, "PART_ROWS", 4)
        found = grouped(sources, size, Path(folder))
    assert sorted(found, key=str) == sorted(expected(sources), key=str)


def test_orders_come_in_the_sequence_of_their_first_rows_when_rows_stand_together(
    tmp_path: Path,
) -> None:
    """The order of appearance is the order of sending."""
    keys: Source = ["c", "c", "a", "b", "b", "b"]
    assert [key for key, _ in grouped([keys], 2, tmp_path)] == ["c", "a", "b"]


def test_an_order_leaves_as_soon_as_its_last_row_was_seen(tmp_path: Path) -> None:
    """Only open orders are carried: memory does not grow with the export."""
    keys: Source = [letter for letter in "abcdefghij" for _ in range(4)]
    plan = plan_of([keys], 8)
    assert plan.most_open_rows == 0
    sizes = [chunk.rows.num_rows for chunk in whole_orders(batches_of([keys], 8), plan, tmp_path)]
    assert max(sizes) <= 12


def test_the_plan_knows_how_many_rows_will_be_open(tmp_path: Path) -> None:
    """Ten orders whose second rows all stand at the end keep ten rows open."""
    keys: Source = [*"abcdefghij", *"abcdefghij"]
    assert plan_of([keys], 4).most_open_rows == 10


def once(
    sources: list[list[tuple[str, str]]], *, joins: int | None = None
) -> tuple[list[tuple[str, str]], list[int], list[int], list[int]]:
    """What is left of rows (key, text); the repeated, the joined and the contradictory orders."""
    survey = KeySurvey()
    tables = []
    for index, rows in enumerate(sources):
        survey.start_source(joins=index == joins)
        keys = pa.array([key for key, _ in rows], pa.string())
        numbers = np.arange(2, 2 + len(rows))
        survey.add(keys, numbers)
        tables.append(
            pa.table(
                {
                    "reference_id": keys,
                    "text": pa.array([text for _, text in rows], pa.string()),
                    "_row": pa.array(numbers),
                    "_source": pa.array([index] * len(rows), pa.int32()),
                }
            )
        )
    plan = survey.finish()
    rows = pa.concat_tables(tables).combine_chunks()
    found = OrderRows.of(rows, plan.codes(plan.positions(rows)))
    settled, copies = take_once(found, plan)
    left = zip(
        settled.rows["reference_id"].to_pylist(), settled.rows["text"].to_pylist(), strict=True
    )
    return list(left), *(each.tolist() for each in copies)


def test_the_same_order_in_two_overlapping_files_is_taken_once() -> None:
    """And a real duplicate line inside one file stays."""
    first = [("a", "x"), ("b", "y"), ("b", "y")]
    second = [("z", "q"), ("b", "y"), ("b", "y"), ("c", "w")]
    left, repeated, _, contradictory = once([first, second])
    assert left == [("a", "x"), ("b", "y"), ("b", "y"), ("z", "q"), ("c", "w")]
    assert (repeated, contradictory) == ([1], [])


def test_copies_that_differ_are_contradictory() -> None:
    """Nothing is dropped of them, so that both can be shown."""
    first = [("b", "y"), ("c", "1")]
    second = [("a", "x"), ("b", "changed")]
    left, repeated, _, contradictory = once([first, second])
    assert sorted(left) == sorted([*first, *second])
    assert (repeated, contradictory) == ([], [0])


def test_an_export_cut_in_the_middle_of_an_order_is_joined() -> None:
    """The order's rows end the first file and begin the second."""
    first = [("a", "x"), ("b", "1")]
    second = [("b", "2"), ("c", "w")]
    left, *copies = once([first, second])
    assert left == [("a", "x"), ("b", "1"), ("b", "2"), ("c", "w")]
    assert copies == [[], [1], []]


def test_an_order_that_was_added_to_between_two_exports_is_no_cut() -> None:
    """Joined, its first lines would be there twice."""
    first = [("a", "x"), ("b", "1"), ("b", "2")]
    second = [("b", "1"), ("b", "2"), ("b", "3"), ("c", "w")]
    for sources in ([first, second], [[("a", "x"), *second[:3]], [*first[1:], ("c", "w")]]):
        left, *copies = once(sources)
        assert len(left) == 7
        assert copies == [[], [], [1]]


def test_line_items_from_a_file_of_their_own_are_joined() -> None:
    """They are no copies of the order, wherever they stand."""
    first = [("a", "x"), ("b", "1"), ("c", "2")]
    items = [("c", "item"), ("a", "item"), ("b", "item")]
    left, repeated, _, contradictory = once([first, items], joins=1)
    assert len(left) == 6
    assert (repeated, contradictory) == ([], [])


@given(SOURCES, st.integers(1, 9))
@settings(max_examples=60, deadline=None)
def test_orders_do_not_rest_on_the_hashes_of_their_keys(sources: list[Source], size: int) -> None:
    """Where all keys had the same hash, they would still be told apart."""
    with pytest.MonkeyPatch.context() as patch, TemporaryDirectory() as folder:
        patch.setattr(text_bytes, "hashes", lambda keys: np.zeros(len(keys), dtype=np.uint64))
        found = grouped(sources, size, Path(folder))
    assert sorted(found, key=str) == sorted(expected(sources), key=str)
