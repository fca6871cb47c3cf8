"""How the numbers and times of a source are written: evidence from rows, headers and options."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from backfill.errors import MappingError
from backfill.money import decimals
from backfill.prepare import convert
from backfill.prepare.grouping.orders import one_array
from backfill.prepare.mapping import fields
from backfill.settings import ImportSettings

#: Evidence by field.
Evidences = dict[str, convert.MarkEvidence]

#: The marks by the words of ``--decimal-mark``.
_MARKS: Mapping[str, convert.Mark] = {"point": ".", "comma": ","}


def look_at_numbers(evidences: Evidences, mapping: fields.Mapping, rows: pa.Table) -> None:
    """Add what some rows show of each column of numbers."""
    names: list[str] = [name for name in fields.NUMBER_FIELDS if name in mapping.specs]
    columns = {name: one_array(rows[name]) for name in names}
    seen = {name: convert.survey_numbers(text) for name, text in columns.items()}
    if any(evidence.undecided is not None for evidence in seen.values()):
        for name, proof in convert.prove_marks(columns).items():
            seen[name] |= proof
    for name, evidence in seen.items():
        evidences[name] = evidences.get(name, convert.MarkEvidence()) | evidence


def moved(evidences: Evidences, before: fields.Mapping, after: fields.Mapping) -> Evidences:
    """The evidence by the fields that its columns serve after their roles were settled."""
    of_column = {str(before.specs[name]): evidence for name, evidence in evidences.items()}
    return {
        name: of_column[str(spec)]
        for name, spec in after.specs.items()
        if name in fields.NUMBER_FIELDS and str(spec) in of_column
    }


def number_style(
    field: str, evidence: convert.MarkEvidence, mapping: fields.Mapping, settings: ImportSettings
) -> convert.NumberStyle:
    """The decimal mark of a column of amounts or quantities, and its unit."""
    cents = in_cents(field, mapping)
    is_money = field in fields.MONEY_FIELDS
    return evidence.settle(
        None if settings.decimal_mark is None else _MARKS[settings.decimal_mark],
        places=0 if cents else decimals(settings.currency),
        whole=cents or (is_money and not decimals(settings.currency)),
    )


def in_cents(field: str, mapping: fields.Mapping) -> bool:
    """Whether the header of a column of amounts says that they are cents."""
    columns = mapping.specs[field].columns
    return field in fields.MONEY_FIELDS and any(map(convert.holds_cents, columns))


def contradicted_cents(
    evidences: Evidences, mapping: fields.Mapping, label: str
) -> MappingError | None:
    """That a header says cents, and an amount below it has decimals."""
    for field, evidence in evidences.items():
        with_decimals = evidence.point or evidence.comma
        if with_decimals is not None and in_cents(field, mapping):
            return MappingError(
                f"{label}: column {mapping.column_of(field)!r} says cents, but has amounts with "
                f"decimals such as {with_decimals!r}",
                hint="rename the column if its amounts are not in cents",
            )
    return None


def header_currencies(mapping: fields.Mapping) -> dict[str, str]:
    """The currency, by field, that a column of amounts names in its header."""
    named: dict[str, str] = {}
    for field in fields.MONEY_FIELDS:
        if field in mapping.specs:
            for column in mapping.specs[field].columns:
                if (name := convert.currency_in_header(column)) is not None:
                    named[field] = name
    return named


def header_zone(field: str, mapping: fields.Mapping) -> str | None:
    """The time zone that a column of times names in its header."""
    spec = mapping.specs.get(field)
    columns = () if spec is None else spec.columns
    return next(filter(None, map(convert.zone_in_header, columns)), None)
