"""What the reports tell, against the checkpoint counted another way."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from backfill import open_job, report
from backfill.checkpoint import Checkpoint, State
from backfill.errors import BooksDoNotBalance
from backfill.job_folder.files import CHECKPOINT
from backfill.report.figures import PROBLEMS_SHOWN, collect
from backfill.report.terminal import summary
from tests.report.report_jobs import Job, a_shop, deliver

SCHEMA = json.loads((Path(report.__file__).parent / "report_schema.json").read_text())


def report_json(folder: Path, *, show: bool = False) -> dict[str, Any]:
    with Checkpoint(folder / CHECKPOINT) as checkpoint:
        report.write(folder, checkpoint, show_personal_data=show)
    found: dict[str, Any] = json.loads((folder / "report.json").read_text())
    jsonschema.validate(found, SCHEMA, cls=jsonschema.Draft202012Validator)
    return found


def counted(folder: Path, sql: str) -> list[tuple[Any, ...]]:
    with sqlite3.connect(folder / CHECKPOINT) as db:
        rows = db.execute(sql).fetchall()
    db.close()
    return rows


def test_json_says_what_is_in_the_checkpoint(tmp_path: Path) -> None:
    """Every sum of report.json is the one that SQL finds in the orders."""
    found = report_json(a_shop(tmp_path))
    states = dict(counted(tmp_path, "SELECT state, count(*) FROM orders GROUP BY state"))
    assert found["orders"] == {"total": 400} | {s.value: states.get(s, 0) for s in State}
    assert found["line_items"] == counted(tmp_path, "SELECT sum(line_items) FROM orders")[0][0]
    total = "SELECT sum(total_cents) FROM orders WHERE state <> 'rejected'"
    assert found["total_cents"] == counted(tmp_path, total)[0][0]
    months = "SELECT substr(ordered_on, 1, 7), count(*) FROM orders GROUP BY 1 ORDER BY 1"
    assert [(m["month"], m["orders"]) for m in found["months"]] == counted(tmp_path, months)
    accounts = dict(counted(tmp_path, "SELECT account_id, count(*) FROM orders GROUP BY 1"))
    assert {a["account_id"]: a["orders"] for a in found["accounts"]} == accounts
    for part in ("accounts", "months"):
        assert sum(one["total_cents"] for one in found[part]) == found["total_cents"]
        assert sum(one["rejected"] for one in found[part]) == found["orders"]["rejected"]
    assert found["rows"] == found["sources"][0]["rows"]
    assert found["seconds"] == {"prepare": 1.25, "deliver": None}


def test_an_issue_counts_orders_and_rows_apart(tmp_path: Path) -> None:
    """A line can stand for a further row of the same order, or for many orders at once."""
    job = Job(tmp_path)
    rows = job.add_rows({"reference_id": "1"}, {"reference_id": "1"})
    order = job.add_order("1", rows)
    job.add_problem("total_differs", order, 2, "total", "5")
    job.add_problem("total_differs", order, 3, "total", "6", orders=0)
    job.add_problem("total_differs", None, 9, "total", orders=40, rows=70)
    (issue,) = report_json(job.finish())["issues"]
    assert (issue["orders"], issue["rows"], issue["severity"]) == (41, 72, "warning")
    assert issue["title"] == "The total differs from the lines"
    assert issue["remedy"] == "right if that is shipping"
    assert [(one["row"], one["value"]) for one in issue["examples"]] == [(2, "5"), (3, "6")]


def test_after_a_run_the_export_stands_against_shout(tmp_path: Path) -> None:
    """The sign-off tells, by account and month, what the export holds and what Shout has."""
    deliver(a_shop(tmp_path), refuse=3)
    found = report_json(tmp_path)
    assert found["orders"]["failed"] == 3
    assert sum(line["orders"] for line in found["sign_off"]) == 400
    assert sum(line["shout_orders"] for line in found["sign_off"]) == found["orders"]["created"]
    created = "SELECT sum(total_cents) FROM orders WHERE state = 'created'"
    in_shout = sum(line["shout_total_cents"] for line in found["sign_off"])
    assert in_shout == counted(tmp_path, created)[0][0]
    assert found["api"]["retries"] == 5
    assert found["seconds"]["deliver"] == 12.5


def verdict(folder: Path, **changed: Any) -> None:
    """What ``backfill verify`` leaves behind, as the checkpoint counts it."""
    lines = counted(
        folder,
        "SELECT account_id, substr(ordered_on, 1, 7), count(*), sum(total_cents) FROM orders"
        " WHERE state = 'created' GROUP BY 1, 2",
    )
    names = ("account_id", "month", "found_orders", "found_cents")
    told: dict[str, Any] = {
        "checked_at": "2026-01-03T04:05:06Z",
        "created": sum(line[2] for line in lines),
        "sample": None,
        "equal": sum(line[2] for line in lines),
        "different": 0,
        "missing": 0,
        "unanswered": 0,
        "fields": {},
        "flag_not_shown": 0,
        "bodies_purged": False,
        "sign_off": [dict(zip(names, line, strict=True)) for line in lines],
    }
    with Checkpoint(folder / CHECKPOINT) as checkpoint:
        checkpoint.set_meta({"verify": json.dumps(told | changed)})


def test_what_was_read_back_stands_beside_what_was_answered(tmp_path: Path) -> None:
    """After a check of all orders the sign-off has what Shout really holds, line by line."""
    deliver(a_shop(tmp_path), refuse=0)
    verdict(tmp_path)
    found = report_json(tmp_path)
    lines = [line for line in found["sign_off"] if line["shout_orders"]]
    assert [line["found_orders"] for line in lines] == [line["shout_orders"] for line in lines]
    total = sum(line["found_total_cents"] for line in lines)
    assert total == found["total_cents"]
    assert (found["verify"]["equal"], found["verify"]["missing"]) == (386, 0)
    page = (tmp_path / "report.html").read_text()
    assert '<div class="verify good">' in page
    assert "<b>386</b> as sent, <b>0</b> different, <b>0</b> missing." in page


def test_a_difference_from_what_was_sent_is_loud(tmp_path: Path) -> None:
    """An order that is missing, or a field that differs, turns the verdict."""
    deliver(a_shop(tmp_path), refuse=0)
    verdict(tmp_path, equal=383, different=2, missing=1, fields={"total_cents": 2}, sign_off=[])
    report_json(tmp_path)
    page = (tmp_path / "report.html").read_text()
    assert '<div class="verify bad">' in page
    assert "<code>total_cents</code> in 2." in page
    assert "verify.csv" in page


def test_orders_without_month_account_or_total_are_counted_too(tmp_path: Path) -> None:
    """Nothing drops out of the sums because a key of it is missing."""
    job = Job(tmp_path)
    rows = job.add_rows({"item_name": "x"})
    job.add_order(None, rows, state=State.REJECTED, account=None, day=None, cents=None)
    job.add_order("2", rows, account="A\x1fB", cents=7)
    found = report_json(job.finish())
    assert found["months"][-1] | {"month": None, "orders": 1} == found["months"][-1]
    assert {account["account_id"] for account in found["accounts"]} == {None, "A B"}
    assert found["total_cents"] == 7
    assert found["first_day"] == "2021-04-09"


def test_the_books_show_every_row_and_cent(tmp_path: Path) -> None:
    """Each state's money has one heading; rows and money add up, in each report alike."""
    job = Job(tmp_path)
    for number, state in enumerate(State):
        rows = job.add_rows({})
        job.add_order(str(number), rows, state=state, cents=10**number, rule="r", reason="why")
    found = report_json(job.finish())["books"]
    assert found["rows"] == {"read": 8, "in_orders": 8, "ignored": 0, "in_no_order": 0}
    money = found["money_cents"]
    assert money.pop("export") == sum(money.values()) == 11_111_111
    worth = {state: 10**number for number, state in enumerate(State)}
    assert money["sent"] == worth[State.CREATED] + worth[State.SENDING]
    assert money["ready"] == worth[State.PENDING]
    with Checkpoint(tmp_path / CHECKPOINT) as checkpoint:
        text = summary(collect(checkpoint), tmp_path)
    assert "money     USD 111,111.11 in the export: " in text
    assert "rows      8 read: 8 in orders" in text
    assert '<td class="n">111,111.11</td>' in (tmp_path / "report.html").read_text()


