"""``backfill notify``: one summary message per account."""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from backfill.cli.command import TO_SHOUT, Command, job, settings
from backfill.cli.terminal import (
    DONE,
    INCOMPLETE,
    confirmation,
    job_of,
    listed,
    options_of,
)
from backfill.errors import UsageError
from backfill.settings.declared import API

if TYPE_CHECKING:
    from backfill.operations.notify import Message, NotifyPlan, NotifyResult


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--message",
        metavar="TEMPLATE",
        help="the text, with {orders}, {total}, {first_month}, {last_month}, {company}",
    )
    parser.add_argument("--template", metavar="FILE", help="a file with the text instead")
    parser.add_argument("--company", metavar="NAME", help="the value of {company}")
    parser.add_argument(
        "--accounts", metavar="FILE", help="only the accounts in this file, one per line"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="show every text and its recipient; send nothing"
    )
    parser.add_argument(
        "--resend-in-doubt",
        action="store_true",
        help="send again what may already have arrived: some accounts may get it twice",
    )


def run(args: argparse.Namespace) -> int:
    job = job_of(args)
    notice = {
        "message": read_template(args.message, Path(args.template) if args.template else None),
        "company": args.company,
        "accounts": read_accounts(Path(args.accounts)) if args.accounts else None,
        "resend_in_doubt": args.resend_in_doubt,
        **options_of(args),
    }
    print("\n".join(preview_lines(job.notify(**notice, dry_run=True))))
    if args.dry_run:
        return DONE
    result = job.notify(**notice, confirm=confirmation(plan_lines))
    print("\n".join(lines(result, job.folder)))
    return INCOMPLETE if _in_doubt(result) or _refused(result) else DONE


def read_template(message: str | None, file: Path | None) -> str:
    """The text of ``--message``, or of the file that ``--template`` names.

    :raises UsageError: neither or both are given, or the file cannot be read.
    """
    if (message is None) == (file is None):
        raise UsageError(
            "either --message or --template is required",
            hint="for example: --message '{company} added your {orders} orders.'",
        )
    if file is None:
        return message or ""
    try:
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as exc:
        raise UsageError(f"--template {file}: cannot be read as UTF-8 text") from exc


def read_accounts(file: Path) -> set[str]:
    """The account ids of ``--accounts``: one per line, or the first column of a CSV.

    :raises UsageError: the file cannot be read.
    """
    try:
        with file.open(newline="", encoding="utf-8-sig") as lines:
            found = {row[0].strip() for row in csv.reader(lines) if row and row[0].strip()}
    except (OSError, UnicodeDecodeError, csv.Error) as exc:
        raise UsageError(f"--accounts {file}: cannot be read as UTF-8 text") from exc
    return found - {"account_id", "connect_id", "user_id"}  # a header


def preview_lines(result: NotifyResult) -> Iterator[str]:
    """What is about to be sent, and to whom."""
    from backfill.operations.notify import LONGEST

    due, sent = result.due, result.sent_before
    yield f"{_messages(len(due))} to send" + (f"; {sent:,} were sent before" if sent else "")
    if due:
        yield from listed(f"To {one.account_id}:\n  {one.body}" for one in due)
        longest = max(len(one.body) for one in due)
        yield f"The longest has {longest} characters; the limit is {LONGEST}."


def plan_lines(plan: NotifyPlan) -> Iterator[str]:
    """The question, below the preview."""
    yield ""
    yield f"{_messages(len(plan.messages))} will be sent by Shout at {plan.confirm_with}."


def lines(result: NotifyResult, folder: Path) -> Iterator[str]:
    """What became of all messages of the job."""
    doubt, refused = _in_doubt(result), _refused(result)
    sent = len(result.messages) - len(doubt) - len(refused)
    yield (
        f"{_messages(sent)} sent in this job, {len(refused):,} refused, {len(doubt):,} in doubt."
    )
    yield from listed(f"  refused: {one.account_id}: {one.reason}"[:160] for one in refused)
    yield from (f"  in doubt: {one.account_id}: {one.reason}"[:160] for one in doubt)
    if doubt:
        yield (
            "Messages in doubt may have arrived, and are not sent again. Ask the affiliate or"
            f" Shout; 'backfill notify {folder} --resend-in-doubt' sends them again."
        )


def _in_doubt(result: NotifyResult) -> list[Message]:
    return [one for one in result.messages if one.state == "in_doubt"]


def _refused(result: NotifyResult) -> list[Message]:
    return [one for one in result.messages if one.state == "failed"]


def _messages(count: int) -> str:
    return f"{count:,} message{'' if count == 1 else 's'}"


COMMAND = Command(
    name="notify",
    takes="JOB",
    summary="send each account one summary message",
    description=(
        "Sends one message, through Shout, to each account that has orders created by this "
        "job. The texts are shown first. No account gets two, whatever crashes: a message "
        "whose outcome is not known is named, and not sent again unless --resend-in-doubt "
        "asks for it."
    ),
    examples=(
        "  backfill notify orders.backfill --dry-run --company 'Example Shop' \\\n"
        "      --message '{company} added your {orders} orders since {first_month}.'\n"
        f"  backfill notify orders.backfill --template message.txt --accounts ids.txt{TO_SHOUT}"
    ),
    options=(
        job,
        add_options,
        settings(API),
    ),
    run=run,
)
