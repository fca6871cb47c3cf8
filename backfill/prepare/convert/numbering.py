"""The numbering plans of ``phonenumbers``' metadata, asked for whole columns at once."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata

from backfill.prepare.convert.columns import Bools, matches, to_numpy

#: Calling codes that belong to countries. The others (800, 882, ...) are rare.
COUNTRY_CODES = frozenset(
    code for code, regions in COUNTRY_CODE_TO_REGION_CODE.items() if regions != ("001",)
)

_KINDS = (
    "fixed_line", "mobile", "toll_free", "premium_rate", "shared_cost",
    "voip", "personal_number", "pager", "uan", "voicemail",
)  # fmt: skip


class _Shape(NamedTuple):
    """What numbers of one kind look like."""

    pattern: str
    lengths: tuple[int, ...]

    def of(self, national: pa.StringArray) -> Bools:
        fits = to_numpy(matches(national, f"^(?:{self.pattern})$"))
        if self.lengths:
            lengths = pc.binary_length(national)
            fits &= to_numpy(pc.is_in(lengths, pa.array(self.lengths, lengths.type)))
        return fits


class Plan(NamedTuple):
    """How a region's numbers are made up and dialled. The patterns are for RE2, unanchored."""

    country_code: int
    leading: str | None
    """What its numbers begin with, for some of the regions that share a calling code."""
    prefix: str | None
    """What is dialled before a national number inside the country."""
    outward: str | None
    """What is dialled before a country code."""
    longest: int
    """Digits of its longest number."""
    general: _Shape
    kinds: tuple[_Shape, ...]


@cache
def plan(region: str) -> Plan:
    """The numbering plan of a region that ``phonenumbers`` supports."""
    metadata: Any = PhoneMetadata.metadata_for_region(region)
    general = metadata.general_desc
    descriptions = [getattr(metadata, kind) for kind in _KINDS]
    kinds = dict.fromkeys(
        _Shape(each.national_number_pattern, tuple(each.possible_length))
        for each in descriptions
        if each is not None and each.national_number_pattern
    )
    return Plan(
        country_code=metadata.country_code,
        leading=metadata.leading_digits,
        prefix=metadata.national_prefix_for_parsing or None,
        outward=metadata.international_prefix or None,
        longest=max((*general.possible_length, *general.possible_length_local_only)),
        general=_Shape(general.national_number_pattern, tuple(general.possible_length)),
        kinds=tuple(kinds),
    )


def main_region(country_code: int) -> str:
    """The region by whose rules numbers with this calling code are written."""
    return str(COUNTRY_CODE_TO_REGION_CODE[country_code][0])


def is_real(national: pa.StringArray, country_code: int) -> Bools:
    """What ``phonenumbers.is_valid_number`` says of national numbers, without nulls.

    Of the regions that share a calling code, a number belongs to the first whose leading digits it
    has (or, for a region that names none, of whose kinds it is), and must be of a kind there is.
    """
    regions = COUNTRY_CODE_TO_REGION_CODE[country_code]
    if len(regions) == 1:
        return _is_of_a_kind(national, regions[0])
    real = np.zeros(len(national), dtype=np.bool_)
    open_ = np.arange(len(national))
    for region in regions:
        left = national.take(pa.array(open_))
        leading = plan(region).leading
        known = _is_of_a_kind(left, region) if leading is None else _starts(left, leading)
        if not known.any():
            continue
        here = known if leading is None else _within(left, known, region)
        real[open_[here]] = True
        open_ = open_[~known]
    return real


def _starts(national: pa.StringArray, leading: str) -> Bools:
    return to_numpy(matches(national, f"^(?:{leading})"))


def _within(national: pa.StringArray, chosen: Bools, region: str) -> Bools:
    """Of the chosen numbers, those of a kind that the region has."""
    found = np.zeros(len(national), dtype=np.bool_)
    found[chosen] = _is_of_a_kind(national.filter(pa.array(chosen)), region)
    return found


def _is_of_a_kind(national: pa.StringArray, region: str) -> Bools:
    found = np.zeros(len(national), dtype=np.bool_)
    open_ = np.flatnonzero(plan(region).general.of(national))
    for kind in plan(region).kinds:
        if len(open_) == 0:
            break
        here = kind.of(national.take(pa.array(open_)))
        found[open_[here]] = True
        open_ = open_[~here]
    return found
