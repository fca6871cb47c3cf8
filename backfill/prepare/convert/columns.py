"""Columns of text as the converters take them, and the answer that they give."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

#: A column of text: trimmed, null where blank.
Text: TypeAlias = "pa.Array | pa.ChunkedArray"
Ints: TypeAlias = npt.NDArray[np.int64]
Bools: TypeAlias = npt.NDArray[np.bool_]


class Converted(NamedTuple):
    """A column that was text. All three are as long as the text was."""

    values: pa.Array
    """Null where the text was null or could not be read."""
    bad: pa.Array
    """bool: text was there and could not be read."""
    inexact: pa.Array
    """bool: the value had to be rounded."""


def as_text(text: Text) -> pa.StringArray:
    """The column as one plain array of strings."""
    whole = text.combine_chunks() if isinstance(text, pa.ChunkedArray) else text
    return whole if pa.types.is_string(whole.type) else whole.cast(pa.string())


def on_distinct(text: pa.StringArray, convert: Callable[[pa.StringArray], Converted]) -> Converted:
    """Convert each value once, however often the column repeats it."""
    encoded = text.dictionary_encode()
    done = convert(encoded.dictionary)
    if len(encoded.dictionary) == len(text):
        return done
    return Converted(
        values=done.values.take(encoded.indices),
        bad=pc.fill_null(done.bad.take(encoded.indices), False),
        inexact=pc.fill_null(done.inexact.take(encoded.indices), False),
    )


def matches(text: pa.StringArray, pattern: str) -> pa.BooleanArray:
    """Which values the RE2 pattern matches; false for a null."""
    return pc.fill_null(pc.match_substring_regex(text, pattern), False)


def none_of(text: pa.StringArray) -> pa.BooleanArray:
    """False for each value."""
    return pa.array(np.zeros(len(text), dtype=np.bool_))


def to_numpy(flags: pa.BooleanArray) -> Bools:
    """A column of booleans without nulls, for numpy."""
    return np.asarray(flags.to_numpy(zero_copy_only=False), dtype=np.bool_)


def figures(text: pa.StringArray) -> Ints:
    """Texts of figures only as numbers; 0 where there are none."""
    written = pc.if_else(pc.equal(text, ""), "0", text)
    return np.asarray(pc.fill_null(pc.cast(written, pa.int64()), 0).to_numpy(), dtype=np.int64)


def width(text: pa.StringArray) -> Ints:
    """Characters of each value, 0 for a null."""
    return np.asarray(pc.fill_null(pc.utf8_length(text), 0).to_numpy(), dtype=np.int64)


def first_of(text: pa.StringArray, flags: pa.BooleanArray) -> str | None:
    """The first value that is flagged, to show to a person."""
    at = pc.index(flags, True).as_py()
    return None if at < 0 else text[at].as_py()


def present(values: pa.Array) -> Bools:
    """Which values are there."""
    return np.asarray(values.is_valid().to_numpy(zero_copy_only=False))


def numbers(values: pa.Array) -> Ints:
    """A column of numbers for numpy; 0 for a null."""
    return np.asarray(pc.fill_null(values, 0).to_numpy(zero_copy_only=False))
