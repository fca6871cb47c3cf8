"""Phone numbers to E.164: as ``phonenumbers`` reads them, and what Excel made of them."""

from __future__ import annotations

import re

import phonenumbers
import pyarrow as pa
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from phonenumbers import PhoneNumberFormat

from backfill.errors import UsageError
from backfill.prepare.convert import home_countries, phones

REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)
FORMATS = [
    PhoneNumberFormat.E164,
    PhoneNumberFormat.INTERNATIONAL,
    PhoneNumberFormat.NATIONAL,
    PhoneNumberFormat.RFC3966,
]
# Here, and only here, more is read than phonenumbers does by itself.
EXCEL = re.compile(r"\d{7,15}\.0|\d(\.\d+)?[eE]\+?\d{1,2}")


def column(*texts: str | None) -> pa.StringArray:
    return pa.array(texts, pa.string())


def by_library(text: str | None, region: str) -> str | None:
    """The reference: parse, is_valid_number and format_number of phonenumbers itself."""
    if text is None:
        return None
    try:
        parsed = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(parsed):
        return None
    return phonenumbers.format_number(parsed, PhoneNumberFormat.E164)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(801) 555-6788", "+18015556788"),
        ("801-555-6788", "+18015556788"),
        ("801.555.6788", "+18015556788"),
        ("8015556788", "+18015556788"),
        ("1 801 555 6788", "+18015556788"),
        ("18015556788", "+18015556788"),
        ("+1 (801) 555-6788", "+18015556788"),
        ("+18015556788", "+18015556788"),
        ("'8015556788", "+18015556788"),
        ("'+1 801-555-6788", "+18015556788"),
        ("801-555-6788 x123", "+18015556788"),
        ("801-555-6788 ext. 123", "+18015556788"),
        ("Tel: 801-555-6788", "+18015556788"),
        ("1-800-FLOWERS", "+18003569377"),
        ("011 44 20 7946 0018", "+442079460018"),
        ("+44 20 7946 0018", "+442079460018"),
        ("+44 (0)20 7946 0018", "+442079460018"),
        ("416-555-0134", "+14165550134"),
        ("8015556788.0", "+18015556788"),
        ("8.015556788E9", "+18015556788"),
        ("8.015556788E+09", "+18015556788"),
        ("8.01555678e9", "+18015556780"),
        ("1.8015556788E10", "+18015556788"),
        ("+9 999-999-9999", None),
        ("(999) 999-9999", None),
        ("555-6788", None),
        ("000-000-0000", None),
        ("1234567890", None),
        ("00 44 20 7946 0018", None),
        ("8.01556E+09", None),
        ("8E9", None),
        ("8.0155567885E5", None),
        ("call me", None),
        ("n/a", None),
        ("801555678", None),
        ("80155567ab", None),
        ("+", None),
        ("٨٠١٥٥٥٦٧٨٨", "+18015556788"),
        ("８０１５５５６７８８", "+18015556788"),
    ],
)
def test_phones_at_home_in_the_us(text: str, expected: str | None) -> None:
    """Any way to write a number that is real; what can't be real is bad."""
    result = phones(column(text, None), "US")
    assert result.values.to_pylist() == [expected, None]
    assert result.bad.to_pylist() == [expected is None, False]
    assert result.inexact.to_pylist() == [False, False]


@pytest.mark.parametrize(
    ("region", "text", "expected"),
    [
        ("GB", "020 7946 0018", "+442079460018"),
        ("GB", "0044 20 7946 0018", "+442079460018"),
        ("GB", "442079460018", "+442079460018"),
        ("DE", "030 901820", "+4930901820"),
        ("DE", "0049 30 901820", "+4930901820"),
        ("FR", "01 44 51 23 45", "+33144512345"),
        ("IT", "06 698 12345", "+390669812345"),
        ("IN", "098765 43210", "+919876543210"),
        ("IN", "919876543210", "+919876543210"),
        ("AU", "(02) 9374 4000", "+61293744000"),
        ("AR", "011 15 3456-7890", "+5491134567890"),
        ("CA", "(416) 555-0134", "+14165550134"),
        ("JP", "03-3224-9999", "+81332249999"),
    ],
)
def test_phones_at_home_elsewhere(region: str, text: str, expected: str) -> None:
    """Prefixes that are dialled inside a country, or to get out of it, are understood."""
    assert phones(column(text), region).values.to_pylist() == [expected]


def test_an_unknown_region_is_refused() -> None:
    """With the option that gives it."""
    with pytest.raises(UsageError, match="'XX' is not a region") as caught:
        phones(column("8015556788"), "XX")
    assert "--region" in (caught.value.hint or "")