def test_books_that_do_not_balance_are_not_reported(tmp_path: Path) -> None:
    """An amount that was changed behind the job's back is no figure to sign."""
    a_shop(tmp_path, 20)
    with sqlite3.connect(tmp_path / CHECKPOINT) as db:
        total = db.execute("SELECT sum(total_cents) FROM orders").fetchone()[0]
        db.execute("INSERT INTO meta VALUES ('export_cents', ?)", (str(total + 1),))
    db.close()
    with pytest.raises(BooksDoNotBalance):
        report_json(tmp_path)


def test_decisions_are_shown_with_their_evidence(tmp_path: Path) -> None:
    """Whoever signs sees what was chosen, why, and the option that decides otherwise."""
    export = tmp_path / "orders.csv"
    export.write_text(
        "reference_id,created_at,profile_name,item_name,item_price,total\n"
        "1,21/04/2021,Jo,Mug,5.00,5.00\n"
    )
    open_job(tmp_path / "job").prepare(export, connect_id="A1")
    found = report_json(tmp_path / "job")["decisions"]
    (chosen,) = [one for one in found if one["what"] == "date order"]
    assert (chosen["source"], chosen["column"]) == (str(export), "created_at")
    assert (chosen["value"], chosen["settled_by"]) == ("dmy", "proof")
    assert (chosen["evidence"]["supporting"], chosen["evidence"]["contradicting"]) == (1, 0)
    page = (tmp_path / "job" / "report.html").read_text()
    assert "How this export was read" in page
    assert "<code>--date-order mdy|dmy|ymd</code>" in page


