"""How a file's encoding is told: from all of its bytes, wherever the reading of them is cut."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backfill.errors import UsageError
from backfill.prepare.reading.encoding import Encoding, Utf8Evidence, told_by_words


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


def as_bytes(text: str, encoding: str) -> list[bytes]:
    return [cell.encode(encoding) for cell in text.split("|")]


@pytest.mark.parametrize(
    ("text", "codec", "name"),
    [
        ("Müller|José|François", "cp1252", "windows-1252"),
        ("Größer|Weiß|Straße|Göttingen|François|Crème|Señor", "cp1252", "windows-1252"),
        ("Sean O’Brien", "cp1252", "windows-1252"),
        ("Łukasz Żak|Gdańsk", "cp1250", "windows-1250"),
        ("Иван Петров|Кружка", "cp1251", "windows-1251"),
        ("Иван Петров|Кружка", "koi8-r", "koi8-r"),
        ("Ανδρέας|Αθήνα", "cp1253", "windows-1253"),
        ("Çağrı Şahin|İzmir", "cp1254", "windows-1254"),
        ("José|Müller|Köln", "cp850", "cp850"),
        ("María García", "cp850", "cp850"),
        ("Müller|Crème brûlée", "mac-roman", "mac-roman"),
        ("山田太郎|湯のみ", "cp932", "shift-jis"),
        ("张伟|北京茶杯", "gb18030", "gb18030"),
        ("王小明|台北", "big5", "big5"),
    ],
)
def test_names_prove_an_encoding(text: str, codec: str, name: str) -> None:
    """Of all encodings that decode the cells, one reads as words of a language."""
    found = told_by_words("orders.csv", as_bytes(text, codec))
    assert (found.name, found.evidence.example) == (name, text.split("|")[0])


@pytest.mark.parametrize(
    ("text", "codec"),
    [
        ("é", "cp1252"),
        ("Größer & Söhne|Café Crème brûlée", "cp1252"),
        ("김철수|서울", "cp949"),
        ("Dvořák|Plzeň|Łódź", "cp1250"),
        ("Ján Kováč|Jürgen Müller|François", "cp1250"),
    ],
)
def test_what_nothing_proves_is_asked_for(text: str, codec: str) -> None:
    """Two readings are as good, or none is: the user is shown both and names one."""
    with pytest.raises(UsageError, match="its encoding is not certain") as caught:
        told_by_words("orders.csv", as_bytes(text, codec))
    assert "--encoding" in (caught.value.hint or "")
    assert text.split("|")[0] in caught.value.message


@pytest.mark.parametrize(
    ("text", "codec"),
    [
        ("Paweł Zięba", "mac-latin2"),
        ("Кружка", "iso8859-5"),
        ("Ґанок", "koi8-u"),
    ],
)
def test_marks_inside_words_prove_nothing(text: str, codec: str) -> None:
    """``Pawe© Zi½ba`` and ``∫‡„÷`` are not words, though each character is in the encoding."""
    with pytest.raises(UsageError, match="its encoding is not certain"):
        told_by_words("orders.csv", as_bytes(text, codec))
