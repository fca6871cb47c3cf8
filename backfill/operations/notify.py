"""Sends one message per account: your order history is here.

The text is a template. Each account's message is rendered and checked before the first one
leaves, and each account gets at most one in the life of a job. A message cannot be looked up. So
one that may have been accepted is in doubt for good, and is sent again only on request.

Owns the table ``notifications``.
"""

from __future__ import annotations

import json
import sqlite3
import string
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from typing import Any

from backfill.checkpoint import Checkpoint, now
from backfill.confirmation import Confirm, Plan, require_for_shout
from backfill.deliver.loop import run_errand
from backfill.deliver.outcome import Outcome
from backfill.deliver.pace import Stopped
from backfill.deliver.shout import MOST_UNANSWERED, Shout, described, run_refused
from backfill.deliver.shown import shout_id, shown_message
from backfill.errors import SafetyStop, UsageError
from backfill.money import amount
from backfill.progress import Progress
from backfill.settings import ApiSettings, RunSettings, ShoutOptions

FIELDS = ("orders", "total", "first_month", "last_month", "company")
"""what a template may contain, in braces"""
LONGEST = 480
"""Characters: three text messages. What Shout accepts is not documented."""
_MOST_FIRST_DOUBTS = 3
"""So many messages may be in doubt before one was accepted."""


class MessageState(StrEnum):
    """What is known of a message."""

    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    IN_DOUBT = "in_doubt"


@dataclass(frozen=True, slots=True)
class Message:
    """One message to an account, and what became of it."""

    account_header: str
    account_id: str
    body: str
    state: MessageState = MessageState.SENDING
    message_id: str | None = None
    reason: str | None = None

    @property
    def account(self) -> tuple[str, str]:
        """Header and id."""
        return self.account_header, self.account_id


class NotifyOptions(ShoutOptions, total=False):
    """The options of :meth:`backfill.Job.notify`."""

    company: str | None
    """what ``{company}`` stands for"""
    accounts: Collection[str] | None
    """only these account ids; None: all"""
    resend_in_doubt: bool
    """send again what may already have arrived"""
    dry_run: bool
    """send nothing, and return what would be sent"""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifyPlan(Plan):
    """The messages that are about to be sent."""

    messages: Sequence[Message]


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifyResult:
    """What was sent, or what would be."""

    due: Sequence[Message]
    """the messages that this command sends, as they leave"""
    sent_before: int
    """messages that were sent before"""
    messages: Sequence[Message]
    """every message of the job that was ever begun, and what became of it"""


def notify(
    checkpoint: Checkpoint,
    api: ApiSettings | None,
    run: RunSettings,
    progress: Progress,
    confirm: Confirm | None,
    template: str,
    options: NotifyOptions,
) -> NotifyResult:
    """Send one message to each account that has orders created by this job.

    :param api: None: send nothing, and return what would be sent.
    :param run: ``limit`` is how many messages, at most.
    :raises UsageError: the template or a rendered message cannot be used, an account is not known,
        or a confirmation is needed and nobody can be asked.
    :raises SafetyStop, Interrupted: it was not confirmed, or stopped; resumable.
    """
    _doubt_unfinished(checkpoint)
    known = {one.account: one for one in _messages(checkpoint)}
    due = _due(_rendered(checkpoint, template, options.get("company")), known, options)[: run.limit]
    if due and api is not None:
        require_for_shout(
            api, confirm, lambda host: NotifyPlan(confirm_with=host, messages=due), yes=run.yes
        )
        run_errand(lambda shout: Sending(shout, due), checkpoint, api, progress)
    return NotifyResult(
        due=due,
        sent_before=sum(one.state is MessageState.SENT for one in known.values()),
        messages=_messages(checkpoint),
    )


# --- what to tell, and whom ------------------------------------------------------------------

_ACCOUNTS = """
    SELECT account_header, account_id, count(*) AS orders, coalesce(sum(total_cents), 0),
           min(ordered_on), max(ordered_on)
    FROM orders WHERE state = 'created' GROUP BY account_header, account_id
    ORDER BY orders DESC, account_id
"""


def _rendered(checkpoint: Checkpoint, template: str, company: str | None) -> list[Message]:
    """The message of every account that has created orders.

    :raises UsageError: the template or a rendered message cannot be used.
    """
    _check_template(template, company)
    currency = checkpoint.currency()
    rendered = []
    for header, account, orders, cents, first, last in checkpoint.query(_ACCOUNTS):
        body = template.format(
            orders=f"{orders:,}",
            total=f"{currency} {amount(cents, currency)}",
            first_month=_month(first),
            last_month=_month(last),
            company=company,
        ).strip()
        if len(body) > LONGEST:
            raise UsageError(
                f"the message to {account} has {len(body)} characters, more than {LONGEST}",
                hint="shorten the template",
            )
        rendered.append(Message(header, account, body))
    return rendered


def _check_template(template: str, company: str | None) -> None:
    try:
        parts = list(string.Formatter().parse(template))
    except ValueError as exc:
        raise UsageError(
            f"the template cannot be read: {exc}", hint="write {{ and }} for literal braces"
        ) from exc
    fields = {
        # '{orders!r}' and '{orders:>9}' are unknown fields too
        f"{name}{f'!{conversion}' if conversion else ''}{f':{spec}' if spec else ''}"
        for _, name, spec, conversion in parts
        if name is not None
    }
    if unknown := sorted(fields - set(FIELDS)):
        raise UsageError(
            f"the template has an unknown field: {{{unknown[0]}}}",
            hint=f"the fields are {', '.join(f'{{{name}}}' for name in FIELDS)}",
        )
    if "company" in fields and not company:
        raise UsageError("the template contains {company}, but --company is missing")
    if not template.strip():
        raise UsageError("the message is empty")


