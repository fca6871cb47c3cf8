"""Which platform an export comes from, told by its columns.

A platform is one TOML file in ``platforms/``: adding one takes a file and a golden test, no code.
``platforms/README.md`` says what may stand in such a file; a file for ``--mapping`` has the same
form.
"""

from __future__ import annotations

import difflib
import fnmatch
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

from backfill.errors import MappingError, UsageError
from backfill.prepare.mapping.guess import column_key, known_keys
from backfill.prepare.mapping.statuses import Meaning, status_key

PLATFORMS = Path(__file__).parent / "platforms"
#: What holds for every platform: words that mean a blank, rows that are no orders.
COMMON = "common"
GENERIC = "generic"
UNKNOWN = "unknown"


#: A header with this share of a platform's columns, but not all that it needs, is told of it.
ALMOST = 0.6

OrderValues = Literal["first_row", "repeated", "zero_on_rest"]
_ORDER_VALUES: Final = ("first_row", "repeated", "zero_on_rest")
#: Where the order key stands: on an order's first row only, or on every row.
OrderKey = Literal["first_row", "every_row"]
_ORDER_KEYS: Final = ("first_row", "every_row")
_CONDITION_KEYS: Final = ("field", "column", "values", "pattern", "blank")
_SECTIONS: Final = {
    "": ("name", "title", "order_values", "order_key", "blank", "in_prices"),
    "recognise": ("required", "telling"),
    "aliases": None,
    "fields": None,
    "statuses": None,
    "rows": ("flag", "why", "when", "no_item"),
    "packed": ("columns", "between_items", "first", "between_parts", "part", "is", "fields"),
}


@dataclass(frozen=True, slots=True)
class Condition:
    """What a row must show: a field's or a column's text is among values, matches, or is blank."""

    field: str | None
    column: str | None
    values: frozenset[str] = frozenset()
    """lower case"""
    pattern: str | None = None
    blank: bool | None = None


@dataclass(frozen=True, slots=True)
class RowRule:
    """Rows that are no orders, or that reject theirs.

    ``flag`` is ``ignored_row``, or the rule that speaks of the row; None where nothing needs to be
    said. With ``no_item`` the line item is left out, and the order's values stay.
    """

    flag: str | None
    why: str
    when: tuple[Condition, ...]
    no_item: bool = False


@dataclass(frozen=True, slots=True)
class Packed:
    """How several line items stand in one cell: ``name:Tea|quantity:2;name:Milk|quantity:1``."""

    columns: tuple[str, ...]
    """names or patterns (``line_item_*``)"""
    between_items: str
    """a pattern; empty where a cell holds one item"""
    first: str
    """a pattern for the name of the part that an item begins with"""
    between_parts: str
    part: str
    """a pattern that a part's name matches"""
    sign: str
    """what stands between a part's name and its value"""
    fields: Mapping[str, str]
    """the part that each field is from; of several joined with ``|``, the first not blank"""


@dataclass(frozen=True, slots=True)
class Format:
    """One platform's export: how it is recognised, and what its columns mean."""

    name: str
    title: str
    required: tuple[str, ...] = ()
    telling: tuple[str, ...] = ()
    aliases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict)
    """each field's SPEC, as text"""
    order_values: OrderValues = "repeated"
    order_key: OrderKey | None = None
    """None: the export itself has to prove it"""
    blank: frozenset[str] = frozenset()
    in_prices: tuple[str, ...] = ()
    """columns of discounts and taxes that the prices of the lines already hold"""
    rows: tuple[RowRule, ...] = ()
    statuses: Mapping[str, Meaning] = field(default_factory=dict)
    """what its status values mean, by :func:`status_key`"""
    packed: Packed | None = None

    def score(self, keys: frozenset[str]) -> float:
        """How surely a header with these column keys is this platform's.

        0: not at all, a column that it needs is not there. From 1 on: all of them are; the part
        after the point is the share of its telling columns.
        """
        if not self.required or not all(self._has(column, keys) for column in self.required):
            return 0.0
        telling = [self._has(column, keys) for column in self.telling]
        return 1.0 + 0.99 * (sum(telling) / len(telling) if telling else 0.0)

    def likeness(self, columns: Sequence[str]) -> float:
        """The share of this platform's columns that are among ``columns``."""
        keys = frozenset(map(column_key, columns))
        either = [self._has(column, keys) for column in (*self.required, *self.telling)]
        return sum(either) / len(either) if either else 0.0

    def missing(self, columns: Sequence[str]) -> tuple[str, ...]:
        """The columns that this platform needs and that are not among ``columns``."""
        keys = frozenset(map(column_key, columns))
        return tuple(column for column in self.required if not self._has(column, keys))

    def _has(self, column: str, keys: frozenset[str]) -> bool:
        return any(column_key(name) in keys for name in (column, *self.aliases.get(column, ())))


