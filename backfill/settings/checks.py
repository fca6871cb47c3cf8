"""What a setting's text must look like: text in, value out, or :class:`WrongValueError`.

A message says what is wrong with the value; the caller adds where it was set.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from math import inf, isfinite
from typing import TypeVar

from backfill.errors import UsageError
from backfill.settings.secret import Secret

T = TypeVar("T")

#: Headers that a user may not set: those that name account and duplicates, which are ours to set,
#: and those that would change what the body means (lower case).
RESERVED_HEADERS = frozenset(
    {
        "x-shout-connect-id",
        "x-shout-user-id",
        "x-fail-creation-on-duplicate-reference-id",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "expect",
        "host",
        "transfer-encoding",
    }
)
#: RFC 9110, section 5.6.2
TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


class WrongValueError(ValueError):
    """A value that cannot be used, with what to do about it."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


def checked(where: str, value: object, check: Callable[[str], T]) -> T:
    """The value that came from ``where``, such as ``--since``, after its check.

    :raises UsageError: it cannot be used.
    """
    try:
        return check(str(value))
    except WrongValueError as exc:
        raise UsageError(f"{where}: {exc}", hint=exc.hint) from None


def text(value: str) -> str:
    """Any text on one line."""
    if not value.isprintable():
        raise WrongValueError("contains a control character")
    return value


def switch(value: str) -> bool:
    """True or false."""
    known = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    if value.lower() not in known:
        raise WrongValueError(f"{value!r} is neither true nor false")
    return known[value.lower()]


def one_of(*choices: str) -> Callable[[str], str]:
    """One of a few words."""

    def check(value: str) -> str:
        if value not in choices:
            raise WrongValueError(f"{value!r} is not one of {', '.join(choices)}")
        return value

    return check


def number(
    what: str, *, least: float = 0, most: float = inf, above_least: bool = False
) -> Callable[[str], float]:
    """A finite number of at least ``least`` (with ``above_least``, of more)."""

    def check(value: str) -> float:
        try:
            found = float(value)
        except ValueError:
            raise WrongValueError(f"{value!r} is not {what}") from None
        too_low = found <= least if above_least else found < least
        if too_low or found > most or not isfinite(found):
            bounds = f"{'more than' if above_least else 'at least'} {least:g}"
            bounds += f" and at most {most:g}" if most < inf else ""
            raise WrongValueError(f"{value!r} is not {what}: it must be {bounds}")
        return found

    return check


def count(what: str, *, most: int = 2**31) -> Callable[[str], int]:
    """A whole number from 1 to ``most``."""

    def check(value: str) -> int:
        if not re.fullmatch(r"[0-9]{1,12}", value) or not 1 <= int(value) <= most:
            raise WrongValueError(f"{value!r} is not {what}: it must be from 1 to {most:,}")
        return int(value)

    return check


def account_id(value: str) -> str:
    """An account's id. It becomes a header, where a line break would smuggle in another one."""
    if not re.fullmatch(r"[!-~](?:[ -~]*[!-~])?", value):
        raise WrongValueError(f"{value!r} is not an account id: it must be printable ASCII")
    return value


def timezone(value: str) -> str:
    """The IANA name of a time zone."""
    from zoneinfo import ZoneInfo, available_timezones

    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):  # unknown; not a plain name; a folder of zones
        raise WrongValueError(
            f"{value!r} is not the name of a time zone",
            did_you_mean(value, available_timezones()) or "write it like America/Denver",
        ) from None
    return value


def day(value: str) -> str:
    """A day, as ``2026-01-31``."""
    from datetime import date

    try:
        return date.fromisoformat(value).isoformat()
    except ValueError:
        raise WrongValueError(f"{value!r} is not a date, such as 2026-01-31") from None


def moment(value: str) -> str:
    """A day, or a time with its offset; comes out in UTC as the checkpoint writes times."""
    from datetime import UTC, datetime

    try:
        time = datetime.fromisoformat(value)
    except ValueError:
        raise WrongValueError(f"{value!r} is not a date, such as 2026-01-31") from None
    time = time if time.tzinfo else time.replace(tzinfo=UTC)
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def encoding(value: str) -> str:
    """An encoding that Python can read text in."""
    import codecs

    try:
        "".encode(value)
        return codecs.lookup(value).name
    except (LookupError, ValueError):
        raise WrongValueError(
            f"{value!r} is not an encoding", "write it like utf-8, windows-1252 or shift_jis"
        ) from None


