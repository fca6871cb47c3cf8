"""Exports in, order bodies out: whole columns at a time, and no network.

Each source is read twice. The first reading (:mod:`survey`) gathers what only the whole export
can tell; the second turns rows into fields, fields into orders, and orders into bodies, which go
into an :class:`~backfill.checkpoint.incoming.Incoming` that the job adopts when it is complete.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from backfill.checkpoint import ProblemRow, Source
from backfill.checkpoint.incoming import Incoming
from backfill.job_folder import kept_rows
from backfill.prepare.books import MoneyBooks, RowBooks, RowCounts
from backfill.prepare.decisions import decisions
from backfill.prepare.draft import Draft, draft
from backfill.prepare.drafting.by_source import Reading
from backfill.prepare.fixed_rows import Unsettled, with_kept_rows
from backfill.prepare.gathering import taken_rows
from backfill.prepare.grouping.keys import KeyPlan
from backfill.prepare.grouping.orders import take_once, whole_orders
from backfill.prepare.lanes import ahead, behind
from backfill.prepare.mapping import fields
from backfill.prepare.mapping.affiliates import Affiliates
from backfill.prepare.reading.fingerprint import sha256_of
from backfill.prepare.reading.left_out import blank_rows, ignored_rows
from backfill.prepare.settle import readings
from backfill.prepare.sources import open_sources
from backfill.prepare.survey import Surveyed, survey
from backfill.prepare.validation.rules import (
    CHARGE_LEFT_OUT,
    ENTITIES_LEFT,
    IGNORED_ROW,
    OF_SOURCES,
    SAME_NAME,
    UNUSED_COLUMN,
    severities,
)
from backfill.prepare.validation.statuses import StatusValues, settle
from backfill.prepare.validation.validate import Validated, validate
from backfill.prepare.validation.violations import Context
from backfill.progress import Progress, Stage
from backfill.settings import ImportSettings


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a preparation made; the import itself waits in ``incoming``."""

    incoming: Incoming
    rows: int
    affiliates: dict[str, str]
    """by account id, as ``--affiliates`` names them"""


def prepare(
    settings: ImportSettings,
    folder: Path,
    *,
    known: Mapping[str, str],
    progress: Progress,
    sha256: Callable[[Path], str] = sha256_of,
) -> Prepared:
    """Prepare every order of the exports, into a new import in the job folder.

    :param known: labels of the job's earlier sources, with the SHA-256 of each.
    :param sha256: tells a file's SHA-256, for whoever knows it already.
    :raises UsageError: an option, a mapping, a date order or the meaning of a status is missing
        or wrong.
    :raises SourceError: an export cannot be read.
    :raises StorageError: the job folder cannot be written.
    :raises BooksDoNotBalance: a row that was read is in no order and in no list.
    """
    severity = severities(settings.severities)
    affiliates = Affiliates.read(settings.affiliates)
    opened = open_sources(settings, known, sha256)
    sources, unsettled = with_kept_rows(opened, folder, settings)
    with progress.stage("reading", total=None, unit="rows") as stage:
        tables = [source.reader.table for source in sources]
        row_books = RowBooks({table.source: table.header_row for table in tables})
        surveyed, plan = survey(sources, folder, stage, row_books)
    read_as = readings(surveyed, settings)
    status_values = settle(surveyed, settings)
    rows = sum(one.rows for one in surveyed)
    incoming = Incoming(folder)
    try:
        with progress.stage("preparing", total=rows, unit="rows") as stage:
            batches = _batches(surveyed, folder, incoming, stage, row_books)
            chunks = _drafted(
                ahead(batches),
                plan,
                folder,
                read_as,
                affiliates,
                settings,
                row_books,
                status_values,
                unsettled,
            )

            def write(validated: Validated) -> None:
                row_books.placed(validated.orders)
                incoming.add_orders(validated.orders)
                incoming.add_problems(validated.problems)

            next_id = 1
            money_books = MoneyBooks()
            with behind(write) as hand_over, closing(ahead(chunks)) as drafts:
                for drafted, context in drafts:
                    money_books.add(drafted)
                    hand_over(validate(drafted, context, severity, next_id))
                    next_id += drafted.count
        counts = row_books.close()
        new = [one for one in surveyed if not one.kept]
        for one in new:
            _add_source(incoming, one, counts[one.table.source])
        incoming.expect(money_books.orders, money_books.cents)
        incoming.add_decisions(decisions(new, settings))
    except BaseException:
        incoming.discard()
        raise
    finally:
        for one in surveyed:
            if one.kept:  # all of its rows are kept in another file
                (folder / one.rows_file).unlink(missing_ok=True)
    return Prepared(incoming, rows, affiliates.by_account())


