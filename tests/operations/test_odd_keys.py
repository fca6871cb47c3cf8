"""Reference ids that mean something in an address: created, found, compared and deleted."""

from __future__ import annotations

from backfill.sandbox.process import SandboxProcess
from tests.operations.jobs import JOB, assert_as_meant, keys_in, order, states, to, typed, write

KEYS = (
    *("a/b", "../..", "./x", ".", "..", "a?b=c", "a#b", "a&b=c", "a;b", "a:b", "a+b", "a b"),
    *("%", "100%", "%2F", "%00", "back\\slash", '"quoted"', "[x]", "{y}", "<b>", "=1+1", "@x"),
    *("ÀÈ", "e\u0301", "中文", "😀", "a\u200bb", "\u202eabc", "x" * 500, "é" * 500),
)


def test_an_odd_key_is_created_found_and_deleted(sandbox: SandboxProcess) -> None:
    """Each under its own address, and none under another's."""
    rows = [row for n, key in enumerate(KEYS) for row in order(n, reference_id=key)]
    assert typed("run", write("orders.csv", rows), *to(sandbox)) == 0
    assert states() == {"created": len(KEYS)}
    assert {key for _, key in keys_in(sandbox)} == set(KEYS)
    assert_as_meant(sandbox)
    assert typed("verify", JOB, *to(sandbox)) == 0
    assert typed("undo", JOB, "--limit", "5", *to(sandbox)) == 0
    assert {key for _, key in keys_in(sandbox)} == set(KEYS[5:])
    assert typed("undo", JOB, *to(sandbox)) == 0
    assert not sandbox.orders()
