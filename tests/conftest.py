"""What all tests share: one local Shout, and properties that are not held to a time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from backfill.sandbox.process import SandboxProcess, start_process

# A property fails for what it says, not for the time that a busy machine takes.
hypothesis.settings.register_profile("unhurried", deadline=None)
hypothesis.settings.load_profile("unhurried")


@pytest.fixture(scope="session")
def one_shout() -> Iterator[SandboxProcess]:
    """A local Shout in a process of its own."""
    with start_process() as process:
        yield process


@pytest.fixture
def sandbox(one_shout: SandboxProcess) -> SandboxProcess:
    """The local Shout, without orders and faults."""
    one_shout.set_faults({})
    one_shout.reset()
    return one_shout


@pytest.fixture(autouse=True)
def _in_an_empty_folder(request: pytest.FixtureRequest) -> None:
    """Tests that type commands as a person does run in an empty folder, without settings."""
    folders = ("cli", "operations", "settings")
    if request.path.parent.name not in folders and request.path.name != "test_python_api.py":
        return
    folder: Path = request.getfixturevalue("tmp_path")
    monkeypatch: pytest.MonkeyPatch = request.getfixturevalue("monkeypatch")
    monkeypatch.chdir(folder)
    for name in [name for name in os.environ if name.startswith("BACKFILL_")]:
        monkeypatch.delenv(name)
