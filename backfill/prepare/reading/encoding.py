"""Which encoding the bytes of a text are in: told by its mark, by all of its bytes, or by the user.

Text that is no UTF-8 could be in any of a few dozen encodings. Each that decodes it is read, and
each reading is looked at: letters of two scripts in one word, capitals in the middle of a word or
symbols between letters are no text. Of the readings that look like text one must be the words of
a language, and no other; else the user is asked, and shown a sample of each.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from backfill.checkpoint.decisions import Decision, Evidence, SettledBy
from backfill.errors import UsageError

MIXED = "utf-8 with windows-1252 in places"

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, which begins alike
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_ENOUGH_BAD_BYTES = 1000
_SAMPLE_BYTES = 1 << 16
_MOST_ODD = 0.02
_LEAST_WORDS = 0.9
_MOST_WORDS_OF_A_RIVAL = 0.7

#: Letters outside ASCII by language, for the encodings in which exports of that language come.
_WESTERN = (
    "äöüß",
    "àâæçéèêëîïôœùûüÿ",
    "áéíñóúü",
    "áâãàçéêíóôõú",
    "àèéìíîòóù",
    "áàäéèëíïóöúü",
    "æøåé",
    "åäöé",
    "áðéíóúýþæö",
    "àçèéíïòóúü",
)
_LANGUAGES: Mapping[str, Sequence[str]] = {
    "windows-1252": _WESTERN,
    "windows-1250": (
        ["ąćęłńóśźż", "áčďéěíňóřšťúůýž", "áäčďéíĺľňóôŕšťúýž", "áéíóöőúüű", "ăâîşţ", "čćđšž"]
    ),
    "windows-1251": ["абвгдеёжзийклмнопрстуфхцчшщъыьэюя", "абвгґдеєжзиіїйклмнопрстуфхцчшщьюя"],
    "windows-1253": ["αβγδεζηθικλμνξοπρσςτυφχψωάέήίόύώϊϋΐΰ"],
    "windows-1254": ["çğıiöşü"],
    "windows-1255": ["אבגדהוזחטיךכלםמןנסעףפץצקרשת"],
    "windows-1257": ["ąčęėįšųūž", "āčēģīķļņšūž", "äõöüšž"],
    "mac-roman": _WESTERN,
    "cp850": _WESTERN,
    "koi8-r": ["абвгдеёжзийклмнопрстуфхцчшщъыьэюя"],
    "cp866": ["абвгдеёжзийклмнопрстуфхцчшщъыьэюя"],
}
_EAST_ASIAN: Mapping[str, Callable[[str], bool]] = {
    "shift-jis": lambda letter: _is_kana(letter) or _leads(letter, "euc_jp", 0xB0, 0xCF),
    "euc-jp": lambda letter: _is_kana(letter) or _leads(letter, "euc_jp", 0xB0, 0xCF),
    "gb18030": lambda letter: _leads(letter, "gb2312", 0xB0, 0xD7),
    "big5": lambda letter: _leads(letter, "big5", 0xA4, 0xC6),
    "cp949": lambda letter: _leads(letter, "euc_kr", 0xB0, 0xC8),
}
"""Whether a character is one of the common ones: the first level of each national standard."""
_CODECS = {"shift-jis": "cp932"}
"""What Windows means by a name, where that has more characters."""
_OLD = ("mac-roman", "cp850")
"""Not written any more: no rival of an encoding that reads as well."""

_WRITTEN_TOGETHER = {"CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "HANGUL", "FULLWIDTH"}
_WORD = re.compile(r"[^\s\d!-/:-@[-`{-~]+")
"""Up to white space, a digit or ASCII punctuation."""
_PARTS = re.compile("[’‘–—]")
_SYMBOL_IN_WORD = re.compile(
    r"[^\W\d_](?:[^\w‘’“”„‚«»‹›–—…™®©°·¿¡ªº\xa0]|[–—](?=[a-z]))"
    r"|[^\w‘’“”„‚«»‹›–—…™®©°·•¿¡ªº\xa0](?=[^\W\d_])"
    r"|[^\W\d_][„‚‹]|[”›](?=[^\W\d_])"  # a quote that opens behind a letter, or closes before one
    r"|[^\W\d_][¡¿©®™°ªº¹²³¼½¾](?=[^\W\d_])|[¹²³¼½¾](?=[^\W\d_a-zA-Z])"
)
"""Next to a letter, a symbol that is neither punctuation nor a mark of trade; or such a mark in
the middle of a word."""
_MOST_SYMBOLS = 2
"""A run of more different symbols, without a letter, is no text."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """What a text is encoded in, and how that was settled."""

    name: str
    """For people, and the codec's name but for :data:`MIXED`."""
    settled_by: SettledBy = SettledBy.PROOF
    evidence: Evidence = field(default_factory=Evidence)

    def decision(self, source: str) -> Decision | None:
        """To be shown; None for plain UTF-8, where nothing was decided."""
        if self.name == "utf-8" and self.settled_by is SettledBy.PROOF:
            return None
        return Decision(
            what="encoding",
            source=source,
            column=None,
            value=self.name,
            settled_by=self.settled_by,
            evidence=self.evidence,
            override="--encoding NAME",
        )


