"""Texts looked at as bytes say what a look at each text would say."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from backfill.prepare.convert import text_bytes

TEXTS = st.lists(st.none() | st.text("ab=\n\ufffdé", max_size=5), max_size=12)


@given(TEXTS, st.integers(0, 3))
def test_a_look_at_bytes_is_a_look_at_each_text(texts: list[str | None], skipped: int) -> None:
    """In any slice of a column, with nulls and empty texts."""
    column = pa.array(texts, pa.string()).slice(skipped)
    kept = [(text or "").encode() for text in texts[skipped:]]
    wanted = text_bytes.wanted(b"=\n\xef")
    assert text_bytes.holding(column, wanted).tolist() == [
        any(byte in b"=\n\xef" for byte in text) for text in kept
    ]
    assert text_bytes.beginning(column, wanted).tolist() == [
        text[:1] in (b"=", b"\n", b"\xef") for text in kept
    ]
    assert text_bytes.longer(column, 3).tolist() == [len(text) > 3 for text in kept]


@given(TEXTS, st.integers(0, 3))
def test_equal_texts_have_equal_hashes_wherever_they_stand(
    texts: list[str | None], skipped: int
) -> None:
    """And these few different ones have different hashes."""
    column = pa.array(texts, pa.string()).slice(skipped)
    by_text: dict[bytes, set[int]] = {}
    for text, number in zip(texts[skipped:], text_bytes.hashes(column).tolist(), strict=True):
        by_text.setdefault((text or "").encode(), set()).add(number)
    assert all(len(numbers) == 1 for numbers in by_text.values())
    assert len(set.union(set(), *by_text.values())) == len(by_text)
