"""The best guess at the columns of an export that no platform fits, by their names and values.

A guess is shown, and used only where the user accepts it. Names, by language, are in
``names.toml``; :data:`_LOOKS` says what values must look like for a name to be believed.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import pyarrow as pa

from backfill.prepare.convert.currencies import NAMES
from backfill.prepare.mapping.spec import parse_spec

#: Rows of a sample that are looked at.
SAMPLE_ROWS = 500
#: The share of a column's values that must look right for its name to be believed.
_BELIEVED = 0.5
#: The share from which on values need no name: e-mail addresses look like nothing else.
_NEEDS_NO_NAME = 0.9
#: The share of the orders with several rows that may differ in what an order has once.
_MAY_DIFFER = 0.2

_LONGEST: Final = 200
"""Characters of a cell that are looked at."""

_NAMES: Final = Path(__file__).parent / "names.toml"
_LANGUAGES: Final = ("en", "de", "fr", "es", "pt", "it", "nl", "pl", "ja")
_LOOKS: Final[Mapping[str, re.Pattern[str] | None]] = {
    "key": None,
    "text": re.compile(r"[^\W\d_]"),
    "state": re.compile(r"[^\W\d_]{3}|[^\x00-\x7f]"),  # not "CA"
    "time": re.compile(
        r"\d{1,4}[-/. ]\d{1,2}[-/. ]\d{1,4}|\d{4} ?[年년]|"
        r"[^\W\d_]{3,}\.?[- ]\d|\d{1,2}[-. ]+(de )?[^\W\d_]{3}"
    ),
    "amount": re.compile(r"^\W*(?:[A-Za-z]{0,4}\W*)?\d[\d.,' \u00a0]*\W*(?:[A-Za-z]{3})?\W*$"),
    "number": re.compile(r"^-?\d+([.,]\d+)?$"),
    "email": re.compile(r"^[^@\s]+@[^@\s]+\.[^@\s]+$"),
    "phone": re.compile(r"^'?\+?[\d\s().\-/]{7,20}(?:x\d+)?$|^\d\.\d+E[+]?\d+$"),
    "currency": re.compile(r"^[A-Za-z]{3}$|^[$€£¥₹]$"),
    "zone": re.compile(r"^[A-Za-z]{2,5}$|/|^(UTC|GMT)?[-+]\d|Time\b"),
}
_ACCENTS: Final = re.compile("[\u0300-\u036f]")
_CLOCK: Final = re.compile(r"^\d{1,2}:\d\d")
_WORDS: Final = {
    "time": "dates",
    "amount": "amounts",
    "number": "numbers",
    "email": "e-mail addresses",
    "phone": "phone numbers",
    "currency": "currency codes",
    "zone": "time zones",
    "text": "text",
}


class Guess(NamedTuple):
    """A column for a field, as a SPEC, and why."""

    spec: str
    why: str


@dataclass(frozen=True, slots=True)
class _Field:
    names: Mapping[str, float]
    """each name as :func:`column_key` writes it, with its rank: 0 is the surest"""
    values: str
    """a key of :data:`_LOOKS`"""
    stands: str | None = None
    """``order``: the same on all rows of an order; ``line``: different on each; None: either"""


@cache
def column_key(name: str) -> str:
    """A column's name without what people change: case, accents, spaces, marks, letter forms."""
    bare = _ACCENTS.sub("", unicodedata.normalize("NFKD", name))
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", bare).casefold())


def guess(
    columns: Sequence[str], sample: pa.Table | None = None, key: str | None = None
) -> dict[str, Guess]:
    """The likeliest column for each field that any column fits.

    :param sample: some rows of text under the same names; None goes by the names alone.
    :param key: the column of the order key, where it is known.
    """
    seen = _Sample(columns, sample, key or _first_named(columns, "reference_id"))
    bids = sorted(
        (-worth, order, field, column, why)
        for order, field in enumerate(_fields())
        for column in columns
        for worth, why in [_worth(field, column, seen)]
        if worth > 0
    )
    found: dict[str, Guess] = {}
    taken: set[str] = set()
    for _, _, field, column, why in bids:
        if field not in found and column not in taken:
            found[field] = Guess(column, why)
            taken.add(column)
    for field, spec in _joined_columns(columns).items():
        if field not in found or seen.is_empty(found[field].spec) or found[field].spec in spec:
            found[field] = Guess(spec, "the names of its columns")
            parts = set(parse_spec(spec).columns)
            found = {name: each for name, each in found.items() if each.spec not in parts}
    if (date := found.get("created_at")) is not None:
        found["created_at"] = _with_clock(date, columns, seen)
    return {field: found[field] for field in _fields() if field in found}


