"""One message an account: your order history is here.

The text is a template. Each account's message is rendered, checked and previewed before the
first one leaves, and each account gets at most one in the life of a job.
"""

from __future__ import annotations

import csv
import string
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from backfill import steps
from backfill.checkpoint import Checkpoint
from backfill.checkpoint.afterwards import Message, MessageState, doubt_unfinished, messages
from backfill.errors import UsageError
from backfill.progress import Progress
from backfill.settings import ApiSettings, RunSettings
from backfill.steps import Tell

FIELDS = ("orders", "total", "first_month", "last_month", "company")
#: Three text messages' worth; what Shout takes is not documented.
LONGEST = 480
_SHOWN = 10

_ACCOUNTS = """
    SELECT account_header, account_id, count(*) AS orders, coalesce(sum(total_cents), 0),
           min(ordered_on), max(ordered_on)
    FROM orders WHERE state = 'created' GROUP BY account_header, account_id
    ORDER BY orders DESC, account_id
"""


@dataclass(frozen=True, slots=True)
class Notice:
    """What is to be told, and to whom."""

    template: str
    company: str | None = None
    accounts: Path | None = None
    """A file that names account ids, one a line (or the first column of a CSV); None: all."""
    resend_in_doubt: bool = False


def read_template(message: str | None, file: Path | None) -> str:
    """The text of ``--message`` or of the file that ``--template`` names.

    :raises UsageError: neither or both are given, or the file cannot be read.
    """
    if (message is None) == (file is None):
        raise UsageError(
            "one of --message and --template is needed",
            hint="write it like --message '{company} added your {orders} orders.'",
        )
    if file is None:
        return message or ""
    try:
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as exc:
        raise UsageError(f"--template {file}: cannot be read as UTF-8 text") from exc


def notify(
    api: ApiSettings | None,
    run: RunSettings,
    progress: Progress,
    notice: Notice,
    tell: Tell = print,
) -> int:
    """Send one message to each account that has orders created by this job.

    :param api: None: show what would be sent, and send nothing.
    :raises UsageError: the template or a rendered text cannot be used.
    """
    with steps.opened_and_held(run, progress) as checkpoint:
        doubt_unfinished(checkpoint)
        known = {(one.account_header, one.account_id): one for one in messages(checkpoint)}
        due = _due(_rendered(checkpoint, notice), known, notice, run.limit)
        preview = _preview(checkpoint, due, known)
        if api is None:
            tell("\n".join(preview))
            return steps.DONE
        if due:
            tell("\n".join(preview))
            question = f"{_messages(len(due))} will be sent by Shout at {steps.host_of(api)}."
            steps.ask(api, run, ["", question])
            _send(checkpoint, api, due, progress)
        return _told(checkpoint, run.job, tell)


def _send(
    checkpoint: Checkpoint, api: ApiSettings, due: Sequence[Message], progress: Progress
) -> None:
    from backfill.deliver.notify import Notify
    from backfill.deliver.walk import walk

    walk(Notify(checkpoint, due), api, total=len(due), progress=progress)


def _rendered(checkpoint: Checkpoint, notice: Notice) -> list[Message]:
    """The message of every account that has created orders.

    :raises UsageError: the template or what comes of it cannot be used.
    """
    _check_template(notice)
    currency = _currency(checkpoint)
    rendered = []
    for header, account, orders, cents, first, last in checkpoint.query(_ACCOUNTS):
        body = notice.template.format(
            orders=f"{orders:,}",
            total=f"{currency} {cents / 100:,.2f}",
            first_month=_month(first),
            last_month=_month(last),
            company=notice.company,
        ).strip()
        if len(body) > LONGEST:
            raise UsageError(
                f"the message to {account} has {len(body)} characters, more than {LONGEST}",
                hint="shorten the template",
            )
        rendered.append(Message(header, account, body))
    return rendered


