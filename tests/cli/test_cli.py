"""What a person types and sees: help, mistakes, troubles, and the exit code of each."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from backfill import cli, log
from backfill.cli import parser
from backfill.cli.terminal import given
from backfill.errors import BackfillError
from backfill.job_folder import lock
from backfill.sandbox.process import SandboxProcess, start_process
from tests.places import ROOT

IMPORT_OPTIONS = (
    "--job --config --format --mapping --map --sheet --items --affiliates --connect-id --user-id"
    " --timezone --date-order --currency --region --reference-prefix --max-rejected"
)
API_OPTIONS = "--api-url --header --concurrency --rate --limit --yes"
EVERYWHERE = "--progress --verbose --help --version"

#: Every command that is offered, with the options that the contract names for it.
CONTRACT = {
    "demo": "",
    "inspect": "--write-mapping",
    "validate": f"{IMPORT_OPTIONS} --list-rules",
    "run": f"{IMPORT_OPTIONS} {API_OPTIONS} --dry-run --only-requested-history"
    " --update-changed --leave-undone --account --since --until --reference-id",
    "status": "--json --watch",
    "retry": f"--rule --account --reason {API_OPTIONS}",
    "verify": f"--sample {API_OPTIONS}",
    "undo": f"--account --since {API_OPTIONS}",
    "notify": f"--message --template --company --accounts --resend-in-doubt {API_OPTIONS}",
    "report": "",
    "show": "--state --account --limit --show-personal-data",
    "purge": "--yes",
    "sandbox": "--port --db --faults --rate-limit",
    "completion": "",
}

ORDERS = """\
reference_id,created_at,profile_name,item_name,item_quantity,item_each_price
1001,2021-04-09T12:00:00-06:00,Janet Smith,Tank Top,2,35.00
1002,2021-04-10T12:00:00-06:00,John Doe,T-Shirt,1,49.00
"""


RUN = ("run", "orders.csv", "--connect-id", "A1")


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("BACKFILL_")]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxProcess]:
    """A local Shout."""
    with start_process() as running:
        yield running


def run_python(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Python in a process of its own, which knows the package."""
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def typed(*words: str) -> int:
    """The exit code of a command line, in this process."""
    try:
        return cli.main(words)
    except SystemExit as left:
        return int(left.code or 0)


