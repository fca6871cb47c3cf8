"""A client for the local Shout of the tests here."""

from __future__ import annotations

import pytest
from sandbox_client import Client

from backfill.sandbox.process import SandboxProcess


@pytest.fixture
def client(sandbox: SandboxProcess) -> Client:
    return Client(sandbox)
