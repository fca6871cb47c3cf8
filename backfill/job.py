"""A job from beginning to end: prepare what is new, send what is pending, report.

One job is one folder. Each function here is a command; it prints its summary to stdout and
returns the exit code, or raises a :class:`~backfill.errors.BackfillError`.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backfill import __version__, confirm, lock, log, status
from backfill.checkpoint import FILE_NAME, Adopted, Checkpoint, State, adopt, now
from backfill.errors import SafetyStop, UsageError
from backfill.progress import Progress
from backfill.settings import ApiSettings, ImportSettings, RunSettings

if TYPE_CHECKING:
    from backfill.prepare.source import SourceReader
    from backfill.report.figures import Figures

DONE = 0
SOME_DID_NOT_GO = 3

_log = logging.getLogger(__name__)


def inspect(imports: ImportSettings, mapping: Path | None) -> int:
    """Print what the exports are and how they would be read; write the mapping where wanted."""
    from backfill.prepare import formats, inspect_text, read
    from backfill.prepare.inspect import inspect as look

    def sources(paths: Sequence[Path]) -> Sequence[SourceReader]:
        return read.open_sources(paths, sheet=imports.sheet, taken={}, knows=formats.header_score)

    items = sources([imports.items]) if imports.items else ()
    inspection = look(sources(imports.exports), imports, items=items)
    print(inspect_text.render(inspection))
    if mapping is not None:
        mapping.write_text(inspect_text.mapping_text(inspection), encoding="utf-8")
        print(f"\nThe mapping is in {mapping}: edit it, then give it with --mapping {mapping}")
    return DONE


def validate(imports: ImportSettings, run: RunSettings, progress: Progress) -> int:
    """The dry run: prepare every order just as :func:`run` would, and report; no connection."""
    with _held(run, progress):
        _prepare(imports, run.job, progress)
        figures = _report(run.job, run, progress)
    return _exit_code(figures)


def run(imports: ImportSettings, api: ApiSettings, run: RunSettings, progress: Progress) -> int:
    """Prepare what is not prepared yet, then send what is pending; run again to resume."""
    with _held(run, progress):
        if imports.exports:
            _prepare(imports, run.job, progress)
        with _checkpoint(run.job) as checkpoint:
            if _left(checkpoint):
                try:
                    _check_share_of_rejected(checkpoint, run)
                    _confirm_send(checkpoint, api, run)
                    _deliver(checkpoint, api, run, progress)
                except BaseException:
                    _report_quietly(run.job, run, progress)
                    raise
        figures = _report(run.job, run, progress)
    return _exit_code(figures)


def report(folder: Path, *, show_personal_data: bool, progress: Progress) -> int:
    """Write the reports again from the checkpoint."""
    run = RunSettings(job=folder, show_personal_data=show_personal_data)
    with _checkpoint(folder):
        pass  # an unknown folder is a plain error, and no new job
    with _held(run, progress):
        figures = _report(folder, run, progress)
    return _exit_code(figures)


def show_status(folder: Path, *, as_json: bool) -> int:
    """Print how far a job is; works while a run is going on."""
    with _checkpoint(folder, readonly=True) as checkpoint:
        print(status.render(status.read(checkpoint), as_json=as_json))
    return DONE


def fingerprint(imports: ImportSettings) -> str:
    """What the bodies depend on, as one hash: the exports' bytes, the settings, the tool."""
    from backfill.prepare import fingerprint as files

    also = [imports.mapping, imports.affiliates, imports.items]
    parts: dict[str, Any] = {
        "tool": __version__,
        "exports": [[str(path), sha] for path, sha in files.fingerprint(imports.exports)],
        "also": [files.sha256_of(path) if path else None for path in also],
        "settings": _shown(imports),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


# --- the steps ------------------------------------------------------------------------------


@contextmanager
def _held(run: RunSettings, progress: Progress) -> Iterator[None]:
    with lock.hold(run.job), log.opened(run.job, say=progress.say if run.verbose else None):
        yield


@contextmanager
def _checkpoint(folder: Path, *, readonly: bool = False) -> Iterator[Checkpoint]:
    path = folder / FILE_NAME
    if not path.exists():
        raise UsageError(
            f"{folder}: there is no job here",
            hint="name the job folder of an earlier run, or give an export to start from",
        )
    with Checkpoint(path, readonly=readonly) as checkpoint:
        yield checkpoint


def _prepare(imports: ImportSettings, folder: Path, progress: Progress) -> None:
    """Prepare the exports, unless the job holds just this already."""
    current = fingerprint(imports)
    known: dict[str, str] = {}
    if (folder / FILE_NAME).exists():
        with Checkpoint(folder / FILE_NAME) as checkpoint:
            if checkpoint.meta().get("fingerprint") == current:
                progress.say("The export is unchanged: going on with what was prepared.")
                return
            known = {source.source: source.sha256 for source in checkpoint.sources()}
    from backfill.prepare import rules
    from backfill.prepare.pipeline import prepare

    began = time.monotonic()
    prepared = prepare(imports, folder, known=known, progress=progress)
    prepared.incoming.finish(
        {
            "fingerprint": current,
            "tool_version": __version__,
            "prepared_at": now(),
            "settings": json.dumps(_shown(imports), ensure_ascii=False),
            "rules": json.dumps(rules.described(), ensure_ascii=False),
            "seconds_prepare": f"{time.monotonic() - began:.3f}",
        }
    )
    adopted = adopt(folder)
    with Checkpoint(folder / FILE_NAME) as checkpoint:
        checkpoint.set_meta({"adopted": json.dumps(asdict(adopted))})
    if known:
        progress.say(_told(adopted))
    _log.info("prepared", extra={"fields": {"rows": prepared.rows, **asdict(adopted)}})


def _told(adopted: Adopted) -> str:
    """What a changed export did to the job, for a person."""
    return (
        f"The export or its settings changed: {adopted.new:,} orders are new, "
        f"{adopted.replaced:,} that were not sent are replaced, {adopted.unchanged:,} stay as "
        f"they are, {adopted.changed_after_sent:,} in Shout read differently by now (left as "
        f"sent), {adopted.gone:,} are in the job and no longer in the export (left as they are)."
    )


def _left(checkpoint: Checkpoint) -> int:
    counts = checkpoint.counts()
    return counts[State.PENDING] + counts[State.SENDING]


def _check_share_of_rejected(checkpoint: Checkpoint, run: RunSettings) -> None:
    """Refuse to start on an export that is mostly broken.

    :raises SafetyStop: more than ``--max-rejected`` percent of the orders are rejected.
    """
    counts = checkpoint.counts()
    total, rejected = sum(counts.values()), counts[State.REJECTED]
    if rejected * 100 > run.max_rejected * total:
        raise SafetyStop(
            f"{rejected:,} of {total:,} orders were rejected, more than the "
            f"{run.max_rejected:g} percent of --max-rejected; nothing was sent",
            hint=f"{run.job / 'report.html'} says why; mend the export or its mapping, "
            "or allow it with --max-rejected 100",
        )


def _confirm_send(checkpoint: Checkpoint, api: ApiSettings, run: RunSettings) -> None:
    """Ask before the first order goes to a host that is not this machine."""
    from urllib.parse import urlsplit

    from backfill.checks import is_this_machine

    host = urlsplit(api.api_url).hostname or ""
    checkpoint.set_meta({"api_host": host})
    if run.yes or is_this_machine(api.api_url):
        return
    confirm.ask(status.before_sending(checkpoint, host, run.limit), host)


def _deliver(
    checkpoint: Checkpoint, api: ApiSettings, run: RunSettings, progress: Progress
) -> None:
    from backfill import deliver

    began = time.monotonic()
    try:
        deliver.run(checkpoint, api, limit=run.limit, progress=progress)
    finally:
        spent = float(checkpoint.meta().get("seconds_deliver", "0")) + time.monotonic() - began
        checkpoint.set_meta({"seconds_deliver": f"{spent:.3f}"})


def _report(folder: Path, run: RunSettings, progress: Progress) -> Figures:
    from backfill import report as reports

    with _checkpoint(folder) as checkpoint, progress.stage("reporting", total=None, unit="files"):
        figures = reports.write(folder, checkpoint, show_personal_data=run.show_personal_data)
    print(reports.summary(figures, folder))
    return figures


def _report_quietly(folder: Path, run: RunSettings, progress: Progress) -> None:
    """Leave true reports behind a run that stopped, without hiding why it stopped."""
    try:
        _report(folder, run, progress)
    except Exception:
        _log.exception("the reports could not be written after a run that stopped")


def _exit_code(figures: Figures) -> int:
    did_not_go = (State.REJECTED, State.FAILED, State.SKIPPED)
    return SOME_DID_NOT_GO if any(figures.states[state] for state in did_not_go) else DONE


def _shown(imports: ImportSettings) -> dict[str, Any]:
    """The settings of an import as the job remembers them; no credential is among them."""
    return json.loads(json.dumps(asdict(imports), default=str))  # type: ignore[no-any-return]