def _batches(
    surveyed: Sequence[Surveyed], folder: Path, incoming: Incoming, stage: Stage, books: RowBooks
) -> Iterator[pa.Table]:
    """The second reading: every row of an order in the fields that are mapped in any source."""
    mapped = {field for one in surveyed for field in one.mapping.specs}
    carried: list[str] = [field for field in fields.FIELDS if field in mapped]
    carried += [fields.COUNTRY, "flag", "_row", "_ragged"]
    choices = {field for one in surveyed for field in one.mapping.with_choices}
    for index, one in enumerate(surveyed):
        for batch in kept_rows.batches(folder, one.rows_file):
            rows, ignored = taken_rows(fields.apply(one.mapping, batch))
            if ignored.num_rows:
                books.ignored(index, np.unique(ignored["_row"].to_numpy()))
                incoming.add_problems(_ignored(ignored["_row"].to_pylist(), one.table.source))
            if one.mapping.of_fixed_rows:
                incoming.add_fixed_rows(_fixed_rows(rows, one.table.source))
            source = pa.array(np.full(rows.num_rows, index, dtype=np.int32))
            stage.advance(batch.num_rows)
            taken = rows.select(carried).append_column("_source", source)
            yield _with_choices(taken, rows, sorted(choices))


def _with_choices(taken: pa.Table, rows: pa.Table, several: Sequence[str]) -> pa.Table:
    """The rows with their columns of choices; where a source has no choice, it is the first."""
    only = pa.nulls(rows.num_rows, pa.int8())
    for name in map(fields.choice_column, several):
        choice = rows[name] if name in rows.column_names else only
        taken = taken.append_column(name, choice)
    return taken


def _ignored(rows: Sequence[int], source: str) -> list[ProblemRow]:
    """Rows that are no part of an order are named too, so that every row is accounted for."""
    message = ": ".join(OF_SOURCES[IGNORED_ROW])
    return [(IGNORED_ROW, "warning", None, 0, 1, source, row, None, None, message) for row in rows]


def _about_columns(one: Surveyed) -> Iterator[ProblemRow]:
    """Columns that are not used although they seem to matter, or that need a look."""
    found: list[tuple[str, int, str, str | None]] = [
        (CHARGE_LEFT_OUT, charge.rows, charge.column, charge.figures) for charge in one.charges
    ]
    found += [
        (UNUSED_COLUMN, one.rows, guess.spec, f"--map {field}={guess.spec}")
        for field, guess in one.mapping.unused.items()
    ]
    if one.entities is not None:
        found += [(ENTITIES_LEFT, rows, column, None) for column, rows in one.entities.left]
    if one.twins is not None:
        found += [(SAME_NAME, one.rows, column, None) for column in one.twins.differing]
    for rule, rows, column, value in found:
        message = ": ".join(OF_SOURCES[rule])
        yield (rule, "warning", None, 0, rows, one.table.source, None, column, value, message)


def _fixed_rows(rows: pa.Table, label: str) -> list[tuple[str, int, str, int]]:
    """Where rows stood that came back fixed, and where they stand now."""
    whole = rows.filter(pc.and_(rows["_fixed_source"].is_valid(), rows["_fixed_row"].is_valid()))
    return [
        (source, row, label, fixed_row)
        for source, row, fixed_row in zip(
            *(whole[name].to_pylist() for name in ("_fixed_source", "_fixed_row", "_row")),
            strict=True,
        )
    ]


def _drafted(
    batches: Iterator[pa.Table],
    plan: KeyPlan,
    folder: Path,
    read_as: Sequence[Reading],
    affiliates: Affiliates,
    settings: ImportSettings,
    books: RowBooks,
    statuses: Sequence[StatusValues],
    unsettled: Unsettled,
) -> Iterator[tuple[Draft, Context]]:
    """Rows to orders, and orders to converted columns; a chunk at a time."""
    moment = datetime.now(UTC).replace(microsecond=0)
    for orders in whole_orders(batches, plan, folder):
        taken, copies = take_once(orders, plan, unsettled.contradictory)
        if len(copies.repeated):
            books.copies(orders.rows, taken.rows)
        held_before = taken.first_rows_of(unsettled.held_back)
        held_back = np.union1d(plan.held_back(taken.rows), held_before)
        context = Context(settings, moment, statuses, *copies, held_back)
        yield draft(taken, read_as, affiliates, settings), context


def _add_source(incoming: Incoming, one: Surveyed, counts: RowCounts) -> None:
    """A source, with what is to be said of its rows and columns as a whole."""
    label = one.table.source
    incoming.add_source(_source(one, counts))
    incoming.add_problems(_ignored(ignored_rows(one.read), label))
    incoming.add_problems(_about_columns(one))
    if counts.first_blank is not None:
        one.read += (blank_rows(label, counts.blank, counts.first_blank),)


def _source(one: Surveyed, counts: RowCounts) -> Source:
    table = one.table
    return Source(
        source=table.source,
        path=str(table.path),
        sheet=table.sheet,
        sha256=table.sha256,
        format=one.mapping.format,
        rows=counts.read,
        details={
            "file": str(table.path.resolve()),
            "encoding": table.encoding,
            "delimiter": table.delimiter,
            "header_row": table.header_row,
            "columns": list(table.columns),
            "header": list(table.header),
            "mapping": {name: str(spec) for name, spec in one.mapping.specs.items()},
            "mapped_columns": {
                name: list(spec.columns) for name, spec in one.mapping.specs.items()
            },
            "not_personal": [
                *(charge.column for charge in one.charges),
                *(guess.spec for guess in one.mapping.unused.values()),
            ],
            "items_only": one.items_only,
            "of_fixed_rows": one.mapping.of_fixed_rows,
            "rows_file": one.rows_file,
            "rows_in_orders": counts.in_orders,
            "rows_ignored": counts.ignored,
            "rows_in_no_order": counts.in_no_order,
        },
    )
