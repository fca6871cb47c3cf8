"""Each fault does what its name says: what the client sees, and what is in the store."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest

from backfill.sandbox.faults import KINDS, Faults, load
from backfill.sandbox.process import SandboxProcess
from backfill.sandbox.settings import SandboxError
from tests.sandbox.sandbox_client import NO_ANSWER, Client, by_reference, order

IMPATIENT = 0.5  # seconds that a client waits for an answer that never comes


def eventually(true: Callable[[], bool]) -> bool:
    """Whether it becomes true within a time that no healthy machine needs."""
    deadline = time.monotonic() + 20
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


@pytest.mark.parametrize(
    ("kind", "status", "committed"),
    [
        ("error_before_commit", 500, 0),
        ("error_after_commit", 500, 1),
        ("redirect", 302, 0),
        ("drop_before_commit", None, 0),
        ("drop_after_commit", None, 1),
        ("drop_in_answer", None, 1),
        ("hang_before_commit", None, 0),
        ("hang_after_commit", None, 1),
        ("html", 200, 1),
        ("cut_json", 201, 1),
        ("empty", 201, 1),
        ("wrong_content_type", 201, 1),
        ("flag_false", 201, 1),
        ("flag_missing", 201, 1),
        ("amounts_missing", 201, 1),
        ("amount_changed", 201, 1),
    ],
)
def test_what_the_client_sees_and_what_is_there(
    client: Client, sandbox: SandboxProcess, kind: str, status: int | None, committed: int
) -> None:
    """A status, or no answer at all; and the order is committed or not, as the kind says."""
    sandbox.set_faults({"fault": [{"kind": kind, "on": "create", "times": 1}]})
    if status is None:
        with pytest.raises(NO_ANSWER):
            client.create(order(), timeout=IMPATIENT if kind.startswith("hang") else 20)
    else:
        assert client.create(order()).status == status
    assert sandbox.stats()["orders"] == committed
    assert client.get("1001").status == (200 if committed else 404)
    assert client.create(order()).status == (409 if committed else 201), "it happened once only"
    assert sandbox.stats()["faults"] == {kind: {"count": 1, "first_at": 1}}
    assert eventually(lambda: sandbox.stats()["in_flight"] == 0), "who leaves is noticed"


@pytest.mark.parametrize("kind", ["drop_before_commit", "drop_after_commit"])
@pytest.mark.parametrize("reset", [False, True])
def test_a_drop_can_be_a_reset(
    client: Client, sandbox: SandboxProcess, kind: str, reset: bool
) -> None:
    """``reset = true`` closes with a TCP reset instead of an orderly end."""
    sandbox.set_faults({"fault": [{"kind": kind, "reset": reset}]})
    with pytest.raises(ConnectionResetError) as caught:
        client.create(order())
    # http.client's own error for an orderly end is a kind of ConnectionResetError.
    assert isinstance(caught.value, http.client.RemoteDisconnected) is not reset


def test_latency_comes_before_the_commit_and_adds_to_other_faults(
    client: Client, sandbox: SandboxProcess
) -> None:
    """A client that does not wait leaves nothing behind; one that waits gets the other fault."""
    sandbox.set_faults({"fault": [{"kind": "latency", "ms": 3_600_000}]})
    with pytest.raises(NO_ANSWER):
        client.create(order(), timeout=IMPATIENT)
    assert sandbox.stats()["orders"] == 0

    sandbox.set_faults(
        {"fault": [{"kind": "latency", "ms": [1, 2]}, {"kind": "error_after_commit"}]}
    )
    assert client.create(order()).status == 500
    assert sandbox.stats()["faults"].keys() == {"latency", "error_after_commit"}


def test_a_late_commit_comes_after_the_client_has_gone(
    client: Client, sandbox: SandboxProcess
) -> None:
    """The order is not there when the client gives up, and is there afterwards."""
    sandbox.set_faults({"fault": [{"kind": "late_commit", "seconds": 2.5, "times": 1}]})
    with pytest.raises(NO_ANSWER):
        client.create(order(), timeout=0.1)
    assert client.get("1001").status == 404
    assert eventually(lambda: sandbox.stats()["orders"] == 1)
    assert eventually(lambda: sandbox.stats()["requests"]["by_operation"]["create"] == {"late": 1})


def test_the_lies_of_the_echo(client: Client, sandbox: SandboxProcess) -> None:
    """Each lie is told once, by the answer to the create only; what is stored is right."""
    lies = ("flag_false", "flag_missing", "amounts_missing", "amount_changed")
    sandbox.set_faults({"fault": [{"kind": k, "at": [n]} for n, k in enumerate(lies, start=1)]})
    said = [client.create(order(str(number))).json for number in range(len(lies))]
    assert said[0]["dont_trigger_auto_actions"] is False
    assert "dont_trigger_auto_actions" not in said[1]
    assert "total_cents" not in said[2]
    assert said[2]["line_items"][0] == {"name": "Tank Top", "quantity": 2.0}
    assert said[3]["total_cents"] == 16801
    for number in range(len(lies)):
        truth = client.get(str(number)).json
        assert (truth["total_cents"], truth["dont_trigger_auto_actions"]) == (16800, True)


def test_unreadable_answers(client: Client, sandbox: SandboxProcess) -> None:
    """HTML, half of the JSON, nothing, and the right JSON under the wrong type."""
    kinds = ("html", "cut_json", "empty", "wrong_content_type")
    sandbox.set_faults({"fault": [{"kind": k, "at": [n]} for n, k in enumerate(kinds, start=1)]})
    html, cut, empty, plain = (client.create(order(kind)) for kind in kinds)
    for reply in (html, cut, empty):
        with pytest.raises(ValueError, match=r"Expecting|Unterminated|delimiter"):
            _ = reply.json
    assert html.headers["Content-Type"].startswith("text/html")
    assert (cut.content[:1], empty.content) == (b"{", b"")
    assert plain.headers["Content-Type"].startswith("text/plain")
    assert plain.json["reference_id"] == "wrong_content_type"


def test_an_error_with_any_status_and_retry_after(client: Client, sandbox: SandboxProcess) -> None:
    """429 and 503 are errors with a status of their own."""
    sandbox.set_faults(
        {
            "fault": [
                {"kind": "error_before_commit", "status": 429, "retry_after": 3, "at": [1]},
                {"kind": "error_before_commit", "status": 503, "at": [2]},
            ]
        }
    )
    busy, unavailable = client.create(order()), client.create(order())
    assert (busy.status, busy.headers["Retry-After"]) == (429, "3")
    assert (unavailable.status, "Retry-After" in unavailable.headers) == (503, False)


@pytest.mark.parametrize(
    "table", [{"honour_duplicate_header": False}, {"fault": [{"kind": "duplicate_ignored"}]}]
)
def test_a_server_that_ignores_the_duplicate_header(
    client: Client, sandbox: SandboxProcess, table: dict[str, Any]
) -> None:
    """It creates the second order, always or by chance; the statistics show it."""
    sandbox.set_faults(table)
    assert [client.create(order()).status for _ in range(2)] == [201, 201]
    assert sandbox.stats()["duplicates"] == 1


@pytest.mark.parametrize("how", ["seconds", "date", "none"])
def test_over_the_rate_limit_there_is_429(
    client: Client, sandbox: SandboxProcess, how: str
) -> None:
    """So many at once as the burst allows, then 429 with Retry-After in the form asked for."""
    sandbox.set_faults({"rate_limit": 0.01, "burst": 3, "retry_after": how})
    replies = [client.create(order(str(number))) for number in range(5)]
    assert [reply.status for reply in replies] == [201, 201, 201, 429, 429]
    assert sandbox.stats()["orders"] == 3
    given = replies[-1].headers.get("Retry-After")
    match how:
        case "seconds":
            assert given is not None
            assert 1 <= int(given) <= 100
        case "date":
            assert given is not None
            now = parsedate_to_datetime(replies[-1].headers["Date"])
            assert 0 < (parsedate_to_datetime(given) - now).total_seconds() <= 102
        case _:
            assert given is None


def test_faults_change_while_it_runs(client: Client, sandbox: SandboxProcess) -> None:
    """Down and up again, a rate limit in mid-run; the faults that were there count on."""
    sandbox.set_faults({"fault": [{"kind": "error_before_commit", "at": [2]}]})
    assert client.create(order("1")).status == 201
    sandbox.change_faults(down="503")
    assert client.create(order("2")).status == 503
    sandbox.change_faults(down="drop")
    with pytest.raises(NO_ANSWER):
        client.create(order("2"))
    sandbox.change_faults(down=False)
    assert client.create(order("2")).status == 500, "the second that the fault saw"
    sandbox.change_faults(rate_limit=0.01, burst=1)
    assert [client.create(order("2")).status for _ in range(2)] == [201, 429]
    assert sandbox.stats()["faults"]["down"]["count"] == 2


@pytest.mark.parametrize(
    ("when", "hit"),
    [
        ({}, [1, 2, 3, 4, 5, 6, 7, 8]),
        ({"nth": 3}, [3, 6]),
        ({"at": [1, 4]}, [1, 4]),
        ({"from": 6}, [6, 7, 8]),
        ({"from": 3, "times": 2}, [3, 4]),
        ({"p": 0.0}, []),
        ({"p": 1.0, "times": 1}, [1]),
    ],
)
def test_when_a_fault_is_due(
    client: Client, sandbox: SandboxProcess, when: dict[str, Any], hit: list[int]
) -> None:
    """Counted from 1 among the requests that concern the fault."""
    fault = {"kind": "error_before_commit", "on": ["create"], "account": "A1", **when}
    sandbox.set_faults({"fault": [fault]})
    statuses = []
    for number in range(1, 9):
        assert client.create(order(str(number)), account="A2").status == 201
        assert client.get("nowhere").status == 404
        statuses.append(client.create(order(str(number))).status)
    assert [number for number, status in enumerate(statuses, start=1) if status == 500] == hit


def test_chance_is_seeded() -> None:
    """The same seed and the same requests meet the same faults; another seed others."""

    def drawn(seed: int) -> list[bool]:
        faults = Faults({"seed": seed, "fault": [{"kind": "html", "p": 0.2}]})
        return [faults.draw("create", "A1")[1] is not None for _ in range(500)]

    assert drawn(1) == drawn(1) != drawn(2)
    assert 60 < sum(drawn(1)) < 140


def test_the_first_fault_due_happens_and_the_others_keep_their_times() -> None:
    """A fault that another one went before has not been used up."""
    table = [{"kind": "html", "at": [1]}, {"kind": "empty", "times": 1, "name": "nothing"}]
    faults = Faults({"fault": table})
    drawn = [faults.draw("create", "A1")[1] for _ in range(3)]
    assert [fault and fault.name for fault in drawn] == ["html", "nothing", None]


def test_faults_on_lookups_updates_deletes_and_messages(
    client: Client, sandbox: SandboxProcess
) -> None:
    """Not only creates go wrong: a delete or a message whose answer is lost has happened."""
    client.create(order())
    sandbox.set_faults({"fault": [{"kind": "drop_after_commit"}]})
    with pytest.raises(NO_ANSWER):
        client.get("1001")
    with pytest.raises(NO_ANSWER):
        client.notify(body="Hello", connect_id="A1")
    with pytest.raises(NO_ANSWER):
        client.call("DELETE", by_reference("1001"))
    assert (sandbox.stats()["orders"], sandbox.stats()["messages"]) == (0, 1)


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"rate_limt": 5}, "unknown setting 'rate_limt'"),
        ({"rate_limit": 0}, "rate_limit"),
        ({"down": True}, "down"),
        ({"status": {"dup": 1}}, "'dup' in status"),
        ({"accounts": []}, "accounts has to be a table"),
        ({"fault": [{"kind": "explode"}]}, "unknown kind 'explode'"),
        ({"fault": [{"kind": "html", "status": 500}]}, "unknown setting 'status'"),
        ({"fault": [{"kind": "html", "p": 0.1, "nth": 2}]}, "only one of"),
        ({"fault": [{"kind": "html", "on": ["creat"]}]}, "cannot happen on 'creat'"),
        ({"fault": [{"kind": "late_commit", "on": ["get"]}]}, "cannot happen on 'get'"),
        ({"fault": [{"kind": "html", "p": "often"}]}, "p has to be a chance"),
        ({"fault": [{"kind": "html", "at": 3}]}, "at has to be a list"),
        ({"fault": [{"kind": "html", "nth": 0}]}, "nth has to be a number from 1"),
        ({"fault": [{"kind": "latency", "ms": [1]}]}, "ms has to be milliseconds"),
        (
            {"fault": [{"kind": "error_after_commit", "status": "500"}]},
            "status has to be a status code",
        ),
        ({"fault": "html"}, "fault has to be a list"),
        ({"burst": "many"}, "burst has to be a number"),
    ],
)
def test_a_misspelt_fault_is_refused(
    client: Client, sandbox: SandboxProcess, table: dict[str, Any], says: str
) -> None:
    """A fault that silently never happens would make a test pass for nothing."""
    with pytest.raises(SandboxError, match=says):
        sandbox.set_faults(table)
    assert client.create(order()).status == 201


def test_the_documented_faults_file_is_read(tmp_path: Path) -> None:
    """The example in the docstring is a faults file, and its table of kinds is complete."""
    text = load.__globals__["__doc__"]
    example = text.partition("::\n")[2].partition("``on`` is of")[0]
    path = tmp_path / "faults.toml"
    path.write_text("\n".join(line.removeprefix("    ") for line in example.splitlines()), "utf-8")
    faults = Faults(load(path))
    assert (faults.rate_limit, faults.burst) == (50, 50)
    for kind in KINDS:
        assert f"``{kind}``  " in text
