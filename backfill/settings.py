"""What a user can set, in one place: flags first, then the environment, then ``backfill.toml``."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

DateOrder = Literal["mdy", "dmy", "ymd"]
DecimalMark = Literal["point", "comma"]
StatusFate = Literal["import", "reject"]
Severity = Literal["error", "warning"]
ProgressKind = Literal["auto", "bar", "plain", "json", "none"]


class Secret:
    """A header's value. Neither ``repr`` nor ``str`` nor a traceback shows it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value itself, for the one place that puts it on the wire."""
        return self._value

    def __repr__(self) -> str:
        return "Secret('***')"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportSettings:
    """Everything that decides what the bodies are: same settings, same exports, same bytes."""

    exports: tuple[Path, ...] = ()
    format: str | None = None
    mapping: Path | None = None
    map: tuple[tuple[str, str], ...] = ()
    """Pairs of a field and its SPEC, as ``--map FIELD=SPEC`` gives them."""
    sheet: str | None = None
    encoding: str | None = None
    """The encoding of text exports, as Python names it."""
    header_row: int | None = None
    """The row of the header, counted from 1."""
    accept_guesses: bool = False
    """Use the columns that were only guessed."""
    items: Path | None = None
    affiliates: Path | None = None
    only_requested_history: bool = False
    connect_id: str | None = None
    user_id: str | None = None
    timezone: str | None = None
    """An IANA name. None: naive times are taken as UTC, with a warning."""
    date_order: DateOrder | None = None
    decimal_mark: DecimalMark | None = None
    currency: str = "USD"
    region: str = "US"
    reference_prefix: str = ""
    statuses: tuple[tuple[str, StatusFate], ...] = ()
    """Pairs of a value of the status column and what becomes of its orders."""
    severities: tuple[tuple[str, Severity], ...] = ()
    """Rules whose severity the user has set otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiSettings:
    """How to reach Shout, and how hard to press."""

    api_url: str
    headers: tuple[tuple[str, Secret], ...] = ()
    concurrency: int = 16
    rate: float | None = None
    """Requests a second; None: as fast as Shout lets us."""
    timeout: float = 30.0
    """Seconds for one request, from the first byte to the last."""
    settle: float = 5.0
    """Seconds after a request of unknown outcome before 'not found' is believed."""
    give_up_after: float = 900.0
    """Seconds of an outage after which the run stops, resumable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """One run of a job."""

    job: Path
    limit: int | None = None
    yes: bool = False
    max_rejected: float = 10.0
    """Percent of orders; a run of a new export with more than this rejected does not start."""
    update_changed: bool = False
    """Put right what is in Shout and reads differently in the export by now."""
    leave_undone: bool = False
    """Do not create again what an undo has taken back."""
    show_personal_data: bool = False
    progress: ProgressKind = "auto"
    verbose: bool = False
    headers_shown: tuple[str, ...] = field(default=())
