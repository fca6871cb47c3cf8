"""Rows below a header that no order is made of: blank ones, and those about the table itself."""

from __future__ import annotations

from collections.abc import Sequence

from backfill.checkpoint.decisions import Decision, Evidence, SettledBy

_IGNORED = "ignored row"


def ignored_row(source: str, row: int, example: str, why: str) -> Decision:
    """A row that was left out as no order."""
    return Decision(
        what=_IGNORED,
        source=source,
        column=None,
        value=f"row {row}",
        settled_by=SettledBy.PROOF,
        evidence=Evidence(supporting=1, example=example, row=row, note=why),
    )


def ignored_rows(decisions: Sequence[Decision]) -> list[int]:
    """The rows that a reader has left out, by number, as its decisions name them."""
    return sorted(
        one.evidence.row
        for one in decisions
        if one.what == _IGNORED and one.evidence.row is not None
    )


def blank_rows(source: str, count: int, first: int) -> Decision:
    """Blank rows between others, for whoever counts the rows of the file."""
    return Decision(
        what="blank rows",
        source=source,
        column=None,
        value="not counted as rows",
        settled_by=SettledBy.PROOF,
        evidence=Evidence(supporting=count, row=first, note="every cell of them is blank"),
    )
