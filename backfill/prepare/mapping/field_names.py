"""The fields that columns are mapped to."""

from __future__ import annotations

from typing import Final

from backfill.prepare.mapping.statuses import STATUS_FIELDS

TIME_FIELDS: Final = (
    "created_at",
    "invoiced_at",
    "paid_at",
    "shipped_at",
    "refunded_at",
    "cancelled_at",
)
#: How much of an order's total went back to the customer.
REFUNDED_TOTAL: Final = "refunded_total"
ORDER_FIELDS: Final = (
    "reference_id",
    *TIME_FIELDS,
    "description",
    "profile_name",
    "profile_phone_number",
    "profile_email",
    "profile_shipping_address_raw",
    "total",
    "currency",
    *STATUS_FIELDS,
    REFUNDED_TOTAL,
    "shipping_link",
    "shipping_state",
)
ACCOUNT_FIELDS: Final = ("connect_id", "user_id", "affiliate")
LINE_FIELDS: Final = ("item_name", "item_quantity", "item_each_price", "item_price")
#: The amounts that the arithmetic of an order relates to one another.
RELATED_FIELDS: Final = ("total", "item_each_price", "item_price")
MONEY_FIELDS: Final = (*RELATED_FIELDS, REFUNDED_TOTAL)
NUMBER_FIELDS: Final = ("item_quantity", *MONEY_FIELDS)
#: The name of the time zone that the row's naive times are in.
ZONE: Final = "zone"
#: All that can be mapped.
FIELDS: Final = (*ORDER_FIELDS, *ACCOUNT_FIELDS, *LINE_FIELDS, ZONE)

#: Fields that change what is sent, or whether: a guess at one of them is never passed over.
MUST_BE_DECIDED: Final = (
    "cancelled_at",
    *STATUS_FIELDS,
    REFUNDED_TOTAL,
    "total",
    "currency",
    *LINE_FIELDS,
)

ORDER_KEY: Final = "reference_id"
