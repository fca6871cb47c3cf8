"""Bodies: the very bytes that go to Shout's Orders Create, put together by column kernels.

The shape and the field names are Shout's (documentation page "Enable Connect Orders & Text
Alerts"). Equal, byte for byte, to ``json.dumps(..., ensure_ascii=False, separators=(",", ":"))``
of the same order; a property test holds it to that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from backfill.prepare.convert import text_bytes

#: The order's text fields in the sequence in which they stand in a body.
TEXT_FIELDS: tuple[str, ...] = (
    "reference_id",
    "created_at",
    "invoiced_at",
    "paid_at",
    "shipped_at",
    "refunded_at",
    "description",
    "profile_name",
    "profile_phone_number",
    "profile_email",
    "profile_shipping_address_raw",
    "shipping_link",
    "shipping_state",
)

#: Every body ends with these bytes. ``deliver`` looks for them before anything leaves.
TAIL = '"fail_if_connect_orders_not_enabled":true,"dont_trigger_auto_actions":true}}'

_TO_ESCAPE = text_bytes.wanted([*range(0x20), ord('"'), ord("\\")])
_SHORT_ESCAPES = {8: "\\b", 9: "\\t", 10: "\\n", 12: "\\f", 13: "\\r"}


def bodies(
    order_texts: Mapping[str, pa.Array],
    total_cents: pa.Array,
    line_texts: Mapping[str, pa.Array],
    line_starts: np.ndarray,
) -> pa.Array:
    """Put the finished request bodies together, one an order.

    :param order_texts: for each of :data:`TEXT_FIELDS`, a string array with one value an order;
        null leaves the field out.
    :param total_cents: int64, one an order.
    :param line_texts: ``name`` (string, null leaves it out), ``each_price_cents``,
        ``quantity_thousandths`` and ``price_cents`` (int64; a null price is left out), one per
        line item.
    :param line_starts: int32, one more than there are orders: where each order's lines begin.
    :returns: a string array, one body an order.
    """
    fragments: list[pa.Array | str] = ['{"order":{']
    for field in TEXT_FIELDS:
        texts = order_texts[field]
        if texts.null_count < len(texts):
            fragments += _text_member(field, texts)
    lines = pa.ListArray.from_arrays(pa.array(line_starts, pa.int32()), _line_objects(line_texts))
    fragments += ['"line_items":[', pc.binary_join(lines, ","), '],"total_cents":']
    fragments += [total_cents.cast(pa.string()), ",", TAIL]
    return _joined(fragments)


def _line_objects(line_texts: Mapping[str, pa.Array]) -> pa.Array:
    return _joined(
        [
            "{",
            *_text_member("name", line_texts["name"]),
            *_member('"each_price_cents":', line_texts["each_price_cents"], ","),
            '"quantity":',
            quantity_text(line_texts["quantity_thousandths"]),
            *_member(',"price_cents":', line_texts["price_cents"], ""),
            "}",
        ]
    )


def _joined(fragments: Sequence[pa.Array | str]) -> pa.Array:
    """Join fragments element by element; a null fragment is left out.

    Fixed texts side by side become one: each fragment costs time for every order.
    """
    fewer: list[pa.Array | str] = []
    for fragment in fragments:
        if fewer and isinstance(fragment, str) and isinstance(fewer[-1], str):
            fewer[-1] += fragment
        else:
            fewer.append(fragment)
    return pc.binary_join_element_wise(*fewer, "", null_handling="skip")


def _text_member(name: str, values: pa.Array) -> list[pa.Array | str]:
    """Fragments of ``"name":"value",`` for each value, null where the value is null."""
    return _member(f'"{name}":"', json_escaped(values), '",')


def _member(before: str, values: pa.Array, after: str) -> list[pa.Array | str]:
    """Fragments of a member for each value, null where the value is null.

    Joined beforehand only where there are nulls: then the name has to go with the value.
    """
    member: list[pa.Array | str] = [before, values.cast(pa.string()), after]
    if values.null_count:
        return [pc.binary_join_element_wise(*member, "")]
    return member


def json_escaped(text: pa.Array) -> pa.Array:
    """Escape what JSON wants escaped inside a string (RFC 8259, section 7); null stays null."""
    found = text_bytes.holding(text, _TO_ESCAPE)
    if not found.any():
        return text
    odd = pa.array(found)
    escaped = pc.filter(text, odd)
    escaped = pc.replace_substring(escaped, "\\", "\\\\")
    escaped = pc.replace_substring(escaped, '"', '\\"')
    if pc.any(pc.match_substring_regex(escaped, r"[\x00-\x1f]")).as_py():
        for code in range(0x20):
            short = _SHORT_ESCAPES.get(code, f"\\u{code:04x}")
            escaped = pc.replace_substring(escaped, chr(code), short)
    return pc.replace_with_mask(text, odd, escaped)


def quantity_text(thousandths: pa.Array) -> pa.Array:
    """Thousandths as a JSON number: 2000 is ``2``, 500 is ``0.5``."""
    numbers = thousandths.to_numpy(zero_copy_only=False)
    whole = pa.array(numbers // 1000).cast(pa.string())
    if not (numbers % 1000).any():
        return whole
    distinct, places = np.unique(numbers, return_inverse=True)
    texts = [f"{number / 1000:.3f}".rstrip("0").rstrip(".") for number in distinct.tolist()]
    return pa.array(texts, pa.string()).take(pa.array(places))
