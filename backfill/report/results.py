"""``results.csv``: one row per order, for programs and for a look in a spreadsheet.

UTF-8 without a byte order mark, texts in quotes. A reference id, account or reason that a
spreadsheet would run as a formula gets an apostrophe in front, as a spreadsheet itself would put
it; every other text is as it is.
"""

from __future__ import annotations

from pathlib import Path

from backfill.checkpoint import Checkpoint
from backfill.job_folder.files import RESULTS
from backfill.report.writing import writing

COLUMNS = (
    "reference_id",
    "account_id",
    "state",
    "shout_order_id",
    "http_status",
    "reason",
    "source_file",
    "source_rows",
)

_CHUNK = 8192

#: Characters with which a formula begins: = + - @, a tab and a carriage return.
_FORMULA_STARTS = "61, 43, 45, 64, 9, 13"


def _text(column: str) -> str:
    """A column's text, never NULL, and nothing that a spreadsheet would run."""
    return (
        f"CASE WHEN {column} IS NULL THEN ''"
        f" WHEN unicode({column}) IN ({_FORMULA_STARTS}) THEN '''' || {column}"
        f" ELSE {column} END"
    )


def _lines(text: str) -> str:
    """SQL that counts some orders and writes their lines, each text by this format.

    SQLite itself writes them: it is twice as fast as rows that become Python objects first, and
    leaves the other core to whoever reads the figures.
    """
    return f"""
        SELECT count(*), CAST(group_concat(line, '') AS BLOB) FROM (
            SELECT printf('"{text}","{text}",%s,"{text}",%s,"{text}","{text}","{text}"\n',
                          {_text("reference_id")}, {_text("account_id")}, state,
                          {_text("shout_order_id")}, http_status, {_text("reason")},
                          source_file, source_rows) AS line
            FROM orders WHERE id > ? AND id <= ? ORDER BY id
        )
    """


_AS_IT_IS = _lines("%s")
#: Every quote in a text doubled, which takes SQLite a quarter longer.
_QUOTED = _lines("%w")
#: Quotes in a line that has none in its texts.
_QUOTES = 12


def write_results(folder: Path, checkpoint: Checkpoint) -> Path:
    """Write ``results.csv``: one row per order, in the order of appearance."""
    path = folder / RESULTS
    last = checkpoint.query("SELECT coalesce(max(id), 0) FROM orders").fetchone()[0]
    with writing(path) as file:
        file.write((",".join(COLUMNS) + "\n").encode())
        for start in range(0, last, _CHUNK):
            part = (start, start + _CHUNK)
            orders, lines = checkpoint.query(_AS_IT_IS, part).fetchone()
            if orders and lines.count(b'"') > orders * _QUOTES:
                _, lines = checkpoint.query(_QUOTED, part).fetchone()
            file.write(lines or b"")
    return path
