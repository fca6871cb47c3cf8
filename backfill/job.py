"""A job from Python: a method for every command, each returning a typed result.

    import backfill

    job = backfill.open_job("orders.backfill")
    job.prepare("orders.csv", connect_id="A1", timezone="America/Denver")
    job.orders().groupby("state")["total_cents"].sum()
    job.run(api_url="https://...", headers={"Authorization": "env:SHOUT_AUTHORIZATION"}, yes=True)

Options have the names of the settings. What is not given comes from ``BACKFILL_*`` and
``backfill.toml``, as on the command line, and is checked in the same way. Nothing here prints or
asks: progress goes to the object that the caller passes in, and a confirmation to the callable
that it passes in. Every error is one of :mod:`backfill.errors`, with the ``exit_code`` that the
command would end with.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backfill import log, status
from backfill.checkpoint import PURGED, Adopted, Checkpoint, State
from backfill.checkpoint.choice import Choice
from backfill.errors import UsageError
from backfill.job_folder import lock
from backfill.job_folder.files import CHECKPOINT, REPORT_JSON, has_job
from backfill.settings import (
    ChoiceOptions,
    ImportOptions,
    ProgressKind,
    SendOptions,
    ShoutOptions,
)

if TYPE_CHECKING:
    from typing import Unpack

    import pandas as pd

    from backfill.checkpoint import Decision
    from backfill.confirmation import Confirm
    from backfill.operations.notify import NotifyOptions, NotifyResult
    from backfill.operations.purge import PurgeResult
    from backfill.operations.retry import RetryOptions
    from backfill.operations.send import SendResult
    from backfill.operations.undo import UndoOptions, UndoResult
    from backfill.operations.update import UpdateResult
    from backfill.operations.verify import VerifyOptions, VerifyResult
    from backfill.prepare.inspect.findings import Inspection
    from backfill.progress import Progress
    from backfill.report.figures import Figures
    from backfill.report.shown import ShownOrder, ShowOptions
    from backfill.settings import ApiSettings, ImportSettings, RunSettings
    from backfill.settings.sources import Configuration

_log = logging.getLogger(__name__)


class AllOptions(ImportOptions, SendOptions, ChoiceOptions, total=False):
    """The options of :meth:`Job.run`."""


@dataclass(frozen=True, slots=True)
class PrepareResult:
    """What a preparation changed in the job."""

    adopted: Adopted | None
    """None: the job already held these exports with these settings, so nothing was read"""
    again: bool
    """the job held an earlier import, so orders may have changed or be gone"""


@dataclass(frozen=True, slots=True)
class RunResult:
    """What a run did."""

    prepared: PrepareResult | None
    """None: no export was given"""
    sent: SendResult | None
    """None: everything was done before, and the reports say so"""
    updated: UpdateResult | None
    """None: no update was asked for"""
    figures: Figures | None
    """what the reports say; None where they were not written again"""
    states: Mapping[State, int]
    """orders by state"""
    put_back: int | None = None
    """failed and skipped orders that went back to pending; None: not a retry"""


class Job:
    """One job folder. Nothing is kept open between calls."""

    def __init__(
        self,
        folder: str | Path,
        *,
        progress: ProgressKind | Progress = "none",
        verbose: bool = False,
        config: str | Path | None = None,
    ) -> None:
        """
        :param progress: how to show progress on stderr, or an object that shows it.
        :param verbose: pass the events of the log to ``progress`` as well.
        :param config: the settings file; None: ``backfill.toml``, if it exists.
        """
        self.folder = Path(folder)
        self._progress_kind = progress
        self._verbose = verbose
        self._config = config

    def __repr__(self) -> str:
        if not has_job(self.folder):
            return f"<Job {str(self.folder)!r}: nothing prepared yet>"
        counts = self.status().states
        states = ", ".join(f"{count:,} {state}" for state, count in counts.items() if count)
        return f"<Job {str(self.folder)!r}: {states or 'no orders'}>"

    # --- before anything is sent ---------------------------------------------------------------

    def inspect(self, *exports: str | Path, **options: Unpack[ImportOptions]) -> Inspection:
        """What the exports are, and how they would be read; writes nothing.

        :raises UsageError, MappingError: an option cannot be used.
        :raises SourceError: an export cannot be read.
        """
        from backfill.prepare.inspect.findings import inspect

        return inspect(self._imports(exports, options))

    def prepare(self, *exports: str | Path, **options: Unpack[ImportOptions]) -> PrepareResult:
        """Prepare every order of the exports exactly as a run would, and send nothing.

        :raises UsageError, MappingError, SourceError: what is given cannot be read as orders.
        """
        imports = self._imports(exports, options)
        with self._locked("prepare", [imports]):
            return self._prepare(imports)

    def report(self, *, show_personal_data: bool = False) -> Figures:
        """Write the reports, and return what they say."""
        with self._opened_and_locked("report") as checkpoint:
            self._refuse_purged(checkpoint)
            return self._report(checkpoint, show_personal_data=show_personal_data)

    # --- sending -------------------------------------------------------------------------------

    def run(
        self,
        *exports: str | Path,
        confirm: Confirm | None = None,
        **options: Unpack[AllOptions],
    ) -> RunResult:
        """Prepare exports where some are given, send what is pending, and write the reports.

        Called again, it resumes. The reports are written also when it stops with an error.

        :param confirm: asked before orders go to a host that is not this machine, unless
            ``yes=True``.
        :raises SafetyStop: stopped before harm was done, or Shout refuses or is down; resumable.
        """
        settings = self._settings("run", options, AllOptions)
        paths = [Path(export) for export in exports]
        imports, run = settings.imports(paths), settings.run(paths)
        api = settings.api()
        with self._locked("run", [imports, run, api] if exports else [run, api]):
            prepared = self._prepare(imports) if exports else None
            with self._opened() as checkpoint:
                self._refuse_purged(checkpoint)
                if choice := _choice(run):
                    checkpoint.choose(choice)
                if (prepared is None or prepared.adopted is None) and self._is_over(
                    checkpoint, run
                ):
                    return RunResult(prepared, None, None, None, checkpoint.counts())
                return self._send(checkpoint, api, run, confirm, prepared)

    def retry(
        self, *, confirm: Confirm | None = None, **options: Unpack[RetryOptions]
    ) -> RunResult:
        """Put failed and skipped orders back to pending, and send what is pending.

        An order that was sent before is looked up first, so that it is not created twice.
        """
        from backfill.operations.retry import RetryOptions, put_back

        settings = self._settings("retry", options, RetryOptions, SendOptions)
        api, run = settings.api(), replace(settings.run([]), leave_undone=True)
        with self._opened_and_locked("retry", [run, api]) as checkpoint:
            self._refuse_purged(checkpoint)
            count = put_back(checkpoint, options)
            return replace(self._send(checkpoint, api, run, confirm, None), put_back=count)

    # --- after the import ----------------------------------------------------------------------

    def verify(self, **options: Unpack[VerifyOptions]) -> VerifyResult:
        """Read created orders back from Shout, and compare each with what was sent.

        A check of all orders goes into the reports; an interrupted one is resumed.
        """
        from backfill.operations.verify import VerifyOptions, verify

        settings = self._settings("verify", options, VerifyOptions, ShoutOptions)
        api, run = settings.api(), settings.run([])
        with self._opened_and_locked("verify", [api]) as checkpoint:
            result = verify(checkpoint, self.folder, api, run, self._progress(), options)
            if result.sample is None:
                self._refresh(checkpoint)
        return result

    def undo(self, *, confirm: Confirm | None = None, **options: Unpack[UndoOptions]) -> UndoResult:
        """Delete the orders that this job created, and only those; called again, it resumes."""
        from backfill.operations.undo import UndoOptions, undo

        settings = self._settings("undo", options, UndoOptions, ShoutOptions)
        api, run = settings.api(), settings.run([])
        with self._opened_and_locked("undo", [api]) as checkpoint:
            try:
                return undo(checkpoint, api, run, self._progress(), confirm, options)
            finally:
                self._refresh(checkpoint)

    def notify(
        self, message: str, *, confirm: Confirm | None = None, **options: Unpack[NotifyOptions]
    ) -> NotifyResult:
        """Send one message to each account that has orders created by this job.

        No account gets two. A message whose outcome is not known is not sent again.

        :param message: the text, with ``{orders}``, ``{total}``, ``{first_month}``,
            ``{last_month}``, ``{company}``.
        """
        from backfill.operations.notify import NotifyOptions, notify

        settings = self._settings("notify", options, NotifyOptions, ShoutOptions)
        api, run = None if options.get("dry_run") else settings.api(), settings.run([])
        with self._opened_and_locked("notify") as checkpoint:
            return notify(checkpoint, api, run, self._progress(), confirm, message, options)

    def purge(self, *, yes: bool = False, confirm: Confirm | None = None) -> PurgeResult:
        """Erase the personal data of a job that is signed off; this cannot be undone.

        :param confirm: asked before, unless ``yes``.
        """
        from backfill.operations.purge import purge

        with self._opened_and_locked("purge") as checkpoint:
            result = purge(checkpoint, self.folder, self._progress(), confirm, yes=yes)
            self._refresh(checkpoint)
        return result

    # --- looking -------------------------------------------------------------------------------

    def status(self) -> status.Status:
        """Counts by state and account, rate, last errors; also while a run is under way."""
        with self._opened(readonly=True) as checkpoint:
            return status.read(checkpoint)

    def orders(self) -> pd.DataFrame:
        """One row per order, in the order of appearance.

        Columns: those of the checkpoint's table ``orders`` except the bodies; ``total_cents`` and
        ``http_status`` are ``Int64`` with NA where not known.
        """
        from backfill.report import frames

        with self._opened(readonly=True) as checkpoint:
            return frames.orders(checkpoint)

    def problems(self) -> pd.DataFrame:
        """One row per problem that validation found.

        Columns: ``rule``, ``severity`` (error or warning), ``reference_id``, ``orders`` and
        ``rows`` (how many the line stands for), ``source_file``, ``row``, ``column_name``,
        ``value``, ``message``.
        """
        from backfill.report import frames

        with self._opened(readonly=True) as checkpoint:
            return frames.problems(checkpoint)

    def decisions(self) -> list[Decision]:
        """What was decided while the exports were read, each with its evidence and override."""
        from backfill.checkpoint.decisions import decisions

        with self._opened(readonly=True) as checkpoint:
            return decisions(checkpoint)

    def show(self, *reference_ids: str, **options: Unpack[ShowOptions]) -> list[ShownOrder]:
        """Prepared orders with their bodies and source rows, in the order of appearance.

        :param reference_ids: only these orders; none: all.
        :raises UsageError: the job has no such order, or the rows were purged.
        """
        return list(self.iter_orders(*reference_ids, **options))

    def iter_orders(
        self, *reference_ids: str, **options: Unpack[ShowOptions]
    ) -> Iterator[ShownOrder]:
        """:meth:`show`, one order after the other: for jobs that do not fit into memory."""
        from backfill.report.shown import ShowOptions, shown_orders
        from backfill.settings.sources import check_options

        check_options("Job.show()", options, ShowOptions)
        with self._opened(readonly=True) as checkpoint:
            self._refuse_purged(checkpoint)
            yield from shown_orders(self.folder, checkpoint, reference_ids, options)

    # --- the steps -----------------------------------------------------------------------------

    def _prepare(self, imports: ImportSettings) -> PrepareResult:
        from backfill.operations.changed import list_changed
        from backfill.prepare.into_job import prepare_into_job

        if has_job(self.folder):
            with self._opened() as checkpoint:
                self._refuse_purged(checkpoint)
        done = prepare_into_job(imports, self.folder, self._progress())
        if done is None:
            return PrepareResult(None, again=True)
        adopted, again = done
        if again:
            with self._opened() as checkpoint:
                list_changed(checkpoint, self.folder)
        return PrepareResult(adopted, again)

    def _send(
        self,
        checkpoint: Checkpoint,
        api: ApiSettings,
        run: RunSettings,
        confirm: Confirm | None,
        prepared: PrepareResult | None,
    ) -> RunResult:
        from backfill.operations.send import send

        progress, updated = self._progress(), None
        try:
            sent = send(checkpoint, api, run, progress, confirm)
            if run.update_changed:
                from backfill.operations.update import update

                updated = update(checkpoint, self.folder, api, run, progress, confirm)
        except BaseException:
            self._report_quietly(checkpoint, show_personal_data=run.show_personal_data)
            raise
        figures = self._report(checkpoint, show_personal_data=run.show_personal_data)
        return RunResult(prepared, sent, updated, figures, figures.states)

    def _is_over(self, checkpoint: Checkpoint, run: RunSettings) -> bool:
        """Whether nothing is left to do, and the reports say so already."""
        from backfill.operations.retry import count_undone

        undone = 0 if run.leave_undone else count_undone(checkpoint)
        written = (self.folder / REPORT_JSON).exists()
        left = undone or any(checkpoint.left().values())
        return written and not (left or run.update_changed)

    def _report(self, checkpoint: Checkpoint, *, show_personal_data: bool) -> Figures:
        from backfill import report

        with self._progress().stage("reporting", total=None, unit="files"):
            return report.write(self.folder, checkpoint, show_personal_data=show_personal_data)

    def _refresh(self, checkpoint: Checkpoint) -> None:
        """Write the reports again; a purged job has none but ``results.csv``."""
        if PURGED not in checkpoint.meta():
            self._report(checkpoint, show_personal_data=False)
            return
        from backfill.report.results import write_results

        write_results(self.folder, checkpoint)

    def _report_quietly(self, checkpoint: Checkpoint, *, show_personal_data: bool) -> None:
        """Leave true reports behind a run that stopped, without hiding why it stopped."""
        try:
            self._report(checkpoint, show_personal_data=show_personal_data)
        except Exception:
            _log.exception("the reports could not be written after a run that stopped")

    # --- folder, settings, progress ------------------------------------------------------------

    @contextlib.contextmanager
    def _locked(self, command: str, settings: Sequence[Any] = ()) -> Iterator[None]:
        """Lock the job, and write its log: the command with its settings, and how it ended."""
        say = self._progress().say if self._verbose else None
        with (
            lock.hold(self.folder),
            log.opened(self.folder, say=say),
            log.command(command, settings),
        ):
            yield

    @contextlib.contextmanager
    def _opened(self, *, readonly: bool = False) -> Iterator[Checkpoint]:
        if not has_job(self.folder):
            raise UsageError(
                f"{self.folder}: there is no job here",
                hint="name the job folder of an earlier run, or give an export to start from",
            )
        with Checkpoint(self.folder / CHECKPOINT, readonly=readonly) as checkpoint:
            yield checkpoint

    @contextlib.contextmanager
    def _opened_and_locked(
        self, command: str, settings: Sequence[Any] = ()
    ) -> Iterator[Checkpoint]:
        """Open and lock a job that exists; no folder is created for one that does not."""
        with self._opened(readonly=True):
            pass
        with self._locked(command, settings), self._opened() as checkpoint:
            yield checkpoint

    def _refuse_purged(self, checkpoint: Checkpoint) -> None:
        if (when := checkpoint.meta().get(PURGED)) is not None:
            raise UsageError(
                f"{self.folder}: was purged at {when}; bodies, reasons and source rows are gone",
                hint="status, verify and undo still work; start a new job for a new export",
            )

    def _imports(self, exports: Sequence[str | Path], options: Mapping[str, Any]) -> ImportSettings:
        settings = self._settings("prepare", options, ImportOptions)
        return settings.imports([Path(export) for export in exports])

    def _settings(
        self, method: str, options: Mapping[str, Any], known: Any, shared: Any = None
    ) -> Configuration:
        """The settings among the options of a method.

        :param known: the method's options, a ``TypedDict``.
        :param shared: those of them that are settings; None: all.
        :raises TypeError: there is no such option.
        """
        from backfill.settings import sources

        sources.check_options(f"Job.{method}()", options, known)
        names = (shared or known).__optional_keys__
        given = {name: value for name, value in options.items() if name in names}
        return sources.load({**given, "job": self.folder, "config": self._config}, os.environ)

    def _progress(self) -> Progress:
        from backfill import progress

        if isinstance(self._progress_kind, str):
            return progress.make(self._progress_kind)
        return self._progress_kind


def open_job(
    folder: str | Path,
    *,
    progress: ProgressKind = "none",
    config: str | Path | None = None,
) -> Job:
    """The job in ``folder``, which is created when something is prepared.

    :param progress: how to show progress, on stderr.
    :param config: the settings file; None: ``backfill.toml``, if it exists.
    """
    return Job(folder, progress=progress, config=config)


def _choice(run: RunSettings) -> Choice:
    """The orders that a run takes up."""
    return Choice(
        accounts=run.account, reference_ids=run.reference_id, since=run.since, until=run.until
    )
