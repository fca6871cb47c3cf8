"""``backfill report``: writes the reports again."""

from __future__ import annotations

import argparse

from backfill.cli.command import Command, job, one
from backfill.cli.terminal import exit_code, given, job_of


def run(args: argparse.Namespace) -> int:
    from backfill.cli.summary import print_summary

    job = job_of(args)
    figures = job.report(show_personal_data=bool(given(args)["show_personal_data"]))
    print_summary(figures, job.folder)
    return exit_code(figures.states)


COMMAND = Command(
    name="report",
    takes="JOB",
    summary="write the reports of a job again",
    description=(
        "Writes report.html, report.json, results.csv and rejected_rows.csv again from\n"
        "the checkpoint. Personal data is masked unless asked for."
    ),
    examples="  backfill report orders.backfill\n",
    options=(
        job,
        one("show_personal_data"),
    ),
    run=run,
)
