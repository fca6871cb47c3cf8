"""Every setting, declared once.

The field of a dataclass is the declaration: its name, type and default are Python's own, and
:func:`setting` adds the check, the help, and where the setting may come from. The flags of the
command line, the environment variables, the keys of ``backfill.toml``, the options of
:class:`backfill.Job` and the table in the README follow from it. To add a setting, add a field
here (and to the ``TypedDict`` below it, by which type checkers know the options from Python).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from datetime import date
from pathlib import Path
from typing import Any, Literal, TypedDict

from backfill.settings import checks
from backfill.settings.secret import Secret

DateOrder = Literal["mdy", "dmy", "ymd"]
DecimalMark = Literal["point", "comma"]
StatusFate = Literal["import", "reject"]
Severity = Literal["error", "warning"]
ProgressKind = Literal["auto", "bar", "plain", "json", "none"]

JOB = "the job"
READING = "reading the export"
ACCOUNTS = "the accounts in Shout"
API = "talking to Shout"
THIS_RUN = "this run"
EVERYWHERE = "everywhere"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One declaration."""

    name: str
    help: str
    group: str
    """the heading in ``--help``"""
    check: Callable[[str], Any]
    """text in, value out; raises :class:`~backfill.settings.checks.WrongValueError`"""
    metavar: str | None
    """what stands for the value in ``--help``; None: a switch, which takes none"""
    default: str
    """the default in words, for people; empty: none"""
    one_run: bool
    """belongs to one run, and therefore only to its command line and to Python"""
    is_path: bool
    """in the settings file, it is relative to the file's folder"""
    must_exist: bool
    """a file that has to be there"""
    table: str | None
    """the table of the settings file that holds its entries"""
    repeatable: bool
    """may be given more than once; a table always may"""
    flag: str | None
    """the option on the command line; None: there is none"""

    @property
    def key(self) -> str:
        """The name in the settings file and in the README."""
        return self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        """The name of the environment variable."""
        return f"BACKFILL_{(self.flag or self.key).lstrip('-').replace('-', '_').upper()}"


def setting(
    help: str,
    *,
    group: str,
    check: Callable[[str], Any] = checks.text,
    metavar: str | None = None,
    default: Any = None,
    otherwise: str | None = None,
    one_run: bool = False,
    is_path: bool = False,
    must_exist: bool = False,
    table: str | None = None,
    repeatable: bool = False,
    flag: str | None = "",
    required: bool = False,
) -> Any:
    """Declare a setting; see :class:`Setting`.

    :param otherwise: the default in words, where the value does not say it.
    :param flag: the option, where it is not the name with dashes; None: there is none.
    :param required: it has no default.
    """
    if otherwise is None:
        plain = default is None or default is False or default == () or default == ""
        otherwise = "" if plain else f"{default:g}" if isinstance(default, float) else str(default)
    declared = {
        "help": help,
        "group": group,
        "check": checks.switch if metavar is None else check,
        "metavar": metavar,
        "default": otherwise,
        "one_run": one_run,
        "is_path": is_path or must_exist,
        "must_exist": must_exist,
        "table": table,
        "repeatable": repeatable or table is not None,
        "flag": flag,
    }
    return field(default=MISSING if required else default, metadata={"setting": declared})


def declared(settings: type) -> list[Setting]:
    """The declarations of a dataclass, in their order."""
    found = []
    for each in fields(settings):
        if (words := each.metadata.get("setting")) is not None:
            flag = f"--{each.name.replace('_', '-')}" if words["flag"] == "" else words["flag"]
            found.append(Setting(name=each.name, **{**words, "flag": flag}))
    return found


