"""What was decided while an export was read: each choice with its evidence and its way out."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Final

from backfill.checkpoint.store import Checkpoint

#: Decisions about some rows, which are counted; of others it is counted what agrees.
_ROWS: Final = frozenset({"status"})


class SettledBy(StrEnum):
    """What settled a decision, the strongest first."""

    OPTION = "option"
    MAPPING = "mapping"
    PLATFORM = "platform"
    PROOF = "proof"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What the data says about a decision."""

    supporting: int = 0
    """how many values, rows or orders agree with it"""
    contradicting: int = 0
    """how many do not"""
    example: str | None = None
    """one value as it stands in the source"""
    row: int | None = None
    """the row of the example, counted as a spreadsheet does"""
    note: str | None = None
    """one sentence, for what counts and an example do not tell"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One choice that was made while reading, such as the date order of a column."""

    what: str
    """``date order``, ``encoding``, ``field``, ...: the same words everywhere"""
    source: str | None
    """the source's label; None where it holds for all of them"""
    column: str | None
    """the column's name in the source; None where it holds for the whole source"""
    value: str
    settled_by: SettledBy
    evidence: Evidence = Evidence()
    override: str | None = None
    """the option that decides otherwise, as it is typed: ``--date-order dmy``"""

    @property
    def counts(self) -> str | None:
        """How much of the data agrees, in words; None where nothing was counted for it."""
        agree, tested = self.evidence.supporting, self.evidence.supporting
        tested += self.evidence.contradicting
        if not agree:
            return None
        if self.what in _ROWS:
            return "1 row" if agree == 1 else f"{agree:,} rows"
        return f"all {agree:,} agree" if agree == tested else f"{agree:,} of {tested:,} agree"


def decisions(checkpoint: Checkpoint) -> list[Decision]:
    """Every decision behind the orders of a job, in the order in which they were made."""
    rows = checkpoint.query(
        "SELECT what, source, column_name, value, settled_by, evidence, override"
        " FROM decisions ORDER BY id"
    )
    return [
        Decision(
            what=what,
            source=source,
            column=column,
            value=value,
            settled_by=SettledBy(settled_by),
            evidence=Evidence(**json.loads(evidence)),
            override=override,
        )
        for what, source, column, value, settled_by, evidence, override in rows
    ]


def as_rows(made: Iterable[Decision]) -> list[tuple[Any, ...]]:
    """Decisions as rows of the table ``decisions``, without ids."""
    return [
        (
            one.what,
            one.source,
            one.column,
            one.value,
            one.settled_by.value,
            json.dumps(asdict(one.evidence), ensure_ascii=False),
            one.override,
        )
        for one in made
    ]
