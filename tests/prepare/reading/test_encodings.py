"""How a file's encoding is told: from all of its bytes, wherever the reading of them is cut."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from backfill.prepare.reading.encoding import Encoding, Utf8Evidence


def verdict(blocks: Iterable[bytes]) -> Encoding | None:
    evidence = Utf8Evidence()
    for block in blocks:
        evidence.add(block)
    return evidence.verdict()


def cut(data: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
    return [data[start:end] for start, end in pairwise(ends)]


PIECES = st.one_of(
    st.text(max_size=5).map(lambda text: text.encode("utf-8", "replace")),
    st.sampled_from(["é", "ß", "€", "“x”", "ñandú"]).map(lambda text: text.encode("cp1252")),
    st.binary(max_size=3),
)


@given(st.lists(PIECES, max_size=12).map(b"".join), st.lists(st.integers(0, 80), max_size=6))
@settings(max_examples=500, deadline=None)
def test_the_verdict_does_not_depend_on_where_the_blocks_end(
    data: bytes, places: list[int]
) -> None:
    """A letter may be cut in two or three; it counts as what it is as a whole."""
    assert verdict(cut(data, places)) == verdict([data])


@given(st.text(), st.lists(st.integers(0, 200), max_size=6))
@settings(max_examples=300, deadline=None)
def test_text_in_utf_8_is_told_as_that(text: str, places: list[int]) -> None:
    data = text.encode("utf-8", "replace")
    found = verdict(cut(data, places))
    assert found is not None
    assert found.name == "utf-8"
