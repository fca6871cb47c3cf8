"""Currencies: their codes, and the names that stand before or after an amount.

The codes are those of ISO 4217 (SIX, lists one and three), with the currencies withdrawn
since 1999: order histories are old.
"""

from __future__ import annotations

import re

_ISO_4217 = """
AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD
CAD CDF CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD
GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT
LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR
NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP
STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VED VES VND VUV WST XAF XCD
XCG XOF XPF YER ZAR ZMW ZWG
AZM BGL BYR CSD CUC CYP DEM EEK ESP FRF GHC HRK ITL LTL LVL MGF MRO MTL MZM NLG ATS BEF FIM GRD IEP
PTE ROL SDD SIT SKK SLL SRG STD TRL VEB VEF ZMK ZWD ZWL
"""

#: Symbols that several currencies share, each with the codes that it can stand for.
SHARED_SYMBOLS: dict[str, frozenset[str]] = {
    symbol: frozenset(codes.split())
    for symbol, codes in {
        "$": "USD AUD BBD BMD BND BSD BZD CAD CLP COP CUC CUP CVE DOP FJD GYD HKD JMD KYD LRD MXN "
        "NAD NZD SBD SGD SRD TTD TWD UYU XCD XCG ZWD ZWL ARS BRL NIO",
        "¥": "JPY CNY", "￥": "JPY CNY",
        "kr": "SEK NOK DKK ISK CZK EEK SKK", "kr.": "SEK NOK DKK ISK CZK EEK SKK",
        "Rs": "INR PKR LKR NPR MUR SCR", "Rs.": "INR PKR LKR NPR MUR SCR",
        "₨": "INR PKR LKR NPR MUR SCR",
        "R": "ZAR BRL INR", "Fr": "CHF FRF BEF XAF XOF XPF RWF BIF CDF DJF GNF KMF MGF",
        "Fr.": "CHF FRF BEF XAF XOF XPF RWF BIF CDF DJF GNF KMF MGF",
        "₤": "GBP ITL TRL", "lei": "RON ROL MDL", "₿": "",
    }.items()
}  # fmt: skip

#: What people write for one currency only, to its code.
_SYMBOLS = {
    "€": "EUR", "£": "GBP", "₹": "INR", "₽": "RUB", "₩": "KRW", "₺": "TRY", "₪": "ILS", "₫": "VND",
    "฿": "THB", "₴": "UAH", "₦": "NGN", "₱": "PHP", "₲": "PYG", "₡": "CRC", "₵": "GHS", "₸": "KZT",
    "₮": "MNT", "₭": "LAK", "₼": "AZN", "₾": "GEL", "৳": "BDT", "៛": "KHR",
    "zł": "PLN", "Kč": "CZK", "Ft": "HUF", "лв": "BGN", "лв.": "BGN", "руб": "RUB", "руб.": "RUB",
    "円": "JPY", "元": "CNY", "RMB": "CNY", "TL": "TRY", "Rp": "IDR", "RM": "MYR", "DM": "DEM",
    "US$": "USD", "U.S.$": "USD", "A$": "AUD", "AU$": "AUD", "C$": "CAD", "CA$": "CAD",
    "CDN$": "CAD", "NZ$": "NZD", "HK$": "HKD", "S$": "SGD", "SG$": "SGD", "NT$": "TWD",
    "MX$": "MXN", "R$": "BRL", "CN¥": "CNY", "JP¥": "JPY", "S/": "PEN", "S/.": "PEN",
}  # fmt: skip

#: Every name, to its code; "" for a symbol that several currencies share.
NAMES: dict[str, str] = {
    **{code: code for code in _ISO_4217.split()},
    **dict.fromkeys(SHARED_SYMBOLS, ""),
    **_SYMBOLS,
}


def may_be(name: str, currency: str) -> bool:
    """Whether a currency's name, in words of an export, can stand for that code."""
    written = name.strip().replace(" ", "")
    if written in SHARED_SYMBOLS:
        return currency in SHARED_SYMBOLS[written]
    return (NAMES.get(written) or written.upper()) == currency


def _pattern(name: str) -> str:
    """``AU$`` may be written ``AU $``."""
    return re.sub(r"(?<=[A-Z])\\(?=\$)", r" ?\\", re.escape(name))


#: A group for RE2: any name, the longest first.
NAME_PATTERN = "|".join(_pattern(name) for name in sorted(NAMES, key=len, reverse=True))
