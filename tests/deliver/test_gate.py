"""The last gate: promise 1, on the bytes that go out."""

from __future__ import annotations

import json
from typing import Any

import pytest

from backfill.deliver import gate
from backfill.errors import SafetyStop
from tests.deliver.delivering import body

FLAG = '"dont_trigger_auto_actions":true'
PLAIN = body("1001").decode()


def with_order(**fields: Any) -> str:
    return json.dumps({"order": fields})


PASSES = {
    "ours": PLAIN,
    "one field": '{"order":{"a":1,' + FLAG + "}}",
    "only the flag": '{"order":{' + FLAG + "}}",
    "spread out": json.dumps(json.loads(PLAIN), indent=2),
    "flag first": '{"order":{' + FLAG + ',"total_cents":1}}',
    "spelt with escapes": PLAIN.replace('"dont_', '"\\u0064ont_'),
    "text that names it": body("1", description="dont_trigger_auto_actions").decode(),
    "text that says it": body("1", description=FLAG).decode(),
    "text that says no": body("1", profile_name='","dont_trigger_auto_actions":false,"').decode(),
    "text that ends like an object": body("1", profile_name="x},").decode(),
    "braces in a text": body("1", profile_name="{{{").decode(),
    "backslash at the end of a text": body("1", profile_name="x\\").decode(),
    "control characters": body("1", profile_name="a\x01b").decode(),
    "emoji": body("1", profile_name="🦊").decode(),
}

STOPS = {
    "nothing": "",
    "no JSON": "hello",
    "no object": "[]",
    "no order": '{"orders":{' + FLAG + "}}",
    "order is a list": '{"order":[{' + FLAG + "}]}",
    "missing": PLAIN.replace("," + FLAG, ""),
    "false": PLAIN.replace(FLAG, FLAG.replace("true", "false")),
    "null": PLAIN.replace(FLAG, FLAG.replace("true", "null")),
    "one": PLAIN.replace(FLAG, FLAG.replace("true", "1")),
    "a text": PLAIN.replace(FLAG, FLAG.replace("true", '"true"')),
    "twice, true last": PLAIN.replace('{"order":{', '{"order":{' + FLAG + ","),
    "twice, false first": PLAIN.replace(
        '{"order":{', '{"order":{"dont_trigger_auto_actions":false,'
    ),
    "twice, false first and spread out": PLAIN.replace(
        '{"order":{', '{"order":{ "dont_trigger_auto_actions" : false ,'
    ),
    "twice, false first and spelt with escapes": PLAIN.replace(
        '{"order":{', '{"order":{"dont\\u005ftrigger_auto_actions":false,'
    ),
    "twice, false last": PLAIN[:-2] + ',"dont_trigger_auto_actions":false}}',
    "beside the order": '{"order":{"a":1},' + FLAG + "}",
    "in another object": '{"order":{"a":1},"other":{"b":2,' + FLAG + "}}",
    "in another object, spread out": '{"order":{"a":1} , "other":{"b":2,' + FLAG + "}}",
    "in another object, over lines": '{"order":{"a":1}\n,\n"other":{"b":2,' + FLAG + "}}",
    "two orders": '{"order":{"a":1},"order":{"b":2,' + FLAG + "}}",
    "more than an order": PLAIN[:-1] + ',"notify":true}',
    "in a line item": with_order(line_items=[{"dont_trigger_auto_actions": True}]),
    "in metadata": '{"order":{"metadata":{"a":1,' + FLAG + "}}}",
    "in metadata too": '{"order":{"metadata":{' + FLAG + '},"a":1,' + FLAG + "}}",
    "only said in a text": with_order(description="," + FLAG + "}}"),
    "cut": PLAIN[:-1],
    "cut inside metadata": '{"order":{"metadata":{"a":1,' + FLAG + "}}",
    "followed by more": PLAIN + PLAIN,
    "a number JSON does not know": '{"order":{"a":NaN, ' + FLAG + "}}",
    "deep": '{"order":' + "[" * 100_000,
}


@pytest.mark.parametrize("text", PASSES.values(), ids=PASSES.keys())
def test_an_order_with_the_flag_passes(text: str) -> None:
    """Exactly one flag, true, at the order's own level: whatever else texts may say."""
    gate.check(text.encode())


@pytest.mark.parametrize("text", STOPS.values(), ids=STOPS.keys())
def test_anything_else_stops_the_run(text: str) -> None:
    """Promise 1: missing, false, twice, elsewhere, or no JSON: nothing is sent."""
    with pytest.raises(SafetyStop):
        gate.check(text.encode())


def test_bytes_that_are_no_text_stop_the_run() -> None:
    """A body that is not UTF-8 does not pass where it needs a look inside."""
    with pytest.raises(SafetyStop):
        gate.check(b'{"order":{"a":"\xff", ' + FLAG.encode() + b"}}")


def test_the_fast_way_never_says_more_than_the_strict_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A body that passes because it reads back as it is passes the strict parser too."""
    fast = [text for text in PASSES.values() if gate._reads_back_silent(text.encode())]
    assert PLAIN in fast
    assert not [name for name, text in STOPS.items() if gate._reads_back_silent(text.encode())]
    monkeypatch.setattr(gate, "_reads_back_silent", lambda body: False)
    for text in fast:
        gate.check(text.encode())
