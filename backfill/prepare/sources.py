"""The sources of an import: each table of the exports with a reader and a mapping.

All headers are settled before the first row is read. Of an export that no platform fits, some rows
are looked at, so that what is only guessed has evidence from its values.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType

import pyarrow as pa

from backfill.errors import MappingError, UsageError
from backfill.job_folder.files import REJECTION_COLUMNS
from backfill.prepare.amounts.roles import propose
from backfill.prepare.mapping import fields, formats
from backfill.prepare.mapping.fits import misfits
from backfill.prepare.mapping.guess import Guess, guess
from backfill.prepare.mapping.status_columns import with_status_columns
from backfill.prepare.mapping.statuses import STATUS_FIELDS
from backfill.prepare.reading import sources as reading
from backfill.prepare.reading.fingerprint import sha256_of
from backfill.prepare.reading.table import SourceReader, to_arrow
from backfill.settings import ImportSettings

#: By any one of these an affiliate knows whose order it is.
CUSTOMER_FIELDS = ("profile_name", "profile_phone_number", "profile_email")


@dataclass(frozen=True, slots=True)
class MappedSource:
    """One table of an export, ready to be read."""

    reader: SourceReader
    format: formats.Format
    mapping: fields.Mapping
    guesses: Mapping[str, Guess]
    """the likeliest columns of fields that nobody has mapped"""
    items_only: bool
    kept: bool = False
    """it holds rows of earlier exports that are read again: see :mod:`fixed_rows`"""


def open_sources(
    settings: ImportSettings, known: Mapping[str, str], sha256: Callable[[Path], str]
) -> list[MappedSource]:
    """Open every export and settle which column is which field.

    :param known: labels of the job's earlier sources, with the SHA-256 of each.
    :raises MappingError: a column is missing, unknown or only guessed.
    :raises SourceError: a file cannot be read as a table.
    """
    sources = map_sources(open_readers(settings, known, sha256), settings)
    _require_customers(sources, settings)
    _require_affiliates(sources, settings)
    return sources


def open_readers(
    settings: ImportSettings,
    known: Mapping[str, str] = MappingProxyType({}),
    sha256: Callable[[Path], str] = sha256_of,
) -> list[tuple[SourceReader, bool]]:
    """A reader for each table of the exports, with whether it holds line items only.

    :raises UsageError: no export is given, or there is no such file.
    :raises SourceError: a file cannot be read as a table.
    """
    if not settings.exports:
        raise UsageError("no export was given", hint="name the files to import")
    readers: list[tuple[SourceReader, bool]] = []
    for paths, items_only in ((settings.exports, False), ((settings.items,), True)):
        given = [path for path in paths if path is not None]
        if given:
            found = reading.open_sources(
                given,
                sheet=settings.sheet,
                taken=known,
                knows=formats.header_score,
                sha256=sha256,
                encoding=settings.encoding,
                header_row=settings.header_row,
            )
            readers += [(reader, items_only) for reader in found]
    return readers


def map_sources(
    readers: Sequence[tuple[SourceReader, bool]], settings: ImportSettings, *, complete: bool = True
) -> list[MappedSource]:
    """Settle the columns of each source.

    :param readers: each with whether it holds line items only.
    :param complete: refuse a source that lacks a field, or leaves a guess undecided. Else the
        mappings hold the guesses, to be shown.
    """
    # --map and --mapping are about the columns of all sources; each source takes its own.
    everywhere = {column for reader, _ in readers for column in reader.table.columns}
    with_items = any(items_only for _, items_only in readers)
    sources = []
    for reader, items_only in readers:
        try:
            sources.append(
                _map_source(reader, settings, items_only, with_items, everywhere, complete)
            )
        except MappingError as exc:
            if len(readers) == 1:
                raise
            raise MappingError(f"{reader.table.source}: {exc.message}", hint=exc.hint) from None
    return sources


def _map_source(
    reader: SourceReader,
    settings: ImportSettings,
    items_only: bool,
    with_items: bool,
    everywhere: Collection[str],
    complete: bool,
) -> MappedSource:
    columns = reader.table.columns
    format = formats.recognise(columns, settings.format)
    build = partial(
        fields.build_mapping,
        format,
        columns,
        map=settings.map,
        mapping_file=settings.mapping,
        items=items_only,
        with_items=with_items,
        elsewhere=everywhere,
    )
    guesses: dict[str, Guess] = {}
    if settings.mapping is None and format.name in (formats.GENERIC, formats.UNKNOWN):
        rows = next(map(to_arrow, reader.batches()), None)
        unfit = {} if rows is None else misfits(rows, columns)
        build = partial(build, misfits=unfit)
        guesses = _guesses(reader, rows, unfit, settings)
        if rows is not None:
            as_guessed = build(guesses=guesses, accept_guesses=True, complete=False)
            guesses = propose(guesses, as_guessed, rows)
    elif settings.mapping is None:
        guesses = _missed(reader, format, build(complete=False), settings)
    mapping = build(
        guesses=guesses,
        accept_guesses=settings.accept_guesses or not complete,
        complete=complete,
    )
    return MappedSource(reader, format, mapping, guesses, items_only)


def _missed(
    reader: SourceReader,
    format: formats.Format,
    mapping: fields.Mapping,
    settings: ImportSettings,
) -> dict[str, Guess]:
    """What a platform's columns say and this export has in columns of other names, if anything."""
    without_status = not any(each in mapping.specs for each in STATUS_FIELDS)
    missed = {each for each in format.fields if each not in mapping.specs}
    if not (missed or without_status):
        return {}
    rows = next(map(to_arrow, reader.batches()), None)
    used = {column for spec in mapping.specs.values() for column in spec.columns}
    used |= {each.column for rule in mapping.rows for each in rule.when if each.column}
    if mapping.packed is not None:
        used.update(mapping.packed.columns)
    found = _guesses(reader, rows, (), settings, used)
    wanted = missed | (set(STATUS_FIELDS) if without_status else set())
    return {each: guess for each, guess in found.items() if each in wanted}