# --- help ------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", CONTRACT)
def test_help_names_every_option(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The help of a command has all options of the contract, an example, and fits 80 columns."""
    assert typed(command, "--help") == 0
    text = capsys.readouterr().out
    named = set(re.findall(r"--[a-z-]+", text))
    assert {*CONTRACT[command].split(), *EVERYWHERE.split()} - named == set()
    assert f"  backfill {command}" in text.partition("example:")[2]
    assert "exit codes:" in text
    assert max(len(line) for line in text.splitlines()) <= 80


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    """``backfill --help`` has each command that is there, and each does what it says."""
    assert typed("--help") == 0
    listed = capsys.readouterr().out
    assert all(f"    {command} " in listed for command in CONTRACT)
    assert set(parser.COMMANDS) == set(CONTRACT)


def test_nothing_typed_is_a_short_help(capsys: pytest.CaptureFixture[str]) -> None:
    """``backfill`` alone shows how to begin, and is not a success for a script."""
    assert typed() == 2
    assert capsys.readouterr().out == parser.SHORT_HELP


def test_version_is_everywhere(capsys: pytest.CaptureFixture[str]) -> None:
    """--version works with a command and without."""
    assert (typed("--version"), typed("run", "--version")) == (0, 0)
    first, second = capsys.readouterr().out.splitlines()
    assert first == second
    assert first.startswith("backfill ")


HEAVY = ("pandas", "pyarrow", "numpy", "aiohttp", "plotly", "jinja2", "tqdm", "phonenumbers")

#: Runs a command line, then prints which of the heavy packages it has imported.
WHAT_IS_IMPORTED = f"""
import sys
from backfill.cli import main
try:
    main(sys.argv[1:])
except SystemExit:
    pass
print("IMPORTED", *[name for name in {HEAVY} if name in sys.modules])
"""


@pytest.mark.parametrize(
    "words", [["--help"], ["run", "--help"], ["run", "--wrong"], ["--version"]]
)
def test_help_imports_next_to_nothing(words: list[str]) -> None:
    """Help has to answer at once: no heavy package is imported."""
    done = run_python("-c", WHAT_IS_IMPORTED, *words)
    assert done.stdout.splitlines()[-1] == "IMPORTED"


def test_status_imports_nothing_heavy() -> None:
    """A look at a job does not wait for pandas."""
    Path("orders.csv").write_text(ORDERS)
    assert typed("validate", "orders.csv", "--connect-id", "A1", "--progress", "none") == 0
    done = run_python("-c", WHAT_IS_IMPORTED, "status", "orders.backfill")
    assert "2 orders" in done.stdout
    assert done.stdout.splitlines()[-1] == "IMPORTED"


# --- the command line ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (
            ["run", "--headr", "Authorization: hunter2"],
            "unknown option --headr; did you mean --header",
        ),
        (
            ["run", "--headr=Authorization: hunter2"],
            "unknown option --headr; did you mean --header",
        ),
        (["run", "--job"], "expected one argument"),
        (["run", "--conc", "3"], "unknown option --conc"),
        (["statsu", "job"], "unknown command statsu; did you mean status?"),
        (["status", "job", "hunter2"], "too many arguments"),
        (["status"], "JOB"),
        (["demo", "hunter2"], "too many arguments"),
    ],
)
def test_mistakes_in_typing(
    words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A mistake is one line that helps, exit 2, and does not repeat what may be a credential."""
    assert typed(*words) == 2
    shown = capsys.readouterr()
    error, hint = shown.err.splitlines()
    assert error.startswith("backfill: error: ")
    assert says in error
    assert hint.startswith("  see 'backfill")
    assert "hunter2" not in shown.err + shown.out


def test_exports_stand_before_and_after_options() -> None:
    """Exports are taken wherever they stand."""
    args = parser.parse(["run", "a.csv", "--job", "j", "b.csv", "--map", "total=T", "c.csv"])
    assert args.exports == ["a.csv", "b.csv", "c.csv"]
    settings = given(args)
    assert (settings["job"], settings["map"]) == ("j", ["total=T"])


def test_options_of_all_commands_may_stand_before_the_command() -> None:
    """``backfill --progress none run`` is the same as ``backfill run --progress none``."""
    for words in (["--progress", "none", "run"], ["run", "--progress", "none"]):
        assert given(parser.parse(words))["progress"] == "none"


def test_rules_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """``validate --list-rules`` prints every rule with its severity and needs no export."""
    assert typed("validate", "--list-rules") == 0
    listed = capsys.readouterr().out
    assert "missing_reference_id (error)" in listed
    assert "naive_time (warning)" in listed
    assert max(len(line) for line in listed.splitlines()) <= 80


# --- errors become words ---------------------------------------------------------------------


def test_a_job_that_runs_is_left_alone(capsys: pytest.CaptureFixture[str]) -> None:
    """Promise 8: a second run of the same job exits with 11."""
    Path("orders.csv").write_text(ORDERS)
    with lock.hold(Path("orders.backfill")):
        assert typed(*RUN, "--api-url", "http://localhost:1", "--progress", "none") == 11
    assert "another run holds this job" in capsys.readouterr().err


def _raising(exc: BaseException, monkeypatch: pytest.MonkeyPatch) -> int:
    def execute(args: object) -> int:
        raise exc

    monkeypatch.setattr(sys.modules["backfill.cli.main"], "execute", execute)
    return cli.main(["status", "job"])


def _all_errors(kind: type[BackfillError] = BackfillError) -> Iterator[type[BackfillError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _all_errors(child)


def test_every_error_has_a_code_of_the_contract() -> None:
    """No error class exits with a code that the contract does not know."""
    assert {kind.exit_code for kind in _all_errors()} == {1, 2, 4, 11, 130}


def test_an_error_and_its_hint(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An expected error is its message and its hint; a hostile cell in it does no harm."""
    exc = BackfillError("orders.csv: row 3: '\x1b[2J\x07' is no price", hint="fix it")
    assert _raising(exc, monkeypatch) == 1
    assert capsys.readouterr().err == (
        "backfill: error: orders.csv: row 3: '\\x1b[2J\\x07' is no price\n  fix it\n"
    )


def test_interrupts_and_a_full_disk(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C is 130, a full disk is one line; neither is a traceback."""
    assert _raising(KeyboardInterrupt(), monkeypatch) == 130
    assert "run the same command again" in capsys.readouterr().err
    assert _raising(OSError(28, "No space left on device", "report.html"), monkeypatch) == 1
    assert capsys.readouterr().err.startswith(
        "backfill: error: report.html: No space left on device\n  free some space"
    )


def test_a_bug_says_that_it_is_one_and_keeps_secrets(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Anything unexpected shows a traceback without secrets, asks to be reported, and exits 1."""
    log.keep_out("Bearer hunter2hunter2")
    assert _raising(ValueError("got hunter2hunter2"), monkeypatch) == 1
    shown = capsys.readouterr().err
    assert "Traceback" in shown
    assert "ValueError: got ***" in shown
    assert shown.endswith("please report it with the lines above\n")


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_left_is_no_error(unbuffered: str) -> None:
    """``backfill --help | head -0`` says nothing on stderr, whether stdout is buffered or not."""
    ours, theirs = os.pipe()
    os.close(ours)
    child = subprocess.run(
        [sys.executable, "-m", "backfill", "run", "--help"],
        stdout=theirs,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": unbuffered},
        timeout=60,
    )
    os.close(theirs)
    assert child.stderr == b""


def test_a_dry_run_that_is_told_to_end() -> None:
    """SIGTERM while an export is read ends with 130 and leaves no job behind that looks whole."""
    rows = ORDERS.splitlines()[1:] * 100_000
    Path("orders.csv").write_text("\n".join([ORDERS.splitlines()[0], *rows, ""]))
    with subprocess.Popen(
        [sys.executable, "-m", "backfill", "validate", "orders.csv", "--progress", "json"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as child:
        assert child.stderr is not None
        assert '"begin"' in child.stderr.readline()
        child.terminate()
        _, said = child.communicate(timeout=60)
    assert child.returncode == 130, said
    assert said.splitlines()[-2:] == [
        "backfill: error: interrupted",
        "  run the same command again to go on",
    ]
    assert not Path("orders.backfill/checkpoint.sqlite").exists()


def test_inspect_begins_a_mapping_that_a_person_completes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What --write-mapping writes, with the missing columns filled in, is what --mapping takes."""
    renamed = ORDERS.replace("profile_name", "Who").replace("item_name", "What")
    Path("orders.csv").write_text(renamed)
    assert typed("inspect", "orders.csv", "--write-mapping", "own.toml") == 0
    found = capsys.readouterr().out
    assert "2 orders" in found
    assert max(len(line) for line in found.splitlines()) <= 80
    mapping = Path("own.toml").read_text()
    for field, column in (("profile_name", "Who"), ("item_name", "What")):
        mapping = re.sub(rf"^# {field}\b.*$", f'{field} = "{column}"', mapping, flags=re.M)
    Path("own.toml").write_text(mapping)
    words = ["--mapping", "own.toml", "--connect-id", "A1", "--progress", "none"]
    assert typed("validate", "orders.csv", *words) == 0


# --- commands through a real Shout -----------------------------------------------------------


def run_words(sandbox: SandboxProcess, *more: str) -> list[str]:
    """A run of orders.csv into the local Shout."""
    words = ["--api-url", sandbox.url, "--header", ": ".join(sandbox.header)]
    return [*RUN, *words, "--settle", "0.5", "--progress", "none", *more]


def test_run_status_report_run_again(
    sandbox: SandboxProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run creates the orders, status and report know it, and a second run sends nothing."""
    sandbox.reset()
    Path("orders.csv").write_text(ORDERS)
    assert typed(*run_words(sandbox)) == 0
    capsys.readouterr()
    assert typed("status", "orders.backfill", "--json") == 0
    assert '"created": 2' in capsys.readouterr().out
    (Path("orders.backfill") / "report.html").unlink()
    assert typed("report", "orders.backfill", "--progress", "none") == 0
    assert (Path("orders.backfill") / "report.html").exists()
    assert typed(*run_words(sandbox)) == 0
    stats = sandbox.stats()
    assert (stats["orders"], stats["requests"]["arrived"]["create"]) == (2, 2)


def test_limit_is_a_pilot_and_dry_run_sends_nothing(sandbox: SandboxProcess) -> None:
    """--dry-run creates no order, --limit creates that many, and the next run the rest."""
    sandbox.reset()
    Path("orders.csv").write_text(ORDERS)
    created = []
    for more in (["--dry-run"], ["--limit", "1"], []):
        assert typed(*run_words(sandbox, *more)) == 0
        created.append(sandbox.stats()["orders"])
    assert created == [0, 1, 2]


def test_the_credential_is_written_nowhere(
    sandbox: SandboxProcess, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Promise 5: nothing in the job folder and nothing on the screen holds the credential."""
    sandbox.reset()
    Path("orders.csv").write_text(ORDERS)
    secret = "hunter2-" + "x" * 24
    monkeypatch.setenv("TOKEN", f"Bearer {secret}")
    words = run_words(sandbox, "--header", "Authorization: env:TOKEN", "--verbose")
    assert typed(*words) == 4  # the local Shout does not take it
    shown = capsys.readouterr()
    written = b"".join(
        path.read_bytes() for path in Path("orders.backfill").rglob("*") if path.is_file()
    )
    assert secret not in shown.out + shown.err
    assert secret.encode() not in written


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_run_is_130_and_resumes(sandbox: SandboxProcess, number: int) -> None:
    """Ctrl-C and SIGTERM end a run with 130; the same command finishes it."""
    sandbox.reset()
    rows = [f"{n},2021-04-09,Janet Smith,Tank Top,1,35.00" for n in range(200)]
    Path("orders.csv").write_text("\n".join([ORDERS.splitlines()[0], *rows, ""]))
    with subprocess.Popen(
        [sys.executable, "-m", "backfill", *run_words(sandbox, "--rate", "50")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as child:
        while sandbox.stats()["orders"] < 12:
            assert child.poll() is None
        child.send_signal(number)
        _, said = child.communicate(timeout=30)
    assert child.returncode == 130, said
    assert "Traceback" not in said
    assert typed(*run_words(sandbox)) == 0
    stats = sandbox.stats()
    assert (stats["orders"], stats["duplicates"], stats["texts"]) == (200, 0, 0)
