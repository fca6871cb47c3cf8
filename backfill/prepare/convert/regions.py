"""Countries as exports name them, to ISO 3166 codes of two letters."""

from __future__ import annotations

from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import phonenumbers
from phonenumbers import SUPPORTED_REGIONS

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
