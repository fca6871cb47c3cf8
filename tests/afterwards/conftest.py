"""One local Shout for all tests here, forgetful at the start of each; an empty folder for each."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from backfill.sandbox.process import SandboxProcess, start_process


@pytest.fixture(scope="session")
def one_shout() -> Iterator[SandboxProcess]:
    with start_process() as process:
        yield process


@pytest.fixture
def sandbox(one_shout: SandboxProcess) -> SandboxProcess:
    """A local Shout without orders and faults."""
    one_shout.set_faults({})
    one_shout.reset()
    return one_shout


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("BACKFILL_")]:
        monkeypatch.delenv(name)
