"""Amounts of money, as exports and people write them, to whole cents."""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backfill.prepare.convert import (
    Converted,
    Mark,
    MarkEvidence,
    NumberStyle,
    cents,
    money_currency,
    other_currency,
    survey_numbers,
)

POINT, COMMA = NumberStyle("."), NumberStyle(",")


def column(*texts: str | None) -> pa.StringArray:
    return pa.array(texts, pa.string())


def read(text: str, style: NumberStyle = POINT) -> int | None:
    value: int | None = cents(column(text), style).values[0].as_py()
    return value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("7", 700),
        ("7.5", 750),
        ("7.50", 750),
        ("-7.50", -750),
        ("0.00", 0),
        (".50", 50),
        ("$1,234.50", 123450),
        ("$.50", 50),
        ("AU $3,000.00", 300000),
        ("EUR 90,00", 9000),
        ("1 234,50 €", 123450),
        ("1\u00a0234,50\u00a0€", 123450),
        ("1\u202f234,50 €", 123450),
        ("1'234.50 CHF", 123450),
        ("1’234.50", 123450),
        ("-$7.00", -700),
        ("$-7.00", -700),
        ("- $7.00", -700),
        ("−7,00 €", -700),
        ("(7.00)", -700),
        ("$(7.00)", -700),
        ("($7.00)", -700),
        ("7.00-", -700),
        ("7,00- €", -700),
        ("+7.00", 700),
        ("R$ 10,00", 1000),
        ("R$ 1.234,56", 123456),
        ("Rs. 1,299.00", 129900),
        ("Rs.50", 5000),
        ("₹1,299.00", 129900),
        ("1,23,456.00", 12345600),
        ("₹1,23,456", 12345600),
        ("12,34,567.89", 123456789),
        ("1,234,567", 123456700),
        ("1.234.567", 123456700),
        ("1.234.567,89", 123456789),
        ("1 234 567", 123456700),
        ("USD $1,234.50", 123450),
        ("$1,234.50 USD", 123450),
        ("12,5", 1250),
        ("1234,50", 123450),
        ("1.2E+3", 120000),
        ("1,2E+3", 120000),
        ("1.23456E2", 12346),
        ("7.5e-1", 75),
        ("000012.50", 1250),
        ("0" * 30 + "12.505", 1251),
        ("-" + "0" * 30 + "12.505", -1251),
        ("731.9399999999999", 73194),
        ("0.30000000000000004", 30),
        ("92233720368547758.07", 2**63 - 1),
        ("-92233720368547758.08", -(2**63)),
        ("\u200e$5.00", 500),
        ("kr. 5,00", 500),
        ("-", 0),
        ("–", 0),
        ("$ -", 0),
        ("- €", 0),
        (" -   ", 0),
        ("5 zł", 500),
    ],
)
def test_amounts_are_read(text: str, expected: int) -> None:
    """Any symbol, code, sign, bracket and mark that is known leads to the exact cents."""
    assert read(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "free", "n/a", "$", "--", "- -", ".", ",", "5 pcs", "5K", "a5", "5 $ 5", "1 2", "1 23",
        "1.2.3", "1,2,3", "12,34.5", "1,234.50,00", "1.234,50.00", "1,2345.00", "1 234 56",
        "--7", "-7-", "-(7.00)", "(7.00", "7.00)", "(7.00)-", "+-7",
        "€5 USD", "USD 5 EUR", "XYZ 5", "usd5x",
        "7,-", "7.-", "5.", "5,",
        "92233720368547758.08", "99999999999999999", "9" * 40, "1e30", "1E99",
        "½", "12²", "٣", "0x10", "1_000", "NaN", "inf", "1e", "=1+1",
    ],
)  # fmt: skip
def test_what_is_no_amount_is_bad(text: str) -> None:
    """Words, wrong groups, two marks, two signs, two currencies, too much: bad, and no value."""
    result = cents(column(text), POINT)
    assert result.values.to_pylist() == [None]
    assert result.bad.to_pylist() == [True]
    assert result.inexact.to_pylist() == [False]


@pytest.mark.parametrize(
    ("text", "expected", "inexact"),
    [
        ("7.125", 713, True),
        ("-7.125", -713, True),
        ("7.115", 712, True),
        ("7.1249", 712, True),
        ("22.3680", 2237, True),
        ("7.1200", 712, False),
        ("7.12000000000000001", 712, False),
        ("731.9399999999999", 73194, False),
        ("2.6749999999999998", 268, True),
        ("0.004", 0, True),
        ("0.0000000001", 0, False),
    ],
)
def test_more_decimals_than_cents(text: str, expected: int, inexact: bool) -> None:
    """Rounded half away from zero and said so, unless it is the noise of a binary float."""
    result = cents(column(text), POINT)
    assert (result.values[0].as_py(), result.inexact[0].as_py()) == (expected, inexact)
    assert not result.bad[0].as_py()


