"""Personal data made unreadable, so that a report can be handed on.

What is personal is told by field: the mapping of each source says which columns hold a
customer's name, phone, e-mail or address. A column that is not mapped may hold anything, so it
counts as personal. What a text still shows is enough to find it again beside the export: first
letters, and the last three digits of a phone number.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from backfill.checkpoint import Source
from backfill.checkpoint.decisions import Decision
from backfill.report.figures import Problem

Kind = Literal["words", "phone", "email"]

PERSONAL_FIELDS: Mapping[str, Kind] = {
    "profile_name": "words",
    "profile_phone_number": "phone",
    "profile_email": "email",
    "profile_shipping_address_raw": "words",
}

_HIDDEN = "•••"
_WORD = re.compile(r"\w+")
_EMAIL = re.compile(r"[^\s@<>\"'(),;:]+@[^\s@<>\"'(),;:]+")
# Phone numbers in running text: with a plus, or with the punctuation that only phones have.
_PHONE = re.compile(
    r"(?<!\w)(?:\+\d[\d ().-]{6,}\d|\(\d{3}\) ?\d{3}-\d{4}|\d{3}[-.]\d{3}[-.]\d{4})(?!\w)"
)
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")


def mask(text: str, kind: Kind) -> str:
    """``Janet Smith`` as ``J••• S•••``, ``+18015556788`` as ``+••••••••788``."""
    if kind == "phone":
        return mask_phone(text)
    if kind == "email" and "@" in text:
        return mask_email(text)
    return _WORD.sub(lambda word: _initial(word[0]), text)


def mask_phone(text: str) -> str:
    """Every digit but the last three, and every letter."""
    hide = max(sum(char.isdigit() for char in text) - 3, 0)
    out = []
    for char in text:
        hidden = char.isalpha() or (char.isdigit() and hide > 0)
        hide -= char.isdigit()
        out.append("•" if hidden else char)
    return "".join(out)


def mask_email(text: str) -> str:
    """``janet@example.com`` as ``j•••@e•••.com``."""
    name, _, host = text.partition("@")
    domain, dot, top = host.rpartition(".")
    return f"{_initial(name)}@{_initial(domain or top)}{dot}{top if dot else ''}"


def scrub(text: str) -> str:
    """Running text without the e-mail addresses and phone numbers that stand in it."""
    without = _EMAIL.sub(lambda found: mask_email(found[0]), text)
    return _PHONE.sub(lambda found: mask_phone(found[0]), without)


def _initial(word: str) -> str:
    return (word[0] if word[:1].isalpha() else "") + _HIDDEN


@dataclass(frozen=True, slots=True)
class Privacy:
    """Decides what of a job a reader may see."""

    show: bool
    kinds: Mapping[str, Mapping[str, Kind | None]] = field(default_factory=dict)
    """by source, by column or SPEC: how to mask it; None: it may be seen"""

    @classmethod
    def of(cls, sources: Sequence[Source], *, show: bool) -> Privacy:
        """Everything in the open with ``show``, else masked by what the sources' mappings say."""
        return cls(show, {source.source: _kinds(source) for source in sources})

    def cell(self, source: str, column: str | None, text: str) -> str:
        """A value as it stands in a column of a source."""
        if self.show:
            return text
        kind = self._kind(source, column)
        return scrub(text) if kind is None else mask(text, kind)

    def message(self, problem: Problem) -> str:
        """What a problem says; it may quote values of its column."""
        if self.show:
            return problem.message
        kind = self._kind(problem.source, problem.column)
        if kind is None or problem.column is None:
            return scrub(problem.message)
        hidden = _QUOTED.sub(lambda quoted: mask(quoted[0], kind), problem.message)
        if problem.value:
            hidden = hidden.replace(problem.value, mask(problem.value, kind))
        return scrub(hidden)

    def example(self, decision: Decision) -> str | None:
        """The value that a decision shows as its example."""
        text = decision.evidence.example
        if text is None or decision.source is None or decision.column is None:
            return text
        return self.cell(decision.source, decision.column, text)

    def text(self, text: str) -> str:
        """Text of no known column, such as an answer of Shout."""
        return text if self.show else scrub(text)

    def body(self, body: dict[str, Any]) -> dict[str, Any]:
        """A request body, its personal fields masked."""
        if self.show:
            return body
        order = {
            name: mask(value, PERSONAL_FIELDS[name]) if name in PERSONAL_FIELDS else value
            for name, value in body.get("order", {}).items()
        }
        return {**body, "order": order}

    def _kind(self, source: str, column: str | None) -> Kind | None:
        if column is None:
            return "words"
        return self.kinds.get(source, {}).get(column, PERSONAL_FIELDS.get(column, "words"))


def _kinds(source: Source) -> dict[str, Kind | None]:
    """How to mask each column of a source, by its name, by its field and by its field's SPEC.

    Problems name the columns of a template one after another: ``Day, Clock``.
    """
    kinds: dict[str, Kind | None] = dict.fromkeys(source.details.get("not_personal", ()))
    mapped = source.details.get("mapped_columns", {})
    for name, spec in source.details.get("mapping", {}).items():
        kind = PERSONAL_FIELDS.get(name)
        columns = mapped.get(name, [])
        for key in (name, spec, ", ".join(columns), *columns):
            # A column that serves two fields is as private as the more private one.
            kinds[key] = kinds.get(key) or kind
    return kinds
