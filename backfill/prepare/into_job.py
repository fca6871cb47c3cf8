"""Prepares exports into a job's checkpoint, unless the job already holds exactly these."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

from backfill.checkpoint import Adopted, Checkpoint, Source, adopt, now
from backfill.checkpoint.decisions import decisions
from backfill.job_folder.files import CHECKPOINT, has_job
from backfill.prepare.reading.fingerprint import expand, sha256_of
from backfill.progress import Progress
from backfill.settings import ImportSettings
from backfill.version import __version__

_log = logging.getLogger(__name__)

_END_OF_ROWS = b"ARROW1"
"""How a whole Arrow file ends."""


def prepare_into_job(
    imports: ImportSettings, folder: Path, progress: Progress
) -> tuple[Adopted, bool] | None:
    """Prepare the exports and adopt them; None where the job holds just this already.

    Nothing heavy is imported until something has to be read.

    :returns: what the import changed in the job, and whether the job held an earlier import.
    """
    sha256 = cache(sha256_of)  # a large export is hashed once
    current = fingerprint(imports, sha256)
    known: dict[str, str] = {}
    if has_job(folder):
        with Checkpoint(folder / CHECKPOINT) as checkpoint:
            sources = checkpoint.sources()
            if checkpoint.meta().get("fingerprint") == current and _has_rows(folder, sources):
                return None
            known = {source.source: source.sha256 for source in sources}
    from backfill.prepare.pipeline import prepare
    from backfill.prepare.validation import rules

    began = time.monotonic()
    prepared = prepare(imports, folder, known=known, sha256=sha256, progress=progress)
    meta = {
        "fingerprint": current,
        "tool_version": __version__,
        "prepared_at": now(),
        "settings": json.dumps(_shown(imports), ensure_ascii=False),
        "rules": json.dumps(rules.described(), ensure_ascii=False),
        "seconds_prepare": f"{time.monotonic() - began:.3f}",
    }
    if prepared.affiliates:
        meta["affiliates"] = json.dumps(prepared.affiliates, ensure_ascii=False)
    prepared.incoming.finish(meta)
    adopted = adopt(folder)
    with Checkpoint(folder / CHECKPOINT) as checkpoint:
        checkpoint.set_meta({"adopted": json.dumps(asdict(adopted))})
        for decision in decisions(checkpoint):
            told = {name: str(value) for name, value in asdict(decision).items() if value}
            told.pop("evidence", None)  # its example is a cell of the export
            _log.info("decided", extra={"fields": told})
    _log.info("prepared", extra={"fields": {"rows": prepared.rows, **asdict(adopted)}})
    return adopted, bool(known)


def _has_rows(folder: Path, sources: Sequence[Source]) -> bool:
    """Whether the source rows are still there, as whole Arrow files."""
    for source in sources:
        try:
            with (folder / source.details["rows_file"]).open("rb") as file:
                file.seek(-len(_END_OF_ROWS), os.SEEK_END)
                if file.read() != _END_OF_ROWS:
                    return False
        except OSError:
            return False
    return True


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


def _shown(imports: ImportSettings) -> dict[str, Any]:
    """The settings of an import as the job remembers them; no credential is among them."""
    return json.loads(json.dumps(asdict(imports), default=str))  # type: ignore[no-any-return]
