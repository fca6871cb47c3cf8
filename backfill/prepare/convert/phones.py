"""Phone numbers to E.164, as ``phonenumbers`` reads them, at the speed of patterns.

``phonenumbers`` costs some 50 microseconds a number. Its metadata holds all that it goes by, so
most numbers are settled here by kernels over whole columns, in the same steps: which country
calling code, what is left of the number, and is that in the country's numbering plan. Wherever a
step would need more than that, the number goes to ``phonenumbers`` itself.

A number counts as real if ``is_valid_number`` says so, not only ``is_possible_number``: the latter
looks at the length alone and takes (999) 999-9999.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from typing import NamedTuple

import numpy as np
import phonenumbers
import pyarrow as pa
import pyarrow.compute as pc

from backfill.errors import UsageError
from backfill.prepare.convert.columns import (
    Bools,
    Converted,
    Ints,
    Text,
    as_text,
    matches,
    none_of,
    on_distinct,
    to_numpy,
)
from backfill.prepare.convert.numbering import (
    COUNTRY_CODES,
    is_real,
    main_region,
    plan,
)
from backfill.prepare.convert.regions import region_of

# ASCII digits with the marks that phonenumbers passes over; an apostrophe is Excel's for text.
_PLAIN = r"^'?[ (]{0,2}\+?(?:[-(). /]{0,3}[0-9]){3,17}[-(). /]{0,3}$"


def phones(text: Text, region: str, countries: Text | None = None) -> Converted:
    """Phone numbers as ``+18015556788``; ``bad`` where it can't be a real number.

    A number without a country code is at home in its row's country, by code or name; in ``region``
    (ISO 3166, ``US``) where that is blank or not known. Extensions are left out, as E.164 has none.
    Raises UsageError for a region that there is not.
    """
    if region not in phonenumbers.SUPPORTED_REGIONS:
        raise UsageError(
            f"'{region}' is not a region that has phone numbers",
            hint="give --region an ISO 3166 code of two letters, such as US or DE",
        )
    column = as_text(text)
    if countries is None or countries.null_count == len(countries):
        return on_distinct(column, lambda values: _read(values, region))
    encoded = as_text(countries).dictionary_encode()
    regions = [region_of(name) or region for name in encoded.dictionary.to_pylist()]
    homes = pa.array([*regions, region]).take(pc.fill_null(encoded.indices, len(regions)))
    parts, places = [], []
    for home in homes.unique().to_pylist():
        rows = pc.indices_nonzero(pc.equal(homes, home))
        parts.append(on_distinct(column.take(rows), partial(_read, region=home)))
        places.append(rows.to_numpy())
    back = pa.array(np.argsort(np.concatenate(places)))
    return Converted(*(pa.concat_arrays(part).take(back) for part in zip(*parts, strict=True)))


def _read(text: pa.StringArray, region: str) -> Converted:
    number = _without_excel(text)
    values, settled = _by_plan(number, region)
    rest = pa.array(~settled)
    asked = [_by_library(each, region) for each in number.filter(rest).to_pylist()]
    values = pc.replace_with_mask(values, rest, pa.array(asked, pa.string()))
    return Converted(values, pc.and_(values.is_null(), text.is_valid()), none_of(text))


def _without_excel(text: pa.StringArray) -> pa.StringArray:
    """``8015556788.0`` and ``8.015556788E9``, which Excel made of a number, as it was.

    ``8.01556E+09``, as Excel shows a long number, has lost digits, and becomes null.
    """
    if pc.any(pc.ends_with(text, ".0"), min_count=0).as_py():
        text = pc.replace_substring_regex(text, r"^(\d{7,15})\.0$", r"\1")
    scientific = matches(text, r"^\d(?:\.\d+)?[eE]\+?\d{1,2}$")
    if not pc.any(scientific, min_count=0).as_py():
        return text
    written = [_written_out(each) for each in text.filter(scientific).to_pylist()]
    return pc.replace_with_mask(text, scientific, pa.array(written, pa.string()))


def _written_out(scientific: str) -> str | None:
    shows_all = len(scientific.upper().partition("E")[0]) > len("8.01556")
    value = Decimal(scientific)
    return format(value, "f") if shows_all and value == value.to_integral_value() else None


def _by_library(number: str | None, region: str) -> str | None:
    """What ``phonenumbers`` itself makes of a number."""
    if number is None:
        return None
    try:
        parsed = phonenumbers.parse(number, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(parsed):
        return None
    return str(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164))


def _by_plan(number: pa.StringArray, region: str) -> tuple[pa.StringArray, Bools]:
    """E.164 or null for each number, and which numbers are settled so."""
    found: list[pa.StringArray] = [pa.array([], pa.string())]
    where: list[Ints] = [np.array([], dtype=np.int64)]
    settled = np.zeros(len(number), dtype=np.bool_)
    for group in _by_country(number, region):
        rows, national, sure = _without_prefix(group)
        real = is_real(national, group.country_code)
        settled[rows[real | sure]] = True
        where.append(rows[real])
        country = f"+{group.country_code}"
        found.append(pc.binary_join_element_wise(country, national.filter(pa.array(real)), ""))
    place = np.full(len(number), -1, dtype=np.int64)
    at = np.concatenate(where)
    place[at] = np.arange(len(at))
    values = pa.concat_arrays(found).take(pa.array(place, mask=place < 0))
    return values, settled


class _Group(NamedTuple):
    """Numbers of one country."""

    rows: Ints
    """Where in the column they stand."""
    country_code: int
    region: str
    """The region by whose rules they are written."""
    national: pa.StringArray
    """What follows the country code, or all digits where there is none."""


def _by_country(number: pa.StringArray, region: str) -> Iterator[_Group]:
    """The plainly written numbers, by country."""
    plain = to_numpy(matches(number, _PLAIN))
    rows, number = np.flatnonzero(plain), number.filter(pa.array(plain))
    digits = _digits_of(number)
    home = plan(region)
    own_code = str(home.country_code)
    abroad = to_numpy(pc.match_substring(number, "+"))
    dialled_out = to_numpy(matches(digits, f"^(?:{home.outward or '$'})"))
    with_own_code = to_numpy(pc.starts_with(digits, own_code))

    local = ~abroad & ~dialled_out & ~with_own_code
    yield _Group(rows[local], home.country_code, region, digits.filter(pa.array(local)))

    # Too long for a national number, so the digits in front are the country's code.
    full = with_own_code & ~abroad & ~dialled_out
    full &= pc.binary_length(digits).to_numpy() > home.longest
    if home.prefix:
        full &= ~to_numpy(matches(digits, f"^{own_code}(?:{home.prefix})"))
    abroad |= full
    yield from _by_code(rows[abroad], digits.filter(pa.array(abroad)))


def _by_code(rows: Ints, digits: pa.StringArray) -> Iterator[_Group]:
    """Numbers that begin with a country code, by that. (No code is the beginning of another.)"""
    for length in (1, 2, 3):
        codes = pc.utf8_slice_codeunits(digits, 0, length).dictionary_encode()
        left = np.ones(len(rows), dtype=np.bool_)
        for place, code in enumerate(codes.dictionary.to_pylist()):
            if int(code) in COUNTRY_CODES and not code.startswith("0"):
                here = codes.indices.to_numpy() == place
                left &= ~here
                national = pc.utf8_slice_codeunits(digits.filter(pa.array(here)), length)
                yield _Group(rows[here], int(code), main_region(int(code)), national)
        rows, digits = rows[left], digits.filter(pa.array(left))


def _without_prefix(group: _Group) -> tuple[Ints, pa.StringArray, Bools]:
    """Rows, national numbers without the prefix that is dialled inside a country, and which of
    them are surely so. The others are so only if that makes a real number: (0) of +44 (0)20."""
    prefix = plan(group.region).prefix
    if prefix is None:
        return group.rows, group.national, np.ones(len(group.rows), dtype=np.bool_)
    prefixed = matches(group.national, f"^(?:{prefix})")
    sure = ~to_numpy(prefixed)
    if sure.all():
        return group.rows, group.national, sure
    if not prefix.isdigit():
        # More than a prefix: carrier codes, numbers written anew.
        return group.rows[sure], group.national.filter(pa.array(sure)), sure[sure]
    stripped = pc.utf8_slice_codeunits(group.national, len(prefix))
    return group.rows, pc.if_else(prefixed, stripped, group.national), sure


def _digits_of(text: pa.StringArray) -> pa.StringArray:
    """Only the digits of each value. (A replacing kernel takes four times as long.)"""
    _, ends, data = text.buffers()
    offsets = np.frombuffer(ends, dtype=np.int32)[text.offset : text.offset + len(text) + 1]
    letters = np.frombuffer(data or b"", dtype=np.uint8)[: offsets[-1]]
    kept = (letters >= ord("0")) & (letters <= ord("9"))
    before = np.zeros(len(kept) + 1, dtype=np.int32)
    np.cumsum(kept, out=before[1:])
    return pa.StringArray.from_buffers(
        len(text), pa.py_buffer(before[offsets]), pa.py_buffer(letters[kept])
    )