def _check_template(notice: Notice) -> None:
    try:
        parts = list(string.Formatter().parse(notice.template))
    except ValueError as exc:
        raise UsageError(
            f"the template cannot be read: {exc}", hint="write braces that are text as {{ and }}"
        ) from exc
    fields = {
        # '{orders!r}' and '{orders:>9}' are fields that nobody knows either
        f"{name}{f'!{conversion}' if conversion else ''}{f':{spec}' if spec else ''}"
        for _, name, spec, conversion in parts
        if name is not None
    }
    if unknown := sorted(fields - set(FIELDS)):
        raise UsageError(
            f"the template has a field that is not known: {{{unknown[0]}}}",
            hint=f"there are {', '.join(f'{{{name}}}' for name in FIELDS)}",
        )
    if "company" in fields and not notice.company:
        raise UsageError("the template has {company}, and no --company is given")
    if not notice.template.strip():
        raise UsageError("the message is empty")


def _due(
    rendered: Sequence[Message],
    known: dict[tuple[str, str], Message],
    notice: Notice,
    limit: int | None,
) -> list[Message]:
    """Of all messages those that may leave now: none that was sent, none in doubt unless asked."""
    named = None if notice.accounts is None else _named(notice.accounts)
    if named is not None and (strangers := named - {one.account_id for one in rendered}):
        raise UsageError(
            f"{notice.accounts}: {min(strangers)} is no account with orders created by this job"
        )
    settled = {MessageState.SENT} | (set() if notice.resend_in_doubt else {MessageState.IN_DOUBT})
    due = []
    for one in rendered:
        before = known.get((one.account_header, one.account_id))
        if named is not None and one.account_id not in named:
            continue
        if before is None or before.state not in settled:
            due.append(one)
    return due[:limit]


def _named(path: Path) -> set[str]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            found = {row[0].strip() for row in csv.reader(file) if row and row[0].strip()}
    except (OSError, UnicodeDecodeError, csv.Error) as exc:
        raise UsageError(f"--accounts {path}: cannot be read as UTF-8 text") from exc
    return found - {"account_id", "connect_id", "user_id"}  # a header


def _currency(checkpoint: Checkpoint) -> str:
    import json

    settings = json.loads(checkpoint.meta().get("settings") or "{}")
    return str(settings.get("currency") or "USD")


def _month(day: str | None) -> str:
    return "" if day is None else date.fromisoformat(day).strftime("%B %Y")


def _messages(count: int) -> str:
    return f"{count:,} message{'' if count == 1 else 's'}"


# --- telling ---------------------------------------------------------------------------------


def _preview(
    checkpoint: Checkpoint, due: Sequence[Message], known: dict[tuple[str, str], Message]
) -> list[str]:
    sent = sum(one.state is MessageState.SENT for one in known.values())
    lines = [f"{_messages(len(due))} to send" + (f"; {sent:,} were sent before" if sent else "")]
    if due:
        longest = max(due, key=lambda one: len(one.body))
        lines += [f"To {one.account_id}:\n  {one.body}" for one in due[:_SHOWN]]
        if len(due) > _SHOWN:
            lines.append(f"and to {len(due) - _SHOWN:,} more accounts")
        lines.append(f"The longest has {len(longest.body)} characters, of {LONGEST} at most.")
    return lines


def _told(checkpoint: Checkpoint, folder: Path, tell: Tell) -> int:
    """Where all messages of the job stand; the exit code."""
    all_ = messages(checkpoint)
    doubt = [one for one in all_ if one.state is MessageState.IN_DOUBT]
    failed = [one for one in all_ if one.state is MessageState.FAILED]
    sent = len(all_) - len(doubt) - len(failed)
    tell(f"{_messages(sent)} sent in this job, {len(failed):,} refused, {len(doubt):,} in doubt.")
    for one in failed[:_SHOWN]:
        tell(f"  refused: {one.account_id}: {one.reason}"[:160])
    for one in doubt:
        tell(f"  in doubt: {one.account_id}: {one.reason}"[:160])
    if doubt:
        tell(
            "What is in doubt may have arrived and is not sent again. Ask the affiliate, or Shout;"
            f" 'backfill notify {folder} --resend-in-doubt' sends it again."
        )
    return steps.SOME_DID_NOT_GO if doubt or failed else steps.DONE
