"""The rules: what is wrong with an order, how bad it is, and what to do about it.

:data:`RULES` is the whole table, in the order in which reasons are given. A rule is an id, a
severity (``error``: the order is not sent; ``warning``: it is), a reason that says what to do,
and a check over whole columns that returns the places where it is broken.
"""

from __future__ import annotations

from dataclasses import dataclass

from backfill.prepare.validation import checks
from backfill.settings import Severity


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of the table."""

    id: str
    severity: Severity
    reason: str
    check: checks.Check
    skips: bool = False
    """the order is fine and set aside as ``skipped``, not rejected"""
    settles: bool = False
    """all is said with it: the order is no purchase, there are two of it, or its cells may stand
    in the wrong columns"""


RULES: tuple[Rule, ...] = (
    Rule(
        "missing_reference_id",
        "error",
        "The row has no order key: fill it in, or map the column that holds it with "
        "--map reference_id=COLUMN",
        checks.missing_reference_id,
    ),
    Rule(
        "ragged_row",
        "error",
        "The row has more or fewer cells than the header: put the missing or surplus separator "
        "or quote right",
        checks.ragged_row,
        settles=True,
    ),
    Rule(
        "duplicate_order",
        "error",
        "The order stands in two exports with different contents: leave out the older copy, or "
        "give the exports in their sequence if one was cut in two in the middle of the order",
        checks.duplicate_order,
        settles=True,
    ),
    Rule(
        "cancelled",
        "error",
        "The order was cancelled, so it is no purchase: leave it out, or clear its status and "
        "cancelled_at if it was fulfilled after all",
        checks.cancelled,
        settles=True,
    ),
    Rule(
        "voided",
        "error",
        "The order's payment was voided, so it is no purchase: leave it out",
        checks.flagged("voided"),
        settles=True,
    ),
    Rule(
        "refund",
        "error",
        "The row is a refund and no order: leave it out, or give the order it belongs to a "
        "refunded_at",
        checks.flagged("refund"),
        settles=True,
    ),
    Rule(
        "credit_note",
        "error",
        "The document is a credit note and no order: leave it out",
        checks.flagged("credit_note"),
        settles=True,
    ),
    Rule(
        "conflicting_fields",
        "error",
        "The order's rows disagree on a value that an order has once: make them equal, or leave "
        "it on the first row only",
        checks.conflicting_fields,
    ),
    Rule(
        "missing_account",
        "error",
        "No account is named for the order: fill in connect_id or user_id, or give one for all "
        "with --connect-id",
        checks.missing_account,
    ),
    Rule(
        "unknown_affiliate",
        "error",
        "The affiliate is not in the list of affiliates: add it to the file given with "
        "--affiliates, or mend its spelling",
        checks.unknown_affiliate,
    ),
    Rule(
        "conflicting_accounts",
        "error",
        "The order's rows name more than one account: keep the one it belongs to",
        checks.conflicting_accounts,
    ),
    Rule(
        "unreachable_customer",
        "error",
        "The phone number cannot be real, and it is all that the order has of its customer: mend "
        "it, or fill in a name or an e-mail",
        checks.unreachable_customer,
    ),
    Rule(
        "bad_time",
        "error",
        "The date or time cannot be read: write it like 2021-04-09 or 2021-04-09T12:00:00-06:00",
        checks.bad_time,
    ),
    Rule(
        "time_is_now",
        "error",
        "'now' is for live orders: give the date the order really had",
        checks.time_is_now,
    ),
    Rule(
        "no_time",
        "error",
        "The order has no date at all: fill in created_at",
        checks.no_time,
    ),
    Rule(
        "future_time",
        "error",
        "The date lies in the future, so it is not history: mend it",
        checks.future_time,
    ),
    Rule(
        "bad_money",
        "error",
        "The amount cannot be read as money: write it like 1234.50",
        checks.bad_money,
    ),
    Rule(
        "missing_price",
        "error",
        "The line item has no price: fill in item_each_price or item_price",
        checks.missing_price,
    ),
    Rule(
        "bad_quantity",
        "error",
        "The quantity is missing, zero, negative or no number: fill in how many were bought",
        checks.bad_quantity,
    ),
    Rule(
        "no_line_items",
        "error",
        "The order has no line items: add at least one row with a name and a price",
        checks.no_line_items,
    ),
    Rule(
        "negative_total",
        "error",
        "The total is negative, as on a credit note: leave it out, or mend the amount",
        checks.negative_total,
    ),
    Rule(
        "other_currency",
        "error",
        "The order is in another currency than this import: import it apart with --currency",
        checks.other_currency,
    ),
    Rule(
        "affiliate_not_connected",
        "warning",
        "The affiliate has not connected to Shout: the order is set aside as skipped until "
        "the list of affiliates says connected",
        checks.affiliate_not_connected,
        skips=True,
    ),
    Rule(
        "history_not_requested",
        "warning",
        "The affiliate did not ask for order history: the order is set aside as skipped",
        checks.history_not_requested,
        skips=True,
    ),
    Rule(
        "no_customer",
        "warning",
        "The order has no customer (no name, phone number or e-mail), like a sale at the counter: "
        "fill one in, or make this an error in backfill.toml if such orders should stay out",
        checks.no_customer,
    ),
    Rule(
        "bad_phone",
        "warning",
        "The phone number cannot be real, so it is left out: mend it, or set --region if the "
        "numbers are of another country",
        checks.bad_phone,
    ),
    Rule(
        "repeated_order",
        "warning",
        "The order stands in two exports in the same words: it is taken once",
        checks.repeated_order,
    ),
    Rule(
        "joined_order",
        "warning",
        "The order's rows end one export and begin another, as when an export is cut in two: they "
        "are joined; check the order if these were two exports of different days",
        checks.joined_order,
    ),
    Rule(
        "created_from_other_time",
        "warning",
        "The order has no created_at, so its earliest other date stands for it: fill it in if "
        "that is wrong",
        checks.created_from_other_time,
    ),
    Rule(
        "old_time",
        "warning",
        "The date is before 2000: make sure that it is real and no default of the shop system",
        checks.old_time,
    ),
    Rule(
        "naive_time",
        "warning",
        "The time has no offset, so it is placed in the import's timezone: check --timezone",
        checks.naive_time,
    ),
    Rule(
        "total_differs",
        "warning",
        "The total differs from the sum of the lines: right if that is shipping, tax or a discount",
        checks.total_differs,
    ),
    Rule(
        "line_price_differs",
        "warning",
        "The line's price is not its unit price times its quantity: right if that is a discount",
        checks.line_price_differs,
    ),
    Rule(
        "rounded",
        "warning",
        "The amount is no whole number of cents, so it is rounded: check the rounding",
        checks.rounded,
    ),
    Rule(
        "zero_total",
        "warning",
        "The order's total is zero: right if it was a gift or fully discounted",
        checks.zero_total,
    ),
    Rule(
        "totals_only",
        "warning",
        "The export has no columns for line items, so only the total is sent: give the lines "
        "with --items if there is a file of them",
        checks.totals_only,
    ),
    Rule(
        "broken_text",
        "warning",
        "The text holds control characters or characters lost in an earlier conversion (U+FFFD): "
        "export it again as UTF-8 if it matters",
        checks.broken_text,
    ),
    Rule(
        "text_too_long",
        "warning",
        f"The text is longer than {checks.LONGEST_TEXT} characters: make sure that the mapping "
        "is right",
        checks.text_too_long,
    ),
    Rule(
        "formula_like",
        "warning",
        "The text begins like a spreadsheet formula: it is sent as it stands; do not run it",
        checks.formula_like,
    ),
)

#: What is found about rows before there are orders; :mod:`backfill.prepare` reports it.
IGNORED_ROW = "ignored_row"
IGNORED_ROW_REASON = (
    "The row is no part of an order (a footer, a parent row, a note): nothing is sent for it"
)

SKIPPING = frozenset(rule.id for rule in RULES if rule.skips)


def described() -> dict[str, dict[str, str]]:
    """The table in words, for whoever shows problems: severity, what is wrong, what to do."""
    table = {rule.id: (rule.severity, rule.reason) for rule in RULES}
    table[IGNORED_ROW] = ("warning", IGNORED_ROW_REASON)
    words = {}
    for rule, (severity, reason) in table.items():
        title, _, remedy = reason.partition(": ")
        words[rule] = {"severity": severity, "title": title, "remedy": remedy}
    return words