def _due(
    rendered: Sequence[Message], known: Mapping[tuple[str, str], Message], options: NotifyOptions
) -> list[Message]:
    """The messages to send: none that was sent, and none in doubt unless asked for.

    :raises UsageError: an account is named that has no created orders.
    """
    reachable = {one.account_id for one in rendered}
    accounts = options.get("accounts")
    named = reachable if accounts is None else set(accounts)
    if strangers := named - reachable:
        raise UsageError(f"account {min(strangers)} has no orders that this job created")
    settled = {MessageState.SENT}
    if not options.get("resend_in_doubt"):
        settled.add(MessageState.IN_DOUBT)
    return [
        one
        for one in rendered
        if one.account_id in named
        and (one.account not in known or known[one.account].state not in settled)
    ]


def _month(day: str | None) -> str:
    return "" if day is None else date.fromisoformat(day).strftime("%B %Y")


# --- on the wire -----------------------------------------------------------------------------


class Sending:
    """The errand: one message, on disk as ``sending`` before it leaves."""

    name = "notifying"
    unit = "accounts"

    def __init__(self, shout: Shout, messages: Sequence[Message]) -> None:
        self._shout = shout
        self._messages = messages
        self._claimed = 0
        self._proven = False
        self._doubts = 0
        self._done: Counter[MessageState] = Counter()
        self.total = len(messages)
        self.finished = 0

    @property
    def alone(self) -> bool:
        """One at a time until one was accepted."""
        return not self._proven

    def advance(
        self, db: sqlite3.Connection, done: Sequence[Message], room: int
    ) -> Sequence[Message]:
        """Record what was sent, and that the next ones are about to be."""
        self._done.update(one.state for one in done)
        self.finished += len(done)
        begun = self._messages[self._claimed : self._claimed + room]
        self._claimed += len(begun)
        db.executemany(
            "INSERT OR REPLACE INTO notifications VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                (*one.account, one.state, one.body, one.message_id, one.reason, now())
                for one in (*done, *begun)
            ],
        )
        return begun

    async def see_through(self, item: Message) -> Message:
        """Send one message."""
        shout, why = self._shout, "nothing was sent"
        try:
            while True:
                outcome, answer, shown = await shout.wire.change(
                    lambda api: api.notify(_request(item)), shown_message
                )
                why = described(answer)
                if shown is not None:
                    return self._accepted(item, shown)
                if outcome is Outcome.IN_DOUBT:
                    return self._in_doubt(item, why)
                if outcome is Outcome.REFUSED:
                    shout.refused(why)
                    break
                if outcome is Outcome.RUN_REFUSED:
                    shout.halt(run_refused(answer))
                    break
                await shout.pace.may_retry()
        except Stopped:
            pass
        return replace(item, state=MessageState.FAILED, reason=why)

    def _accepted(self, item: Message, shown: Mapping[str, Any]) -> Message:
        self._shout.accepted()
        self._proven, self._doubts = True, 0
        return replace(item, state=MessageState.SENT, message_id=shout_id(shown), reason=None)

    def _in_doubt(self, item: Message, why: str) -> Message:
        self._doubts += 1
        if self._doubts >= (MOST_UNANSWERED if self._proven else _MOST_FIRST_DOUBTS):
            self._shout.halt(
                SafetyStop(
                    f"{self._doubts} messages in a row are in doubt; the last answer: {why}",
                    hint="check whether Shout is up, then run the same command again",
                )
            )
        return replace(item, state=MessageState.IN_DOUBT, reason=why)

    def counts(self) -> dict[str, int]:
        """Messages by state."""
        return {state.value: n for state, n in self._done.items()}


def _request(message: Message) -> bytes:
    """The body of the request: the account is named by the id that its orders were sent under."""
    if message.account_header == "X-Shout-User-Id":
        number = message.account_id
        whom: dict[str, Any] = {"user_id": int(number) if _is_number(number) else number}
    else:
        whom = {"connect_id": message.account_id}
    return json.dumps({"message": {"body": message.body, **whom}}, ensure_ascii=False).encode()


def _is_number(text: str) -> bool:
    """Shout's example writes user ids as numbers."""
    return text.isascii() and text.isdecimal() and str(int(text)) == text


# --- the table -------------------------------------------------------------------------------


def _messages(checkpoint: Checkpoint) -> list[Message]:
    """Every message that was ever begun."""
    rows = checkpoint.query(
        "SELECT account_header, account_id, body, state, message_id, reason FROM notifications"
        " ORDER BY account_id, account_header"
    )
    return [
        Message(header, account, body, MessageState(state), message_id, reason)
        for header, account, body, state, message_id, reason in rows
    ]


def _doubt_unfinished(checkpoint: Checkpoint) -> None:
    """Messages that a crash left as ``sending`` are in doubt from now on."""
    with checkpoint.writing() as db:
        db.execute(
            "UPDATE notifications SET state = 'in_doubt',"
            " reason = 'interrupted while it was being sent' WHERE state = 'sending'"
        )
