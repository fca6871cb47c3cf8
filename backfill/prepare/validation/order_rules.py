"""Finders of the rules about an order as a whole: its key, account and customer."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from backfill.prepare.convert import text_bytes
from backfill.prepare.draft import Draft
from backfill.prepare.mapping import fields
from backfill.prepare.mapping.statuses import FULFILMENT
from backfill.prepare.validation.violations import (
    Context,
    Flags,
    Violations,
    at_orders,
    at_rows,
    confirmed,
    is_null,
    is_true,
)

#: A long number as spreadsheets show it: 2.00000E+15.
_ROUNDED = r"^[0-9](?:[.,][0-9]+)?[Ee]\+[0-9]+$"
_MAYBE_ROUNDED = text_bytes.wanted(b"+")

#: All but printable ASCII: an account id becomes a header, where a line break begins another one.
_NOT_IN_A_HEADER = text_bytes.wanted([*range(0x20), *range(0x7F, 0x100)])


# --- the order itself ---------------------------------------------------------------


def ragged_row(draft: Draft, context: Context) -> Iterator[Violations]:
    yield from at_rows(draft, np.flatnonzero(is_true(draft.column("_ragged"))), None)


def missing_reference_id(draft: Draft, context: Context) -> Iterator[Violations]:
    yield from at_orders(draft, is_null(draft.texts["reference_id"].values), "reference_id")


def keyless_row(draft: Draft, context: Context) -> Iterator[Violations]:
    yield from at_rows(draft, context.held_back, "reference_id")


def damaged_reference_id(draft: Draft, context: Context) -> Iterator[Violations]:
    keys = draft.texts["reference_id"].values
    damaged = confirmed(text_bytes.holding(keys, _MAYBE_ROUNDED), keys, _ROUNDED)
    yield from at_orders(draft, damaged, "reference_id")


def duplicate_order(draft: Draft, context: Context) -> Iterator[Violations]:
    yield from at_orders(draft, context.contradictory, "reference_id")


def repeated_order(draft: Draft, context: Context) -> Iterator[Violations]:
    yield from at_orders(draft, context.repeated, "reference_id")


def joined_order(draft: Draft, context: Context) -> Iterator[Violations]:
    yield from at_orders(draft, context.joined, "reference_id")


def conflicting_fields(draft: Draft, context: Context) -> Iterator[Violations]:
    for field in fields.ORDER_FIELDS:
        if field not in ("reference_id", FULFILMENT):  # lines may be shipped one by one
            yield from _disagreeing(draft, field)


def _disagreeing(draft: Draft, field: str) -> Iterator[Violations]:
    text = draft.texts[field]
    if not len(text.conflicts):
        return
    values = draft.column(field).take(pa.array(text.conflicts))
    orders = draft.owners[text.conflicts]
    firsts = text.values.take(pa.array(orders)).to_pylist()
    details = [f"{field} is {first!r} on another row of the order" for first in firsts]
    yield Violations(orders, text.conflicts, field, values, details)


def differing_times(draft: Draft, context: Context) -> Iterator[Violations]:
    for field in fields.TIME_FIELDS:
        text = draft.texts[field]
        if len(text.differing):
            orders = draft.owners[text.differing]
            values = draft.column(field).take(pa.array(text.differing))
            used = text.values.take(pa.array(orders)).to_pylist()
            details = [f"{field} is {earliest!r}" for earliest in used]
            yield Violations(orders, text.differing, field, values, details)


# --- whose it is --------------------------------------------------------------------


def missing_account(draft: Draft, context: Context) -> Iterator[Violations]:
    accounts = draft.accounts
    missing = is_null(accounts.id) & ~accounts.unknown & ~accounts.not_connected
    yield from at_orders(draft, missing, "connect_id")


def bad_account(draft: Draft, context: Context) -> Iterator[Violations]:
    if context.settings.connect_id or context.settings.user_id:
        return
    for field in ("connect_id", "user_id"):
        ids = draft.texts[field].values
        yield from at_orders(draft, text_bytes.holding(ids, _NOT_IN_A_HEADER), field)


def unknown_affiliate(draft: Draft, context: Context) -> Iterator[Violations]:
    yield from at_orders(draft, draft.accounts.unknown, "affiliate")


def conflicting_accounts(draft: Draft, context: Context) -> Iterator[Violations]:
    if context.settings.connect_id or context.settings.user_id:
        return
    yield from at_orders(draft, draft.accounts.two, "connect_id")
    for field in fields.ACCOUNT_FIELDS:
        yield from _disagreeing(draft, field)


def affiliate_not_connected(draft: Draft, context: Context) -> Iterator[Violations]:
    yield from at_orders(draft, draft.accounts.not_connected, "affiliate")


def history_not_requested(draft: Draft, context: Context) -> Iterator[Violations]:
    yield from at_orders(draft, draft.accounts.history_not_requested, "affiliate")


# --- the customer -------------------------------------------------------------------


def unreachable_customer(draft: Draft, context: Context) -> Iterator[Violations]:
    yield from at_orders(
        draft, _nobody_else(draft) & is_true(draft.phone.bad), "profile_phone_number"
    )


def no_customer(draft: Draft, context: Context) -> Iterator[Violations]:
    no_phone = is_null(draft.texts["profile_phone_number"].values)
    yield from at_orders(draft, _nobody_else(draft) & no_phone, None)


def _nobody_else(draft: Draft) -> Flags:
    """Orders with neither a name nor an e-mail."""
    return is_null(draft.texts["profile_name"].values) & is_null(
        draft.texts["profile_email"].values
    )


def bad_phone(draft: Draft, context: Context) -> Iterator[Violations]:
    bad = is_true(draft.phone.bad) & ~_nobody_else(draft)
    yield from at_orders(draft, bad, "profile_phone_number")
