"""A job from Python: for a notebook, a script or a scheduler.

    import backfill

    job = backfill.open_job("orders.backfill")
    job.prepare("orders.csv", connect_id="A1", timezone="America/Denver")
    job.orders().groupby("state")["total_cents"].sum()
    job.run(api_url="https://...", headers={"Authorization": "env:SHOUT_AUTHORIZATION"}, yes=True)

What is not given as an argument comes from ``BACKFILL_*`` and ``backfill.toml``, as on the
command line; values are checked in the same way. Every method raises the errors of
:mod:`backfill.errors`, each of which has the ``exit_code`` that the command would leave with.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from backfill import status, steps
from backfill.settings import ProgressKind

if TYPE_CHECKING:
    from typing import Unpack

    import pandas as pd

    from backfill.afterwards.verify import Verified
    from backfill.checkpoint import Decision
    from backfill.configuration import Configuration
    from backfill.progress import Progress

_ORDERS = (
    "reference_id, account_header, account_id, state, total_cents, line_items, ordered_on,"
    " source_file, source_rows, attempts, http_status, shout_order_id, rule, reason, updated_at"
)


class ImportOptions(TypedDict, total=False):
    """What decides what the bodies are; as the options of ``backfill validate``."""

    format: str
    mapping: str | Path
    map: Mapping[str, str]
    sheet: str
    items: str | Path
    affiliates: str | Path
    only_requested_history: bool
    connect_id: str
    user_id: str
    timezone: str
    date_order: Literal["mdy", "dmy", "ymd"]
    currency: str
    region: str
    reference_prefix: str


class ApiOptions(TypedDict, total=False):
    """How to reach Shout; as the options of ``backfill run``."""

    api_url: str
    headers: Mapping[str, str]
    """values may be ``env:NAME``"""
    concurrency: int
    rate: float
    """requests a second"""
    timeout: float
    settle: float
    give_up_after: float
    """seconds, these three"""


class Job:
    """One job folder. Nothing is kept open between calls."""

    def __init__(self, folder: str | Path, *, progress: ProgressKind = "none") -> None:
        self.folder = Path(folder)
        self._progress_kind = progress

    def prepare(self, *exports: str | Path, **options: Unpack[ImportOptions]) -> status.Status:
        """Prepare every order of the exports as a run would, and send nothing.

        :raises UsageError, MappingError, SourceError: what is given cannot be read as orders.
        """
        from backfill import job

        paths = [Path(export) for export in exports]
        settings = self._settings(options)
        job.prepare(settings.imports(paths), settings.run(paths), self._progress())
        return self.status()

    def run(
        self,
        *,
        limit: int | None = None,
        yes: bool = False,
        update_changed: bool = False,
        leave_undone: bool = False,
        max_rejected: float | None = None,
        **options: Unpack[ApiOptions],
    ) -> status.Status:
        """Send what is pending, and write the reports; again: resumes.

        :param limit: orders to take up at most.
        :param yes: ask no questions; needed where the host is not this machine.
        :param max_rejected: percent of the orders; with more rejected nothing is sent.
        :raises SafetyStop: stopped before harm was done, or Shout refuses or is down; resumable.
        """
        from backfill import job

        settings = self._settings(
            options,
            limit=limit,
            yes=yes or None,
            update_changed=update_changed or None,
            leave_undone=leave_undone or None,
            max_rejected=max_rejected,
        )
        job.run(
            settings.imports([]), settings.api(), settings.run([]), self._progress(), tell=_nobody
        )
        return self.status()

    def verify(self, *, sample: int | None = None, **options: Unpack[ApiOptions]) -> Verified:
        """Read created orders back and compare them with what was sent.

        :param sample: how many, chosen by chance; None: all.
        """
        from backfill.afterwards.verify import check

        settings = self._settings(options)
        return check(settings.api(), settings.run([]), self._progress(), sample)

    def status(self) -> status.Status:
        """Counts by state and account, rate, last errors; also while a run goes on."""
        with steps.opened(self.folder, readonly=True) as checkpoint:
            return status.read(checkpoint)

    def orders(self) -> pd.DataFrame:
        """One row an order, in the order of appearance.

        Columns: those of the checkpoint's table ``orders`` but for the bodies; ``total_cents`` is
        ``Int64`` with NA where it is not known.
        """
        frame = self._frame(f"SELECT {_ORDERS} FROM orders ORDER BY id", _ORDERS.split(", "))
        return frame.astype({"total_cents": "Int64", "http_status": "Int64"})

    def decisions(self) -> list[Decision]:
        """What was decided while the exports were read, each with its evidence and its override."""
        from backfill.checkpoint.decisions import decisions

        with steps.opened(self.folder, readonly=True) as checkpoint:
            return decisions(checkpoint)

    def problems(self) -> pd.DataFrame:
        """One row a problem that validation found.

        Columns: ``rule``, ``severity`` (error or warning), ``reference_id``, ``orders``, ``rows``
        (how many a line stands for), ``source_file``, ``row``, ``column_name``, ``value``,
        ``message``.
        """
        columns = "rule, severity, reference_id, orders, rows, source_file, row, column_name"
        columns += ", value, message"
        prefixed = columns.replace("source_file", "p.source_file").replace("rule", "p.rule")
        frame = self._frame(
            f"SELECT {prefixed} FROM problems p LEFT JOIN orders o ON o.id = p.order_id"
            " ORDER BY p.id",
            columns.split(", "),
        )
        return frame.astype({"row": "Int64"})

    def _frame(self, sql: str, columns: Sequence[str]) -> pd.DataFrame:
        import pandas as pd

        with steps.opened(self.folder, readonly=True) as checkpoint:
            rows = [tuple(row) for row in checkpoint.query(sql)]
        return pd.DataFrame.from_records(rows, columns=list(columns))

    def _settings(self, options: Mapping[str, Any], **flags: Any) -> Configuration:
        from backfill import configuration

        given = {name: value for name, value in {**options, **flags}.items() if value is not None}
        given["map"] = [f"{field}={spec}" for field, spec in given.get("map", {}).items()]
        given["header"] = [f"{name}: {text}" for name, text in given.pop("headers", {}).items()]
        return configuration.load({**given, "job": self.folder}, os.environ)

    def _progress(self) -> Progress:
        from backfill import progress

        return progress.make(self._progress_kind)


def open_job(folder: str | Path, *, progress: ProgressKind = "none") -> Job:
    """The job in ``folder``, which is made when something is prepared there first.

    :param progress: how to show the progress, on stderr.
    """
    return Job(folder, progress=progress)


def _nobody(summary: str) -> None:
    """The summary is in the reports; a program reads what :meth:`Job.status` returns."""
