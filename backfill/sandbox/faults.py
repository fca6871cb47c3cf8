"""How a sandbox misbehaves: the faults file.

TOML (or JSON, where the name ends in ``.json``; the same as JSON over ``/sandbox/faults``).
Everything is optional; an empty file is a Shout that behaves. A whole one::

    seed = 7                        # the same seed and the same requests: the same faults
    rate_limit = 50                 # requests a second; over it: 429 with Retry-After
    burst = 50                      # requests that may come at once; default: one second's worth
    retry_after = "seconds"         # or "date" (an HTTP-date), or "none"
    down = false                    # "503": answers only that; "drop": hangs up on everybody
    honour_duplicate_header = true  # false: a second order with the same reference id is created
    envelope = false                # true: answers come as {"order": {...}}, {"message": {...}}
    lookup_lag = 0                  # seconds after its commit before a get finds an order
    not_found_body = ""             # JSON that stands for "no such order"; default: an error text

    [status]                        # not documented by Shout, so they can be set
    created = 201
    duplicate = 409
    not_enabled = 422
    unknown_account = 404
    not_found = 404                 # of an order

    [accounts]
    auto = true                     # an id not named here is an account too, made at first sight
    known = ["A1", "A2"]            # the only accounts where auto is false (with those in pairs)
    pairs = [["A1", "315"]]         # connect id and user id of one and the same account
    unknown = ["A8"]                # ids that Shout does not know
    not_enabled = ["A9"]            # accounts that have not enabled Connect orders

    [[fault]]
    kind = "drop_after_commit"
    p = 0.05                        # when: by chance
    [[fault]]
    kind = "error_before_commit"
    status = 503
    retry_after = 2
    nth = 10                        # when: every 10th request
    on = ["create", "get"]          # which requests; default: all that the kind can happen to
    account = "A2"                  # only under this account header
    [[fault]]
    kind = "hang_after_commit"
    at = [3, 300]                   # when: exactly the 3rd and the 300th request
    [[fault]]
    kind = "flag_false"
    from = 300                      # when: each one from the 300th on
    times = 1                       # at most so often
    name = "the lie"                # what /sandbox/stats calls it; default: the kind

``on`` is of ``create``, ``get``, ``update``, ``delete``, ``notify``. Requests are counted a fault,
from 1, among those that its ``on`` and ``account`` let through, when they come in (a retry and a
refused duplicate count as well). With none of ``p``, ``nth``, ``at``, ``from``: each request.
Where several faults are due at one request the first in the file happens; ``latency`` happens in
addition. Requests turned away by ``down``, the rate limit or a wrong credential meet no fault.

Kinds ("commit" means: in the SQLite file; for a ``get``: read). On each operation unless said:

==========================  =======================================================================
``latency``                 waits ``ms = 200``, or ``ms = [50, 300]`` evenly spread, then goes on
``error_before_commit``     answers ``status = 500`` (any), with ``retry_after = N`` if given
``error_after_commit``      the same, and the commit has happened
``answer``                  answers ``status = 200`` with the text ``body = "{}"`` as
                            ``content_type = "application/json"``; commits if ``commit = true``
``redirect``                answers 302 to ``location = "/elsewhere"``, no commit
``drop_before_commit``      closes the connection, no commit; ``reset = true``: with a TCP reset
``drop_after_commit``       commits, then closes the connection; ``reset`` as above
``drop_in_answer``          commits, sends half of the answer, then closes the connection
``hang_before_commit``      never answers until the client leaves, no commit
``hang_after_commit``       commits, then never answers
``late_commit``             never answers; commits after ``seconds = 1.0``, client there or not
                            (create, update, delete, notify)
``html``                    commits, answers 200 with a page of HTML
``cut_json``                commits, answers 2xx with the first half of the JSON
``empty``                   commits, answers 2xx with nothing
``wrong_content_type``      commits, answers the right JSON as ``text/plain``
``flag_false``              the echo says ``dont_trigger_auto_actions: false`` (create, update)
``flag_missing``            the echo lacks that field (create, update)
``amounts_missing``         the echo lacks total and lines' amounts (create, update)
``amount_changed``          the echo's total is ``cents = 1`` higher (create, update)
``duplicate_ignored``       the duplicate header is ignored (create)
==========================  =======================================================================

The lies of the echo are told where the answer is a 2xx; what is stored stays right, and ``get``
tells it unless ``on`` names ``get``.
"""

