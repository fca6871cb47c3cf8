"""Where settings come from: flags first, then the environment, then ``backfill.toml``.

A setting has one name everywhere: ``--date-order``, ``BACKFILL_DATE_ORDER``, and ``date-order`` in
the file. Whatever its origin a value goes through the same check, and what is wrong with it is
said together with where it was set.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backfill import checks, log
from backfill.errors import UsageError
from backfill.settings import ApiSettings, ImportSettings, RunSettings, Secret

FILE_NAME = "backfill.toml"
PREFIX = "BACKFILL_"

#: Every setting that can come from anywhere, by its name, with its check.
CHECKS: dict[str, Callable[[str], Any]] = {
    "job": checks.text,
    "format": checks.text,
    "mapping": checks.text,
    "sheet": checks.text,
    "encoding": checks.encoding,
    "header_row": checks.count("the number of a row"),
    "accept_guesses": checks.switch,
    "items": checks.text,
    "affiliates": checks.text,
    "only_requested_history": checks.switch,
    "connect_id": checks.account_id,
    "user_id": checks.account_id,
    "timezone": checks.timezone,
    "date_order": checks.one_of("mdy", "dmy", "ymd"),
    "decimal_mark": checks.one_of("point", "comma"),
    "currency": checks.currency,
    "region": checks.region,
    "reference_prefix": checks.text,
    "max_rejected": checks.number("a percentage", most=100),
    "api_url": checks.url,
    "concurrency": checks.count("a number of connections", most=1000),
    "rate": checks.number("a number of requests a second", above_least=True),
    "timeout": checks.number("a number of seconds", above_least=True),
    "settle": checks.number("a number of seconds"),
    "give_up_after": checks.number("a number of seconds", above_least=True),
    "progress": checks.one_of("auto", "bar", "plain", "json", "none"),
    "verbose": checks.switch,
}
#: Settings that belong to one run, and therefore only to its command line.
FLAG_CHECKS: dict[str, Callable[[str], Any]] = {
    "limit": checks.count("a number of orders"),
    "yes": checks.switch,
    "update_changed": checks.switch,
    "leave_undone": checks.switch,
    "sample": checks.count("a number of orders"),
    "since": checks.moment,
    "show_personal_data": checks.switch,
    "port": checks.count("a port", most=65535),
    "rate_limit": checks.number("a number of requests a second", above_least=True),
}
#: Paths: those in the settings file start at its folder, all others at the working folder.
PATHS = ("job", "mapping", "items", "affiliates")
#: Tables of the settings file.
TABLES = ("headers", "map", "rules", "statuses")


@dataclass(frozen=True, slots=True)
class _Given:
    """A value as somebody set it, and where, in the words of a message."""

    value: str
    where: str


@dataclass(frozen=True, slots=True)
class _Place:
    """What one of the three places sets."""

    values: dict[str, _Given]
    headers: Sequence[_Given] = ()
    map: Sequence[_Given] = ()
    rules: Sequence[_Given] = ()
    statuses: Sequence[_Given] = ()
    warnings: Sequence[str] = ()


def load(flags: Mapping[str, Any], environ: Mapping[str, str] = os.environ) -> Configuration:
    """Gather the settings of one command.

    ``flags`` are argparse's values by name: text, True, lists of text, or None where not given.

    :raises UsageError: the settings file cannot be read, or sets something unknown.
    """
    file = flags.get("config") or environ.get(f"{PREFIX}CONFIG")
    places = [
        _from_flags(flags),
        _from_environment(environ),
        _from_file(Path(file or FILE_NAME), required=file is not None),
    ]
    return Configuration(places, environ)


def _from_flags(flags: Mapping[str, Any]) -> _Place:
    return _Place(
        {
            name: _Given(str(flags[name]), f"--{_dashed(name)}")
            for name in (*CHECKS, *FLAG_CHECKS)
            if flags.get(name) is not None
        },
        headers=[_Given(line, "--header") for line in flags.get("header") or ()],
        map=[_Given(pair, "--map") for pair in flags.get("map") or ()],
    )


def _from_environment(environ: Mapping[str, str]) -> _Place:
    """``BACKFILL_HEADER`` and ``BACKFILL_MAP`` hold one header or one FIELD=SPEC a line."""

    def lines(variable: str) -> list[_Given]:
        text = environ.get(variable, "")
        return [_Given(line, variable) for line in text.splitlines() if line.strip()]

    return _Place(
        {
            name: _Given(environ[variable], variable)
            for name in CHECKS
            if environ.get(variable := PREFIX + name.upper())
        },
        headers=lines(f"{PREFIX}HEADER"),
        map=lines(f"{PREFIX}MAP"),
    )


def _from_file(path: Path, *, required: bool) -> _Place:
    content = _toml(path, required=required)
    values: dict[str, _Given] = {}
    tables: dict[str, list[_Given]] = {table: [] for table in TABLES}
    for key, value in content.items():
        name, where = key.replace("-", "_"), f"{path}: {key}"
        if name in TABLES and isinstance(value, dict):
            separator = ":" if name == "headers" else "="
            tables[name] = [
                _Given(f"{inner}{separator}{_single(item, where)}", f"{path}: [{key}] {inner}")
                for inner, item in value.items()
            ]
        elif name in CHECKS:
            text = _single(value, where)
            values[name] = _Given(str(path.parent / text) if name in PATHS else text, where)
        elif name in FLAG_CHECKS:
            raise UsageError(
                f"{where}: belongs to one run, not to the settings file",
                hint=f"give it with the command that it is for: --{_dashed(name)}",
            )
        else:
            known = [_dashed(known) for known in (*CHECKS, *TABLES)]
            raise UsageError(f"{where}: is not a setting", hint=checks.did_you_mean(key, known))
    return _Place(values, **tables, warnings=_open_credentials(path, tables["headers"]))


def _toml(path: Path, *, required: bool) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as exc:
        if required:
            raise UsageError(f"{path}: there is no such settings file") from exc
        return {}
    except (OSError, UnicodeDecodeError) as exc:
        raise UsageError(f"{path}: the settings file cannot be read as UTF-8 text") from exc
    import tomllib

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:  # names line and column, and quotes no value
        raise UsageError(f"{path}: the settings file is not TOML: {exc}") from exc


def _single(value: object, where: str) -> str:
    if not isinstance(value, str | int | float):
        raise UsageError(f"{where}: is not a single value")
    return str(value)


def _open_credentials(path: Path, headers: Sequence[_Given]) -> list[str]:
    """A credential may stand in the file itself, but not for everybody on the machine to read."""
    literal = [
        header
        for header in headers
        if not header.value.partition(":")[2].lstrip().startswith("env:")
    ]
    if literal and os.name == "posix" and path.stat().st_mode & 0o077:
        return [
            f"{literal[0].where}: a credential stands in a file that other users can read;"
            f" write env:NAME instead of it, or close the file: chmod 600 {path}"
        ]
    return []


class Configuration:
    """The settings of one command, each checked when it is asked for and not before.

    A dry run therefore does not trip over a bad ``api-url``.
    """

    def __init__(self, places: Sequence[_Place], environ: Mapping[str, str]) -> None:
        self._places = places
        self._environ = environ

    def get(self, name: str) -> Any:
        """The checked value of a setting, from the first place that sets it; None where none does.

        :raises UsageError: the value cannot be used.
        """
        given = self._given(name)
        return None if given is None else _checked(given, (CHECKS | FLAG_CHECKS)[name])

    def imports(self, exports: Sequence[Path]) -> ImportSettings:
        """What decides what the bodies are.

        :raises UsageError: a value cannot be used.
        """
        return ImportSettings(
            exports=tuple(exports),
            map=tuple(self._pairs("map").items()),
            severities=tuple(self._choices("rules", "error", "warning").items()),
            statuses=tuple(self._choices("statuses", "import", "reject").items()),
            **self._account(),
            **self._files("mapping", "items", "affiliates"),
            **self._set("format", "sheet", "only_requested_history", "timezone", "date_order"),
            **self._set("encoding", "header_row", "accept_guesses", "decimal_mark"),
            **self._set("currency", "region", "reference_prefix"),
        )

    def api(self) -> ApiSettings:
        """How to reach Shout.

        :raises UsageError: ``--api-url`` is missing, or a value cannot be used.
        """
        url = self.get("api_url")
        if url is None:
            raise UsageError(
                "--api-url is missing: Shout's address is not known",
                hint="ask Shout for the address of its API, or rehearse with 'backfill sandbox'",
            )
        return ApiSettings(
            api_url=url,
            headers=tuple(self._headers()),
            **self._set("concurrency", "rate", "timeout", "settle", "give_up_after"),
        )

    def run(self, exports: Sequence[Path]) -> RunSettings:
        """One run of a job.

        :raises UsageError: a value cannot be used, or nothing says which job.
        """
        job = self.get("job")
        return RunSettings(
            job=Path(job) if job else default_job(exports),
            headers_shown=tuple(
                _header_name(given) for given in self._header_lines() if ":" in given.value
            ),
            **self._set("limit", "yes", "max_rejected", "update_changed", "leave_undone"),
            **self._set("show_personal_data", "progress", "verbose"),
        )

    def warnings(self) -> list[str]:
        """What a person should know of these settings, one line each."""
        return [line for place in self._places for line in place.warnings]

    def _set(self, *names: str) -> dict[str, Any]:
        """Those of the settings that somebody has set; the dataclasses know what holds else."""
        found = {name: self.get(name) for name in names}
        return {name: value for name, value in found.items() if value is not None}

    def _given(self, name: str) -> _Given | None:
        return next((place.values[name] for place in self._places if name in place.values), None)

    def _files(self, *names: str) -> dict[str, Any]:
        """Those of the files that somebody has named; each has to be there."""
        found = {name: given for name in names if (given := self._given(name))}
        for given in found.values():
            if not Path(given.value).exists():
                raise UsageError(f"{given.where}: {given.value}: there is no such file")
        return {name: Path(given.value) for name, given in found.items()}

    def _account(self) -> dict[str, Any]:
        """The one account for all, from the first place that names one, in either way."""
        for place in self._places:
            named = [
                place.values[name] for name in ("connect_id", "user_id") if name in place.values
            ]
            if len(named) == 2:
                raise UsageError(
                    f"{named[0].where} and {named[1].where} exclude each other",
                    hint="keep the one that names the account the orders belong to",
                )
            if named:
                return self._set("connect_id" if "connect_id" in place.values else "user_id")
        return {}

    def _pairs(self, table: str) -> dict[str, str]:
        """A table of ``name=value``, where an earlier place wins name by name."""
        return dict(
            _checked(given, checks.pair)
            for place in reversed(self._places)
            for given in getattr(place, table)
        )

    def _choices(self, table: str, *choices: str) -> dict[str, Any]:
        """A table in which every value is one of a few words."""
        choice = checks.one_of(*choices)
        for place in self._places:
            for given in getattr(place, table):
                _checked(given, lambda pair: choice(checks.pair(pair)[1]))
        return self._pairs(table)

    def _header_lines(self) -> Iterable[_Given]:
        """The headers that go out, where an earlier place wins name by name."""
        return {
            _header_name(given).lower(): given
            for place in reversed(self._places)
            for given in place.headers
        }.values()

    def _headers(self) -> Iterable[tuple[str, Secret]]:
        for given in self._header_lines():
            name, secret = _checked(given, lambda line: checks.header(line, self._environ))
            log.keep_out(secret.reveal())
            yield name, secret


def default_job(exports: Sequence[Path]) -> Path:
    """The job folder where none is named: the first export's stem in the working folder.

    :raises UsageError: there is no export either.
    """
    if not exports:
        raise UsageError(
            "neither an export nor a job is given",
            hint="name an export, or go on with an earlier job: --job DIR",
        )
    first = exports[0]
    if glob.has_magic(str(first)) and not first.exists():
        first = Path(min(glob.glob(str(first)), default="orders"))
    return Path(f"{first.resolve().stem or 'orders'}.backfill")


def _checked(given: _Given, check: Callable[[str], Any]) -> Any:
    try:
        return check(given.value)
    except checks.WrongValueError as exc:
        raise UsageError(f"{given.where}: {exc}", hint=exc.hint) from None


def _header_name(given: _Given) -> str:
    return given.value.partition(":")[0].strip()


def _dashed(name: str) -> str:
    return name.replace("_", "-")
