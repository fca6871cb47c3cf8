"""``backfill inspect``: what is in an export, and how it would be read."""

from __future__ import annotations

import argparse
from pathlib import Path

from backfill.cli.command import Command, exports, settings
from backfill.cli.terminal import exports_of, job_of, options_of
from backfill.errors import UsageError
from backfill.settings.declared import ACCOUNTS, READING


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--write-mapping",
        metavar="FILE",
        help="write the mapping as TOML, to edit and pass to --mapping",
    )


def run(args: argparse.Namespace) -> int:
    exports = exports_of(args)
    mapping = Path(args.write_mapping) if args.write_mapping else None
    job = job_of(args)
    if mapping is not None:
        _require_new(mapping)
    from backfill.prepare.inspect import text

    inspection = job.inspect(*exports, **options_of(args))
    if mapping is not None:
        mapping.write_text(text.mapping_text(inspection), encoding="utf-8")
    print(text.render(inspection, written=mapping))
    return 0


def _require_new(mapping: Path) -> None:
    if mapping.exists():
        raise UsageError(
            f"--write-mapping: {mapping}: the file already exists",
            hint="name a new file",
        )
    if not mapping.parent.is_dir():
        raise UsageError(f"--write-mapping: {mapping.parent}: there is no such folder")


COMMAND = Command(
    name="inspect",
    takes="EXPORT ...",
    summary="what is in an export, and how it would be read",
    description=(
        "Says what was found: format, encoding, delimiter, sheets, header row, rows,\n"
        "orders, and how each column maps to a field, with samples. For a file that is\n"
        "not recognised, --write-mapping writes a mapping to complete by hand."
    ),
    examples=(
        "  backfill inspect orders.csv\n  backfill inspect erp.xlsx --write-mapping erp.toml\n"
    ),
    options=(
        exports,
        add_options,
        settings(READING, ACCOUNTS),
    ),
    run=run,
)
