"""The rules: what is wrong with an order, how bad it is, and what to do about it.

:data:`RULES` is the whole table, in the order in which reasons are given. What finds the places
where a rule is broken is in :mod:`order_rules` and :mod:`value_rules`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from backfill.errors import UsageError
from backfill.prepare.grouping.keyless import KEYLESS_ROW
from backfill.prepare.grouping.orders import DUPLICATE_ORDER
from backfill.prepare.mapping.packed import UNREAD_ITEMS
from backfill.prepare.mapping.statuses import Meaning
from backfill.prepare.validation import order_rules, status_rules, value_rules
from backfill.prepare.validation.violations import Finder, either
from backfill.settings import Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One line of the table."""

    id: str
    severity: Severity
    """``error``: the order is not sent; ``warning``: it is"""
    title: str
    """what is wrong, as a sentence without its full stop"""
    remedy: str
    """what to do, as a clause that follows a colon"""
    find: Finder
    fixed_severity: bool = False
    """the severity cannot be changed: without what the rule asks for there is no body to send"""
    skips: bool = False
    """the order is valid, and set aside as ``skipped`` instead of rejected"""
    final: bool = False
    """nothing more is said of the order: it is no purchase, there are two of it, or its cells may
    be in the wrong columns"""

    def message(self, detail: str | None = None) -> str:
        """What is said of one place: title, detail and remedy."""
        about = f" ({detail})" if detail else ""
        return f"{self.title}{about}: {self.remedy}"


