"""Every choice that was made while an export was read, collected in one place.

A choice is a :class:`~backfill.checkpoint.decisions.Decision`: what was chosen, who settled it,
what the data says for and against it, and the option that decides otherwise. ``pipeline`` stores
the list, ``inspect`` prints it, and the reports show it under "How this export was read".

To have a choice shown, write a function ``(source: ReadSource, settings: ImportSettings) ->
Iterator[Decision]`` in the room that makes the choice, or below, and list it in
:data:`OF_A_SOURCE` (choices about one table of an export) or :data:`OF_THE_IMPORT` (choices that
hold for all of them). Where the evidence is gathered in the first reading, keep it in
:class:`~backfill.prepare.survey.Surveyed`. Examples never hold personal data: leave out names,
phone numbers, e-mail and street addresses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, Protocol

from backfill.checkpoint.decisions import Decision, Evidence, SettledBy
from backfill.money import decimals
from backfill.prepare import convert
from backfill.prepare.amounts import charges, roles
from backfill.prepare.column_styles import header_currencies, header_zone, in_cents, number_style
from backfill.prepare.grouping import keyless
from backfill.prepare.mapping import fields, formats
from backfill.prepare.mapping.entities import Entities
from backfill.prepare.reading.table import SourceTable
from backfill.prepare.validation import statuses
from backfill.prepare.validation.statuses import StatusCounts
from backfill.settings import ImportSettings, not_default

_DELIMITERS: Final = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}
_ORDER_VALUES: Final = {
    "first_row": "on the first row of each order",
    "repeated": "on every row of the order",
    "zero_on_rest": "on the first row of each order; 0 on the others is blank",
}


class ReadSource(Protocol):
    """One table of an export after it was read for evidence."""

    @property
    def table(self) -> SourceTable: ...

    @property
    def mapping(self) -> fields.Mapping: ...

    @property
    def times(self) -> Mapping[str, convert.TimeEvidence]: ...

    @property
    def numbers(self) -> Mapping[str, convert.MarkEvidence]: ...

    @property
    def items_only(self) -> bool: ...

    @property
    def amounts(self) -> roles.Settled | None: ...

    @property
    def entities(self) -> Entities | None: ...

    @property
    def charges(self) -> tuple[charges.Charge, ...]: ...

    @property
    def read(self) -> Sequence[Decision]: ...

    @property
    def statuses(self) -> StatusCounts: ...

    @property
    def keyless(self) -> keyless.KeylessRows: ...


def decisions(sources: Sequence[ReadSource], settings: ImportSettings) -> list[Decision]:
    """Every choice behind the orders of these sources, source by source, then for all of them."""
    made = [
        decision
        for source in sources
        for about in OF_A_SOURCE
        for decision in about(source, settings)
    ]
    return made + [decision for about in OF_THE_IMPORT for decision in about(sources, settings)]


# --- how the file was read -----------------------------------------------------------------------


def _file(source: ReadSource, settings: ImportSettings) -> Iterator[Decision]:
    table = source.table
    settled = {decision.what for decision in source.read}
    if table.encoding is not None and "encoding" not in settled:
        by = SettledBy.OPTION if settings.encoding else SettledBy.PROOF
        yield _about(source, "encoding", table.encoding, by, override="--encoding NAME")
    if table.delimiter is not None:
        delimiter = _DELIMITERS.get(table.delimiter, table.delimiter)
        yield _about(source, "delimiter", delimiter, SettledBy.PROOF)
    if "header" not in settled:
        by = SettledBy.OPTION if settings.header_row else SettledBy.PROOF
        yield _about(source, "header", f"row {table.header_row}", by, override="--header-row N")
    if table.sheet is not None and "sheet" not in settled:
        yield _about(source, "sheet", table.sheet, override="--sheet NAME")
    yield from source.read


# --- what the columns are ------------------------------------------------------------------------


def _platform(source: ReadSource, settings: ImportSettings) -> Iterator[Decision]:
    mapping = source.mapping
    if settings.mapping is not None:
        settled_by = SettledBy.MAPPING
    elif settings.format is not None:
        settled_by = SettledBy.OPTION
    elif mapping.format == formats.UNKNOWN:
        settled_by = SettledBy.DEFAULT
    else:
        settled_by = SettledBy.PROOF
    yield _about(
        source,
        "platform",
        f"{mapping.format} ({mapping.title})",
        settled_by,
        override="--format NAME",
    )


def _fields(source: ReadSource, settings: ImportSettings) -> Iterator[Decision]:
    mapping = source.mapping
    for field, spec in mapping.specs.items():
        settled_by = mapping.settled_by.get(field, SettledBy.PLATFORM)
        guess = mapping.guesses.get(field)
        if guess is not None and settings.accept_guesses:
            settled_by = SettledBy.OPTION
        yield _about(
            source,
            "field",
            field,
            settled_by,
            column=str(spec),
            evidence=None if guess is None else Evidence(note=f"a guess: {guess.why}"),
            override=f"--map {field}=COLUMN",
        )


def _unused(source: ReadSource, settings: ImportSettings) -> Iterator[Decision]:
    for field, guess in source.mapping.unused.items():
        yield _about(
            source,
            "field",
            f"not used; it may be {field}",
            column=guess.spec,
            evidence=Evidence(note=f"a guess: {guess.why}"),
            override=f"--map {field}=COLUMN",
        )


def _misfits(source: ReadSource, settings: ImportSettings) -> Iterator[Decision]:
    for column, why in source.mapping.misfits.items():
        yield _about(
            source,
            "field",
            f"not {column}",
            SettledBy.PROOF,
            column=column,
            evidence=Evidence(note=why),
            override=f"--map {column}={column}",
        )


def _order_values(source: ReadSource, settings: ImportSettings) -> Iterator[Decision]:
    if source.items_only:
        return
    places = None if source.amounts is None else source.amounts.places
    evidence = Evidence()
    if places is not None:
        agrees = places.order_values == source.mapping.order_values
        counts = (places.supporting, places.contradicting)
        supporting, contradicting = counts if agrees else counts[::-1]
        evidence = Evidence(supporting=supporting, contradicting=contradicting)
    if settings.mapping is not None:
        settled_by = SettledBy.MAPPING
    elif source.mapping.format not in (formats.UNKNOWN, formats.GENERIC):
        settled_by = SettledBy.PLATFORM
    else:
        settled_by = SettledBy.DEFAULT if places is None else SettledBy.PROOF
    yield _about(
        source,
        "order-level values",
        _ORDER_VALUES[source.mapping.order_values],
        settled_by,
        evidence=evidence,
        override="order_values in a mapping file",
    )


def _amounts(source: ReadSource, settings: ImportSettings) -> Iterator[Decision]:
    if source.amounts is not None:
        yield from roles.decisions(source.table.source, source.amounts)
    yield from charges.decisions(source.table.source, source.charges)


def _rows_without_key(source: ReadSource, settings: ImportSettings) -> Iterator[Decision]:
    yield from keyless.decisions([source.mapping], [source.table.source], [source.keyless])


# --- what the values mean ------------------------------------------------------------------------


def _date_orders(source: ReadSource, settings: ImportSettings) -> Iterator[Decision]:
    for field, evidence in source.times.items():
        proofs = {
            "mdy": evidence.month_first,
            "dmy": evidence.day_first,
            "ymd": evidence.year_first,
        }
        if evidence.undecided is None and not any(proofs.values()):
            continue  # ISO dates, names of months: nothing to decide
        order = evidence.settle(settings.date_order).order
        proven = settings.date_order is None and order in evidence.proven
        yield _about(
            source,
            "date order",
            order,
            SettledBy.OPTION
            if settings.date_order
            else SettledBy.PROOF
            if proven
            else SettledBy.DEFAULT,
            column=source.mapping.column_of(field),
            evidence=Evidence(
                supporting=proofs[order],
                contradicting=sum(proofs.values()) - proofs[order],
                example=evidence.undecided,
            ),
            override="--date-order mdy|dmy|ymd",
        )


def _decimal_marks(source: ReadSource, settings: ImportSettings) -> Iterator[Decision]:
    for field, evidence in source.numbers.items():
        if (evidence.point, evidence.comma, evidence.undecided) == (None, None, None):
            continue  # whole numbers
        counts: dict[convert.Mark, int] = {
            ".": evidence.points + evidence.products_with_point,
            ",": evidence.commas + evidence.products_with_comma,
        }
        mark = number_style(field, evidence, source.mapping, settings).mark
        proven = evidence.proven is not None or evidence.undecided is not None
        yield _about(
            source,
            "decimal mark",
            "comma" if mark == "," else "point",
            SettledBy.OPTION
            if settings.decimal_mark and not evidence.proven
            else SettledBy.PROOF
            if proven
            else SettledBy.DEFAULT,
            column=source.mapping.column_of(field),
            evidence=Evidence(
                supporting=counts[mark],
                contradicting=sum(counts.values()) - counts[mark],
                example=evidence.undecided or (evidence.comma if mark == "," else evidence.point),
                note=_why_thousands(settings) if proven and not counts[mark] else None,
            ),
            override="--decimal-mark point|comma",
        )


def _why_thousands(settings: ImportSettings) -> str | None:
    if settings.decimal_mark is not None:
        return None
    if not decimals(settings.currency):
        return f"{settings.currency} has no decimals"
    return "other columns of amounts prove it"


def _units(source: ReadSource, settings: ImportSettings) -> Iterator[Decision]:
    named = header_currencies(source.mapping)
    for field in source.numbers:
        found = [("currency", named[field], "the header names it")] if field in named else []
        if in_cents(field, source.mapping):
            found.append(("unit of amounts", "cents", "the header says so; no value has decimals"))
        for what, value, note in found:
            yield _about(
                source,
                what,
                value,
                SettledBy.PROOF,
                column=source.mapping.column_of(field),
                evidence=Evidence(note=note),
                override=f"--map {field}=COLUMN",
            )


def _entities(source: ReadSource, settings: ImportSettings) -> Iterator[Decision]:
    if source.entities is not None:
        yield from source.entities.decisions(source.table.source)


def _zones_of_headers(source: ReadSource, settings: ImportSettings) -> Iterator[Decision]:
    for field in source.times:
        zone = header_zone(field, source.mapping)
        if zone is not None:
            yield _about(
                source,
                "time zone",
                zone,
                SettledBy.PROOF,
                column=source.mapping.column_of(field),
                evidence=Evidence(note="the header names it"),
                override="--map zone=COLUMN",
            )


# --- what holds for all sources ------------------------------------------------------------------


def _time_zone(sources: Sequence[ReadSource], settings: ImportSettings) -> Iterator[Decision]:
    named = [source for source in sources if fields.ZONE in source.mapping.specs]
    for source in named:
        yield _about(
            source,
            "time zone",
            "the zone named on the row",
            source.mapping.settled_by.get(fields.ZONE, SettledBy.PLATFORM),
            column=source.mapping.column_of(fields.ZONE),
            override="--map zone=",
        )
    if len(named) < len(sources):
        yield _for_all(
            "time zone",
            settings.timezone or "UTC",
            _option_or_default(settings, "timezone"),
            override="--timezone NAME",
        )


def _option_or_default(settings: ImportSettings, name: str) -> SettledBy:
    given = any(each.name == name for each in not_default(settings))
    return SettledBy.OPTION if given else SettledBy.DEFAULT


def _currency(sources: Sequence[ReadSource], settings: ImportSettings) -> Iterator[Decision]:
    evidence = Evidence()
    places = decimals(settings.currency)
    if places != decimals("USD"):
        evidence = Evidence(
            note=f"it has {places or 'no'} decimals, so 1 {settings.currency} is sent as "
            f"{10**places:,} in the fields that Shout calls cents"
        )
    yield _for_all(
        "currency",
        settings.currency,
        _option_or_default(settings, "currency"),
        evidence=evidence,
        override="--currency CODE",
    )


def _phone_region(sources: Sequence[ReadSource], settings: ImportSettings) -> Iterator[Decision]:
    if any("profile_phone_number" in source.mapping.specs for source in sources):
        by_country = any(
            source.mapping.country is not None
            or "profile_shipping_address_raw" in source.mapping.specs
            for source in sources
        )
        yield _for_all(
            "phone region",
            f"the country of the order, else {settings.region}" if by_country else settings.region,
            _option_or_default(settings, "region"),
            override="--region CODE",
        )


# --- the list ------------------------------------------------------------------------------------

OF_A_SOURCE: Final[Sequence[Callable[[ReadSource, ImportSettings], Iterator[Decision]]]] = (
    _file,
    _platform,
    _fields,
    _unused,
    _misfits,
    _amounts,
    _order_values,
    _rows_without_key,
    _date_orders,
    _decimal_marks,
    _units,
    statuses.decisions,
    _zones_of_headers,
    _entities,
)
OF_THE_IMPORT: Final[
    Sequence[Callable[[Sequence[ReadSource], ImportSettings], Iterator[Decision]]]
] = (_time_zone, _currency, _phone_region)


def _about(
    source: ReadSource,
    what: str,
    value: str,
    settled_by: SettledBy = SettledBy.DEFAULT,
    *,
    column: str | None = None,
    evidence: Evidence | None = None,
    override: str | None = None,
) -> Decision:
    return Decision(
        what=what,
        source=source.table.source,
        column=column,
        value=value,
        settled_by=settled_by,
        evidence=evidence or Evidence(),
        override=override,
    )


def _for_all(
    what: str,
    value: str,
    settled_by: SettledBy = SettledBy.DEFAULT,
    *,
    evidence: Evidence | None = None,
    override: str | None = None,
) -> Decision:
    return Decision(
        what=what,
        source=None,
        column=None,
        value=value,
        settled_by=settled_by,
        evidence=evidence or Evidence(),
        override=override,
    )