def recognise(columns: Sequence[str], name: str | None = None) -> Format:
    """The format of an export with these columns, or the one that ``name`` asks for.

    The contract's own names go first, then the platform that most surely fits. A header that
    nothing fits gets the format ``unknown``, which maps only columns with the contract's names.

    :raises UsageError: there is no format called ``name``.
    """
    if name is not None:
        return by_name(name)
    keys = frozenset(map(column_key, columns))
    generic = by_name(GENERIC)
    if all(column in columns for column in generic.required):
        return generic
    best = max(platforms(), key=lambda each: each.score(keys))
    return best if best.score(keys) > 0 else unknown()


def nearest(columns: Sequence[str]) -> Format | None:
    """The platform that an export resembles without having all the columns that it needs."""
    best = max(platforms(), key=lambda each: each.likeness(columns))
    return best if best.likeness(columns) >= ALMOST else None


def header_score(columns: Sequence[str]) -> float:
    """How surely a row of texts is the header of orders: 0 is no idea, 1 is a known platform's.

    Below 0.5 it is half the share of its cells that are names columns have.
    """
    keys = [key for key in map(column_key, columns) if key]
    all_keys = frozenset(keys)
    # The contract's own names go first: they need no platform's file to be read.
    if by_name(GENERIC).score(all_keys) or any(each.score(all_keys) for each in platforms()):
        return 1.0
    known = sum(key in _known_keys() for key in keys)
    if not known:  # as in a row of data
        return 0.0
    return _likeness(columns) or 0.5 * known / len(keys)


def _likeness(columns: Sequence[str]) -> float:
    """How near the columns come to a platform's, from :data:`ALMOST` on."""
    near = nearest(columns)
    return 0.0 if near is None else near.likeness(columns)


@cache
def _known_keys() -> frozenset[str]:
    names: set[str] = set()
    for each in (by_name(GENERIC), *platforms()):
        names.update(each.required, each.telling, *each.aliases.values())
    return known_keys() | frozenset(map(column_key, names))


@cache
def platforms() -> tuple[Format, ...]:
    """All platforms that come with backfill, by name; neither generic nor unknown."""
    return tuple(by_name(name) for name in names() if name != GENERIC)


@cache
def names() -> tuple[str, ...]:
    """What ``--format`` takes."""
    return tuple(sorted(path.stem for path in PLATFORMS.glob("*.toml") if path.stem != COMMON))


@cache
def by_name(name: str) -> Format:
    """The format called ``name``.

    :raises UsageError: there is none.
    """
    if name == UNKNOWN:
        return unknown()
    if name not in names():
        close = difflib.get_close_matches(name.lower(), names(), n=1)
        meant = f"did you mean {close[0]!r}? " if close else ""
        raise UsageError(
            f"there is no format {name!r}", hint=f"{meant}the formats are {', '.join(names())}"
        )
    return load(PLATFORMS / f"{name}.toml")


@cache
def unknown() -> Format:
    """The format of a header that nothing fits: columns with the contract's names, nothing else."""
    return replace(by_name(GENERIC), name=UNKNOWN, title="not a known platform")


def load(path: Path) -> Format:
    """Read a platform's file, or a mapping file; :data:`COMMON` is added to it.

    :raises MappingError: the file cannot be read, or has something in it that means nothing.
    """
    text = _read(path)
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        raise MappingError(f"{path}: is not valid TOML: {exc}", hint="fix that line") from exc
    own = _Reader(path).format(content)
    if path == PLATFORMS / f"{COMMON}.toml":
        return own
    common = load(PLATFORMS / f"{COMMON}.toml")
    return replace(own, blank=own.blank | common.blank, rows=common.rows + own.rows)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as exc:
        raise MappingError(
            f"{path}: there is no such mapping file",
            hint="'backfill inspect EXPORT --write-mapping FILE' writes one",
        ) from exc
    except (OSError, UnicodeDecodeError) as exc:
        raise MappingError(
            f"{path}: the mapping file cannot be read ({exc})",
            hint="check the permissions of the file, and save it as UTF-8",
        ) from exc