@pytest.mark.parametrize(
    ("text", "with_point", "with_comma"),
    [
        ("1.234", 123, 123400),
        ("1,234", 123400, 123),
        ("$12.345", 1235, 1234500),
        ("-999,999 €", -99999900, -100000),
        # These say by themselves which mark is which.
        ("0.125", 13, 13),
        ("0,125", 13, 13),
        ("1234.567", 123457, 123457),
        ("1.5", 150, 150),
        ("1,5", 150, 150),
        ("1,234.567", 123457, 123457),
    ],
)
def test_the_style_reads_what_could_be_either(text: str, with_point: int, with_comma: int) -> None:
    """The decimal mark of the column decides, only where the value itself does not."""
    assert (read(text, POINT), read(text, COMMA)) == (with_point, with_comma)


@pytest.mark.parametrize(
    ("texts", "style"),
    [
        (["1", "2.50"], NumberStyle(".")),
        (["1,5"], NumberStyle(",")),
        (["1.234"], NumberStyle(".", ambiguous=True, example="1.234")),
        (["$1,234", None, "5"], NumberStyle(".", ambiguous=True, example="$1,234")),
        (["1.234", "2.50"], NumberStyle(".", example="1.234")),
        (["1.234", "2,50 €"], NumberStyle(",", example="1.234")),
        (["1,234", "1.234.567"], NumberStyle(",", example="1,234")),
        (["1.234", "1,234,567"], NumberStyle(".", example="1.234")),
        (["1.234", "1.5", "1,5"], NumberStyle(".", ambiguous=True, example="1.234")),
        (["1.50", "1,50"], NumberStyle(".")),
        (["1 234", "1'234", "free", "1.2.3"], NumberStyle(".")),
        ([], NumberStyle(".")),
    ],
)
def test_the_column_settles_the_decimal_mark(texts: list[str | None], style: NumberStyle) -> None:
    """One clear value anywhere settles all; nothing, or both, is ambiguous if it matters."""
    assert survey_numbers(column(*texts)).settle() == style


def test_evidence_of_parts_is_that_of_the_whole() -> None:
    """A clear value in the last batch settles the first one."""
    parts = [column("1.234"), column(None, "9"), column("7,50")]
    evidence = MarkEvidence()
    for part in parts:
        evidence = evidence | survey_numbers(part)
    style = evidence.settle()
    assert not style.ambiguous
    assert cents(pa.chunked_array(parts), style).values.to_pylist() == [123400, None, 900, 750]


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["1,500", "12,000"], [1500, 12000]),
        (["1.500", "12.000"], [1500, 12000]),
        (["1500", "1500.00", "1,500.00"], [1500, 1500, 1500]),
    ],
)
def test_amounts_without_decimals_have_marks_for_thousands(
    texts: list[str], expected: list[int]
) -> None:
    """Yen have no decimals, so 1,500 is 1500."""
    style = survey_numbers(column(*texts)).settle(whole=True, places=0)
    assert not style.ambiguous
    assert cents(column(*texts), style).values.to_pylist() == expected


def test_a_column_of_cents_is_taken_as_it_is() -> None:
    """Amounts that count cents already are not multiplied."""
    style = survey_numbers(column("500", "1,250")).settle(places=0, whole=True)
    assert cents(column("500", "1,250"), style).values.to_pylist() == [500, 1250]


@pytest.mark.parametrize(
    "texts", [["1.500", "1500.00"], ["1.500", "1,500"], ["1,500", "1.500", "7"]]
)
def test_whole_amounts_with_decimals_are_not_settled(texts: list[str]) -> None:
    """Where the proven mark would make parts of a yen, nothing is settled."""
    assert survey_numbers(column(*texts)).settle(whole=True).ambiguous


@pytest.mark.parametrize(("mark", "expected"), [(".", 123), (",", 123400)])
def test_the_users_mark_settles_the_column(mark: Mark, expected: int) -> None:
    """--decimal-mark leaves no value undecided."""
    style = survey_numbers(column("1.234")).settle(mark)
    assert not style.ambiguous
    assert cents(column("1.234"), style).values.to_pylist() == [expected]


@pytest.mark.parametrize(
    ("undecided", "beside", "mark"),
    [("1,234", "2.50", "."), ("1.234", "2,50", ","), ("1.234", "2.50", None), ("1.234", "2", None)],
)
def test_a_neighbour_proves_thousands_only(undecided: str, beside: str, mark: Mark | None) -> None:
    """Amounts in full in another column do not give this one three decimals."""
    evidence = survey_numbers(column(undecided)).borrowed(survey_numbers(column(beside)))
    assert evidence.proven == mark


