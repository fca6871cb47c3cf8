"""The months as people name them, to their numbers."""

from __future__ import annotations

import unicodedata

# English, German, French, Spanish, Italian, Portuguese, Dutch, Swedish, Danish and Norwegian, and
# the abbreviations that no name begins with.
_MONTHS = (
    "january januar jänner janvier enero gennaio janeiro januari",
    "february februar feber février febrero febbraio fevereiro februari",
    "march märz maerz mars marzo março maart marts mrz mrt",
    "april avril abril aprile",
    "may mai mayo maggio maio mei maj",
    "june juni juin junio giugno junho",
    "july juli juillet julio luglio julho",
    "august août agosto augustus augusti",
    "september septembre septiembre setiembre settembre setembro",
    "october oktober octobre octubre ottobre outubro",
    "november novembre noviembre novembro",
    "december dezember décembre diciembre dicembre dezembro desember",
)


def _plain(name: str) -> str:
    """Without its accents."""
    return "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c))


def _by_name() -> dict[str, int]:
    """Each name and each beginning of three letters and more, unless two months begin so."""
    found: dict[str, set[int]] = {}
    for number, names in enumerate(_MONTHS, 1):
        for name in names.split():
            for text in (name, _plain(name)):
                for length in range(3, len(text) + 1):
                    found.setdefault(text[:length], set()).add(number)
    return {name: numbers.pop() for name, numbers in found.items() if len(numbers) == 1}


#: Lower-case names and abbreviations without a dot, to 1 to 12.
MONTHS = _by_name()
