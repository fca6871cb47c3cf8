"""What the values of status columns mean: the words of many languages, and a platform's own.

The words are in ``statuses.toml``; a platform's file and a mapping file add theirs under
``[statuses]``.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Final

_WORDS: Final = Path(__file__).parent / "statuses.toml"
_FILLERS: Final = "fillers"

#: Answers to a question that the column's name asks.
_YES: Final = frozenset({"yes", "y", "true", "t", "1", "x", "ja", "oui", "si", "sim"})
_NO: Final = frozenset({"no", "n", "false", "f", "0", "nein", "non", "nao", "nee"})
#: The fields of status columns, by what they speak of: the order, its payment, shipping, refund.
STATUS_FIELDS: Final = ("status", "payment_status", "fulfilment_status", "refund_status")
FULFILMENT: Final = "fulfilment_status"


class Meaning(StrEnum):
    """What a status says about the purchase, as it is written under ``[statuses]``."""

    IMPORT = "import"
    UNCLEAR = "unclear"
    """imported, with a warning"""
    PARTLY_REFUNDED = "partly_refunded"
    """imported, with a warning"""
    CANCELLED = "cancelled"
    VOIDED = "voided"
    REFUNDED = "refunded"
    UNPAID = "unpaid"
    TEST = "test"
    DRAFT = "draft"
    REJECT = "reject"
    """rejected because the user says so"""

    @property
    def rejects(self) -> bool:
        """Whether an order with this status is kept back."""
        return self not in (Meaning.IMPORT, Meaning.UNCLEAR, Meaning.PARTLY_REFUNDED)


@cache
def status_key(value: str) -> str:
    """A status without what programs change: case, accents, spaces, punctuation."""
    return "".join(_words(value))


def meaning_of(value: str) -> Meaning | None:
    """What a value means in any language; None where the table does not know it."""
    table = _table()
    found = table.get(status_key(value))
    if found is None:
        found = table.get("".join(word for word in _words(value) if word not in _fillers()))
    return found


def meaning_in(column: str, value: str) -> Meaning | None:
    """What a value means in a column of that name: "yes" below "Refunded?" is refunded."""
    meaning = meaning_of(value)
    if meaning is not None:
        return meaning
    asked = meaning_of(column)
    key = status_key(value)
    if asked is None or asked is Meaning.UNCLEAR:
        return None
    if key in _YES:
        return asked
    return Meaning.IMPORT if key in _NO and asked is not Meaning.IMPORT else None


def at_fulfilment(meaning: Meaning | None) -> Meaning:
    """What a status of the shipping says about the purchase: "pending" is none of its business.

    A failed delivery or an unknown word may mean that the order was never kept.
    """
    if meaning in (Meaning.UNCLEAR, Meaning.UNPAID):
        return Meaning.IMPORT
    return Meaning.UNCLEAR if meaning in (None, Meaning.VOIDED) else meaning


def _words(value: str) -> list[str]:
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", value)
    letters = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", spaced).casefold())
    bare = "".join(char for char in letters if not unicodedata.combining(char))
    return re.findall(r"[^\W_]+", bare)


@cache
def _content() -> Mapping[str, Mapping[str, list[str]]]:
    return tomllib.loads(_WORDS.read_text(encoding="utf-8"))


@cache
def _table() -> Mapping[str, Meaning]:
    return {
        status_key(value): Meaning(name)
        for name, languages in _content().items()
        if name != _FILLERS
        for values in languages.values()
        for value in values
    }


@cache
def _fillers() -> frozenset[str]:
    return frozenset(
        word for words in _content()[_FILLERS].values() for each in words for word in _words(each)
    )
