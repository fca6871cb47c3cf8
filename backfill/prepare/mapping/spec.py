"""The SPEC of ``--map FIELD=SPEC``: where a field's text comes from.

    SPEC      = CHOICE | CHOICE | ...     the first that is not blank in a row; of an order's own
                                          values, the first that is not blank in any of its rows
    CHOICE    = a column's name, or a template
    TEMPLATE  = text with columns in braces: {Ship Address1}, {Ship City} {Ship Zip}

Blank columns leave no trace in a template: what separates two columns goes with the one that is
missing (of two separators that meet, the stronger stays: ", " before " "), brackets around a
column go with it, and a template whose columns are all blank is blank.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from backfill.errors import MappingError
from backfill.prepare.convert.cells import blank_to_null, join_present

_HINT = "write a column's name, several joined with |, or a template such as '{Street}, {City}'"

# Text between two columns: what closes the left one, what separates them, what opens the right.
_BETWEEN = re.compile(r"([)\]»”]*)(.*?)([(\[«“#]*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Part:
    """One column of a template, with the text that comes and goes with it."""

    column: str
    before: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True)
class Template:
    """Columns and what separates them: one separator fewer than there are parts."""

    parts: tuple[Part, ...]
    separators: tuple[str, ...] = ()

    def only(self, parts: Sequence[Part | None]) -> Template | None:
        """The template with ``parts`` for its own; those that are None are taken out."""
        kept: list[Part] = []
        separators: list[str] = []
        pending = ""
        for part, separator in zip(parts, ("", *self.separators), strict=True):
            pending = max(pending, separator, key=_strength)
            if part is None:
                continue
            if kept:
                separators.append(pending)
            kept.append(part)
            pending = ""
        return Template(tuple(kept), tuple(separators)) if kept else None

    def text(self, column: Callable[[str], pa.StringArray]) -> pa.StringArray:
        """The template's text in each row; null where all its columns are."""
        return _join([_wrapped(part, column(part.column)) for part in self.parts], self.separators)


class Chosen(NamedTuple):
    """A field's texts, and where they are from."""

    text: pa.StringArray
    """null where every choice is blank"""
    choice: pa.Int8Array
    """which of the choices the text is from; null for the first, and where there is no text"""


