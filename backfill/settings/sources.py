"""Where settings come from: the command line, the environment, then ``backfill.toml``.

A setting has one name everywhere: ``--date-order``, ``BACKFILL_DATE_ORDER``, ``date-order`` in the
file, and ``date_order=`` from Python, which counts as the command line. A value goes through the
same check wherever it comes from, and what is wrong with it is reported with where it was set.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from backfill import log
from backfill.errors import UsageError
from backfill.settings import checks
from backfill.settings.declared import (
    SETTINGS,
    ApiSettings,
    ImportSettings,
    RunSettings,
    Setting,
    declared,
)
from backfill.settings.secret import Secret

T = TypeVar("T")

FILE_NAME = "backfill.toml"
#: Names the settings file; it cannot be in the file itself.
CONFIG = "BACKFILL_CONFIG"


def check_options(function: str, options: Iterable[str], known: Any) -> None:
    """See that a function from Python was given only options that it has.

    :param known: its options, a ``TypedDict``.
    :raises TypeError: it has no such option; the closest one is named.
    """
    for name in options:
        if name not in known.__optional_keys__:
            hint = checks.did_you_mean(name, known.__optional_keys__)
            raise TypeError(f"{function} has no option {name!r}" + (f"; {hint}" if hint else ""))


@dataclass(frozen=True, slots=True)
class _Given:
    """A value as somebody set it, and where, for a message."""

    value: str
    where: str

    def checked(self, check: Callable[[str], T]) -> T:
        """:raises UsageError: the value cannot be used."""
        return checks.checked(self.where, self.value, check)


@dataclass(frozen=True, slots=True)
class _Place:
    """What one place sets, by a setting's name."""

    values: Mapping[str, _Given]
    repeated: Mapping[str, Sequence[_Given]]
    """of settings that may be given more than once, such as the entries of a table"""
    warnings: Sequence[str] = ()


def load(given: Mapping[str, Any], environ: Mapping[str, str] = os.environ) -> Configuration:
    """Collect the settings of one command.

    :param given: by name, from the command line or from Python: a value, or a list of texts or a
        mapping where it is repeatable, or None where not given.
    :raises UsageError: the settings file cannot be read, or sets something unknown.
    """
    file = given.get("config") or environ.get(CONFIG)
    places = [
        _from_command_line(given),
        _from_environment(environ),
        _from_file(Path(file or FILE_NAME), required=file is not None),
    ]
    return Configuration(places, environ)


def _from_command_line(given: Mapping[str, Any]) -> _Place:
    values: dict[str, _Given] = {}
    repeated: dict[str, list[_Given]] = {}
    for name, each in SETTINGS.items():
        value = given.get(name)
        if value is None:
            continue
        where = each.flag or name
        if not each.repeatable:
            values[name] = _Given(str(value), where)
        else:
            lines = _lines(each, value) if isinstance(value, Mapping) else value
            lines = [lines] if isinstance(lines, str) else lines
            repeated[name] = [_Given(line, where) for line in lines]
    return _Place(values, repeated)


def _from_environment(environ: Mapping[str, str]) -> _Place:
    """A table's variable, such as ``BACKFILL_MAP``, has one entry per line."""
    values: dict[str, _Given] = {}
    repeated: dict[str, list[_Given]] = {}
    for name, each in SETTINGS.items():
        text = environ.get(each.variable)
        if not text or each.one_run:
            continue
        if not each.repeatable:
            values[name] = _Given(text, each.variable)
        else:
            lines = [line for line in text.splitlines() if line.strip()]
            repeated[name] = [_Given(line, each.variable) for line in lines]
    return _Place(values, repeated)


def _from_file(path: Path, *, required: bool) -> _Place:
    values: dict[str, _Given] = {}
    repeated: dict[str, list[_Given]] = {}
    by_table = {each.table: each for each in SETTINGS.values() if each.table is not None}
    for key, value in _toml(path, required=required).items():
        name, where = key.replace("-", "_"), f"{path}: {key}"
        each = SETTINGS.get(name)
        if key in by_table and isinstance(value, dict):
            texts = {inner: _single(item, where) for inner, item in value.items()}
            repeated[by_table[key].name] = [
                _Given(line, f"{path}: [{key}] {inner}")
                for inner, line in zip(texts, _lines(by_table[key], texts), strict=True)
            ]
        elif each is None or each.table is not None:
            known = [one.key for one in SETTINGS.values() if not one.one_run and not one.table]
            raise UsageError(
                f"{where}: there is no such setting",
                hint=checks.did_you_mean(key, [*known, *by_table]),
            )
        elif each.one_run:
            raise UsageError(
                f"{where}: cannot be set in the settings file",
                hint=f"give it on the command line: {each.flag}",
            )
        else:
            text = _single(value, where)
            values[name] = _Given(str(path.parent / text) if each.is_path else text, where)
    return _Place(values, repeated, _readable_credentials(path, repeated.get("headers", ())))


def _lines(table: Setting, entries: Mapping[str, str]) -> list[str]:
    """The entries of a table as the command line writes them."""
    separator = ": " if table.name == "headers" else "="
    return [f"{name}{separator}{value}" for name, value in entries.items()]


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
        raise UsageError(f"{path}: the settings file is not valid TOML: {exc}") from exc


