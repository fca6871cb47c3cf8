"""The README says what is there: commands, options, settings, fields, exit codes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from backfill.cli import parser
from backfill.prepare.mapping import fields
from backfill.prepare.validation.rules import described
from backfill.settings import sources
from backfill.settings.declared import SETTINGS
from tests.places import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    """The text between a heading and the next heading of any level."""
    return README.partition(f"# {title}\n")[2].partition("\n#")[0]


@pytest.mark.parametrize("command", parser.COMMANDS)
def test_every_command_and_its_options_are_documented(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each command is in the table, and each of its options is named somewhere."""
    assert f"| `backfill {command}" in README
    named = set(re.findall(r"--[a-z-]+", README)) | {
        f"--{name}" for name in re.findall(r"`([a-z-]+)`", section("Settings"))
    }
    with pytest.raises(SystemExit):
        parser.parse([command, "--help"])
    options = set(re.findall(r"--[a-z-]+", capsys.readouterr().out))
    assert "--progress" in options
    assert options - named - {"--help", "--version", "--keep"} == set()


def test_the_table_of_settings_is_the_declarations() -> None:
    """Each setting is in the table, with its default and its meaning as declared."""
    rows = re.findall(r"^\| `([a-z-]+)` \| (.*) \| (.*) \|$", section("Settings"), re.M)
    assert rows == [
        ((each.flag or "").lstrip("-") or each.key, each.default, each.help.replace("|", "\\|"))
        for each in SETTINGS.values()
        if not each.one_run and each.flag is not None
    ]


def test_the_settings_file_of_the_readme_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The example of backfill.toml is one that backfill takes, with an address put in."""
    monkeypatch.chdir(tmp_path)
    Path("affiliates.csv").touch()
    example = re.search(r"```toml\n(.*?)```", README, re.S)
    assert example
    text = example[1].replace("https://...", "https://shout.example")
    Path("backfill.toml").write_text(text, encoding="utf-8")
    chosen = sources.load({}, {"SHOUT_AUTHORIZATION": "Bearer x"})
    found = chosen.imports([Path("orders.csv")])
    assert (found.timezone, found.affiliates) == ("America/Denver", Path("affiliates.csv"))
    assert dict(found.map)["profile_phone_number"] == "Phone|Mobile"
    assert found.severities == (("naive_time", "error"),)
    assert [name for name, _ in chosen.api().headers] == ["Authorization"]


def test_every_field_is_documented() -> None:
    """The list of fields is that of the code."""
    listed = set(re.findall(r"`([a-z_]+)`", section("Fields")))
    assert listed == set(fields.FIELDS)


def test_exit_codes_are_those_of_the_help() -> None:
    """README and --help give the same table."""
    in_help = dict(re.findall(r"^  (\d+) +(.+)$", parser.EXIT_CODES, re.M))
    assert dict(re.findall(r"^\| (\d+) \| (.+) \|$", README, re.M)) == in_help


@pytest.mark.parametrize("marker", ["demo", "tests"])
def test_ci_finds_the_two_commands(marker: str) -> None:
    """Each of the two commands is one line in a code block below its marker."""
    found = re.search(rf"^<!-- ci: {marker} -->\n```sh\n([^\n]+)\n```$", README, re.M)
    assert found
    assert found[1].startswith("pip install ")


def test_every_rule_is_documented_as_it_is() -> None:
    """The table in the README is the one that --list-rules prints."""
    for rule, words in described().items():
        row = f"| `{rule}` | {words['severity']} | {words['title']} | {words['remedy']} |"
        assert row in README


def test_every_promise_is_kept_by_a_test_that_names_it() -> None:
    """A promise of the README that no test names is not made."""
    promised = set(re.findall(r"^(\d+)\. \*\*", section("Promises, and how each is kept"), re.M))
    tests = "".join(
        path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py")
    )
    assert len(promised) >= 13
    assert promised == set(re.findall(r"\bPromise (\d+)\b", tests)) & promised
