"""What a cell says, without its wrapping: outer white space, blanks, Excel's text marker.

The common case costs no copy: a column without outer white space keeps its own buffers, and a
blank becomes a null by a new validity bitmap alone.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

#: Unicode's white space and the marks that show as nothing: byte order mark, zero-width space.
WHITE_SPACE = (
    "\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007"
    "\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000\ufeff\u200b"
)

#: Bytes that can begin or end a character of WHITE_SPACE; the ends of multi-byte ones included.
_MAYBE_WHITE = np.zeros(256, dtype=bool)
_MAYBE_WHITE[
    list({byte for char in WHITE_SPACE for byte in (char.encode()[0], char.encode()[-1])})
] = True
_APOSTROPHE = ord("'")


def clean(column: pa.StringArray, blanks: Collection[str] = ()) -> pa.StringArray:
    """Trim outer white space; what is left empty, or is one of ``blanks``, becomes null.

    Nothing inside a text is changed.
    """
    if len(column) == 0 or column.null_count == len(column):
        return column
    first, last, lengths = _edges(column)
    if (_MAYBE_WHITE[first] | _MAYBE_WHITE[last])[lengths > 0].any():
        trimmed = pc.utf8_trim(column, characters=WHITE_SPACE)
        if not pc.all(pc.equal(trimmed, column)).as_py():
            column = trimmed
            first, last, lengths = _edges(column)
    filled = lengths > 0
    if blanks:
        filled &= ~_among(column, blanks, first, lengths)
    return _nullify(column, filled)


def without_text_marker(column: pa.StringArray) -> pa.StringArray:
    """Drop the apostrophe that Excel users put before digits to keep them text: ``'00501``.

    Only where a digit, or a plus and a digit, follows: ``'s-Hertogenbosch`` is a name.
    """
    if len(column) == 0 or column.null_count == len(column):
        return column
    first, _, lengths = _edges(column)
    if not ((first == _APOSTROPHE) & (lengths > 0)).any():
        return column
    return pc.replace_substring_regex(column, r"^'(\+?[0-9])", r"\1")


def blank_to_null(column: pa.StringArray) -> pa.StringArray:
    """Empty texts become null; nothing is trimmed."""
    if len(column) == 0:
        return column
    return _nullify(column, np.diff(_offsets(column)) > 0)


def join_present(columns: Sequence[pa.StringArray], separator: str) -> pa.StringArray:
    """Join the texts of each row that are not null; empty where all are."""
    # Arrow 26 loses the rows whose texts are all null when it skips nulls: give those an empty one.
    absent = np.logical_and.reduce(
        [column.is_null().to_numpy(zero_copy_only=False) for column in columns]
    )
    first = pc.if_else(pa.array(absent), "", columns[0])
    return pc.binary_join_element_wise(first, *columns[1:], separator, null_handling="skip")


def one_line(text: str) -> str:
    """A text fit for one line of a terminal or a comment: what does not print becomes a blank."""
    return "".join(char if char.isprintable() else " " for char in text)


def _offsets(column: pa.StringArray) -> npt.NDArray[np.int32]:
    offsets = np.frombuffer(column.buffers()[1], dtype=np.int32)
    return offsets[column.offset : column.offset + len(column) + 1]


def _edges(
    column: pa.StringArray,
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8], npt.NDArray[np.int32]]:
    """The first byte, the last byte, and the length in bytes of each text.

    For an empty text the bytes are those of a neighbour: look at them only where there is length.
    """
    offsets = _offsets(column)
    data = column.buffers()[2]
    text = np.frombuffer(data, dtype=np.uint8) if data else np.zeros(0, dtype=np.uint8)
    if len(text) == 0:
        text = np.zeros(1, dtype=np.uint8)
    first = text[np.minimum(offsets[:-1], len(text) - 1)]
    last = text[np.maximum(offsets[1:] - 1, 0)]
    return first, last, np.diff(offsets)


def _among(
    column: pa.StringArray,
    words: Collection[str],
    first: npt.NDArray[np.uint8],
    lengths: npt.NDArray[np.int32],
) -> npt.NDArray[np.bool_]:
    """Which texts are one of ``words``; only those that could be are compared."""
    initials = np.zeros(256, dtype=bool)
    initials[[word.encode()[0] for word in words]] = True
    longest = max(len(word.encode()) for word in words)
    found = np.zeros(len(column), dtype=bool)
    places = np.flatnonzero((lengths > 0) & (lengths <= longest))
    places = places[initials[first[places]]]
    if len(places):
        hit = pc.is_in(column.take(pa.array(places)), value_set=pa.array(sorted(words)))
        found[places] = hit.to_numpy(zero_copy_only=False)
    return found


def _nullify(column: pa.StringArray, filled: npt.NDArray[np.bool_]) -> pa.StringArray:
    """The same texts in the same buffers, null where not ``filled``."""
    if filled.all():
        return column
    if column.null_count:
        filled = filled & column.is_valid().to_numpy(zero_copy_only=False)
    if not filled.any():
        return pa.nulls(len(column), pa.string())
    validity = pa.py_buffer(np.packbits(filled, bitorder="little"))
    _, offsets, data = column.buffers()
    width = 4  # bytes an offset
    offsets = offsets.slice(column.offset * width, (len(column) + 1) * width)
    return pa.StringArray.from_buffers(len(column), offsets, data, validity)