def _single(value: object, where: str) -> str:
    if not isinstance(value, str | int | float):
        raise UsageError(f"{where}: must be a single value")
    return str(value)


def _readable_credentials(path: Path, headers: Sequence[_Given]) -> list[str]:
    """A credential may be in the file itself, but other users must not be able to read it."""
    literal = [
        header
        for header in headers
        if not header.value.partition(":")[2].lstrip().startswith("env:")
    ]
    if literal and os.name == "posix" and path.stat().st_mode & 0o077:
        return [
            f"{literal[0].where}: the file contains a credential, and other users can read it;"
            f" write env:NAME instead, or restrict the file: chmod 600 {path}"
        ]
    return []


class Configuration:
    """The settings of one command, each checked when it is asked for and not before.

    So a dry run does not fail on a bad ``api-url``.
    """

    def __init__(self, places: Sequence[_Place], environ: Mapping[str, str]) -> None:
        self._places = places
        self._environ = environ

    def get(self, name: str) -> Any:
        """The checked value of a setting, from the first place that sets it; None where none does.

        :raises UsageError: the value cannot be used.
        """
        given = self._given(name)
        return None if given is None else given.checked(SETTINGS[name].check)

    def imports(self, exports: Sequence[Path]) -> ImportSettings:
        """What decides what the bodies are.

        :raises UsageError: a value cannot be used.
        """
        values = self._values(ImportSettings)
        for name in ("connect_id", "user_id"):
            values.pop(name, None)
        return ImportSettings(exports=tuple(exports), **values, **self._account())

    def api(self) -> ApiSettings:
        """How to reach Shout.

        :raises UsageError: ``--api-url`` is missing, or a value cannot be used.
        """
        if self._given("api_url") is None:
            raise UsageError(
                "--api-url is missing: the address of Shout's API is not known",
                hint="ask Shout for the address, or rehearse with 'backfill sandbox'",
            )
        return ApiSettings(headers=tuple(self._headers()), **self._values(ApiSettings))

    def run(self, exports: Sequence[Path]) -> RunSettings:
        """One run of a job.

        :raises UsageError: a value cannot be used, or nothing says which job.
        """
        values = self._values(RunSettings)
        values["job"] = Path(values["job"]) if "job" in values else default_job(exports)
        return RunSettings(**values)

    def warnings(self) -> list[str]:
        """What a person should know about these settings, one line each."""
        return [line for place in self._places for line in place.warnings]

    def _values(self, settings: type) -> dict[str, Any]:
        """The checked values that somebody has set; the dataclass has the defaults."""
        found: dict[str, Any] = {}
        for each in declared(settings):
            if each.name == "headers":
                continue
            if each.table is not None:
                if entries := self._entries(each):
                    found[each.name] = tuple(entries.items())
            elif each.repeatable:
                if lines := self._repeated(each.name):
                    found[each.name] = tuple(line.checked(each.check) for line in lines)
            elif (given := self._given(each.name)) is not None:
                value = given.checked(each.check)
                if each.must_exist and not Path(given.value).exists():
                    raise UsageError(f"{given.where}: {given.value}: there is no such file")
                found[each.name] = Path(value) if each.must_exist else value
        return found

    def _given(self, name: str) -> _Given | None:
        return next((place.values[name] for place in self._places if name in place.values), None)

    def _repeated(self, name: str) -> Sequence[_Given]:
        return next((p.repeated[name] for p in self._places if name in p.repeated), ())

    def _entries(self, table: Setting) -> dict[str, str]:
        """The entries of a table, where an earlier place wins name by name."""
        return dict(
            given.checked(table.check)
            for place in reversed(self._places)
            for given in place.repeated.get(table.name, ())
        )

    def _account(self) -> dict[str, Any]:
        """The one account for all, from the first place that names one, in either way."""
        names = ("connect_id", "user_id")
        for place in self._places:
            named = {name: place.values[name] for name in names if name in place.values}
            if len(named) == 2:
                first, second = named.values()
                raise UsageError(
                    f"{first.where} and {second.where} cannot be used together",
                    hint="keep the one that names the orders' account",
                )
            for name, given in named.items():
                return {name: given.checked(SETTINGS[name].check)}
        return {}

    def _headers(self) -> Iterable[tuple[str, Secret]]:
        """The headers to send, where an earlier place wins name by name."""
        lines = {
            given.value.partition(":")[0].strip().lower(): given
            for place in reversed(self._places)
            for given in place.repeated.get("headers", ())
        }
        for given in lines.values():
            name, secret = checks.checked(
                given.where, given.value, lambda line: checks.header(line, self._environ)
            )
            log.keep_out(secret.reveal())
            yield name, secret


def default_job(exports: Sequence[Path]) -> Path:
    """The job folder where none is named: the first export's stem in the working folder.

    :raises UsageError: there is no export either.
    """
    if not exports:
        raise UsageError(
            "no export and no job was given",
            hint="name an export, or continue an earlier job with --job DIR",
        )
    first = exports[0]
    if glob.has_magic(str(first)) and not first.exists():
        first = Path(min(glob.glob(str(first)), default="orders"))
    return Path(f"{first.resolve().stem or 'orders'}.backfill")