def told_by_mark(first: bytes) -> tuple[int, str | None]:
    """The length of the byte order mark, and the encoding where the mark or zero bytes tell it."""
    for bom, name in _BOMS:
        if first.startswith(bom):
            return len(bom), name
    return 0, _told_by_zeros(first)


def named(encoding: str) -> str:
    """The encoding that a user names.

    :raises UsageError: Python knows none of this name.
    """
    try:
        b"".decode(encoding)
        name = codecs.lookup(encoding).name
    except (LookupError, ValueError) as error:
        raise UsageError(
            f"--encoding {encoding}: there is no such text encoding",
            hint="for example utf-8, windows-1252, windows-1251, shift_jis, gb18030 or mac-roman",
        ) from error
    return "utf-8" if name in ("utf-8", "utf-8-sig") else encoding.lower()


def decoder(encoding: str) -> codecs.IncrementalDecoder:
    """Decodes block by block; what is no text in the encoding becomes U+FFFD."""
    if encoding == MIXED:
        return codecs.getincrementaldecoder("utf-8")("backfill-windows-1252")
    return codecs.getincrementaldecoder(_CODECS.get(encoding, encoding))("replace")


class Utf8Evidence:
    """Whether bytes are UTF-8; and if not, whether that is an accident or they never were."""

    def __init__(self) -> None:
        self._pending = b""  # a character at a block's end, whose rest is in the next
        self._good = 0  # characters outside ASCII
        self._bad = 0  # bytes that are no part of a character

    def add(self, block: bytes) -> None:
        if self._bad > _ENOUGH_BAD_BYTES:
            return
        text = self._pending + block if self._pending else block
        cut = _UNFINISHED.search(text, max(0, len(text) - 3))
        self._pending = text[cut.start() :] if cut else b""
        self._count(text[: cut.start()] if cut else text)

    def verdict(self) -> Encoding | None:
        """UTF-8, all of it or most; None where it never was."""
        self._count(self._pending)
        if not self._bad:
            return Encoding("utf-8", evidence=Evidence(supporting=self._good))
        if self._good <= self._bad:
            return None
        return Encoding(
            MIXED,
            SettledBy.DEFAULT,
            Evidence(
                supporting=self._good,
                contradicting=self._bad,
                note="characters that are UTF-8, and bytes that are not",
            ),
        )

    def _count(self, text: bytes) -> None:
        if text.isascii():
            return
        if _is_utf8(text):
            self._good += int(np.count_nonzero(np.frombuffer(text, np.uint8) >= 0xC0))
            return
        escaped = text.decode("utf-8", "surrogateescape")
        self._bad += len(re.findall("[\udc80-\udcff]", escaped))
        self._good += len(re.findall("[^\0-\x7f\udc80-\udcff]", escaped))