@pytest.mark.parametrize(
    ("text", "currency", "expected"),
    [
        ("€5.00", "USD", "€"), ("€5.00", "EUR", None), ("5 GBP", "USD", "GBP"), ("5", "USD", None),
        ("$5", "USD", None), ("$5", "MXN", None), ("$5", "EUR", "$"), ("¥500", "JPY", None),
        ("¥500", "USD", "¥"), ("kr 5", "SEK", None), ("CA$5", "USD", "CAD"),
        ("$5 EUR", "EUR", None),
    ],
)  # fmt: skip
def test_an_amount_in_another_currency(text: str, currency: str, expected: str | None) -> None:
    """By its code or its symbol; a shared symbol contradicts only what is none of its own."""
    expected = {"€": "EUR"}.get(expected or "", expected)
    assert other_currency(column(text, "1.00"), currency).to_pylist() == [expected, None]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("EUR 90,00", "EUR"), ("1 234,50 €", "EUR"), ("1'234.50 CHF", "CHF"), ("£5", "GBP"),
        ("AU $3,000.00", "AUD"), ("US$5", "USD"), ("R$ 10,00", "BRL"), ("₹1,299", "INR"),
        ("$5 USD", "USD"), ("USD $5", "USD"), ("C $5.00", "CAD"), ("5 zł", "PLN"),
        ("$5.00", None), ("¥500", None), ("kr 5", None), ("Rs. 5", None), ("5.00", None),
        ("€5 USD", None), ("free", None), (None, None),
    ],
)  # fmt: skip
def test_currency_of_an_amount(text: str | None, expected: str | None) -> None:
    """The code or the symbol says it; a bare dollar does not."""
    assert money_currency(column(text, "1.00")).to_pylist() == [expected, None]


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("EUR", "€"), ("GBP", "£"), ("INR", "₹"), ("RUB", "₽ руб руб."), ("KRW", "₩"),
        ("TRY", "₺ TL"), ("ILS", "₪"), ("VND", "₫"), ("THB", "฿"), ("UAH", "₴"), ("NGN", "₦"),
        ("PHP", "₱"), ("PYG", "₲"), ("CRC", "₡"), ("GHS", "₵"), ("KZT", "₸"), ("MNT", "₮"),
        ("LAK", "₭"), ("AZN", "₼"), ("GEL", "₾"), ("BDT", "৳"), ("KHR", "៛"), ("PLN", "zł"),
        ("CZK", "Kč"), ("HUF", "Ft"), ("BGN", "лв лв."), ("JPY", "円 JP¥"), ("CNY", "元 RMB CN¥"),
        ("IDR", "Rp"), ("MYR", "RM"), ("DEM", "DM"), ("USD", "US$ U.S.$"), ("AUD", "A$ AU$"),
        ("CAD", "C$ CA$ CDN$"), ("NZD", "NZ$"), ("HKD", "HK$"), ("SGD", "S$ SG$"), ("TWD", "NT$"),
        ("MXN", "MX$"), ("BRL", "R$"), ("PEN", "S/ S/."), ("CHF", "CHF"), ("SEK", "SEK"),
        (None, "$ ¥ ￥ kr kr. Rs Rs. ₨ R Fr Fr. ₤ lei ₿"),
    ],
)  # fmt: skip
def test_what_people_write_for_a_currency(code: str | None, names: str) -> None:
    """Before the amount or after it; a name that several currencies bear says none."""
    for name in names.split():
        texts = column(f"{name}5.50", f"5.50 {name}")
        assert money_currency(texts).to_pylist() == [code, code]
        assert cents(texts, POINT).values.to_pylist() == [550, 550]


def grouped(digits: str, mark: str) -> str:
    """Thousands as most of the world groups them."""
    head = len(digits) % 3 or 3
    return mark.join([digits[:head], *(digits[at : at + 3] for at in range(head, len(digits), 3))])


def indian(digits: str) -> str:
    """Lakhs and crores."""
    head, tail = digits[:-3], digits[-3:]
    pairs = [head[max(0, at - 2) : at] for at in range(len(head), 0, -2)]
    return ",".join([*reversed(pairs), tail])


BODIES: list[Callable[[str, str], str]] = [
    lambda units, part: f"{units}.{part}",
    lambda units, part: f"{units},{part}",
    lambda units, part: f"{grouped(units, ',')}.{part}",
    lambda units, part: f"{grouped(units, '.')},{part}",
    lambda units, part: f"{grouped(units, ' ')},{part}",
    lambda units, part: f"{grouped(units, chr(0xA0))},{part}",
    lambda units, part: f"{grouped(units, chr(0x202F))}.{part}",
    lambda units, part: f"{grouped(units, chr(39))}.{part}",
    lambda units, part: f"{indian(units)}.{part}",
    lambda units, part: f"{int(units + part)}E-2",
]
WRAPS = [
    "{}",
    "${}",
    "$ {}",
    "{} €",
    "EUR {}",
    "{} CHF",
    "AU ${}",
    "R$ {}",
    "Rs. {}",
    "₹{}",
    "{}kr",
]
NEGATIVES = ["-{}", "({})", "{}-", "−{}"]


