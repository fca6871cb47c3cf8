"""Shipping, tax and discounts in columns of their own that no total holds: named with their sum."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from backfill.checkpoint.decisions import Decision, Evidence, SettledBy
from backfill.prepare import convert
from backfill.prepare.amounts.sample import in_cents
from backfill.prepare.convert.cells import clean
from backfill.prepare.grouping.orders import one_array
from backfill.prepare.mapping import fields
from backfill.prepare.mapping.guess import charge_columns

_PRICES = ("item_each_price", "item_price")


@dataclass(frozen=True, slots=True)
class Charge:
    """What stands in one such column."""

    column: str
    kind: str
    """``shipping``, ``tax``, ``discount``, ``tip`` or ``fee``"""
    cents: int
    """the sum of all rows"""
    rows: int
    """those with an amount other than zero"""
    example: str

    @property
    def figures(self) -> str:
        """``tax of 1,234.50 in 12 rows``."""
        rows = "1 row" if self.rows == 1 else f"{self.rows:,} rows"
        return f"{self.kind} of {self.cents / 100:,.2f} in {rows}"


@dataclass(slots=True)
class ChargesLeftOut:
    """Gathers the charges of one source, batch by batch."""

    mapping: fields.Mapping
    kinds: Mapping[str, str]
    """the columns that are named like a charge, each with its kind"""
    _counts: dict[str, list[pa.StructArray]] = field(default_factory=dict)

    @classmethod
    def of(
        cls, mapping: fields.Mapping, columns: Sequence[str], in_prices: Collection[str]
    ) -> ChargesLeftOut:
        """The charges of a source whose orders have no total.

        :param in_prices: columns that the prices of the lines already hold.
        """
        used = {column for spec in mapping.specs.values() for column in spec.columns}
        named = charge_columns([name for name in columns if name not in {*used, *in_prices}])
        return cls(mapping, named if mapping.specs.keys() & set(_PRICES) else {})

    def add(self, batch: pa.Table) -> None:
        """Note what stands in the columns."""
        for name in self.kinds:
            text = clean(one_array(batch[name]), self.mapping.blank)
            self._counts.setdefault(name, []).append(text.drop_null().value_counts())

    def charges(self, but: Collection[str]) -> tuple[Charge, ...]:
        """Each column with an amount other than zero.

        :param but: columns that are proved to be in the prices of the lines.
        """
        return tuple(filter(None, (self._charge(name) for name in self._counts if name not in but)))

    def _charge(self, name: str) -> Charge | None:
        texts = pa.concat_arrays([part.field(0) for part in self._counts[name]])
        counts = np.concatenate([part.field(1).to_numpy() for part in self._counts[name]])
        cents = np.nan_to_num(in_cents(texts, convert.survey_numbers(texts).settle()))
        filled = np.flatnonzero(cents)
        if not len(filled):
            return None
        return Charge(
            column=name,
            kind=self.kinds[name],
            cents=int((cents * counts).sum()),
            rows=int(counts[filled].sum()),
            example=texts[int(filled[0])].as_py(),
        )


def decisions(label: str, charges: tuple[Charge, ...]) -> Iterator[Decision]:
    """That the charges of a source are left out."""
    for charge in charges:
        yield Decision(
            what="charge",
            source=label,
            column=charge.column,
            value="left out of the totals",
            settled_by=SettledBy.DEFAULT,
            evidence=Evidence(example=charge.example, note=charge.figures),
            override="--map total=COLUMN",
        )