from __future__ import annotations

import json
import random
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from backfill.sandbox.settings import SandboxError

OPERATIONS = ("create", "get", "update", "delete", "notify")
_ECHO = ("create", "update")


@dataclass(frozen=True, slots=True)
class Kind:
    """What a kind of fault can happen to, and the settings of its own with their defaults."""

    on: tuple[str, ...] = OPERATIONS
    options: Mapping[str, Any] = field(default_factory=dict)
    may_on: tuple[str, ...] = OPERATIONS


KINDS: Mapping[str, Kind] = {
    "latency": Kind(options={"ms": 200}),
    "error_before_commit": Kind(options={"status": 500, "retry_after": None}),
    "error_after_commit": Kind(options={"status": 500, "retry_after": None}),
    "answer": Kind(
        options={
            "status": 200,
            "body": "{}",
            "content_type": "application/json",
            "commit": False,
        }
    ),
    "redirect": Kind(options={"location": "/elsewhere"}),
    "drop_before_commit": Kind(options={"reset": False}),
    "drop_after_commit": Kind(options={"reset": False}),
    "drop_in_answer": Kind(),
    "hang_before_commit": Kind(),
    "hang_after_commit": Kind(),
    "late_commit": Kind(
        on=("create", "update", "delete", "notify"),
        may_on=("create", "update", "delete", "notify"),
        options={"seconds": 1.0},
    ),
    "html": Kind(),
    "cut_json": Kind(),
    "empty": Kind(),
    "wrong_content_type": Kind(),
    "flag_false": Kind(on=_ECHO),
    "flag_missing": Kind(on=_ECHO),
    "amounts_missing": Kind(on=_ECHO),
    "amount_changed": Kind(on=_ECHO, options={"cents": 1}),
    "duplicate_ignored": Kind(on=("create",), may_on=("create",)),
}

_WHEN = ("p", "nth", "at", "from")
_DEFAULTS: Mapping[str, Any] = {
    "seed": 0,
    "rate_limit": None,
    "burst": None,
    "retry_after": "seconds",
    "down": False,
    "honour_duplicate_header": True,
    "envelope": False,
    "lookup_lag": 0,
    "not_found_body": "",
    "status": {
        "created": 201,
        "duplicate": 409,
        "not_enabled": 422,
        "unknown_account": 404,
        "not_found": 404,
    },
    "accounts": {"auto": True, "known": [], "pairs": [], "unknown": [], "not_enabled": []},
    "fault": [],
}
_CHOICES: Mapping[str, tuple[Any, ...]] = {
    "retry_after": ("seconds", "date", "none"),
    "down": (False, "503", "drop"),
}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _is_numbers(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(map(_is_number, value))


#: What a setting of a fault must look like, and whether a value does.
_SHAPES: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    "p": ("a chance from 0 to 1", lambda value: _is_number(value) and value <= 1),
    "nth": ("a number from 1", _is_count),
    "at": (
        "a list of numbers from 1",
        lambda value: isinstance(value, list) and all(map(_is_count, value)),
    ),
    "from": ("a number from 1", _is_count),
    "times": ("a number from 1", _is_count),
    "ms": ("milliseconds, or a list of two", lambda v: _is_number(v) or _is_numbers(v)),
    "seconds": ("seconds", _is_number),
    "retry_after": ("seconds", _is_count),
    "status": ("a status code", lambda value: _is_count(value) and 200 <= value <= 599),
    "cents": ("whole cents", lambda value: type(value) is int),
    "body": ("a text", lambda value: isinstance(value, str)),
    "content_type": ("a text", lambda value: isinstance(value, str)),
    "commit": ("true or false", lambda value: isinstance(value, bool)),
    "reset": ("true or false", lambda value: isinstance(value, bool)),
    "location": ("a text", lambda value: isinstance(value, str)),
    "account": ("a text", lambda value: isinstance(value, str)),
    "name": ("a text", lambda value: isinstance(value, str)),
}


