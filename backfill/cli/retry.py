"""``backfill retry``: sends failed and skipped orders again."""

from __future__ import annotations

import argparse

from backfill.cli.command import TO_SHOUT, Command, job, one, settings
from backfill.cli.on_finish import with_on_finish
from backfill.cli.run import plan_lines, show
from backfill.cli.terminal import confirmation, job_of, options_of
from backfill.settings.declared import API


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rule", metavar="RULE", help="only orders that this rule left out")
    parser.add_argument("--account", metavar="ID", help="only orders of this account")
    parser.add_argument(
        "--reason", metavar="TEXT", help="only orders whose reason contains this text"
    )
    parser.add_argument(
        "--not-in-shout",
        metavar="REFERENCE_ID",
        action="append",
        default=[],
        help="an order in doubt that you have looked for in Shout, and that is not there: sends it"
        " again; repeatable",
    )


def run(args: argparse.Namespace) -> int:
    job = job_of(args)

    def work() -> int:
        result = job.retry(
            rule=args.rule,
            account=args.account,
            reason=args.reason,
            not_in_shout=args.not_in_shout,
            confirm=confirmation(plan_lines),
            **options_of(args),
        )
        return show(result, job.folder)

    return with_on_finish(args, job.folder, work)


COMMAND = Command(
    name="retry",
    takes="JOB",
    summary="send failed and skipped orders again",
    description=(
        "Puts failed and skipped orders back to pending, and sends what is pending. An order "
        "that was sent before is looked up first. --rule, --account and --reason select "
        "some of them. An order in doubt that lookups cannot settle is sent again only if "
        "you say with --not-in-shout that it is not in Shout."
    ),
    examples=(
        f"  backfill retry orders.backfill{TO_SHOUT}"
        f"  backfill retry orders.backfill --account A1{TO_SHOUT}"
    ),
    options=(
        job,
        add_options,
        settings(API),
        one("on_finish"),
    ),
    run=run,
)
