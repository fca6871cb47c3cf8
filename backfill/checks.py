"""What a setting's text must look like: text in, value out, or :class:`WrongValueError`.

A message says what is wrong with the value; who calls says where it was set.
"""

from __future__ import annotations

import difflib
import ipaddress
import math
import re
from collections.abc import Callable, Iterable, Mapping
from urllib.parse import urlsplit

from backfill.settings import Secret

#: Headers that this tool sets itself, so that nobody else may (lower case).
OWN_HEADERS = (
    "x-shout-connect-id",
    "x-shout-user-id",
    "x-fail-creation-on-duplicate-reference-id",
    "content-type",
    "content-length",
    "transfer-encoding",
    "host",
)


class WrongValueError(ValueError):
    """A value that cannot be used, with what to do about it."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


def text(value: str) -> str:
    """Any text on one line."""
    if not value.isprintable():
        raise WrongValueError("holds a control character")
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
            raise WrongValueError(f"{value!r} is none of {', '.join(choices)}")
        return value

    return check


def number(
    what: str, *, least: float = 0, most: float = math.inf, above_least: bool = False
) -> Callable[[str], float]:
    """A finite number of at least ``least`` (with ``above_least``, of more)."""

    def check(value: str) -> float:
        try:
            found = float(value)
        except ValueError:
            raise WrongValueError(f"{value!r} is not {what}") from None
        too_low = found <= least if above_least else found < least
        if too_low or found > most or not math.isfinite(found):
            bounds = f"{'more than' if above_least else 'at least'} {least:g}"
            bounds += f" and at most {most:g}" if most < math.inf else ""
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
        raise WrongValueError(f"{value!r} is not an account's id: it must be printable ASCII")
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
        raise WrongValueError(f"{value!r} is not a currency's code of three letters, such as USD")
    return value.upper()


def region(value: str) -> str:
    """A country's code of two letters, as phone numbers know them; comes out in capitals."""
    from phonenumbers import SUPPORTED_REGIONS

    if value.upper() not in SUPPORTED_REGIONS:
        raise WrongValueError(f"{value!r} is not a country's code of two letters, such as US")
    return value.upper()


def pair(value: str) -> tuple[str, str]:
    """``FIELD=SPEC``; an empty SPEC is one too: go without that field."""
    field, equals, spec = value.partition("=")
    if not (equals and field.strip()):
        raise WrongValueError(
            f"{value!r} does not say FIELD=SPEC",
            "write it like --map 'profile_name=Customer Name'",
        )
    return field.strip(), spec.strip()


def url(value: str) -> str:
    """An address that is safe to send to; what is said of it never quotes a password in it."""
    example = "write it like --api-url https://api.example.com/v1"
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise WrongValueError("is not an address", example) from None
    if parts.username is not None or parts.password is not None:
        raise WrongValueError(
            "holds a user name or a password",
            "take it out of the address, and give credentials with --header",
        )
    if parts.scheme not in ("http", "https") or not host:
        raise WrongValueError("is not an address of a host that begins with https://", example)
    if parts.query or parts.fragment or not re.fullmatch(r"[!-~]+", value) or "\\" in value:
        raise WrongValueError("must be an address without spaces, '?' and '#'", example)
    if parts.scheme == "http" and not is_this_machine(value):
        raise WrongValueError(
            f"a plain http: address is refused, because {host} is not this machine",
            "use https:, so that credentials and customers' data travel encrypted",
        )
    return value.rstrip("/")


def is_this_machine(address: str) -> bool:
    """Whether a URL names this machine: localhost, 127.0.0.0/8 or ::1."""
    host = urlsplit(address).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def header(line: str, environ: Mapping[str, str]) -> tuple[str, Secret]:
    """A header from ``Name: value`` or ``Name: env:VAR``; no message ever quotes the value."""
    example = "write it like --header 'Authorization: env:SHOUT_AUTHORIZATION'"
    name, colon, value = line.partition(":")
    name, value = name.strip(), value.strip()
    if not colon or not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name):
        raise WrongValueError("is not 'Name: value'", example)
    if name.lower() in OWN_HEADERS:
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
        raise WrongValueError(f"{name}: the value is empty, or not printable ASCII in one line")
    return name, Secret(value)


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """A hint that names the nearest of the words that are known."""
    close = difflib.get_close_matches(word, list(known), n=1)
    return f"did you mean {close[0]}?" if close else None
