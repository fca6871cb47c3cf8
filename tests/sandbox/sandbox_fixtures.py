"""One sandbox process for all tests here, forgetful and well-behaved at the start of each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sandbox_client import Client

from backfill.sandbox.process import SandboxProcess, start_process


@pytest.fixture(scope="session")
def one_process() -> Iterator[SandboxProcess]:
    with start_process() as process:
        yield process


@pytest.fixture
def sandbox(one_process: SandboxProcess) -> SandboxProcess:
    one_process.set_faults({})
    one_process.reset()
    return one_process


@pytest.fixture
def client(sandbox: SandboxProcess) -> Client:
    return Client(sandbox)