@given(
    st.lists(
        st.tuples(
            st.integers(-(10**15), 10**15),
            st.sampled_from(BODIES),
            st.sampled_from(WRAPS),
            st.sampled_from(NEGATIVES),
            st.booleans(),
        ),
        min_size=1,
    ),
    st.sampled_from([POINT, COMMA]),
)
def test_any_listed_style_comes_back_to_the_same_cents(
    amounts: list[tuple[int, Callable[[str, str], str], str, str, bool]], style: NumberStyle
) -> None:
    """An amount with its two decimals is never undecided, so no style can change it."""
    texts = []
    for amount, body, wrap, negative, outside in amounts:
        text = body(str(abs(amount) // 100), f"{abs(amount) % 100:02d}")
        if amount < 0 and outside:
            text = negative.format(wrap.format(text))
        elif amount < 0:
            text = wrap.format(negative.format(text))
        else:
            text = wrap.format(text)
        texts.append(text)
    result = cents(column(*texts), style)
    assert result.values.to_pylist() == [amount for amount, *_ in amounts], texts
    assert not any(result.inexact.to_pylist())
    assert survey_numbers(column(*texts)).undecided is None


@given(
    st.lists(
        st.decimals(-(10**12), 10**12, allow_nan=False, allow_infinity=False, places=5)
        | st.decimals(-100, 100, allow_nan=False, allow_infinity=False, places=12),
        min_size=1,
    )
)
def test_rounding_is_that_of_decimal(amounts: list[Decimal]) -> None:
    """Against Python's decimal: noise off first, then half up; inexact if that changed it."""
    result = cents(column(*(format(amount, "f") for amount in amounts)), POINT)
    meant = [amount.quantize(Decimal("1e-8"), ROUND_HALF_UP) for amount in amounts]
    shown = [amount.quantize(Decimal("0.01"), ROUND_HALF_UP) for amount in meant]
    assert result.values.to_pylist() == [int(amount.scaleb(2)) for amount in shown]
    assert result.inexact.to_pylist() == [a != b for a, b in zip(meant, shown, strict=True)]


@given(st.floats(-1e9, 1e9).map(lambda amount: round(amount, 2)))
def test_sums_of_binary_floats_are_whole_cents(amount: float) -> None:
    """What Excel makes of cents by adding and taking away comes back exact."""
    noisy = amount + 0.1 - 0.1
    result = cents(column(format(Decimal(repr(noisy)), "f")), POINT)
    assert result.values.to_pylist() == [round(amount * 100)]
    assert result.inexact.to_pylist() == [False]


@given(st.lists(st.none() | st.text("0123456789.,'- $€()E+kRs\u00a0x", max_size=12)))
def test_every_text_is_a_value_or_bad(texts: list[str | None]) -> None:
    """Nothing raises; null stays null; each text is read or bad, and never both."""
    check_partition(texts, cents(column(*texts), survey_numbers(column(*texts)).settle()))


@given(st.lists(st.none() | st.text(max_size=20)))
def test_any_unicode_is_survived(texts: list[str | None]) -> None:
    """Nothing raises, whatever the characters."""
    check_partition(texts, cents(column(*texts), COMMA))
    money_currency(column(*texts))


def check_partition(texts: list[str | None], result: Converted) -> None:
    for text, value, bad in zip(
        texts, result.values.to_pylist(), result.bad.to_pylist(), strict=True
    ):
        assert (value is None) == (text is None or bad)
        assert not (bad and text is None)


@pytest.mark.parametrize("plain", [True, False])
def test_columns_of_any_make(plain: bool) -> None:
    """Empty, all null, sliced, in chunks, of large strings: all the same to the caller."""
    texts = ["1.50", None, "2"] if plain else ["$1.50", None, "2"]
    whole = pa.array(texts)
    for made in (
        pa.chunked_array([whole.slice(0, 1), whole.slice(1)]),
        whole.cast(pa.large_string()),
        pa.array(["9", *texts, "9"]).slice(1, 3),
    ):
        assert cents(made, POINT).values.to_pylist() == [150, None, 200]
        assert cents(made, POINT).bad.to_pylist() == [False] * 3
    for empty in (pa.array([], pa.string()), pa.chunked_array([], pa.string())):
        assert len(cents(empty, POINT).values) == 0
        assert survey_numbers(empty) == MarkEvidence()
    nothing = cents(pa.nulls(2, pa.string()), POINT)
    assert nothing.values.to_pylist() == [None, None]
    assert nothing.bad.to_pylist() == [False, False]
