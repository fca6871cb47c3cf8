"""An amount of money taken apart: its sign, its digits and marks, and the currency it names."""

from __future__ import annotations

from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from backfill.prepare.convert.columns import matches
from backfill.prepare.convert.currencies import NAME_PATTERN, NAMES, SHARED_SYMBOLS


class Amounts(NamedTuple):
    """The parts of a column of amounts."""

    number: pa.StringArray
    """Digits and marks; null where the text is no amount."""
    minus: pa.StringArray
    """``-`` or nothing."""
    currency: pa.StringArray
    """ISO code; null where none is named, or only a symbol that several currencies share."""
    symbol: pa.StringArray
    """A symbol that several currencies share, such as ``$``; null where there is none."""


_UNUSUAL = r"[^!-~ ]"
#: A dash alone, as accountants write zero: ``-``, ``$ -``, ``- €``.
_DASH = r"^([^-0-9()]*?) ?- ?([^-0-9()]*)$"
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
_SHARED = pa.array(list(SHARED_SYMBOLS))
_NAME_CODES = pa.array([code or None for code in NAMES.values()])


def take_apart(text: pa.StringArray) -> Amounts:
    """Take each amount apart into sign, number and currency. A dash alone is zero."""
    written = pc.replace_substring_regex(_normalised(text), _DASH, r"\1 0 \2")
    parts = pc.extract_regex(written, _AMOUNT)
    front, back = _side(parts.field("front"), _FRONT), _side(parts.field("back"), _BACK)
    sign = pc.binary_join_element_wise(front.sign, back.sign, "")
    minus = pc.is_in(sign, pa.array(["-", "()"]))
    signed_once = pc.or_(minus, pc.is_in(sign, pa.array(["", "+"])))
    one_currency = pc.fill_null(pc.equal(front.currency, back.currency), True)
    readable = pc.and_(pc.and_(signed_once, one_currency), parts.is_valid())
    nothing = pa.scalar(None, pa.string())
    number = pc.binary_join_element_wise(front.mark, parts.field("number"), "")
    return Amounts(
        number=pc.if_else(readable, number, nothing),
        minus=pc.if_else(minus, "-", ""),
        currency=pc.if_else(readable, pc.coalesce(front.currency, back.currency), nothing),
        symbol=pc.if_else(readable, pc.coalesce(front.symbol, back.symbol), nothing),
    )


class _Side(NamedTuple):
    """What stands before or after the digits. All null where it makes no sense."""

    sign: pa.StringArray
    currency: pa.StringArray
    """ISO code; null also where there is none."""
    symbol: pa.StringArray
    """A symbol that several currencies share; null also where there is none."""
    mark: pa.StringArray


def _side(text: pa.StringArray, pattern: str) -> _Side:
    encoded = text.dictionary_encode()
    parts = pc.extract_regex(encoded.dictionary, pattern)
    first, second = _code(parts.field("c1")), _code(parts.field("c2"))
    agree = pc.fill_null(pc.equal(first, second), True)
    nothing = pa.scalar(None, pa.string())
    sense = pc.and_(parts.is_valid(), agree)
    sign = pc.binary_join_element_wise(parts.field("s1"), parts.field("s2"), "")
    symbol = pc.coalesce(_shared(parts.field("c1")), _shared(parts.field("c2")))
    return _Side(
        *(
            pc.if_else(sense, each, nothing).take(encoded.indices)
            for each in (sign, pc.coalesce(first, second), symbol, parts.field("mark"))
        )
    )


def _normalised(text: pa.StringArray) -> pa.StringArray:
    """The many spaces, minus signs and apostrophes of typography as one each."""
    text = pc.replace_substring(text, "`", "'")
    if not pc.any(matches(text, _UNUSUAL), min_count=0).as_py():
        return text
    text = pc.replace_substring_regex(text, r"[\x{200E}\x{200F}\x{061C}\x{2066}-\x{2069}]", "")
    text = pc.replace_substring_regex(text, r"[\s\x{00A0}\x{2000}-\x{200A}\x{202F}]", " ")
    text = pc.replace_substring_regex(text, r"[−–—]", "-")
    return pc.replace_substring_regex(text, r"[’‘´ʼ]", "'")


def _code(name: pa.StringArray) -> pa.StringArray:
    """Names of currencies as ISO codes; null where the name is none or says too little."""
    return _NAME_CODES.take(pc.index_in(pc.replace_substring(name, " ", ""), _NAMES))


def _shared(name: pa.StringArray) -> pa.StringArray:
    """Names that several currencies share; null for all others."""
    return pc.if_else(pc.is_in(name, _SHARED), name, pa.scalar(None, pa.string()))
