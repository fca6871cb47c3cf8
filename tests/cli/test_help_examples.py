"""Every example of every command's help does what it says."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from backfill.cli import parser
from backfill.sandbox.process import SandboxProcess
from tests.operations.jobs import JOB, orders, to, typed, write
from tests.places import ROOT

#: The demo has a test file of its own; the sandbox never ends by itself, see below.
APART = ("demo", "sandbox")


def examples(command: str, capsys: pytest.CaptureFixture[str]) -> str:
    """The lines of a command's example, as a person would copy them."""
    capsys.readouterr()
    with pytest.raises(SystemExit):
        parser.parse([command, "--help"])
    text = capsys.readouterr().out.partition("example:\n")[2].partition("\nexit codes:")[0]
    return textwrap.dedent(text)


def arrange(command: str, sandbox: SandboxProcess) -> None:
    """The files that the examples speak of; for what comes after an import, an import."""
    for name in ("orders.csv", "affiliates.csv"):
        shutil.copy(ROOT / "sample_data" / name, name)
    shutil.copy(ROOT / "sample_data" / "orders.xlsx", "erp.xlsx")
    Path("message.txt").write_text("Your {orders} orders are here.\n")
    Path("ids.txt").write_text("A1\n")
    Path("backfill.toml").write_text('timezone = "America/Denver"\nsettle = 0.3\n')
    if command not in ("inspect", "validate", "run", "completion"):
        write("orders.csv", orders(range(12)))
        assert typed("run", "orders.csv", *to(sandbox)) == 0


@pytest.mark.parametrize("command", [name for name in parser.COMMANDS if name not in APART])
def test_the_examples_of_the_help_work(
    command: str,
    sandbox: SandboxProcess,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Each line runs as it stands there, with Shout's address and the credential put in, and ends
    with 0, or with 3 where orders of the samples are rejected."""
    arrange(command, sandbox)
    monkeypatch.setattr("backfill.operations.purge.require", lambda *_: None)  # somebody confirms
    monkeypatch.setenv("SHOUT_AUTHORIZATION", sandbox.header[1])
    lines = examples(command, capsys).replace("https://api.example.com", sandbox.url)
    ran = 0
    for line in re.split(r"(?<!\\)\n", lines.strip()):
        words = shlex.split(line.replace("\\\n", " "))
        if words[0] == "backfill":
            assert typed(*words[1:], "--progress", "none") in (0, 3), line
            ran += 1
        else:
            assert line.startswith(("export SHOUT_AUTHORIZATION=", "eval "))
    assert ran


def test_the_example_of_the_sandbox_works(capsys: pytest.CaptureFixture[str]) -> None:
    """It serves at the port that it is given, and keeps what arrives in the file."""
    words = shlex.split(examples("sandbox", capsys))[1:]
    words[words.index("--port") + 1] = "18808"
    with subprocess.Popen(
        [sys.executable, "-m", "backfill", *words],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "sandbox: http://127.0.0.1:18808\n"
        child.terminate()
    assert Path("shout.sqlite").exists()


def test_a_shell_completes_commands_options_and_paths() -> None:
    """After ``eval "$(backfill completion bash)"`` bash knows our words."""
    script = (
        f'backfill() {{ {shlex.quote(sys.executable)} -m backfill "$@"; }}\n'
        'eval "$(backfill completion bash)"\n'
        'ask() { COMP_WORDS=(backfill "$@"); COMP_CWORD=$#; COMPREPLY=();'
        ' _shtab_backfill; echo "${COMPREPLY[*]}"; }\n'
        "mkdir orders.backfill\n"
        "ask ver; ask undo --sin; ask verify ord\n"
    )
    done = subprocess.run(
        ["bash", "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.stdout.split() == ["verify", "--since", "orders.backfill"], done.stderr


def test_an_unknown_shell_is_a_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    """Another shell than those that are known: exit 2, and which there are."""
    assert typed("completion", "cmd.exe") == 2
    assert "choose one of bash, zsh" in capsys.readouterr().err


def test_jobs_are_only_read_by_what_only_looks(sandbox: SandboxProcess) -> None:
    """status and a preview leave the checkpoint as it is."""
    write("orders.csv", orders(range(3)))
    assert typed("run", "orders.csv", *to(sandbox)) == 0
    before = (JOB / "checkpoint.sqlite").read_bytes()
    assert typed("status", JOB) == 0
    assert typed("notify", JOB, "--message", "x", "--dry-run", "--progress", "none") == 0
    assert (JOB / "checkpoint.sqlite").read_bytes() == before
