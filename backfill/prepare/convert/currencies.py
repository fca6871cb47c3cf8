"""The names of currencies that stand before or after an amount.

Codes are those of ISO 4217, with the ones withdrawn since 1999: order histories are old.
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

#: What people write for a currency, to its code; "" where it could be any of several.
_SYMBOLS = {
    "$": "", "¥": "", "￥": "", "kr": "", "kr.": "", "Rs": "", "Rs.": "", "₨": "", "R": "",
    "Fr": "", "Fr.": "", "₤": "", "lei": "",
    "€": "EUR", "£": "GBP", "₹": "INR", "₽": "RUB", "₩": "KRW", "₺": "TRY", "₪": "ILS", "₫": "VND",
    "฿": "THB", "₴": "UAH", "₦": "NGN", "₱": "PHP", "₲": "PYG", "₡": "CRC", "₵": "GHS", "₸": "KZT",
    "₮": "MNT", "₭": "LAK", "₼": "AZN", "₾": "GEL", "৳": "BDT", "៛": "KHR", "₿": "",
    "zł": "PLN", "Kč": "CZK", "Ft": "HUF", "лв": "BGN", "лв.": "BGN", "руб": "RUB", "руб.": "RUB",
    "円": "JPY", "元": "CNY", "RMB": "CNY", "TL": "TRY", "Rp": "IDR", "RM": "MYR", "DM": "DEM",
    "US$": "USD", "U.S.$": "USD", "A$": "AUD", "AU$": "AUD", "C$": "CAD", "CA$": "CAD",
    "CDN$": "CAD", "NZ$": "NZD", "HK$": "HKD", "S$": "SGD", "SG$": "SGD", "NT$": "TWD",
    "MX$": "MXN", "R$": "BRL", "CN¥": "CNY", "JP¥": "JPY", "S/": "PEN", "S/.": "PEN",
}  # fmt: skip

#: Every name, to its code or "".
NAMES: dict[str, str] = {code: code for code in _ISO_4217.split()} | _SYMBOLS


def _pattern(name: str) -> str:
    """``AU$`` may be written ``AU $``."""
    return re.sub(r"(?<=[A-Z])\\(?=\$)", r" ?\\", re.escape(name))


#: A group for RE2: any name, the longest first.
NAME_PATTERN = "|".join(_pattern(name) for name in sorted(NAMES, key=len, reverse=True))
