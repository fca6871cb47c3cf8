"""HTML entities in texts: shops that escape names for their pages export them like that."""

from __future__ import annotations

import html
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from backfill.checkpoint.decisions import Decision, Evidence, SettledBy
from backfill.prepare.convert import text_bytes
from backfill.prepare.mapping.build import Mapping

_TEXT_FIELDS: Final = (
    "item_name", "profile_name", "profile_shipping_address_raw", "description",
)  # fmt: skip
_AMPERSAND: Final = text_bytes.wanted(b"&")
_ENTITY: Final = r"&(?:#\d{1,6}|#[xX][0-9a-fA-F]{1,5}|[a-zA-Z][a-zA-Z0-9]{1,30});"


@dataclass(slots=True)
class Entities:
    """Counts, for each column of texts, the values with entities and with a plain ampersand.

    A column is escaped where it has entities and no ampersand that is none.
    """

    columns: tuple[str, ...]
    _with_entities: dict[str, int] = field(default_factory=dict)
    _plain: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, mapping: Mapping) -> Entities:
        """For the text columns of a mapping."""
        specs = [mapping.specs[name] for name in _TEXT_FIELDS if name in mapping.specs]
        columns = [column for spec in specs for column in spec.columns]
        packed = () if mapping.packed is None else mapping.packed.columns
        return cls(tuple(dict.fromkeys((*columns, *packed))))

    def add(self, batch: pa.Table) -> None:
        """Count what the columns hold."""
        for name in self.columns:
            if name not in batch.column_names:
                continue
            for chunk in batch[name].chunks:
                held = text_bytes.holding(chunk, _AMPERSAND)
                if held.any():
                    self._count(name, chunk.filter(pa.array(held)))

    def _count(self, name: str, texts: pa.StringArray) -> None:
        without = pc.replace_substring_regex(texts, _ENTITY, "")
        escaped = pc.sum(pc.not_equal(without, texts)).as_py() or 0
        plain = pc.sum(pc.match_substring(without, "&")).as_py() or 0
        self._with_entities[name] = self._with_entities.get(name, 0) + escaped
        self._plain[name] = self._plain.get(name, 0) + plain

    @property
    def escaped(self) -> frozenset[str]:
        """The columns that prove to be escaped."""
        counts = self._with_entities.items()
        return frozenset(name for name, count in counts if count and not self._plain[name])

    @property
    def left(self) -> Iterator[tuple[str, int]]:
        """The columns whose entities stay, and the rows that have them."""
        for name, count in self._with_entities.items():
            if count and name not in self.escaped:
                yield name, count

    def decisions(self, label: str) -> Iterator[Decision]:
        """What becomes of each column with entities."""
        for name, count in self._with_entities.items():
            if count:
                yield Decision(
                    what="HTML entities",
                    source=label,
                    column=name,
                    value="decoded" if name in self.escaped else "left as they are",
                    settled_by=SettledBy.PROOF,
                    evidence=Evidence(supporting=count, contradicting=self._plain[name]),
                )


def decoded(column: pa.StringArray) -> pa.StringArray:
    """The texts with ``&amp;`` as ``&``; each distinct one is decoded once."""
    held = pa.array(text_bytes.holding(column, _AMPERSAND))
    encoded = column.filter(held).dictionary_encode()
    if not len(encoded):
        return column
    texts = pa.array([html.unescape(text) for text in encoded.dictionary.to_pylist()], pa.string())
    return pc.replace_with_mask(column, held, texts.take(encoded.indices))
