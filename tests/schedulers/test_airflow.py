"""The DAG of the README, run by a real Airflow: ``pytest -m airflow tests/schedulers``.

Airflow is installed into a virtual environment of its own, as its dependencies would not agree
with ours. ``AIRFLOW_VENV`` names one that is there already.
"""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.places import ROOT

pytestmark = pytest.mark.airflow

#: Stands for backfill: exits with the number in the export, and counts how often it was called.
STAND_IN = """#!/bin/sh
echo called >> "$2.calls"
printf '%s\\n' "$*" > "$2.arguments"
exit "$(cat "$2")"
"""
CODES = (0, 1, 2, 3, 4, 11, 130)


@pytest.fixture(scope="session")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ``airflow`` command."""
    if given := os.environ.get("AIRFLOW_VENV"):
        return Path(given) / "bin" / "airflow"
    venv = tmp_path_factory.mktemp("airflow") / "venv"
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    subprocess.run([venv / "bin" / "pip", "install", "-q", "apache-airflow>=3"], check=True)
    return venv / "bin" / "airflow"


@pytest.fixture(scope="session")
def srv(airflow: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that stands for /srv after one run of the DAG: an export for each exit code."""
    srv = tmp_path_factory.mktemp("srv")
    for folder in ("exports", "jobs", "dags", "venv/bin"):
        (srv / folder).mkdir(parents=True)
    program = srv / "venv" / "bin" / "backfill"
    program.write_text(STAND_IN)
    program.chmod(0o755)
    for code in CODES:
        (srv / "exports" / f"{code}.csv").write_text(str(code))
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    dag = re.search(r"^<!-- test: airflow -->\n```python\n(.*?)^```", readme, re.M | re.S)
    assert dag
    text = dag[1].replace("/srv", str(srv)).replace("minutes=10", "seconds=1")
    (srv / "dags" / "backfill.py").write_text(text)
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(srv / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(srv / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
    }
    for command in (["db", "migrate"], ["pools", "set", "shout", "2", "connections to Shout"]):
        subprocess.run([airflow, *command], env=environment, check=True, capture_output=True)
    command = ["dags", "test", "backfill", "--dagfile-path", str(srv / "dags" / "backfill.py")]
    subprocess.run([airflow, *command], env=environment, check=False, capture_output=True)
    return srv


def states(srv: Path) -> list[tuple[str, int]]:
    """State and tries of each mapped task, in the order of the exports' names."""
    with sqlite3.connect(srv / "airflow" / "airflow.db") as db:
        return db.execute(
            "SELECT state, try_number FROM task_instance WHERE task_id = 'migrate'"
            " ORDER BY map_index"
        ).fetchall()


@pytest.mark.parametrize(
    ("code", "state", "calls"),
    [
        (0, "success", 1),
        (1, "failed", 1),
        (2, "failed", 1),
        (3, "skipped", 1),
        (4, "failed", 6),
        (11, "failed", 6),
        (130, "failed", 6),
    ],
)
def test_what_airflow_makes_of_each_exit_code(srv: Path, code: int, state: str, calls: int) -> None:
    """1 and 2 fail at once, 3 is skipped, and what is resumable is tried again five times."""
    place = sorted(f"{each}.csv" for each in CODES).index(f"{code}.csv")
    assert states(srv)[place][0] == state
    lines = (srv / "exports" / f"{code}.csv.calls").read_text().splitlines()
    assert len(lines) == calls


def test_each_task_has_a_job_folder_of_its_own_and_its_share_of_the_rate(srv: Path) -> None:
    """Two tasks at once in the pool: each may send half of the requests."""
    for code in CODES:
        arguments = (srv / "exports" / f"{code}.csv.arguments").read_text()
        assert f"--job {srv}/jobs/{code}.backfill" in arguments
        assert "--rate 25.0" in arguments