def _guesses(
    reader: SourceReader,
    rows: pa.Table | None,
    unfit: Collection[str],
    settings: ImportSettings,
    used: Collection[str] = (),
) -> dict[str, Guess]:
    """The likeliest columns by name and value.

    :param used: columns that the platform takes.
    """
    taken = {spec.strip() for _, spec in settings.map}
    columns = [column for column in reader.table.columns if column not in unfit]
    free = [
        column
        for column in reader.table.columns
        if (column not in fields.FIELDS or column in unfit)
        and column not in (*REJECTION_COLUMNS, *taken, *used)
    ]
    if not free:
        return {}
    key = next((spec.strip() for field, spec in settings.map if field == "reference_id"), None)
    if key is None and "reference_id" in reader.table.columns:
        key = "reference_id"
    found = guess(free, rows, key)
    if rows is not None:
        mapped = [*(field.strip() for field, spec in settings.map if spec.strip()), *columns]
        found = with_status_columns(found, rows, free, mapped)
    if (
        rows is not None
        and "currency" in found
        and _is_all(rows[found["currency"].spec], settings.currency)
    ):
        del found["currency"]  # it would say what the import says anyway
    return found


def _is_all(column: pa.ChunkedArray, code: str) -> bool:
    """Whether no value names another currency."""
    named = {(cell or "").strip().upper() for cell in column.unique().to_pylist()}
    return named <= {code, ""}


def _require_affiliates(sources: Sequence[MappedSource], settings: ImportSettings) -> None:
    """Refuse orders that name affiliates where nothing says which account each one has.

    :raises UsageError: ``--affiliates`` is missing.
    """
    if settings.affiliates or settings.connect_id or settings.user_id:
        return
    for source in sources:
        column = source.mapping.specs.get("affiliate")
        if column is not None and not {"connect_id", "user_id"} & set(source.mapping.specs):
            raise UsageError(
                f"{source.reader.table.source}: the orders name affiliates (column {column!r}),"
                " but nothing says which account each affiliate has",
                hint="give a list of them with --affiliates FILE (affiliate, connect_id), or one"
                " account for all orders with --connect-id ID",
            )


def _require_customers(sources: Sequence[MappedSource], settings: ImportSettings) -> None:
    """Refuse exports that name no customer anywhere, unless the user wants to go without.

    :raises MappingError: no column of an export is mapped to the customer.
    """
    if any(not spec.strip() for field, spec in settings.map if field in CUSTOMER_FIELDS):
        return
    for source in sources:
        mapped = source.mapping.specs
        if not source.items_only and not any(field in mapped for field in CUSTOMER_FIELDS):
            table = source.reader.table
            guesses = [
                source.guesses[field] for field in CUSTOMER_FIELDS if field in source.guesses
            ]
            column = guesses[0].spec if guesses else "COLUMN"
            raise MappingError(
                f"{table.source}: no column is mapped to the customer; the columns are "
                f"{', '.join(table.columns)}",
                hint=f"give --map 'profile_name={column}' (a customer number will do), or go "
                "without with --map profile_name=",
            )