def currency(value: str) -> str:
    """A currency's code of three letters; comes out in capitals."""
    if not re.fullmatch(r"[A-Za-z]{3}", value):
        raise WrongValueError(f"{value!r} is not a three-letter currency code, such as USD")
    return value.upper()


def region(value: str) -> str:
    """A country's code of two letters, as phone numbers know them; comes out in capitals."""
    from phonenumbers import SUPPORTED_REGIONS

    if value.upper() not in SUPPORTED_REGIONS:
        raise WrongValueError(f"{value!r} is not a two-letter country code, such as US")
    return value.upper()


def pair(value: str) -> tuple[str, str]:
    """``FIELD=SPEC``; an empty SPEC is one too: go without that field."""
    field, equals, spec = value.partition("=")
    if not (equals and field.strip()):
        raise WrongValueError(
            f"{value!r} is not FIELD=SPEC",
            "write it like --map 'profile_name=Customer Name'",
        )
    return field.strip(), spec.strip()


def pair_of(check: Callable[[str], str]) -> Callable[[str], tuple[str, str]]:
    """``NAME=VALUE`` with a check of the value."""

    def check_pair(value: str) -> tuple[str, str]:
        name, chosen = pair(value)
        return name, check(chosen)

    return check_pair


def url(value: str) -> str:
    """An address that is safe to send to; no message ever quotes a password in it."""
    from urllib.parse import urlsplit

    example = "write it like --api-url https://api.example.com/v1"
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise WrongValueError("is not an address", example) from None
    if parts.username is not None or parts.password is not None:
        raise WrongValueError(
            "contains a user name or a password",
            "remove it, and give credentials with --header",
        )
    if parts.scheme not in ("http", "https") or not host:
        raise WrongValueError("is not an address that begins with https://", example)
    if not re.fullmatch(r"[!-~]+", value) or any(mark in value for mark in "?#\\"):
        raise WrongValueError("must not contain spaces, '?' or '#'", example)
    if parts.path.rstrip("/").endswith("/orders"):
        raise WrongValueError("must not end with /orders, which backfill adds itself", example)
    if parts.scheme == "http" and not is_this_machine(value):
        raise WrongValueError(
            f"a plain http: address is refused, because {host} is not this machine",
            "use https:, so that credentials and customer data are encrypted",
        )
    return value.rstrip("/")


def is_this_machine(address: str) -> bool:
    """Whether a URL names this machine: localhost, 127.0.0.0/8 or ::1."""
    import ipaddress
    from urllib.parse import urlsplit

    host = urlsplit(address).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def header(line: str, environ: Mapping[str, str]) -> tuple[str, Secret]:
    """A header from ``Name: value`` or ``Name: env:VAR``; no message ever quotes the value."""
    name, value = split_header(line)
    if name.lower() in RESERVED_HEADERS:
        raise WrongValueError(
            f"{name} is a header that backfill sets itself",
            "name the account with --connect-id or --user-id" if "-Id" in name.title() else None,
        )
    if value.startswith("env:"):
        variable = value.removeprefix("env:").strip()
        value = environ.get(variable, "").strip()
        if not value:
            raise WrongValueError(
                f"{name}: the environment variable {variable} is not set",
                f"set it first: export {variable}='...'",
            )
    if not re.fullmatch(r"[ -~]+", value):
        raise WrongValueError(f"{name}: the value is empty, or not printable ASCII on one line")
    return name, Secret(value)


def split_header(line: str) -> tuple[str, str]:
    """The name and the value of a header, or of the variable that holds it."""
    name, colon, value = line.partition(":")
    name, value = name.strip(), value.strip()
    if not colon or not TOKEN.fullmatch(name):
        raise WrongValueError(
            "is not 'Name: value'",
            "write it like --header 'Authorization: env:SHOUT_AUTHORIZATION'",
        )
    return name, value


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """A hint that names the closest of the known words."""
    import difflib

    close = difflib.get_close_matches(word, list(known), n=1)
    return f"did you mean {close[0]}?" if close else None


def host_of(address: str) -> str:
    """The host in a URL; empty where there is none."""
    from urllib.parse import urlsplit

    return urlsplit(address).hostname or ""
