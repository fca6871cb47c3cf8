"""Countries as exports name them, to ISO 3166 codes of two letters."""

from __future__ import annotations

from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Final

import phonenumbers
import pyarrow as pa
import pyarrow.compute as pc
from phonenumbers import SUPPORTED_REGIONS

from backfill.prepare.convert import text_bytes

#: What no list of names has.
_OTHERS = {
    "usa": "US", "u.s.a.": "US", "u.s.": "US", "united states of america": "US", "uk": "GB",
    "u.k.": "GB", "great britain": "GB", "england": "GB", "scotland": "GB", "wales": "GB",
    "gbr": "GB", "can": "CA", "mex": "MX", "aus": "AU", "nzl": "NZ", "ind": "IN", "deu": "DE",
    "fra": "FR", "esp": "ES", "ita": "IT", "nld": "NL", "bra": "BR", "jpn": "JP", "irl": "IE",
}  # fmt: skip


def region_of(country: str) -> str | None:
    """The code of a country by its code or its name in one of many languages; None: not known."""
    code = country.strip().upper()
    return code if code in SUPPORTED_REGIONS else _names().get(country.strip().casefold())


#: What stands after the last comma, line end or figure of an address.
_LAST_PART: Final = r"[,\n0-9]\s*(?P<part>[^,\n0-9]{2,60}?)[\s.]*$"
_FIGURES: Final = text_bytes.wanted(b"0123456789")
#: Its last word, where others stand before it. In "New Mexico" the word is no country.
_LAST_WORD: Final = r"^(?P<before>.*[^\s])\s+(?P<word>[^\s]{4,})$"
_PART_OF_A_NAME: Final = (
    r"(?i)(?:^|\s)(?:new|north|south|east|west|upper|lower|little|lake|port|fort|saint|st\.?|of)$"
)
#: Also a state of the USA.
_AMBIGUOUS: Final = frozenset({"georgia"})


def home_countries(country: pa.StringArray, address: pa.StringArray) -> pa.StringArray:
    """The country of each order: its own column's, or the one that its address ends with."""
    if country.null_count == 0:
        return country
    return pc.coalesce(country, _country_at_end(address))


def _country_at_end(address: pa.StringArray) -> pa.StringArray:
    """The country that each address ends with, by its name; null for none.

    Codes of two letters do not count: they are states as well.
    """
    worded = ~text_bytes.ending(address, _FIGURES)  # most addresses end with a post code
    address = pc.if_else(pa.array(worded), address, None)
    part = pc.extract_regex(address, _LAST_PART).field("part")
    if part.null_count == len(part):
        return part
    last = pc.extract_regex(part, _LAST_WORD)
    word = pc.if_else(
        pc.match_substring_regex(last.field("before"), _PART_OF_A_NAME), None, last.field("word")
    )
    return pc.coalesce(_if_country(part), _if_country(word))


def _if_country(name: pa.StringArray) -> pa.StringArray:
    return pc.if_else(pc.is_in(pc.utf8_lower(name), value_set=_written_out()), name, None)


@cache
def _written_out() -> pa.StringArray:
    return pa.array(
        [name for name in _names() if (len(name) > 2 or name == "uk") and name not in _AMBIGUOUS]
    )


def _locales() -> ModuleType:
    """The library's own table of country names, without the package around it: that loads the
    places of all phone numbers, for a second.
    """
    folder = Path(phonenumbers.__file__).parent / "geodata"
    spec = spec_from_file_location("phonenumbers.geodata.locale", folder / "locale.py")
    if spec is None or spec.loader is None:
        raise ImportError("phonenumbers has no table of country names", path=str(folder))
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def _names() -> dict[str, str]:
    names: dict[str, str] = {}
    for region, by_language in _locales().LOCALE_DATA.items():
        for name in by_language.values():
            if not name.startswith("*") and region in SUPPORTED_REGIONS:  # else another language's
                names.setdefault(name.casefold(), region)
    return names | _OTHERS