def load(path: Path) -> dict[str, Any]:
    """The table in a faults file, not yet checked. Raises SandboxError where it cannot be read."""
    try:
        text = path.read_text("utf-8")
        table = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except (OSError, ValueError) as error:
        raise SandboxError(f"{path}: cannot be read as a faults file: {error}") from error
    if not isinstance(table, dict):
        raise SandboxError(f"{path}: a faults file has to be a table of settings")
    return table


class Fault:
    """One ``[[fault]]``: when it is due, and what its kind needs to know."""

    def __init__(self, table: Mapping[str, Any], seed: str) -> None:
        kind = str(table.get("kind"))
        if kind not in KINDS:
            raise SandboxError(f"fault: unknown kind {kind!r}; the kinds are {', '.join(KINDS)}")
        self.kind = kind
        spec = KINDS[kind]
        known = {"kind", "on", "account", "times", "name", *_WHEN, *spec.options}
        if unknown := table.keys() - known:
            raise SandboxError(f"fault {kind}: unknown setting {sorted(unknown)[0]!r}")
        for name in table.keys() & _SHAPES.keys():
            what, fits = _SHAPES[name]
            if not fits(table[name]):
                raise SandboxError(f"fault {kind}: {name} has to be {what}, not {table[name]!r}")
        if len([name for name in _WHEN if name in table]) > 1:
            raise SandboxError(f"fault {kind}: use only one of {', '.join(_WHEN)}")
        self.name: str = table.get("name", kind)
        self.options: dict[str, Any] = {
            name: table.get(name, default) for name, default in spec.options.items()
        }
        on = table.get("on", spec.on)
        self._on = frozenset((on,) if isinstance(on, str) else on)
        if wrong := self._on - set(spec.may_on):
            raise SandboxError(f"fault {kind}: cannot happen on {sorted(wrong)[0]!r}")
        self._account: str | None = table.get("account")
        self._left: float = table.get("times", float("inf"))
        self._p: float | None = table.get("p")
        self._nth: int | None = table.get("nth")
        self._at = frozenset(table["at"]) if "at" in table else None
        self._from: int = table.get("from", 1)
        self._random = random.Random(seed)  # noqa: S311  (faults, not secrets)
        self._seen = 0

    def due(self, operation: str, account: str | None) -> bool:
        """Count the request if it concerns this fault; returns whether the fault is due."""
        if operation not in self._on or self._account not in (None, account):
            return False
        self._seen += 1
        if self._p is not None:
            due = self._random.random() < self._p
        elif self._nth is not None:
            due = self._seen % self._nth == 0
        elif self._at is not None:
            due = self._seen in self._at
        else:
            due = self._seen >= self._from
        return due and self._left > 0

    def take(self) -> None:
        """Count one occurrence."""
        self._left -= 1

    def latency(self) -> float:
        """Seconds to wait, for a fault of that kind."""
        ms = self.options["ms"]
        return (self._random.uniform(*ms) if isinstance(ms, Sequence) else ms) / 1000