@pytest.mark.parametrize("zero", ["1899-12-30", "1900-01-01", "1970-01-01"])
def test_a_zero_date_is_no_first_day(tmp_path: Path, zero: str) -> None:
    """What a spreadsheet or Unix makes of a blank date has its month, and begins no span."""
    job = Job(tmp_path)
    job.add_order("1", job.add_rows({}), day=zero)
    job.add_order("2", job.add_rows({}), day="2021-04-09")
    found = report_json(job.finish())
    assert (found["first_day"], found["last_day"]) == ("2021-04-09", "2021-04-09")
    assert [month["month"] for month in found["months"]] == [zero[:7], "2021-04"]


def test_the_sign_off_names_affiliates(tmp_path: Path) -> None:
    """A connect id alone tells nobody whose orders they are."""
    export, affiliates = tmp_path / "orders.csv", tmp_path / "affiliates.csv"
    export.write_text(
        "reference_id,created_at,profile_name,affiliate,item_name,item_price,total\n"
        "1,2021-04-09,Jo,Fern & Co,Mug,5.00,5.00\n"
    )
    affiliates.write_text("affiliate,connect_id\nFern & Co,fern-1\n")
    open_job(tmp_path / "job").prepare(export, affiliates=affiliates)
    deliver(tmp_path / "job", refuse=0)
    report_json(tmp_path / "job")
    page = (tmp_path / "job" / "report.html").read_text()
    assert '>fern-1<span class="soft">Fern &amp; Co</span></th><td class="n">1</td>' in page


def test_an_empty_job_has_a_report(tmp_path: Path) -> None:
    """No order at all is a story too."""
    found = report_json(Job(tmp_path).finish())
    assert found["orders"]["total"] == 0
    assert found["accounts"] == found["months"] == found["issues"] == []
    assert "No orders were found" in (tmp_path / "report.html").read_text()


def test_problems_are_sampled_evenly_over_the_rules(tmp_path: Path) -> None:
    """A rare rule is shown whole beside a common one, from its first problem to its last."""
    job = Job(tmp_path)
    order = job.add_order("1", job.add_rows({"reference_id": "1"}))
    for row in range(5000):
        job.add_problem("total_differs", order, row, "total", orders=0)
        if row % 1000 == 0:
            job.add_problem("bad_phone", order, row, "Phone", orders=0)
    with Checkpoint(job.finish() / CHECKPOINT) as checkpoint:
        figures = collect(checkpoint)
    shown = Counter(problem.rule for problem in figures.problems)
    assert shown == {"bad_phone": 5, "total_differs": PROBLEMS_SHOWN - 5}
    rows = [p.row or 0 for p in figures.problems if p.rule == "total_differs"]
    assert rows[0] == 0
    assert rows[-1] > 4990
    assert figures.problem_lines == 5005


@pytest.mark.parametrize(
    ("cents", "low"), [(0, 0), (99, 0), (100, 100), (4999, 2000), (10**12, 5 * 10**8)]
)
def test_the_distribution_has_a_bar_for_every_total(tmp_path: Path, cents: int, low: int) -> None:
    """Bars begin where they say: a total of 1.00 is not below 1."""
    job = Job(tmp_path)
    job.add_order("1", job.add_rows({"reference_id": "1"}), cents=cents)
    with Checkpoint(job.finish() / CHECKPOINT) as checkpoint:
        (bar,) = collect(checkpoint).distribution
    assert (bar.low, bar.orders) == (low, 1)
