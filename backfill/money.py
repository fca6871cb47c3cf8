"""Amounts as Shout takes them: whole numbers of a currency's smallest unit, called cents there.

Shout's documentation shows dollars only. What it calls cents is taken to be the minor unit of
ISO 4217, as in other payment interfaces: a hundredth of a dollar, one yen, a thousandth of a dinar.
"""

from __future__ import annotations

from typing import Final

#: What most currencies have.
_USUAL: Final = 2
#: Currencies with another number of decimals, by it: ISO 4217, with those withdrawn since 1999.
_DECIMALS: Final = {
    0: "BIF BYR CLP DJF ESP GNF ISK ITL JPY KMF KRW MGF PTE PYG RWF TRL UGX VND VUV XAF XOF XPF",
    3: "BHD IQD JOD KWD LYD OMR TND",
}
_OF_CURRENCY: Final = {
    code: decimals for decimals, codes in _DECIMALS.items() for code in codes.split()
}


def decimals(currency: str) -> int:
    """How many decimals amounts of a currency have."""
    return _OF_CURRENCY.get(currency, _USUAL)


def units(cents: int, currency: str) -> float:
    """The amount in whole units, for charts."""
    return float(cents / 10 ** decimals(currency))


def amount(cents: int, currency: str, *, signed: bool = False) -> str:
    """``1,234.56``, whatever the size."""
    places = decimals(currency)
    whole, rest = divmod(abs(cents), 10**places)
    sign = "-" if cents < 0 else "+" if signed else ""
    return f"{sign}{whole:,}" + (f".{rest:0{places}d}" if places else "")
