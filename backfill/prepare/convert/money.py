"""Amounts of money, in any way that exports and people write them, to exact whole cents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from backfill.prepare.convert.columns import (
    Converted,
    Text,
    as_text,
    first_of,
    matches,
    none_of,
    on_distinct,
)
from backfill.prepare.convert.currencies import NAME_PATTERN, NAMES
from backfill.prepare.convert.numerals import (
    COMMA,
    POINT,
    UNDECIDED,
    fixed,
    is_fixed,
    rounded,
    with_point,
)

_CENTS = 2
_MILLIONTHS = 6


@dataclass(frozen=True, slots=True)
class MoneyStyle:
    """How a column of money is to be read where a value alone could be read two ways."""

    decimal: str = "."
    """The mark before the decimals, ``.`` or ``,``."""
    ambiguous: bool = False
    """Nothing in the column settles the mark, or it is used both ways, and values need it."""
    example: str | None = None
    """A value that needs the mark settled, where there is one."""


@dataclass(frozen=True, slots=True)
class MoneyEvidence:
    """What a column of money shows of its decimal mark, each with a value that shows it.

    Parts of a column are surveyed one by one and joined with ``|``.
    """

    point: str | None = None
    comma: str | None = None
    undecided: str | None = None

    def __or__(self, other: MoneyEvidence) -> MoneyEvidence:
        return MoneyEvidence(
            self.point or other.point,
            self.comma or other.comma,
            self.undecided or other.undecided,
        )

    def settle(self) -> MoneyStyle:
        """The way to read the column.

        Where nothing settles it, ``1.234`` is read with decimals and ``1,234`` as a thousand,
        and the style says that it is ambiguous if there are such values.
        """
        one_sided = (self.point is None) != (self.comma is None)
        return MoneyStyle(
            decimal="," if one_sided and self.comma else ".",
            ambiguous=self.undecided is not None and not one_sided,
            example=self.undecided,
        )


def survey_money(text: Text) -> MoneyEvidence:
    """What (a part of) a column shows of its decimal mark."""
    column = as_text(text)
    plain = is_fixed(column, _CENTS)
    evidence = MoneyEvidence(
        point=first_of(column, pc.and_(plain, pc.match_substring(column, ".")))
    )
    odd = column.filter(pc.invert(plain)).drop_null().unique()
    if len(odd) == 0:
        return evidence
    number = _amounts(odd).number
    return evidence | MoneyEvidence(
        point=first_of(odd, matches(number, POINT)),
        comma=first_of(odd, matches(number, COMMA)),
        undecided=first_of(odd, matches(number, UNDECIDED)),
    )


def cents(text: Text, style: MoneyStyle) -> Converted:
    """Amounts in whole cents, int64.

    What has more decimals is rounded half away from zero and marked inexact, unless it is only
    the noise of a binary float (731.9399999999999). Bad: words, two decimal marks, marks that
    group wrongly (``12,34.5``), two currencies, two signs, more than 64 bits hold.
    """
    return _converted(as_text(text), style, _CENTS)


def millionths(text: Text, style: MoneyStyle) -> Converted:
    """The same in millionths of a dollar, for unit prices below a cent times many pieces."""
    return _converted(as_text(text), style, _MILLIONTHS)


def _converted(column: pa.StringArray, style: MoneyStyle, places: int) -> Converted:
    plain = is_fixed(column, places)
    if pc.all(pc.or_(plain, column.is_null()), min_count=0).as_py():
        return Converted(fixed(column, places), none_of(column), none_of(column))
    return on_distinct(column, lambda values: _read(values, style, places))


def money_currency(text: Text) -> pa.StringArray:
    """The ISO code that each amount itself names; null for none, and for a bare ``$``."""
    column = as_text(text)
    bare = pc.or_(matches(column, r"^[-0-9.]*$"), column.is_null())
    if pc.all(bare, min_count=0).as_py():
        return pa.nulls(len(column), pa.string())
    encoded = column.dictionary_encode()
    return _amounts(encoded.dictionary).currency.take(encoded.indices)


def _read(text: pa.StringArray, style: MoneyStyle, places: int) -> Converted:
    amounts = _amounts(text)
    number = with_point(amounts.number, style.decimal)
    return rounded(pc.binary_join_element_wise(amounts.minus, number, ""), places)


class _Amounts(NamedTuple):
    number: pa.StringArray
    """Digits and marks; null where the text is no amount."""
    minus: pa.StringArray
    """``-`` or nothing."""
    currency: pa.StringArray
    """ISO code or null."""


_UNUSUAL = r"[^!-~ ]"
# What stands around the digits is of few kinds, and looked at once a kind.
_AMOUNT = (
    r"^(?P<front>[^0-9]*)"
    r"(?P<number>[0-9](?:[0-9 .,']*[0-9])?(?:[eE][-+]?[0-9]{1,2})?)"
    r"(?P<back>[^0-9]*)$"
)
_NAMED = rf"(?P<c1>{NAME_PATTERN})? ?(?P<c2>{NAME_PATTERN})?"
# A sign and a currency in either order; a bracket counts as a sign. ``$.50`` has its mark here.
_FRONT = rf"^(?P<s1>[-+(]?) ?{_NAMED} ?(?P<s2>[-+(]?) ?(?P<mark>[.,]?)$"
_BACK = rf"^ ?(?P<s1>[-)]?) ?{_NAMED} ?(?P<s2>[-)]?)(?P<mark>)$"
_NAMES = pa.array(list(NAMES))
_NAME_CODES = pa.array([code or None for code in NAMES.values()])


def _amounts(text: pa.StringArray) -> _Amounts:
    """Take each amount apart into sign, number and currency."""
    parts = pc.extract_regex(_normalised(text), _AMOUNT)
    front, back = _side(parts.field("front"), _FRONT), _side(parts.field("back"), _BACK)
    sign = pc.binary_join_element_wise(front.sign, back.sign, "")
    minus = pc.is_in(sign, pa.array(["-", "()"]))
    signed_once = pc.or_(minus, pc.is_in(sign, pa.array(["", "+"])))
    one_currency = pc.fill_null(pc.equal(front.currency, back.currency), True)
    readable = pc.and_(pc.and_(signed_once, one_currency), parts.is_valid())
    nothing = pa.scalar(None, pa.string())
    number = pc.binary_join_element_wise(front.mark, parts.field("number"), "")
    return _Amounts(
        number=pc.if_else(readable, number, nothing),
        minus=pc.if_else(minus, "-", ""),
        currency=pc.if_else(readable, pc.coalesce(front.currency, back.currency), nothing),
    )


class _Side(NamedTuple):
    """What stands before or after the digits. All null where it makes no sense."""

    sign: pa.StringArray
    currency: pa.StringArray
    """ISO code; null also where there is none."""
    mark: pa.StringArray


def _side(text: pa.StringArray, pattern: str) -> _Side:
    encoded = text.dictionary_encode()
    parts = pc.extract_regex(encoded.dictionary, pattern)
    first, second = _code(parts.field("c1")), _code(parts.field("c2"))
    agree = pc.fill_null(pc.equal(first, second), True)
    nothing = pa.scalar(None, pa.string())
    sense = pc.and_(parts.is_valid(), agree)
    sign = pc.binary_join_element_wise(parts.field("s1"), parts.field("s2"), "")
    return _Side(
        *(
            pc.if_else(sense, each, nothing).take(encoded.indices)
            for each in (sign, pc.coalesce(first, second), parts.field("mark"))
        )
    )


def _normalised(text: pa.StringArray) -> pa.StringArray:
    """The many spaces, minus signs and apostrophes of typography as one each."""
    text = pc.replace_substring(text, "`", "'")
    if not pc.any(matches(text, _UNUSUAL), min_count=0).as_py():
        return text
    text = pc.replace_substring_regex(text, r"[\x{200E}\x{200F}\x{061C}\x{2066}-\x{2069}]", "")
    text = pc.replace_substring_regex(text, r"[\s\x{00A0}\x{2000}-\x{200A}\x{202F}]", " ")
    text = pc.replace_substring_regex(text, r"[−–]", "-")
    return pc.replace_substring_regex(text, r"[’‘´ʼ]", "'")


def _code(name: pa.StringArray) -> pa.StringArray:
    """Names of currencies as ISO codes; null where the name is none or says too little."""
    return _NAME_CODES.take(pc.index_in(pc.replace_substring(name, " ", ""), _NAMES))