@st.composite
def numbers(draw: st.DrawFn) -> str:
    """A number of some region and kind in some format, at times with a digit or mark changed."""
    kind = draw(st.sampled_from(["FIXED_LINE", "MOBILE", "TOLL_FREE", "VOIP", "PREMIUM_RATE"]))
    region = draw(st.sampled_from(["US", "US", "CA", "GB", *REGIONS]))
    number = phonenumbers.example_number_for_type(
        region, getattr(phonenumbers.PhoneNumberType, kind)
    )
    if number is None:
        return "+" + draw(st.text("0123456789", min_size=6, max_size=14))
    text: str = phonenumbers.format_number(number, draw(st.sampled_from(FORMATS)))
    text = text.removeprefix("tel:")
    if draw(st.booleans()):
        at = draw(st.integers(0, len(text) - 1))
        text = text[:at] + draw(st.sampled_from([*"0123456789-. ", ""])) + text[at + 1 :]
    text = text.replace("+", draw(st.sampled_from(["+", "+", "00", "011", ""])))
    text = text.replace(" ", draw(st.sampled_from([" ", "", "-", ".", "/", ") "])))
    assume(not EXCEL.fullmatch(text))
    return text


@given(
    st.lists(numbers(), min_size=20, max_size=60),
    st.sampled_from(["US", "US", "CA", "GB", "DE", "IT", "IN", "RU", *REGIONS]),
)
def test_the_same_as_phonenumbers(texts: list[str], region: str) -> None:
    """For any number of the world, written in any way, at home anywhere."""
    found = phones(column(*texts), region).values.to_pylist()
    assert found == [by_library(text, region) for text in texts]


@given(st.lists(st.from_regex(r"\A[2-9][0-9]{9}\Z"), min_size=20, max_size=80))
def test_the_same_as_phonenumbers_for_ten_digits(texts: list[str]) -> None:
    """All area codes of North America, the ones that there are not as well."""
    for region in ("US", "CA", "JM"):
        found = phones(column(*texts), region).values.to_pylist()
        assert found == [by_library(text, region) for text in texts]


@given(st.lists(st.none() | st.text("0123456789+-() x/.'#", max_size=24) | st.text(max_size=24)))
@example(["8015556788;ext=1", "tel:+1-801-555-6788", "+1801555678800000000000000", "1" * 300])
def test_the_same_as_phonenumbers_for_any_text(texts: list[str | None]) -> None:
    """Nothing raises; null stays null; the library's word counts."""
    assume(not any(EXCEL.fullmatch(text) for text in texts if text))
    result = phones(column(*texts), "US")
    assert result.values.to_pylist() == [by_library(text, "US") for text in texts]
    assert result.bad.to_pylist() == [
        text is not None and value is None
        for text, value in zip(texts, result.values.to_pylist(), strict=True)
    ]


def test_most_numbers_are_settled_by_patterns(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library, slow as it is, is not asked for plain numbers, real or not."""
    asked: list[str] = []
    parse = phonenumbers.parse

    def counting(number: str, region: str) -> object:
        asked.append(number)
        return parse(number, region)

    monkeypatch.setattr(phonenumbers, "parse", counting)
    texts = ["(801) 555-6788", "+18015556788", "18015556788", "+44 20 7946 0018", "(999) 999-9999"]
    phones(column(*texts, "801-555-6788 x1", "801-555-6788 x1"), "US")
    assert asked == ["801-555-6788 x1"]


def test_what_excel_made_of_numbers_stands_among_others() -> None:
    """Each is fixed where it stands, and the others are left as they are."""
    texts = ["801-555-6788", "8.015556789E9", "8.01556E+09", None, "8015556787.0", "8.0155567e9 x"]
    expected = ["+18015556788", "+18015556789", None, None, "+18015556787", None]
    assert phones(column(*texts), "US").values.to_pylist() == expected


def test_columns_of_any_make() -> None:
    """Empty, all null, sliced, in chunks: all the same to the caller."""
    texts = ["8015556788", None, "nobody", "8015556788"]
    expected = ["+18015556788", None, None, "+18015556788"]
    whole = column(*texts)
    for made in (
        pa.chunked_array([whole.slice(0, 1), whole.slice(1)]),
        whole.cast(pa.large_string()),
        column("1", *texts, "x").slice(1, 4),
    ):
        assert phones(made, "US").values.to_pylist() == expected
        assert phones(made, "US").bad.to_pylist() == [False, False, True, False]
    for empty in (column(), pa.chunked_array([], pa.string()), column(None, None)):
        assert phones(empty, "US").values.to_pylist() == [None] * len(empty)
        assert phones(empty, "US").bad.to_pylist() == [False] * len(empty)


def test_home_countries() -> None:
    """The country's own column goes first, then the name of a country at the end of the address.

    What may be a state or a part of a city's name is no country.
    """
    countries = ["CA", None, None, None, None, None, None, None, None]
    addresses = [
        "Calle Roble 4, 44100 Guadalajara, Mexico",
        "Calle Roble 4, 44100 Guadalajara, Mexico",
        "12 rue du Lac 69002 Lyon France",
        "4 Mill Rd\nBristol BS1 4AA\nUK.",
        "4 Mill Rd, Taos, New Mexico",
        "87571 Taos New Mexico",
        "4 Mill Rd, Macon, Georgia",
        "4 Mill Rd, Salinas, CA",
        None,
    ]
    assert home_countries(column(*countries), column(*addresses)).to_pylist() == [
        "CA", "Mexico", "France", "UK", None, None, None, None, None,
    ]  # fmt: skip
