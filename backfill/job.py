"""A job from beginning to end: prepare what is new, send what is pending, report.

One job is one folder. Each function here is a command; it tells its summary (to stdout, unless
``tell`` says otherwise) and returns the exit code, or raises a
:class:`~backfill.errors.BackfillError`. What comes after the import is in
:mod:`backfill.afterwards`.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backfill import __version__, status, steps
from backfill.afterwards import changes
from backfill.checkpoint import FILE_NAME, Adopted, Checkpoint, State, adopt, now
from backfill.checkpoint.afterwards import count_undone, put_back_undone
from backfill.errors import SafetyStop
from backfill.prepare.reading.fingerprint import expand, sha256_of
from backfill.progress import Progress
from backfill.settings import ApiSettings, ImportSettings, RunSettings
from backfill.steps import DONE, SOME_DID_NOT_GO, Tell

if TYPE_CHECKING:
    from backfill.prepare.reading.source import SourceReader

_log = logging.getLogger(__name__)


def inspect(imports: ImportSettings, mapping: Path | None) -> int:
    """Print what the exports are and how they would be read; write the mapping where wanted."""
    from backfill.prepare.inspect import text as inspect_text
    from backfill.prepare.inspect.findings import inspect as look
    from backfill.prepare.mapping import formats
    from backfill.prepare.reading import read

    def sources(paths: Sequence[Path]) -> Sequence[SourceReader]:
        return read.open_sources(paths, sheet=imports.sheet, taken={}, knows=formats.header_score)

    items = sources([imports.items]) if imports.items else ()
    inspection = look(sources(imports.exports), imports, items=items)
    print(inspect_text.render(inspection))
    if mapping is not None:
        mapping.write_text(inspect_text.mapping_text(inspection), encoding="utf-8")
        print(f"\nThe mapping is in {mapping}: edit it, then give it with --mapping {mapping}")
    return DONE


def validate(
    imports: ImportSettings, run: RunSettings, progress: Progress, tell: Tell = print
) -> int:
    """The dry run: prepare every order just as :func:`run` would, and report; no connection."""
    with steps.held(run, progress):
        _prepare(imports, run.job, progress)
        figures = steps.report(run, progress, tell)
    return steps.exit_code(figures.states)


def prepare(imports: ImportSettings, run: RunSettings, progress: Progress) -> None:
    """The dry run without reports."""
    with steps.held(run, progress):
        _prepare(imports, run.job, progress)


def run(
    imports: ImportSettings,
    api: ApiSettings,
    run: RunSettings,
    progress: Progress,
    tell: Tell = print,
) -> int:
    """Prepare what is not prepared yet, then send what is pending; run again to resume."""
    with steps.held(run, progress):
        prepared = bool(imports.exports) and _prepare(imports, run.job, progress)
        with steps.opened(run.job) as checkpoint:
            steps.refuse_purged(checkpoint, run.job)
            counts = checkpoint.counts()
            if not prepared and _is_over(checkpoint, run, counts):
                tell(_nothing_left(counts, run.job))
                return steps.exit_code(counts)
            left_changed = send(checkpoint, api, run, progress, tell)
        figures = steps.report(run, progress, tell)
    return SOME_DID_NOT_GO if left_changed else steps.exit_code(figures.states)


def send(
    checkpoint: Checkpoint, api: ApiSettings, run: RunSettings, progress: Progress, tell: Tell
) -> int:
    """Send what is pending and, where asked for, put right what has changed since.

    :returns: how many orders should have been put right and were not.
    """
    undone = 0 if run.leave_undone else count_undone(checkpoint)
    try:
        counts = checkpoint.counts()
        if undone or _left(counts):
            _check_share_of_rejected(counts, run)
            checkpoint.set_meta({"api_host": steps.host_of(api)})
            summary = status.before_sending(
                checkpoint, steps.host_of(api), run.limit, undone=undone
            )
            steps.ask(api, run, summary)
            if undone:
                put_back_undone(checkpoint)
                progress.say(
                    f"{undone:,} orders that were undone are created again"
                    " (--leave-undone would leave them)."
                )
            _deliver(checkpoint, api, run, progress)
        if run.update_changed:
            return changes.update(checkpoint, api, run, progress, tell)
    except BaseException:
        steps.report_quietly(run, progress, tell)
        raise
    return 0


def report(run: RunSettings, progress: Progress, tell: Tell = print) -> int:
    """Write the reports again from the checkpoint."""
    with steps.opened_and_held(run, progress) as checkpoint:
        steps.refuse_purged(checkpoint, run.job)
        figures = steps.report(run, progress, tell)
    return steps.exit_code(figures.states)


def fingerprint(imports: ImportSettings, sha256: Callable[[Path], str]) -> str:
    """What the bodies depend on, as one hash: the exports' bytes, the settings, the tool."""
    also = [imports.mapping, imports.affiliates, imports.items]
    parts: dict[str, Any] = {
        "tool": __version__,
        "exports": [[str(path), sha256(path)] for path in expand(imports.exports)],
        "also": [sha256(path) if path else None for path in also],
        "settings": _shown(imports),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


# --- the steps ------------------------------------------------------------------------------


def _prepare(imports: ImportSettings, folder: Path, progress: Progress) -> bool:
    """Prepare the exports, unless the job holds just this already; whether it was done."""
    sha256 = cache(sha256_of)  # a large export is hashed once
    current = fingerprint(imports, sha256)
    known: dict[str, str] = {}
    if (folder / FILE_NAME).exists():
        with Checkpoint(folder / FILE_NAME) as checkpoint:
            steps.refuse_purged(checkpoint, folder)
            if checkpoint.meta().get("fingerprint") == current:
                progress.say("The export is unchanged: going on with what was prepared.")
                return False
            known = {source.source: source.sha256 for source in checkpoint.sources()}
    from backfill.prepare.pipeline import prepare
    from backfill.prepare.validation import rules

    began = time.monotonic()
    prepared = prepare(imports, folder, known=known, sha256=sha256, progress=progress)
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
            changes.write_list(checkpoint, folder)
            progress.say(_told(adopted))
    _log.info("prepared", extra={"fields": {"rows": prepared.rows, **asdict(adopted)}})
    return True


def _told(adopted: Adopted) -> str:
    """What a changed export did to the job, for a person."""
    told = (
        f"The export or its settings changed: {adopted.new:,} orders are new, "
        f"{adopted.replaced:,} that were not sent are replaced, {adopted.unchanged:,} stay as "
        f"they are, {adopted.changed_after_sent:,} in Shout read differently by now (left as "
        f"sent; --update-changed puts them right), {adopted.gone:,} are in the job and no longer "
        "in the export (left as they are)."
    )
    if adopted.changed_after_sent or adopted.gone:
        told += f" They are listed in {changes.LISTED} in the job folder."
    return told


def _is_over(checkpoint: Checkpoint, run: RunSettings, counts: Mapping[State, int]) -> bool:
    """Whether nothing is left to do, and the reports say so already."""
    undone = 0 if run.leave_undone else count_undone(checkpoint)
    written = (run.job / "report.json").exists()
    return written and not (undone or _left(counts) or run.update_changed)


def _nothing_left(counts: Mapping[State, int], folder: Path) -> str:
    states = ", ".join(f"{count:,} {state}" for state, count in counts.items() if count)
    return (
        f"Nothing is left to send: {states or 'the job has no orders'}.\n"
        f"The reports are in {folder}; 'backfill report {folder}' writes them again."
    )


def _left(counts: Mapping[State, int]) -> int:
    return counts[State.PENDING] + counts[State.SENDING]


def _check_share_of_rejected(counts: Mapping[State, int], run: RunSettings) -> None:
    """Refuse to start on an export that is mostly broken.

    :raises SafetyStop: more than ``--max-rejected`` percent of the orders are rejected.
    """
    total, rejected = sum(counts.values()), counts[State.REJECTED]
    if rejected * 100 > run.max_rejected * total:
        raise SafetyStop(
            f"{rejected:,} of {total:,} orders were rejected, more than the "
            f"{run.max_rejected:g} percent of --max-rejected; nothing was sent",
            hint=f"{run.job / 'report.html'} says why; mend the export or its mapping, "
            "or allow it with --max-rejected 100",
        )


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


def _shown(imports: ImportSettings) -> dict[str, Any]:
    """The settings of an import as the job remembers them; no credential is among them."""
    return json.loads(json.dumps(asdict(imports), default=str))  # type: ignore[no-any-return]
