"""Settings from flags, environment and file; each value checked, each mistake with its place."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from backfill.errors import UsageError
from backfill.settings import ApiSettings, ImportSettings, RunSettings, checks, sources

EXPORTS = [Path("orders.csv")]


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def load(
    flags: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    toml: str | None = None,
) -> sources.Configuration:
    """The configuration from these three places."""
    if toml is not None:
        Path("backfill.toml").write_text(toml, encoding="utf-8")
        Path("backfill.toml").chmod(0o600)
    return sources.load(flags or {}, environ or {})


def test_nothing_set_is_the_dataclasses_word() -> None:
    """Where nobody sets anything, the declared defaults hold."""
    chosen = load()
    assert chosen.imports(EXPORTS) == ImportSettings(exports=(Path("orders.csv"),))
    assert chosen.run(EXPORTS) == RunSettings(job=Path("orders.backfill"))
    assert load({"api_url": "https://shout.example"}).api() == ApiSettings(
        api_url="https://shout.example"
    )


def test_flags_then_environment_then_file() -> None:
    """A flag wins over the environment, and the environment over the file."""
    toml = 'timezone = "Europe/Paris"\ncurrency = "EUR"\nregion = "FR"\n'
    environ = {"BACKFILL_TIMEZONE": "Europe/Berlin", "BACKFILL_CURRENCY": "chf"}
    found = load({"timezone": "America/Denver"}, environ, toml).imports(EXPORTS)
    assert (found.timezone, found.currency, found.region) == ("America/Denver", "CHF", "FR")


def test_every_setting_arrives() -> None:
    """Each setting of the file reaches the dataclass that holds it, with its own type."""
    for name in ("shop.toml", "items.csv", "people.csv"):
        Path(name).touch()
    chosen = load(
        toml="""
        job = "march"
        format = "shopify"
        mapping = "shop.toml"
        sheet = "Orders"
        items = "items.csv"
        affiliates = "people.csv"
        only-requested-history = true
        user-id = 315
        timezone = "UTC"
        date_order = "dmy"
        reference-prefix = "old-"
        max-rejected = 2.5
        api-url = "https://shout.example/v1/"
        concurrency = 8
        rate = 50
        timeout = 10
        settle = 0
        give-up-after = 60
        progress = "json"
        verbose = true
        [headers]
        Authorization = "env:TOKEN"
        [map]
        profile_name = "Customer"
        [rules]
        naive_time = "error"
        """,
        environ={"TOKEN": "Bearer t0ken"},
    )
    assert chosen.imports(EXPORTS) == ImportSettings(
        exports=(Path("orders.csv"),),
        format="shopify",
        mapping=Path("shop.toml"),
        map=(("profile_name", "Customer"),),
        sheet="Orders",
        items=Path("items.csv"),
        affiliates=Path("people.csv"),
        only_requested_history=True,
        user_id="315",
        timezone="UTC",
        date_order="dmy",
        reference_prefix="old-",
        severities=(("naive_time", "error"),),
    )
    assert chosen.run(EXPORTS) == RunSettings(
        job=Path("march"),
        max_rejected=2.5,
        progress="json",
        verbose=True,
    )
    api = chosen.api()
    assert (api.api_url, api.concurrency, api.rate) == ("https://shout.example/v1", 8, 50.0)
    assert (api.timeout, api.settle, api.give_up_after) == (10.0, 0.0, 60.0)
    assert [(name, secret.reveal()) for name, secret in api.headers] == [
        ("Authorization", "Bearer t0ken")
    ]


def test_paths_of_the_file_start_at_the_file(tmp_path: Path) -> None:
    """A relative path in a settings file elsewhere is meant from that file's folder."""
    folder = tmp_path / "etc"
    folder.mkdir()
    (folder / "people.csv").touch()
    (folder / "shop.toml").write_text('affiliates = "people.csv"\n', encoding="utf-8")
    found = load({"config": str(folder / "shop.toml")}).imports(EXPORTS)
    assert found.affiliates == folder / "people.csv"


def test_tables_merge_name_by_name() -> None:
    """--map and --header replace the entries of the same name only."""
    chosen = load(
        {
            "api_url": "https://shout.example",
            "map": ["total=Sum", "description=Note|Memo=1", "profile_email="],
            "headers": ["authorization: Bearer flag"],
        },
        {"BACKFILL_HEADER": "X-Team: a\nX-Desk: b"},
        '[map]\ntotal = "Total"\nprofile_name = "Name"\n[headers]\nAuthorization = "Bearer file"\n',
    )
    assert dict(chosen.imports(EXPORTS).map) == {
        "total": "Sum",
        "profile_name": "Name",
        "description": "Note|Memo=1",
        "profile_email": "",
    }
    assert {name: secret.reveal() for name, secret in chosen.api().headers} == {
        "authorization": "Bearer flag",
        "X-Team": "a",
        "X-Desk": "b",
    }


