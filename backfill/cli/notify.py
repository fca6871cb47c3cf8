"""``backfill notify``: one summary message per account."""

from __future__ import annotations

import argparse
from pathlib import Path

from backfill.cli.command import TO_SHOUT, Command, job, settings
from backfill.cli.terminal import given, progress_of
from backfill.settings.declared import API


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
    from backfill.afterwards.notify import Notice, notify, read_template
    from backfill.settings import sources

    configuration = sources.load(given(args))
    notice = Notice(
        read_template(args.message, Path(args.template) if args.template else None),
        company=args.company,
        accounts=Path(args.accounts) if args.accounts else None,
        resend_in_doubt=args.resend_in_doubt,
    )
    api = None if args.dry_run else configuration.api()
    return notify(api, configuration.run([]), progress_of(configuration), notice)


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
