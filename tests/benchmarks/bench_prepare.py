"""The dry run, reports included, beside the bare reading of the same file by pandas."""

from __future__ import annotations

import csv
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import xlsxwriter  # type: ignore[import-untyped]

from tests.benchmarks.harness import (
    Bench,
    Command,
    Contender,
    Table,
    alternate,
    backfill,
    comparison,
)

READ_CSV = "import pandas, sys; pandas.read_csv(sys.argv[1], dtype=str)"
READ_EXCEL = "import pandas, sys; pandas.read_excel(sys.argv[1], engine='calamine', dtype=str)"


def tables(bench: Bench) -> Iterator[Table]:
    """Generic CSV, Shopify's 79 columns, scattered rows, and a workbook."""
    lines = bench.size(1_000_000)
    yield against_pandas(bench, f"generic CSV, {lines:,} lines", bench.export(lines))
    yield against_pandas(
        bench, f"the same, rows scattered, {lines:,} lines", bench.export(lines, "--scattered")
    )
    lines = bench.size(500_000)
    export = bench.export(lines, "--format", "shopify")
    yield against_pandas(bench, f"Shopify's 79 columns, {lines:,} lines", export)
    rows = bench.size(70_000)
    workbook = as_workbook(bench.export(rows), bench.folder / f"export-{rows}.xlsx")
    yield against_pandas(bench, f"xlsx, {rows:,} rows", workbook)


def against_pandas(bench: Bench, title: str, export: Path) -> Table:
    """``backfill validate`` and pandas on one export, in turns."""
    excel = export.suffix == ".xlsx"
    pandas_name = "pandas.read_excel(calamine)" if excel else "pandas.read_csv(dtype=str)"
    contenders = (
        Contender(
            pandas_name,
            lambda: [sys.executable, "-c", READ_EXCEL if excel else READ_CSV, export],
        ),
        Contender("backfill validate", lambda: dry_run(bench, export)),
    )
    results = alternate(contenders, bench.repeats)
    return comparison(title, results, against=pandas_name)


def dry_run(bench: Bench, export: Path) -> Command:
    """The product's dry run into a fresh job; the jobs before it are cleared away."""
    for old in bench.folder.glob("validate.*"):
        shutil.rmtree(old)
    account = ("--connect-id", "fern-1001") if "shopify" in export.name else ()
    return backfill("validate", export, "--job", bench.fresh("validate"), *account)


def as_workbook(export: Path, path: Path) -> Path:
    """The same rows as a workbook; quantities and money as numbers, the rest as text."""
    numbers = ("total", "item_quantity", "item_each_price")
    with export.open(encoding="utf-8", newline="") as file, xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("Orders")
        rows = csv.DictReader(file)
        sheet.write_row(0, 0, rows.fieldnames or ())
        for n, row in enumerate(rows, start=1):
            for column, (name, text) in enumerate(row.items()):
                sheet.write(n, column, float(text) if name in numbers else text)
    return path