RULES: tuple[Rule, ...] = (
    Rule(
        id="missing_reference_id",
        severity="error",
        title="The row has no order key",
        remedy="fill it in, or name the column that holds it with --map reference_id=COLUMN",
        find=order_rules.missing_reference_id,
        fixed_severity=True,
    ),
    Rule(
        id="damaged_reference_id",
        severity="error",
        title="A spreadsheet has cut off digits of the order key, so that several orders "
        "may share it",
        remedy="export again with the column as text, or take the keys from the shop system",
        find=order_rules.damaged_reference_id,
        fixed_severity=True,
    ),
    Rule(
        id=DUPLICATE_ORDER,
        severity="error",
        title="The order is in two exports with different contents",
        remedy="import the newer export alone, or give the exports in their sequence if one "
        "export was cut in two",
        find=order_rules.duplicate_order,
        final=True,
        fixed_severity=True,
    ),
    Rule(
        id="ragged_row",
        severity="error",
        title="The row has more or fewer cells than the header",
        remedy="add or remove the separator or quote that shifts its cells",
        find=order_rules.ragged_row,
        final=True,
        fixed_severity=True,
    ),
    Rule(
        id=KEYLESS_ROW,
        severity="error",
        title="Rows without an order key follow the order and may belong to it",
        remedy='fill in their key, or write order_key = "first_row" in a mapping file if they do',
        find=order_rules.keyless_row,
        fixed_severity=True,
        final=True,
    ),
    Rule(
        id="cancelled",
        severity="error",
        title="The order was cancelled",
        remedy="leave it out, or clear its status and cancelled_at if it was fulfilled after all",
        find=status_rules.cancelled,
        final=True,
    ),
    Rule(
        id="voided",
        severity="error",
        title="The order's payment was voided or failed",
        remedy="leave it out, or correct its status if it was paid after all",
        find=status_rules.voided,
        final=True,
    ),
    Rule(
        id="refunded",
        severity="error",
        title="The order was refunded in full",
        remedy="leave it out, or fill in refunded_at, with which Shout records the refund",
        find=status_rules.refunded,
        final=True,
    ),
    Rule(
        id="unpaid",
        severity="error",
        title="The order was not paid",
        remedy="leave it out, or correct its status if it was paid after all",
        find=status_rules.with_status(Meaning.UNPAID),
        final=True,
    ),
    Rule(
        id="draft",
        severity="error",
        title="The order is a draft, or its checkout was never completed",
        remedy="leave it out",
        find=status_rules.with_status(Meaning.DRAFT),
        final=True,
    ),
    Rule(
        id="test_order",
        severity="error",
        title="The order is a test",
        remedy="leave it out",
        find=status_rules.with_status(Meaning.TEST),
        final=True,
    ),
    Rule(
        id="rejected_status",
        severity="error",
        title="The order has a status that [statuses] rejects",
        remedy="leave it out, or change the line in [statuses]",
        find=status_rules.with_status(Meaning.REJECT),
        final=True,
    ),
    Rule(
        id="refund",
        severity="error",
        title="The row is a refund, not an order",
        remedy="leave it out, or fill in refunded_at of the order that was refunded",
        find=status_rules.flagged("refund"),
        final=True,
    ),
    Rule(
        id="credit_note",
        severity="error",
        title="The document is a credit note, not an order",
        remedy="leave it out",
        find=status_rules.flagged("credit_note"),
        final=True,
    ),
    Rule(
        id="conflicting_fields",
        severity="error",
        title="Rows of one order have conflicting order-level values",
        remedy="make them equal, or keep the value on the first row only",
        find=order_rules.conflicting_fields,
    ),
    Rule(
        id="missing_account",
        severity="error",
        title="The order names no account",
        remedy="fill in connect_id or user_id, or give one account for all orders with "
        "--connect-id",
        find=order_rules.missing_account,
        fixed_severity=True,
    ),
    Rule(
        id="bad_account",
        severity="error",
        title="The account id has a control character or is not ASCII, so no request can name it",
        remedy="correct connect_id or user_id",
        find=order_rules.bad_account,
        fixed_severity=True,
    ),
    Rule(
        id="unknown_affiliate",
        severity="error",
        title="The affiliate is not in the list of affiliates",
        remedy="add it to the file given with --affiliates, or correct its spelling",
        find=order_rules.unknown_affiliate,
        fixed_severity=True,
    ),
    Rule(
        id="conflicting_accounts",
        severity="error",
        title="Rows of one order name different accounts",
        remedy="keep the account that the order belongs to",
        find=order_rules.conflicting_accounts,
        fixed_severity=True,
    ),
    Rule(
        id="unreachable_customer",
        severity="error",
        title="The phone number is not valid, and the order has no name or e-mail of its customer",
        remedy="correct the number, or fill in a name or an e-mail",
        find=order_rules.unreachable_customer,
        fixed_severity=True,
    ),
    Rule(
        id="bad_time",
        severity="error",
        title="The date or time cannot be read",
        remedy="write it like 2021-04-09 or 2021-04-09T12:00:00-06:00",
        find=value_rules.bad_time,
        fixed_severity=True,
    ),
    Rule(
        id="unknown_zone",
        severity="error",
        title="The time zone of the order is not known by that name",
        remedy="write a name such as Europe/London or an offset, or leave the column out with "
        "--map zone= and give --timezone",
        find=value_rules.unknown_zone,
    ),
    Rule(
        id="time_is_now",
        severity="error",
        title="'now' is only for live orders",
        remedy="fill in the date of the order",
        find=value_rules.time_is_now,
        fixed_severity=True,
    ),
    Rule(
        id="no_time",
        severity="error",
        title="The order has no date",
        remedy="fill in created_at",
        find=value_rules.no_time,
        fixed_severity=True,
    ),
    Rule(
        id="future_time",
        severity="error",
        title="The date is in the future",
        remedy="correct it",
        find=value_rules.future_time,
    ),
    Rule(
        id="spreadsheet_error",
        severity="error",
        title="The cell is an error of the spreadsheet, such as #REF! or #VALUE!",
        remedy="correct the formula, or write the value, or clear the cell",
        find=value_rules.spreadsheet_error,
    ),
    Rule(
        id="bad_money",
        severity="error",
        title="The amount cannot be read",
        remedy="write it like 1234.50",
        find=value_rules.bad_money,
        fixed_severity=True,
    ),
    Rule(
        id="missing_price",
        severity="error",
        title="The line item has no price",
        remedy="fill in item_each_price or item_price",
        find=value_rules.missing_price,
        fixed_severity=True,
    ),
    Rule(
        id="missing_quantity",
        severity="error",
        title="The line item has no quantity",
        remedy="fill in how many were bought, 1 for a charge such as shipping",
        find=value_rules.missing_quantity,
        fixed_severity=True,
    ),
    Rule(
        id="zero_quantity",
        severity="error",
        title="The quantity of the line item is zero",
        remedy="fill in how many were bought, or clear the item fields of the row if it "
        "was refunded",
        find=value_rules.zero_quantity,
        fixed_severity=True,
    ),
    Rule(
        id="negative_quantity",
        severity="error",
        title="The quantity of the line item is negative",
        remedy="write a discount or a return as quantity 1 with a negative price, or clear "
        "the item fields of the row",
        find=value_rules.negative_quantity,
        fixed_severity=True,
    ),
    Rule(
        id="unreadable_quantity",
        severity="error",
        title="The quantity cannot be read as a number",
        remedy="write it like 2 or 0.5",
        find=value_rules.unreadable_quantity,
        fixed_severity=True,
    ),
    Rule(
        id=UNREAD_ITEMS,
        severity="error",
        title="The cell of line items is not in the form that the platform's exports have",
        remedy="export one row per line item",
        find=either(status_rules.flagged(UNREAD_ITEMS, "item_name"), value_rules.items_in_json),
        fixed_severity=True,
        final=True,
    ),
    Rule(
        id="no_line_items",
        severity="error",
        title="The order has no line items",
        remedy="add at least one row with a name and a price",
        find=value_rules.no_line_items,
    ),
    Rule(
        id="negative_total",
        severity="error",
        title="The total is negative, as on a credit note",
        remedy="leave the order out, or correct the amount",
        find=value_rules.negative_total,
    ),
    Rule(
        id="other_currency",
        severity="error",
        title="An amount of the order is not in the currency of the import",
        remedy="import the orders of each currency separately with --currency",
        find=value_rules.other_currency,
    ),
    Rule(
        id="affiliate_not_connected",
        severity="warning",
        title="The affiliate has not connected to Shout, so the order is skipped",
        remedy="import again once the list of affiliates says connected",
        find=order_rules.affiliate_not_connected,
        skips=True,
        fixed_severity=True,
    ),
    Rule(
        id="history_not_requested",
        severity="warning",
        title="The affiliate did not ask for order history, so the order is skipped",
        remedy="fill in connect_import_order_history_at in the list of affiliates if that "
        "has changed",
        find=order_rules.history_not_requested,
        skips=True,
        fixed_severity=True,
    ),
    Rule(
        id="partly_refunded",
        severity="warning",
        title="A part of the order was refunded, and it is sent with its full total",
        remedy="correct the order if Shout is to have what is left",
        find=status_rules.partly_refunded,
    ),
    Rule(
        id="unclear_status",
        severity="warning",
        title="The status does not tell whether the order is a purchase, so it is imported",
        remedy="say under [statuses] in backfill.toml what becomes of orders with this status",
        find=status_rules.with_status(Meaning.UNCLEAR),
    ),
    Rule(
        id="no_customer",
        severity="warning",
        title="The order has no name, phone number or e-mail of its customer",
        remedy="fill one in, or make this rule an error in backfill.toml to keep such orders out",
        find=order_rules.no_customer,
    ),
    Rule(
        id="bad_phone",
        severity="warning",
        title="The phone number is not valid, so it is left out",
        remedy="correct it, or set --region if the numbers are of another country",
        find=order_rules.bad_phone,
    ),
    Rule(
        id="repeated_order",
        severity="warning",
        title="The order is in two exports with the same contents, so it is taken once",
        remedy="nothing needs to be done",
        find=order_rules.repeated_order,
    ),
    Rule(
        id="joined_order",
        severity="warning",
        title="The order's rows end one export and begin the next, so they are joined",
        remedy="check the order unless one export was cut in two",
        find=order_rules.joined_order,
    ),
    Rule(
        id="differing_times",
        severity="warning",
        title="Rows of one order have different times, so the earliest is used",
        remedy="check that the rows are one order",
        find=order_rules.differing_times,
    ),
    Rule(
        id="created_from_other_time",
        severity="warning",
        title="The order has no created_at, so its earliest other date is used",
        remedy="fill in created_at if that is wrong",
        find=value_rules.created_from_other_time,
    ),
    Rule(
        id="old_time",
        severity="warning",
        title="The date is before 2000",
        remedy="check that it is real and not a default of the shop system",
        find=value_rules.old_time,
    ),
    Rule(
        id="naive_time",
        severity="warning",
        title="The time has no offset, so it is read in the time zone of the import",
        remedy="check --timezone",
        find=value_rules.naive_time,
    ),
    Rule(
        id="missing_total",
        severity="warning",
        title="The total of the order is blank, so the sum of its lines is sent",
        remedy="fill in the total if it includes shipping, tax or a discount",
        find=value_rules.missing_total,
    ),
    Rule(
        id="total_differs",
        severity="warning",
        title="The total is not the sum of the lines",
        remedy="check that the difference is shipping, tax or a discount",
        find=value_rules.total_differs,
    ),
    Rule(
        id="line_price_differs",
        severity="warning",
        title="The line's price is not its unit price times its quantity",
        remedy="check that the difference is a discount",
        find=value_rules.line_price_differs,
    ),
    Rule(
        id="rounded",
        severity="warning",
        title="The amount is not a whole number of cents, so it is rounded",
        remedy="check the rounding",
        find=value_rules.rounded,
    ),
    Rule(
        id="zero_total",
        severity="warning",
        title="The total of the order is zero",
        remedy="check that the order was a gift or fully discounted",
        find=value_rules.zero_total,
    ),
    Rule(
        id="totals_only",
        severity="warning",
        title="The export has no columns for line items, so only the total is sent",
        remedy="give the line items with --items if there is a file of them",
        find=value_rules.totals_only,
    ),
    Rule(
        id="unpriced_lines",
        severity="warning",
        title="The export has no column of prices, so the line items are sent without prices",
        remedy="name the column with --map item_each_price=COLUMN if there is one",
        find=value_rules.unpriced_lines,
    ),
    Rule(
        id="subtotal_row",
        severity="warning",
        title="The row is a subtotal, not a line item, so it is left out",
        remedy="check the name of the item if it is one",
        find=status_rules.flagged("subtotal_row"),
    ),
    Rule(
        id="refunded_line",
        severity="warning",
        title="All pieces of the line item were refunded, so it is left out",
        remedy="nothing needs to be done",
        find=status_rules.flagged("refunded_line"),
    ),
    Rule(
        id="zero_line",
        severity="warning",
        title="The quantity of the line item is zero and the total is right without it, "
        "so it is left out",
        remedy="nothing needs to be done",
        find=value_rules.zero_line,
    ),
    Rule(
        id="adjustment_line",
        severity="warning",
        title="The line is a charge, a discount or a return, as the order's total proves",
        remedy="check the line as it is sent",
        find=value_rules.adjustment_line,
    ),
    Rule(
        id="broken_text",
        severity="warning",
        title="The text has control characters, or characters lost in an earlier "
        "conversion (U+FFFD)",
        remedy="export it again as UTF-8",
        find=value_rules.broken_text,
    ),
    Rule(
        id="text_too_long",
        severity="warning",
        title=f"The text is longer than {value_rules.LONGEST_TEXT} characters",
        remedy="check that the column is mapped to the right field",
        find=value_rules.text_too_long,
    ),
    Rule(
        id="formula_like",
        severity="warning",
        title="The text begins like a spreadsheet formula",
        remedy="it is sent as it is; do not run it",
        find=value_rules.formula_like,
    ),
)