@dataclass(frozen=True, slots=True)
class Spec:
    """Where a field's text comes from; see the module's docstring."""

    choices: tuple[Template, ...]

    @classmethod
    def of_column(cls, name: str) -> Spec:
        """The spec that is one column, whatever characters its name has."""
        return cls((Template((Part(name),)),))

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that are named, each once, in their order."""
        names = (part.column for choice in self.choices for part in choice.parts)
        return tuple(dict.fromkeys(names))

    @property
    def single_columns(self) -> tuple[str, ...]:
        """The columns that are a choice by themselves, and no part of a template."""
        return tuple(
            choice.parts[0].column
            for choice in self.choices
            if choice.parts == (Part(choice.parts[0].column),)
        )

    def without(self, columns: Collection[str]) -> Spec | None:
        """The spec without the choices that are one of ``columns``; None where none is left."""
        kept = tuple(
            choice
            for choice in self.choices
            if len(choice.parts) > 1 or choice.parts[0].column not in columns
        )
        return Spec(kept) if kept else None

    def renamed(self, find: Callable[[str], str | None]) -> Spec | None:
        """The spec with each column as ``find`` names it; columns it does not know are left out.

        None where no column is left.
        """
        choices: list[Template] = []
        for choice in self.choices:
            names = [find(part.column) for part in choice.parts]
            kept = choice.only(
                [
                    None if name is None else Part(name, part.before, part.after)
                    for name, part in zip(names, choice.parts, strict=True)
                ]
            )
            if kept is not None and kept not in choices:
                choices.append(kept)
        return Spec(tuple(choices)) if choices else None

    def chosen(self, column: Callable[[str], pa.StringArray]) -> Chosen:
        """The field's text in each row.

        ``column`` gives a column's cleaned cells (blank is null) by name.
        """
        return first_filled([choice.text(column) for choice in self.choices])

    def whole(self, column: Callable[[str], pa.StringArray], part: Spec) -> Chosen:
        """The same, but a choice of which only a column of ``part`` is filled comes last.

        An address that is only a country says less than any other.
        """
        texts = [choice.text(column) for choice in self.choices]
        fuller = list(texts)
        for number, choice in enumerate(self.choices):
            for name in {each.column for each in choice.parts} & set(part.columns):
                bare = pc.fill_null(pc.equal(texts[number], column(name)), False)
                if len(choice.parts) > 1 and pc.any(bare).as_py():
                    fuller[number] = pc.if_else(bare, None, texts[number])
        if all(one is other for one, other in zip(fuller, texts, strict=True)):
            return first_filled(texts)
        found = first_filled([*fuller, *texts])
        places = pc.fill_null(found.choice, 0).to_numpy() % len(texts)
        return Chosen(found.text, pa.array(places, mask=places == 0))

    def __str__(self) -> str:
        return "|".join(_shown(choice) for choice in self.choices)


def first_filled(texts: Sequence[pa.StringArray]) -> Chosen:
    """The first of several texts that is not blank, row by row."""
    first, *others = texts
    if first.null_count == 0 or all(each.null_count == len(each) for each in others):
        return Chosen(first, pa.nulls(len(first), pa.int8()))
    blank = first.is_null().to_numpy(zero_copy_only=False)
    choice = np.zeros(len(first), dtype=np.int8)
    for number, each in enumerate(others, start=1):
        fills = blank & each.is_valid().to_numpy(zero_copy_only=False)
        choice[fills] = number
        blank &= ~fills
    return Chosen(pc.coalesce(first, *others), pa.array(choice, mask=choice == 0))


def parse_spec(text: str) -> Spec:
    """Read a SPEC.

    :raises MappingError: a brace without its partner, or nothing where a column should be.
    """
    return Spec(tuple(_parse_choice(choice, text) for choice in _split_choices(text)))


def _split_choices(text: str) -> list[str]:
    choices, depth, start = [], 0, 0
    for place, char in enumerate(text):
        if char == "{":
            depth += 1
        elif char == "}":
            depth -= 1
        elif char == "|" and depth == 0:
            choices.append(text[start:place])
            start = place + 1
        if depth not in (0, 1):
            raise MappingError(f"unbalanced braces in {text!r}", hint=_HINT)
    if depth:
        raise MappingError(f"unbalanced braces in {text!r}", hint=_HINT)
    return [*choices, text[start:]]


def _parse_choice(choice: str, text: str) -> Template:
    if "{" not in choice:
        name = choice.strip()
        if not name:
            raise MappingError(f"a column name is missing in {text!r}", hint=_HINT)
        return Template((Part(name),))
    literals_and_names = re.split(r"\{([^{}]*)\}", choice)
    literals, names = literals_and_names[::2], [name.strip() for name in literals_and_names[1::2]]
    if not all(names):
        raise MappingError(f"a column name is missing between the braces of {text!r}", hint=_HINT)
    befores, afters, separators = [literals[0].lstrip()], [], []
    for literal in literals[1:-1]:
        closing, separator, opening = _BETWEEN.fullmatch(literal).groups()  # type: ignore[union-attr]
        afters.append(closing)
        separators.append(separator)
        befores.append(opening)
    afters.append(literals[-1].rstrip())
    return Template(
        tuple(map(Part, names, befores, afters)),
        tuple(separators),
    )


def _shown(choice: Template) -> str:
    if choice.parts == (Part(choice.parts[0].column),):
        return choice.parts[0].column
    return "".join(
        f"{separator}{part.before}{{{part.column}}}{part.after}"
        for separator, part in zip(("", *choice.separators), choice.parts, strict=True)
    )


def _strength(separator: str) -> tuple[int, int]:
    """A separator with a mark in it (or a new line) outweighs one of blanks only."""
    return len(separator.replace(" ", "")), len(separator)


def _wrapped(part: Part, column: pa.StringArray) -> pa.StringArray:
    if not part.before and not part.after:
        return column
    return pc.binary_join_element_wise(part.before, column, part.after, "")


def _join(texts: Sequence[pa.StringArray], separators: Sequence[str]) -> pa.StringArray:
    """Join columns, weak separators first, so that what is missing takes its separator along."""
    if not separators:
        return texts[0]
    strongest = max(separators, key=_strength)
    cuts = [place + 1 for place, each in enumerate(separators) if each == strongest]
    groups = [
        _join(texts[start:end], separators[start : end - 1])
        for start, end in zip([0, *cuts], [*cuts, len(texts)], strict=True)
    ]
    return blank_to_null(join_present(groups, strongest))