def _with_clock(date: Guess, columns: Sequence[str], seen: _Sample) -> Guess:
    """The time of day from the column beside the date, where the date has none."""
    if seen.share(date.spec, re.compile(":")) != 0:
        return date
    for column in columns:
        named = _bare_key(column) in _content().parts["clock"]
        if named and (seen.share(column, _CLOCK) or 0) >= _NEEDS_NO_NAME:
            return Guess(f"{{{date.spec}}} {{{column}}}", f"{date.why}, and a time of day")
    return date


def charge_columns(columns: Sequence[str]) -> dict[str, str]:
    """The columns that are named like an amount beside the lines, with its kind (``shipping``)."""
    kinds = _content().charges
    return {column: kinds[key] for column in columns if (key := _bare_key(column)) in kinds}


def country_columns(columns: Sequence[str]) -> list[str]:
    """The columns that are named like the customer's country, the surest name first."""
    names = _content().parts["country"]
    keys = {column: key for column in columns if (key := column_key(column)) in names}
    return sorted(keys, key=lambda column: names.index(keys[column]))


@cache
def known_keys() -> frozenset[str]:
    """Every name that some field's column may have, as :func:`column_key` writes it."""
    content = _content()
    names = {name for field in content.fields.values() for name in field.names}
    return frozenset(names.union(*content.parts.values(), content.charges))


# --- names.toml ----------------------------------------------------------------------------------


class _Content(NamedTuple):
    fields: Mapping[str, _Field]
    parts: Mapping[str, Sequence[str]]
    charges: Mapping[str, str]
    """the kind of each charge, by the key of a column's name"""


@cache
def _content() -> _Content:
    content = tomllib.loads(_NAMES.read_text(encoding="utf-8"))
    listed = {field: _listed(entry) for field, entry in content["fields"].items()}
    return _Content(
        {name: _field(name, entry, listed) for name, entry in content["fields"].items()},
        {part: _keys(names) for part, names in content["parts"].items()},
        {key: kind for kind, names in content["charges"].items() for key in _keys(names)},
    )


def _fields() -> Mapping[str, _Field]:
    return _content().fields


def _field(
    name: str, entry: Mapping[str, Any], listed: Mapping[str, Mapping[str, float]]
) -> _Field:
    ranks = listed[name]
    own = column_key(name)
    if not any(own in others for field, others in listed.items() if field != name):
        ranks = {own: 0.0, **ranks}  # but "Item Price" is rather the price of one piece
    return _Field(ranks, entry["values"], entry.get("stands"))


def _listed(entry: Mapping[str, Any]) -> dict[str, float]:
    """The keys of the names of a field, each with its rank in its language."""
    ranks: dict[str, float] = {}
    for language in _LANGUAGES:
        names = _keys(entry.get(language, ()))
        for place, key in enumerate(names):
            ranks.setdefault(key, place / len(names))
    return ranks


def _keys(names: Sequence[str]) -> list[str]:
    return [column_key(name) for name in names]


def _bare_key(column: str) -> str:
    """The key of a column's name without its currency or a remark in brackets: ``Total (ARS)``."""
    bare = re.sub(r"\s*[(\[][^()\[\]]*[)\]]\s*$", "", column)
    last = re.search(r"[\s_]+([A-Z]{3})$", bare)
    if last is not None and last[1] in NAMES:
        bare = bare[: last.start()]
    return column_key(bare) or column_key(column)


