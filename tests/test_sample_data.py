"""The samples are what their generator makes, and say of themselves what is true."""

from __future__ import annotations

import csv
import json
import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path

import pandas as pd
import phonenumbers
import pytest

from tests.places import SAMPLES

EXPECTED = json.loads((SAMPLES / "expected.json").read_text(encoding="utf-8"))


def generate(*options: str | Path) -> None:
    """Run the generator as a person does."""
    script = SAMPLES / "generate.py"
    subprocess.run([sys.executable, script, *options], check=True, timeout=60)


def validate(name: str, job: Path, *options: str) -> None:
    """The product's dry run on a sample; some of its orders are rejected, so it exits with 3."""
    places = [SAMPLES / text if text.endswith(".csv") else text for text in options]
    arguments = (SAMPLES / name, "--job", job, "--progress", "none", *places)
    done = subprocess.run(
        [sys.executable, "-m", "backfill", "validate", *arguments],
        cwd=SAMPLES.parent,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 3, done.stderr


def rows_of(path: Path) -> list[dict[str, str]]:
    """A CSV's rows, read by Python's own reader."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file, restkey="surplus"))


def big(path: Path, *options: str) -> list[dict[str, str]]:
    """The rows of a small file of the kind that the benchmarks make big."""
    generate("--lines", "3000", "--out", path, *options)
    return rows_of(path)


def lines_of(path: Path) -> list[str]:
    """A file's lines below the header, as they stand."""
    return path.read_text(encoding="utf-8").splitlines()[1:]


def is_valid(phone: str) -> bool:
    """Whether libphonenumber takes the text for a number that can exist, in the US or abroad."""
    return phonenumbers.is_valid_number(phonenumbers.parse(phone, "US"))


@pytest.fixture(scope="module")
def remade(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The samples, made again."""
    folder = tmp_path_factory.mktemp("samples")
    generate("--samples", "--out", folder)
    return folder


@pytest.mark.parametrize(
    "name", ["orders.csv", "shopify_orders.csv", "affiliates.csv", "expected.json"]
)
def test_committed_samples_are_what_the_generator_makes(remade: Path, name: str) -> None:
    """Whoever edits a sample by hand, or the generator without running it, is told."""
    assert (remade / name).read_bytes() == (SAMPLES / name).read_bytes()


def test_committed_workbook_has_the_cells_that_the_generator_makes(remade: Path) -> None:
    """Versions of the writer may differ in bytes, never in cells."""
    made, committed = (
        pd.read_excel(folder / "orders.xlsx", sheet_name=None, engine="calamine", dtype=str)
        for folder in (remade, SAMPLES)
    )
    assert list(made) == list(committed) == ["Orders 2022", "Orders 2023", "Returns"]
    for sheet, cells in made.items():
        pd.testing.assert_frame_equal(cells, committed[sheet])


def test_expected_counts_hold_by_another_computation() -> None:
    """Orders, rows and money of the plain part of orders.csv, counted from the file itself."""
    expected = EXPECTED["orders.csv"]
    rows = [row for row in rows_of(SAMPLES / "orders.csv") if any(row.values())]
    assert len(rows) == expected["rows"]
    assert len({row["reference_id"] for row in rows}) == sum(
        state["orders"] for state in expected["states"].values()
    )
    rejected = {f["reference_id"] for f in expected["faults"] if f["state"] == "rejected"}
    assert len(rejected) == expected["states"]["rejected"]["orders"]
    totals = {
        row["reference_id"]: round(
            float(row["total"].strip().replace("$", "").replace(",", "")) * 100
        )
        for row in rows
        if row["reference_id"] not in rejected
    }
    assert sum(totals.values()) == sum(
        expected["states"][state]["total_cents"] for state in ("pending", "skipped")
    )


def test_every_phone_of_the_samples_is_real_unless_planted() -> None:
    """The block 555-01xx is set aside for fiction and still counts as valid."""
    for name, column in (("orders.csv", "profile_phone_number"), ("shopify_orders.csv", "Phone")):
        faults = EXPECTED[name]["faults"]
        planted = {f["reference_id"] for f in faults if f["rule"] == "bad_phone"}
        key = "Name" if name.startswith("shopify") else "reference_id"
        phones = {r[column] for r in rows_of(SAMPLES / name) if r[key] not in planted} - {""}
        assert len(phones) > 50
        assert not [phone for phone in phones if not is_valid(phone)]


@pytest.mark.parametrize("name", EXPECTED)
def test_dry_run_finds_what_was_planted_and_nothing_else(tmp_path: Path, name: str) -> None:
    """Orders, line items, cents and findings, each as counted while the sample was made."""
    expected = EXPECTED[name]
    validate(name, tmp_path / "job", *expected["options"])
    with closing(sqlite3.connect(tmp_path / "job" / "checkpoint.sqlite")) as db:
        for state, counts in expected["states"].items():
            of_state = f"FROM orders WHERE state = '{state}'"
            orders, lines, cents = db.execute(
                f"SELECT count(*), sum(line_items), sum(total_cents) {of_state}"
            ).fetchone()
            assert (state, orders) == (state, counts["orders"])
            if state != "rejected" and orders:
                assert (lines, cents) == (counts["line_items"], counts["total_cents"])
        rules = Counter(
            dict(
                db.execute(
                    "SELECT p.rule, sum(p.orders) FROM problems p LEFT JOIN orders o"
                    " ON o.id = p.order_id WHERE coalesce(o.state, '') != 'rejected' GROUP BY 1"
                )
            )
        )
        reasons = "SELECT rule, count(*) FROM orders WHERE state = 'rejected' GROUP BY 1"
        rules.update(dict(db.execute(reasons)))
        assert rules == expected["rules"]
        for fault in expected["faults"]:
            found = db.execute(
                "SELECT state, rule FROM orders WHERE coalesce(reference_id, '') = ?",
                (fault["reference_id"],),
            ).fetchall()
            rejected = fault["state"] == "rejected"
            assert found == [(fault["state"], fault["rule"] if rejected else None)], fault


def test_only_requested_history_skips_who_did_not_ask(tmp_path: Path) -> None:
    """Orders of affiliates who connected and asked for no history are set aside as well."""
    expected = EXPECTED["orders.csv"]
    validate("orders.csv", tmp_path / "job", *expected["options"], "--only-requested-history")
    report = json.loads((tmp_path / "job" / "report.json").read_text(encoding="utf-8"))
    more = expected["asked_for_no_history"]
    assert report["orders"]["skipped"] == expected["states"]["skipped"]["orders"] + more
    assert report["orders"]["pending"] == expected["states"]["pending"]["orders"] - more


def test_big_generic_file_repeats_what_belongs_to_the_order(tmp_path: Path) -> None:
    """Twelve columns, the lines asked for, and each order says the same on all its rows."""
    rows = big(tmp_path / "big.csv")
    assert len(rows) == 3000
    assert len(rows[0]) == 12
    orders = pd.DataFrame(rows).groupby("reference_id")
    assert 1250 < len(orders) < 1520
    shared = [column for column in rows[0] if not column.startswith("item_")]
    assert (orders[shared[1:]].nunique() == 1).all(axis=None)
    assert all(is_valid(row["profile_phone_number"]) for row in rows[:300])


def test_big_shopify_file_has_an_orders_fields_on_its_first_row_only(tmp_path: Path) -> None:
    """As Shopify does: 79 columns, and blank totals on further rows."""
    rows = big(tmp_path / "big.csv", "--format", "shopify")
    assert len(rows[0]) == 79
    seen: set[str] = set()
    for row in rows:
        assert bool(row["Total"]) == (row["Name"] not in seen)
        assert row["Created at"]
        seen.add(row["Name"])


def test_same_seed_makes_the_same_bytes_and_another_does_not(tmp_path: Path) -> None:
    """A figure measured on a generated file can be measured again."""
    first, again, other = tmp_path / "1.csv", tmp_path / "2.csv", tmp_path / "3.csv"
    big(first)
    big(again)
    big(other, "--seed", "2")
    assert first.read_bytes() == again.read_bytes() != other.read_bytes()


def test_scattered_file_has_the_same_rows_in_another_order(tmp_path: Path) -> None:
    """Only the order of rows changes, so that both files hold the same orders."""
    big(tmp_path / "plain.csv")
    big(tmp_path / "scattered.csv", "--scattered")
    plain, scattered = lines_of(tmp_path / "plain.csv"), lines_of(tmp_path / "scattered.csv")
    assert plain != scattered
    assert sorted(plain) == sorted(scattered)


def test_bad_percent_spoils_about_that_many_orders(tmp_path: Path) -> None:
    """The faults are of several kinds, and none without being asked for."""
    rows = pd.DataFrame(big(tmp_path / "bad.csv", "--bad", "20")).drop_duplicates("reference_id")
    spoilt = (
        (rows["connect_id"] == "")
        | (rows["total"] == "n/a?")
        | (rows["profile_phone_number"] == "12345")
        | (rows["created_at"] == "2021-02-30")
    )
    assert 0.15 < spoilt.mean() < 0.25
