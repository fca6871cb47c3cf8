"""The proxy that the environment names, as ``curl`` reads it; never for this machine itself.

The environment is read here and not by the HTTP library, which would take credentials from
``~/.netrc`` along with it.
"""

from __future__ import annotations

import ipaddress
import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from yarl import URL

from backfill.errors import UsageError
from backfill.log import keep_out
from backfill.settings.checks import is_this_machine

_VARIABLES = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
_EXCEPT_FOR = ("no_proxy", "NO_PROXY")


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy, and the credentials that it alone gets."""

    url: URL
    """without user and password"""
    headers: Mapping[str, str]
    variable: str
    """which variable names it"""

    def __str__(self) -> str:
        return f"{self.url.host}:{self.url.port} ({self.variable})"


def proxy_for(address: str, environ: Mapping[str, str]) -> Proxy | None:
    """The proxy through which ``address`` is reached; None: directly.

    :raises UsageError: the environment names a proxy that cannot be used.
    """
    variable = next((name for name in _VARIABLES if environ.get(name)), None)
    if variable is None or is_this_machine(address):
        return None
    exceptions = next((environ[name] for name in _EXCEPT_FOR if environ.get(name)), "")
    if _is_excepted(address, exceptions):
        return None
    return _proxy(variable, environ[variable].strip())


def _proxy(variable: str, text: str) -> Proxy:
    """No message quotes ``text``: there may be a password in it."""
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or not re.fullmatch(r"[!-~]+", text):
        raise UsageError(
            f"{variable}: not the address of a proxy",
            hint="write it like http://proxy.example.com:3128",
        )
    if parts.scheme not in ("http", "https"):
        raise UsageError(
            f"{variable}: a {parts.scheme}: proxy cannot be used, only an http: or https: one",
            hint=f"change {variable}, or name Shout's host in NO_PROXY to reach it directly",
        )
    headers = {}
    if parts.username is not None:
        user, password = unquote(parts.username), unquote(parts.password or "")
        credentials = f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"
        keep_out(password)
        keep_out(credentials)
        headers["Proxy-Authorization"] = credentials
    return Proxy(URL.build(scheme=parts.scheme, host=host, port=port), headers, variable)


def _is_excepted(address: str, exceptions: str) -> bool:
    """Whether ``NO_PROXY`` names the host: ``*``, a host, a domain, a network, or with a port."""
    parts = urlsplit(address)
    host = (parts.hostname or "").rstrip(".")
    port = parts.port or 443
    for pattern in re.split(r"[,\s]+", exceptions.lower()):
        name = pattern.removeprefix("*.").lstrip(".").rstrip(".")
        if name.endswith(f":{port}") and name.count(":") == 1:
            name = name.removesuffix(f":{port}")
        if name == "*" or (name and (host == name or host.endswith(f".{name}"))):
            return True
        if "/" in name and _is_in(host, name):
            return True
    return False


def _is_in(host: str, network: str) -> bool:
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False
