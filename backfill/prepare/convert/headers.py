"""What a column's header says of the values below it: their currency, cents, their time zone."""

from __future__ import annotations

import re

from backfill.prepare.convert.currencies import NAMES, SHARED_SYMBOLS
from backfill.prepare.convert.zones import ABBREVIATIONS, find_zone

_BRACKETED = re.compile(r"[(\[]\s*([^()\[\]]+?)\s*[)\]]")
_LAST_WORD = re.compile(r"(?:^|[\s_,;:/-]|(?<=[a-z])(?=[A-Z]))([A-Za-z]{2,4})\W*$")
_TIME_ZONE = re.compile(r"(?i)\s*time(?: ?zone)?$")
_CENTS = re.compile(
    r"(?:^|[\W_]|(?<=[a-z])(?=[CP]))(?:[Cc]ents?|CENTS?|[Pp]ence|PENCE|pennies|[Cc]entimes?"
    r"|[Cc]entavos?|[Cc]éntimos?|[Cc]entesimi|[Öö]re|[Øø]re|[Gg]roszy?|[Pp]aise|[Kk]opecks"
    r"|minor(?:[ _]units?)?)(?:$|[\W_])"
)
#: Codes that are also words, as in TOTAL ALL: they count in brackets only.
_WORDS = {"ALL", "BAM", "CUP", "GEL", "LAK", "MOP", "PEN", "RON", "SOS", "TOP", "TRY"}

#: Eastern Time and the others, as programs of the United States and Canada name their zones.
_CONTINENTAL_ZONES = {"ET", "CT", "MT", "PT"}


def currency_in_header(header: str) -> str | None:
    """The currency's code or symbol: ``ARS`` of ``Total (ARS)``, ``EUR`` of ``total_eur``."""
    for inside in _BRACKETED.findall(header):
        name = inside.removeprefix("in ").strip()
        if name.upper() in NAMES and len(name) == 3:
            return str(name.upper())
        if name in NAMES:
            return str(name)
    for symbol in sorted((*SHARED_SYMBOLS, *NAMES), key=len, reverse=True):
        if not symbol[0].isalpha() and not symbol.isascii() and symbol in header:
            return symbol
    if header.rstrip().endswith("$"):
        return "$"
    word = _last_word(header)
    if word is not None and word.upper() in NAMES and word.upper() not in _WORDS:
        return word.upper()
    return None


def holds_cents(header: str) -> bool:
    """Whether the amounts below are in hundredths: ``unit_price_cents``, ``Total (pence)``."""
    return _CENTS.search(header) is not None


def zone_in_header(header: str) -> str | None:
    """The time zone's name: ``UTC`` of ``Created (UTC)``, of ``created_at_utc``."""
    bracketed = [_TIME_ZONE.sub("", each) for each in _BRACKETED.findall(header)]
    words = [*bracketed, _last_word(header) or ""]
    for word in map(str, words):
        is_abbreviation = word.upper() in ABBREVIATIONS
        # ``est`` may be estimated; what is not in capitals is an abbreviation only where plain.
        if is_abbreviation and not word.isupper() and word.upper() not in ("UTC", "GMT"):
            continue
        short = len(word) < 3 and word not in _CONTINENTAL_ZONES  # UT may be Utah
        if not short and (is_abbreviation or (word in words[:-1] and find_zone(word))):
            return word.upper() if is_abbreviation else word
    return None


def _last_word(header: str) -> str | None:
    """The last word, where it is set off by its case: ``USD`` of ``Total USD``, of ``total_usd``.

    In a header of capitals alone any word could look like a code, so that only a name of several
    words in small letters, joined with underscores, or a word in capitals among others counts.
    """
    found = _LAST_WORD.search(header.strip())
    if found is None or found.start(1) == 0:
        return None
    word = found.group(1)
    before = header[: found.start(1)]
    snake = word.islower() and header[found.start(1) - 1] == "_"
    camel = word.istitle() and before[-1:].islower()
    capital = word.isupper() and any(char.islower() for char in before)
    return word if snake or camel or capital else None