def not_default(settings: Any) -> dict[Setting, Any]:
    """The settings of a dataclass's instance whose value is not the default, in their order."""
    defaults = {each.name: each.default for each in fields(settings)}
    return {
        each: value
        for each in declared(type(settings))
        if (value := getattr(settings, each.name)) != defaults[each.name]
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportSettings:
    """Everything that decides what the bodies are: same settings, same exports, same bytes."""

    exports: tuple[Path, ...] = ()
    format: str | None = setting(
        "the platform that wrote the export", group=READING, metavar="NAME", otherwise="recognised"
    )
    mapping: Path | None = setting(
        "a TOML file that maps columns to fields", group=READING, metavar="FILE", must_exist=True
    )
    map: tuple[tuple[str, str], ...] = setting(
        "where a field comes from: a column, several joined with | (the first that is not empty),"
        " or a template such as '{Ship City}, {Ship State}'; repeatable",
        group=READING,
        metavar="FIELD=SPEC",
        check=checks.pair,
        default=(),
        table="map",
    )
    sheet: str | None = setting(
        "the sheet of a workbook to read",
        group=READING,
        metavar="NAME",
        otherwise="all with the header of the orders",
    )
    encoding: str | None = setting(
        "the encoding of a text file, such as windows-1252",
        group=READING,
        metavar="NAME",
        check=checks.encoding,
        otherwise="detected",
    )
    header_row: int | None = setting(
        "the row of the header, counted from 1",
        group=READING,
        metavar="N",
        check=checks.count("the number of a row"),
        otherwise="detected",
    )
    accept_guesses: bool = setting(
        "use the columns that 'backfill inspect' only guessed", group=READING, default=False
    )
    items: Path | None = setting(
        "line items in a second file, joined on the order key",
        group=READING,
        metavar="FILE",
        must_exist=True,
    )
    timezone: str | None = setting(
        "the time zone of times without an offset, such as America/Denver",
        group=READING,
        metavar="NAME",
        check=checks.timezone,
        otherwise="UTC, with a warning",
    )
    date_order: DateOrder | None = setting(
        "how to read dates such as 03/04/2021 where the column does not prove it",
        group=READING,
        metavar="mdy|dmy|ymd",
        check=checks.one_of("mdy", "dmy", "ymd"),
        otherwise="settled by the data",
    )
    decimal_mark: DecimalMark | None = setting(
        "how to read amounts such as 1.234 where the column does not prove it",
        group=READING,
        metavar="point|comma",
        check=checks.one_of("point", "comma"),
        otherwise="settled by the data",
    )
    currency: str = setting(
        "the currency of the orders",
        group=READING,
        metavar="CODE",
        check=checks.currency,
        default="USD",
    )
    region: str = setting(
        "the country of phone numbers without a country code",
        group=READING,
        metavar="CODE",
        check=checks.region,
        default="US",
    )
    reference_prefix: str = setting(
        "text to put before every reference id", group=READING, metavar="TEXT", default=""
    )
    connect_id: str | None = setting(
        "one account for all orders, by your own id for it",
        group=ACCOUNTS,
        metavar="ID",
        check=checks.account_id,
    )
    user_id: str | None = setting(
        "one account for all orders, by Shout's user id",
        group=ACCOUNTS,
        metavar="ID",
        check=checks.account_id,
    )
    affiliates: Path | None = setting(
        "a table of affiliates: affiliate, connect_id or user_id, and optionally connected and"
        " connect_import_order_history_at",
        group=ACCOUNTS,
        metavar="FILE",
        must_exist=True,
    )
    only_requested_history: bool = setting(
        "skip the orders of affiliates who did not ask for their history",
        group=ACCOUNTS,
        default=False,
    )
    statuses: tuple[tuple[str, StatusFate], ...] = setting(
        "what becomes of a value of the status column: import or reject",
        group=READING,
        metavar="VALUE=FATE",
        check=checks.pair_of(checks.one_of("import", "reject")),
        default=(),
        table="statuses",
        flag=None,
    )
    severities: tuple[tuple[str, Severity], ...] = setting(
        "the severity of a rule: error or warning",
        group=READING,
        metavar="RULE=SEVERITY",
        check=checks.pair_of(checks.one_of("error", "warning")),
        default=(),
        table="rules",
        flag=None,
    )


class ImportOptions(TypedDict, total=False):
    """:class:`ImportSettings` as options from Python."""

    format: str
    mapping: str | Path
    map: Mapping[str, str]
    sheet: str
    encoding: str
    header_row: int
    accept_guesses: bool
    items: str | Path
    timezone: str
    date_order: DateOrder
    decimal_mark: DecimalMark
    currency: str
    region: str
    reference_prefix: str
    connect_id: str
    user_id: str
    affiliates: str | Path
    only_requested_history: bool
    statuses: Mapping[str, StatusFate]
    severities: Mapping[str, Severity]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiSettings:
    """How to reach Shout, and how many requests to send."""

    api_url: str = setting(
        "the address of Shout's API; it must be https: unless it is this machine",
        group=API,
        metavar="URL",
        check=checks.url,
        required=True,
    )
    headers: tuple[tuple[str, Secret], ...] = setting(
        "a header with the credentials; 'Name: env:VAR' reads it from the environment; repeatable",
        group=API,
        metavar="'NAME: VALUE'",
        check=checks.split_header,
        default=(),
        table="headers",
        flag="--header",
    )
    concurrency: int = setting(
        "requests under way at once, at most",
        group=API,
        metavar="N",
        check=checks.count("a number of connections", most=1000),
        default=16,
    )
    rate: float | None = setting(
        "requests per second, at most",
        group=API,
        metavar="N",
        check=checks.number("a number of requests per second", above_least=True),
        otherwise="as fast as Shout allows",
    )
    timeout: float = setting(
        "seconds for one request, from its first byte to the last of the answer",
        group=API,
        metavar="SECONDS",
        check=checks.number("a number of seconds", above_least=True),
        default=30.0,
    )
    settle: float = setting(
        "seconds after a request of unknown outcome before 'not found' is believed",
        group=API,
        metavar="SECONDS",
        check=checks.number("a number of seconds"),
        default=5.0,
    )
    give_up_after: float = setting(
        "seconds of an outage after which the run stops, resumable",
        group=API,
        metavar="SECONDS",
        check=checks.number("a number of seconds", above_least=True),
        default=900.0,
    )


class ApiOptions(TypedDict, total=False):
    """:class:`ApiSettings` as options from Python."""

    api_url: str
    headers: Mapping[str, str]
    concurrency: int
    rate: float
    timeout: float
    settle: float
    give_up_after: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """One run of a job."""

    job: Path = setting(
        "the job folder",
        group=JOB,
        metavar="DIR",
        is_path=True,
        required=True,
        otherwise="the first export's stem + .backfill",
    )
    max_rejected: float = setting(
        "percent of rejected orders above which the run does not start",
        group=JOB,
        metavar="PERCENT",
        check=checks.number("a percentage", most=100),
        default=10.0,
    )
    show_personal_data: bool = setting(
        "do not mask names, phones and addresses", group=JOB, default=False, one_run=True
    )
    limit: int | None = setting(
        "stop after N orders: a pilot",
        group=API,
        metavar="N",
        check=checks.count("a number of orders"),
        one_run=True,
    )
    yes: bool = setting("ask for no confirmation", group=API, default=False, one_run=True)
    account: tuple[str, ...] = setting(
        "send only the orders of this account; repeatable",
        group=THIS_RUN,
        metavar="ID",
        default=(),
        one_run=True,
        repeatable=True,
    )
    since: str | None = setting(
        "send only orders created on this day or later",
        group=THIS_RUN,
        metavar="DATE",
        check=checks.day,
        one_run=True,
    )
    until: str | None = setting(
        "send only orders created on this day or earlier",
        group=THIS_RUN,
        metavar="DATE",
        check=checks.day,
        one_run=True,
    )
    reference_id: tuple[str, ...] = setting(
        "send only the order with this reference id; repeatable",
        group=THIS_RUN,
        metavar="ID",
        default=(),
        one_run=True,
        repeatable=True,
    )
    update_changed: bool = setting(
        "update the orders in Shout that changed in the export after they were sent",
        group=THIS_RUN,
        default=False,
        one_run=True,
    )
    leave_undone: bool = setting(
        "do not create orders again that 'backfill undo' deleted",
        group=THIS_RUN,
        default=False,
        one_run=True,
    )
    on_finish: str | None = setting(
        "a shell command to run at the end, however it ends; report.json is its argument",
        group=THIS_RUN,
        metavar="COMMAND",
    )
    progress: ProgressKind = setting(
        "how to show progress on stderr: auto is bars in a terminal, else plain lines",
        group=EVERYWHERE,
        metavar="auto|bar|plain|json|none",
        check=checks.one_of("auto", "bar", "plain", "json", "none"),
        default="auto",
    )
    verbose: bool = setting("show more detail", group=EVERYWHERE, default=False)


class RunOptions(TypedDict, total=False):
    """The part of :class:`RunSettings` that a program gives to :meth:`backfill.Job.run`."""

    max_rejected: float
    show_personal_data: bool
    limit: int
    yes: bool
    update_changed: bool
    leave_undone: bool


class ShoutOptions(ApiOptions, total=False):
    """The options of every command that talks to Shout."""

    limit: int
    yes: bool


class SendOptions(ApiOptions, RunOptions, total=False):
    """The options of commands that send orders."""


class ChoiceOptions(TypedDict, total=False):
    """The part of :class:`RunSettings` that chooses the orders of a run."""

    account: str | Sequence[str]
    since: str | date
    until: str | date
    reference_id: str | Sequence[str]


#: Every setting; no name occurs twice.
SETTINGS: dict[str, Setting] = {
    each.name: each
    for settings in (RunSettings, ImportSettings, ApiSettings)
    for each in declared(settings)
}
