"""The folders that tests use: this repository, its samples, and shared/ beside it."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[1]
SAMPLES = ROOT / "sample_data"
SHARED = ROOT.parent / "shared"
EXPORTS = SHARED / "exports"
REPORTS = SHARED / "reports"
GOLDEN = ROOT / "tests" / "prepare" / "golden"