class _Reader:
    """Turns a platform's TOML into a :class:`Format`; every complaint names the file and place."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def format(self, content: Mapping[str, Any]) -> Format:
        known = (*(_SECTIONS[""] or ()), *filter(None, _SECTIONS))
        self._only(known, content, "the file")
        recognise = self._table(content, "recognise")
        order_values = content.get("order_values", "repeated")
        if order_values not in _ORDER_VALUES:
            raise self._wrong(
                f"order_values is {order_values!r}", f"it is one of {', '.join(_ORDER_VALUES)}"
            )
        order_key = content.get("order_key")
        if order_key not in (None, *_ORDER_KEYS):
            raise self._wrong(
                f"order_key is {order_key!r}", f"it is one of {', '.join(_ORDER_KEYS)}"
            )
        packed = self._table(content, "packed")
        name = self._text(content, "name", self._path.stem)
        return Format(
            name=name,
            title=self._text(content, "title", name),
            required=self._texts(recognise, "required"),
            telling=self._texts(recognise, "telling"),
            aliases={
                column: self._texts({column: others}, column)
                for column, others in self._table(content, "aliases").items()
            },
            fields={
                each: self._text({each: spec}, each, "")
                for each, spec in self._table(content, "fields").items()
            },
            order_values=order_values,
            order_key=order_key,
            blank=frozenset(self._texts(content, "blank")),
            in_prices=self._texts(content, "in_prices"),
            statuses={
                status_key(value): self._meaning(value, meaning)
                for value, meaning in self._table(content, "statuses").items()
            },
            rows=tuple(map(self._row_rule, self._tables(content, "rows"))),
            packed=self._packed(packed) if packed else None,
        )

    def _row_rule(self, rule: Mapping[str, Any]) -> RowRule:
        no_item = rule.get("no_item", False)
        flag = self._text(rule, "flag", "")
        when = tuple(map(self._condition, self._tables(rule, "when")))
        if not when or not (flag or no_item):
            raise self._wrong(
                "a [[rows]] entry is not complete",
                "it has `when`, a list of conditions, and `flag` or `no_item = true` or both",
            )
        return RowRule(flag or None, self._text(rule, "why", ""), when, bool(no_item))

    def _meaning(self, value: str, meaning: object) -> Meaning:
        if meaning not in [each.value for each in Meaning]:
            raise self._wrong(
                f"[statuses] says {meaning!r} of {value!r}", f"it is one of {', '.join(Meaning)}"
            )
        return Meaning(str(meaning))

    def _condition(self, condition: Mapping[str, Any]) -> Condition:
        self._only(_CONDITION_KEYS, condition, "a condition of [[rows]]")
        tests = [key for key in ("values", "pattern", "blank") if key in condition]
        if len(tests) != 1 or ("field" in condition) == ("column" in condition):
            raise self._wrong(
                f"the condition {dict(condition)} is not complete",
                "it has either `field` or `column`, and one of `values`, `pattern`, `blank`",
            )
        pattern = self._text(condition, "pattern", "") or None
        if pattern is not None:
            self._check_pattern(pattern)
        return Condition(
            field=self._text(condition, "field", "") or None,
            column=self._text(condition, "column", "") or None,
            values=frozenset(each.lower() for each in self._texts(condition, "values")),
            pattern=pattern,
            blank=condition.get("blank"),
        )

    def _packed(self, packed: Mapping[str, Any]) -> Packed:
        part = self._text(packed, "part", r"\w+")
        between_items = self._text(packed, "between_items", "")
        first = self._text(packed, "first", r"\w+")
        for pattern in (part, between_items, first):
            self._check_pattern(pattern)
        return Packed(
            columns=self._texts(packed, "columns"),
            between_items=between_items,
            first=first,
            between_parts=self._text(packed, "between_parts", "|"),
            part=part,
            sign=self._text(packed, "is", ":"),
            fields={
                each: self._text({each: name}, each, "")
                for each, name in self._table(packed, "fields").items()
            },
        )

    def _check_pattern(self, pattern: str) -> None:
        try:
            re.compile(pattern)
        except re.error as exc:
            raise self._wrong(f"{pattern!r} is not a pattern: {exc}", "fix it") from exc

    def _only(self, known: Sequence[str], table: Mapping[str, Any], where: str) -> None:
        for key in table:
            if key not in known:
                close = difflib.get_close_matches(key, known, n=1)
                raise self._wrong(
                    f"{where} has {key!r}, which means nothing here",
                    f"did you mean {close[0]!r}?" if close else f"known are {', '.join(known)}",
                )

    def _table(self, table: Mapping[str, Any], key: str) -> Mapping[str, Any]:
        found = table.get(key, {})
        if not isinstance(found, dict):
            raise self._wrong(f"{key!r} is not a table", f"write [{key}] above its lines")
        known = _SECTIONS.get(key)
        if known is not None:
            self._only(known, found, f"[{key}]")
        return found

    def _tables(self, table: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
        found = table.get(key, [])
        if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
            raise self._wrong(f"{key!r} is not a list of tables", f"write [[{key}]] above each")
        known = _SECTIONS.get(key)
        for each in found if known is not None else ():
            self._only(known or (), each, f"[[{key}]]")
        return found

    def _text(self, table: Mapping[str, Any], key: str, default: str) -> str:
        found = table.get(key, default)
        if not isinstance(found, str):
            raise self._wrong(f"{key!r} is {found!r}, not a text", "put it in quotes")
        return found

    def _texts(self, table: Mapping[str, Any], key: str) -> tuple[str, ...]:
        found = table.get(key, [])
        if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
            raise self._wrong(f"{key!r} is not a list of texts", 'write it as ["a", "b"]')
        return tuple(found)

    def _wrong(self, message: str, hint: str) -> MappingError:
        return MappingError(f"{self._path}: {message}", hint=hint)


def matching(columns: Sequence[str], patterns: Sequence[str]) -> tuple[str, ...]:
    """The columns that match one of ``patterns`` (``line_item_*``), in the order of the columns."""
    keys = [(column, column.casefold()) for column in columns]
    return tuple(
        column
        for column, key in keys
        if any(fnmatch.fnmatchcase(key, pattern.casefold()) for pattern in patterns)
    )