class Sample:
    """The different cells of a text that are not ASCII, as bytes."""

    def __init__(self) -> None:
        self._cells: dict[bytes, None] = {}
        self._size = 0
        self._rest = b""

    def add(self, block: bytes, *, is_last: bool = False) -> None:
        """Look at the next block of the text; enough is enough."""
        if self._size > _SAMPLE_BYTES:
            return
        lines = (self._rest + block).split(b"\n")
        self._rest = b"" if is_last else lines.pop()[-_SAMPLE_BYTES:]
        for line in lines:
            if line.isascii():
                continue
            for cell in re.split(rb'[,;\t|\r"]', line):
                if not cell.isascii() and cell not in self._cells:
                    self._cells[cell] = None
                    self._size += len(cell)
            if self._size > _SAMPLE_BYTES:
                return

    def cells(self) -> list[bytes]:
        return list(self._cells)


def told_by_words(source: str, cells: Sequence[bytes]) -> Encoding:
    """The encoding in which cells that are no UTF-8 are the words of a language.

    :raises UsageError: there is none, or more than one; ``--encoding`` settles it.
    """
    joined = b"\n".join(cells)
    readings: dict[str, str] = {}
    for name, text in _readings(joined):
        readings.setdefault(text, name)  # where two read alike, either will do
    words = {text: _share_of_words(text, name) for text, name in readings.items()}
    fine = [text for text in readings if words[text] >= _LEAST_WORDS]
    if any(readings[text] not in _OLD for text in fine):
        fine = [text for text in fine if readings[text] not in _OLD]
    if len(fine) == 1:
        return Encoding(
            readings[fine[0]],
            evidence=Evidence(
                supporting=len(cells),
                example=fine[0].split("\n")[0].strip(),
                note="different cells that are not ASCII; in other encodings they are no words",
            ),
        )
    shown = fine or sorted(readings, key=lambda text: -words[text])
    western = next((text for text in shown if readings[text] == "windows-1252"), None)
    if not fine and western is not None and _is_mixed_western(western, readings):
        return Encoding(
            "windows-1252",
            SettledBy.DEFAULT,
            Evidence(
                supporting=len(cells),
                example=western.split("\n")[0].strip(),
                note="different cells that are not ASCII: words of several Western languages;"
                " no other encoding reads as words of one language",
            ),
        )
    samples = "; ".join(f"{readings[text]}: {_excerpt(text)}" for text in shown[:4])
    raise UsageError(
        f"{source}: the text is not UTF-8, and its encoding is not certain ({samples})",
        hint="choose the encoding that reads correctly, for example --encoding "
        + (readings[shown[0]] if shown else "windows-1252"),
    )


def _readings(cells: bytes) -> Iterator[tuple[str, str]]:
    """Each encoding that decodes the cells, with how they read in it; the usual ones first."""
    from charset_normalizer import from_bytes  # here: few exports need it

    for name in (*_LANGUAGES, *_EAST_ASIAN):
        try:
            yield name, cells.decode(_CODECS.get(name, name))
        except UnicodeDecodeError:
            continue
    for match in from_bytes(cells):
        yield match.encoding.replace("_", "-"), str(match)


def _share_of_words(text: str, encoding: str) -> float:
    """The share of the words with letters outside ASCII that one language explains; 0 where
    some cannot be words at all."""
    if _looks_broken(text):
        return 0.0
    letters = _foreign_letters(text)
    if encoding in _EAST_ASIAN:
        found = [letter for word in _words(text) for letter in word if not letter.isascii()]
        return sum(map(_EAST_ASIAN[encoding], found)) / max(1, len(found))
    alphabets = _LANGUAGES.get(encoding, ())
    explained = [sum(each <= set(alphabet) for each in letters) for alphabet in alphabets]
    return max(explained, default=0) / len(letters) if letters else float(bool(alphabets))


def _words(text: str) -> list[str]:
    """The words with characters outside ASCII."""
    return [word for word in _WORD.findall(text) if not word.isascii()]


def _looks_broken(text: str) -> bool:
    """Whether some of the words cannot be words at all."""
    words = _words(text)
    return any(map(_is_litter, text)) or sum(map(_is_odd, words)) > _MOST_ODD * len(words)