class Faults:
    """The checked faults file, and where each fault's count stands.

    Raises SandboxError for a setting that is not there or not usable.
    """

    def __init__(self, table: Mapping[str, Any], *, before: Faults | None = None) -> None:
        """``before``: the faults that these replace; where they are the same they count on."""
        _check(table)
        self.table: dict[str, Any] = {**_DEFAULTS, **table}
        for part in ("status", "accounts"):
            self.table[part] = {**_DEFAULTS[part], **table.get(part, {})}
        self.rate_limit: float | None = self.table["rate_limit"]
        self.burst: float = max(1.0, self.table["burst"] or self.rate_limit or 1.0)
        self.retry_after: str = self.table["retry_after"]
        self.down: str | bool = self.table["down"]
        self.honour_duplicate_header: bool = self.table["honour_duplicate_header"]
        self.envelope: bool = self.table["envelope"]
        self.lookup_lag: float = self.table["lookup_lag"]
        self.not_found_body: str = self.table["not_found_body"]
        self.status: dict[str, int] = self.table["status"]
        accounts = self.table["accounts"]
        pairs = [(str(connect), str(user)) for connect, user in accounts["pairs"]]
        self._partner = {
            "connect_id": dict(pairs),
            "user_id": {user: connect for connect, user in pairs},
        }
        self._auto: bool = accounts["auto"]
        self._known = {*map(str, accounts["known"]), *(one for pair in pairs for one in pair)}
        self._unknown = self._with_partners(accounts["unknown"])
        self._not_enabled = self._with_partners(accounts["not_enabled"])
        if before is not None and before._drawn_from() == self._drawn_from():
            self._faults: list[Fault] = before._faults
        else:
            self._faults = [
                Fault(one, f"{self.table['seed']}/{index}")
                for index, one in enumerate(self.table["fault"])
            ]

    def patched(self, changes: Mapping[str, Any]) -> Faults:
        """These faults with some top-level settings changed."""
        return Faults({**self.table, **changes}, before=self)

    def knows(self, account: str) -> bool:
        """Whether Shout knows an account by this id."""
        return account not in self._unknown and (self._auto or account in self._known)

    def has_enabled(self, account: str) -> bool:
        """Whether the account has enabled Connect orders."""
        return account not in self._not_enabled

    def partner(self, kind: str, account: str) -> str | None:
        """The same account's id of the other kind."""
        return self._partner[kind].get(account)

    def draw(self, operation: str, account: str | None) -> tuple[float, Fault | None]:
        """What happens to this request: seconds of latency, and the fault, if any."""
        delay, chosen = 0.0, None
        for fault in self._faults:
            if not fault.due(operation, account):
                continue
            if fault.kind == "latency":
                fault.take()
                delay += fault.latency()
            elif chosen is None:
                fault.take()
                chosen = fault
        return delay, chosen

    def _with_partners(self, ids: Sequence[str | int]) -> frozenset[str]:
        named = {str(one) for one in ids}
        partners = {
            partner
            for table in self._partner.values()
            for one in named
            if (partner := table.get(one))
        }
        return frozenset(named | partners)

    def _drawn_from(self) -> tuple[Any, Any]:
        return self.table["seed"], self.table["fault"]


def _check(table: Mapping[str, Any]) -> None:
    if unknown := table.keys() - _DEFAULTS.keys():
        raise SandboxError(
            f"faults: unknown setting {sorted(unknown)[0]!r};"
            f" the settings are {', '.join(_DEFAULTS)}"
        )
    for part in ("status", "accounts"):
        inner = table.get(part, {})
        if not isinstance(inner, Mapping):
            raise SandboxError(f"faults: {part} has to be a table")
        if unknown := inner.keys() - _DEFAULTS[part].keys():
            raise SandboxError(f"faults: unknown setting {sorted(unknown)[0]!r} in {part}")
    for name, choices in _CHOICES.items():
        if (value := table.get(name, choices[0])) not in choices:
            raise SandboxError(f"faults: {name} has to be one of {choices}, not {value!r}")
    for name in ("rate_limit", "burst"):
        rate = table.get(name)
        if rate is not None and not (_is_number(rate) and rate > 0):
            raise SandboxError(f"faults: {name} has to be a number above 0, not {rate!r}")
    found = table.get("fault", [])
    if not isinstance(found, list) or not all(isinstance(one, Mapping) for one in found):
        raise SandboxError("faults: fault has to be a list of tables ([[fault]])")