def test_an_account_of_a_nearer_place_wins() -> None:
    """--user-id replaces a connect-id of the file, for they are one choice in two spellings."""
    found = load({"user_id": "315"}, toml='connect-id = "A1"\n').imports(EXPORTS)
    assert (found.connect_id, found.user_id) == (None, "315")


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("timezone", "America/Dever", "did you mean America/Denver?"),
        ("timezone", "../../etc/passwd", "not the name of a time zone"),
        ("timezone", "America", "not the name of a time zone"),
        ("date_order", "ddmmyy", "not one of mdy, dmy, ymd"),
        ("currency", "US", "three-letter"),
        ("region", "UK", "two-letter"),
        ("connect_id", "A1\r\nX-Evil: 1", "printable ASCII"),
        ("connect_id", "Zoë", "printable ASCII"),
        ("user_id", " 315", "printable ASCII"),
        ("reference_prefix", "a\nb", "control character"),
    ],
)
def test_bad_import_values(name: str, value: str, says: str) -> None:
    """A value that cannot be used is refused with its flag, and with a way out."""
    with pytest.raises(UsageError) as caught:
        load({name: value}).imports(EXPORTS)
    assert caught.value.message.startswith(f"--{name.replace('_', '-')}: ")
    assert says in f"{caught.value.message} {caught.value.hint}"


@pytest.mark.parametrize("name", ["mapping", "items", "affiliates"])
def test_named_files_must_be_there(name: str) -> None:
    """A file that an option names has to exist."""
    with pytest.raises(UsageError, match=f"--{name}: x.csv: there is no such file"):
        load({name: "x.csv"}).imports(EXPORTS)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("concurrency", "0", "from 1 to 1,000"),
        ("concurrency", "1.5", "from 1 to 1,000"),
        ("rate", "0", "more than 0"),
        ("rate", "nan", "more than 0"),
        ("rate", "fast", "not a number of requests per second"),
        ("timeout", "inf", "more than 0"),
        ("settle", "-1", "at least 0"),
        ("give_up_after", "0", "more than 0"),
    ],
)
def test_bad_api_values(name: str, value: str, says: str) -> None:
    """Numbers that make no sense are refused."""
    with pytest.raises(UsageError, match=says):
        load({"api_url": "https://shout.example", name: value}).api()


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("limit", "0", "from 1"),
        ("limit", "-3", "from 1"),
        ("max_rejected", "101", "at most 100"),
        ("max_rejected", "-1", "at least 0"),
        ("progress", "loud", "not one of auto, bar, plain, json, none"),
    ],
)
def test_bad_run_values(name: str, value: str, says: str) -> None:
    """The settings of one run are checked too."""
    with pytest.raises(UsageError, match=says):
        load({name: value}).run(EXPORTS)


@pytest.mark.parametrize(
    "url",
    [
        "https://api.shout.example",
        "https://api.shout.example:8443/v1",
        "http://localhost:8808",
        "http://127.0.0.1:8808",
        "http://127.8.9.10",
        "http://[::1]:8808",
    ],
)
def test_addresses_that_are_safe(url: str) -> None:
    """Promise 6: https: goes anywhere, http: to this machine."""
    assert load({"api_url": url}).api().api_url == url


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://api.shout.example", "plain http: address is refused"),
        ("http://localhost.evil.example", "plain http: address is refused"),
        ("http://127.0.0.1.evil.example", "plain http: address is refused"),
        ("http://192.168.1.5", "plain http: address is refused"),
        ("http://0.0.0.0", "plain http: address is refused"),
        ("https://me:hunter2@api.shout.example", "user name or a password"),
        ("https://me@api.shout.example", "user name or a password"),
        ("http://localhost\\@evil.example", "user name or a password"),
        ("api.shout.example", "begins with https://"),
        ("ftp://api.shout.example", "begins with https://"),
        ("https://", "begins with https://"),
        ("https://shout.example:99999", "is not an address"),
        ("https://[::1", "is not an address"),
        ("https://shout.example/?key=hunter2", "must not contain spaces"),
        ("https://shout.example/#x", "must not contain spaces"),
        ("https://shout.example/a b", "must not contain spaces"),
        ("https://shout.example\\evil.example", "must not contain spaces"),
    ],
)
def test_addresses_that_are_not(url: str, says: str) -> None:
    """Promise 6: anything else is refused, and a password in it is not repeated."""
    with pytest.raises(UsageError, match=says) as caught:
        load({"api_url": url}).api()
    assert "hunter2" not in f"{caught.value.message} {caught.value.hint}"


