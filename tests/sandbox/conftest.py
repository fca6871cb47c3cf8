"""A client for the local Shout of the tests here."""

from __future__ import annotations

import pytest

from backfill.sandbox.process import SandboxProcess
from tests.sandbox.sandbox_client import Client


@pytest.fixture
def client(sandbox: SandboxProcess) -> Client:
    return Client(sandbox)