def _foreign_letters(text: str) -> list[set[str]]:
    """The letters outside ASCII of each word that has some, in lower case."""
    letters = (
        {letter.lower()[0] for letter in word if letter.isalpha() and not letter.isascii()}
        for word in _words(text)
    )
    return [each for each in letters if each]


def _is_mixed_western(text: str, readings: Mapping[str, str]) -> bool:
    """Whether each word of a text belongs to some Western language, and in no other encoding do
    most of the words belong to some language."""

    def share(text: str, encoding: str) -> float:
        if _looks_broken(text):
            return 0.0
        letters = _foreign_letters(text)
        alphabets = [set(alphabet) for alphabet in _LANGUAGES.get(encoding, ())]
        fitting = sum(any(each <= alphabet for alphabet in alphabets) for each in letters)
        return fitting / max(1, len(letters))

    rivals = [share(other, name) for other, name in readings.items() if other != text]
    own = share(text, readings[text])
    return own >= _LEAST_WORDS and max(rivals, default=0.0) <= _MOST_WORDS_OF_A_RIVAL


def _is_odd(word: str) -> bool:
    """Whether a run of letters and symbols cannot be a word, in any language."""
    letters = "".join(filter(str.isalpha, word))
    if not letters:
        return len(set(word)) > _MOST_SYMBOLS
    scripts = {unicodedata.name(letter, "?").split()[0] for letter in letters}
    if len(scripts) > 1 and not scripts <= _WRITTEN_TOGETHER:
        return True
    if any(map(_is_oddly_cased, _PARTS.split(word))):
        return True
    return bool(_SYMBOL_IN_WORD.search(word)) or "ς" in word[:-1]


def _is_oddly_cased(part: str) -> bool:
    """Whether capitals stand inside a part of a word, as in ``BÈla`` but not in ``O’Brien``."""
    letters = "".join(filter(str.isalpha, part))
    return letters.lower() != letters.upper() and not (
        letters.islower() or letters.isupper() or letters[1:].islower()
    )


def _is_litter(letter: str) -> bool:
    return letter != "\n" and unicodedata.category(letter) in ("Cc", "Cn", "Co")


def _is_kana(letter: str) -> bool:
    return "\u3000" <= letter <= "\u30ff"


def _leads(letter: str, standard: str, first: int, last: int) -> bool:
    """Whether a character is in these rows of a national standard."""
    try:
        return first <= letter.encode(standard)[0] <= last
    except UnicodeEncodeError:
        return False


def _excerpt(text: str) -> str:
    cells = [cell.strip() for cell in text.split("\n")[:2]]
    return " / ".join(cell if len(cell) <= 20 else cell[:19] + "…" for cell in cells)


def _told_by_zeros(first: bytes) -> str | None:
    """UTF-16 without its mark: of Western text, punctuation and digits every second byte is 0."""
    start = first[: 1 << 16]
    even, odd = start[::2].count(0), start[1::2].count(0)
    if 10 * max(even, odd) < len(start) // 2:
        return None
    if 10 * even < odd:
        return "utf-16-le"
    return "utf-16-be" if 10 * odd < even else None


#: The first bytes of a UTF-8 character at the end, fewer than it has (RFC 3629, section 3).
_UNFINISHED = re.compile(
    rb"(?:[\xc2-\xf4]|[\xe0-\xf4][\x80-\xbf]|[\xf0-\xf4][\x80-\xbf][\x80-\xbf])\Z"
)


def _is_utf8(text: bytes) -> bool:
    """Told by Arrow, which needs no decoded copy of the text to know."""
    bounds = pa.py_buffer(np.array([0, len(text)], dtype=np.int32))
    try:
        pa.StringArray.from_buffers(1, bounds, pa.py_buffer(text)).validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _as_windows_1252(error: UnicodeError) -> tuple[str, int]:
    """Decodes only the bytes that are no UTF-8; a codec's error handler."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start : error.end].decode("cp1252", "replace"), error.end


codecs.register_error("backfill-windows-1252", _as_windows_1252)