def test_a_missing_address() -> None:
    """A run without an address says so, and what to do."""
    with pytest.raises(UsageError, match="--api-url is missing"):
        load().api()


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("Authorization Bearer hunter2", "is not 'Name: value'"),
        ("Auth orization: hunter2", "is not 'Name: value'"),
        ("Authorization: hunter2\r\nX-Evil: 1", "not printable ASCII"),
        ("Authorization:", "value is empty"),
        ("Authorization: env:NOT_SET", "environment variable NOT_SET is not set"),
        ("Authorization: env:EMPTY", "environment variable EMPTY is not set"),
        *[(f"{name.title()}: hunter2", "sets itself") for name in sorted(checks.RESERVED_HEADERS)],
    ],
)
def test_bad_headers(line: str, says: str) -> None:
    """A header that cannot be sent is refused, and its value is never repeated."""
    with pytest.raises(UsageError, match=says) as caught:
        load({"api_url": "https://shout.example", "headers": [line]}, {"EMPTY": " "}).api()
    assert "hunter2" not in f"{caught.value.message} {caught.value.hint}"


def test_a_credential_never_shows() -> None:
    """Promise 5: neither the settings as text nor the names for the report hold one."""
    flags = {"api_url": "https://shout.example", "headers": ["Authorization: Bearer hunter2"]}
    chosen = load(flags)
    assert "hunter2" not in f"{chosen.api()!r} {chosen.api()} {chosen.run(EXPORTS)!r}"


@pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o644, True)])
def test_a_credential_in_an_open_file_is_warned_of(mode: int, warned: bool) -> None:
    """A literal credential in a file that others can read is warned of, without showing it."""
    Path("backfill.toml").write_text('[headers]\nAuthorization = "Bearer hunter2"\n')
    Path("backfill.toml").chmod(mode)
    warnings = sources.load({}, {}).warnings()
    assert bool(warnings) is warned
    assert "hunter2" not in " ".join(warnings)


@pytest.mark.parametrize(
    ("toml", "says"),
    [
        ('timezon = "UTC"\n', "did you mean timezone?"),
        ("limit = 5\n", "cannot be set in the settings file"),
        ("yes = true\n", "cannot be set in the settings file"),
        ("timezone = [1]\n", "must be a single value"),
        ("timezone = \n", "is not valid TOML"),
        ('[rules]\nnaive_time = "fatal"\n', "not one of error, warning"),
    ],
)
def test_bad_files(toml: str, says: str) -> None:
    """A settings file that says something unknown is refused with the place."""
    with pytest.raises(UsageError) as caught:
        load(toml=toml).imports(EXPORTS)
    assert says in f"{caught.value.message} {caught.value.hint}"
    assert "backfill.toml" in caught.value.message


def test_a_named_file_must_be_there() -> None:
    """--config names a file that has to exist; backfill.toml need not."""
    with pytest.raises(UsageError, match="no such settings file"):
        load({"config": "shop.toml"})


def test_a_dry_run_does_not_need_a_good_address() -> None:
    """Settings are checked when they are needed: a dry run has no use for the address."""
    assert load(toml='api-url = "nonsense"\n').imports(EXPORTS) is not None


@pytest.mark.parametrize(
    ("flags", "environ"),
    [
        ({"connect_id": "A1", "user_id": "3"}, {}),
        ({}, {"BACKFILL_CONNECT_ID": "A1", "BACKFILL_USER_ID": "3"}),
    ],
)
def test_two_accounts_for_all(flags: dict[str, str], environ: dict[str, str]) -> None:
    """Both kinds of id in one place cannot be used together."""
    with pytest.raises(UsageError, match="cannot be used together"):
        load(flags, environ).imports(EXPORTS)


@pytest.mark.parametrize(
    ("export", "job"),
    [
        ("orders.csv", "orders.backfill"),
        ("somewhere/else/erp export.xlsx", "erp export.backfill"),
        ("exports", "exports.backfill"),
        ("part_*.csv", "part_1.backfill"),
    ],
)
def test_the_job_folder_is_named_after_the_first_export(export: str, job: str) -> None:
    """The default job folder is the first export's stem in the working folder."""
    for name in ("part_2.csv", "part_1.csv"):
        Path(name).touch()
    assert load().run([Path(export), Path("other.csv")]).job == Path(job)


def test_no_job_and_no_export() -> None:
    """Without an export there is no default job."""
    with pytest.raises(UsageError, match="no export and no job"):
        load().run([])
