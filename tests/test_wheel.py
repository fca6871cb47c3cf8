"""The package as it is installed: what is in the wheel, and how a caller's mypy sees it."""

from __future__ import annotations

import re
import subprocess
import sys
import sysconfig
import venv
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

from tests.places import ROOT

CALLER = """\
from pathlib import Path

import pandas as pd

import backfill

job: backfill.Job = backfill.open_job(Path("orders.backfill"))
prepared = job.prepare("orders.csv", connect_id="A1", date_order="dmy", map={"total": "Sum"})
result = job.run(api_url="https://shout.example", headers={"X": "env:X"}, limit=10, yes=True)
left: int = job.status().left
orders: pd.DataFrame = job.orders()
decisions = [decision.override for decision in job.decisions()]
try:
    job.verify(api_url="https://shout.example")
except backfill.BackfillError as error:
    code: int = error.exit_code
"""
#: Each a mistake that a type checker has to find, with the code of its complaint.
MISTAKES = {
    'job.prepare("orders.csv", conect_id="A1")': "call-arg",
    'job.prepare("orders.csv", date_order="ddmmyy")': "arg-type",
    "job.run(limit=[10])": "arg-type",
    "job.status().stats": "attr-defined",
    "backfill.open_jobs()": "attr-defined",
}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from this checkout without the network."""
    folder = tmp_path_factory.mktemp("wheel")
    built = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation",
         "--wheel-dir", folder, ROOT],
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert built.returncode == 0, built.stderr
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture
def python(wheel: Path, tmp_path: Path) -> Path:
    """The Python of an environment with the wheel installed, beside this one's dependencies."""
    venv.create(tmp_path / "venv", symlinks=True)
    (site,) = (tmp_path / "venv").glob("lib/python*/site-packages")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    return tmp_path / "venv" / "bin" / "python"


def test_the_wheel_holds_what_the_package_needs(wheel: Path) -> None:
    """Types, licence, the tables of words, the platforms and the sample data; no tests."""
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {
        "backfill/py.typed",
        "backfill/prepare/mapping/statuses.toml",
        "backfill/prepare/mapping/platforms/shopify.toml",
        "backfill/sample_data/orders.csv",
    } <= names
    assert not any(name.startswith("tests/") for name in names)
    (metadata,) = (name for name in names if name.endswith(".dist-info/METADATA"))
    found = Parser().parsestr(zipfile.ZipFile(wheel).read(metadata).decode())
    assert (found["Name"], found["License-Expression"]) == ("backfill", "MIT")
    assert any(name.endswith("licenses/backfill/LICENSE") for name in names)


def test_a_caller_of_the_installed_package_is_type_checked(python: Path, tmp_path: Path) -> None:
    """Strict mypy accepts the public API as it is meant, and finds each mistake and no more."""
    (tmp_path / "caller.py").write_text("\n".join([CALLER, *MISTAKES]) + "\n", encoding="utf-8")
    said = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--config-file=",
         "--cache-dir=cache", "--python-executable", python, "caller.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    ).stdout  # fmt: skip
    first = CALLER.count("\n") + 2
    found = re.findall(r"^caller.py:(\d+): error: .* \[([a-z-]+)\]$", said, re.M)
    assert found == [(str(first + at), code) for at, code in enumerate(MISTAKES.values())], said