#: What is found about rows and columns before there are orders; the pipeline reports it.
IGNORED_ROW = "ignored_row"
CHARGE_LEFT_OUT = "charge_left_out"
UNUSED_COLUMN = "unused_column"
ENTITIES_LEFT = "html_entities"
SAME_NAME = "columns_of_one_name"
#: Title and remedy of each.
OF_SOURCES = {
    IGNORED_ROW: (
        "The row is not part of an order (a footer, the header again, a note)",
        "nothing is sent for it",
    ),
    CHARGE_LEFT_OUT: (
        "Shipping, tax or a discount in a column of its own is not in the totals",
        "map the column of the orders' totals, if the export has one",
    ),
    UNUSED_COLUMN: (
        "The column resembles a field and is not used",
        "map it, or accept all guesses with --accept-guesses",
    ),
    ENTITIES_LEFT: (
        "The column has HTML entities such as &amp;, but plain ampersands too, so its texts are "
        "sent as they are",
        "export the column as plain text",
    ),
    SAME_NAME: (
        "Another column has the name of the mapped one, and other values",
        "check that the mapping names the right one",
    ),
}


def severities(chosen: Sequence[tuple[str, Severity]]) -> dict[str, Severity]:
    """Each rule's severity, with what the user has set otherwise.

    :raises UsageError: a rule is not known, or its severity cannot be changed.
    """
    rules = {rule.id: rule for rule in RULES}
    known: dict[str, Severity] = {rule.id: rule.severity for rule in RULES}
    for id, severity in chosen:
        if id not in rules:
            raise UsageError(
                f"[rules]: there is no rule {id!r}",
                hint="'backfill validate --list-rules' lists them",
            )
        if rules[id].skips or (rules[id].fixed_severity and severity != rules[id].severity):
            raise UsageError(f"[rules]: the severity of {id!r} cannot be changed")
        known[id] = severity
    return known


def described() -> dict[str, dict[str, str]]:
    """The table in words, for the reports: severity, what is wrong, what to do."""
    table = {rule.id: (rule.severity, rule.title, rule.remedy) for rule in RULES}
    table |= {rule: ("warning", *words) for rule, words in OF_SOURCES.items()}
    return {
        rule: {"severity": severity, "title": title, "remedy": remedy}
        for rule, (severity, title, remedy) in table.items()
    }
