"""The table of :mod:`test_rules`: for each rule rows that break it, and rows that just do not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from backfill.prepare.validation.value_rules import LONGEST_TEXT

Row = dict[str, str]
"""cells that differ from those of :data:`GOOD`"""
Case = tuple[str, list[Row], list[Row], tuple[str | None, str | None]]
"""a rule, an order's rows that break it, rows that do not, column and value where it is shown"""

GOOD: Row = {
    "reference_id": "1001",
    "created_at": "2021-04-09T12:00:00-06:00",
    "paid_at": "",
    "refunded_at": "",
    "cancelled_at": "",
    "connect_id": "A1",
    "user_id": "",
    "affiliate": "",
    "profile_name": "Janet Smith",
    "profile_phone_number": "(801) 555-6788",
    "profile_email": "janet@example.com",
    "description": "Order from the shop",
    "total": "35.00",
    "currency": "USD",
    "status": "completed",
    "item_name": "Tank Top",
    "item_quantity": "1",
    "item_each_price": "35.00",
    "item_price": "",
}
TODAY = datetime.now(UTC).replace(microsecond=0)

CASES: list[Case] = [
    (
        "missing_reference_id",
        [{"reference_id": " "}],
        [{"reference_id": "0"}],
        ("reference_id", None),
    ),
    (
        "damaged_reference_id",
        [{"reference_id": "2.00000E+15"}],
        [{"reference_id": "2E15"}],
        ("reference_id", "2.00000E+15"),
    ),
    (
        "damaged_reference_id",
        [{"reference_id": "2,00001E+15"}],
        [{"reference_id": "AB2.5E+15"}],
        ("reference_id", "2,00001E+15"),
    ),
    (
        "differing_times",
        [{"paid_at": "2021-04-09", "total": "70"}, {"paid_at": "2021-04-10", "total": "70"}],
        [{"paid_at": "2021-04-09", "total": "70"}, {"paid_at": "", "total": "70"}],
        ("paid_at", "2021-04-10"),
    ),
    ("missing_total", [{"total": ""}], [{"total": "35"}], ("total", None)),
    (
        "cancelled",
        [{"status": "Cancelled"}],
        [{"status": "not cancelled"}],
        ("status", "Cancelled"),
    ),
    (
        "cancelled",
        [{"status": "canceled by customer"}],
        [{"status": "cancel requested"}],
        ("status", "canceled by customer"),
    ),
    (
        "cancelled",
        [{"cancelled_at": "2021-05-01"}],
        [{"cancelled_at": ""}],
        ("cancelled_at", "2021-05-01"),
    ),
    (
        "conflicting_fields",
        [{"profile_name": "Ann"}, {"profile_name": "Bea"}],
        [{"profile_name": "Ann", "total": "70"}, {"profile_name": "", "total": "70"}],
        ("profile_name", "Bea"),
    ),
    (
        "conflicting_fields",
        [{"total": "10"}, {"total": "20"}],
        [{"total": "70"}, {"total": ""}],
        ("total", "20"),
    ),
    (
        "missing_account",
        [{"connect_id": ""}],
        [{"connect_id": "", "user_id": "315"}],
        ("connect_id", None),
    ),
    (
        "unknown_affiliate",
        [{"connect_id": "", "affiliate": "zoe"}],
        [{"connect_id": "", "affiliate": "ann"}],
        ("affiliate", "zoe"),
    ),
    (
        "conflicting_accounts",
        [{"connect_id": "A1"}, {"connect_id": "A2"}],
        [{"connect_id": "A1", "total": "70"}, {"connect_id": "", "total": "70"}],
        ("connect_id", "A2"),
    ),
    ("conflicting_accounts", [{"user_id": "315"}], [{"user_id": ""}], ("connect_id", "A1")),
    (
        "no_customer",
        [{"profile_name": "", "profile_phone_number": "", "profile_email": ""}],
        [{"profile_name": "", "profile_phone_number": "", "profile_email": "a@example.com"}],
        (None, None),
    ),
    (
        "unreachable_customer",
        [{"profile_name": "", "profile_phone_number": "123", "profile_email": ""}],
        [{"profile_name": "Ann", "profile_phone_number": "123", "profile_email": ""}],
        ("profile_phone_number", "123"),
    ),
    (
        "bad_phone",
        [{"profile_phone_number": "(801) 555-678"}],
        [{}],
        ("profile_phone_number", "(801) 555-678"),
    ),
    (
        "bad_time",
        [{"created_at": "2021-02-29"}],
        [{"created_at": "2020-02-29"}],
        ("created_at", "2021-02-29"),
    ),
    ("bad_time", [{"paid_at": "soon"}], [{"paid_at": "2021-04-09"}], ("paid_at", "soon")),
    ("time_is_now", [{"created_at": "now"}], [{}], ("created_at", "now")),
    ("time_is_now", [{"paid_at": "NOW"}], [{"paid_at": ""}], ("paid_at", "NOW")),
    (
        "no_time",
        [{"created_at": ""}],
        [{"created_at": "", "paid_at": "2021-04-09"}],
        ("created_at", None),
    ),
    (
        "created_from_other_time",
        [{"created_at": "", "paid_at": "2021-04-09"}],
        [{"paid_at": "2021-04-09"}],
        ("created_at", None),
    ),
    (
        "future_time",
        [{"created_at": (TODAY + timedelta(days=2)).isoformat()}],
        [{"created_at": (TODAY + timedelta(hours=20)).isoformat()}],
        ("created_at", (TODAY + timedelta(days=2)).isoformat()),
    ),
    (
        "old_time",
        [{"created_at": "1999-12-31"}],
        [{"created_at": "2000-01-01"}],
        ("created_at", "1999-12-31"),
    ),
    (
        "naive_time",
        [{"created_at": "2021-04-09 12:00"}],
        [{"created_at": "2021-04-09"}],
        ("created_at", "2021-04-09 12:00"),
    ),
    ("bad_money", [{"total": "ten"}], [{"total": "$35.00"}], ("total", "ten")),
    ("bad_money", [{"item_each_price": "3 5 apples"}], [{}], ("item_each_price", "3 5 apples")),
    (
        "bad_money",
        [{"item_price": "3 5 apples"}],
        [{"item_price": "35.00 USD"}],
        ("item_price", "3 5 apples"),
    ),
    (  # What their product comes to is more than a checkpoint can hold.
        "bad_money",
        [{"item_each_price": "10000000000000.01"}],
        [{"item_each_price": "10000000000000.00"}],
        ("item_each_price", "10000000000000.01"),
    ),
    (
        "bad_money",
        [{"item_each_price": "10000000000000", "item_quantity": "2"}],
        [{"item_each_price": "10000000000000", "item_quantity": "2", "item_price": "5"}],
        ("item_each_price", "10000000000000"),
    ),
    (
        "missing_price",
        [{"item_each_price": ""}],
        [{"item_each_price": "", "item_price": "35.00"}],
        ("item_name", "Tank Top"),
    ),
    (
        "zero_quantity",
        [{"item_quantity": "0"}],
        [{"item_quantity": "0.001", "item_price": "35"}],
        ("item_quantity", "0"),
    ),
    ("negative_quantity", [{"item_quantity": "-1"}], [{}], ("item_quantity", "-1")),
    (
        "missing_quantity",
        [{"item_quantity": ""}],
        [{"item_quantity": "1.0"}],
        ("item_quantity", None),
    ),
    (
        "unreadable_quantity",
        [{"item_quantity": "two"}],
        [{"item_quantity": "2", "total": "70"}],
        ("item_quantity", "two"),
    ),
    (
        "no_line_items",
        [{"item_name": "", "item_quantity": "", "item_each_price": ""}],
        [{"item_name": ""}],
        (None, None),
    ),
    ("negative_total", [{"total": "-0.01"}], [{"total": "0.00"}], ("total", "-0.01")),
    ("zero_total", [{"total": "0.00"}], [{"total": "0.01"}], ("total", "0.00")),
    ("other_currency", [{"currency": "EUR"}], [{"currency": "usd"}], ("currency", "EUR")),
    (
        "other_currency",
        [{"currency": "", "total": "EUR 35.00"}],
        [{"currency": "", "total": "$35.00"}],
        ("total", "EUR 35.00"),
    ),
    (
        "other_currency",
        [{"currency": "", "item_each_price": "35.00 CHF"}],
        [{"currency": "", "item_each_price": "35.00 USD"}],
        ("item_each_price", "35.00 CHF"),
    ),
    (
        "other_currency",
        [{"currency": "", "item_price": "£35.00"}],
        [{"currency": "", "item_price": "US$35.00"}],
        ("item_price", "£35.00"),
    ),
    (
        "affiliate_not_connected",
        [{"connect_id": "", "affiliate": "cid"}],
        [{"connect_id": "", "affiliate": "bea"}],
        ("affiliate", "cid"),
    ),
    ("total_differs", [{"total": "35.01"}], [{"total": "35"}], ("total", "35.01")),
    (
        "line_price_differs",
        [{"item_price": "34.00"}],
        [{"item_price": "35.00"}],
        ("item_price", "34.00"),
    ),
    (  # Up to half a cent a piece is what rounding the unit price can make.
        "line_price_differs",
        [{"item_each_price": "3.33", "item_quantity": "3", "item_price": "10.01"}],
        [{"item_each_price": "3.33", "item_quantity": "3", "item_price": "10.00"}],
        ("item_price", "10.01"),
    ),
    (
        "line_price_differs",
        [{"item_each_price": "3.33", "item_quantity": "0.5", "item_price": "1.68"}],
        [{"item_each_price": "3.33", "item_quantity": "0.5", "item_price": "1.67"}],
        ("item_price", "1.68"),
    ),
    (
        "rounded",
        [{"item_each_price": "", "item_price": "10.00", "item_quantity": "3", "total": "10"}],
        [{"item_each_price": "", "item_price": "9.00", "item_quantity": "3", "total": "9"}],
        ("item_price", "10.00"),
    ),
    ("rounded", [{"total": "35.005"}], [{"total": "34.99999999999999"}], ("total", "35.005")),
    (
        "rounded",
        [{"item_each_price": "0.33", "item_quantity": "0.5"}],
        [{"item_each_price": "0.33", "item_quantity": "0.5", "item_price": "0.17"}],
        ("item_each_price", "0.33"),
    ),
    (
        "broken_text",
        [{"profile_name": "M\ufffdller"}],
        [{"profile_name": "M\u00fcller\n2nd line"}],
        ("profile_name", "M\ufffdller"),
    ),
    (
        "broken_text",
        [{"item_name": "Tank\x07Top"}],
        [{"item_name": "Tank\tTop"}],
        ("item_name", "Tank\x07Top"),
    ),
    (
        "broken_text",
        [{"description": "uni\x1ft"}],
        [{"description": "ends~"}],
        ("description", "uni\x1ft"),
    ),
    (
        "broken_text",
        [{"profile_email": "\x7fann@example.com"}],
        [{"profile_email": "ann@exämple.com"}],
        ("profile_email", "\x7fann@example.com"),
    ),
    (
        "text_too_long",
        [{"description": "x" * (LONGEST_TEXT + 1)}],
        [{"description": "x" * LONGEST_TEXT}],
        ("description", "x" * (LONGEST_TEXT + 1)),
    ),
    (  # Characters count, and not the bytes they take.
        "text_too_long",
        [{"item_name": "é" * (LONGEST_TEXT + 1)}],
        [{"item_name": "é" * LONGEST_TEXT}],
        ("item_name", "é" * (LONGEST_TEXT + 1)),
    ),
    (
        "formula_like",
        [{"profile_name": "=1+1"}],
        [{"profile_name": "1+1="}],
        ("profile_name", "=1+1"),
    ),
    (
        "formula_like",
        [{"item_name": "@SUM(A1)"}],
        [{"item_name": "-5 kg"}],
        ("item_name", "@SUM(A1)"),
    ),
    ("formula_like", [{"description": "+A1"}], [{"description": "+1=B1"}], ("description", "+A1")),
    ("formula_like", [{"description": "-(1)"}], [{"description": "A=-1"}], ("description", "-(1)")),
]