def _first_named(columns: Sequence[str], field: str) -> str | None:
    ranks = _fields()[field].names
    named = [column for column in columns if _bare_key(column) in ranks]
    return min(named, key=lambda column: ranks[_bare_key(column)], default=None)


# --- values --------------------------------------------------------------------------------------


class _Sample:
    """Some values of each column, and whether they differ within an order."""

    def __init__(self, columns: Sequence[str], sample: pa.Table | None, key: str | None) -> None:
        self._cells: dict[str, list[str]] = {}
        if sample is not None:
            for column in columns:
                if column in sample.column_names:
                    cells = sample[column].slice(0, SAMPLE_ROWS).to_pylist()
                    # On a cell of 40,000 commas a pattern of amounts would take minutes.
                    self._cells[column] = [(cell or "").strip()[:_LONGEST] for cell in cells]
        self._keys = self._cells.get(key or "", [])
        if not self._keys and sample is not None and key in sample.column_names:
            self._keys = [cell or "" for cell in sample[key].slice(0, SAMPLE_ROWS).to_pylist()]

    def share(self, column: str, looks: re.Pattern[str] | None) -> float | None:
        """The share of the values that look so; None without values."""
        values = [cell for cell in self._cells.get(column, ()) if cell]
        if not values:
            return None
        return sum(looks is None or bool(looks.search(cell)) for cell in values) / len(values)

    def is_empty(self, column: str) -> bool:
        """Whether the sample has the column, and no value in it."""
        return column in self._cells and not any(self._cells[column])

    def differing(self, column: str) -> float | None:
        """The share of the orders with several values that differ; None where no order has."""
        of_orders: dict[str, list[str]] = {}
        for key, cell in zip(self._keys, self._cells.get(column, ()), strict=False):
            if key and cell:
                of_orders.setdefault(key, []).append(cell)
        several = [values for values in of_orders.values() if len(values) > 1]
        if not several:
            return None
        return sum(len(set(values)) > 1 for values in several) / len(several)


def _worth(name: str, column: str, seen: _Sample) -> tuple[float, str]:
    """How well a column fits a field (0: not at all), and why."""
    field = _fields()[name]
    share = seen.share(column, _LOOKS[field.values])
    looks = ""
    if share is not None and field.values in _WORDS:
        looks = f"{share:.0%} of its values are {_WORDS[field.values]}"
    rank = min(field.names.get(column_key(column), 9.0), field.names.get(_bare_key(column), 9.0))
    if rank > 1:
        alone = field.values == "email" and share is not None and share >= _NEEDS_NO_NAME
        return (0.5, looks) if alone else (0.0, "")
    if share is not None and share < _BELIEVED:
        return 0.0, ""
    differing = seen.differing(column)
    reasons = ["its name", looks]
    worth = 2.0 - rank - seen.is_empty(column)  # an empty column is hardly worth it
    if differing is not None and field.stands == "order":
        if differing > _MAY_DIFFER and field.values != "time":
            return 0.0, ""
        reasons.append("the same on every row of an order")
    elif differing is not None and field.stands == "line":
        worth += differing
        if differing > _MAY_DIFFER:
            reasons.append("different on the rows of an order")
    return worth, ", ".join(filter(None, reasons))


def _joined_columns(columns: Sequence[str]) -> dict[str, str]:
    """Fields whose text is in several columns, as templates."""
    by_key = {column_key(column): column for column in reversed(columns)}
    parts = _content().parts

    def named(part: str) -> str | None:
        return next((by_key[key] for key in parts[part] if key in by_key), None)

    found: dict[str, str] = {}
    first, last = named("first_name"), named("last_name")
    if first and last:
        found["profile_name"] = f"{{{first}}} {{{last}}}"
    street, city = named("street"), named("city")
    if street and city:
        between = {"street_2": ", ", "city": ", ", "state": ", ", "postcode": " ", "country": ", "}
        found["profile_shipping_address_raw"] = f"{{{street}}}" + "".join(
            f"{separator}{{{column}}}"
            for part, separator in between.items()
            if (column := named(part)) is not None
        )
    return found
