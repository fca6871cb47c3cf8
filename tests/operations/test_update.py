"""Corrected exports: what is new, the same, replaced or changed; and what is updated in Shout."""

from __future__ import annotations

import csv
import json
from typing import Any

import pytest

from backfill.sandbox.process import SandboxProcess
from tests.operations.jobs import (
    JOB,
    asked,
    assert_as_meant,
    killed,
    orders,
    states,
    to,
    typed,
    write,
)


def adopted() -> dict[str, int]:
    """What the last import changed in the job."""
    ((text,),) = asked("SELECT value FROM meta WHERE key = 'adopted'")
    found: dict[str, int] = json.loads(text)
    return found


def listed() -> list[dict[str, Any]]:
    """The list of what changed and what is gone."""
    path = JOB / "changed.csv"
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def half_sent(sandbox: SandboxProcess, count: int, half: int) -> None:
    """A job of which the first ``half`` orders are in Shout."""
    write("orders.csv", orders(range(count)))
    assert typed("run", "orders.csv", "--limit", str(half), *to(sandbox)) == 0
    counts = {"created": half, "pending": count - half}
    assert states() == {state: n for state, n in counts.items() if n}


def test_a_corrected_mapping_over_a_half_sent_job(
    sandbox: SandboxProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    """Counts are as they should be, and --update-changed brings verify to no differences."""
    half_sent(sandbox, 100, 60)
    corrected = [
        *orders(range(3, 40)),  # 0 to 2 are gone, the rest of these as they were
        *orders(range(40, 60), item_quantity="3"),  # sent, and now otherwise
        *orders(range(60, 90)),  # not sent, as they were
        *orders(range(90, 100), profile_name="Jo"),  # not sent, and now otherwise
        *orders(range(100, 105)),  # new
    ]
    write("orders.csv", corrected)
    assert typed("run", "orders.csv", *to(sandbox)) == 0
    assert adopted() == {
        "new": 5,
        "unchanged": 67,
        "replaced": 10,
        "changed_after_sent": 20,
        "gone": 3,
        "removed": 0,
    }
    assert states() == {"created": 105}, "what is gone is never deleted"
    assert [one["change"] for one in listed()] == ["changed"] * 20 + ["gone"] * 3
    assert {one["fields"] for one in listed()} == {"line_items, total_cents", ""}
    capsys.readouterr()
    assert typed("status", JOB) == 0
    told = capsys.readouterr().out
    assert "20 changed in the export after they were sent" in told
    assert "3 are no longer in the export (#0, #1, #2)" in told
    assert typed("verify", JOB, *to(sandbox)) == 0, "Shout has what was sent"

    assert typed("run", "--job", JOB, "--update-changed", *to(sandbox)) == 0
    assert "Updated 20 of 20 orders" in capsys.readouterr().out
    assert typed("verify", JOB, *to(sandbox)) == 0
    assert sandbox.orders(reference_id="#45")[0]["order"]["line_items"][0]["quantity"] == 3
    assert_as_meant(sandbox)
    assert [one["change"] for one in listed()] == ["gone"] * 3
    assert typed("run", "orders.csv", "--update-changed", *to(sandbox)) == 0
    assert sandbox.stats()["requests"]["arrived"]["update"] == 20, "and only once"


def test_an_update_that_is_killed_goes_on(sandbox: SandboxProcess) -> None:
    """SIGKILL in the middle of an update: the same command finishes it."""
    half_sent(sandbox, 80, 80)
    write("orders.csv", orders(range(80), profile_name="Janet S."))
    update = ["run", "orders.csv", "--update-changed", *to(sandbox)]

    def half_way() -> bool:
        return bool(sandbox.stats()["requests"]["arrived"].get("update", 0) >= 30)

    assert killed([*update, "--rate", "120"], half_way)
    assert typed(*update) == 0
    assert typed("verify", JOB, *to(sandbox)) == 0
    assert {one["order"]["profile_name"] for one in sandbox.orders()} == {"Janet S."}
    assert_as_meant(sandbox)


def test_trouble_on_the_wire(sandbox: SandboxProcess) -> None:
    """A PUT whose answer is lost is sent again, and in the end all reads as the export does."""
    half_sent(sandbox, 80, 80)
    bad = [
        {"kind": kind, "p": 0.08, "on": ["update"]}
        for kind in ("drop_before_commit", "drop_after_commit", "error_after_commit", "cut_json")
    ]
    sandbox.set_faults({"seed": 2, "rate_limit": 400, "fault": bad})
    write("orders.csv", orders(range(80), paid_at=""))
    assert typed("run", "orders.csv", "--update-changed", *to(sandbox)) == 0
    sandbox.set_faults({})
    assert typed("verify", JOB, *to(sandbox)) == 0
    assert {one["order"].get("paid_at") for one in sandbox.orders()} == {None}, "cleared, not kept"
    assert_as_meant(sandbox)


def test_what_cannot_be_updated_is_left(
    sandbox: SandboxProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    """Orders that were there before, moved to another account, or no longer valid: exit 3."""
    write("before.csv", orders([0]))
    assert typed("run", "before.csv", *to(sandbox)) == 0
    half_sent_rows = orders(range(6))
    write("orders.csv", half_sent_rows)
    assert typed("run", "orders.csv", *to(sandbox)) == 0
    write(
        "orders.csv",
        [
            *orders([0], profile_name="Existing"),
            *orders([1], accounts=["A7"]),
            *orders([2], item_each_price="no money"),
            *orders([3], profile_name="Ours"),
            *orders([4, 5]),
        ],
    )
    words = ["run", "orders.csv", "--max-rejected", "50", *to(sandbox)]
    assert typed(*words, "--update-changed") == 3
    assert "Updated 1 of 1 orders" in capsys.readouterr().out
    assert {one["reference_id"]: one["fields"] for one in listed()} == {
        "#0": "profile_name",
        "#1": "account",
        "#2": "now rejected",
    }
    names = {one["order"]["reference_id"]: one["order"]["profile_name"] for one in sandbox.orders()}
    assert (names["#0"], names["#3"]) == ("Janet Smith 0", "Ours")


def test_an_order_that_is_another_by_now_is_left(sandbox: SandboxProcess) -> None:
    """Deleted and made anew by another hand, or gone: not updated, named, exit 3."""
    half_sent(sandbox, 4, 4)
    for key in ("#1", "#2"):
        (theirs,) = sandbox.orders(reference_id=key)
        sandbox.delete_order(theirs["id"])
    write("anew.csv", orders([1]))
    assert typed("run", "anew.csv", *to(sandbox)) == 0
    write("orders.csv", orders(range(4), profile_name="Janet S."))
    assert typed("run", "orders.csv", "--update-changed", *to(sandbox)) == 3
    assert {one["reference_id"] for one in listed()} == {"#1", "#2"}


def test_an_update_that_shout_does_not_take_over_stops(sandbox: SandboxProcess) -> None:
    """The first PUT goes alone; what it made of the order is looked up, and must be as meant."""
    half_sent(sandbox, 5, 5)
    write("orders.csv", orders(range(5), item_quantity="3"))
    fault = {"kind": "error_before_commit", "status": 200, "on": ["update"]}
    sandbox.set_faults({"fault": [fault]})
    assert typed("run", "orders.csv", "--update-changed", *to(sandbox)) == 4
    assert sandbox.stats()["requests"]["arrived"]["update"] == 1
    sandbox.set_faults({})
    assert typed("run", "orders.csv", "--update-changed", *to(sandbox)) == 0
    assert typed("verify", JOB, *to(sandbox)) == 0


def test_an_export_that_is_as_before_again_lists_nothing(sandbox: SandboxProcess) -> None:
    """What changed and changed back is no change, and what came back is not gone."""
    half_sent(sandbox, 6, 6)
    write("orders.csv", orders(range(1, 6), profile_name="Janet S."))
    assert typed("run", "orders.csv", *to(sandbox)) == 0
    assert len(listed()) == 6
    write("orders.csv", orders(range(6)))
    assert typed("run", "orders.csv", *to(sandbox)) == 0
    assert listed() == []
