"""``backfill purge``: nothing that identifies a customer is left in the job folder."""

from __future__ import annotations

import csv
import json
import os
import shutil
from pathlib import Path

import pytest

from backfill.sandbox.process import SandboxProcess
from tests.operations.jobs import JOB, asked, orders, states, to, typed, write
from tests.places import ROOT

PERSONAL = ("profile_name", "profile_phone_number", "profile_email", "profile_shipping_address_raw")


def sample(name: str) -> tuple[list[str], set[str]]:
    """The options of a sample export, and every personal cell in it that is long enough to tell."""
    samples = ROOT / "sample_data"
    for each in (name, "affiliates.csv"):
        shutil.copy(samples / each, each)
    options = json.loads((samples / "expected.json").read_bytes())[name]["options"]
    with open(name, newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        columns = [
            column
            for column in reader.fieldnames or ()
            if any(
                word in column.lower() for word in ("name", "phone", "mail", "address", "street")
            )
            and not any(word in column.lower() for word in ("item", "product"))
            and column != "Name"  # Shopify's order key
        ]
        cells = {row[column].strip() for row in reader for column in columns if row[column]}
    assert columns
    return options, {cell for cell in cells if len(cell) >= 5}


def in_folder(folder: Path, texts: set[str]) -> set[str]:
    """Which of the texts stand anywhere in a file of the folder, also as JSON escapes them."""
    content = b"\0".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    return {
        text
        for text in texts
        if text.encode() in content or json.dumps(text)[1:-1].encode() in content
    }


@pytest.mark.parametrize("name", ["orders.csv", "shopify_orders.csv"])
def test_not_a_trace_is_left(
    name: str, sandbox: SandboxProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    """Promise 13. After run, verify and purge: no name, phone, e-mail or address is left."""
    options, personal = sample(name)
    job = Path(f"{Path(name).stem}.backfill")
    assert typed("run", name, *options, *to(sandbox)) == 3
    for one in sandbox.orders()[:3]:
        sandbox.change_order(one["id"], line_items=[])
    assert typed("verify", job, *to(sandbox)) == 3
    normal = {
        json.loads(body)["order"].get(field) or ""
        for field in PERSONAL
        for (body,) in asked("SELECT payload FROM orders WHERE payload IS NOT NULL", job)
    }
    personal |= {text for text in normal if len(text) >= 5}
    assert len(in_folder(job, personal)) > 100, "before, they are all there"
    before = states(job)
    assert typed("purge", job, "--yes", "--progress", "none") == 0
    assert in_folder(job, personal) == set()
    assert states(job) == before

    capsys.readouterr()
    assert typed("status", job, "--json") == 0
    counts = json.loads(capsys.readouterr().out)["orders"]
    assert {state: n for state, n in counts.items() if n and state != "total"} == before
    assert typed("verify", job, *to(sandbox)) == 3
    told = capsys.readouterr().out
    assert "3 different, 0 missing" in told
    assert "the bodies were purged" in told
    assert in_folder(job, personal) == set(), "and no later command brings them back"
    with (job / "results.csv").open(newline="", encoding="utf-8") as file:
        assert sum(before.values()) == len(list(csv.DictReader(file)))


def test_keys_ids_and_totals_stay_and_an_undo_still_works(sandbox: SandboxProcess) -> None:
    """What is left is enough to take the orders back."""
    write("orders.csv", orders(range(10)))
    assert typed("run", "orders.csv", *to(sandbox)) == 0
    what = "SELECT reference_id, account_id, shout_order_id, total_cents, ordered_on FROM orders"
    before = asked(what)
    assert typed("purge", JOB, "--yes", "--progress", "none") == 0
    assert asked(what) == before
    assert asked("SELECT count(payload) FROM orders") == [(0,)]
    assert typed("undo", JOB, *to(sandbox)) == 0
    assert sandbox.orders() == []


def test_what_a_crash_left_behind_is_erased_too(sandbox: SandboxProcess) -> None:
    """Unfinished reports, imports and parts of an export hold personal data as well."""
    write("orders.csv", orders(range(3)))
    assert typed("run", "orders.csv", *to(sandbox)) == 0
    left_behind = [
        ".rejected_rows-2.csv.part",
        ".report.html.part",
        "incoming.sqlite",
        "parts-x1/0.arrow",
        "rejected_rows fixed.csv",
        "rejected_rows-3.csv",
    ]
    for name in left_behind:
        (JOB / name).parent.mkdir(exist_ok=True)
        (JOB / name).write_text("Ada Lovelace")
    assert typed("purge", JOB, "--yes", "--progress", "none") == 0
    assert in_folder(JOB, {"Ada Lovelace"}) == set()


def test_what_cannot_work_any_more_says_so(
    sandbox: SandboxProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    """run, retry, validate and report on a purged job are told when it was purged; exit 2."""
    write("orders.csv", orders(range(3)))
    assert typed("run", "orders.csv", *to(sandbox)) == 0
    assert typed("purge", JOB, "--yes", "--progress", "none") == 0
    assert typed("purge", JOB, "--yes", "--progress", "none") == 0, "once more is no harm"
    for words in (
        ["run", "--job", JOB, *to(sandbox)],
        ["run", "orders.csv", *to(sandbox)],
        ["validate", "orders.csv"],
        ["retry", JOB, *to(sandbox)],
        ["report", JOB],
    ):
        capsys.readouterr()
        assert typed(*words) == 2
        assert "was purged at" in capsys.readouterr().err
    assert typed("notify", JOB, "--message", "{orders} orders", *to(sandbox)) == 0
    assert len(sandbox.messages()) == 3


def test_a_job_that_is_not_finished_is_not_purged(
    sandbox: SandboxProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    """Orders that are still to be sent need their bodies."""
    write("orders.csv", orders(range(3)))
    assert typed("validate", "orders.csv", "--progress", "none") == 0
    assert typed("purge", JOB, "--yes", "--progress", "none") == 2
    assert "3 orders are pending or in doubt" in capsys.readouterr().err
    assert states() == {"pending": 3}


def test_it_asks_first(sandbox: SandboxProcess) -> None:
    """Without --yes and without a terminal nothing is erased, on this machine too."""
    write("orders.csv", orders(range(3)))
    assert typed("run", "orders.csv", *to(sandbox)) == 0
    with open(os.devnull) as nothing, pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdin", nothing)
        assert typed("purge", JOB, "--progress", "none") == 2
    assert asked("SELECT count(payload) FROM orders") == [(3,)]
    assert (JOB / "report.html").exists()
